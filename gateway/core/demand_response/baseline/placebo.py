"""Each method tried on days without an event, where the truth is known: the home's own, and an interval of its misses.

    day -30 ... -1 (same type, no event)     | event
    method(data before the day) - meter = miss, scaled by the size of what was expected
                                             | interval = expected + the 10 % and 90 % misses, scaled back

The interval is conformal: with n misses the k-th smallest and largest are its ends, k = floor(0.1 (n + 1)), so that it
holds in 80 % or a little more of the days that are like those tried, whatever the misses look like.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from gateway.core.demand_response.baseline.history import History
from gateway.core.demand_response.baseline.methods import AUTO, DEFAULT, METHODS
from gateway.core.demand_response.baseline.rows import Baseline

LOOK_BACK_DAYS = 60
MOST = 30
LEAST = 3
"""No interval is stated of fewer days."""
ENOUGH = 10
"""No method but the default is chosen of fewer days."""
MARGIN = 0.15
"""So much better, as a share of its error, must another method be than the one in use."""
HISTORY_DAYS = LOOK_BACK_DAYS + 45
"""What a placebo of the first day still wants to look back on."""
OUTSIDE = 0.1


@dataclass(frozen=True, slots=True)
class Placebo:
    """One day without an event at the event's hours: what the method expected and what the meter counted, Wh."""

    day: date
    expected_wh: float
    actual_wh: float


@dataclass(frozen=True, slots=True)
class Score:
    """How a method did on the home's own days; `rms_wh` is its root mean square error of the whole event, Wh."""

    placebos: tuple[Placebo, ...]

    @property
    def rms_wh(self) -> float:
        """Root mean square error, Wh; infinite without a day."""
        squares = [(p.actual_wh - p.expected_wh) ** 2 for p in self.placebos]
        return math.sqrt(sum(squares) / len(squares)) if squares else math.inf

    @property
    def percent(self) -> float | None:
        """`rms_wh` as a percentage of the mean (absolute) energy; None without any."""
        energy = sum(abs(p.actual_wh) for p in self.placebos)
        return 100 * self.rms_wh * len(self.placebos) / energy if energy > 0 else None


def placebos(history: History, start: datetime, end: datetime, method: str, most: int = MOST) -> Score:
    """A method tried on the days of the same type before [start, end), newest first; a day uses nothing after it."""
    window, clock = history.window(start, end), start.astimezone(history.tz)
    found: list[Placebo] = []
    for day in history.days_before(window, LOOK_BACK_DAYS):
        actual = history.total(day, window)
        if actual is None:
            continue
        began = datetime.combine(day, time(clock.hour, clock.minute, clock.second), history.tz)
        expected = METHODS[method](history, began.astimezone(start.tzinfo), _end(began, start, end)).energy_wh
        if expected is not None:
            found.append(Placebo(day, expected, actual))
        if len(found) == most:
            break
    return Score(tuple(found))


def choose(scores: Mapping[str, Score], current: str = DEFAULT) -> str:
    """The method to use: the one in use unless another was better by a margin on enough of the same days."""
    if current not in scores or len(scores[current].placebos) < ENOUGH:
        current = DEFAULT
    own = scores[current]
    best, least = current, 1 - MARGIN
    for name, score in scores.items():
        if name == current or len(score.placebos) < ENOUGH:
            continue
        theirs, mine = _common(score, own)
        ratio = theirs.rms_wh / mine.rms_wh if len(mine.placebos) >= ENOUGH and mine.rms_wh > 0 else 1.0
        if ratio < least:
            best, least = name, ratio
    return best


def assessed(
    history: History, start: datetime, end: datetime, *, method: str = AUTO, current: str = DEFAULT
) -> Baseline:
    """The baseline of [start, end) by the named method, or by the one that fits this home ("auto"), with its error.

    `current` is what was chosen last. Falls back to 10-in-10 where the method finds nothing to go by.
    """
    tried = {}
    if method == AUTO:
        tried = {name: placebos(history, start, end, name) for name in METHODS}
        method = choose(tried, current)
    found = METHODS[method](history, start, end)
    if not found.rows:
        method, found = DEFAULT, METHODS[DEFAULT](history, start, end)
    if not found.rows:
        return found
    return with_error(found, tried.get(method) or placebos(history, start, end, method))


def with_error(found: Baseline, score: Score) -> Baseline:
    """The baseline with the interval and the error that its method showed on days without an event."""
    ends = interval(score.placebos, found.energy_wh or 0.0)
    if ends is None:
        return replace(found, placebos=len(score.placebos))
    low, high = ends
    return replace(found, low_wh=low, high_wh=high, error_percent=score.percent, placebos=len(score.placebos))


def interval(tried: Sequence[Placebo], expected_wh: float) -> tuple[float, float] | None:
    """The 80 % interval of the truth where `expected_wh` is expected, Wh; None with fewer than three days."""
    if len(tried) < LEAST:
        return None
    usual = sum(abs(p.expected_wh) for p in tried) / len(tried)
    misses = sorted((p.actual_wh - p.expected_wh) / _size(p.expected_wh, usual) for p in tried)
    rank = max(1, math.floor(OUTSIDE * (len(misses) + 1)))
    size = _size(expected_wh, usual)
    return expected_wh + size * misses[rank - 1], expected_wh + size * misses[-rank]


def _size(expected_wh: float, usual_wh: float) -> float:
    """What a miss grows with: misses of a home grow with its use, but less than in proportion."""
    return math.sqrt(max(abs(expected_wh), 0.25 * usual_wh, 1.0))


def _common(one: Score, other: Score) -> tuple[Score, Score]:
    days = {p.day for p in one.placebos} & {p.day for p in other.placebos}
    first, second = (Score(tuple(p for p in score.placebos if p.day in days)) for score in (one, other))
    return first, second


def _end(began: datetime, start: datetime, end: datetime) -> datetime:
    return began.astimezone(start.tzinfo) + timedelta(seconds=(end - start).total_seconds())
