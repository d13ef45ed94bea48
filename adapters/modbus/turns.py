"""Whose turn it is on a line: one at a time, the main meter first, then in the order they came."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Turns:
    """A lock with a queue by rank (0 first); whoever holds it may ask for it again and goes on at once."""

    def __init__(self) -> None:
        self._owner: asyncio.Task[object] | None = None
        self._busy = False
        self._numbers = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @property
    def mine(self) -> bool:
        """Whether the running task holds it."""
        return self._busy and self._owner is asyncio.current_task()

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        """Hold the line; a sweep holds it over all its questions, so that nobody's time-out falls between them."""
        if self.mine:
            yield
            return
        await self._take(rank)
        self._owner = asyncio.current_task()
        try:
            yield
        finally:
            self._owner = None
            self._pass_on()

    async def _take(self, rank: int) -> None:
        if not self._busy:
            self._busy = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._numbers), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was ours already
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, following = heapq.heappop(self._waiting)
            if not following.done():
                following.set_result(None)
                return
        self._busy = False
