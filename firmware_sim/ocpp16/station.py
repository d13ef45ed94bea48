"""The charge point that speaks OCPP 1.6: what it tells, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firmware_sim.clock import SimClock
from firmware_sim.ocpp16 import requests, shapes
from firmware_sim.ocpp16.configuration import standard
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.car import Car, stamp
from firmware_sim.ocppj.connector import Connector, Offer, Transaction
from firmware_sim.ocppj.line import Payload, Queued
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.sampling import Sampled, sampled
from firmware_sim.ocppj.station import Station

INTERVALS = {
    "sample": "MeterValueSampleInterval",
    "aligned": "ClockAlignedDataInterval",
    "connection": "ConnectionTimeOut",
}
ALIGNED = "Sample.Clock"


class Station16(Station):
    """A 1.6 charge point with one or more connectors."""

    version = "1.6"
    calls = shapes.CALLS
    answers = shapes.ANSWERS

    def __init__(self, clock: SimClock, options: Options, offers: Sequence[Offer], car: Car | None = None) -> None:
        if quirks.SIXTEEN_ON_201 in options.quirks:
            options.address.subprotocol = "ocpp2.0.1"
        super().__init__(clock, options, offers, car)
        self.config = standard(options, len(offers))
        self.line.ping_interval_s = self.config.number("WebSocketPingInterval") or None
        self.measurand_changes = 0

    def handle(self, action: str, payload: Payload) -> Payload:
        """Section 5."""
        return requests.answer(self, action, payload)

    def interval_s(self, kind: str) -> float:
        """From the configuration keys of section 9."""
        return self.config.number(INTERVALS[kind])

    def boot_payload(self) -> Payload:
        """Section 4.2."""
        made = self.options
        if quirks.EMPTY_VENDOR in self.quirks:
            return {"chargePointVendor": "", "chargePointModel": ""}
        long = quirks.OVERLONG_BOOT in self.quirks
        return {
            "chargePointVendor": made.vendor + " of a name that is far too long" * long,
            "chargePointModel": made.model + " of the very long model names" * long,
            "chargePointSerialNumber": made.id + "-0123456789-0123456789-0123456789" * long,
            "firmwareVersion": made.firmware + "-with-a-build-id-of-more-than-fifty-characters-in-all" * long,
        }

    async def boot(self) -> None:
        """As every station, and the interval is also a key."""
        self.measurand_changes = 0
        await super().boot()
        self.config.keys["HeartbeatInterval"].value = str(round(self.heartbeat_s))

    async def authorized(self, tag: str) -> bool:
        """Section 4.1."""
        answer = await self.line.call("Authorize", {"idTag": tag})
        return bool(answer["idTagInfo"]["status"] == "Accepted")

    def tell_begin(self, connector: Connector, started: Transaction) -> None:
        """Section 4.8."""
        payload = {
            "connectorId": connector.number,
            "idTag": self.said_tag(started.tag, stopping=False),
            "meterStart": round(started.meter_start_wh),
            "timestamp": stamp(started.started),
        }

        def named(answer: Payload) -> None:
            self._named(connector, started, answer)

        for _ in range(2 if quirks.REPEAT_START in self.quirks else 1):
            self.line.enqueue(Queued("StartTransaction", lambda: payload, named))

    def _named(self, connector: Connector, started: Transaction, answer: Payload) -> None:
        started.id = answer["transactionId"]
        refused = answer["idTagInfo"]["status"] not in ("Accepted", "ConcurrentTx")
        if refused and connector.transaction is started and self._stops_on_invalid_tag():
            self.end(connector, "DeAuthorized")

    def _stops_on_invalid_tag(self) -> bool:
        return self.config.keys["StopTransactionOnInvalidId"].value == "true"

    def tell_end(self, connector: Connector, ended: Transaction, reason: str) -> None:
        """Section 4.10."""
        at, register_wh = self.clock.now(), connector.car.energy_wh
        told = {"reason": reason} if reason != "Local" else {}
        self.line.enqueue(
            Queued(
                "StopTransaction",
                lambda: {
                    "transactionId": self._quoted(ended, unknown=-1),
                    "idTag": self.said_tag(ended.tag, stopping=True),
                    "meterStop": round(register_wh),
                    "timestamp": stamp(at),
                    **told,
                },
            )
        )

    def _quoted(self, transaction: Transaction, unknown: int | None = None) -> int | str | None:
        if quirks.GARBAGE_TRANSACTION_ID in self.quirks:
            return quirks.GARBAGE_ID
        if quirks.OFFLINE_MINUS_ONE in self.quirks and transaction.offline:
            return -1
        return unknown if transaction.id is None else transaction.id

    def tell_status(self, connector: Connector | None) -> None:
        """Section 4.9; connector 0 is the station."""
        number = connector.number if connector else 0
        status = connector.status if connector else "Available" if self.operative else "Unavailable"
        error = "OtherError" if status == "Faulted" else "NoError"
        self.notice(
            "StatusNotification",
            {"connectorId": number, "errorCode": error, "status": status, "timestamp": stamp(self.clock.now())},
        )

    def tell_values(self, connector: Connector, context: str) -> None:
        """Section 4.7; inside a transaction the message is kept for a broken line."""
        key = "MeterValuesAlignedData" if context == ALIGNED else "MeterValuesSampledData"
        told = sampled(connector.car, connector.offered_a, self.config.measurands(key), self.quirks)
        value = {"timestamp": stamp(self.clock.now()), "sampledValue": [self._value(one, context) for one in told]}
        running = connector.transaction
        if running is None:
            return self.notice("MeterValues", {"connectorId": connector.number, "meterValue": [value]})

        def build() -> Payload:
            quoted = self._quoted(running)
            named = {} if quoted is None else {"transactionId": quoted}
            return {"connectorId": connector.number, **named, "meterValue": [value]}

        return self.line.enqueue(Queued("MeterValues", build))

    def _value(self, one: Sampled, context: str) -> dict[str, Any]:
        blank = " " if quirks.METER_BLANKS in self.quirks else ""
        text = f"{blank}{one.value:.{one.decimals}f}{blank}"
        if quirks.METER_UNNAMED in self.quirks:
            return {"value": text}
        phased = {"phase": one.phase} if one.phase else {}
        return {
            "context": context,
            "measurand": one.measurand,
            "value": text,
            "unit": one.unit,
            "location": one.location,
            **phased,
        }
