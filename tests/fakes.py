"""Fakes behind our own ports; no mocks of libraries. The same contract tests run on a fake and on the real one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

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
