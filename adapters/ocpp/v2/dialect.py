"""OCPP 2.0.1 and 2.1 on one connection: inbox and set-up behind the one face of a version."""

from __future__ import annotations

from adapters.ocpp.connector import Connector
from adapters.ocpp.dialect import Host
from adapters.ocpp.dispatch import Payload
from adapters.ocpp.v2.inbox import Inbox, is_of_2, is_of_16
from adapters.ocpp.v2.setup import SetUp
from adapters.ocpp.v16.dialect import Dialect16
from adapters.ocpp.v16.inbox import Inbox as Inbox16


class Dialect2:
    """OCPP 2.0.1 and 2.1; what a charger still says as in 1.6 is understood as such."""

    def __init__(self, host: Host) -> None:
        self._inbox = Inbox(host)
        self._older = Inbox16(host)
        self._set_up = SetUp(host)
        self._host = host
        self._writes_16 = self._writes_2 = False
        self._told: bool | None = None
        """Whether it has a device model; None before it was asked."""

    async def handle(self, action: str, payload: Payload) -> Payload:
        """The answer to one call; raises Refusal, StoreError (then nothing was acknowledged)."""
        if is_of_16(action, payload):
            answer = await self._older.handle(action, payload)
            self._writes_16 = True
            await self._look_inside()
            return answer
        self._writes_2 = self._writes_2 or is_of_2(action, payload)
        return await self._inbox.handle(action, payload)

    async def ask_boot(self) -> bool:
        """TriggerMessage for a BootNotification; raises LinkLost."""
        return await self._set_up.trigger("BootNotification")

    async def set_up(self) -> None:
        """Discover, leave the safe default, ask for samples; each step may fail alone; raises LinkLost."""
        self._told = await self._set_up.discover()
        if not await self._look_inside():
            await self._set_up.run()

    async def _look_inside(self) -> bool:
        """Whether it writes only as in 1.6 and knows no device model: then our calls must be of 1.6 too."""
        if not self._writes_16 or self._writes_2 or self._told is not False:
            return False
        return await self._host.older_inside(True)

    async def poll(self, connector: Connector) -> bool:
        """TriggerMessage for the transaction's event, which brings its meter values, else for MeterValues (F06)."""
        return await self._set_up.trigger("TransactionEvent", connector.evse) or await self._set_up.trigger(
            "MeterValues", connector.evse
        )


class OlderInside(Dialect16):
    """OCPP 1.6 with a charger that dialled as 2.x; one message of 2.x proper, and it is taken at its word again."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._host = host
        self._newer = Inbox(host)

    async def handle(self, action: str, payload: Payload) -> Payload:
        """The answer to one call of either version; raises Refusal, StoreError (then nothing was acknowledged)."""
        if is_of_2(action, payload):
            await self._host.older_inside(False)
            return await self._newer.handle(action, payload)
        return await super().handle(action, payload)
