"""The only clock: home time from the system's, at an epoch and a speed shared by every process of a demo."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Home time = `home_epoch` + (system time - `real_epoch`) x `speed`; in a real home simply system time.

    Home time is read from the monotonic clock after the start, so that a step of the system clock (NTP, no RTC)
    moves `now()` but never `monotonic()` or a running sleep.
    """

    def __init__(
        self, *, speed: float = 1.0, home_epoch: datetime | None = None, real_epoch: float | None = None
    ) -> None:
        if speed <= 0:
            raise ValueError("speed must be positive")
        self._speed = speed
        self._real_epoch = real_epoch if real_epoch is not None else time.time()
        self._home_epoch = home_epoch or datetime.fromtimestamp(self._real_epoch, UTC)

    @property
    def speed(self) -> float:
        """Home seconds per second of the world."""
        return self._speed

    def now(self) -> datetime:
        """Home time, aware UTC."""
        return self._home_epoch + timedelta(seconds=(time.time() - self._real_epoch) * self._speed)

    def monotonic(self) -> float:
        """Seconds of home time that never jump."""
        return time.monotonic() * self._speed

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        """Sleep `seconds` of home time, but at least `real_floor` seconds of the world's."""
        await asyncio.sleep(max(seconds / self._speed, real_floor, 0.0))
