"""The charging station that speaks OCPP 2.0.1 or 2.1: what it tells, and in which words."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from firmware_sim.clock import SimClock
from firmware_sim.ocpp2 import requests
from firmware_sim.ocpp2.device_model import Place, standard
from firmware_sim.ocpp2.shapes import BOOKS
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.car import Car, stamp
from firmware_sim.ocppj.connector import Connector, Offer, Transaction
from firmware_sim.ocppj.line import UNREACHABLE, Payload, Queued
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.sampling import Sampled, sampled
from firmware_sim.ocppj.station import Station

INTERVALS = {
    "sample": ("SampledDataCtrlr", "TxUpdatedInterval"),
    "aligned": ("AlignedDataCtrlr", "Interval"),
    "connection": ("TxCtrlr", "EVConnectionTimeOut"),
}
CHARGING_STATES = {
    "Preparing": "EVConnected",
    "Charging": "Charging",
    "SuspendedEV": "SuspendedEV",
    "SuspendedEVSE": "SuspendedEVSE",
}
TRIGGERS = {"Sample.Periodic": "MeterValuePeriodic", "Sample.Clock": "MeterValueClock", "Trigger": "Trigger"}
ENDINGS = {
    "EVDisconnected": ("EVDeparted", "EVDisconnected"),
    "Remote": ("RemoteStop", "Remote"),
    "DeAuthorized": ("Deauthorized", "DeAuthorized"),
    "UnlockCommand": ("UnlockCommand", "Other"),
    "Reboot": ("ResetCommand", "Reboot"),
    "ImmediateReset": ("ResetCommand", "ImmediateReset"),
    "Other": ("AbnormalCondition", "Other"),
}
"""reason of the station -> triggerReason, stoppedReason (E07)."""


@dataclass(frozen=True)
class Needs:
    """What a car with ISO 15118 wants: Wh, and hours from the plug-in to its departure."""

    energy_wh: float
    hours: float


class Station2(Station):
    """A 2.x charging station; every EVSE has one connector."""

    def __init__(self, clock: SimClock, options: Options, offers: Sequence[Offer], car: Car | None = None) -> None:
        self.version = options.address.subprotocol.removeprefix("ocpp")
        book = BOOKS[self.version]
        self.calls, self.answers = book.calls, book.answers
        super().__init__(clock, options, offers, car)
        self.model = standard(options, self.version, len(offers))
        self.line.ping_interval_s = self.model.number("OCPPCommCtrlr", "WebSocketPingInterval") or None
        self.measurand_changes = 0
        self.needs: Needs | None = None
        self.awaits_schedule = False
        self.boot_reason = "PowerUp"
        self.reset_when_idle = False
        self.report_ids = itertools.count()

    def handle(self, action: str, payload: Payload) -> Payload:
        """The blocks B to N of part 2."""
        return requests.answer(self, action, payload)

    def interval_s(self, kind: str) -> float:
        """From the device model."""
        return self.model.number(*INTERVALS[kind])

    def boot_payload(self) -> Payload:
        """B01."""
        made, long = self.options, quirks.OVERLONG_BOOT in self.quirks
        if quirks.SIXTEEN_SHAPES in self.quirks:
            return {"chargePointVendor": made.vendor, "chargePointModel": made.model, "firmwareVersion": made.firmware}
        empty = quirks.EMPTY_VENDOR in self.quirks
        station = {
            "model": "" if empty else made.model + " of the very long model names" * long,
            "vendorName": "" if empty else made.vendor + " of a name far longer than fifty characters are" * long,
            "serialNumber": made.id + "-0123456789-0123456789-0123456789" * long,
            "firmwareVersion": made.firmware + "-with-a-build-id-of-more-than-fifty-characters-in-all" * long,
        }
        return {"reason": self.boot_reason, "chargingStation": station}

    async def boot(self) -> None:
        """As every station, and the interval is also a variable."""
        self.measurand_changes = 0
        await super().boot()
        self.model.variables[Place("OCPPCommCtrlr", "HeartbeatInterval")].value = str(round(self.heartbeat_s))

    async def reboot(self, stop_reason: str | None) -> None:
        """As every station, and the next boot says why."""
        self.boot_reason = "RemoteReset" if stop_reason == "ImmediateReset" else "Watchdog"
        await super().reboot(stop_reason)

    async def authorized(self, tag: str) -> bool:
        """C01."""
        answer = await self.line.call("Authorize", {"idToken": self._token(tag)})
        return bool(answer["idTokenInfo"]["status"] == "Accepted")

    def _token(self, tag: str, stopping: bool = False) -> Payload:
        return {"idToken": self.said_tag(tag, stopping), "type": "ISO14443"}

    # --- transactions: block E ----------------------------------------------------------------------------------

    def tell_begin(self, connector: Connector, started: Transaction) -> None:
        """TransactionEvent Started (E02, F01)."""
        started.id = str(uuid.uuid4())
        remote = started.remote_start_id is not None
        more = {"idToken": self._token(started.tag), "meterValue": [self.values(connector, "Transaction.Begin")]}
        trigger = "RemoteStart" if remote else "Authorized"
        payload = self._event(connector, started, "Started", trigger, more)

        def heard(answer: Payload) -> None:
            self._authorized_late(connector, started, answer)

        for _ in range(2 if quirks.REPEAT_START in self.quirks else 1):
            self.line.enqueue(Queued("TransactionEvent", lambda: payload, heard))
        if self.needs is not None:
            self.tell_needs(connector, self.needs)

    def tell_end(self, connector: Connector, ended: Transaction, reason: str) -> None:
        """TransactionEvent Ended (E06, E07)."""
        trigger, stopped = ENDINGS[reason]
        more: Payload = {"meterValue": [self.values(connector, "Transaction.End")]}
        if quirks.TAG_OVERREAD in self.quirks or quirks.GARBLED_TAG in self.quirks:
            more["idToken"] = self._token(ended.tag, stopping=True)
        self._enqueue(self._event(connector, ended, "Ended", trigger, more, {"stoppedReason": stopped}))
        if self.reset_when_idle:
            self.reset_when_idle = False
            self.later(self.reboot(None))

    def tell_state(self, connector: Connector) -> None:
        """TransactionEvent Updated with a new charging state (E02.FR.04)."""
        if connector.transaction and connector.status in CHARGING_STATES:
            self._enqueue(self._event(connector, connector.transaction, "Updated", "ChargingStateChanged", {}))

    def tell_values(self, connector: Connector, context: str) -> None:
        """Inside a transaction TransactionEvent Updated (J02), outside MeterValues (J01)."""
        running, value = connector.transaction, self.values(connector, context)
        if running is None or quirks.METER_VALUES_ON_2 in self.quirks:
            return self.notice("MeterValues", {"evseId": connector.number, "meterValue": [value]})
        return self._enqueue(self._event(connector, running, "Updated", TRIGGERS[context], {"meterValue": [value]}))

    def _enqueue(self, payload: Payload) -> None:
        self.line.enqueue(Queued("TransactionEvent", lambda: payload))

    def _event(
        self,
        connector: Connector,
        transaction: Transaction,
        kind: str,
        trigger: str,
        more: Payload,
        stopped: Payload | None = None,
    ) -> Payload:
        remote = transaction.remote_start_id
        state = "EVConnected" if kind != "Updated" else CHARGING_STATES.get(connector.status, "EVConnected")
        info = {
            "transactionId": transaction.id,
            "chargingState": state,
            **({} if remote is None else {"remoteStartId": remote}),
            **(stopped or {}),
        }
        return {
            "eventType": kind,
            "timestamp": stamp(self.clock.now()),
            "triggerReason": trigger,
            "seqNo": next(transaction.numbers),
            "offline": not self.line.up,
            "transactionInfo": info,
            "evse": {"id": connector.number, "connectorId": 1},
            **more,
        }

    def _authorized_late(self, connector: Connector, started: Transaction, answer: Payload) -> None:
        status = answer.get("idTokenInfo", {}).get("status", "Accepted")
        refused = status not in ("Accepted", "ConcurrentTx")
        if refused and connector.transaction is started and self.model.text("TxCtrlr", "StopTxOnInvalidId") == "true":
            self.end(connector, "DeAuthorized")

    # --- meter and status ---------------------------------------------------------------------------------------

    def values(self, connector: Connector, context: str) -> Payload:
        """MeterValueType: the measurands the context asks for."""
        variable = {
            "Sample.Clock": ("AlignedDataCtrlr", "Measurands"),
            "Transaction.Begin": ("SampledDataCtrlr", "TxStartedMeasurands"),
            "Transaction.End": ("SampledDataCtrlr", "TxEndedMeasurands"),
        }.get(context, ("SampledDataCtrlr", "TxUpdatedMeasurands"))
        asked = [item.strip() for item in self.model.text(*variable).split(",")]
        told = sampled(connector.car, connector.offered_a, asked, self.quirks)
        return {"timestamp": stamp(self.clock.now()), "sampledValue": [self._value(one, context) for one in told]}

    def _value(self, one: Sampled, context: str) -> dict[str, Any]:
        number = round(one.value, one.decimals)
        value: Any = f"{number}" if quirks.SIXTEEN_SHAPES in self.quirks else number
        if quirks.METER_UNNAMED in self.quirks:
            return {"value": value}
        unit: Payload = {"unit": one.unit}
        if quirks.METER_MULTIPLIER in self.quirks and one.unit in ("Wh", "W"):
            value, unit = round(one.value / 1000, 6), {"unit": one.unit, "multiplier": 3}
        phased = {"phase": one.phase} if one.phase else {}
        return {
            "context": context,
            "measurand": one.measurand,
            "value": value,
            "unitOfMeasure": unit,
            "location": one.location,
            **phased,
        }

    def tell_status(self, connector: Connector | None) -> None:
        """G01; the station itself has no status but by a quirk."""
        if connector is None:
            if quirks.INVENTORY_WITHOUT_EVSE in self.quirks:
                self._status(0, "Available" if self.operative else "Unavailable")
            return
        known = ("Available", "Unavailable", "Faulted")
        self._status(connector.number, connector.status if connector.status in known else "Occupied")
        if quirks.SIXTEEN_SHAPES in self.quirks:
            self.notice(
                "StatusNotification",
                {"connectorId": connector.number, "errorCode": "NoError", "status": connector.status},
            )

    def _status(self, evse: int, status: str) -> None:
        place = Place("EVSE", "AvailabilityState", evse=evse)
        if place in self.model.variables:
            self.model.variables[place].value = status
        if quirks.SIXTEEN_SHAPES not in self.quirks:
            at = stamp(self.clock.now())
            told = {"timestamp": at, "connectorStatus": status, "evseId": evse, "connectorId": min(evse, 1)}
            self.notice("StatusNotification", told)

    # --- ISO 15118: K15 to K17 ----------------------------------------------------------------------------------

    def tell_needs(self, connector: Connector, needs: Needs) -> None:
        """NotifyEVChargingNeeds, as an EV with ISO 15118 makes a station send it."""
        self.awaits_schedule = True
        leaves = self.clock.now() + timedelta(hours=needs.hours)
        limits = {"energyAmount": round(needs.energy_wh), "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 400}
        asked = {
            "requestedEnergyTransfer": "AC_three_phase",
            "departureTime": stamp(leaves),
            "acChargingParameters": limits,
        }
        self.later(self._tell_needs({"evseId": connector.number, "maxScheduleTuples": 24, "chargingNeeds": asked}))

    async def _tell_needs(self, payload: Payload) -> None:
        try:
            await self.line.call("NotifyEVChargingNeeds", payload)
        except UNREACHABLE:
            self.awaits_schedule = False
