"""TransactionEvent of OCPP 2.0.1 and 2.1 (use cases E01 to E15): what a charger tells of a transaction, in any order.

Started 0 --- Updated 1 --- Updated 2 --- Ended 3        each may come late, twice, or not at all
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.ocpp import events
from adapters.ocpp.connector import Connector
from adapters.ocpp.dialect import Host, located, note_stranger
from adapters.ocpp.dispatch import Payload
from adapters.ocpp.samples import BEGIN, Sample
from adapters.ocpp.v2.samples import decode
from adapters.ocpp.wire import clean, to_number, to_time
from gateway.model.quantity import Quantity
from gateway.model.session import EvSession
from gateway.model.snapshot import ChargePhase

STRANGERS = 100
TRIGGERS = frozenset(
    [
        "AbnormalCondition",
        "Authorized",
        "CablePluggedIn",
        "ChargingRateChanged",
        "ChargingStateChanged",
        "CostLimitReached",
        "Deauthorized",
        "EnergyLimitReached",
        "EVCommunicationLost",
        "EVConnectTimeout",
        "EVDeparted",
        "EVDetected",
        "LimitSet",
        "MeterValueClock",
        "MeterValuePeriodic",
        "OperationModeChanged",
        "RemoteStart",
        "RemoteStop",
        "ResetCommand",
        "RunningCost",
        "SignedDataReceived",
        "SoCLimitReached",
        "StopAuthorized",
        "TariffChanged",
        "TariffNotAccepted",
        "TimeLimitReached",
        "Trigger",
        "TxResumed",
        "UnlockCommand",
    ]
)
"""TriggerReasonEnumType of OCPP 2.1, which has all of 2.0.1."""
_PHASES = {
    "Charging": ChargePhase.CHARGING,
    "EVConnected": ChargePhase.PLUGGED,
    "SuspendedEV": ChargePhase.PLUGGED,
    "SuspendedEVSE": ChargePhase.PLUGGED,
    "Idle": ChargePhase.AVAILABLE,
}
"""ChargingStateEnumType; Idle: "no connection between EV and EVSE"."""


class Transactions:
    """The transactions of one charge point, on one connection."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._strangers: deque[str] = deque(maxlen=STRANGERS)

    async def take(self, payload: Payload) -> Payload:
        """The answer to one TransactionEvent; raises StoreError (then nothing was acknowledged)."""
        info = payload["transactionInfo"]
        their_id = clean(info.get("transactionId"), 64)
        connector = self._connector(their_id, _evse(payload), to_time(payload.get("timestamp")))
        if connector is None:
            self._strangers.append(their_id)
            note_stranger(self._host, _evse(payload) or 0)
            return _answer(payload, "Blocked")
        if _is_sound(payload, strict=connector.book.open_session() is not None) or _knows(connector, their_id):
            await self._take(connector, their_id, payload)
            if payload.get("offline") is True:  # it waited in a queue, and is forgotten once it is answered
                await connector.book.save()
        return _answer(payload, "Accepted")

    def _connector(self, their_id: str, evse: int | None, time: datetime | None) -> Connector | None:
        """The connector it names; only the first event must, so else the one that knows the id (the open one first).

        There are stations whose EVSEs count their transactions each by itself. A transaction on one that is no device of
        ours stays a stranger.
        """
        connectors = self._host.connectors
        if evse is not None and evse in connectors:
            return connectors[evse]
        held = [
            (one, session) for one in connectors.values() if (session := one.book.meant_by(their_id, one.evse, time))
        ]
        if held:
            return max(held, key=lambda each: (each[1].end is None, each[1].start))[0]
        return None if evse is None and their_id in self._strangers else located(connectors, evse)

    async def _take(self, connector: Connector, their_id: str, payload: Payload) -> None:
        time, kind = to_time(payload.get("timestamp")), payload.get("eventType")
        samples = decode(payload.get("meterValue") or [], connector.spec.phases)
        await connector.stamped(time, is_word=kind != "Updated" or not samples)  # else it may bear their stamp
        session = await self._session(connector, their_id, payload, samples)
        # There are chargers that number all events alike: the time tells them from a repeat.
        is_new_number = connector.book.seen(session, _seq_no(payload))
        is_news = is_new_number or connector.live.is_later(time)
        await events.take_samples(connector, samples, session.transaction, ended=kind == "Ended")
        if is_news and (connector.book.open_session() is None or events.is_current(connector, session)):
            await self._take_state(connector, payload, time)
        if kind == "Ended":
            info = payload["transactionInfo"]
            reason = clean(info.get("stoppedReason")) or clean(payload.get("triggerReason")) or "Local"
            told = [sample for sample in samples if BEGIN not in sample.contexts]
            await events.end(connector, session, time, _register(told, "Transaction.End", last=True), reason)

    async def _session(self, connector: Connector, their_id: str, payload: Payload, samples: list[Sample]) -> EvSession:
        """The session of this transaction, opened by whichever of its events comes first."""
        book, began, time = connector.book, payload.get("eventType") == "Started", to_time(payload.get("timestamp"))
        known, number = book.meant_by(their_id, connector.evse, time), _seq_no(payload)
        register_wh = _register(samples, BEGIN) if began else None
        if known is not None and not began:
            first_wh = _register(samples, BEGIN)
            if not (_is_sound(payload, strict=True) and book.is_begun_anew(known, time, first_wh, number)):
                return known
            if number == 1:  # of its events the start alone is missing
                register_wh = book.left_by(known, time, first_wh)
        before = book.open_session()
        session = await book.start(
            connector.evse,
            _tag(payload),
            clean(payload.get("timestamp")),
            time,
            register_wh,
            their_id=their_id,
            told=began,
        )
        if events.is_current(connector, session) and (before is None or before.transaction != session.transaction):
            connector.state_told, connector.phases_told = False, None
            events.began(connector)
        return session

    async def _take_state(self, connector: Connector, payload: Payload, time: datetime | None) -> None:
        phase = _PHASES.get(clean(payload["transactionInfo"].get("chargingState")))
        if (phases := to_number(payload.get("numberOfPhasesUsed"))) is not None:
            connector.phases_told = int(phases) if 1 <= phases <= 3 else None
        if phase is not None:
            connector.state_told = True
            await events.take_status(connector, phase, time, connector.live.error, idle=True)
        elif not connector.state_told:
            events.infer_charging(connector, whenever=True)


def _knows(connector: Connector, their_id: str) -> bool:
    return connector.book.meant_by(their_id, connector.evse) is not None


def _is_sound(payload: Payload, *, strict: bool) -> bool:
    """Whether an event may open a session; `strict`: beside the one that is open, which it would end."""
    if payload.get("eventType") not in ("Started", "Updated", "Ended"):
        return False
    number, reason = to_number(payload.get("seqNo")), payload.get("triggerReason")
    is_numbered = number is not None and number >= 0 and number == int(number)
    sound = (to_time(payload.get("timestamp")) is not None) + is_numbered + (reason in TRIGGERS)
    return not strict or sound >= (2 if payload["eventType"] == "Started" else 3)


def _answer(payload: Payload, status: str) -> Payload:
    """An idToken wants its status (E05); a home's charger serves whoever stands at it."""
    return {"idTokenInfo": {"status": status}} if payload.get("idToken") else {}


def _seq_no(payload: Payload) -> int:
    return int(to_number(payload.get("seqNo")) or 0)


def _evse(payload: Payload) -> int | None:
    evse = payload.get("evse")
    number = to_number(evse.get("id")) if isinstance(evse, Mapping) else to_number(evse)
    return int(number) if number is not None and number == int(number) else None


def _tag(payload: Payload) -> str:
    token: Any = payload.get("idToken")
    return clean(token.get("idToken"), 36) if isinstance(token, Mapping) else ""


def _register(samples: list[Sample], context: str, *, last: bool = False) -> float | None:
    """The energy register, Wh, of the sample taken in this context, else of the first (or last) that has one."""
    found = [sample for sample in samples if Quantity.ENERGY_IMPORT in sample.values]
    meant = [sample for sample in found if context in sample.contexts] or found
    return meant[-1 if last else 0].values[Quantity.ENERGY_IMPORT] if meant else None
