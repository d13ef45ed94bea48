"""What runs in a synthetic home, from the people's routine to the heat pump: part of the frozen generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.shapes.sky import Calendar, Floats, Ints


class Use(NamedTuple):
    """One habit: wall-clock hour it begins, hours it lasts, W, chance per day, spread of its hour (None: the set's)."""

    hour: float
    hours: float
    watts: float
    chance: float = 1.0
    spread: float | None = None


class Routine(NamedTuple):
    """A kind of day: what never ends (W), when someone is up and at home (wall-clock hours), habits."""

    standing: float
    awake: tuple[tuple[float, float], ...]
    uses: tuple[Use, ...]


KETTLE = Use(7.0, 0.3, 1100, 0.9)
SUPPER = Use(18.6, 0.9, 1900, 0.95)
ROUTINES = {
    "evening_peak": Routine(
        130, ((6.6, 7.5), (17.5, 23)), (KETTLE, SUPPER, Use(17.8, 5.0, 330), Use(20.0, 1.3, 1100, 0.7, 0.8))
    ),
    "morning_evening": Routine(
        130,
        ((6, 8.5), (17.3, 22.7)),
        (Use(6.7, 1.4, 1500, 0.97), Use(6.3, 2.2, 260), SUPPER, Use(17.6, 4.8, 250), Use(20.0, 1.2, 800, 0.5, 0.8)),
    ),
    "daytime": Routine(
        140,
        ((7, 22.5),),
        (
            Use(8.8, 8.6, 480),
            Use(10.2, 1.5, 900, 0.6, 1.2),
            Use(12.2, 0.8, 1500, 0.9),
            Use(14.7, 1.5, 1000, 0.6, 1.2),
            Use(18.5, 3.5, 130),
            Use(19.0, 0.4, 700, 0.5),
        ),
    ),
    "night": Routine(
        120,
        ((7, 8), (17.5, 23)),
        (
            Use(22.8, 7.0, 900),
            Use(1.5, 1.8, 800, 0.5, 1.0),
            Use(3.5, 1.2, 900, 0.5, 1.0),
            Use(18.5, 4.0, 180),
            Use(19.0, 0.6, 900, 0.7),
            Use(7.0, 0.25, 900, 0.8),
        ),
    ),
    "late": Routine(
        130, ((9.5, 12.5), (23, 24), (0, 3.5)), (Use(10.0, 0.3, 1100, 0.9), Use(23.6, 0.9, 1900), Use(22.8, 5.0, 420))
    ),
    "flat": Routine(
        620,
        ((7, 23),),
        (Use(7.2, 15.2, 170), Use(18.6, 1.0, 700, 0.8), Use(12.3, 0.5, 350, 0.5), Use(7.2, 0.4, 350, 0.7)),
    ),
    "double": Routine(
        130,
        ((6, 9), (11.3, 14.2), (18.2, 22)),
        (
            Use(6.7, 1.3, 1500, 0.97),
            Use(6.4, 2.4, 250),
            Use(11.9, 1.1, 1800, 0.97),
            Use(11.5, 2.5, 250),
            Use(9.6, 1.1, 500, 0.3),
            Use(18.4, 3.2, 130),
        ),
    ),
    "away": Routine(90, (), ()),
}


@dataclass(frozen=True)
class Car:
    """Charging from a day on: wall-clock hour, W at the wall, Wh a session, chance per day, weekdays it works."""

    first: int
    hour: float
    watts: float
    wh: float
    chance: float
    at_night: bool


@dataclass(frozen=True)
class Heat:
    """An electric heat pump from a day on: heat loss in W/K."""

    first: int
    loss: float


@dataclass(frozen=True, eq=False)
class Plan:
    """One home before the dice of its days fall; routine holds a name of ROUTINES per day."""

    routine: NDArray[Any]
    standing: float
    scale: float = 1.0
    habit_h: float = 0.3
    jitter_h: float = 0.6
    day_sigma: float = 0.35
    slot_sigma: float = 0.2
    chores: float = 0.4
    pv_w: float = 0.0
    pv_first: int = 0
    cloudy: float = 1.0
    car: Car | None = None
    heat: Heat | None = None
    cooling: float = 0.0
    boiler: float | None = None
    counter_wh: float = 1.0
    gaps: float = 0.0
    reset: bool = False
    label: str | None = None


def blocks(n: int, begin: Floats, slots: Floats | float, watts: Floats | float) -> Floats:
    """Mean W per slot of rectangles that begin and end anywhere within slots."""
    steps = np.zeros(n + 2)
    for edge, sign in ((begin, 1.0), (begin + slots, -1.0)):
        at = np.clip(edge, 0, n)
        whole = np.floor(at).astype(np.int64)
        np.add.at(steps, whole, sign * watts * (1 - at + whole))
        np.add.at(steps, whole + 1, sign * watts * (at - whole))
    return np.cumsum(steps)[:n]


def _people(dice: Generator, plan: Plan, cal: Calendar, sun: Floats, live: bool) -> Floats:
    """What people switch on: habits, light after dark, short bursts while someone is up; live False: the usual day."""
    n = len(cal.hour)
    total = np.zeros(n)
    awake = np.zeros(n)
    for name, routine in ROUTINES.items():
        days = np.flatnonzero(plan.routine == name)
        for use in routine.uses:
            off, gain = dice.normal(0, plan.habit_h), dice.lognormal(0, plan.habit_h / 2)
            if days.size:
                total += _habit(dice, plan, cal, days, use._replace(hour=use.hour + off, watts=use.watts * gain), live)
        up = np.any([(cal.hour >= a) & (cal.hour < b) for a, b in routine.awake], axis=0) if routine.awake else False
        awake += up & (plan.routine == name)[cal.day]
    light = 110 * awake * (sun < 8)
    if not live:
        return total + light
    bursts = awake * (dice.random(n) < 0.06) * 2000 * dice.uniform(0.04, 0.3, n)
    rough = dice.lognormal(-(plan.slot_sigma**2) / 2, plan.slot_sigma, n)
    light = light * dice.lognormal(0, 0.3, len(cal.dates))[cal.day]
    return np.asarray(total * rough + light + bursts + _chores(dice, plan, awake))


def _chores(dice: Generator, plan: Plan, awake: Floats) -> Floats:
    """Laundry, oven, vacuum cleaner: begun at any hour someone is up, no day like the other."""
    n = awake.size
    chance = plan.chores * (n / 96) / max(float(awake.sum()), 1.0)
    begin = np.flatnonzero((awake > 0) & (dice.random(n) < chance))
    m = begin.size
    return blocks(n, begin.astype(float), dice.uniform(2, 6, m), dice.uniform(500, 1800, m))


def _habit(dice: Generator, plan: Plan, cal: Calendar, days: Ints, use: Use, live: bool) -> Floats:
    n, m = len(cal.hour), days.size
    if not live:
        return blocks(n, cal.slot(days, use.hour), use.hours * 4, use.watts * use.chance)
    spread = plan.jitter_h if use.spread is None else max(use.spread, plan.jitter_h)
    hour = use.hour + spread * dice.uniform(-1, 1, m)
    size = use.watts * dice.lognormal(-(plan.day_sigma**2) / 2, plan.day_sigma, m) * (dice.random(m) < use.chance)
    return blocks(n, cal.slot(days, hour), use.hours * 4 * dice.uniform(0.85, 1.15, m), size)


def _standing(dice: Generator, plan: Plan, cal: Calendar, live: bool) -> Floats:
    """Standby, and refrigerators that cycle about once an hour; a little less while nobody is home."""
    n = len(cal.hour)
    cold = min(50.0, 0.4 * plan.standing)
    base = (plan.standing - cold) * np.where(plan.routine == "away", 0.85, 1.0)[cal.day]
    if not live:
        return base + cold
    turn = np.cumsum(0.25 / dice.uniform(0.8, 1.4) * dice.lognormal(0, 0.2, n))
    return np.asarray(base * dice.normal(1, 0.03, n) + cold * 2.5 * (turn % 1 < 0.4))


def _driven(dice: Generator, plan: Plan, cal: Calendar, live: bool) -> Floats:
    """The car's charging; a timer is punctual, an arrival is not; it does not charge while everybody is away."""
    car, n = plan.car, len(cal.hour)
    if car is None:
        return np.zeros(n)
    days = np.flatnonzero((plan.routine != "away") & (np.arange(len(cal.dates)) >= car.first))
    late = 0.15 if car.at_night else 0.7
    hour = car.hour + late * dice.standard_normal(days.size) * live
    wh = car.wh * (dice.lognormal(-0.045, 0.3, days.size) if live else 1.0) * (dice.random(days.size) < car.chance)
    return blocks(n, cal.slot(days, hour), np.clip(wh / car.watts, 0, 5) * 4, car.watts)


def _heated(plan: Plan, cal: Calendar, air: Floats) -> Floats:
    """A heat pump without setback: (18 degC - air) x loss / COP, the air taken over 12 h as walls do."""
    if plan.heat is None:
        return np.zeros(len(cal.hour))
    slow = np.convolve(np.pad(air, (47, 0), mode="edge"), np.full(48, 1 / 48), "valid")
    cop = np.clip(3.2 + 0.07 * (slow - 7), 1.8, 5)
    need = plan.heat.loss * np.maximum(18 - 0.7 * slow - 0.3 * air, 0) / cop
    present = np.where(plan.routine == "away", 0.55, 1.0)[cal.day]
    return np.asarray(np.minimum(need, 4500) * present * (cal.day >= plan.heat.first))


def _cooled(plan: Plan, cal: Calendar, air: Floats) -> Floats:
    """Air conditioning while someone is up and at home, by degrees above 24 degC."""
    home = np.zeros(len(cal.hour), dtype=bool)
    for name, routine in ROUTINES.items():
        for a, b in routine.awake:
            home |= (plan.routine == name)[cal.day] & (cal.hour >= a) & (cal.hour < b)
    return np.asarray(np.minimum(plan.cooling * np.maximum(air - 24, 0), 3000) * home)


def _boiled(plan: Plan, cal: Calendar) -> Floats:
    """A small hot-water store heated by a 2 kW rod at a fixed hour."""
    if plan.boiler is None:
        return np.zeros(len(cal.hour))
    days = np.flatnonzero(plan.routine != "away")
    return blocks(len(cal.hour), cal.slot(days, plan.boiler), 2.4, 2000)


class Loads(NamedTuple):
    """W per slot of each cause; sun is what PV makes, >= 0."""

    people: Floats
    standing: Floats
    boiler: Floats
    car: Floats
    heat: Floats
    cool: Floats
    sun: Floats


def run(dice: Generator, plan: Plan, cal: Calendar, air: Floats, light: Floats, live: bool) -> Loads:
    """Everything that runs, over degC outside and W/m2 on the level; live False: the usual day without chance."""
    heat = _heated(plan, cal, air)
    return Loads(
        _people(dice, plan, cal, light, live) * plan.scale,
        _standing(dice, plan, cal, live) * plan.scale,
        _boiled(plan, cal),
        _driven(dice, plan, cal, live),
        heat * dice.lognormal(0, 0.12, len(heat)) if live else heat,
        _cooled(plan, cal, air),
        np.minimum(plan.pv_w * light / 1000 * 0.85, 0.9 * plan.pv_w) * (cal.day >= plan.pv_first),
    )
