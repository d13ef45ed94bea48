"""A session's energy curve and its register's runs: each run only rises, a reset begins another."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from adapters.ocpp.rise import follows
from gateway.model.reading import INTERVAL_S
from gateway.model.session import EvSession, RegisterRun

POINTS = 3000
RUNS = 100
"""A register that is reset more often has its oldest runs joined."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A register value that does not follow the last one and was not taken on."""

    register_wh: float
    at: datetime


def marked(curve: tuple[tuple[int, float], ...], at: datetime, energy_wh: float) -> tuple[tuple[int, float], ...]:
    """The curve with one more point; of each quarter hour the first, the last and where its plateau began stay."""
    point = (int(at.timestamp()), energy_wh)
    quarter = point[0] // INTERVAL_S * INTERVAL_S
    low, high = bisect_left(curve, (quarter, -1.0)), bisect_left(curve, (quarter + INTERVAL_S, -1.0))
    inside = sorted({*curve[low:high], point})
    if len(inside) > 2:
        level = next(point for point in inside if point[1] == inside[-1][1])
        inside = sorted({inside[0], level, inside[-1]})
    if len(curve) >= POINTS:  # weeks on the plug: the oldest half is kept at every second point
        half = POINTS // 2
        return (*curve[: min(half, low) : 2], *curve[min(half, low) : low], *inside, *curve[high:])
    return (*curve[:low], *inside, *curve[high:])


def seconds(value: int) -> datetime:
    """The instant of a point of a curve."""
    return datetime.fromtimestamp(value, UTC)


def still_since(session: EvSession) -> datetime:
    """Since when the register of an open session shows what it showed last; its start where it never rose."""
    if session.meter_at is None or not session.curve:
        return session.meter_at or session.start
    level = session.curve[-1][1]
    since = next(
        (after[0] for before, after in pairwise_back(session.curve) if before[1] != level), session.curve[0][0]
    )
    run = session.earlier[-1].until if session.earlier else session.start
    return min(session.meter_at, max(run, seconds(since)))


def pairwise_back(curve: tuple[tuple[int, float], ...]) -> Iterator[tuple[tuple[int, float], tuple[int, float]]]:
    """Each point of a curve with the one after it, the latest first."""
    return ((before, after) for after, before in pairwise(reversed(curve)))


def pace_of(session: EvSession) -> float | None:
    """What the session drew lately, Wh a second; None where its curve does not tell, as over a reset."""
    resets = [run.until.timestamp() for run in session.earlier]
    for (since, from_wh), (until, to_wh) in pairwise_back(session.curve):
        if until > since and not any(since <= reset < until for reset in resets):
            return (to_wh - from_wh) / (until - since)
    return None


def advanced(session: EvSession, register_wh: float, at: datetime) -> EvSession:
    """The register rose, or stood still: a plateau is two points, however long it lasts."""
    last_wh = max(session.meter_last_wh, register_wh)
    begin = session.curve or ((int(session.start.timestamp()), 0.0),)
    risen = replace(session, meter_last_wh=last_wh, meter_at=at)
    energy_wh = risen.earlier_wh + max(0.0, last_wh - session.meter_start_wh)
    if len(begin) > 1 and begin[-1][1] == begin[-2][1] == energy_wh and begin[-1][0] <= at.timestamp():
        begin = begin[:-1]
    return replace(risen, curve=marked(begin, at, energy_wh))


def new_run(session: EvSession, doubt: Odd, register_wh: float, at: datetime) -> EvSession:
    """The register went elsewhere and goes on from there: what it had counted is kept.

    Where the pace of the new run, or that of before (the car may be full by now), explains all of its first value, it
    began at 0 in between, and that counts too.
    """
    held_at = session.meter_at or session.start
    pace_wh_s = (register_wh - doubt.register_wh) / max(1.0, (at - doubt.at).total_seconds())
    pace_wh_s = max(pace_wh_s, pace_of(session) or 0.0)
    between_s = max(0.0, (doubt.at - held_at).total_seconds())
    from_zero = doubt.register_wh < session.meter_last_wh and doubt.register_wh <= 1.5 * pace_wh_s * between_s + 1.0
    since = session.earlier[-1].until if session.earlier else session.start
    run = RegisterRun(session.meter_start_wh, session.meter_last_wh, since, held_at)
    first_wh = 0.0 if from_zero else doubt.register_wh
    return replace(
        session, earlier=_joined((*session.earlier, run)), meter_start_wh=first_wh, meter_last_wh=doubt.register_wh, meter_at=doubt.at
    )  # fmt: skip


def _joined(runs: tuple[RegisterRun, ...]) -> tuple[RegisterRun, ...]:
    if len(runs) <= RUNS:
        return runs
    old, next_one = runs[:2]
    last_wh = old.last_wh + next_one.last_wh - next_one.first_wh
    return (RegisterRun(old.first_wh, last_wh, old.since, next_one.until), *runs[2:])


def of_former_run(session: EvSession, register_wh: float, at: datetime, most_w: float) -> EvSession:
    """A register of a former run: inside it a point of the curve, beyond its end more energy."""
    runs = list(session.earlier)
    index = next((i for i, run in enumerate(runs) if at <= run.until), len(runs) - 1)
    run, before_wh = runs[index], sum(r.last_wh - r.first_wh for r in runs[:index])
    if not run.first_wh <= register_wh:
        return session
    more = register_wh - run.last_wh
    if more > 0 and not follows(run.last_wh, run.since, register_wh, at, most_w=most_w):
        return session
    curve = session.curve
    if more > 0:
        runs[index] = replace(run, last_wh=register_wh)
        edge = at.timestamp()
        curve = tuple((when, energy + more if when > edge else energy) for when, energy in curve)
    energy_wh = before_wh + register_wh - run.first_wh
    return replace(session, earlier=tuple(runs), curve=marked(curve, at, energy_wh))


def begun_lower(session: EvSession, register_wh: float, at: datetime) -> EvSession:
    """The register's run began lower than its first that was seen: what came after rises by the difference."""
    more, edge = session.meter_start_wh - register_wh, at.timestamp()
    curve = tuple((when, energy + more if when > edge else energy) for when, energy in session.curve)
    if not session.earlier:
        start = int(min(session.start, at).timestamp())
        curve = ((start, 0.0), *(point for point in curve if point[0] > start))
    return replace(session, meter_start_wh=register_wh, curve=marked(curve, at, session.earlier_wh))
