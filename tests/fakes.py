"""Fakes behind our own ports; no mocks of libraries. The same contract tests run on a fake and on the real one."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.model.audit import AuditRow, Notification
from gateway.model.dr import DrReport, EventRecord
from gateway.model.errors import StoreError
from gateway.model.learned import DayShape
from gateway.model.plan import Plan
from gateway.model.reading import Interval, Rollup
from gateway.model.session import EvSession, SessionAccount

START = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)


class FakeClock:
    """Virtual time: `advance` moves it and wakes, in order, every sleeper whose time has come."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    @property
    def speed(self) -> float:
        return 1.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        self._count += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self._elapsed + max(seconds, real_floor, 0.0), self._count, future)
        self._sleepers.append(entry)
        try:
            await future
        finally:
            if entry in self._sleepers:
                self._sleepers.remove(entry)

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass; every task that wakes gets to run before later ones."""
        await self.settle()
        target = self._elapsed + seconds
        while due := [entry for entry in self._sleepers if entry[0] <= target]:
            entry = min(due)
            self._sleepers.remove(entry)
            self._pass(entry[0] - self._elapsed)
            if not entry[2].done():
                entry[2].set_result(None)
            await self.settle()
        self._pass(target - self._elapsed)

    def _pass(self, seconds: float) -> None:
        self._elapsed += max(0.0, seconds)
        self._now += timedelta(seconds=max(0.0, seconds))

    @staticmethod
    async def settle() -> None:
        """Let every task that can run do so."""
        for _ in range(20):
            await asyncio.sleep(0)

    def step(self, seconds: float) -> None:
        """The wall clock jumps (NTP, a wrong RTC); the monotonic time does not."""
        self._now += timedelta(seconds=seconds)


class FakeStore:
    """A Store in memory. `broken` makes every write fail; `gate`, once cleared, makes every write wait for it."""

    def __init__(self) -> None:
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.commits = 0
        """How often something was committed; what comes later costs none."""
        self.rollup_rows: dict[tuple[str, str, datetime], Rollup] = {}
        self.interval_rows: dict[tuple[str, datetime], Interval] = {}
        self.interval_versions: list[Interval] = []
        self.session_rows: dict[int, EvSession] = {}
        self.account_rows: dict[int, SessionAccount] = {}
        self.event_rows: dict[str, EventRecord] = {}
        self.outbox: dict[str, DrReport] = {}
        self.queued: dict[str, datetime] = {}
        self.sent_reports: set[str] = set()
        self.documents: dict[str, dict[str, Any]] = {}
        self.audit_rows: list[AuditRow] = []
        self.notification_rows: dict[tuple[str, datetime], Notification] = {}
        self.shape_rows: dict[object, DayShape] = {}
        self.plans: list[Plan] = []
        self._transaction = 0

    async def _commit(self) -> None:
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.broken:
            raise StoreError("the disk is full")
        self.commits += 1

    async def save_rollups(self, rollups: Sequence[Rollup]) -> None:
        await self._commit()
        self.rollup_rows |= {(r.device, r.quantity.value, r.start): r for r in rollups}

    async def rollups(self, device: str, quantity: str, start: datetime, end: datetime) -> list[Rollup]:
        rows = [r for (d, q, at), r in self.rollup_rows.items() if (d, q) == (device, quantity) and start <= at < end]
        return sorted(rows, key=lambda r: r.start)

    async def save_intervals(self, intervals: Sequence[Interval]) -> None:
        await self._commit()
        self.interval_rows |= {(i.device, i.start): i for i in intervals}
        self.interval_versions += intervals

    async def intervals(self, device: str, start: datetime, end: datetime) -> list[Interval]:
        rows = [i for (d, at), i in self.interval_rows.items() if d == device and start <= at < end]
        return sorted(rows, key=lambda i: i.start)

    async def interval_history(self, device: str, start: datetime) -> list[Interval]:
        return [i for i in self.interval_versions if (i.device, i.start) == (device, start)]

    async def save_minute(
        self, rollups: Sequence[Rollup], intervals: Sequence[Interval], documents: Mapping[str, dict[str, Any]]
    ) -> None:
        if not (rollups or intervals or documents):
            return
        await self._commit()
        self.rollup_rows |= {(r.device, r.quantity.value, r.start): r for r in rollups}
        self.interval_rows |= {(i.device, i.start): i for i in intervals}
        self.interval_versions += intervals
        self.documents |= copy.deepcopy(dict(documents))

    async def next_transaction(self) -> int:
        await self._commit()
        self._transaction += 1
        return self._transaction

    async def save_session(self, session: EvSession, *, later: bool = False) -> None:
        if not later:
            await self._commit()
        self.session_rows[session.transaction] = session

    async def sessions(self, start: datetime, end: datetime, *, charger: str = "") -> list[EvSession]:
        rows = [
            s
            for s in self.session_rows.values()
            if s.start < end and (s.end is None or s.end > start) and charger in ("", s.charger)
        ]
        return sorted(rows, key=lambda s: s.start)

    async def save_account(self, account: SessionAccount) -> None:
        self.account_rows[account.transaction] = account

    async def accounts(self, start: datetime, end: datetime) -> list[SessionAccount]:
        known = await self.sessions(start, end)
        return [self.account_rows[each.transaction] for each in known if each.transaction in self.account_rows]

    async def save_event(self, record: EventRecord) -> None:
        await self._commit()
        self.event_rows[record.event.id] = record

    async def event_records(self) -> list[EventRecord]:
        return sorted(self.event_rows.values(), key=lambda record: record.first_seen)

    async def enqueue(self, report: DrReport, at: datetime) -> bool:
        await self._commit()
        if report.key in self.outbox:
            return False
        self.outbox[report.key], self.queued[report.key] = report, at
        return True

    async def pending(self, server: str) -> list[DrReport]:
        return [r for r in self.outbox.values() if r.server == server and r.key not in self.sent_reports]

    async def queued_at(self, key: str) -> datetime | None:
        return self.queued.get(key)

    async def delivered(self, key: str, at: datetime) -> None:
        await self._commit()
        self.sent_reports.add(key)

    async def put(self, key: str, document: dict[str, Any], *, later: bool = False) -> None:
        if not later:
            await self._commit()
        self.documents[key] = copy.deepcopy(document)

    async def get(self, key: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.documents.get(key))

    async def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.documents if key.startswith(prefix))

    async def append(self, row: AuditRow) -> None:
        await self._commit()
        self.audit_rows.append(row)

    async def audit(
        self, start: datetime, end: datetime, *, subject: str | None = None, limit: int = 500
    ) -> list[AuditRow]:
        rows = [row for row in reversed(self.audit_rows) if start <= row.time < end]
        return [row for row in rows if subject in (None, row.subject)][:limit]

    async def notify(self, notification: Notification) -> None:
        await self._commit()
        self.notification_rows[notification.cause, notification.time] = notification

    async def notifications(self, *, limit: int = 100) -> list[Notification]:
        return sorted(self.notification_rows.values(), key=lambda n: n.time, reverse=True)[:limit]

    async def save_day_shapes(self, shapes: Sequence[DayShape]) -> None:
        self.shape_rows |= {shape.day: shape for shape in shapes}

    async def day_shapes(self, *, limit: int = 400) -> list[DayShape]:
        return sorted(self.shape_rows.values(), key=lambda shape: shape.day)[-limit:]

    async def save_plan(self, plan: Plan) -> None:
        self.plans.append(plan)

    async def close(self) -> None:
        """Nothing to close."""
