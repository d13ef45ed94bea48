"""The savings' baseline: anchored on what was measured, honest about days that lose, and nothing earned twice."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.core.planning.savings import (
    ChargedSession,
    MeasuredBattery,
    MeasuredCar,
    MeasuredDay,
    MeasuredHeat,
    baseline,
    compare,
    energy_only,
    month_rest,
    stored_from,
)
from gateway.core.tariff.bill import Metered
from gateway.model.site import BatterySpec
from gateway.model.tariff import DemandCharge, Rate, Tariff

ZONE = ZoneInfo("Europe/Brussels")
MIDNIGHT = datetime(2026, 11, 19, 23, tzinfo=UTC).timestamp()
NIGHT = Tariff("night", "Night", "EUR", ZONE, (
    Rate("night", 200_000, 50_000, start=time(22), end=time(7)), Rate("day", 400_000, 50_000),
), fixed_micro_per_day=300_000)  # fmt: skip
HOUSE_WH = 100.0
BATTERY = BatterySpec(10_000, 4_000, 4_000, 0.95, 0.95)


def starts(day: int = 0) -> np.ndarray:
    return MIDNIGHT + 86_400 * day + 900.0 * np.arange(96)


def quarters(watts: float, first_h: float, hours: float) -> np.ndarray:
    wh = np.zeros(96)
    wh[round(first_h * 4) : round((first_h + hours) * 4)] = watts / 4
    return wh


def measured(net: np.ndarray, **parts: object) -> MeasuredDay:
    price = {"price_before": 0.3, "price_after": 0.3}
    return MeasuredDay(starts(), np.maximum(net, 0), np.maximum(-net, 0), **(price | parts))  # type: ignore[arg-type]


def session(first_h: float, last_h: float, left: float, after: float = 0.0, watts: float = 10_000.0) -> ChargedSession:
    return ChargedSession(MIDNIGHT + first_h * 3600, MIDNIGHT + last_h * 3600, left, after, watts)


def test_a_home_with_nothing_flexible_saves_nothing_and_costs_what_it_cost() -> None:
    found = compare(measured(np.full(96, HOUSE_WH)), NIGHT)
    assert found.saved_micro == found.settled_micro == found.uncertain_micro == 0
    assert found.cost_micro == found.baseline_micro == round(96 * 0.1 * (9 * 200_000 + 15 * 400_000) / 24)


def test_a_car_that_waited_for_the_night_saved_the_difference_of_the_prices() -> None:
    """It came at 10:00 and got 20 kWh from 22:00 to 24:00 at half the price."""
    wh = quarters(10_000, 22, 2)
    day = measured(HOUSE_WH + wh, cars=(MeasuredCar("car", wh, (session(10, 24, 20_000),)),))
    found = compare(day, NIGHT)
    assert found.saved_micro == (20 * 200_000) and found.settled_micro == 0
    assert baseline(day).import_wh[40:48].sum() == pytest.approx(8 * HOUSE_WH + 20_000)
    assert found.uncertain_micro < 0.1 * found.saved_micro, "a slower car would still have charged by day"


def test_a_day_on_which_waiting_was_wrong_is_a_loss_of_the_same_size() -> None:
    wh = quarters(10_000, 10, 2)
    day = measured(HOUSE_WH + wh, cars=(MeasuredCar("car", wh, (session(2, 14, 20_000),)),))
    assert compare(day, NIGHT).saved_micro == -(20 * 200_000)


def test_over_midnight_what_the_car_still_lacks_is_settled_and_both_days_together_tell_the_truth() -> None:
    """It came at 18:00 and got its 20 kWh from 02:00 to 04:00: 4.00 in truth, 8.00 on arrival."""
    evening = measured(
        np.full(96, HOUSE_WH),
        cars=(MeasuredCar("car", np.zeros(96), (session(18, 31, 20_000, 20_000),)),),
        price_after=0.27,
    )
    first = compare(evening, NIGHT)
    assert first.baseline.more_after.wh == {"car": -20_000}
    assert first.saved_micro == round(20 * 400_000 - 20_000 * 0.27e0)
    wh = quarters(10_000, 2, 2)
    begun = session(-6, 7, 20_000)
    morning = measured(HOUSE_WH + wh, cars=(MeasuredCar("car", wh, (begun,)),), price_before=0.27)
    second = compare(stored_from(morning, first.baseline.more_after.wh), NIGHT)
    assert second.baseline.import_wh.sum() == pytest.approx(96 * HOUSE_WH), "it had charged before"
    assert first.saved_micro + second.saved_micro == (20 * 200_000)


def test_a_battery_in_its_own_mode_stores_the_sun_and_feeds_the_evening() -> None:
    """The real one rested all day; the own mode would have used 4.5 of the 5 kWh of surplus in the evening."""
    net = np.full(96, 200.0) - quarters(5_800, 12, 1)
    rests = MeasuredBattery("battery", BATTERY, 500.0, np.zeros(96), 500.0, 500.0)
    found = compare(measured(net, batteries=(rests,)), NIGHT)
    stored = 4_000 * 0.95
    given = stored * 0.95
    assert found.baseline.export_wh.sum() == pytest.approx(5_000 - 4_000)
    assert found.baseline.import_wh.sum() == pytest.approx(92 * 200 - given)
    assert found.saved_micro < 0 and found.settled_micro == pytest.approx(0, abs=1)


def test_a_battery_that_did_what_its_own_mode_does_saves_nothing() -> None:
    net = np.full(96, 200.0) - quarters(5_800, 12, 1)
    own = baseline(measured(net, batteries=(MeasuredBattery("battery", BATTERY, 500.0, np.zeros(96), 2_000, 2_000),)))
    real = own.import_wh - own.export_wh
    end = 2_000 - own.more_after.wh["battery"] / 0.95
    flows = MeasuredBattery("battery", BATTERY, 500.0, real - net, 2_000, end)
    found = compare(measured(real, batteries=(flows,)), NIGHT)
    assert abs(found.saved_micro) <= 1 and found.baseline.more_after.total_wh == pytest.approx(0)


def test_what_the_battery_holds_more_at_midnight_is_worth_the_stated_price_only() -> None:
    """It bought 4 kWh at 23:00 for the next day: a cost today, settled as stored."""
    wh = quarters(4_000, 23, 1)
    held = MeasuredBattery("battery", BATTERY, 500.0, wh, 500.0, 500.0 + 4_000 * 0.95)
    found = compare(measured(HOUSE_WH + wh, batteries=(held,), price_after=0.25), NIGHT)
    assert found.settled_micro == round(4_000 * 0.95 * 0.95 * 0.25)
    assert found.saved_micro == found.settled_micro - 4 * 200_000


def tank(wh: np.ndarray, at_c: np.ndarray, more_k: float = 0.0) -> MeasuredHeat:
    return MeasuredHeat("tank", wh, at_c, np.full(96, 45.0), 2_000, 232.6, 1.5, more_k)


def heated(wh: np.ndarray, drawn: np.ndarray, first_c: float) -> np.ndarray:
    at_c = [first_c]
    for real, out in zip(wh, drawn, strict=True):
        at_c.append(at_c[-1] + (real - out - 1.5 * 0.25 * (at_c[-1] - 20)) / 232.6)
    return np.array(at_c)


def test_a_thermostat_gives_the_same_water_at_the_least_comfort_when_it_is_drawn() -> None:
    """The real tank was heated at night for the evening's bath; a thermostat heats in the dear evening."""
    wh, drawn = quarters(2_000, 2, 2), quarters(1_600, 19, 1)
    day = measured(HOUSE_WH + wh, heats=(tank(wh, heated(wh, drawn, 46.0)),))
    found = compare(day, NIGHT)
    plain = found.baseline.import_wh - HOUSE_WH
    assert plain[76:81].sum() > 1_300, "it heats while the water is drawn"
    assert plain[8:16].sum() < 200
    assert found.saved_micro > 0 and 0 < found.uncertain_micro < found.saved_micro
    used = plain.sum() + found.baseline.more_after.total_wh
    assert used < wh.sum(), "the warmer tank loses more: that is not hidden"


def test_a_thermostat_that_heated_as_the_plan_did_is_the_measured_day() -> None:
    wh = np.full(96, 1.5 * 0.25 * 25.0)
    day = measured(HOUSE_WH + wh, heats=(tank(wh, heated(wh, np.zeros(96), 45.0)),))
    found = compare(day, NIGHT)
    assert abs(found.saved_micro) <= 2 and found.baseline.import_wh == pytest.approx(HOUSE_WH + wh)


def test_a_quarter_hour_without_the_meter_counts_neither_way() -> None:
    wh = quarters(10_000, 22, 2)
    day = measured(HOUSE_WH + wh, cars=(MeasuredCar("car", wh, (session(10, 24, 20_000),)),))
    gap = day.import_wh.copy()
    gap[50:52] = np.nan
    day = replace(day, import_wh=gap, export_wh=np.where(np.isnan(gap), np.nan, 0.0))
    found = compare(day, NIGHT)
    assert not found.baseline.import_wh[50:52].any()
    assert found.saved_micro == (20 * 200_000)


def test_what_flowed_both_ways_within_a_quarter_hour_does_so_in_the_baseline_too() -> None:
    """Wrong before: the baseline alone was netted, which made a home that did nothing lose each cloudy day."""
    day = replace(measured(np.full(96, HOUSE_WH)), import_wh=np.full(96, 300.0), export_wh=np.full(96, 200.0))
    found = compare(day, NIGHT)
    assert found.saved_micro == 0 and found.baseline.export_wh == pytest.approx(np.full(96, 200.0))


def test_the_connection_holds_in_the_baseline_too() -> None:
    wh = quarters(10_000, 22, 2)
    day = measured(
        HOUSE_WH + wh, cars=(MeasuredCar("car", wh, (session(10, 24, 20_000, watts=22_000),)),), most_w=9_200.0
    )
    found = baseline(day)
    assert found.import_wh.max() == pytest.approx(2_300) and found.import_wh.sum() == pytest.approx(day.import_wh.sum())


def test_peaks_and_tiers_are_a_months_and_no_days() -> None:
    tariff = replace(NIGHT, demand=(DemandCharge("peak", micro_per_kw_month=4_000_000),))
    real = Metered(starts(), starts() + 900, np.full(96, 500.0), np.zeros(96))
    worse = replace(real, import_wh=np.where(np.arange(96) == 70, 2_000.0, 500.0))
    assert energy_only(tariff) == replace(NIGHT, fixed_micro_per_day=0)
    assert month_rest(tariff, real, worse) == (2 * 4_000_000, 8 * 4_000_000)
    with_peak, without = (compare(measured(np.full(96, 500.0)), each) for each in (tariff, NIGHT))
    assert with_peak.cost_micro == without.cost_micro == with_peak.baseline_micro


@pytest.mark.parametrize("seed", range(20))
def test_energy_is_neither_made_nor_lost_in_any_baseline(seed: int) -> None:
    """Grid + what left the stores = the same on both sides, but for the batteries' and the tank's own losses."""
    dice = random.Random(seed)
    wh = quarters(dice.uniform(2_000, 10_000), dice.uniform(0, 20), 2)
    energy = float(wh.sum())
    cut = dice.choice([0.0, 0.4 * energy])
    flows = np.array([dice.uniform(-300, 300) for _ in range(96)])
    net = np.array([dice.uniform(-500, 800) for _ in range(96)]) + wh + flows
    battery = MeasuredBattery("battery", BATTERY, 500.0, flows, 4_000, dice.uniform(500, 10_000))
    lossless = replace(BATTERY, charge_efficiency=1.0, discharge_efficiency=1.0)
    came = dice.uniform(-3, 1)
    car = MeasuredCar("car", wh, (session(came, 24 if cut else 23.9, energy + cut, cut),))
    day = measured(net, batteries=(replace(battery, spec=lossless),), cars=(car,))
    found = baseline(day)
    grid = float((found.import_wh - found.export_wh).sum() - net.sum())
    held = found.more_after.wh["battery"] - (battery.end_wh - battery.start_wh - float(flows.sum()))
    assert grid + found.more_after.wh["car"] + held == pytest.approx(0, abs=1e-6)
    assert (found.import_wh >= 0).all() and (found.export_wh >= 0).all()
