"""What an installer may ask of a charger, whatever OCPP version it speaks, and what it reports of itself.

`noted` hears the messages that change nothing in the charging: security events, how an upload fares.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from adapters.ocpp.facts import Make
from adapters.ocpp.frames import FrameLog
from adapters.ocpp.receiver import Receiver
from adapters.ocpp.secrecy import redacted, shown_setting
from adapters.ocpp.wire import clean, to_number, to_text, to_time
from gateway.model.charging import ChargerAbout, Operation, TraceLine
from gateway.model.errors import CommandRefused, StoreError
from gateway.ports import Clock, FactStore

log = logging.getLogger(__name__)

Payload = dict[str, Any]

EVENTS = 50
SHOWN_FEATURES = 500
RESTART_S = 300.0
"""So long a charger may be away after a reset that we asked for, s of home time."""
SCHEDULE_S = 86_400
DONE = ("Accepted", "Scheduled", "RebootRequired", "Unlocked")


class KnownFacts(Protocol):
    """What is known of a charger's make."""

    make: Make
    serial: str


class Rung(Protocol):
    """A way of limiting."""

    @property
    def words(self) -> str: ...


class Limits(Protocol):
    """How a connector is limited."""

    @property
    def rung(self) -> Rung: ...
    @property
    def works_now(self) -> bool: ...
    @property
    def now_words(self) -> str: ...


class Outlet(Protocol):
    """One connector."""

    id: str
    evse: int

    @property
    def limiter(self) -> Limits: ...


class KnownPeer(Protocol):
    """Who is at the other end."""

    @property
    def address(self) -> str: ...
    @property
    def security_profile(self) -> int: ...


class Point(Protocol):
    """A charge point, as far as operations need it."""

    identity: str
    version: str
    frames: FrameLog
    features: dict[str, str]
    why_away: str
    restarting: bool

    @property
    def facts(self) -> KnownFacts: ...
    @property
    def peer(self) -> KnownPeer: ...

    async def call(self, action: str, payload: Payload) -> Payload:
        """Any OCPP call; raises DeviceError."""
        ...


@dataclass(slots=True)
class Record:
    """What one charge point told of itself, newest last."""

    events: deque[TraceLine] = field(default_factory=lambda: deque(maxlen=EVENTS))
    upload: str = ""
    """How the last upload or update fares, in its own word."""


class Operations:
    """Operations on the charge points of one CSMS; `receiver` takes their logs, None: there is none."""

    def __init__(self, receiver: Receiver | None, clock: Clock, facts: FactStore) -> None:
        self._receiver = receiver
        self._clock = clock
        self._facts = facts
        self._records: dict[str, Record] = {}
        self._requests = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- what is known

    async def recall(self, identity: str) -> None:
        """Security events of earlier runs, from the store."""
        try:
            kept = await self._facts.get(_key(identity)) or {}
        except StoreError as error:
            log.warning("%s: its security events cannot be read: %s", identity, error)
            return
        held = self._record(identity).events
        held.extendleft(reversed([line for document in kept.get("events", []) if (line := _line(document))]))

    def about(self, point: Point, outlet: Outlet) -> ChargerAbout:
        """What is known of one configured connector and its charge point."""
        make, record = point.facts.make, self._record(point.identity)
        return ChargerAbout(
            id=outlet.id,
            identity=point.identity,
            version=point.version,
            security_profile=point.peer.security_profile,
            vendor=make.vendor,
            model=make.model,
            firmware=make.firmware,
            serial=point.facts.serial,
            rung=outlet.limiter.rung.words,
            rung_seen_working=outlet.limiter.works_now,
            in_force=outlet.limiter.now_words,
            features=_shown(point.features),
            violations=dict(point.frames.violations),
            security_events=tuple(record.events),
            uploads=self._receiver.uploads(outlet.id) if self._receiver else (),
            upload_status=record.upload,
        )

    def noted(self, identity: str, action: str, payload: Mapping[str, Any]) -> None:
        """A message that changes nothing in the charging."""
        if action == "SecurityEventNotification":
            self._take_event(identity, payload)
        elif action in ("LogStatusNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification"):
            self._record(identity).upload = clean(payload.get("status"))

    def upload_status(self, identity: str) -> str:
        """How the last upload fares, in the charger's own word; "" before the first."""
        return self._record(identity).upload

    def _take_event(self, identity: str, payload: Mapping[str, Any]) -> None:
        kind = clean(payload.get("type")) or "unnamed"
        more = clean(redacted(clean(payload.get("techInfo"), 255)), 255)
        time = to_time(payload.get("timestamp")) or self._clock.now()
        events = self._record(identity).events
        events.append(TraceLine(time, "in", f"{kind}: {more}" if more else kind))
        log.info("%s: security event %s", identity, kind)
        self._start(self._keep(identity), f"security events of {identity}")

    async def _keep(self, identity: str) -> None:
        lines = [{"time": to_text(line.time), "text": line.text} for line in self._record(identity).events]
        try:
            await self._facts.put(_key(identity), {"events": lines})
        except StoreError as error:
            log.warning("%s: its security events cannot be kept: %s", identity, error)

    def _record(self, identity: str) -> Record:
        return self._records.setdefault(identity, Record())

    def _start(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- what is asked

    async def operate(self, point: Point, outlet: Outlet, operation: Operation) -> str:
        """Carry out one operation; what came of it, in words; raises DeviceError.

        Passwords and certificates are rotated elsewhere (rotation.py).
        """
        steps: dict[Operation, Callable[[Point, Outlet], Awaitable[str]]] = {
            Operation.RESET_SOFT: self._reset_soft,
            Operation.RESET_HARD: self._reset_hard,
            Operation.UNLOCK: self._unlock,
            Operation.AVAILABLE: self._available,
            Operation.UNAVAILABLE: self._unavailable,
            Operation.UPLOAD_LOG: self._upload_log,
            Operation.CONFIGURATION: self._configuration,
            Operation.COMPOSITE_SCHEDULE: self._composite_schedule,
        }
        if operation not in steps:
            raise CommandRefused(outlet.id, operation.value, "this is not done here")
        return await steps[operation](point, outlet)

    async def _reset_soft(self, point: Point, outlet: Outlet) -> str:
        return await self._reset(point, outlet, "Soft" if point.version == "1.6" else "OnIdle")

    async def _reset_hard(self, point: Point, outlet: Outlet) -> str:
        return await self._reset(point, outlet, "Hard" if point.version == "1.6" else "Immediate")

    async def _reset(self, point: Point, outlet: Outlet, kind: str) -> str:
        status = await self._done(point, outlet, "Reset", {"type": kind})
        self._start(self._expect_restart(point), f"restart of {point.identity}")
        when = "when the car is done" if status == "Scheduled" else "now"
        return f"The charger restarts {when}; its absence is expected."

    async def _expect_restart(self, point: Point) -> None:
        """While it restarts it is away for a known reason."""
        usual, point.why_away = point.why_away, f"the charger restarts, as asked at {self._clock.now():%H:%M} UTC"
        point.restarting = True
        try:
            await self._clock.sleep(RESTART_S)
        finally:
            point.why_away, point.restarting = usual, False

    async def _unlock(self, point: Point, outlet: Outlet) -> str:
        place = {"connectorId": outlet.evse} if point.version == "1.6" else {"evseId": outlet.evse, "connectorId": 1}
        await self._done(point, outlet, "UnlockConnector", place)
        return "The plug is unlocked."

    async def _available(self, point: Point, outlet: Outlet) -> str:
        return await self._change_availability(point, outlet, "Operative")

    async def _unavailable(self, point: Point, outlet: Outlet) -> str:
        return await self._change_availability(point, outlet, "Inoperative")

    async def _change_availability(self, point: Point, outlet: Outlet, kind: str) -> str:
        payload: Payload = {"connectorId": outlet.evse, "type": kind}
        if point.version != "1.6":
            payload = {"operationalStatus": kind, "evse": {"id": outlet.evse}}
        status = await self._done(point, outlet, "ChangeAvailability", payload)
        words = "in service" if kind == "Operative" else "out of service"
        return f"The charger is {words}{' once the car is done' if status == 'Scheduled' else ''}."

    async def _upload_log(self, point: Point, outlet: Outlet) -> str:
        if self._receiver is None or not self._receiver.serving.is_set():
            raise CommandRefused(outlet.id, "upload log", "this hub does not receive uploads", "Set uploads_port")
        url = self._receiver.expect(outlet.id, point.peer.address)
        if point.version == "1.6":
            try:
                name = (await point.call("GetDiagnostics", {"location": url})).get("fileName")
                # Section 6.26: the name is missing when there is no file.
                return _upload_words(name) if clean(name) else "The charger says that it has nothing to upload."
            except CommandRefused as refused:  # with the security extensions GetLog takes its place
                log.info("%s: %s", outlet.id, refused)
        self._requests += 1
        log_of = {"logType": "DiagnosticsLog", "requestId": self._requests, "log": {"remoteLocation": url}}
        answer = await point.call("GetLog", log_of)
        if answer.get("status") not in ("Accepted", "AcceptedCanceled"):
            raise CommandRefused(outlet.id, "upload log", f"the charger answered {clean(answer.get('status'))}")
        return _upload_words(answer.get("filename"))

    async def _configuration(self, point: Point, outlet: Outlet) -> str:
        if point.version != "1.6":
            self._requests += 1
            report = {"requestId": self._requests, "reportBase": "FullInventory"}
            await self._done(point, outlet, "GetBaseReport", report)
            return "The charger reports what it is made of; look again in a few seconds."
        items = (await point.call("GetConfiguration", {})).get("configurationKey") or []
        found = {clean(item.get("key")): clean(item.get("value"), 500) for item in items[:SHOWN_FEATURES]}
        point.features.update(found)
        return f"{len(found)} settings were read."

    async def _composite_schedule(self, point: Point, outlet: Outlet) -> str:
        place = {"connectorId": outlet.evse} if point.version == "1.6" else {"evseId": outlet.evse}
        answer = await point.call("GetCompositeSchedule", {**place, "duration": SCHEDULE_S})
        if answer.get("status") != "Accepted":
            raise CommandRefused(outlet.id, "composite schedule", f"the charger answered {clean(answer.get('status'))}")
        schedule = answer.get("chargingSchedule", answer.get("schedule"))
        return schedule_words(schedule if isinstance(schedule, dict) else {})

    async def _done(self, point: Point, outlet: Outlet, action: str, payload: Payload) -> str:
        """The status of an answer that means yes; raises CommandRefused for every other."""
        status = clean((await point.call(action, payload)).get("status"))
        if status not in DONE:
            raise CommandRefused(outlet.id, action, f"the charger answered {status or 'nothing'}")
        return status


def schedule_words(schedule: Mapping[str, Any]) -> str:
    """A composite schedule for a person: which limit from when; negative is discharging."""
    unit = clean(schedule.get("chargingRateUnit"))
    periods = [
        (to_number(period.get("startPeriod")) or 0.0, to_number(period.get("limit")))
        for period in schedule.get("chargingSchedulePeriod") or []
        if isinstance(period, dict)
    ]
    if not periods:
        return "The charger names no limit at all."
    words = [
        f"{_begins(start)} {'no limit' if limit is None else f'{limit:.4g} {unit}'}" for start, limit in periods[:10]
    ]
    return f"The charger keeps {', '.join(words)}{', and so on' if len(periods) > 10 else ''}."


def _begins(start_s: float) -> str:
    minutes, seconds = divmod(round(start_s), 60)
    if not minutes:
        return f"after {seconds} s" if seconds else "from now"
    return f"after {minutes} min {seconds} s" if seconds else f"after {minutes} min"


def _upload_words(name: Any) -> str:
    return f"The charger uploads {clean(name, 255) or 'its log'}; it appears here."


def _shown(features: Mapping[str, str]) -> dict[str, str]:
    kept = sorted(features.items())[:SHOWN_FEATURES]
    return {name: shown_setting(name, value) for name, value in kept}


def _key(identity: str) -> str:
    return f"ocpp/security/{identity}"


def _line(document: Any) -> TraceLine | None:
    time = to_time(document.get("time")) if isinstance(document, dict) else None
    # What an earlier version kept was not redacted.
    return TraceLine(time, "in", redacted(clean(document.get("text"), 400))) if isinstance(time, datetime) else None
