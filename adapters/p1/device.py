"""The smart meter at a P1 port as a Meter: it speaks by itself, a telegram is one set of readings."""

from __future__ import annotations

import asyncio
from datetime import datetime

from adapters.p1.connection import P1Line
from adapters.p1.settings import P1DeviceSettings
from adapters.p1.telegram import Telegram
from gateway.model.errors import DeviceAnswerWrong, DeviceError, DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.site import Device
from gateway.ports import Clock

CHECK = "Check the cable, and that the P1 port is switched on"
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
        self._missing: tuple[str, ...] = ()

    @property
    def troubles(self) -> str:
        """What is wrong with its telegrams, in words; empty when nothing is."""
        return self._line.trouble or "; ".join(self._missing)

    async def read(self) -> list[Reading]:
        """The readings of the next telegram; raises DeviceUnreachable when none comes in time.

        DeviceAnswerWrong when telegrams come and none is believed.

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
        raise self._silence()

    def _silence(self) -> DeviceError:
        """Why no telegram came that could be used."""
        for_so_long = f"for {self._settings.expire_after_s:g} s"
        if not self._line.connected:
            return DeviceUnreachable(self.id, "read", f"{self._line.name} is not connected {for_so_long}", CHECK)
        if self._line.trouble:
            remedy = "Check cable and reader (speed 115200 8N1, signal not inverted twice), and that the meter is DSMR 4 or later"
            return DeviceAnswerWrong(self.id, "read", self._line.trouble, remedy)
        return DeviceUnreachable(self.id, "read", f"no new telegram came {for_so_long}", CHECK)

    async def _next(self) -> list[Reading]:
        while True:
            latest = self._inbox.take()
            if latest is None:
                await self._inbox.arrived.wait()
                continue
            telegram, time = latest
            if telegram != self._last:
                self._last, values = telegram, telegram.values()
                self._missing = tuple(f"{q.value}: {value}" for q, value in values.items() if isinstance(value, str))
                return [self._reading(q, value, time) for q, value in values.items()]

    def _reading(self, quantity: Quantity, value: float | str, time: datetime) -> Reading:
        if isinstance(value, str):
            return Reading(self.id, quantity, None, time, Quality.MISSING, value)
        return Reading(self.id, quantity, value, time)
