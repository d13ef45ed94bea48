"""Attribution: every watt-hour has one origin and one consumer, and the day closes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.metering.attribution import Share, attribute, attribute_day, daily_shares, series
from gateway.core.metering.remainder import remainder, solar
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.site import Device, Role, Site

T0 = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BRUSSELS = ZoneInfo("Europe/Brussels")
VALID, MISSING = IntervalQuality.VALID, IntervalQuality.MISSING


def site(*devices: Device) -> Site:
    return Site("home", BRUSSELS, 50.8, 4.3, "EUR", 3, 25.0, (Device("grid", "Grid", Role.MAIN_METER), *devices))


HYBRID = site(
    Device("inv", "Inverter", Role.HYBRID_INVERTER),
    Device("car", "Car", Role.EV_CHARGER),
    Device("sub", "Kitchen", Role.SUB_METER),
)
SEPARATE = site(
    Device("pv", "Panels", Role.PV), Device("bat", "Battery", Role.BATTERY), Device("car", "Car", Role.EV_CHARGER)
)
PLAIN = site(Device("tank", "Tank", Role.WATER_HEATER))


def one(name: str, net: float | None, start: datetime = T0) -> Interval:
    if net is None:
        return Interval(name, start, 900, None, None, MISSING, "")
    return Interval(name, start, 900, max(net, 0.0), max(-net, 0.0), VALID, "counter")


def quarter(home: Site, start: datetime = T0, **nets: float | None) -> dict[str, Interval]:
    """Intervals by series ("inv__pv" is "inv/pv"), with the house and the sun that follow from them."""
    rows = {name.replace("__", "/"): one(name.replace("__", "/"), net, start) for name, net in nets.items()}
    derived = (remainder(home, rows, start), solar(home, rows, start))
    return rows | {interval.device: interval for interval in derived if interval is not None}


def by_name(shares: tuple[Share, ...]) -> dict[str, Share]:
    return {share.device: share for share in shares}


def test_all_consumers_of_a_quarter_drink_from_one_pot() -> None:
    shares = by_name(attribute(SEPARATE, quarter(SEPARATE, grid=500.0, pv=-400.0, bat=-100.0, car=600.0)))
    assert (shares["car"].solar_wh, shares["car"].battery_wh, shares["car"].grid_wh) == (240.0, 60.0, 300.0)
    assert shares["house"].energy_wh == 400.0 and set(shares) == {"car", "house"}


def test_a_charging_battery_and_the_grid_are_consumers_too() -> None:
    shares = by_name(attribute(SEPARATE, quarter(SEPARATE, grid=-300.0, pv=-1000.0, bat=500.0, car=0.0)))
    assert {name: share.energy_wh for name, share in shares.items()} == {
        "house": 200.0,
        "battery": 500.0,
        "grid": 300.0,
    }
    assert sum(share.solar_wh for share in shares.values()) == 1000.0


def test_what_the_inverter_loses_is_named() -> None:
    shares = by_name(
        attribute(HYBRID, quarter(HYBRID, grid=0.0, inv=-900.0, inv__pv=-800.0, inv__battery=-150.0, car=0.0))
    )
    assert shares["losses"].energy_wh == pytest.approx(50.0) and shares["house"].energy_wh == 900.0
    assert sum(share.solar_wh for share in shares.values()) == pytest.approx(800.0)
    assert sum(share.battery_wh for share in shares.values()) == pytest.approx(150.0)


def test_an_inverter_that_tells_nothing_of_its_ac_side_leaves_its_sun_to_the_house_and_loses_nothing() -> None:
    shares = by_name(attribute(HYBRID, quarter(HYBRID, grid=100.0, inv=None, inv__pv=-800.0, car=0.0)))
    assert set(shares) == {"house"} and shares["house"].energy_wh == 900.0


def test_a_sub_meter_is_taken_out_of_the_house() -> None:
    shares = by_name(attribute(HYBRID, quarter(HYBRID, grid=1000.0, inv=0.0, sub=300.0)))
    assert (shares["sub"].energy_wh, shares["house"].energy_wh) == (300.0, 700.0)


def test_a_sub_meter_over_a_device_of_its_own_is_not_counted_twice() -> None:
    shares = by_name(attribute(HYBRID, quarter(HYBRID, grid=1000.0, inv=0.0, car=800.0, sub=900.0)))
    assert (shares["sub"].energy_wh, "house" in shares, shares["car"].energy_wh) == (200.0, False, 800.0)


def test_more_used_than_given_has_an_unknown_source() -> None:
    shares = attribute(PLAIN, quarter(PLAIN, grid=100.0, tank=150.0))
    assert shares == (Share("tank", 150.0, 0.0, 0.0, 50.0),) and shares[0].grid_wh == 100.0


def test_a_quarter_of_which_nothing_is_known_gives_nobody_anything() -> None:
    assert attribute(PLAIN, {}) == ()


amounts = st.floats(0, 5000)


@pytest.mark.slow
@given(st.floats(-5000, 5000), amounts, st.floats(-3000, 3000), amounts, amounts, amounts)
def test_the_shares_of_each_source_sum_to_the_source_and_of_each_consumer_to_its_energy(
    grid: float, sun: float, battery: float, inverter: float, car: float, sub: float
) -> None:
    row = quarter(
        HYBRID, grid=grid, inv__pv=-sun, inv__battery=battery, inv=-inverter, car=car, sub=sub
    )  # fmt: skip
    shares = attribute(HYBRID, row)
    sources = {"solar_wh": sun, "battery_wh": max(0.0, -battery), "grid_wh": max(0.0, grid)}
    if shares:
        for source, amount in sources.items():
            assert sum(getattr(share, source) for share in shares) == pytest.approx(amount, abs=1e-6)
    for share in shares:
        parts = share.solar_wh + share.battery_wh + share.grid_wh + share.unknown_wh
        assert parts == pytest.approx(share.energy_wh, abs=1e-6)
        assert min(share.solar_wh, share.battery_wh, share.grid_wh, share.unknown_wh) >= 0
    named = {share.device: share.energy_wh for share in shares}
    house = row["house"]
    assert named.get("house", 0) + named.get("sub", 0) == pytest.approx(house.import_wh, abs=1e-6), "the rest closes"


def test_a_day_sums_its_quarters_each_with_its_own_mix() -> None:
    noon = quarter(SEPARATE, grid=0.0, pv=-400.0, bat=0.0, car=400.0)
    night = quarter(SEPARATE, T0 + timedelta(hours=9), grid=600.0, pv=0.0, bat=0.0, car=600.0)
    (car,) = attribute_day(SEPARATE, [noon, night])
    assert (car.energy_wh, car.solar_wh, car.grid_wh) == (1000.0, 400.0, 600.0)


@pytest.mark.parametrize(
    ("day", "quarters"), [(date(2026, 3, 29), 92), (date(2026, 10, 25), 100), (date(2026, 11, 21), 96)]
)
def test_a_local_day_of_23_24_and_25_hours_is_attributed_whole(day: date, quarters: int) -> None:
    start = datetime.combine(day, datetime.min.time(), BRUSSELS).astimezone(UTC)
    rows = [quarter(PLAIN, start + timedelta(minutes=15 * n), grid=100.0, tank=40.0) for n in range(quarters)]
    found = daily_shares(PLAIN, {name: [row[name] for row in rows] for name in ("grid", "tank", "house")}, BRUSSELS)
    assert list(found) == [day]
    assert (found[day].quarters, found[day].missing, found[day].quality) == (quarters, 0, VALID)
    assert found[day].grid_wh == 100.0 * quarters == sum(share.energy_wh for share in found[day].shares)


def test_a_day_says_what_is_missing_and_what_the_battery_kept() -> None:
    rows = [
        quarter(SEPARATE, T0, grid=0.0, pv=-700.0, bat=500.0),
        quarter(SEPARATE, T0 + timedelta(minutes=15), grid=0.0, pv=0.0, bat=-300.0),
        quarter(SEPARATE, T0 + timedelta(minutes=30), grid=None, pv=0.0, bat=0.0),
    ]
    found = daily_shares(
        SEPARATE, {name: [row[name] for row in rows if name in row] for name in series(SEPARATE)}, BRUSSELS
    )
    (day,) = found.values()
    assert (day.quarters, day.missing, day.solar_wh, day.battery_wh, day.kept_wh) == (2, 94, 700.0, 300.0, 200.0)


def test_the_series_of_a_hybrid_home_are_all_asked_for() -> None:
    assert series(HYBRID) == ["grid", "inv", "car", "sub", "inv/pv", "inv/battery", "house", "solar"]
