"""What an OCPP 1.6 charger tells us: one method per message, each returns the answer (chapter 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from adapters.ocpp import events, stops
from adapters.ocpp.dialect import Host, located, note_stranger
from adapters.ocpp.dispatch import Payload, Refusal
from adapters.ocpp.facts import to_make
from adapters.ocpp.v16.samples import decode
from adapters.ocpp.wanted import HEARTBEAT_S
from adapters.ocpp.wire import clean, to_number, to_text, to_time
from gateway.model.snapshot import ChargePhase

ACCEPTED = {"idTagInfo": {"status": "Accepted"}}
CONNECTORS = 16
STRANGER = 2_000_000_000
"""Transaction id of a connector that is no device of ours, plus its number: nothing of it is booked."""

_PLUGGED_STATES = ("Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing")
_PHASES = {
    "Available": ChargePhase.AVAILABLE,
    "Reserved": ChargePhase.AVAILABLE,
    "Charging": ChargePhase.CHARGING,
    "Faulted": ChargePhase.FAULTED,
    "Unavailable": ChargePhase.FAULTED,
    **dict.fromkeys(_PLUGGED_STATES, ChargePhase.PLUGGED),
}
"""The nine states of section 4.9."""

NOTED = (
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "SecurityEventNotification",
    "SignedFirmwareStatusNotification",
)

Handler = Callable[[Payload], Awaitable[Payload]]


class Inbox:
    """The messages of one charge point, on one connection."""

    def __init__(self, host: Host) -> None:
        self._host = host
        for connector in host.connectors.values():
            connector.book.new_line()
        self._handlers: dict[str, Handler] = {
            "Authorize": self._authorize,
            "BootNotification": self._boot_notification,
            "DataTransfer": self._data_transfer,
            "Heartbeat": self._heartbeat,
            "MeterValues": self._meter_values,
            "SignCertificate": self._sign_certificate,
            "StartTransaction": self._start_transaction,
            "StatusNotification": self._status_notification,
            "StopTransaction": self._stop_transaction,
        }

    async def handle(self, action: str, payload: Payload) -> Payload:
        """The answer to one call; raises Refusal, StoreError (then nothing was acknowledged)."""
        if action != "StartTransaction":  # it may be said again, because its answer is awaited no longer
            for connector in self._host.connectors.values():
                connector.book.heard()
        if action in NOTED:
            self._host.noted(action, payload)
            return {}
        handler = self._handlers.get(action)
        if handler is None:
            raise Refusal("NotSupported", f"{action} is not for a central system")
        return await handler(payload)

    # ---- life signs

    async def _boot_notification(self, payload: Payload) -> Payload:
        await self._host.facts.boot(to_make(payload), clean(payload.get("chargePointSerialNumber")))
        for connector in self._host.connectors.values():
            events.rebooted(connector)
        return {"status": "Accepted", "currentTime": to_text(self._host.clock.now()), "interval": HEARTBEAT_S}

    async def _heartbeat(self, _: Payload) -> Payload:
        return {"currentTime": to_text(self._host.clock.now())}

    async def _data_transfer(self, _: Payload) -> Payload:
        return {"status": "UnknownVendorId"}

    async def _sign_certificate(self, payload: Payload) -> Payload:
        csr, sign = payload.get("csr"), self._host.sign
        taken = isinstance(csr, str) and sign is not None and await sign(csr, "ChargingStationCertificate")
        return {"status": "Accepted" if taken else "Rejected"}

    async def _authorize(self, _: Payload) -> Payload:
        return ACCEPTED  # a home's charger on a home's network: whoever stands at it may charge

    # ---- status

    async def _status_notification(self, payload: Payload) -> Payload:
        number, phase = _connector(payload), _PHASES.get(clean(payload.get("status")))
        connector = self._host.connectors.get(number)
        if connector is None or phase is None:
            note_stranger(self._host, number)
            return {}
        error, time = clean(payload.get("errorCode")), to_time(payload.get("timestamp"))
        orphaned = payload.get("status") == "Available"
        await connector.stamped(time, is_word=True)
        await events.take_status(
            connector, phase, time, "" if error == "NoError" else error, orphaned=orphaned, idle=True
        )
        return {}

    # ---- transactions

    async def _start_transaction(self, payload: Payload) -> Payload:
        number, tag, stamp = self._number(payload), clean(payload.get("idTag")), clean(payload.get("timestamp"))
        connector = located(self._host.connectors, number)
        if connector is None:
            note_stranger(self._host, number)
            return {"transactionId": STRANGER + number, "idTagInfo": {"status": "Blocked"}}
        before, meter_wh = connector.book.open_session(), to_number(payload.get("meterStart"))
        time = to_time(payload.get("timestamp"))
        await connector.stamped(time, is_word=True)
        session = await connector.book.start(number, tag, stamp, time, meter_wh)
        if events.is_current(connector, session) and (before is None or before.transaction != session.transaction):
            events.began(connector)
        connector.book.answered(session)
        return {"transactionId": session.transaction, **ACCEPTED}

    async def _stop_transaction(self, payload: Payload) -> Payload:
        transaction, register = to_number(payload.get("transactionId")), to_number(payload.get("meterStop"))
        if transaction is not None and 0 <= transaction - STRANGER <= CONNECTORS:
            return ACCEPTED
        time, reason = to_time(payload.get("timestamp")), clean(payload.get("reason")) or "Local"
        samples = payload.get("transactionData") or []
        await self._stop(transaction, time, register, reason, samples)
        return ACCEPTED

    async def _stop(
        self, transaction: float | None, time: datetime | None, register: float | None, reason: str, samples: list[Any]
    ) -> None:
        """End the session that is meant; what was ended in its place by guess goes to another."""
        if (transaction or 0.0) <= 0 and time is None and register is None:
            return  # it tells nothing by which a session could be known
        connectors = list(self._host.connectors.values())
        books = [connector.book for connector in connectors]
        choice = stops.choose(books, transaction, time, register)
        if choice is None:
            if register is not None:  # without one it could be matched to no start
                await books[stops.keeper(books, register)].stop_before_start(time, register, reason)
            return
        connector, session = connectors[choice.place], choice.session
        displaced = connector.book.mended(session) if choice.named else None
        if not choice.named:
            connector.book.guess(session, time, register, reason)
        await events.take_samples(connector, decode(samples, connector.spec.phases), session.transaction, ended=True)
        await events.end(connector, session, time, register, reason)
        if displaced is not None and (displaced.time, displaced.register_wh) != (time, register):
            await self._stop(None, displaced.time, displaced.register_wh, displaced.reason, [])

    # ---- meter values

    async def _meter_values(self, payload: Payload) -> Payload:
        number, transaction = self._number(payload), to_number(payload.get("transactionId"))
        connector = located(self._host.connectors, number)
        if connector is None:
            note_stranger(self._host, number)
            return {}
        in_session = transaction is not None or number > 0
        samples = decode(payload.get("meterValue") or [], connector.spec.phases)
        time = samples[0].time if samples else None
        session = connector.book.meant(transaction, number or None, time) if in_session else None
        await events.take_samples(connector, samples, session.transaction if session else None)
        events.infer_charging(connector)
        return {}

    def _number(self, payload: Payload) -> int:
        """The connector it names; where it names none, that of its transaction, else the only one."""
        if payload.get("connectorId") is not None:
            return _connector(payload)
        transaction, connectors = to_number(payload.get("transactionId")), self._host.connectors
        own = [
            one for one in connectors.values() if (held := one.book.open_session()) and held.transaction == transaction
        ]
        if not own and len(connectors) > 1:
            raise Refusal("OccurrenceConstraintViolation", "which connector is meant?")
        return next(iter(own or connectors.values())).evse


def _connector(payload: Payload) -> int:
    number = to_number(payload.get("connectorId"))
    if number is None or number != int(number) or not 0 <= number <= CONNECTORS:
        raise Refusal("PropertyConstraintViolation", "no such connector")
    return int(number)
