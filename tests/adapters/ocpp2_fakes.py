"""A charge point of OCPP 2.0.1 or 2.1 that encodes its frames by itself (it shares no code with the product)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from websockets.asyncio.client import connect

from tests.adapters.ocpp_fakes import Home, Peer, stamp, until

Variables = dict[tuple[str, str], str]


class Peer2(Peer):
    """A charge point with a device model: `variables` by (component, variable); what is not there is unknown."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.variables: Variables = {}
        self.refused: set[tuple[str, str]] = set()
        self.most_items = 100
        self._seq: dict[str, int] = {}
        self.rules["GetVariables"] = self._get
        self.rules["SetVariables"] = self._set

    def _get(self, payload: dict[str, Any]) -> dict[str, Any]:
        assert len(payload["getVariableData"]) <= self.most_items
        return {"getVariableResult": [self._held(item) for item in payload["getVariableData"]]}

    def _held(self, item: dict[str, Any]) -> dict[str, Any]:
        key = (item["component"]["name"], item["variable"]["name"])
        if key not in self.variables:
            return {**item, "attributeStatus": "UnknownVariable"}
        return {**item, "attributeStatus": "Accepted", "attributeValue": self.variables[key]}

    def _set(self, payload: dict[str, Any]) -> dict[str, Any]:
        assert len(payload["setVariableData"]) <= self.most_items
        results = []
        for item in payload["setVariableData"]:
            key = (item["component"]["name"], item["variable"]["name"])
            status = "Rejected" if key in self.refused else "Accepted"
            if status == "Accepted":
                self.variables[key] = item["attributeValue"]
            results.append({"component": item["component"], "variable": item["variable"], "attributeStatus": status})
        return {"setVariableResult": results}

    async def boot(self, reason: str = "PowerUp", **fields: Any) -> dict[str, Any]:
        station = {"vendorName": "Acme", "model": "Two", "firmwareVersion": "2", "serialNumber": "S1", **fields}
        return await self.send("BootNotification", reason=reason, chargingStation=station)

    async def plug(self, status: str = "Occupied", evse: int = 1, connector: int = 1) -> None:
        await self.send(
            "StatusNotification",
            timestamp=stamp(self.now()), connectorStatus=status, evseId=evse, connectorId=connector,
        )  # fmt: skip

    async def event(
        self,
        kind: str,
        transaction: str = "T-1",
        *,
        register: float | None = None,
        power: float | None = None,
        state: str = "",
        seq: int | None = None,
        time: datetime | None = None,
        evse: int | None = None,
        tag: str = "",
        **fields: Any,
    ) -> dict[str, Any]:
        """One TransactionEvent; `register` Wh and `power` W travel inside."""
        number = self._seq.get(transaction, 0) if seq is None else seq
        self._seq[transaction] = number + 1
        at = stamp(time or self.now())
        info: dict[str, Any] = {"transactionId": transaction, **({"chargingState": state} if state else {})}
        payload: dict[str, Any] = {
            "eventType": kind, "timestamp": at, "triggerReason": "MeterValuePeriodic", "seqNo": number,
            "transactionInfo": info, **fields,
        }  # fmt: skip
        sampled = []
        if register is not None:
            sampled.append({"value": register, "measurand": "Energy.Active.Import.Register"})
        if power is not None:
            sampled.append({"value": power, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}})
        if sampled:
            payload["meterValue"] = [{"timestamp": at, "sampledValue": sampled}]
        if evse is not None:
            payload["evse"] = {"id": evse}
        if tag:
            payload["idToken"] = {"idToken": tag, "type": "ISO14443"}
        return await self.send("TransactionEvent", **payload)

    def limits(self) -> list[dict[str, Any]]:
        """The SetChargingProfile requests it was sent, in order."""
        return [payload for action, payload in self.calls if action == "SetChargingProfile"]

    async def is_set_up(self) -> None:
        await until(lambda: any(action == "GetBaseReport" for action, _ in self.calls))


@asynccontextmanager
async def peer2(where: Home, identity: str = "CP1", version: str = "2.0.1", **options: Any) -> AsyncIterator[Peer2]:
    address = f"ws://127.0.0.1:{where.csms.port}/ocpp/{identity}"
    async with connect(address, subprotocols=[f"ocpp{version}"], compression=None, **options) as socket:  # type: ignore[list-item]
        client = Peer2(socket, where.clock)
        try:
            yield client
        finally:
            client.reader.cancel()
            await asyncio.gather(client.reader, return_exceptions=True)
