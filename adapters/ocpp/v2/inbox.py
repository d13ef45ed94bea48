"""What an OCPP 2.0.1 or 2.1 charger tells us: one method per message, each returns the answer.

Messages of things that a home does without (tariffs, payment, battery swap, firmware on the local network) are noted
or refused in the standard's own words; what is no message for a central system is NotSupported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from adapters.ocpp import events
from adapters.ocpp.dialect import Host, located, note_stranger
from adapters.ocpp.dispatch import Payload, Refusal
from adapters.ocpp.facts import Make
from adapters.ocpp.samples import Sample
from adapters.ocpp.v2.model import report_items
from adapters.ocpp.v2.needs import to_needs, to_soc
from adapters.ocpp.v2.samples import decode
from adapters.ocpp.v2.transactions import Transactions
from adapters.ocpp.wanted import HEARTBEAT_S
from adapters.ocpp.wire import clean, to_number, to_text, to_time
from gateway.model.quantity import Quantity
from gateway.model.snapshot import ChargePhase

KEPT_FEATURES = 3000
_STATES = {
    "Available": ChargePhase.AVAILABLE,
    "Reserved": ChargePhase.AVAILABLE,
    "Occupied": ChargePhase.PLUGGED,
    "Unavailable": ChargePhase.FAULTED,
    "Faulted": ChargePhase.FAULTED,
}
_BUSIEST = (ChargePhase.PLUGGED, ChargePhase.AVAILABLE, ChargePhase.FAULTED)
"""An EVSE may have several cables, of which one is in use at a time."""

NOTED: dict[str, Payload] = {
    "ClearedChargingLimit": {},
    "ClosePeriodicEventStream": {},
    "BatterySwap": {},
    "FirmwareStatusNotification": {},
    "LogStatusNotification": {},
    "NotifyChargingLimit": {},
    "NotifyCustomerInformation": {},
    "NotifyDERAlarm": {},
    "NotifyDERStartStop": {},
    "NotifyDisplayMessages": {},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
    "NotifyEvent": {},
    "NotifyMonitoringReport": {},
    "NotifyPeriodicEventStream": {},
    "NotifyPriorityCharging": {},
    "NotifySettlement": {},
    "NotifyWebPaymentStarted": {},
    "OpenPeriodicEventStream": {"status": "Accepted"},
    "PublishFirmwareStatusNotification": {},
    "ReportChargingProfiles": {},
    "ReportDERControl": {},
    "ReservationStatusUpdate": {},
    "SecurityEventNotification": {},
}
"""Messages that change nothing here, with their answers."""
REFUSED: dict[str, Payload] = {
    "DataTransfer": {"status": "UnknownVendorId"},
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "GetCertificateStatus": {"status": "Failed"},
    "PullDynamicScheduleUpdate": {"status": "Rejected"},
}
"""Requests whose refusal is one of their answers."""

Handler = Callable[[Payload], Awaitable[Payload]]


class Inbox:
    """The messages of one charge point, on one connection."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._transactions = Transactions(host)
        self._plugs: dict[tuple[int, float], ChargePhase] = {}
        self._handlers: dict[str, Handler] = {
            "Authorize": self._authorize,
            "BootNotification": self._boot_notification,
            "Heartbeat": self._heartbeat,
            "MeterValues": self._meter_values,
            "NotifyEVChargingNeeds": self._charging_needs,
            "NotifyReport": self._report,
            "SignCertificate": self._sign_certificate,
            "StatusNotification": self._status_notification,
            "TransactionEvent": self._transactions.take,
            "VatNumberValidation": self._vat_number,
        }

    async def handle(self, action: str, payload: Payload) -> Payload:
        """The answer to one call; raises Refusal, StoreError (then nothing was acknowledged)."""
        if action in NOTED:
            self._host.noted(action, payload)
            return NOTED[action]
        if action in REFUSED:
            return REFUSED[action]
        handler = self._handlers.get(action)
        if handler is None:
            raise Refusal("NotSupported", f"{action} is not for a central system")
        for connector in self._host.connectors.values():
            await connector.recall_needs()
        answer = await handler(payload)
        # A car's word is acknowledged once it is kept, and ends with its session.
        for connector in self._host.connectors.values():
            await connector.keep_needs()
        return answer

    # ---- life signs

    async def _boot_notification(self, payload: Payload) -> Payload:
        station = payload["chargingStation"]
        make = Make(*(clean(station.get(key)) for key in ("vendorName", "model", "firmwareVersion")))
        await self._host.facts.boot(make, clean(station.get("serialNumber")))
        if payload.get("reason") != "Triggered":  # we asked for it: nothing was lost
            for connector in self._host.connectors.values():
                events.rebooted(connector)
        return {"status": "Accepted", "currentTime": to_text(self._host.clock.now()), "interval": HEARTBEAT_S}

    async def _heartbeat(self, _: Payload) -> Payload:
        return {"currentTime": to_text(self._host.clock.now())}

    async def _authorize(self, payload: Payload) -> Payload:
        if payload.get("certificate") or payload.get("iso15118CertificateHashData"):
            # Contract certificates are not checked here: the car is asked for another identification (C07).
            return {"idTokenInfo": {"status": "Unknown"}, "certificateStatus": "NoCertificateAvailable"}
        return {"idTokenInfo": {"status": "Accepted"}}  # a home's charger on a home's network

    async def _sign_certificate(self, payload: Payload) -> Payload:
        csr, sign = payload.get("csr"), self._host.sign
        kind = clean(payload.get("certificateType")) or "ChargingStationCertificate"
        taken = isinstance(csr, str) and sign is not None and await sign(csr, kind)
        return {"status": "Accepted" if taken else "Rejected"}

    async def _vat_number(self, payload: Payload) -> Payload:
        return {"status": "Rejected", "vatNumber": payload["vatNumber"]}

    # ---- status

    async def _status_notification(self, payload: Payload) -> Payload:
        evse, phase = int(to_number(payload.get("evseId")) or 0), _STATES.get(clean(payload.get("connectorStatus")))
        connector, time = self._host.connectors.get(evse), to_time(payload.get("timestamp"))
        if connector is None or phase is None:
            note_stranger(self._host, evse)
            return {}
        self._plugs[evse, to_number(payload.get("connectorId")) or 0.0] = phase
        plugs = [held for (number, _), held in self._plugs.items() if number == evse]
        phase = next(busiest for busiest in _BUSIEST if busiest in plugs)
        before = connector.live.phase
        in_session = connector.book.open_session() is not None
        if phase is ChargePhase.PLUGGED and before is ChargePhase.CHARGING and in_session:
            phase = before  # Occupied says less than the charging state did
        # Authorised first and plugged later, a transaction may run while nothing is plugged in yet (E02).
        orphaned = phase is ChargePhase.AVAILABLE and before is not ChargePhase.AVAILABLE
        error = clean(payload.get("connectorStatus")) if phase is ChargePhase.FAULTED else ""
        await connector.stamped(time, is_word=True)
        await events.take_status(connector, phase, time, error, orphaned=orphaned)
        if connector.live.phase is ChargePhase.AVAILABLE and connector.book.open_session() is None:
            connector.needs = None  # also where it left while nobody looked
        return {}

    # ---- meter values and needs

    async def _meter_values(self, payload: Payload) -> Payload:
        """Outside of a transaction; and of chargers that send them instead of Updated events."""
        evse = int(to_number(payload.get("evseId")) or 0)
        connector = located(self._host.connectors, evse)
        if connector is None:
            note_stranger(self._host, evse)
            return {}
        session = connector.book.open_session() if evse > 0 else None
        samples = decode(payload.get("meterValue") or [], connector.spec.phases)
        await events.take_samples(connector, samples, session.transaction if session else None)
        events.infer_charging(connector, whenever=not connector.state_told)
        return {}

    async def _charging_needs(self, payload: Payload) -> Payload:
        connector = located(self._host.connectors, int(to_number(payload.get("evseId")) or 0))
        if connector is None:
            return {"status": "Rejected"}
        session = connector.book.open_session()
        needs = to_needs(payload, self._host.clock.now())
        connector.needs = replace(needs, session_wh=session.energy_wh if session else 0.0)
        if (soc := to_soc(payload)) is not None:
            connector.measured(connector.live.take_sample(Sample(None, {Quantity.SOC: soc})))
        connector.limiter.tell_again()
        connector.wish_is_due = True  # a schedule follows our answer, even if it says nothing new (K15)
        connector.changed("needs")
        return {"status": "Accepted" if connector.has_wish else "Processing"}

    # ---- the device model

    async def _report(self, payload: Payload) -> Payload:
        features = self._host.features
        for name, value in report_items(payload.get("reportData") or []):
            if name in features or len(features) < KEPT_FEATURES:
                features[name] = value
        return {}


def is_of_16(action: str, payload: dict[str, Any]) -> bool:
    """Whether a message is one that only OCPP 1.6 has, in name or in shape (firmware that kept its old encoder)."""
    if action in ("StartTransaction", "StopTransaction", "DiagnosticsStatusNotification"):
        return True
    marks = {
        "Authorize": ("idTag",),
        "BootNotification": ("chargePointVendor", "chargePointModel"),
        "MeterValues": ("connectorId", "transactionId"),
        "StatusNotification": ("errorCode", "status"),
    }
    return any(mark in payload for mark in marks.get(action, ())) and not _has_own_fields(action, payload)


def is_of_2(action: str, payload: dict[str, Any]) -> bool:
    """Whether a message is one that OCPP 1.6 does not have, in name or in shape."""
    return action in ("TransactionEvent", "NotifyReport", "NotifyEvent", "NotifyEVChargingNeeds") or _has_own_fields(
        action, payload
    )


def _has_own_fields(action: str, payload: dict[str, Any]) -> bool:
    own = {
        "Authorize": "idToken",
        "BootNotification": "chargingStation",
        "MeterValues": "evseId",
        "StatusNotification": "connectorStatus",
    }
    return own.get(action, "") in payload
