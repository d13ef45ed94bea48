"""An event loop whose time jumps to the next timer when nothing else is to do, with wires in memory instead of sockets."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)


class _Jumping(selectors.DefaultSelector):
    """Does not wait: the loop's time goes on by what it would have waited."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout:
            self.waited_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`plug(protocol, transport)` is called for each connection somebody opens."""

    def __init__(self, plug: Callable[[asyncio.Protocol], asyncio.Transport]) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._plug = plug

    def time(self) -> float:
        return self._jumping.waited_s

    async def create_connection(self, protocol_factory: Any, *_: Any, **__: Any) -> Any:
        protocol = protocol_factory()
        transport = self._plug(protocol)
        protocol.connection_made(transport)
        return transport, protocol


class VirtualClock:
    """The product's clock on the loop's time."""

    speed = 1.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        await asyncio.sleep(max(seconds, real_floor, 0.0))
