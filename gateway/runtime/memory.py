"""Memory that is no longer used goes back to the system; where the C library cannot be asked, nothing happens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.ports import Clock

if TYPE_CHECKING:
    from ctypes import CDLL

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
"""Parameters of mallopt (glibc, malloc.h)."""
LARGE_BYTES = 128 * 1024
"""glibc's own first choice. Left alone it grows with each large block that is freed, up to 32 MiB, and what a forecast
or a plan needed for a moment then stays with the process."""
FIRST_S, EVERY_S = 30.0, 900.0


def keep_little() -> None:
    """At the start of the process: large blocks are given back when freed, and all threads share one arena."""
    if (library := _library()) is not None:
        for parameter, value in ((ARENA_MAX, 1), (MMAP_THRESHOLD, LARGE_BYTES), (TRIM_THRESHOLD, LARGE_BYTES)):
            library.mallopt(parameter, value)


async def give_back(clock: Clock) -> None:
    """After the first plans and forecasts, and each quarter of an hour, free pages between used ones go back as well."""
    pause_s = FIRST_S
    while True:
        await clock.sleep(0, real_floor=pause_s)
        pause_s = EVERY_S
        if (library := _library()) is not None:
            await asyncio.to_thread(library.malloc_trim, 0)


def _library() -> CDLL | None:
    """glibc; None where the C library is another one."""
    import ctypes

    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
