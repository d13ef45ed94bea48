"""Charge points that wait for the installer, and what happened at the door, step by step."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from adapters.ocpp.credentials import Secret
from adapters.ocpp.dispatch import CallFailed, Payload, Refusal
from adapters.ocpp.frames import FrameLog
from adapters.ocpp.wire import clean, to_number, to_text
from gateway.model.charging import TraceLine, WaitingCharger
from gateway.ports import Clock

QUARANTINE = 50
KEPT_TRACES, TRACE_LINES = 200, 60
PENDING_INTERVAL_S = 30
"""Asks for patience no longer than a person has who has just pressed Adopt (OCPP 1.6, section 4.2)."""
MOST_CONNECTORS = 100
NUMBER_KEY = "NumberOfConnectors"
"""OCPP 1.6, section 9.1.12: required of every charge point."""


class Traces:
    """The last steps of each identity, and of addresses that never came so far as to name one."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[TraceLine]] = OrderedDict()

    def add(self, key: str, lines: Iterable[TraceLine]) -> None:
        """Keep more lines; what was silent for longest is forgotten for it."""
        ring = self._lines.pop(key, None)
        if ring is None:
            ring = deque(maxlen=TRACE_LINES)
        ring.extend(lines)
        self._lines[key] = ring
        while len(self._lines) > KEPT_TRACES:
            self._lines.popitem(last=False)

    def of(self, *keys: str) -> list[TraceLine]:
        """The lines of these identities and addresses together, oldest first."""
        found = [line for key in dict.fromkeys(keys) for line in self._lines.get(key, ())]
        return sorted(found, key=lambda line: line.time)


class WaitingList:
    """Who dialled and is not configured; bounded, and the connected ones are kept longest."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, WaitingCharger] = {}
        self._offered: dict[str, Secret] = {}

    def all(self) -> list[WaitingCharger]:
        """Newest first."""
        return list(reversed(self._entries.values()))

    def get(self, identity: str) -> WaitingCharger | None:
        """One of them, or None."""
        return self._entries.get(identity)

    def offered_password(self, identity: str) -> Secret | None:
        """The password it dialled with, as kept; None when it sent none."""
        return self._offered.get(identity)

    def arrived(self, identity: str, address: str, version: str, profile: int, password: bytes) -> bool:
        """It stands connected; whether it is new here."""
        new = identity not in self._entries
        entry = self._entry(identity, address)
        self._keep(replace(entry, version=version, security_profile=profile, connected=True, trouble=""))
        self._offered.pop(identity, None)
        if password and profile:
            self._offered[identity] = Secret.of(password)
        return new

    def refused(self, identity: str, address: str, why: str) -> None:
        """It was turned away (identity "": before it named itself); who stands connected has no trouble by another."""
        entry = self._entry(identity, address)
        if not entry.connected:
            self._keep(replace(entry, trouble=why))

    def left(self, identity: str) -> None:
        """Its connection ended."""
        if identity in self._entries:
            self._keep(replace(self._entries[identity], connected=False))

    def learned(self, identity: str, **told: str | int) -> None:
        """It told what it is."""
        if identity in self._entries:
            self._keep(replace(self._entries[identity], **told))  # type: ignore[arg-type]

    def forget(self, identity: str) -> None:
        """It is configured now."""
        self._entries.pop(identity, None)
        self._offered.pop(identity, None)

    def _entry(self, identity: str, address: str) -> WaitingCharger:
        now, known = self._clock.now(), self._entries.get(identity or address)
        if known is None:
            return WaitingCharger(identity, address, now, now, connected=False)
        return replace(known, address=address, last_seen=now)

    def _keep(self, entry: WaitingCharger) -> None:
        self._entries.pop(entry.id or entry.address, None)
        self._entries[entry.id or entry.address] = entry
        while len(self._entries) > QUARANTINE:
            oldest = min(self._entries, key=lambda key: (self._entries[key].connected, self._entries[key].last_seen))
            self.forget(oldest)


class WaitingRoom:
    """What an unknown charger is told: wait; nothing of it is acknowledged that it could then forget.

    `call` sends it a call (raises CallFailed); without it nothing is asked.
    """

    def __init__(self, waiting: WaitingList, identity: str, clock: Clock, version: str) -> None:
        self.frames = FrameLog()
        self.call: Callable[[str, Payload], Awaitable[Payload]] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._waiting = waiting
        self._identity = identity
        self._clock = clock
        self._version = version

    async def handle(self, action: str, payload: Payload) -> Payload:
        """Pending, the time, and no transactions; raises Refusal."""
        now = to_text(self._clock.now())
        if action == "BootNotification":
            self._learn_make(payload)
            return {"status": "Pending", "currentTime": now, "interval": PENDING_INTERVAL_S}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "StatusNotification":
            self._learn_connector(payload)
            return {}
        if action == "Authorize":
            return {("idTagInfo" if self._version == "1.6" else "idTokenInfo"): {"status": "Invalid"}}
        raise Refusal("SecurityError", "this charger waits to be adopted by the installer")

    def answered(self, action: str) -> None:
        """The answer to this action is out: after the first boot it is asked how many connectors it has.

        A charger that waits need not tell it by itself, and may be asked (OCPP 1.6, section 4.2; 2.x, B02).
        """
        if action == "BootNotification" and self.call is not None and self._asking is None:
            self._asking = asyncio.create_task(self._ask(self.call), name=f"connectors of {self._identity}")

    def close(self) -> None:
        """Its connection ended, or it is configured now."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, call: Callable[[str, Payload], Awaitable[Payload]]) -> None:
        try:
            if self._version != "1.6":
                await call("TriggerMessage", {"requestedMessage": "StatusNotification"})
                return
            answer = await call("GetConfiguration", {"key": [NUMBER_KEY]})
        except CallFailed:
            return  # what it does not tell is not known
        for entry in answer.get("configurationKey") or []:
            if isinstance(entry, dict) and entry.get("key") == NUMBER_KEY:
                self._learn_number(to_number(entry.get("value")))

    def _learn_number(self, number: float | None) -> None:
        known = self._waiting.get(self._identity)
        if known is not None and number is not None and known.connectors < number <= MOST_CONNECTORS:
            self._waiting.learned(self._identity, connectors=int(number))

    def _learn_make(self, payload: Payload) -> None:
        station = payload.get("chargingStation")
        told = station if isinstance(station, dict) else payload
        vendor = clean(told.get("vendorName") or told.get("chargePointVendor"))
        model = clean(told.get("model") or told.get("chargePointModel"))
        self._waiting.learned(self._identity, vendor=vendor, model=model, firmware=clean(told.get("firmwareVersion")))

    def _learn_connector(self, payload: Payload) -> None:
        number = payload.get("evseId", payload.get("connectorId"))
        self._learn_number(number if isinstance(number, int) else None)
