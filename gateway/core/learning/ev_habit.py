"""When a car comes, when it goes and how much it takes, from the charger's own sessions.

A session is taken for the time the car is plugged in: a car that hangs on the charger without one is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.local_hours import local_hours
from gateway.core.learning.weekly import weekly
from gateway.model.habits import EvDay, EvHabit, Quantiles
from gateway.model.learned import NotLearned
from gateway.model.session import EvSession

Array = NDArray[np.float64]
DAYS = 182
LEAST_STAYS, LEAST_DAYS = 5, 7
PAUSE = timedelta(minutes=30)
"""A session that begins so soon after the last one is the same stay: chargers begin anew after a loss of power."""
SHORT, NOTHING_WH = timedelta(minutes=5), 100.0
"""A try that took neither so long nor so much is no stay."""
HALF_LIFE_DAYS = 42.0
OTHER_TYPE = 0.35
"""Weight of a working day for a weekend and the other way round."""
QUANTILES = (0.1, 0.5, 0.9)
HOURS = 24
METHOD = "quantiles of the stays of the last half year, younger ones counting more"


@dataclass(frozen=True, slots=True)
class Stay:
    """A car at the charger over the half-open [start, end), aware times, and what it took, Wh."""

    start: datetime
    end: datetime
    energy_wh: float


def stays_of(sessions: Sequence[EvSession], now: datetime) -> list[Stay]:
    """Ended sessions of one charger, in order of start, joined where the charger began anew; false starts left out."""
    found: list[Stay] = []
    for session in sorted((s for s in sessions if s.end is not None), key=lambda s: s.start):
        end = session.end or now
        if found and session.start - found[-1].end <= PAUSE:
            last = found[-1]
            found[-1] = Stay(last.start, max(last.end, end), last.energy_wh + session.energy_wh)
        else:
            found.append(Stay(session.start, end, session.energy_wh))
    return [stay for stay in found if stay.end - stay.start >= SHORT or stay.energy_wh >= NOTHING_WH]


def learn_ev(charger: str, sessions: Sequence[EvSession], now: datetime, zone: ZoneInfo) -> EvHabit | NotLearned:
    """The habit at `charger` from its sessions up to local yesterday; why there is none while too few are known."""
    today = now.astimezone(zone).date()
    stays = stays_of(sessions, now)
    first = min((stay.start.astimezone(zone).date() for stay in stays), default=today)
    days = min(DAYS, (today - first).days)
    if len(stays) < LEAST_STAYS or days < LEAST_DAYS:
        return NotLearned(
            f"{len(stays)} of {LEAST_STAYS} stays at the charger on {days} of {LEAST_DAYS} days are known so far."
        )
    grid = local_hours(today, days, zone)
    spans = [(stay.start, stay.end) for stay in stays]
    spans += [(session.start, now) for session in sessions if session.end is None]
    workday, weekend = (_day(stays, kind, today, days, zone) for kind in (False, True))
    plugged = weekly(grid.share(spans), (today - timedelta(days=days)).weekday())
    return EvHabit(charger, plugged, workday, weekend, len(stays), days, METHOD)


def _day(stays: Sequence[Stay], weekend: bool, today: date, days: int, zone: ZoneInfo) -> EvDay:
    starts, ends = (
        [at.astimezone(zone) for at in times] for times in zip(*((s.start, s.end) for s in stays), strict=True)
    )
    came, went = _weights(starts, weekend, today), _weights(ends, weekend, today)
    past = [today - timedelta(days=back) for back in range(1, days + 1)]
    kind = {day for day in past if (day.weekday() >= 5) == weekend}
    with_car = len(kind & {start.date() for start in starts})
    return EvDay(
        arrives=(with_car + 0.5) / (len(kind) + 1),
        arrival_h=clock_spread(_hours(starts), came),
        departure_h=clock_spread(_hours(ends), went),
        energy_wh=spread(np.array([stay.energy_wh for stay in stays]), came),
    )


def _weights(times: Sequence[datetime], weekend: bool, today: date) -> Array:
    return np.array(
        [
            0.5 ** ((today - at.date()).days / HALF_LIFE_DAYS) * (1.0 if (at.weekday() >= 5) == weekend else OTHER_TYPE)
            for at in times
        ]
    )


def _hours(times: Sequence[datetime]) -> Array:
    return np.array([at.hour + at.minute / 60 for at in times])


def spread(values: Array, weights: Array) -> Quantiles:
    """Weighted quantiles with room for one value more, so that a band of few values is as wide as they are."""
    order = np.argsort(values)
    ordered, reached = values[order], np.cumsum(weights[order])
    total, one = float(reached[-1]), float(weights.max())
    low, mid, high = QUANTILES
    ranks = (
        np.searchsorted(reached, low * (total + one), side="right"),
        np.searchsorted(reached, mid * total),
        np.searchsorted(reached, high * (total + one)),
    )
    return Quantiles(*(float(ordered[min(int(rank), len(ordered) - 1)]) for rank in ranks))


def clock_spread(hours: Array, weights: Array) -> Quantiles:
    """The same of hours of the clock, 0-24: the day is cut where the least happens, not at midnight."""
    count = np.bincount((hours.astype(int)) % HOURS, weights, HOURS)
    around = np.sum([np.roll(count, shift) for shift in (-2, -1, 0, 1, 2)], axis=0)
    quiet = np.flatnonzero(around <= around.min() + 1e-9)
    cut = float(_middle(quiet))
    return Quantiles(*((value + cut) % HOURS for value in spread((hours - cut) % HOURS, weights)))


def _middle(quiet: NDArray[np.intp]) -> int:
    """The middle of the longest run of hours round the clock."""
    here = np.isin(np.arange(2 * HOURS) % HOURS, quiet)
    best, length, run = 0, 0, 0
    for hour, inside in enumerate(here.tolist()):
        run = run + 1 if inside else 0
        if length < run <= HOURS:
            best, length = hour - run // 2, run
    return best % HOURS
