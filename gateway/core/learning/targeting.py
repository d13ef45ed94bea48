"""What a home is good for in demand response, from its days: flexible power by hour, and a score for each kind of program.

    score = 100 x chance of joining x size x (0.7 + 0.15 x use + 0.15 x steadiness), for pre-conditioning x heat held, too
    size     the middle between mean and low end of the 80 % interval of the power that could be moved in the program's
             hours, against a power that counts as full marks; no device, no score
    use      the home's usual share of a day in those hours against that of an even day (for soaking: the less, the better)

With fewer than 9 days known there is no interval and no score: the program is not known yet.

Interpretation: the weights are stated, not learned: no home has a record of programs to learn them from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from gateway.core.learning.flexible import LEAST_DAYS, DeviceDays, Movable, amount, less_over, more_over, movable
from gateway.core.learning.joining import Answer, joining
from gateway.model.learned import DayShape
from gateway.model.site import Role
from gateway.model.targeting import (
    Amount,
    Habit,
    HourFlex,
    Joining,
    ProgramKind,
    Suitability,
    Targeting,
    TemperatureResponse,
)

HABIT_DAYS = 28
UNKNOWN = "unknown"
EVENING, CARS, MIDDAY = range(17, 21), range(16, 22), range(10, 15)
FULL_MARKS_W = {
    ProgramKind.EVENING_SHED: 2000.0,
    ProgramKind.EV_SHIFT: 2000.0,
    ProgramKind.PRE_CONDITION: 1000.0,
    ProgramKind.MIDDAY_SOAK: 2000.0,
}
HOURS_OF = {
    ProgramKind.EVENING_SHED: EVENING,
    ProgramKind.EV_SHIFT: CARS,
    ProgramKind.PRE_CONDITION: EVENING,
    ProgramKind.MIDDAY_SOAK: MIDDAY,
}
NOT_KNOWN = "unknown"
"""The label of a program that has no score yet."""
LABELS = ((60, "high"), (30, "medium"), (1, "low"), (0, "none"))
UNHELD = 0.5
"""What a home whose heat is not learned is taken to hold."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetingInput:
    """What it is made from. `grid_w` days x 24 as the devices' arrays, import positive; `offered` (less, more) W by hour.

    `time_constant_h` of the room with the heat pump, `gap_k` how much warmer it is inside; None where not known.
    `names` is the number of classes that a day may have. `excluded`: device id -> why it is not counted.
    """

    devices: Sequence[DeviceDays]
    grid_w: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    shapes: Sequence[DayShape] = ()
    names: int = 9
    answers: Sequence[Answer] = ()
    response: TemperatureResponse | None = None
    time_constant_h: float | None = None
    gap_k: float | None = None
    offered: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)


def target(given: TargetingInput, now: datetime) -> Targeting:
    """Flexible power by local hour, suitability by program and the chance of joining, as of `now`."""
    wanted = [device for device in given.devices if device.device not in given.excluded]
    counted = [device for device in wanted if device.measured]
    waiting = {device.device: f"{device.name} has not been measured yet." for device in wanted if not device.measured}
    whole = movable(counted, given.grid_w)
    chance, habit = joining(given.answers, now), habit_of(given.shapes, given.names)
    programs = tuple(_suitability(kind, given, wanted, whole, chance, habit) for kind in ProgramKind)
    names = tuple(device.device for device in counted)
    hours = _hours(given, whole, known=bool(counted) or not waiting)
    return Targeting(now, hours, programs, chance, habit, given.response, names, {**given.excluded, **waiting})


def habit_of(shapes: Sequence[DayShape], names: int) -> Habit | None:
    """The class of the last 28 classed days and how they vary; None with none."""
    classed = [shape.shape for shape in shapes if shape.shape != UNKNOWN][-HABIT_DAYS:]
    if not classed:
        return None
    counts = Counter(classed)
    name, count = counts.most_common(1)[0]
    shares = [n / len(classed) for n in counts.values()]
    entropy = sum(-share * math.log2(share) for share in shares)
    most = math.log2(max(2, names, len(counts)))
    return Habit(name, count / len(classed), entropy, 1 - entropy / most, len(classed))


def _hours(given: TargetingInput, whole: Movable, known: bool) -> tuple[HourFlex, ...]:
    """`known`: some device is measured, or there is none that could be: a sum over none is then truly 0."""
    return tuple(
        HourFlex(
            hour,
            amount(whole.less_w[:, hour], whole.rated_w) if known else None,
            amount(whole.more_w[:, hour], whole.rated_w) if known else None,
            *given.offered.get(hour, (None, None)),
        )
        for hour in range(24)
    )


def _suitability(
    kind: ProgramKind,
    given: TargetingInput,
    wanted: Sequence[DeviceDays],
    whole: Movable,
    chance: Joining,
    habit: Habit | None,
) -> Suitability:
    suited = _devices(kind, wanted)
    if not suited:
        return Suitability(kind, 0, "none", Amount(0.0, 0.0, 0.0, 0), (_missing(kind, given),))
    able = [device for device in suited if device.measured]
    found = _amount(kind, able, whole) if able else None
    if found is None or found.days < LEAST_DAYS:
        return Suitability(kind, None, NOT_KNOWN, found, (_unknown_words(kind, able, suited, found),))
    size = min(1.0, (found.mean_w + found.low_w) / 2 / FULL_MARKS_W[kind])
    use, steady = _use(kind, given.shapes), habit.steady if habit else 0.0
    held, heat_words = _heat(kind, given)
    score = round(100 * chance.probability * size * (0.7 + 0.15 * use + 0.15 * steady) * held)
    reasons = [_amount_words(kind, found), *heat_words, *_habit_words(habit), _chance_words(chance)]
    label = next(name for least, name in LABELS if score >= least)
    return Suitability(kind, score, label, found, tuple(reasons))


def _devices(kind: ProgramKind, counted: Sequence[DeviceDays]) -> list[DeviceDays]:
    if kind is ProgramKind.EV_SHIFT:
        return [device for device in counted if device.role is Role.EV_CHARGER]
    if kind is ProgramKind.PRE_CONDITION:
        return [device for device in counted if device.role is Role.HEAT_PUMP]
    return list(counted)


def _amount(kind: ProgramKind, able: Sequence[DeviceDays], whole: Movable) -> Amount | None:
    """The mean power over the program's hours of a day that the devices it is about could move."""
    parts = [whole.parts[device.device] for device in able]
    mean_over = more_over if kind is ProgramKind.MIDDAY_SOAK else less_over
    return amount(mean_over(parts, HOURS_OF[kind]), sum(device.rated_w for device in able))


def _use(kind: ProgramKind, shapes: Sequence[DayShape]) -> float:
    """0-1: how much of the home's usual day falls into the program's hours; for soaking, how little."""
    profiles = [shape.profile for shape in shapes if len(shape.profile) == 24][-HABIT_DAYS:]
    if not profiles:
        return 0.0
    hours = HOURS_OF[kind]
    ratio = float(np.mean(profiles, axis=0)[list(hours)].sum()) / (len(hours) / 24)
    return max(0.0, 1 - ratio / 2) if kind is ProgramKind.MIDDAY_SOAK else min(1.0, ratio / 2)


def _heat(kind: ProgramKind, given: TargetingInput) -> tuple[float, list[str]]:
    """0-1: how much of a two-hour rest costs less than 1 K of warmth, and the words for it."""
    if kind is not ProgramKind.PRE_CONDITION:
        return 1.0, []
    words = _response_words(given.response)
    if given.time_constant_h is None or given.gap_k is None:
        return UNHELD, [*words, "How long the rooms hold their heat is not learned yet: taken as half."]
    hours = given.time_constant_h / max(1.0, abs(given.gap_k))
    return min(1.0, hours / 2), [*words, f"Unheated, the rooms lose 1 K in about {hours:.1f} h."]


def _response_words(response: TemperatureResponse | None) -> list[str]:
    if response is None:
        return []
    found = []
    if response.heating_wh_per_k is not None and response.heating_low is not None and response.heating_high is not None:
        found.append(
            f"Below {response.heat_below_c:.0f} °C each degree takes {response.heating_wh_per_k / 1000:.1f} kWh more a day "
            f"({response.heating_low / 1000:.1f} to {response.heating_high / 1000:.1f})."
        )
    if response.cooling_wh_per_k is not None and response.cooling_low is not None and response.cooling_high is not None:
        found.append(
            f"Above {response.cool_above_c:.0f} °C each degree takes {response.cooling_wh_per_k / 1000:.1f} kWh more a day "
            f"({response.cooling_low / 1000:.1f} to {response.cooling_high / 1000:.1f})."
        )
    return found or ["The days' energy does not follow the weather."]


def _amount_words(kind: ProgramKind, found: Amount) -> str:
    return (
        f"On {found.days} days {found.mean_w / 1000:.1f} kW on average {_could(kind)}; "
        f"8 days in 10 lie between {found.low_w / 1000:.1f} and {found.high_w / 1000:.1f} kW."
    )


def _unknown_words(
    kind: ProgramKind, able: Sequence[DeviceDays], suited: Sequence[DeviceDays], found: Amount | None
) -> str:
    if not able:
        return "Not known yet: " + " ".join(f"{device.name} has not been measured yet." for device in suited)
    if found is None:
        return f"Not known yet: what {_could(kind)} has not been measured yet."
    return f"Not known yet: measured on {found.days} day{'s' * (found.days != 1)}, {LEAST_DAYS} are needed."


def _could(kind: ProgramKind) -> str:
    what, hours = "could be drawn more" if kind is ProgramKind.MIDDAY_SOAK else "could wait", HOURS_OF[kind]
    return f"{what} between {hours[0]} and {hours[-1] + 1} h"


def _habit_words(habit: Habit | None) -> list[str]:
    if habit is None:
        return ["No day is classed yet."]
    alike = "alike" if habit.steady >= 0.7 else "fairly alike" if habit.steady >= 0.4 else "very different"
    return [f"Its days are {alike}: {100 * habit.share:.0f} % are of the kind '{habit.name}'."]


def _chance_words(chance: Joining) -> str:
    return f"It takes part in {100 * chance.probability:.0f} % of events ({100 * chance.low:.0f} to {100 * chance.high:.0f} %)."


def _missing(kind: ProgramKind, given: TargetingInput) -> str:
    wanted = {ProgramKind.EV_SHIFT: Role.EV_CHARGER, ProgramKind.PRE_CONDITION: Role.HEAT_PUMP}.get(kind)
    excluded = [d.device for d in given.devices if d.device in given.excluded and wanted in (None, d.role)]
    if excluded:
        return f"Nothing counts now: {given.excluded[excluded[0]]}"
    what = {Role.EV_CHARGER: "charger", Role.HEAT_PUMP: "heat pump"}.get(wanted, "device") if wanted else "device"
    return f"This home has no {what} that Hearth may steer and has measured."
