"""The energy of one session out of its charger's register: pure, whatever the register does.

run 1        run 2 (reset to 0)      energy = (last - first) of every run
1000..5000 | 0..300 ...              an odd value is a doubt until the next one confirms it
1000 1000 1000 | 5000 5000           one run: the register is seldom read, and caught up
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from adapters.ocpp.excursions import (
    NO_DOUBTS,
    Doubts,
    Taken,
    counts_there,
    fell_back,
    is_another_register,
    returned,
)
from adapters.ocpp.rise import CAR_WH, JITTER_WH, MOST_W, SLACK_WH, caught_up, follows
from adapters.ocpp.runs import Odd, advanced, begun_lower, marked, new_run, of_former_run, still_since
from gateway.model.session import EvSession

IDLE_W = 30_000.0
"""The power by which a first sample is told from a register that counts for the charger's whole life."""
CLOCK_SET_BACK = timedelta(minutes=5)
"""A live sample stamped so much before the last one comes of a clock that was set; less is a replay."""


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
    return advanced(replace(session, meter_start_wh=start, meter_last_wh=start), register_wh, at)


def live(
    session: EvSession,
    register_wh: float,
    at: datetime,
    doubts: Doubts = NO_DOUBTS,
    *,
    dated: bool = True,
    most_w: float = MOST_W,
    still_wh: float,
) -> tuple[EvSession, Doubts]:
    """The session after a register that comes after what is held, and what is in doubt about it.

    `dated` tells that the time since the last value is known: a rise has then taken its time, as power does; `most_w`
    is the charger's highest power. `still_wh` is what can have been drawn since the register rose last.
    """
    odd, taken = doubts.odd, doubts.taken
    if taken is not None and counts_there(session, taken):
        taken = None
    if taken is not None and returned(session, taken, register_wh, at, most_w):
        return advanced(replace(taken.before, seen=session.seen), register_wh, at), NO_DOUBTS
    if taken is not None and is_another_register(taken, register_wh, at, most_w):
        first_wh = taken.register_wh
        other = replace(taken.before, meter_start_wh=first_wh, meter_last_wh=first_wh, seen=session.seen)
        return advanced(other, register_wh, at), NO_DOUBTS
    if odd is not None and fell_back(session, odd, register_wh, at):
        return advanced(new_run(session, odd, register_wh, at), register_wh, at), NO_DOUBTS
    held_at = session.meter_at or session.start
    if follows(session.meter_last_wh, held_at, register_wh, at, SLACK_WH if dated else CAR_WH, most_w=most_w):
        if not follows(session.meter_last_wh, held_at, register_wh, at, most_w=most_w):
            taken = Taken(register_wh, at, session)
        return advanced(session, register_wh, at), Doubts(taken=taken)
    is_same = odd == Odd(register_wh, at)  # an end tells its register twice
    if odd is None or is_same or not follows(odd.register_wh, odd.at, register_wh, at, most_w=most_w):
        return session, Doubts(Odd(register_wh, at), taken)
    if caught_up(session.meter_last_wh, odd.register_wh, still_wh):
        run = advanced(session, odd.register_wh, odd.at)
    else:
        run = new_run(session, odd, register_wh, at)
    stood = (
        taken is not None and session.meter_last_wh <= taken.register_wh + JITTER_WH
    )  # from one odd place to another
    before = taken.before if taken and stood else session
    return advanced(run, register_wh, at), Doubts(taken=Taken(odd.register_wh, odd.at, before))


def stopped(
    session: EvSession,
    stop_wh: float,
    at: datetime,
    doubts: Doubts = NO_DOUBTS,
    *,
    dated: bool = True,
    most_w: float = MOST_W,
    still_wh: float,
    most_still_wh: float,
    whole_wh: float,
) -> EvSession:
    """The session after the register that its stop tells.

    Samples may repeat a register that is seldom read, and the stop is the last word: what it tells beyond all that was
    seen is believed where the charger can have given it since the register stood still (`still_wh` at most), or since
    the session began (`whole_wh`). What the charger's rating alone allows since it stood still (`most_still_wh`) is
    booked too, and marked: its samples told too little power, or the register is wrong.
    """
    counted, _ = live(session, stop_wh, at, doubts, dated=dated, most_w=most_w, still_wh=still_wh)
    is_followed = counted is not session and counted.meter_last_wh >= stop_wh and counted.earlier == session.earlier
    if is_followed or stop_wh <= session.meter_last_wh:
        return counted
    first_wh, whole = session.earlier[0].first_wh if session.earlier else session.meter_start_wh, session
    is_sure = caught_up(session.meter_last_wh, stop_wh, still_wh)
    if not is_sure and caught_up(first_wh, stop_wh, whole_wh):
        whole = advanced(replace(session, meter_start_wh=first_wh, earlier=()), stop_wh, at)
    elif is_sure or caught_up(session.meter_last_wh, stop_wh, most_still_wh):
        # It was drawn while the register stood: the curve rises from where it did.
        rising = tuple(point for point in session.curve if point[0] <= still_since(session).timestamp())
        whole = advanced(replace(session, curve=rising, meter_doubted=not is_sure), stop_wh, at)
    return whole if whole.energy_wh > counted.energy_wh else counted


def history(session: EvSession, register_wh: float, at: datetime, *, most_w: float = MOST_W) -> EvSession:
    """The session after a register that was sampled at `at`, before what is held: it completes, it never takes back."""
    if session.earlier and at <= session.earlier[-1].until:
        return of_former_run(session, register_wh, at, most_w)
    lower = register_wh < session.meter_start_wh and (bool(session.earlier) or not session.meter_told)
    if lower and follows(register_wh, at, session.meter_start_wh, session.meter_at or at, most_w=most_w):
        return begun_lower(session, register_wh, at)
    held_at = session.meter_at or session.start
    if session.earlier and at < held_at and register_wh > session.meter_last_wh:
        return of_former_run(session, register_wh, at, most_w)  # of the time just before the reset
    if register_wh > session.meter_last_wh and follows(session.meter_last_wh, held_at, register_wh, at, most_w=most_w):
        return advanced(session, register_wh, at)
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
    return replace(begun_lower(session, meter_wh, start), meter_told=True)


def closed(session: EvSession, end: datetime, stop_wh: float) -> EvSession:
    """The session with its end and the register there; the curve ends in them."""
    ended = replace(session, end=end, meter_stop_wh=stop_wh)
    at, total = int(end.timestamp()), ended.energy_wh
    kept = tuple((when, min(energy, total)) for when, energy in session.curve if when < at)
    begin = () if kept or ended.start >= end else ((int(ended.start.timestamp()), 0.0),)
    return replace(ended, curve=(*begin, *kept, (at, total)))
