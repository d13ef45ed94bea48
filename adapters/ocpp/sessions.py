"""The sessions of one charger: opened and closed once, committed before the charger is answered, resumed on restart."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from gateway.model.session import EvSession
from gateway.ports import Clock, SessionStore

REMEMBERED = timedelta(days=35)
"""How long a repeated StartTransaction is recognised, and how old a charger's timestamp may be."""
AHEAD = timedelta(minutes=10)
T = TypeVar("T")

ORPHAN = "orphan: "
"""Start of the stop reason of a session that we closed; the charger's own word may still replace it."""


class SessionBook:
    """Open and recent sessions; every change is in the store before it is in memory."""

    def __init__(self, charger: str, store: SessionStore, clock: Clock) -> None:
        self._charger = charger
        self._store = store
        self._clock = clock
        self._sessions: dict[int, EvSession] = {}
        self._lock = asyncio.Lock()
        self._resumed = False
        self._dirty: set[int] = set()
        self._dip: dict[int, float] = {}

    async def resume(self) -> None:
        """Read what the store knows, once; raises StoreError."""
        async with self._lock:
            if self._resumed:
                return
            now = self._clock.now()
            known = await self._store.sessions(now - REMEMBERED, now + AHEAD, charger=self._charger)
            self._sessions = {session.transaction: session for session in known}
            self._resumed = True

    # ---- questions

    def open_session(self, connector: int | None = None) -> EvSession | None:
        """The latest open session, of one connector or of any."""
        candidates = [
            session
            for session in self._sessions.values()
            if session.end is None and (connector is None or session.connector == connector)
        ]
        return max(candidates, key=lambda session: (session.start, session.transaction), default=None)

    def meant(self, transaction: float | None, connector: int | None) -> EvSession | None:
        """The session a message means: by its id, else (unknown or garbage id) the connector's open one."""
        known = self._sessions.get(int(transaction)) if transaction is not None else None
        if known is not None and (connector is None or known.connector == connector):
            return known
        return self.open_session(connector) or (self.open_session() if connector is None else None)

    def last_tag(self) -> str:
        """The tag of the latest session, "" when there was none."""
        latest = max(self._sessions.values(), key=lambda session: session.transaction, default=None)
        return latest.tag if latest else ""

    # ---- changes

    async def start(self, connector: int, tag: str, stamp: str, time: datetime | None, meter_wh: float) -> EvSession:
        """Open a session, or recognise a repeated start of one; committed when it returns; raises StoreError."""
        return await self._undivided(self._start(connector, tag, stamp, time, meter_wh))

    async def stop(self, session: EvSession, time: datetime | None, meter_wh: float | None, reason: str) -> None:
        """Close a session (an orphan's end is corrected, a repeated stop ignored); committed; raises StoreError."""
        await self._undivided(self._stop(session.transaction, time, meter_wh, reason))

    async def take_register(self, transaction: int, register_wh: float) -> None:
        """The energy register as sampled now, in Wh; a sample: on the disk with the next commit, a minute at most."""
        session = self._sessions.get(transaction)
        if session is None or session.end is not None:
            return
        self._sessions[transaction] = self._counted(session, register_wh)
        self._dirty.add(transaction)
        await self._undivided(self._sample(transaction))

    async def save(self) -> None:
        """Commit what the samples said since the last time; raises StoreError."""
        await self._undivided(self._save())

    # ---- inside

    async def _undivided(self, change: Coroutine[Any, Any, T]) -> T:
        """A connection may be cancelled in mid-commit; the change itself is finished, in the store and in memory."""
        return await asyncio.shield(asyncio.ensure_future(self._locked(change)))

    async def _locked(self, change: Coroutine[Any, Any, T]) -> T:
        async with self._lock:
            return await change

    async def _start(self, connector: int, tag: str, stamp: str, time: datetime | None, meter_wh: float) -> EvSession:
        key = f"{self._charger}|{connector}|{tag}|{stamp}|{meter_wh:.3f}"
        if known := next((s for s in self._sessions.values() if s.transaction_key == key), None):
            return known
        start, transaction = self._plausible(time), await self._store.next_transaction()
        session = EvSession(transaction, key, self._charger, connector, tag, start, meter_wh, meter_wh)
        await self._store.save_session(session)
        self._sessions[transaction] = session
        for other in [s for s in self._sessions.values() if s.end is None and s.connector == connector]:
            if other.transaction != transaction and other.start <= start:
                await self._stop(other.transaction, start, None, ORPHAN + "a new session started")
        self._forget_old()
        return session

    async def _stop(self, transaction: int, time: datetime | None, meter_wh: float | None, reason: str) -> None:
        session = self._sessions[transaction]
        if session.end is not None and not session.stop_reason.startswith(ORPHAN):
            return
        # A stop register below what was already seen is a reset or garbage: what was seen holds.
        stop_wh = max(session.meter_last_wh, meter_wh) if meter_wh is not None else session.meter_last_wh
        end = max(session.start, self._plausible(time))
        closed = replace(session, end=end, meter_stop_wh=stop_wh, meter_last_wh=stop_wh, stop_reason=reason)
        await self._store.save_session(closed)
        self._sessions[transaction] = closed
        self._dirty.discard(transaction)
        self._dip.pop(transaction, None)

    async def _sample(self, transaction: int) -> None:
        # A stop that was under way is the last word.
        if transaction in self._dirty:
            await self._store.save_session(self._sessions[transaction], later=True)

    async def _save(self) -> None:
        for transaction in sorted(self._dirty):
            await self._store.save_session(self._sessions[transaction])
            self._dirty.discard(transaction)

    def _counted(self, session: EvSession, register_wh: float) -> EvSession:
        if register_wh >= session.meter_last_wh:
            self._dip.pop(session.transaction, None)
            return replace(session, meter_last_wh=register_wh)
        # A register that went back and stays back was reset: the energy so far is kept. One odd value is not enough.
        dip = self._dip.get(session.transaction)
        self._dip[session.transaction] = register_wh
        if dip is None or register_wh < dip:
            return session
        del self._dip[session.transaction]
        return replace(session, meter_start_wh=dip - session.energy_wh, meter_last_wh=register_wh)

    def _plausible(self, time: datetime | None) -> datetime:
        now = self._clock.now()
        return time if time is not None and now - REMEMBERED < time < now + AHEAD else now

    def _forget_old(self) -> None:
        horizon = self._clock.now() - REMEMBERED
        self._sessions = {
            key: session for key, session in self._sessions.items() if session.end is None or session.end > horizon
        }
