"""Interval data: the sum is the counter's difference, and what is not known is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.metering.exact import exact
from gateway.core.metering.intervals import IntervalBuilder
from gateway.core.metering.remainder import remainder, solar
from gateway.core.metering.rollup import MinuteBuffer
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Interval, IntervalQuality, Quality, Reading
from gateway.model.site import Device, Role, Site

T0 = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
VALID, ESTIMATED, MISSING = IntervalQuality.VALID, IntervalQuality.ESTIMATED, IntervalQuality.MISSING


def reading(quantity: Q, value: float, at_s: float, quality: Quality = Quality.VALID) -> Reading:
    return Reading("dev", quantity, value, T0 + timedelta(seconds=at_s), quality)


def run(points: list[tuple[Q, float, float]], close_s: float | None = None) -> dict[tuple[str, int], Interval]:
    """Feed (quantity, seconds, value); the intervals in force by (device, quarter)."""
    builder, found = IntervalBuilder("dev"), {}
    batches = [builder.add(reading(quantity, value, at)) for quantity, at, value in points]
    if close_s is not None:
        batches.append(builder.close(T0 + timedelta(seconds=close_s)))
    for interval in (i for batch in batches for i in batch):
        found[interval.device, int((interval.start - T0).total_seconds()) // 900] = interval
    return found


@pytest.mark.slow
@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(1, 4000), st.floats(0, 5000)), min_size=2, max_size=40))
def test_the_sum_of_the_intervals_is_the_difference_of_the_counter(steps):
    points, at, register = [(Q.ENERGY_IMPORT, 0.0, 1000.0)], 0.0, 1000.0
    for seconds, power in steps:
        at, register = at + seconds, register + power * seconds / 3600
        points.append((Q.ENERGY_IMPORT, at, register))
    # A last value on a quarter hour, so that every interval is complete.
    end = (at // 900 + 1) * 900
    points.append((Q.ENERGY_IMPORT, end, register))
    found = run(points)
    assert sum(i.import_wh for i in found.values()) == exact(register) - 1000.0, "to the last bit"
    assert len(found) == end / 900
    assert all(i.import_wh >= -1e-9 for i in found.values())


@pytest.mark.slow
@settings(max_examples=150)
@given(
    begin=st.floats(0, 899),
    lasts=st.floats(60, 2700),
    step=st.floats(1, 30),
    offset=st.floats(-30, 30),
    watts=st.floats(0, 20_000),
)
def test_no_energy_of_the_counter_is_lost_when_power_comes_as_a_message_of_its_own(begin, lasts, step, offset, watts):
    times = [begin + step * i for i in range(int(lasts / step) + 1)]
    power = [(Q.POWER, at, watts) for at in times]
    counter = [(Q.ENERGY_IMPORT, at + offset, 1000.0 + watts * (at - begin) / 3600) for at in times]
    points = sorted(power + counter, key=lambda point: point[1])
    told = run(points, close_s=5400)
    moved = exact(counter[-1][2]) - 1000.0
    assert sum(i.import_wh or 0.0 for i in told.values()) == pytest.approx(moved, abs=1e-3)
    assert all(i.quality is not MISSING for i in told.values() if (i.import_wh or 0.0) > 0)


def test_two_topics_ten_milliseconds_apart_tell_the_first_quarter_hour() -> None:
    """Power first, its counter just after: 190 s of a quarter hour, which neither measured for half of it."""
    points = [(q, 710 + 4.0 * i + late, v) for i in range(60)
              for q, late, v in ((Q.POWER, 0.0, 720.0), (Q.ENERGY_IMPORT, 0.01, 1000 + 0.8 * i))]  # fmt: skip
    first = run(points)["dev", 0]
    assert (first.quality, first.method) == (ESTIMATED, "counter, part of the interval")
    assert first.import_wh == pytest.approx(38.0, abs=0.01)


@pytest.mark.parametrize(("watts", "energy", "method"), [
    (720.0, 180.0, "power"),
    (0.0, 60.0, "counter, part of the interval and power"),
])  # fmt: skip
def test_power_that_saw_clearly_more_tells_unless_it_says_less_than_the_counter(watts, energy, method) -> None:
    points = [(Q.POWER, float(t), watts) for t in range(0, 901, 10)]
    points += [(Q.ENERGY_IMPORT, float(t), 1000 + (t - 600) / 5) for t in range(600, 901, 10)]
    (interval,) = run(sorted(points, key=lambda point: point[1])).values()
    assert (interval.import_wh, interval.method) == (pytest.approx(energy), method)


def test_a_boundary_between_two_counter_values_is_interpolated():
    points = [(Q.ENERGY_IMPORT, t, w) for t, w in [(0, 0), (890, 890), (910, 930), (1800, 1000)]]
    found = run(points)
    assert [(i.import_wh, i.quality, i.method) for i in found.values()] == [
        (910.0, VALID, "counter"), (pytest.approx(90.0), VALID, "counter"),
    ]  # fmt: skip


def test_import_and_export_are_kept_apart():
    points = [
        (q, t, v) for t, a, b in [(0, 5, 7), (900, 105, 27)] for q, v in ((Q.ENERGY_IMPORT, a), (Q.ENERGY_EXPORT, b))
    ]
    (interval,) = run(points).values()
    assert (interval.import_wh, interval.export_wh, interval.net_wh) == (100.0, 20.0, 80.0)


def test_without_counters_power_is_integrated_and_its_sign_divides_it():
    points = [(Q.POWER, t, 1800.0 if t < 450 else -900.0) for t in range(0, 901, 10)]
    (interval,) = run(points).values()
    assert interval.import_wh == pytest.approx(225.0, abs=5)
    assert interval.export_wh == pytest.approx(112.5, abs=5)
    assert (interval.quality, interval.method) == (VALID, "power")


def test_a_counter_is_preferred_to_power_and_power_fills_the_direction_it_has_not():
    points = []
    for t in range(0, 901, 10):
        points += [(Q.POWER, t, -720.0), (Q.ENERGY_EXPORT, t, 1000 + t * 0.1)]
    (interval,) = run(points).values()
    assert interval.export_wh == pytest.approx(90.0)
    assert interval.import_wh == 0.0
    assert interval.quality is VALID


def test_a_silent_hour_is_missing_first_and_its_energy_is_recovered_and_marked():
    builder = IntervalBuilder("dev")
    for at, register in ((0, 0.0), (300, 100.0)):
        builder.add(reading(Q.ENERGY_IMPORT, register, at))
    first = builder.close(T0 + timedelta(seconds=3600))
    assert [i.quality for i in first] == [ESTIMATED, MISSING, MISSING, MISSING]
    assert [i.import_wh for i in first] == [100.0, None, None, None]
    again = builder.add(reading(Q.ENERGY_IMPORT, 430.0, 3600))
    assert [i.start for i in again] == [i.start for i in first]
    assert sum(i.import_wh or 0 for i in again) == pytest.approx(430.0)
    assert {(i.quality, i.method) for i in again} == {(ESTIMATED, "counter spread evenly")}


def test_a_gap_of_the_counter_is_spread_by_the_measured_power():
    points = [(Q.ENERGY_IMPORT, 0, 0.0)]
    points += [(Q.POWER, t, 400.0 if t < 900 else 1200.0) for t in range(0, 1801, 10)]
    found = run([*points, (Q.ENERGY_IMPORT, 1800, 404.0)])
    assert [i.import_wh for i in found.values()] == pytest.approx([101.0, 303.0], abs=2)
    assert {i.method for i in found.values()} == {"counter spread by measured power and power"}


@pytest.mark.parametrize(("after", "energy"), [(5.0, 50.0), (2.0**31, 50.0)])
def test_a_replaced_counter_adds_no_energy_of_its_own(after, energy):
    points = [(Q.ENERGY_IMPORT, t, v) for t, v in [(0, 1e6), (300, 1e6 + 20), (600, after), (900, after + 30)]]
    (interval,) = run(points).values()
    assert interval.import_wh == pytest.approx(energy)
    assert interval.quality is ESTIMATED


def test_a_suspect_reading_moves_no_energy():
    builder = IntervalBuilder("dev")
    builder.add(reading(Q.ENERGY_IMPORT, 0.0, 0))
    assert builder.add(reading(Q.ENERGY_IMPORT, 9e9, 900, Quality.SUSPECT)) == []
    (interval,) = builder.add(reading(Q.ENERGY_IMPORT, 10.0, 900))
    assert interval.import_wh == 10.0


def test_after_a_restart_the_energy_since_the_last_stored_counter_is_recovered():
    builder = IntervalBuilder("dev")
    builder.seed(Q.ENERGY_IMPORT, 1000.0, T0)
    found = builder.add(reading(Q.ENERGY_IMPORT, 1400.0, 3600))
    assert [i.import_wh for i in found] == [100.0] * 4
    assert {i.quality for i in found} == {ESTIMATED}


def test_seeds_of_every_minute_restore_the_interval_under_way():
    builder = IntervalBuilder("dev")
    for at in range(0, 1201, 60):
        builder.seed(Q.ENERGY_IMPORT, 1000.0 + at, T0 + timedelta(seconds=at))
    found = builder.add(reading(Q.ENERGY_IMPORT, 2800.0, 1800))
    assert [i.import_wh for i in found] == [900.0, 900.0]
    assert {i.quality for i in found} == {ESTIMATED}, "a stored minute was read at some time within it"


def test_an_edge_that_is_known_exactly_restores_an_exact_interval() -> None:
    first, second = IntervalBuilder("dev"), IntervalBuilder("dev")
    for at in (0, 890, 910, 1200):
        first.add(reading(Q.ENERGY_IMPORT, 1000.0 + at, at))
    assert first.edges() == {Q.ENERGY_IMPORT: (T0.timestamp() + 900, 1900.0)}
    second.seed(Q.ENERGY_IMPORT, 1900.0, T0 + timedelta(seconds=900), rough=False)
    second.seed(Q.ENERGY_IMPORT, 2200.0, T0 + timedelta(seconds=1260))
    (found,) = second.add(reading(Q.ENERGY_IMPORT, 2800.0, 1800))
    assert (found.import_wh, found.quality) == (900.0, VALID)


def test_a_hybrid_inverter_tells_of_its_panels_and_its_battery_apart():
    points = []
    for t in range(0, 901, 30):
        points += [(Q.PV_ENERGY, t, 2.0 * t), (Q.PV_POWER, t, -7200.0), (Q.BATTERY_POWER, t, 3600.0)]
    found = run(points)
    assert found["dev/pv", 0].export_wh == 1800.0 and found["dev/pv", 0].import_wh == 0.0
    assert found["dev/battery", 0].import_wh == pytest.approx(900.0)


SITE = Site(
    "home", ZoneInfo("Europe/Brussels"), 50.8, 4.3, "EUR", 3, 25.0,
    (
        Device("grid", "Grid", Role.MAIN_METER), Device("inv", "Solar", Role.HYBRID_INVERTER),
        Device("car", "Car", Role.EV_CHARGER), Device("tank", "Tank", Role.WATER_HEATER),
        Device("sub", "Kitchen", Role.SUB_METER),
    ),
)  # fmt: skip


def quarter(**nets: float | None) -> dict[str, Interval]:
    def one(name: str, net: float | None) -> Interval:
        if net is None:
            return Interval(name, T0, 900, None, None, MISSING, "")
        return Interval(name, T0, 900, max(net, 0.0), max(-net, 0.0), VALID, "counter")

    return {name.replace("__", "/"): one(name.replace("__", "/"), net) for name, net in nets.items()}


def test_the_house_is_the_grid_minus_every_part():
    house = remainder(SITE, quarter(grid=1000.0, inv=-500.0, car=700.0, tank=300.0, sub=99.0), T0)
    assert house is not None
    assert (house.net_wh, house.quality) == (500.0, VALID)


def test_a_part_that_is_missing_makes_the_house_an_estimate_but_a_silent_charger_does_not():
    without_tank = remainder(SITE, quarter(grid=1000.0, inv=0.0, tank=None), T0)
    without_car = remainder(SITE, quarter(grid=1000.0, inv=0.0, tank=0.0, car=None), T0)
    without_grid = remainder(SITE, quarter(inv=0.0), T0)
    assert without_tank is not None and without_car is not None and without_grid is not None
    assert without_tank.quality is ESTIMATED and "tank" in without_tank.method
    assert without_car.quality is VALID
    assert without_grid.quality is MISSING and without_grid.net_wh is None


def test_solar_is_what_the_panels_made():
    made = solar(SITE, quarter(inv__pv=-400.0, inv=-100.0), T0)
    assert made is not None and (made.import_wh, made.export_wh) == (0.0, 400.0)


def test_a_minute_closes_with_its_mean_extremes_and_doubts():
    buffer = MinuteBuffer()
    for at, value in ((0, 1.0), (30, 3.0)):
        assert buffer.add(reading(Q.POWER, value, at)) == []
    assert buffer.add(reading(Q.POWER, 9e9, 40, Quality.SUSPECT)) == []
    (minute,) = buffer.add(reading(Q.POWER, 5.0, 60))
    assert (minute.start, minute.mean, minute.low, minute.high, minute.last) == (T0, 2.0, 1.0, 3.0, 3.0)
    assert (minute.count, minute.suspect) == (2, 1)
    assert buffer.add(reading(Q.POWER, 7.0, 50)) == [], "late: its minute is closed"
    assert [r.mean for r in buffer.flush()] == [5.0]
    assert buffer.flush() == []
