"""What an OCPP 1.6 charger tells us: one method per message, each returns the answer (chapter 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from adapters.ocpp.dispatch import Payload, Refusal
from adapters.ocpp.facts import ChargerFacts, to_make
from adapters.ocpp.live import CONNECTORS, LiveState
from adapters.ocpp.sessions import ORPHAN, SessionBook
from adapters.ocpp.v16.limits import Limiter
from adapters.ocpp.v16.samples import Sample, decode
from adapters.ocpp.wire import clean, to_number, to_text, to_time
from gateway.model.quantity import Quantity
from gateway.model.reading import Reading
from gateway.model.snapshot import ChargePhase
from gateway.ports import Clock

HEARTBEAT_S = 60
ACCEPTED = {"idTagInfo": {"status": "Accepted"}}
DRAWING_W = 100.0

Handler = Callable[[Payload], Awaitable[Payload]]


class Inbox:
    """The messages of one known charger; `changed` hears what happened, `measured` gets live readings."""

    def __init__(
        self,
        live: LiveState,
        book: SessionBook,
        facts: ChargerFacts,
        limiter: Limiter,
        phases: tuple[int, ...],
        clock: Clock,
        changed: Callable[[str], None],
        measured: Callable[[list[Reading]], None],
    ) -> None:
        self._live = live
        self._book = book
        self._facts = facts
        self._limiter = limiter
        self._phases = phases
        self._clock = clock
        self._changed = changed
        self._measured = measured
        self._handlers: dict[str, Handler] = {
            "Authorize": self._authorize,
            "BootNotification": self._boot_notification,
            "DataTransfer": self._data_transfer,
            "DiagnosticsStatusNotification": self._noted,
            "FirmwareStatusNotification": self._noted,
            "Heartbeat": self._heartbeat,
            "LogStatusNotification": self._noted,
            "MeterValues": self._meter_values,
            "SecurityEventNotification": self._noted,
            "SignCertificate": self._sign_certificate,
            "SignedFirmwareStatusNotification": self._noted,
            "StartTransaction": self._start_transaction,
            "StatusNotification": self._status_notification,
            "StopTransaction": self._stop_transaction,
        }

    async def handle(self, action: str, payload: Payload) -> Payload:
        """The answer to one call; raises Refusal, StoreError (then nothing was acknowledged)."""
        handler = self._handlers.get(action)
        if handler is None:
            raise Refusal("NotSupported", f"{action} is not for a central system")
        return await handler(payload)

    # ---- life signs

    async def _boot_notification(self, payload: Payload) -> Payload:
        await self._facts.boot(to_make(payload))
        self._live.reboot()
        self._limiter.reboot()
        return {"status": "Accepted", "currentTime": to_text(self._clock.now()), "interval": HEARTBEAT_S}

    async def _heartbeat(self, _: Payload) -> Payload:
        return {"currentTime": to_text(self._clock.now())}

    async def _noted(self, _: Payload) -> Payload:
        return {}

    async def _data_transfer(self, _: Payload) -> Payload:
        return {"status": "UnknownVendorId"}

    async def _sign_certificate(self, _: Payload) -> Payload:
        return {"status": "Rejected"}

    async def _authorize(self, _: Payload) -> Payload:
        return ACCEPTED  # a home's charger on a home's network: whoever stands at it may charge

    # ---- status

    async def _status_notification(self, payload: Payload) -> Payload:
        connector, before = _connector(payload), self._live.phase
        status, time = clean(payload.get("status")), to_time(payload.get("timestamp"))
        if connector == 0 or not self._live.take_status(connector, status, time):
            return {}
        self._live.error = "" if payload.get("errorCode") == "NoError" else clean(payload.get("errorCode"))
        if status == "Available":
            await self._close_orphan(connector, time)
        self._tell_plug(before)
        self.rest()
        return {}

    async def _close_orphan(self, connector: int, time: datetime | None) -> None:
        """Nothing is plugged in, so the connector's session is over, even if its end was never told."""
        session = self._book.open_session(connector)
        if session is not None and (time is None or time >= session.start):
            await self._book.stop(session, time, None, ORPHAN + "the connector became available")
            self._changed("session")

    def _tell_plug(self, before: ChargePhase | None) -> None:
        was, is_now = (phase in (ChargePhase.PLUGGED, ChargePhase.CHARGING) for phase in (before, self._live.phase))
        if was != is_now:
            self._changed("plugged" if is_now else "unplugged")

    def rest(self) -> None:
        """Without a transaction and not charging no current flows: say so."""
        if self._book.open_session() is None and self._live.phase in (ChargePhase.AVAILABLE, ChargePhase.PLUGGED):
            self._measured(self._live.idle())

    # ---- transactions

    async def _start_transaction(self, payload: Payload) -> Payload:
        connector, before = _connector(payload), self._live.phase
        stamp, meter_wh = clean(payload.get("timestamp")), to_number(payload.get("meterStart")) or 0.0
        known = self._book.open_session(connector)
        session = await self._book.start(
            connector, clean(payload.get("idTag")), stamp, to_time(payload.get("timestamp")), meter_wh
        )
        current = self._book.open_session(connector)
        if current is session and known is not session:
            self._limiter.new_session()
            if before is not ChargePhase.CHARGING:
                self._live.assume(connector, ChargePhase.PLUGGED)
            self._tell_plug(before)
            self._changed("session")
        return {"transactionId": session.transaction, **ACCEPTED}

    async def _stop_transaction(self, payload: Payload) -> Payload:
        session = self._book.meant(to_number(payload.get("transactionId")), None)
        if session is not None:
            time, register = to_time(payload.get("timestamp")), to_number(payload.get("meterStop"))
            await self._take_values(payload.get("transactionData") or [], session.transaction)
            await self._book.stop(session, time, register, clean(payload.get("reason")) or "Local")
            if self._live.phase is ChargePhase.CHARGING:
                self._live.assume(session.connector, ChargePhase.PLUGGED)
            self._changed("session")
            self.rest()
        return ACCEPTED

    # ---- meter values

    async def _meter_values(self, payload: Payload) -> Payload:
        connector = _connector(payload)
        transaction = to_number(payload.get("transactionId"))
        in_session = transaction is not None or connector > 0
        session = self._book.meant(transaction, connector or None) if in_session else None
        open_one = session if session is not None and session.end is None else None
        await self._take_values(payload.get("meterValue") or [], open_one.transaction if open_one else None)
        self._infer_charging(connector, open_one is not None)
        return {}

    async def _take_values(self, values: Sequence[Any], transaction: int | None) -> None:
        for sample in decode(values, self._phases):
            live = self._live.take_sample(sample)
            if live:
                self._measured(live)
            if transaction is not None:
                await self._take_register(sample, transaction, live=bool(live))

    async def _take_register(self, sample: Sample, transaction: int, *, live: bool) -> None:
        register = sample.values.get(Quantity.ENERGY_IMPORT)
        if register is None:
            return
        session = self._book.meant(transaction, None)
        # History may only complete a session, a register that went back is believed from live samples alone.
        if session is not None and (live or register >= session.meter_last_wh):
            await self._book.take_register(transaction, register)

    def _infer_charging(self, connector: int, in_session: bool) -> None:
        """A gateway that restarted in mid-session may learn of the charging by its power only."""
        power = self._live.value(Quantity.POWER)
        if in_session and self._live.phase is None and power is not None:
            phase = ChargePhase.CHARGING if power > DRAWING_W else ChargePhase.PLUGGED
            self._live.assume(connector or 1, phase)


def _connector(payload: Payload) -> int:
    number = to_number(payload.get("connectorId"))
    if number is None or number != int(number) or not 0 <= number <= CONNECTORS:
        raise Refusal("PropertyConstraintViolation", "no such connector")
    return int(number)
