"""OCPP 1.6 on one connection: inbox and set-up behind the one face of a version."""

from __future__ import annotations

from adapters.ocpp.connector import Connector
from adapters.ocpp.dialect import Host
from adapters.ocpp.dispatch import Payload
from adapters.ocpp.v16.inbox import Inbox
from adapters.ocpp.v16.setup import SetUp


class Dialect16:
    """OCPP 1.6 JSON with the security extensions."""

    def __init__(self, host: Host) -> None:
        self._inbox = Inbox(host)
        self._set_up = SetUp(host)

    async def handle(self, action: str, payload: Payload) -> Payload:
        """The answer to one call; raises Refusal, StoreError (then nothing was acknowledged)."""
        return await self._inbox.handle(action, payload)

    async def ask_boot(self) -> bool:
        """TriggerMessage for a BootNotification; raises LinkLost."""
        return await self._set_up.trigger("BootNotification")

    async def set_up(self) -> None:
        """Discover, leave the safe default, ask for samples; each step may fail alone; raises LinkLost."""
        await self._set_up.run()

    async def poll(self, connector: Connector) -> bool:
        """TriggerMessage for MeterValues (section 5.17); raises LinkLost."""
        return await self._set_up.trigger("MeterValues", connectorId=connector.evse)
