"""A device that is told of over the API: what a bridge posts becomes its readings."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping

from adapters.pushed.settings import PushedDeviceSettings, PushedSettings
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.site import Device
from gateway.ports import Clock

MIN_SILENCE_REAL_S = 2.0


class PushedDoor:
    """The connection of such devices: there is nothing to open."""

    def __init__(self, name: str, settings: PushedSettings, clock: Clock) -> None:
        self.name, self._clock = name, clock

    async def run(self) -> None:
        """Nothing to serve: the API brings what comes."""
        while True:
            await self._clock.sleep(3600.0, real_floor=60.0)


class PushedDevice:
    """A Meter whose readings somebody brings."""

    period_s = 0.0

    def __init__(self, device: Device, settings: PushedDeviceSettings, clock: Clock) -> None:
        self.id = device.id
        self._settings, self._clock = settings, clock
        self._told: asyncio.Queue[list[Reading]] = asyncio.Queue(maxsize=100)

    def push(self, values: Mapping[Quantity, float]) -> None:
        """Take values that somebody brings, as of now; more than a hundred that nobody read yet are dropped, oldest first."""
        if self._told.full():
            self._told.get_nowait()
        now = self._clock.now()
        self._told.put_nowait(
            [Reading(self.id, quantity, value, now, Quality.VALID) for quantity, value in values.items()]
        )

    def admits(self, token: str) -> bool:
        """Whether this is the bridge's token; takes as long for a wrong one as for the right one."""
        return hmac.compare_digest(token.encode(), self._settings.token.get_secret_value().encode())

    async def read(self) -> list[Reading]:
        """The next readings brought; raises DeviceUnreachable when none come in time."""
        news = asyncio.create_task(self._told.get(), name=f"{self.id} waits")
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
        words = f"nobody told anything of it for {self._settings.expire_after_s:g} s"
        raise DeviceUnreachable(self.id, "read", words, "Check the bridge that posts to the API.")
