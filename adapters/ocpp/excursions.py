"""Registers that go elsewhere: reset, back to a saved value, or only odd for some samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapters.ocpp.rise import JITTER_WH, follows
from adapters.ocpp.runs import Odd, pace_of, pairwise_back, seconds
from gateway.model.session import EvSession

PACE_SPREAD = 2.0
"""A car that goes on as before draws at most so many times what it drew, and at least that part of it:
a pace of few minutes is coarse."""
SAME_PACE = 0.05
"""Two steps of a car that goes on alike differ by so much: their stamps are whole seconds, its power drifts."""
TRIAL = timedelta(hours=1)
"""A register that counts elsewhere for longer than this counts there: it is no dip or spike of some samples."""
AT_FIRST_WH = 10_000.0
"""A first sample that is further above the start tells that the start was told of another register (often 0)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A register value that was taken on though it was strange; `before` is the session without it."""

    register_wh: float
    at: datetime
    before: EvSession


@dataclass(frozen=True, slots=True)
class Doubts:
    """What is in doubt about a session's register."""

    odd: Odd | None = None
    taken: Taken | None = None


NO_DOUBTS = Doubts()


def remembered(session: EvSession, most_w: float) -> Doubts:
    """What was in doubt, as far as the stored session tells: its present run, or a step of it, may be an excursion."""
    step = _strange_step(session, most_w)
    if step is not None:
        return Doubts(taken=step)
    if not session.earlier:
        return NO_DOUBTS
    run, edge = session.earlier[-1], session.earlier[-1].until
    curve = tuple(point for point in session.curve if point[0] <= edge.timestamp())
    after = next((seconds(when) for when, _ in session.curve if when > edge.timestamp()), session.meter_at or edge)
    is_start = len(session.earlier) == 1 and edge == session.start
    before = replace(
        session, meter_start_wh=run.first_wh, meter_last_wh=run.last_wh, meter_at=None if is_start else edge,
        earlier=session.earlier[:-1], curve=curve,
    )  # fmt: skip
    return Doubts(taken=Taken(session.meter_start_wh, after, before))


def _strange_step(session: EvSession, most_w: float) -> Taken | None:
    """The last rise of the present run that was taken on only because the register had stood still before it."""
    edge = session.earlier[-1].until.timestamp() if session.earlier else session.start.timestamp() - 1
    base_wh = session.meter_start_wh - session.earlier_wh
    for (since, from_wh), (until, to_wh) in pairwise_back(session.curve):
        if since <= edge:
            break
        if not follows(from_wh, seconds(since), to_wh, seconds(until), most_w=most_w):
            curve = tuple(point for point in session.curve if point[0] <= since)
            before = replace(session, meter_last_wh=base_wh + from_wh, meter_at=seconds(since), curve=curve)
            return Taken(base_wh + to_wh, seconds(until), before)
    return None


def counts_there(session: EvSession, taken: Taken) -> bool:
    """Whether the register rose, and for long, where it went to; one that only stands there may still come back."""
    return (session.meter_at or taken.at) - taken.at > TRIAL and session.meter_last_wh > taken.register_wh + JITTER_WH


def returned(session: EvSession, taken: Taken, register_wh: float, at: datetime, most_w: float) -> bool:
    """Whether the register is back where it was before it went elsewhere, as if it had never been away.

    After a fall it may have come there by counting: at the pace of its new run, or at that of before, be it over all
    the time since the fall or, where the charger was away for a part of it, in its last step.
    """
    before = taken.before
    held_at = before.meter_at or before.start
    if not follows(before.meter_last_wh, held_at, register_wh, at, most_w=most_w):
        return False
    if taken.register_wh > before.meter_last_wh:
        return register_wh < session.meter_last_wh - JITTER_WH
    since = session.meter_at or taken.at
    step = _rate(session.meter_last_wh, since, register_wh, at)
    own = _rate(taken.register_wh, taken.at, session.meter_last_wh, since)
    pace = pace_of(before)
    went_on = pace is not None and abs(step - pace) <= SAME_PACE * pace
    at_pace = went_on or (pace is not None and step <= PACE_SPREAD * pace and fell_back(before, taken, register_wh, at))
    return session.meter_last_wh < before.meter_last_wh and step > PACE_SPREAD * own and not at_pace


def is_another_register(taken: Taken, register_wh: float, at: datetime, most_w: float) -> bool:
    """Whether the start was told of another register (often 0) than the samples."""
    before = taken.before
    if before.meter_at is not None or taken.register_wh < before.meter_last_wh:
        return False
    far = not follows(before.meter_last_wh, before.start, taken.register_wh, taken.at, AT_FIRST_WH, most_w=most_w)
    return far and follows(taken.register_wh, taken.at, register_wh, at, most_w=most_w)


def fell_back(session: EvSession, doubt: Odd | Taken, register_wh: float, at: datetime) -> bool:
    """Whether the register fell a little and has already passed where it was: a saved value after a reboot.

    One odd value looks alike. The car's pace before tells them apart: it is that of the rise since the fall, or that
    of a straight rise which leaves the odd value out. In between nothing is counted that may not have been drawn.
    """
    pace = pace_of(session)
    if pace is None or not doubt.register_wh < session.meter_last_wh <= register_wh or at <= doubt.at:
        return False
    risen = (register_wh - doubt.register_wh) / (at - doubt.at).total_seconds()
    straight = (register_wh - session.meter_last_wh) / max(1.0, (at - (session.meter_at or doubt.at)).total_seconds())
    return pace / PACE_SPREAD <= risen <= PACE_SPREAD * pace and risen + straight < 2 * pace


def _rate(from_wh: float, since: datetime, to_wh: float, until: datetime) -> float:
    """Wh a second."""
    return (to_wh - from_wh) / max(1.0, (until - since).total_seconds())
