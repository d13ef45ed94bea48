"""Synthetic homes with a label on every local day, written without sight of any classifier; FROZEN holds the hash.

A day is the local day's net power at the meter, import positive. A class is a shape: its name says nothing of size.
    evening_peak     One hill between 17 and 23 h, 3-5 h wide, at least 2x any other three hours; the morning is a blip.
    morning_evening  Two hills, one within 6-9 h and one within 17-22 h, of 0.5-2x each other; noon under half of both.
    daytime          One broad plateau from about 9 to 17.5 h, 7-9 h wide; evening at most 0.6 of it, night a third.
    night            More than half of the energy between 22 and 7 h, as a plateau of six hours or more (night tariff,
                     late shift).
    flat             Lived in, but a high level that never ends (servers, pumps, heat pump) holds >= 75 % of the energy;
                     swells in waking hours, the highest three of them at 1.2-1.6x the day's mean.
    double           Two equal hills, one within 6-9 h and one within 11.5-14 h (0.6-1.7x each other), 1-2 h wide each;
                     the evening stays below 0.6 of both.
    solar_dip        The sun pulls the mean of 11-15 h below half of the night's standing level, mostly below zero, and
                     makes at least 35 % of what the day uses.
    ev_night         A steep block of 1.5-5 h that begins between 22 and 3 h and towers over an otherwise usual day: the
                     car takes >= 35 % of the day's energy, and more than all else, between 22 and 7 h.
    away             Nobody home: the dead level of standby and refrigerators, three hours stay within 0.8-1.2x the
                     mean; in a home with other days it is less than its usual.
Where causes meet in one day (hard and normal sets) the label follows energy, from the loads that truly ran: solar_dip
is the dip above, unless a car that loads at night moves more than the sun; a car on arrival with >= 35 % of the day
makes evening_peak; >= 75 % of never-ending loads (a heat pump counts) make flat; cooling with >= 45 % moves the hill to
the hours when someone is home (evening_peak, daytime); else the routine of the people counts. So an away day of full
sun is solar_dip, and the first day of a vacation may be ev_night.

    homes(name, seed)   easy    25 homes per class x 90 d, each of one class: hours jitter by +-0.6 h, size log-normal.
                        hard    90 homes x 365 d: weekends, home office, late shifts, mixtures, PV, EV, heat pumps,
                                cooling, vacations, seasons, DST days, gaps, meter resets, new devices from a day on.
                        normal  40 homes x 365 d as hard, but nothing new, no reset: the ground for anomalies.py.
                        size    100 homes x 60 d of one household (morning_evening), over three orders of magnitude.
TUNING seeds may be looked at; TEST seeds are for the judged figures only. Equal arguments give equal homes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.shapes.loads import ROUTINES, Car, Heat, Loads, Plan, run
from benchmarks.shapes.sky import BERLIN, PLACES, SLOT_S, Calendar, Floats, Ints, Place, calendar, sky

TUNING, TEST = (1, 2, 3), (11, 12, 13)
SETS = ("easy", "hard", "normal", "size")
CLASSES = (
    "evening_peak",
    "morning_evening",
    "daytime",
    "night",
    "flat",
    "double",
    "solar_dip",
    "ev_night",
    "away",
)
LABEL_OF = {name: "night" if name == "late" else name for name in ROUTINES}
COOLED = {"morning_evening": "evening_peak", "double": "daytime", "flat": "daytime"}


class Event(NamedTuple):
    """What changed, [start, end) in UTC; end is the series' end if it stays; size in W.

    kind: new_ev (charging power), new_pv (peak power; comes in the warm half of the year), new_heat_pump (mean power at
    0 degC; comes in the cold half), vacation (what the people used on average before), meter_reset (one slot holds
    -size, minus the whole counter as power).
    """

    kind: str
    start: datetime
    end: datetime
    size: float


@dataclass(frozen=True, eq=False)
class Home:
    """Interval data from start on, every 15 minutes of elapsed time, with the truth; arrays run along the same slots.

    watts: net mean power, import positive, nan where nothing was read. bounds: slot at which each local day begins, and
    the end (92, 96 or 100 slots apart). weather: degC outside. irradiance: W/m2 on the level. pv: W made, >= 0.
    """

    id: str
    zone: str
    start: datetime
    watts: Floats
    day_labels: list[str]
    home_label: str
    events: list[Event]
    weather: Floats
    irradiance: Floats
    pv: Floats
    bounds: Ints


def _labels(loads: Loads, plan: Plan, cal: Calendar) -> list[str]:
    """The rule of energy in the docstring of this file, from the loads that ran."""

    def daily(x: Floats) -> Floats:
        return np.asarray(np.add.reduceat(x, cal.bounds[:-1]))

    gross = sum(loads[:-1], np.zeros(len(cal.hour)))
    used, sun = daily(gross), daily(loads.sun)
    dark = (cal.hour >= 22) | (cal.hour < 7)
    car_night, car_late = daily(loads.car * dark), daily(loads.car * ((cal.hour >= 16) & (cal.hour < 22)))
    noon, deep = (cal.hour >= 11) & (cal.hour < 15), cal.hour < 5
    level = daily((loads.standing + loads.heat) * deep) / daily(deep.astype(float))
    dips = (sun >= 0.35 * used) & (daily((gross - loads.sun) * noon) / 16 < 0.5 * level)
    routine = plan.routine
    names = np.array([LABEL_OF[r] for r in routine], dtype=object)
    hot = daily(loads.cool) >= 0.45 * used
    names[hot] = [COOLED.get(r, LABEL_OF[r]) for r in routine[hot]]
    names[(daily(loads.standing + loads.heat) >= 0.75 * used) & (routine != "away")] = "flat"
    names[car_late >= 0.35 * used] = "evening_peak"
    at_night = (car_night >= 0.35 * used) & (car_night > daily((gross - loads.car) * dark))
    names[at_night] = "ev_night"
    names[dips & ~(at_night & (car_night > sun))] = "solar_dip"
    return [str(name) for name in names]


def _metered(dice: Generator, net: Floats, plan: Plan, cal: Calendar) -> tuple[Floats, list[Event]]:
    """As a counter of whole steps of Wh tells it, with gaps and at most one reset in the series."""
    n, events = len(net), []
    steps = np.round(np.cumsum(net / 4) / plan.counter_wh)
    watts = np.diff(steps, prepend=0.0) * plan.counter_wh * 4
    for _ in range(dice.poisson(plan.gaps * n / 96)):
        at = int(dice.integers(n))
        watts[at : at + int(np.clip(dice.lognormal(1.5, 1.5), 1, 288))] = np.nan
    if plan.reset:
        at, size = int(dice.integers(n // 10, n)), float(np.round(dice.uniform(1e6, 4e7)))
        watts[at] = -size
        events.append(Event("meter_reset", _when(cal, at), _when(cal, at + 1), size))
    return watts, events


def _when(cal: Calendar, slot: int) -> datetime:
    return cal.start + timedelta(seconds=SLOT_S * slot)


def _news(plan: Plan, cal: Calendar) -> list[Event]:
    """Vacations of three days or more, and the devices that came while the series ran."""
    n, days = len(cal.hour), len(cal.dates)
    found = [("new_pv", plan.pv_first, plan.pv_w)] if plan.pv_w else []
    found += [("new_ev", plan.car.first, plan.car.watts)] if plan.car else []
    found += [("new_heat_pump", plan.heat.first, plan.heat.loss * 18 / 2.7)] if plan.heat else []
    events = [Event(kind, _when(cal, int(cal.bounds[day])), _when(cal, n), size) for kind, day, size in found if day]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], plan.routine == "away", [0]]).astype(int)))
    for first, end in edges.reshape(-1, 2):
        if 3 <= end - first < days:
            before = str(plan.routine[first - 1 if first else end])
            begin, back = (_when(cal, int(cal.bounds[d])) for d in (first, end))
            events.append(Event("vacation", begin, back, round(_usual_w(before) * plan.scale)))
    return events


def _usual_w(routine: str) -> float:
    return sum(u.hours * u.watts * u.chance for u in ROUTINES[routine].uses) / 24


def _home(name: str, dice: Generator, plan: Plan, cal: Calendar, place: Place, live: bool) -> Home:
    """Days of one home, its loads added up and read by its meter."""
    air, light = sky(dice, cal, place, plan.cloudy)
    loads = run(dice, plan, cal, air, light, live)
    net = sum(loads[:-1], -loads.sun)
    labels = [plan.label] * len(cal.dates) if plan.label else _labels(loads, plan, cal)
    usual = plan.label or Counter(labels).most_common(1)[0][0]
    watts, resets = _metered(dice, net, plan, cal) if live else (net, [])
    events = sorted(_news(plan, cal) + resets, key=lambda e: e.start)
    pv = np.round(loads.sun, 1)
    return Home(name, place.zone, cal.start, watts, labels, usual, events, air.round(1), light.round(), pv, cal.bounds)


def _easy(label: str, dice: Generator, days: int) -> Plan:
    """One class for all days; car and PV grow with the home, so that the shape does not depend on size."""
    routine = {"solar_dip": "morning_evening", "ev_night": "evening_peak"}.get(label, label)
    scale = float(dice.lognormal(0, 0.6))
    car = Car(0, float(dice.uniform(22.6, 25.5)), 3700 * scale, float(dice.uniform(8e3, 13e3)) * scale, 1.0, True)
    return Plan(
        routine=np.full(days, routine, dtype=object),
        standing=ROUTINES[routine].standing * float(dice.lognormal(0, 0.12)),
        scale=scale,
        pv_w=float(dice.uniform(3500, 7000)) * scale if label == "solar_dip" else 0.0,
        cloudy=0.75,
        car=car if label == "ev_night" else None,
        label=label,
    )


def _same(dice: Generator, days: int, scale: float) -> Plan:
    """One household without habits of its own: only size and the days' dice differ; a small one has a fine meter."""
    routine = np.full(days, "morning_evening", dtype=object)
    return Plan(routine, 130, scale, habit_h=0.0, counter_wh=min(1.0, scale), label="morning_evening")


COMMON = ("evening_peak", "morning_evening", "night", "daytime", "double") * 2 + (
    "evening_peak",
    "morning_evening",
    "night",
    "flat",
    "flat",
)
"""The usual routine of every fifteen homes, in turn."""


def _varied(dice: Generator, usual: str, cal: Calendar, place: Place, hard: bool) -> Plan:
    """People, devices by climate, weekends, vacations; hard: something may be new, the meter may reset."""
    new = str(dice.choice(["ev", "pv", "heat", ""], p=[0.25, 0.18, 0.17, 0.4])) if hard else ""
    new = "" if new == "heat" and place.mean_c >= 17 else new
    since = _since(dice, cal, new, place.north > 0)
    pv, car, heat = dice.random(3) < (0.25, 0.35, 0.2 if place.mean_c < 17 else 0.0)
    return Plan(
        routine=_schedule(dice, usual, cal, place.north > 0),
        standing=ROUTINES[usual].standing * float(dice.lognormal(0, 0.2)),
        scale=float(dice.lognormal(0, 0.45)),
        day_sigma=0.3,
        slot_sigma=0.2,
        pv_w=float(dice.integers(25, 90)) * 100 if pv or new == "pv" else 0.0,
        pv_first=since if new == "pv" else 0,
        car=_car(dice, since if new == "ev" else 0) if car or new == "ev" else None,
        heat=Heat(since if new == "heat" else 0, float(dice.uniform(80, 220))) if heat or new == "heat" else None,
        cooling=float(dice.uniform(80, 250)) if place.mean_c > 12 and dice.random() < 0.6 else 0.0,
        boiler=float(dice.uniform(22.5, 26)) if dice.random() < 0.2 else None,
        counter_wh=float(dice.choice([1.0, 1.0, 10.0])),
        gaps=0.03,
        reset=hard and bool(dice.random() < 0.4),
    )


def _since(dice: Generator, cal: Calendar, new: str, north: bool) -> int:
    """A day with 60 before and 45 after it, in the half of the year in which heat or sun shows at the meter."""
    winter = np.array([(d.month in (10, 11, 12, 1, 2, 3)) == north for d in cal.dates])
    fits = {"heat": winter, "pv": ~winter}.get(new, np.ones_like(winter))
    return int(dice.choice(np.flatnonzero(fits[60:-45]) + 60))


def _car(dice: Generator, first: int) -> Car:
    night = bool(dice.random() < 0.7)
    hour = dice.uniform(22.5, 26.5) if night else dice.uniform(17, 19)
    watts = float(dice.choice([2300, 3700, 7400, 11000], p=[0.15, 0.35, 0.35, 0.15]))
    return Car(first, float(hour), watts, float(dice.uniform(7e3, 18e3)), float(dice.uniform(0.35, 0.95)), night)


MIXED = ("evening_peak", "morning_evening", "daytime", "double")


def _schedule(dice: Generator, usual: str, cal: Calendar, north: bool) -> NDArray[Any]:
    """A routine per day: weekends, holidays, home office, late shift every third week, mixtures, and away."""
    days = np.arange(len(cal.dates))
    week = np.array([d.weekday() for d in cal.dates])
    feast = np.array([(d.month, d.day) in ((1, 1), (5, 1), (12, 25), (12, 26)) for d in cal.dates])
    free = (week >= 5) | feast
    routine = np.full(days.size, usual, dtype=object)
    works = usual in ("evening_peak", "morning_evening")
    kind = dice.choice(["steady", "office", "late", "mixed"], p=[0.45, 0.25, 0.1, 0.2] if works else [0.8, 0, 0, 0.2])
    if kind == "office":
        routine[np.isin(week, dice.choice(5, int(dice.integers(1, 4)), replace=False))] = "daytime"
    if kind == "late":
        routine[(days + int(dice.integers(21))) // 7 % 3 == 0] = "late"
    if kind == "mixed":
        other = str(dice.choice([c for c in MIXED if c != usual]))
        routine[dice.random(days.size) < dice.uniform(0.15, 0.45)] = other
    if usual not in ("night", "flat"):
        routine[free] = str(dice.choice([usual, "daytime", "double", "evening_peak"], p=[0.45, 0.3, 0.15, 0.1]))
    routine[_away(dice, cal, week, north)] = "away"
    return routine


def _away(dice: Generator, cal: Calendar, week: Ints, north: bool) -> NDArray[np.bool_]:
    """A long vacation in summer, often one at new year or in between, some weekends; never the first two weeks."""
    days, gone = len(cal.dates), np.zeros(len(cal.dates), dtype=bool)
    summer = [i for i, d in enumerate(cal.dates) if d.month in ((7, 8) if north else (1, 2))]
    begins = [(int(dice.choice(summer)), int(dice.integers(7, 17)))] if dice.random() < 0.85 else []
    begins += [(int(dice.integers(days)), int(dice.integers(3, 10))) for _ in range(dice.integers(0, 3))]
    begins += [(int(d), 2) for d in np.flatnonzero((week == 5) & (dice.random(days) < 0.06))]
    for first, length in begins:
        gone[first : first + length] = True
    gone[:14] = False
    return gone


def homes(set_name: str, seed: int, *, live: bool = True) -> Iterator[Home]:
    """The homes of a set, one by one; live False: usual hours and a perfect meter, to look at definitions."""
    key = SETS.index(set_name)
    for k in range({"easy": 225, "hard": 90, "normal": 40, "size": 100}[set_name]):
        dice = np.random.default_rng([key, seed, k])
        yield _one(set_name, dice, k, f"{set_name}-{seed}-{k:03d}", live)


def _one(set_name: str, dice: Generator, k: int, name: str, live: bool) -> Home:
    if set_name in ("hard", "normal"):
        place = PLACES[int(dice.integers(len(PLACES)))]
        cal = calendar(place.zone, date(2023, int(dice.integers(1, 13)), 1), 365)
        return _home(name, dice, _varied(dice, COMMON[k % 15], cal, place, set_name == "hard"), cal, place, live)
    days = 90 if set_name == "easy" else 60
    cal = calendar(BERLIN.zone, date(2024, 5, 15), days)
    plan = (
        _easy(CLASSES[k % 9], dice, days)
        if set_name == "easy"
        else _same(dice, days, float(10 ** dice.uniform(-1.5, 1.5)))
    )
    return _home(name, dice, plan, cal, BERLIN, live)
