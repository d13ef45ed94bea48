"""The sessions of one charger: opened and closed once, committed before the charger is answered, resumed on restart.

Whose is the energy between sessions? A charger that forgets a transaction over a reboot starts a new one where its
register stands. What the register rose since the last sample of the forgotten one was drawn by the car that was
plugged in then: it belongs to the forgotten session, unless that session's own late stop says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

from adapters.ocpp import register, rise
from adapters.ocpp.answers import Answers
from adapters.ocpp.counting import Counting
from adapters.ocpp.drawn import Told
from adapters.ocpp.echoes import Echo, Echoes
from adapters.ocpp.guesses import Guess, Guesses
from adapters.ocpp.stamps import Stamps, moved
from adapters.ocpp.transactions import AHEAD, APART, HEARD, ORPHAN, REMEMBERED, Fit, Transactions, with_number
from gateway.model.session import EvSession
from gateway.ports import Clock, SessionStore

T = TypeVar("T")
ROUNDED_WH = 100.0
"""A stop's register may be so far from the last sample's: there are chargers that round either to 0.1 kWh."""
REPLAYED = timedelta(minutes=1)
"""A sample that is history and older than this is a replayed one."""
__all__ = ["AHEAD", "ORPHAN", "REMEMBERED", "SessionBook"]


class SessionBook:
    """Open and recent sessions; every change is in the store before it is in memory.

    The charger gives `most_w` watts at most: what its register rose faster was not drawn. `stamps` tells of its clock.
    While its register stands, no more than `rated_w` was drawn, or than its samples told.
    """

    def __init__(
        self,
        charger: str,
        store: SessionStore,
        clock: Clock,
        most_w: float = rise.MOST_W,
        stamps: Stamps | None = None,
        rated_w: float = rise.MOST_W,
    ) -> None:
        self._charger = charger
        self._store = store
        self._clock = clock
        self._known = Transactions(clock, most_w, stamps or Stamps(clock), rated_w)
        self._counting = Counting(self._known, clock, most_w)
        self._guesses = Guesses(self._known)
        self._answers = Answers()
        self._echoes = Echoes()
        self._lock = asyncio.Lock()
        self._resumed = False
        self._dirty: set[int] = set()
        self._owed: set[int] = set()
        """Sessions of which the message under way told what must be on the disk before it is answered."""

    async def resume(self) -> None:
        """Read what the store knows, once; raises StoreError."""
        async with self._lock:
            if self._resumed:
                return
            now = self._clock.now()
            known = await self._store.sessions(now - REMEMBERED, now + AHEAD, charger=self._charger)
            for session in known:
                self._known.put(session)
            self._resumed = True

    # ---- questions

    def open_session(self, connector: int | None = None) -> EvSession | None:
        """The latest open session, of one connector or of any."""
        return self._known.open(connector)

    def meant(
        self,
        transaction: float | None,
        connector: int | None,
        time: datetime | None = None,
        register_wh: float | None = None,
    ) -> EvSession | None:
        """The session a 1.6 message means: by its id, else (unknown or garbage id) the connector's open one.

        `time` and `register_wh`, where the message tells them, choose between sessions: a replayed message is of the
        session that held its time, and never of one that began later.
        """
        meant = self._known.meant(transaction, connector, time, register_wh)
        self._used(transaction, connector)
        return meant

    def named(self, transaction: float | None, time: datetime | None) -> EvSession | None:
        """The session of exactly this id of ours; the open one where it had ended before `time`."""
        known = self._known.get(int(transaction)) if transaction is not None else None
        meant = None if known is None else self._known.meant(transaction, None, time, None)
        self._used(transaction, None)
        return meant

    def spoken_of(self, transaction: float | None) -> EvSession | None:
        """The open session whose samples came with this id, which is not its own."""
        return self._known.spoken_of(transaction)

    def fit(self, session: EvSession, time: datetime | None, register_wh: float | None) -> Fit:
        """How a register, Wh, stands to the last one of a session."""
        return self._known.fit(session, time, rise.sane(register_wh))

    def may_end(self, session: EvSession, time: datetime | None, register_wh: float | None) -> bool:
        """Whether a stop that names this session can be its own: of its time, and of its register."""
        return self._guesses.may_end(session, time, rise.sane(register_wh))

    def ended_by(self, time: datetime | None, register_wh: float | None) -> EvSession | None:
        """The session that this very stop has ended already."""
        return self._guesses.ended_by(time, register_wh)

    def left_wh(self) -> float:
        """Where the register of the latest session stood last, Wh."""
        latest = max(self._known.of(None), key=lambda session: session.start, default=None)
        return latest.meter_last_wh if latest else 0.0

    def meant_by(self, their_id: str, connector: int | None, time: datetime | None = None) -> EvSession | None:
        """The session a 2.x message means by the charger's own id; without an id the connector's open one.

        Where several had that id, the one that held `time`. None for an id that was never heard: its start is yet to
        come (see `start`).
        """
        return self._known.by_their_id(their_id, connector, time)

    def is_begun_anew(self, session: EvSession, time: datetime | None, register_wh: float | None, seq_no: int) -> bool:
        """Whether an event (2.x) with the id of an ended session is of another one, whose start was lost."""
        is_old = any(low <= seq_no <= high for low, high in session.seen)
        return self._known.is_begun_anew(session, time, rise.sane(register_wh), is_old_number=is_old)

    def left_by(self, session: EvSession, time: datetime | None, register_wh: float | None) -> float | None:
        """Where an ended session left the register, Wh, if it only went on from there, and nobody drew since."""
        latest = self._known.neighbour(session, after=True) is None
        follows = register_wh is not None and self._known.fit(session, time, register_wh) is Fit.FOLLOWS
        return session.meter_stop_wh if latest and follows else None

    def last_tag(self) -> str:
        """The tag of the latest session, "" when there was none."""
        latest = max(self._known.of(None), key=lambda session: session.transaction, default=None)
        return latest.tag if latest else ""

    def missing(self, session: EvSession) -> int:
        """How many sequence numbers between the first and the last that were heard are missing."""
        ranges = self._known.newest(session).seen
        return sum(after[0] - before[1] - 1 for before, after in pairwise(ranges))

    def told(self, time: datetime | None) -> datetime | None:
        """The charger's time by our clock where it can be believed."""
        return self._known.told(time)

    def is_told_again(
        self, transaction: int | None, register_wh: float | None, time: datetime | None, *, beside: bool
    ) -> bool:
        """Whether a sample labelled as of the begin tells once more what is known of a session under way for a minute.

        Some chargers label all samples so: a register above that of the start is none of the begin, and what is stamped
        after the start is not. Others repeat the begin with the stamp of now: `beside` the end or samples of another
        label, or with the register of the start where the session's has risen since.
        """
        session = None if transaction is None else self._known.get(transaction)
        if session is None or not (session.start_told and session.meter_told):
            return False
        first_wh = session.earlier[0].first_wh if session.earlier else session.meter_start_wh
        has_risen = register_wh is not None and register_wh > first_wh + ROUNDED_WH
        highest_wh = max([session.meter_last_wh, *(run.last_wh for run in session.earlier)])
        is_left = register_wh is not None and first_wh - ROUNDED_WH <= register_wh < highest_wh
        at = self._known.told(time)
        is_later = register_wh is None if at is None else at > session.start + APART
        is_of_now = is_later and not (beside or is_left)
        return not (has_risen or is_of_now) and self._clock.now() - session.start > APART

    # ---- changes

    async def start(
        self,
        connector: int,
        tag: str,
        stamp: str,
        time: datetime | None,
        meter_wh: float | None,
        *,
        their_id: str = "",
        told: bool = True,
    ) -> EvSession:
        """Open a session, or recognise a repeated start of one; committed when it returns; raises StoreError.

        `meter_wh` is None where the start tells no register. `told` is False for an update or end (2.x) whose start was
        never heard: the session opens with what is known, and the start completes it when it comes.
        """
        first_wh = rise.sane(meter_wh)
        return await self._undivided(self._start(connector, tag, stamp, time, first_wh, their_id, told))

    def guess(self, session: EvSession, time: datetime | None, register_wh: float | None, reason: str) -> None:
        """Note that the stop which comes next is the session's by guess only."""
        self._guesses.note(session, time, register_wh, reason)

    def mended(self, session: EvSession) -> Guess | None:
        """Open a session again that was ended by guess, as its own stop is here; returns the stop it was given."""
        return self._guesses.mended(session)

    def new_line(self) -> None:
        """The charger speaks on another connection."""
        self._answers.new_line()

    def answered(self, session: EvSession) -> None:
        """The answer to a start of this session (1.6) goes out on the present connection."""
        self._answers.give(session.transaction)

    def given(self) -> frozenset[int]:
        """Answers to starts that went out; for `heard`, once something is answered that was asked after them."""
        return self._answers.given()

    def heard(self, given: frozenset[int] | None = None) -> None:
        """The charger has the answers that were `given` (all, if None). On the disk with the next commit."""
        for transaction in self._answers.arrived(given):
            session = self._known.get(transaction)
            if session is not None:
                self.seen(session, HEARD)

    def freed(self) -> None:
        """The car left the connector: the next start is another session."""
        self._known.freed()

    async def stop(self, session: EvSession, time: datetime | None, meter_wh: float | None, reason: str) -> None:
        """Close a session (an orphan's end is corrected, a repeated stop ignored); committed; raises StoreError."""
        await self._undivided(self._stop(session.transaction, time, rise.sane(meter_wh), reason))

    async def stop_before_start(self, time: datetime | None, meter_wh: float | None, reason: str) -> EvSession:
        """Keep a 1.6 stop that fits no session until its start is replayed; committed; raises StoreError."""
        return await self._undivided(self._keep_stop(time, rise.sane(meter_wh), reason))

    async def take_register(
        self,
        transaction: int,
        register_wh: float,
        *,
        live: bool = True,
        time: datetime | None = None,
        power: Told | None = None,
    ) -> None:
        """The energy register in Wh as sampled at `time`; a sample: on the disk with the next commit, a minute at most.

        A replayed one, which its charger forgets once it is answered, and one that tells of a reset, as the next can no
        more make up for it, are there after `settle`.

        One stamped before what is held completes the session and never takes back; `live` tells whether it is of now,
        so that a stamp far in the past means a clock that was set; `power` what was measured then.
        """
        session = self._known.get(transaction)
        if session is None or rise.sane(register_wh) is None:
            return
        counted = self._counting.counted(session, register_wh, live, self._known.told(time), power)
        if counted is session:
            return
        self._known.put(counted)
        self._dirty.add(transaction)
        told = self._known.told(time)
        is_replayed = not live and told is not None and self._clock.now() - told > REPLAYED
        if is_replayed or counted.earlier != session.earlier:
            self._owed.add(transaction)
        await self._undivided(self._sample(transaction))

    async def set_right(self) -> None:
        """Move the open sessions that were booked before their charger's clock was known; raises StoreError."""
        if any(s.end is None and self._known.correction(s) for s in self._known.of(None)):
            await self._undivided(self._set_right())

    async def settle(self) -> None:
        """Before a message is answered: commit what would be lost with it; raises StoreError."""
        if self._owed:
            await self.save()

    def seen(self, session: EvSession, seq_no: int) -> bool:
        """Note a sequence number (2.x seqNo); False for a repeat. On the disk with the next commit.

        A repeat may be handled again without harm: starts, ends and registers are all taken once.
        """
        held = self._known.newest(session)
        if any(low <= seq_no <= high for low, high in held.seen):
            return False
        self._known.put(replace(held, seen=with_number(held.seen, seq_no)))
        self._dirty.add(held.transaction)
        return True

    async def save(self) -> None:
        """Commit what the samples said since the last time; raises StoreError."""
        await self._undivided(self._save())

    # ---- inside: one change at a time

    def _used(self, transaction: float | None, connector: int | None) -> None:
        """A 1.6 message with this id: the charger has our answer to that session's start."""
        known = self._known.get(int(transaction)) if transaction is not None else None
        if known is not None and not known.their_id and (connector is None or known.connector == connector):
            self.seen(known, HEARD)

    async def _undivided(self, change: Coroutine[Any, Any, T]) -> T:
        """A connection may be cancelled in mid-commit; the change itself is finished, in the store and in memory."""
        return await asyncio.shield(asyncio.ensure_future(self._locked(change)))

    async def _locked(self, change: Coroutine[Any, Any, T]) -> T:
        async with self._lock:
            return await change

    async def _keep(self, session: EvSession) -> EvSession:
        await self._store.save_session(session)
        # A sequence number may have been noted while the store was writing.
        kept = replace(session, seen=self._known.newest(session).seen)
        self._known.put(kept)
        return kept

    async def _start(
        self,
        connector: int,
        tag: str,
        stamp: str,
        time: datetime | None,
        meter_wh: float | None,
        their_id: str,
        told: bool,
    ) -> EvSession:
        key, at = self._key(connector, tag, stamp, meter_wh, their_id), self._known.plausible(time)
        known = self._known.repeated(key, their_id, time) or self._known.of_early_stop(
            connector, at, meter_wh, their_id
        )
        if known is None and told and self._known.told(time) is not None:
            known = self._known.restamped(connector, tag, at, meter_wh, their_id)
        if known is not None and told and self._known.is_stopped(known):
            self._echoes.note(known, Echo(connector, tag, key, at, meter_wh))
        if known is not None:
            return await self._completed(known, key, connector, tag, at, meter_wh) if told else known
        session = EvSession(
            await self._store.next_transaction(), key, self._charger, connector, tag, at, meter_wh or 0.0,
            meter_wh or 0.0, their_id=their_id, start_told=told, meter_told=meter_wh is not None,
        )  # fmt: skip
        return await self._opened(session, time)

    async def _opened(self, session: EvSession, time: datetime | None) -> EvSession:
        self._counting.begun(session, time)
        self._known.came(session, time)
        await self._keep(session)
        await self._close_before(session)
        self._known.forget_old()
        return self._known.newest(session)

    async def _completed(
        self, known: EvSession, key: str, connector: int, tag: str, at: datetime, meter_wh: float | None
    ) -> EvSession:
        """A start that was told before changes nothing; one that comes after its updates or its end completes them."""
        if known.start_told:
            return known
        session = replace(known, transaction_key=key, connector=connector)
        begun = await self._keep(register.begun(session, at, meter_wh, tag))
        await self._close_before(begun)
        return self._known.newest(begun)

    async def _stop(self, transaction: int, time: datetime | None, meter_wh: float | None, reason: str) -> None:
        session = self._known.get(transaction)
        if session is None:
            return
        if reason.startswith(ORPHAN):
            if session.end is None:
                await self._orphaned(session, self._known.plausible(time), reason)
            return
        if session.end is not None and not session.stop_reason.startswith(ORPHAN):
            echo = self._echoes.of_another(session, meter_wh)
            if echo is None:
                return
            session = await self._opened(echo.session(await self._store.next_transaction(), self._charger), time)
        end = max(session.start, self._known.plausible(time))
        if meter_wh is not None:
            session = self._counting.at_the_stop(replace(session, meter_doubted=False), meter_wh, end, time)
            if abs(session.meter_last_wh - meter_wh) > ROUNDED_WH:
                session = replace(session, meter_refused_wh=meter_wh)
        await self._closed(session, end, session.meter_last_wh, reason)

    async def _closed(self, session: EvSession, end: datetime, stop_wh: float, reason: str) -> EvSession:
        ended = await self._keep(replace(register.closed(session, end, stop_wh), stop_reason=reason))
        self._dirty.discard(session.transaction)
        self._counting.ended(session)
        return ended

    async def _orphaned(self, session: EvSession, at: datetime, reason: str) -> None:
        """Close a session whose stop was not told, and every older one that the connector left open."""
        place = (session.start, session.transaction)
        held = [s for s in self._known.of(session.connector) if s.end is None and (s.start, s.transaction) <= place]
        for other in held:
            after = self._known.neighbour(other, after=True)
            end = max(other.start, min(at, after.start) if after else at)
            stop_wh, is_sure = self._counting.stop_by(other, after)
            await self._closed(replace(other, meter_doubted=not is_sure), end, stop_wh, reason)

    async def _close_before(self, session: EvSession) -> None:
        """The session before a new one on its connector has ended; forgotten ones get the gap's energy."""
        before = self._known.neighbour(session, after=False)
        if before is not None and before.end is None:
            await self._orphaned(before, session.start, ORPHAN + "a new session started")
        elif before is not None and before.stop_reason.startswith(ORPHAN):
            stop_wh, is_sure = self._counting.stop_by(before, session)
            if stop_wh != before.meter_stop_wh:
                end = min(before.end or session.start, session.start)
                await self._closed(replace(before, meter_doubted=not is_sure), end, stop_wh, before.stop_reason)

    async def _keep_stop(self, time: datetime | None, meter_wh: float | None, reason: str) -> EvSession:
        at, stop_wh = self._known.plausible(time), meter_wh or 0.0
        stamp = at if time is None or self._known.told(time) is None else time
        key = f"{self._charger}|stop|{stamp.isoformat()}|{stop_wh:.3f}"
        known = self._known.by_key(key) or self._known.ended_with(at, stop_wh)
        if known is not None:
            return known
        number = await self._store.next_transaction()
        session = EvSession(
            number, key, self._charger, 1, "", at, stop_wh, stop_wh, at, stop_wh, reason,
            start_told=False, meter_told=False,
        )  # fmt: skip
        return await self._keep(session)

    async def _set_right(self) -> None:
        for session in self._known.of(None):
            by = self._known.correction(session)
            if session.end is None and by:
                await self._keep(moved(session, by))
                self._known.corrected(session, by)
                self._counting.moved(session)

    async def _sample(self, transaction: int) -> None:
        # A stop that was under way is the last word.
        session = self._known.get(transaction)
        if session is not None and transaction in self._dirty:
            await self._store.save_session(session, later=True)

    async def _save(self) -> None:
        for transaction in sorted(self._dirty):
            session = self._known.get(transaction)
            if session is not None:
                await self._store.save_session(session)
            self._dirty.discard(transaction)
        self._owed.clear()

    def _key(self, connector: int, tag: str, stamp: str, meter_wh: float | None, their_id: str) -> str:
        if their_id:
            return f"{self._charger}|{their_id}|{stamp}"
        return f"{self._charger}|{connector}|{tag}|{stamp}|{meter_wh or 0.0:.3f}"
