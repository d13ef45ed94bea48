"""The twin of a home: physics that balance, the rules of the tick, and controllers told apart by their bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from gateway.core.learning.forecast import forecast_load
from gateway.core.learning.sun import forecast_solar
from gateway.core.planning.controllers import Standing, to_date
from gateway.core.planning.replay import Stopped, replay, run
from gateway.core.planning.replay_forecast import Forecaster
from gateway.core.planning.twin import DAY, METER, Record, Twin, Visit
from gateway.core.tariff.peaks import to_date as to_date_of_intervals
from gateway.model.plan import Block, IntentKind, Plan
from gateway.model.tariff import DemandCharge
from gateway.model.whatif import Control
from tests.core.replay_homes import BATTERY, CAR, PUMP, START, TANK, TARIFF, ZONE, intervals, record, setup

EVENING = (Visit("car", 72, 124, 12_000.0), Visit("car", 168, 220, 12_000.0))


def block(device: str, kind: IntentKind, power_w: float = 0.0) -> Standing:
    """One intent for ever."""
    one = Block(device, kind, START, START + timedelta(days=9), power_w, 0.0, "Told.")
    return Standing(Plan(START, "test", "rules", (), (one,), 0, 0, 0.0, 0.0))


def test_what_flows_at_the_meter_is_the_sum_of_all_parts_in_every_quarter_hour() -> None:
    lived = record(2, *EVENING)
    found = replay(setup(BATTERY, CAR, TANK, PUMP), lived, Control.SELF_CONSUMPTION)
    parts = sum(found.power_w[name] for name in ("battery", "car", "tank", "pump"))
    assert np.allclose(found.grid_w, lived.house_w + lived.solar_w + parts)


def test_a_battery_ends_with_what_went_in_less_its_losses() -> None:
    home = setup(BATTERY)
    found = replay(home, record(3), Control.SELF_CONSUMPTION)
    flow = found.power_w["battery"] / 4
    began = 0.10 * 8_000
    assert found.stored_wh == pytest.approx(began + np.maximum(flow, 0).sum() * 0.95 + np.minimum(flow, 0).sum() / 0.95)


@pytest.mark.parametrize(
    ("kind", "power_w", "sun_w", "expected_w"),
    [
        # The battery holds 4 kWh; the house draws 400 W at midnight. Sun is added to see surplus.
        (IntentKind.ZERO_GRID, 0.0, 0.0, -400.0),
        (IntentKind.HOLD, 0.0, 0.0, 0.0),
        (IntentKind.SURPLUS_ONLY, 0.0, 0.0, 0.0),
        (IntentKind.HOLD, 0.0, -1_400.0, 1_000.0),
        (IntentKind.CHARGE_AT, 1_500.0, 0.0, 1_500.0),
        (IntentKind.CHARGE_AT, 1_500.0, -2_900.0, 2_500.0),
    ],
)
def test_an_intent_becomes_watts_against_the_meter_as_in_the_tick(
    kind: IntentKind, power_w: float, sun_w: float, expected_w: float
) -> None:
    lived = record(1, house_w=400.0)
    lived.solar_w[0] = sun_w
    twin = Twin(setup(BATTERY), lived)
    twin.stored_wh["battery"] = 4_000.0
    plan = block("battery", kind, power_w).standing
    assert twin.step(0, plan)["battery"] == pytest.approx(expected_w)


def test_a_battery_never_falls_below_the_owners_reserve() -> None:
    twin = Twin(setup(BATTERY), record(2, sun_w=0.0))
    for index in range(100):
        twin.step(index, block("battery", IntentKind.ZERO_GRID).standing)
    assert twin.stored_wh["battery"] == pytest.approx(0.10 * 8_000)


def test_a_car_draws_nothing_or_at_least_six_amps_and_stops_when_it_is_full() -> None:
    found = replay(setup(CAR), record(3, *EVENING), Control.SELF_CONSUMPTION)
    car = found.power_w["car"]
    assert car.sum() / 4 == pytest.approx(24_000, abs=4)
    assert found.missed_departures == 0
    drawing = car[car > 0]
    assert (drawing[:-1] >= 6 * 230).sum() >= len(drawing) - 2


def test_a_car_that_cannot_be_ready_in_time_is_counted_as_missed() -> None:
    found = replay(setup(CAR), record(2, Visit("car", 10, 14, 30_000.0)), Control.SELF_CONSUMPTION)
    assert found.missed_departures == 1


def test_a_car_never_takes_the_home_above_its_fuse() -> None:
    home = setup(CAR)
    small = replace(home, site=replace(home.site, import_limit_w=3_000.0))
    found = replay(small, record(3, *EVENING, sun_w=0.0), Control.SELF_CONSUMPTION)
    assert found.grid_w.max() <= 3_000.0
    assert found.power_w["car"].max() > 1_380


def test_plain_thermostats_keep_water_and_room_at_the_lower_end_of_their_band() -> None:
    home, lived = setup(TANK, PUMP), record(4)
    lived.draw_w[::8] = 1_000.0
    found = replay(home, lived, Control.NONE)
    assert found.cold_k_h == 0.0
    assert found.power_w["tank"].sum() > 0
    assert found.power_w["pump"].sum() > 0


@pytest.mark.slow
def test_a_battery_saves_and_a_plan_saves_more() -> None:
    home, lived = setup(BATTERY, CAR), record(5, *EVENING)
    micro = {}
    for control in Control:
        found = replay(home, lived, control)
        # What is left in the battery is worth the night's price.
        micro[control] = found.bill(TARIFF).micro - found.stored_wh * 100
    assert micro[Control.SELF_CONSUMPTION] < micro[Control.NONE]
    assert micro[Control.PLAN] < micro[Control.SELF_CONSUMPTION]
    assert micro[Control.FORESIGHT] < micro[Control.SELF_CONSUMPTION]


def test_a_replay_that_is_told_to_stop_stops() -> None:
    with pytest.raises(Stopped):
        replay(setup(BATTERY), record(3), Control.SELF_CONSUMPTION, told=lambda share: share < 0.5)


def test_a_battery_intent_that_changes_is_counted() -> None:
    blocks = tuple(
        Block("battery", kind, START + timedelta(hours=h), START + timedelta(hours=h + 6), 0.0, 0.0, "Told.")
        for h, kind in (
            (0, IntentKind.HOLD),
            (6, IntentKind.ZERO_GRID),
            (12, IntentKind.ZERO_GRID),
            (18, IntentKind.HOLD),
        )
    )
    plan = Standing(Plan(START, "test", "rules", (), blocks, 0, 0, 0.0, 0.0))
    assert run(setup(BATTERY), record(1), plan).switches == 2


# ---- forecasts


@pytest.mark.parametrize("first_hour", [0, 24 * 3])
def test_the_forecast_of_a_replay_is_the_products_own(first_hour: int) -> None:
    """Over the end of summer time, 25 October 2026: both look at the same hours of the clock."""
    dice = np.random.default_rng(4)
    count, start = 30 * DAY, START.replace(month=10)
    lived = Record(
        start, dice.uniform(100, 900, count), -record(30).solar_w * 0 + record(30).solar_w, np.ones(count, dtype=bool),
        np.full(count, 8.0), np.zeros(count),
    )  # fmt: skip
    home = setup().site
    index = count - 4 * DAY + first_hour * 4 // 24 * 24
    now = lived.at(index)
    ours = Forecaster(lived, home, hours=24).at(index)
    house = intervals("house", lived.house_w[:index], start)
    solar = intervals("solar", lived.solar_w[:index], start)
    theirs = forecast_load(house, now, ZONE, hours=24)
    assert np.allclose(ours.load.mean, theirs.mean, rtol=0.02)
    sun = forecast_solar(solar, now, ZONE, home.latitude, home.longitude, hours=24)
    assert np.allclose(ours.solar.mean, sun.mean)


def test_who_knows_the_future_tells_the_record_itself() -> None:
    lived = record(4)
    told = Forecaster(lived, setup().site, hours=24, knows=True).at(30)
    assert told.solar.mean == tuple(lived.solar_w[30 : 30 + 96].tolist())


def test_the_month_so_far_is_counted_as_the_product_counts_it() -> None:
    tariff = replace(TARIFF, demand=(DemandCharge("peak", 4_000_000, mean_of=2),))
    grid = np.random.default_rng(2).uniform(-500, 3_000, 6 * DAY)
    now = START + timedelta(days=5)
    assert to_date(tariff, START, grid, 5 * DAY) == to_date_of_intervals(tariff, intervals(METER, grid), now)
