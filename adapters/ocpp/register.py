"""The energy of one session out of its charger's register: pure, whatever the register does.

run 1        run 2 (reset to 0)      energy = (last - first) of every run
1000..5000 | 0..300 ...              an odd value is a doubt until the next one confirms it
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from gateway.model.reading import INTERVAL_S
from gateway.model.session import EvSession, RegisterRun

MOST_W = 100_000.0
"""No charger of a home gives more: a register that rose faster did not count."""
SLACK_WH = 2_000.0
"""What a register may rise beyond that: clocks that differ."""
CAR_WH = 200_000.0
"""What it may rise at once (a car's battery) where no stamps tell how much time lies between."""
JITTER_WH = 1.0
"""A register that rounds may seem to go back by so much."""
IDLE_W = 30_000.0
"""The power by which a first sample is told from a register that counts for the charger's whole life."""
CLOCK_SET_BACK = timedelta(minutes=5)
"""A live sample stamped so much before the last one comes of a clock that was set; less is a replay."""
PACE_SPREAD = 2.0
"""A car that goes on as before draws at most so many times what it drew, and at least that part of it:
a pace of few minutes is coarse."""
TRIAL = timedelta(hours=1)
"""A register that counts elsewhere for longer than this counts there: it is no dip or spike of some samples."""
POINTS = 3000
RUNS = 100
"""A register that is reset more often has its oldest runs joined."""
AT_FIRST_WH = 10_000.0
"""A first sample that is further above the start tells that the start was told of another register (often 0)."""
NO_METER_WH = 1e12
"""No register of a home shows so much."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A register value that does not follow the last one and was not taken on."""

    register_wh: float
    at: datetime


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


def follows(held_wh: float, held_at: datetime, register_wh: float, at: datetime, slack_wh: float = SLACK_WH) -> bool:
    """Whether a register in Wh can have come from `held_wh` at `held_at` to `register_wh` at `at`."""
    hours = max(0.0, (at - held_at).total_seconds()) / 3600
    return held_wh - JITTER_WH <= register_wh <= held_wh + slack_wh + MOST_W * hours


def sane(register_wh: float | None) -> float | None:
    """A register as a charger told it, Wh; None for one that no meter shows."""
    return register_wh if register_wh is not None and 0.0 <= register_wh < NO_METER_WH else None


def first(session: EvSession, register_wh: float, at: datetime, before_wh: float | None) -> EvSession:
    """The first register of a session whose start told none; `before_wh` is where the former session left it.

    Between sessions no car charges, so the register stood there at the start; or it began at 0 with the session.
    """
    room = 50.0 + IDLE_W * max(0.0, (at - session.start).total_seconds()) / 3600
    start = register_wh
    if before_wh is not None and 0 <= register_wh - before_wh <= room:
        start = before_wh
    elif register_wh <= room:
        start = 0.0
    return _advanced(replace(session, meter_start_wh=start, meter_last_wh=start), register_wh, at)


def live(
    session: EvSession, register_wh: float, at: datetime, doubts: Doubts = NO_DOUBTS, *, dated: bool = True
) -> tuple[EvSession, Doubts]:
    """The session after a register that comes after what is held, and what is in doubt about it.

    `dated` tells that the time since the last value is known: a rise has then taken its time, as power does.
    """
    odd, taken = doubts.odd, doubts.taken
    if taken is not None and (session.meter_at or taken.at) - taken.at > TRIAL:
        taken = None
    if taken is not None and _returned(session, taken, register_wh, at):
        return _advanced(replace(taken.before, seen=session.seen), register_wh, at), NO_DOUBTS
    if taken is not None and _is_another_register(taken, register_wh, at):
        first_wh = taken.register_wh
        other = replace(taken.before, meter_start_wh=first_wh, meter_last_wh=first_wh, seen=session.seen)
        return _advanced(other, register_wh, at), NO_DOUBTS
    if odd is not None and _fell_back(session, odd, register_wh, at):
        return _advanced(_new_run(session, odd, register_wh, at), register_wh, at), NO_DOUBTS
    held_at = session.meter_at or session.start
    if follows(session.meter_last_wh, held_at, register_wh, at, SLACK_WH if dated else CAR_WH):
        if not follows(session.meter_last_wh, held_at, register_wh, at):
            taken = Taken(register_wh, at, session)
        return _advanced(session, register_wh, at), Doubts(taken=taken)
    is_same = odd == Odd(register_wh, at)  # an end tells its register twice
    if odd is None or is_same or not follows(odd.register_wh, odd.at, register_wh, at):
        return session, Doubts(Odd(register_wh, at), taken)
    run = _advanced(_new_run(session, odd, register_wh, at), register_wh, at)
    stood = (
        taken is not None and session.meter_last_wh <= taken.register_wh + JITTER_WH
    )  # from one odd place to another
    return run, Doubts(taken=Taken(odd.register_wh, odd.at, taken.before if taken and stood else session))


def history(session: EvSession, register_wh: float, at: datetime) -> EvSession:
    """The session after a register that was sampled at `at`, before what is held: it completes, it never takes back."""
    if session.earlier and at <= session.earlier[-1].until:
        return _earlier(session, register_wh, at)
    lower = register_wh < session.meter_start_wh and (bool(session.earlier) or not session.meter_told)
    if lower and follows(register_wh, at, session.meter_start_wh, session.meter_at or at):
        return _begun_lower(session, register_wh, at)
    held_at = session.meter_at or session.start
    if session.earlier and at < held_at and register_wh > session.meter_last_wh:
        return _earlier(session, register_wh, at)  # of the time just before the reset
    if register_wh > session.meter_last_wh and follows(session.meter_last_wh, held_at, register_wh, at):
        return _advanced(session, register_wh, at)
    if session.meter_start_wh <= register_wh <= session.meter_last_wh:
        energy_wh = session.earlier_wh + register_wh - session.meter_start_wh
        return replace(session, curve=marked(session.curve, at, energy_wh))
    return session


def begun(session: EvSession, start: datetime, meter_wh: float | None, tag: str) -> EvSession:
    """A session whose start is told at last, after its updates or its end."""
    session = replace(session, start=min(start, session.end or start), tag=tag or session.tag, start_told=True)
    if meter_wh is None or session.earlier:
        return session
    if session.meter_stop_wh is not None and session.meter_at is None:
        # Its stop came first of all: it has seen no other register.
        first_wh = meter_wh if meter_wh <= session.meter_stop_wh else session.meter_stop_wh
        session = replace(session, meter_start_wh=first_wh, meter_told=True)
        return closed(session, session.end or start, session.meter_stop_wh or 0.0)
    if meter_wh > session.meter_last_wh + JITTER_WH:
        return session
    return replace(_begun_lower(session, meter_wh, start), meter_told=True)


def closed(session: EvSession, end: datetime, stop_wh: float) -> EvSession:
    """The session with its end and the register there; the curve ends in them."""
    ended = replace(session, end=end, meter_stop_wh=stop_wh)
    at, total = int(end.timestamp()), ended.energy_wh
    kept = tuple((when, min(energy, total)) for when, energy in session.curve if when < at)
    begin = () if kept or ended.start >= end else ((int(ended.start.timestamp()), 0.0),)
    return replace(ended, curve=(*begin, *kept, (at, total)))


def marked(curve: tuple[tuple[int, float], ...], at: datetime, energy_wh: float) -> tuple[tuple[int, float], ...]:
    """The curve with one more point; of each quarter hour the first and the last stay."""
    point = (int(at.timestamp()), energy_wh)
    quarter = point[0] // INTERVAL_S * INTERVAL_S
    low, high = bisect_left(curve, (quarter, -1.0)), bisect_left(curve, (quarter + INTERVAL_S, -1.0))
    inside = sorted({*curve[low:high], point})
    if len(inside) > 2:
        inside = [inside[0], inside[-1]]
    if len(curve) >= POINTS:  # weeks on the plug: the oldest half is kept at every second point
        half = POINTS // 2
        return (*curve[: min(half, low) : 2], *curve[min(half, low) : low], *inside, *curve[high:])
    return (*curve[:low], *inside, *curve[high:])


def seconds(value: int) -> datetime:
    """The instant of a point of a curve."""
    return datetime.fromtimestamp(value, UTC)


# ---- inside


def _returned(session: EvSession, taken: Taken, register_wh: float, at: datetime) -> bool:
    """Whether the register is back where it was before it went elsewhere, as if it had never been away.

    After a fall it may have come there by counting: at the pace of its new run, or at that of before.
    """
    before = taken.before
    held_at = before.meter_at or before.start
    if not follows(before.meter_last_wh, held_at, register_wh, at):
        return False
    if taken.register_wh > before.meter_last_wh:
        return register_wh < session.meter_last_wh - JITTER_WH
    since = session.meter_at or taken.at
    step = _rate(session.meter_last_wh, since, register_wh, at)
    own = _rate(taken.register_wh, taken.at, session.meter_last_wh, since)
    pace = _pace(before)
    at_pace = pace is not None and step <= PACE_SPREAD * pace and _fell_back(before, taken, register_wh, at)
    return session.meter_last_wh < before.meter_last_wh and step > PACE_SPREAD * own and not at_pace


def _is_another_register(taken: Taken, register_wh: float, at: datetime) -> bool:
    """Whether the start was told of another register (often 0) than the samples."""
    before = taken.before
    if before.meter_at is not None or taken.register_wh < before.meter_last_wh:
        return False
    far = not follows(before.meter_last_wh, before.start, taken.register_wh, taken.at, AT_FIRST_WH)
    return far and follows(taken.register_wh, taken.at, register_wh, at)


def _rate(from_wh: float, since: datetime, to_wh: float, until: datetime) -> float:
    """Wh a second."""
    return (to_wh - from_wh) / max(1.0, (until - since).total_seconds())


def _fell_back(session: EvSession, doubt: Odd | Taken, register_wh: float, at: datetime) -> bool:
    """Whether the register fell a little and has already passed where it was: a saved value after a reboot.

    One odd value looks alike. The car's pace before tells them apart: it is that of the rise since the fall, or that
    of a straight rise which leaves the odd value out. In between nothing is counted that may not have been drawn.
    """
    pace = _pace(session)
    if pace is None or not doubt.register_wh < session.meter_last_wh <= register_wh or at <= doubt.at:
        return False
    risen = (register_wh - doubt.register_wh) / (at - doubt.at).total_seconds()
    straight = (register_wh - session.meter_last_wh) / max(1.0, (at - (session.meter_at or doubt.at)).total_seconds())
    return pace / PACE_SPREAD <= risen <= PACE_SPREAD * pace and risen + straight < 2 * pace


def _pace(session: EvSession) -> float | None:
    """What the session drew lately, Wh a second; None where its curve does not tell, as over a reset."""
    resets = [run.until.timestamp() for run in session.earlier]
    for (until, to_wh), (since, from_wh) in pairwise(reversed(session.curve)):
        if until > since and not any(since <= reset < until for reset in resets):
            return (to_wh - from_wh) / (until - since)
    return None


def _advanced(session: EvSession, register_wh: float, at: datetime) -> EvSession:
    """The register rose, or stood still: a plateau is two points, however long it lasts."""
    last_wh = max(session.meter_last_wh, register_wh)
    begin = session.curve or ((int(session.start.timestamp()), 0.0),)
    risen = replace(session, meter_last_wh=last_wh, meter_at=at)
    energy_wh = risen.earlier_wh + max(0.0, last_wh - session.meter_start_wh)
    if len(begin) > 1 and begin[-1][1] == begin[-2][1] == energy_wh and begin[-1][0] <= at.timestamp():
        begin = begin[:-1]
    return replace(risen, curve=marked(begin, at, energy_wh))


def _new_run(session: EvSession, doubt: Odd, register_wh: float, at: datetime) -> EvSession:
    """The register went elsewhere and goes on from there: what it had counted is kept.

    Where the pace of the new run, or that of before (the car may be full by now), explains all of its first value, it
    began at 0 in between, and that counts too.
    """
    held_at = session.meter_at or session.start
    pace_wh_s = (register_wh - doubt.register_wh) / max(1.0, (at - doubt.at).total_seconds())
    pace_wh_s = max(pace_wh_s, _pace(session) or 0.0)
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


def _earlier(session: EvSession, register_wh: float, at: datetime) -> EvSession:
    """A register of a former run: inside it a point of the curve, beyond its end more energy."""
    runs = list(session.earlier)
    index = next((i for i, run in enumerate(runs) if at <= run.until), len(runs) - 1)
    run, before_wh = runs[index], sum(r.last_wh - r.first_wh for r in runs[:index])
    if not run.first_wh <= register_wh:
        return session
    more = register_wh - run.last_wh
    if more > 0 and not follows(run.last_wh, run.since, register_wh, at):
        return session
    curve = session.curve
    if more > 0:
        runs[index] = replace(run, last_wh=register_wh)
        edge = at.timestamp()
        curve = tuple((when, energy + more if when > edge else energy) for when, energy in curve)
    energy_wh = before_wh + register_wh - run.first_wh
    return replace(session, earlier=tuple(runs), curve=marked(curve, at, energy_wh))


def _begun_lower(session: EvSession, register_wh: float, at: datetime) -> EvSession:
    """The register's run began lower than its first that was seen: what came after rises by the difference."""
    more, edge = session.meter_start_wh - register_wh, at.timestamp()
    curve = tuple((when, energy + more if when > edge else energy) for when, energy in session.curve)
    if not session.earlier:
        start = int(min(session.start, at).timestamp())
        curve = ((start, 0.0), *(point for point in curve if point[0] > start))
    return replace(session, meter_start_wh=register_wh, curve=marked(curve, at, session.earlier_wh))
