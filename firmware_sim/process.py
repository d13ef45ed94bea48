"""What every simulated device process does alike: say READY, run its tasks, end on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any


def ready(name: str, port: int) -> None:
    """Tell whoever started this process that it serves on `port`."""
    print(f"READY {name} port={port}", flush=True)


def run_process(body: Coroutine[Any, Any, None]) -> None:
    """Run `body` until it returns or a SIGTERM or SIGINT cancels it."""
    asyncio.run(_until_signal(body))


async def _until_signal(body: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(body)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
