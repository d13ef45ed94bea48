"""The smart meter at a P1 port as a Meter: it speaks by itself, a telegram is one set of readings."""

from __future__ import annotations

import asyncio
from datetime import datetime

from adapters.p1.connection import P1Line
from adapters.p1.settings import P1DeviceSettings
from adapters.p1.telegram import Telegram
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.site import Device
from gateway.ports import Clock

MIN_SILENCE_REAL_S = 2.0
"""However fast home time runs, the meter gets this long of the world's time to speak."""


class P1Meter:
    """A smart meter as Meter; its readings carry the time at which the telegram came, not the meter's own."""

    period_s = 0.0

    def __init__(self, device: Device, settings: P1DeviceSettings, line: P1Line, clock: Clock) -> None:
        self.id = device.id
        self._settings, self._line, self._clock = settings, line, clock
        self._inbox = line.listen()
        self._last: Telegram | None = None

    async def read(self) -> list[Reading]:
        """The readings of the next telegram; raises DeviceUnreachable when none comes in time.

        A telegram that is the last one over again, its time too, is no news: some readers repeat it when the cable is out.
        """
        news = asyncio.create_task(self._next(), name=f"{self.id} waits")
        sleep = self._clock.sleep(self._settings.expire_after_s, real_floor=MIN_SILENCE_REAL_S)
        ageing = asyncio.create_task(sleep, name=f"{self.id} ages")
        try:
            await asyncio.wait({news, ageing}, return_when=asyncio.FIRST_COMPLETED)
            if news.done():
                return news.result()
        finally:
            for task in (news, ageing):
                task.cancel()
            await asyncio.gather(news, ageing, return_exceptions=True)
        state = "no new telegram came" if self._line.connected else f"{self._line.name} is not connected"
        reason = f"{state} for {self._settings.expire_after_s:g} s"
        raise DeviceUnreachable(self.id, "read", reason, "Check the cable, and that the P1 port is switched on")

    async def _next(self) -> list[Reading]:
        while True:
            latest = self._inbox.take()
            if latest is None:
                await self._inbox.arrived.wait()
                continue
            telegram, time = latest
            if telegram != self._last:
                self._last = telegram
                return [self._reading(q, value, time) for q, value in telegram.values().items()]

    def _reading(self, quantity: Quantity, value: float | str, time: datetime) -> Reading:
        if isinstance(value, str):
            return Reading(self.id, quantity, None, time, Quality.MISSING, value)
        return Reading(self.id, quantity, value, time)
