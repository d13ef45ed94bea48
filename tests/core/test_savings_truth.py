"""The baseline told from measurements alone, against a home that was really run that way: an oracle of its own.

One world has a house, sun, a car, a tank that people draw from, and a battery. It is run twice: once by some control
(anything: also a bad one), once as the stated baseline. The savings see only what meters saw of the first.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
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
    compare,
    stored_from,
)
from gateway.model.site import BatterySpec
from gateway.model.tariff import Rate, Tariff

FIRST = datetime(2026, 11, 9, 23, tzinfo=UTC).timestamp()
DAYS, H = 12, 0.25
SPEC = BatterySpec(8_000, 3_000, 3_000, 0.94, 0.96)
FLOOR_WH, FULL_WH = 800.0, 8_000.0
MASS, LOSS, TANK_W, LOW_C = 232.6, 1.8, 2_000.0, 46.0
CAR_W, NEED_WH = 7_400.0, 18_000.0
TARIFF = Tariff("night", "Night", "EUR", ZoneInfo("Europe/Brussels"), (
    Rate("night", 210_000, 40_000, start=time(22), end=time(7)), Rate("day", 380_000, 60_000),
))  # fmt: skip


@dataclass
class World:
    """What nobody controls: house and sun in W, water drawn in W of heat, by quarter hour."""

    house: np.ndarray
    sun: np.ndarray
    drawn: np.ndarray
    arrives: list[int]


@dataclass
class Run:
    """What meters saw: Wh a quarter hour, and the states at the quarters' edges."""

    net: list[float] = field(default_factory=list)
    battery: list[float] = field(default_factory=list)
    car: list[float] = field(default_factory=list)
    tank: list[float] = field(default_factory=list)
    level: list[float] = field(default_factory=lambda: [3_000.0])
    water: list[float] = field(default_factory=lambda: [50.0])


def world(seed: int) -> World:
    dice = np.random.default_rng(seed)
    hour = np.arange(DAYS * 96) % 96 / 4
    house = 250 + dice.gamma(2, 120, DAYS * 96) + 900 * ((hour >= 17.5) & (hour < 21))
    bright = np.repeat(dice.uniform(0.05, 1, DAYS), 96)
    sun = 4_500 * bright * np.maximum(0, 1 - ((hour - 12.5) / 4) ** 2)
    bath = dice.uniform(0.5, 1.5, DAYS * 96) * 1_200 * (((hour >= 6.5) & (hour < 7.5)) | ((hour >= 19) & (hour < 21)))
    return World(house, sun, bath, [96 * day + 70 + int(dice.integers(0, 8)) for day in range(DAYS - 1)])


def warmed(water: float, electric_w: float, drawn_w: float) -> float:
    """The tank after a quarter hour, solved exactly: it loses to a cellar of 20 degC."""
    keep = math.exp(-LOSS * H / MASS)
    return keep * water + (1 - keep) * (20 + (electric_w - drawn_w) / LOSS)


def baseline_tank_w(water: float, drawn_w: float) -> float:
    keep = math.exp(-LOSS * H / MASS)
    return min(max(0.0, ((LOW_C - keep * water) / (1 - keep) - 20) * LOSS + drawn_w), TANK_W)


def flow(level: float, watts: float) -> tuple[float, float]:
    """What the battery does of a wish within its bounds, W, and its level after."""
    if watts >= 0:
        watts = min(watts, SPEC.max_charge_w, (FULL_WH - level) / H / SPEC.charge_efficiency)
        return watts, level + watts * H * SPEC.charge_efficiency
    watts = -min(-watts, SPEC.max_discharge_w, max(0.0, level - FLOOR_WH) / H * SPEC.discharge_efficiency)
    return watts, level + watts * H / SPEC.discharge_efficiency


def run(of: World, dice: random.Random | None) -> Run:
    """By some control, or without dice as the stated baseline."""
    seen, wish = Run(), 0.0
    starts = {begin: begin if dice is None else begin + dice.randrange(0, 34) for begin in of.arrives}
    charging = dict.fromkeys(starts.values(), 0.0)
    for i in range(DAYS * 96):
        car_w = 0.0
        for start, had in charging.items():
            if i >= start and had < NEED_WH - 1e-9:
                car_w = min(CAR_W, (NEED_WH - had) / H)
                charging[start] = had + car_w * H
        water, drawn = seen.water[-1], float(of.drawn[i])
        tank_w = baseline_tank_w(water, drawn)
        if dice is not None:
            hour = i % 96 / 4
            tank_w = TANK_W if (2 <= hour < 6 and water < 62) or water < LOW_C + 1 else 0.0
        others = float(of.house[i] - of.sun[i]) + car_w + tank_w
        if dice is not None and i % 8 == 0:
            wish = dice.choice([0.0, 2_500.0, math.nan, math.nan, -1_000.0])
        own = dice is None or math.isnan(wish)
        battery_w, level = flow(seen.level[-1], -others if own else wish)
        seen.net.append((others + battery_w) * H)
        seen.battery.append(battery_w * H)
        seen.car.append(car_w * H)
        seen.tank.append(tank_w * H)
        seen.level.append(level)
        seen.water.append(warmed(water, tank_w, drawn))
    return seen


def measured(of: World, seen: Run, day: int, price: float) -> MeasuredDay:
    """What the savings get to see of one day."""
    span = slice(96 * day, 96 * day + 96)
    start = FIRST + 900.0 * np.arange(96 * day, 96 * day + 96)
    net = np.array(seen.net[span])
    total = np.concatenate(([0.0], np.cumsum(seen.car)))
    sessions = []
    for begin in of.arrives:
        end = begin + 54
        if end <= 96 * day or begin >= 96 * day + 96:
            continue
        first, last, done = (total[min(max(at, begin), end)] for at in (96 * day, 96 * day + 96, end))
        sessions.append(ChargedSession(FIRST + 900.0 * begin, FIRST + 900.0 * end, done - first, done - last, CAR_W))
    battery = MeasuredBattery(
        "battery", SPEC, FLOOR_WH, np.array(seen.battery[span]), seen.level[96 * day], seen.level[96 * day + 96]
    )
    tank = MeasuredHeat(
        "tank", np.array(seen.tank[span]), np.array(seen.water[96 * day : 96 * day + 97]), np.full(96, LOW_C), TANK_W,
        MASS, LOSS,
    )  # fmt: skip
    car = MeasuredCar("car", np.array(seen.car[span]), tuple(sessions))
    return MeasuredDay(
        start, np.maximum(net, 0), np.maximum(-net, 0), (car,), (tank,), (battery,), math.inf, price, price
    )


def cost(net: list[float]) -> float:
    """The bill of a run by hand, micro-units: two prices by the local hour, Brussels in November is UTC+1."""
    whole = 0.0
    for index, wh in enumerate(net):
        hour = index % 96 / 4
        night = hour < 7 or hour >= 22
        taken, given = (210_000, 40_000) if night else (380_000, 60_000)
        whole += max(wh, 0) / 1000 * taken - max(-wh, 0) / 1000 * given
    return whole


@pytest.mark.parametrize("seed", range(8))
def test_the_sum_of_the_days_is_what_a_home_run_as_the_baseline_would_really_have_cost(seed: int) -> None:
    of, price = world(seed), 0.3
    real, without = run(of, random.Random(seed)), run(of, None)
    more: dict[str, float] = {}
    found = []
    for day in range(DAYS):
        each = compare(stored_from(measured(of, real, day, price), more), TARIFF)
        more = dict(each.baseline.more_after.wh)
        found.append(each)
    assert sum(each.cost_micro for each in found) == pytest.approx(cost(real.net), rel=1e-4)
    told = sum(each.baseline_micro for each in found)
    assert told == pytest.approx(cost(without.net), rel=0.001), "a thousandth of the true bill"
    assert more["battery"] == pytest.approx((real.level[-1] - without.level[-1]) * 0.96, abs=20)
    assert more["tank"] == pytest.approx((real.water[-1] - without.water[-1]) * MASS, abs=20)
    truth = cost(without.net) - cost(real.net) + price * sum(more.values())
    assert sum(each.saved_micro for each in found) == pytest.approx(truth, abs=0.001 * cost(without.net))
    assert truth != pytest.approx(0, abs=100_000), "a control that matters"
