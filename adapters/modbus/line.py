"""The connection under a bus: opened, lost, and exchanged for a new one when an old answer may still be on its way."""

from __future__ import annotations

import asyncio

from adapters.modbus.client import Client, WireError
from adapters.modbus.settings import BusSettings, ModbusRtuSettings
from adapters.modbus.timing import timing_of
from gateway.ports import Clock

SETTLE_S = 0.004
"""RTU: so long after an answer the line must stay silent; what follows at once shows that it was not our answer."""
SILENT_BITS = 38.5
"""The silence between two frames: 3.5 characters of 11 bits (Modbus over Serial Line 1.02, 2.5.1.1)."""


class Line:
    """One serial port or TCP connection; `lost` is set when it must be opened again after the usual back-off."""

    def __init__(self, name: str, settings: BusSettings, clock: Clock) -> None:
        self.name = name
        self.serial = isinstance(settings, ModbusRtuSettings)
        self.rtu = isinstance(settings, ModbusRtuSettings) or settings.framing == "rtu"
        self.timing = timing_of(settings, ())
        self.lost = asyncio.Event()
        self._settings, self._clock = settings, clock
        self._client: Client | None = None
        self._dropped = False

    @property
    def connected(self) -> bool:
        """Whether it is open, or about to be opened by the next question."""
        return self._client is not None or self._dropped

    async def open(self) -> bool:
        """Open it once; False when the peer is absent."""
        self.close()
        self.lost.clear()
        client = Client(self.name, self._settings, self.timing, lambda up: self._changed(client, up))
        try:
            async with asyncio.timeout(max(3.0, self.timing.timeout_s)):
                opened = await client.connect()
        except (TimeoutError, OSError, WireError):
            opened = False
        except asyncio.CancelledError:
            client.close()
            raise
        if not opened:
            client.close()
            return False
        await self.pause(self.timing.connect_delay_ms / 1000)
        self._client = client
        if client.lost:
            self.lost.set()
        return True

    def close(self) -> None:
        """Close it; there is no client until it is opened again."""
        client, self._client = self._client, None
        self._dropped = False
        if client:
            client.close()

    def drop(self) -> None:
        """Close it, and let the next question open another: no old answer comes over a new TCP connection."""
        self.close()
        self._dropped = True

    async def client(self) -> Client | None:
        """The connection; one that was dropped is opened at once, and given up to the usual back-off when refused."""
        if self._dropped and not await self.open():
            self.lost.set()
        return self._client

    async def settle(self, client: Client) -> None:
        """An RTU answer without a number of its own is ours only if nothing follows it: two are one too many."""
        if not self.rtu:
            return
        await self.pause(max(SETTLE_S, SILENT_BITS / self.timing.baudrate) if self.serial else SETTLE_S)
        if client.strayed:
            raise WireError("two answers came to one question")

    async def pause(self, real_s: float) -> None:
        """Wait so many s of the world."""
        if real_s > 0:
            await self._clock.sleep(0, real_floor=real_s)

    def _changed(self, client: Client, up: bool) -> None:
        if not up and client is self._client:
            self.lost.set()
