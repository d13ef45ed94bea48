"""Server-sent events: the state at every change, at most one a second, and again while nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from fastapi.responses import Response, StreamingResponse

from gateway.web.problems import Problem
from gateway.web.view import HomeView

LARGEST_COUNT = 32
RETRY_MS = 2000
QUIET_S = 15.0
LEAST_S = 1.0


class Streams:
    """The open streams of one server; their number is bounded."""

    def __init__(self, home: HomeView) -> None:
        self.home = home
        self.count = 0

    def open(self, document: Callable[[HomeView], str]) -> Response:
        """A new stream of documents (one line of JSON each); 503 when there are too many."""
        if self.count >= LARGEST_COUNT:
            raise Problem(503, "Too many pages are open on this home. Close one and reload.", {"Retry-After": "10"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._events(document), media_type="text/event-stream", headers=headers)

    async def _events(self, document: Callable[[HomeView], str]) -> AsyncIterator[str]:
        self.count += 1
        try:
            yield f"retry: {RETRY_MS}\n\n"
            version = -1
            while True:
                version = await self._changed(version)
                yield f"event: state\nid: {version}\ndata: {document(self.home)}\n\n"
                await self.home.clock.sleep(0, real_floor=LEAST_S)
        finally:
            self.count -= 1

    async def _changed(self, version: int) -> int:
        """The new version; the old one when nothing changed for a while, so that a page knows we live."""
        try:
            async with asyncio.timeout(QUIET_S):
                return await self.home.wait_change(version)
        except TimeoutError:
            return version
