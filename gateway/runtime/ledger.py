"""The ledger of charging sessions: watches why and from what a car charges, and keeps the account of each session."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from gateway.core.metering.attribution import attribute
from gateway.core.metering.remainder import HOUSE
from gateway.core.tariff.ledger import Mix, Prices, Watched, account, quarter_of, reason_of, seal_of
from gateway.model.errors import StoreError
from gateway.model.plan import Plan
from gateway.model.reading import INTERVAL_S, Interval
from gateway.model.session import ChargeReason, EvSession, SessionAccount
from gateway.model.setpoint import Setpoint
from gateway.model.site import Site
from gateway.model.snapshot import ChargerStatus, Snapshot
from gateway.ports import AccountStore, Clock, IntervalStore, SessionStore
from gateway.runtime.energy import series_of

log = logging.getLogger(__name__)

EVERY_S = 300.0
"""An account of an 8-hour session is some 8 kB: written at each commit it would be more than all measurements."""
LONG_EVERY = 12
"""Every so many rounds the sessions of the last weeks are looked at too: a charger may replay them late."""
RECENT, REPLAYED = timedelta(days=2), timedelta(days=36)
DRAWS_W = 50.0
LONGEST_S = 120.0
"""A longer pause between two looks was not watched."""
CHEAPER = 0.98
WATCHED_FOR = timedelta(days=3)
BEHIND_WH = 1.0
"""An ended session with so much more energy than its account is not accounted yet."""
LEAST_PAUSE_S = 1.0
"""Between two rounds, real s, whatever happens."""


class LedgerStore(SessionStore, AccountStore, IntervalStore, Protocol):
    """Sessions with their accounts, and the home's interval data."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One session and its account; None before it was made."""

    session: EvSession
    account: SessionAccount | None


@dataclass(slots=True)
class _Watching:
    """What is being seen of one slice, Wh."""

    reasons: dict[ChargeReason, float] = field(default_factory=lambda: defaultdict(float))
    solar_wh: float = 0.0
    battery_wh: float = 0.0
    energy_wh: float = 0.0


@dataclass(slots=True)
class Ledger:
    """Keeps the account of every session.

    `prices` tells what a kWh costs at an instant, `edges` where that may change inside (start, end).
    """

    site: Site
    clock: Clock
    store: LedgerStore
    prices: Callable[[datetime], Prices]
    edges: Callable[[datetime, datetime], list[datetime]]
    _watched: dict[tuple[int, datetime], _Watching] = field(default_factory=dict)
    _looked_at: datetime | None = None
    _slice: tuple[datetime, datetime] | None = None
    _resumed: bool = False
    _open: frozenset[str] = frozenset()
    """Transactions under way at the last look."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    # ---- each tick

    def observe(self, snapshot: Snapshot, setpoints: Mapping[str, Setpoint]) -> None:
        """Note why and from what each car draws power now; called at each tick, changes nothing."""
        before, self._looked_at = self._looked_at, snapshot.now
        under_way = frozenset(status.transaction for status in snapshot.chargers.values() if status.transaction)
        if self._open - under_way:
            self._news.set()
        self._open = under_way
        if before is None:
            return
        seconds = (snapshot.now - before).total_seconds()
        if not 0 < seconds <= LONGEST_S:
            return
        for status in snapshot.chargers.values():
            if status.transaction.isdigit() and (status.power_w or 0.0) > DRAWS_W:
                self._note(snapshot, status, snapshot.commanded.get(status.id) or setpoints.get(status.id), seconds)

    def _note(self, snapshot: Snapshot, status: ChargerStatus, setpoint: Setpoint | None, seconds: float) -> None:
        energy_wh = (status.power_w or 0.0) * seconds / 3600
        key = int(status.transaction), self._slice_start(snapshot.now)
        watching = self._watched.setdefault(key, _Watching())
        watching.reasons[self._reason(snapshot, status, setpoint)] += energy_wh
        solar, battery = _flows(snapshot)
        watching.energy_wh += energy_wh
        watching.solar_wh += energy_wh * solar
        watching.battery_wh += energy_wh * battery

    def _reason(self, snapshot: Snapshot, status: ChargerStatus, setpoint: Setpoint | None) -> ChargeReason:
        preference = snapshot.preferences.charging_of(status.id)
        block = snapshot.plan.block(status.id, snapshot.now) if snapshot.plan else None
        mean = _mean_price(snapshot.plan, snapshot.now)
        cheap = mean is not None and self.prices(snapshot.now).import_micro_per_kwh <= mean * CHEAPER
        green = preference.goal.value == "greenest"
        return reason_of(setpoint, preference.mode.value, block.kind if block else None, cheap, green)

    def _slice_start(self, now: datetime) -> datetime:
        if self._slice is None or not self._slice[0] <= now < self._slice[1]:
            quarter = quarter_of(now)
            end = quarter + timedelta(seconds=INTERVAL_S)
            marks = [quarter, *self.edges(quarter, end), end]
            start = max(mark for mark in marks if mark <= now)
            self._slice = start, min(mark for mark in marks if mark > now)
        return self._slice[0]

    # ---- every five minutes, and as soon as a session has ended

    async def run(self) -> None:
        """Keep the accounts until cancelled."""
        count = 0
        while True:
            news = self._news.is_set()
            self._news.clear()
            try:
                await self.settle(REPLAYED if news or count % LONG_EVERY == 0 else RECENT)
            except StoreError as error:
                log.warning("the ledger of sessions waits: %s", error)
            count += not news
            await self._pause()

    async def _pause(self) -> None:
        await self.clock.sleep(0, real_floor=LEAST_PAUSE_S)
        pause = asyncio.ensure_future(self.clock.sleep(EVERY_S, real_floor=LEAST_PAUSE_S))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait((pause, news), return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            news.cancel()

    async def settle(self, back: timedelta = REPLAYED) -> int:
        """Bring the accounts of the sessions of the last days up to date; returns how many changed; raises StoreError."""
        now = self.clock.now()
        rows = await self._kept(now - back, now + timedelta(minutes=10))
        self._resume(rows)
        changed = [row for row in rows if _is_due(row)]
        count = 0
        for row in changed:
            made = await self._account(row, now)
            if made != row.account:
                await self.store.save_account(made)
                count += 1
        self._watched = {key: seen for key, seen in self._watched.items() if key[1] > now - WATCHED_FOR}
        return count

    async def rows(self, start: datetime, end: datetime) -> list[LedgerRow]:
        """The sessions that overlap [start, end) with their accounts, in order of start; raises StoreError.

        An account that does not hold the energy yet is None, never 0; asking for it has it made.
        """
        rows = await self._kept(start, end)
        since = self.clock.now() - REPLAYED
        if any(_is_behind(row) and (row.session.end or start) > since for row in rows):
            self._news.set()
        return [LedgerRow(row.session, None) if _is_behind(row) else row for row in rows]

    async def _kept(self, start: datetime, end: datetime) -> list[LedgerRow]:
        accounts = {kept.transaction: kept for kept in await self.store.accounts(start, end)}
        sessions = await self.store.sessions(start, end)
        return [LedgerRow(session, accounts.get(session.transaction)) for session in sessions]

    def _resume(self, rows: list[LedgerRow]) -> None:
        """After a start: what was seen of the slice that is still open goes on."""
        if self._resumed:
            return
        self._resumed = True
        for row in rows:
            last = row.account.slices[-1] if row.account and row.account.slices and row.session.end is None else None
            if last is None:
                continue
            seen = self._watched.setdefault((row.session.transaction, last.start), _Watching())
            for reason, share in last.reasons:
                seen.reasons[reason] += share * last.energy_wh
            seen.energy_wh += last.energy_wh
            seen.solar_wh += last.solar_wh
            seen.battery_wh += last.battery_wh

    async def _account(self, row: LedgerRow, now: datetime) -> SessionAccount:
        session, kept = row.session, row.account
        end = session.end or now
        measured = {part.start for part in kept.slices if part.measured} if kept else set()
        first = next((part.start for part in kept.slices if part.start not in measured), end) if kept else session.start
        # Energy that came late may lie anywhere.
        late = kept is None or (abs(kept.energy_wh - session.energy_wh) > 1.0 and session.end is not None)
        mixes = await self._mixes(session.start if late else min(first, end), end)
        watched = {
            start: Watched(dict(seen.reasons), seen.solar_wh, seen.battery_wh, seen.energy_wh)
            for (number, start), seen in self._watched.items()
            if number == session.transaction
        }
        edges = self.edges(quarter_of(session.start), end + timedelta(seconds=INTERVAL_S))
        return account(session, edges, mixes, watched, self.prices, kept, now)

    async def _mixes(self, start: datetime, end: datetime) -> dict[datetime, Mix]:
        """Of what each closed quarter hour's energy consisted, where the home was measured."""
        quarters: dict[datetime, dict[str, Interval]] = defaultdict(dict)
        for name in series_of(self.site):
            for interval in await self.store.intervals(name, quarter_of(start), end):
                quarters[interval.start][name] = interval
        return {begin: mix for begin, quarter in quarters.items() if (mix := _mix(self.site, quarter)) is not None}


def _is_due(row: LedgerRow) -> bool:
    kept = row.account
    return kept is None or not kept.settled or kept.seal != seal_of(row.session)


def _is_behind(row: LedgerRow) -> bool:
    """Whether the energy is known and its account is not: of an ended session any of it, of an open one all of it."""
    held_wh = row.account.energy_wh if row.account else 0.0
    if row.session.end is None:
        return held_wh <= 0 and row.session.energy_wh > BEHIND_WH
    return row.account is None or abs(row.session.energy_wh - held_wh) > BEHIND_WH


def _mix(site: Site, quarter: Mapping[str, Interval]) -> Mix | None:
    house = quarter.get(HOUSE)
    if house is None or house.net_wh is None:
        return None
    shares = attribute(site, quarter)
    total = sum(share.energy_wh for share in shares)
    if total <= 0:
        return None
    return Mix(sum(s.solar_wh for s in shares) / total, sum(s.battery_wh for s in shares) / total)


def _flows(snapshot: Snapshot) -> tuple[float, float]:
    """Shares of sun and battery in what flows now; nothing where the grid is unknown."""
    solar, battery = max(0.0, -(snapshot.pv_w() or 0.0)), max(0.0, -(snapshot.battery_w() or 0.0))
    total = solar + battery + max(0.0, snapshot.grid_w() or 0.0)
    return (solar / total, battery / total) if total > 0 else (0.0, 0.0)


def _mean_price(plan: Plan | None, now: datetime) -> float | None:
    """Mean import price of the plan's next day, micro-units per kWh."""
    slots = [slot for slot in plan.slots if now <= slot.start < now + timedelta(days=1)] if plan else []
    length = sum(slot.duration_s for slot in slots)
    return sum(slot.import_price_micro_per_kwh * slot.duration_s for slot in slots) / length if length else None
