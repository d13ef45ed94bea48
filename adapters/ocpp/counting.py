"""What a charger's register adds to its sessions: in order, late, after the end, with or without a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from adapters.ocpp import excursions, register, rise
from adapters.ocpp.drawn import Told
from adapters.ocpp.excursions import Doubts
from adapters.ocpp.transactions import AHEAD, ORPHAN, Transactions
from gateway.model.session import EvSession
from gateway.ports import Clock


class Counting:
    """The registers of one charger, Wh, that gives `most_w` watts at most, and what is in doubt about them."""

    def __init__(self, known: Transactions, clock: Clock, most_w: float) -> None:
        self._known = known
        self._clock = clock
        self._most_w = most_w
        self._doubts: dict[int, Doubts] = {}
        self._undated: set[int] = set()
        """Sessions whose last word came without a time: how long ago it was true is not known."""

    def begun(self, session: EvSession, time: datetime | None) -> None:
        """A session opened with a start stamped `time`."""
        if self._known.told(time) is None:
            self._undated.add(session.transaction)

    def ended(self, session: EvSession) -> None:
        """Nothing of a session is in doubt any more."""
        self._doubts.pop(session.transaction, None)
        self._undated.discard(session.transaction)

    def moved(self, session: EvSession) -> None:
        """A session was booked at another time: what is in doubt about it is told by the session itself."""
        self._doubts.pop(session.transaction, None)
        self._known.draws.forget(session)

    def counted(
        self, session: EvSession, register_wh: float, live: bool, time: datetime | None, power: Told | None = None
    ) -> EvSession:
        """The session after a sample of its register and power; the same object where it tells nothing new."""
        held_at, now = session.meter_at, self._clock.now()
        if session.end is not None:
            return self._completing(session, register_wh, time)
        at = now if time is None else max(session.start, time) if session.start_told else time
        if live and held_at is not None and at <= held_at - register.CLOCK_SET_BACK:
            at, time = now, None
        if held_at is not None and at < held_at:
            return register.history(session, register_wh, at, most_w=self._most_w)
        doubts, dated = self._in_doubt(session), self._is_dated(session, time)
        (self._undated.discard if time is not None else self._undated.add)(session.transaction)
        if not session.meter_told and held_at is None:
            return register.first(session, register_wh, at, self._known.left_at(session))
        draws = self._known.draws
        draws.sampled(session, power, at)
        still_wh = draws.since_still(session, at)
        counted, doubts = register.live(
            session, register_wh, at, doubts, dated=dated, most_w=self._most_w, still_wh=still_wh
        )
        if counted.meter_last_wh != session.meter_last_wh:
            draws.rose(session)
        self._doubts[session.transaction] = doubts
        return counted

    def at_the_stop(self, session: EvSession, meter_wh: float, end: datetime, time: datetime | None) -> EvSession:
        """A stop register below what was already seen is a reset or garbage: what was seen holds (`register.stopped`).

        The session ended at `end`; `time` is what the charger told of that.
        """
        if not session.meter_told and session.meter_at is None:
            return register.first(session, meter_wh, end, self._known.left_at(session))
        at, dated = max(end, session.meter_at or end), self._is_dated(session, time)
        draws = self._known.draws
        return register.stopped(
            session, meter_wh, at, self._in_doubt(session), dated=dated, most_w=self._most_w,
            still_wh=draws.since_still(session, at), most_still_wh=self._most_since_still(session, at),
            whole_wh=draws.since_start(session, at),
        )  # fmt: skip

    def stop_by(self, session: EvSession, after: EvSession | None) -> tuple[float, bool]:
        """Where a forgotten session's register ended, Wh, and whether that is sure.

        It is at the next start when the register just went on, else as seen.
        """
        held_at, held_wh = session.meter_at or session.start, session.meter_last_wh
        if after is None or not after.meter_told or after.earlier:
            return held_wh, not session.meter_doubted
        draws, next_wh = self._known.draws, after.meter_start_wh
        if rise.follows(held_wh, held_at, next_wh, after.start, most_w=self._most_w) or rise.caught_up(
            held_wh, next_wh, draws.since_still(session, after.start)
        ):
            return max(held_wh, next_wh), True
        if rise.caught_up(held_wh, next_wh, self._most_since_still(session, after.start)):
            return max(held_wh, next_wh), False
        return held_wh, True

    def _most_since_still(self, session: EvSession, at: datetime) -> float:
        """What can have been drawn, Wh, whatever power was told; where the register rose meanwhile, the power is proven."""
        draws, rose = self._known.draws, session.meter_last_wh > session.meter_start_wh or bool(session.earlier)
        return draws.since_still(session, at) if rose else draws.most_since_still(session, at)

    def _in_doubt(self, session: EvSession) -> Doubts:
        """After a restart what the stored session tells of it."""
        held = self._doubts.get(session.transaction)
        return excursions.remembered(session, self._most_w) if held is None else held

    def _is_dated(self, session: EvSession, time: datetime | None) -> bool:
        """Whether the time from the last value of the register to this one is known."""
        return self._known.told(time) is not None and session.transaction not in self._undated

    def _completing(self, session: EvSession, register_wh: float, time: datetime | None) -> EvSession:
        """A sample of an ended session: a forgotten one may have drawn more; a stopped one only learns when it did."""
        end = session.end
        if end is None or time is None or not session.start <= time <= end + AHEAD:
            return session
        taken = register.history(session, register_wh, min(time, end), most_w=self._most_w)
        if not session.stop_reason.startswith(ORPHAN):
            return replace(session, curve=taken.curve) if taken.meter_last_wh == session.meter_last_wh else session
        return register.closed(taken, end, max(session.meter_stop_wh or 0.0, taken.meter_last_wh))
