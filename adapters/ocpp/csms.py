"""The local CSMS: one port for every charger of the home, plain and TLS, OCPP-J 1.6, 2.0.1 and 2.1 over WebSocket."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Collection, Coroutine, Mapping, Sequence
from functools import cache
from typing import Any

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed

from adapters.ocpp.admission import Admission, Arrival
from adapters.ocpp.certificates import Certificates
from adapters.ocpp.charge_point import ChargePoint
from adapters.ocpp.connector import Connector
from adapters.ocpp.credentials import Credentials
from adapters.ocpp.dispatch import Dispatch
from adapters.ocpp.door import proved_profile
from adapters.ocpp.facts import NO_QUIRKS
from adapters.ocpp.front import Front, FrontConnection
from adapters.ocpp.line import SocketLine, WaitingLine
from adapters.ocpp.operations import Operations
from adapters.ocpp.quirks import Quirks
from adapters.ocpp.reach import urls
from adapters.ocpp.receiver import Receiver
from adapters.ocpp.rotation import Rotation
from adapters.ocpp.schemas import Schemas
from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
from adapters.ocpp.storms import Storms
from adapters.ocpp.tls import CertificateAuthority, ServerTls
from adapters.ocpp.waiting import Traces, WaitingList, WaitingRoom
from gateway.model.charging import ChargerAbout, Operation, TraceLine, WaitingCharger
from gateway.model.errors import CommandRefused, StoreError
from gateway.model.site import Device
from gateway.ports import Clock, FactStore, OnChange, SessionStore

log = logging.getLogger(__name__)

RETRY_S = 5.0
CERTIFICATE_LOOK_S = 3600.0
GOING_AWAY, POLICY, RESTART = 1001, 1008, 1012


class Csms:
    """The central system: `charger` makes the connectors, `run` serves them; one owner of the listening port."""

    def __init__(
        self,
        name: str,
        settings: OcppSettings,
        clock: Clock,
        sessions: SessionStore,
        facts: FactStore,
        on_change: OnChange,
        authority: CertificateAuthority | None = None,
        receiver: Receiver | None = None,
        quirks: Quirks = NO_QUIRKS,
    ) -> None:
        self.name = name
        self.settings = settings
        self.port = settings.port
        """The port in use: the configured one, or the system's choice once it serves."""
        self.serving = asyncio.Event()
        self.waiting_list = WaitingList(clock)
        self.traces = Traces()
        self.credentials = Credentials(facts)
        self.certificates = Certificates(facts)
        self.rotation = Rotation(self.credentials, authority, self.certificates, self._tell)
        self.operations = Operations(receiver, clock, facts)
        self.points: dict[str, ChargePoint] = {}
        """The configured charge points by identity."""
        self.live: dict[str, FrontConnection] = {}
        """The connection of each identity, configured or waiting."""
        self._authority = authority
        self._quirks = quirks
        self._clock = clock
        self._sessions = sessions
        self._facts = facts
        self._on_change = on_change
        self._schemas = cache(Schemas)
        self._devices: dict[str, list[tuple[Device, OcppDeviceSettings]]] = {}
        self._adopted: dict[str, asyncio.Event] = {}
        """Set for an identity that waits when it is configured."""
        self._recalled: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.tls = ServerTls(authority, self._wants_certificates) if authority is not None else None
        self._admission = Admission(self, Storms(settings.reconnects_per_minute), clock)

    # ---- what is configured

    def charger(self, device: Device, settings: OcppDeviceSettings) -> Connector:
        """The connector of one configured device; its charge point may connect, or be connected, at any time."""
        identity = settings.charge_point_id
        if identity not in self.points:
            self.points[identity] = self._point(identity)
        known = self._devices.setdefault(identity, [])
        if (device, settings) not in known:
            known.append((device, settings))
        self.waiting_list.forget(identity)
        if identity in self._adopted:
            self._adopted.pop(identity).set()
        return self.points[identity].connector(device, settings)

    def _point(self, identity: str) -> ChargePoint:
        point = ChargePoint(
            identity,
            self._clock,
            self._sessions,
            self._facts,
            lambda device, what: self._on_change(device, what),
            self._schemas,
            ping_interval_s=self.settings.ping_interval_s,
            noted=lambda action, payload: self.operations.noted(identity, action, payload),
        )
        point.use(self._quirks)
        point.sign = lambda request, kind: self.rotation.sign(point, request, kind, point.facts.serial)
        return point

    def settings_of(self, identity: str) -> OcppDeviceSettings | None:
        """How the charge point of this identity is configured; of several devices on it the one that asks for most."""
        known = [settings for _, settings in self._devices.get(identity, ())]
        return max(known, key=lambda each: (each.least_profile, each.password is not None), default=None)

    def take_over(
        self,
        on_change: OnChange,
        wanted: Mapping[str, Sequence[tuple[Device, OcppDeviceSettings]]],
        elsewhere: Collection[str] = (),
    ) -> None:
        """A new site file: whose devices stay as they are keeps connection and sessions, the others begin anew.

        `wanted` are the devices of each identity; `charger` is then called for each of them as at the start. Passwords
        and certificates of who is gone hold no longer, unless the identity is configured `elsewhere`.
        """
        self._on_change = on_change
        for identity, known in list(self._devices.items()):
            if list(wanted.get(identity, ())) != known:
                del self._devices[identity], self.points[identity]
                gone = identity not in wanted
                self.withdraw(identity, "no longer configured" if gone else "configured anew, dial again", gone=gone)
                if gone and identity not in elsewhere:
                    self._in_background(self._withdraw_trust(identity))

    async def _withdraw_trust(self, identity: str) -> None:
        try:
            await self.credentials.adopt(identity, None)
            await self.certificates.withdraw(identity)
        except StoreError as error:
            log.error("%s: the credentials of %s cannot be withdrawn: %s", self.name, identity, error)

    def withdraw(self, identity: str, why: str, *, gone: bool = True) -> None:
        """End the live connection of an identity whose credentials hold no longer (or, not `gone`, have changed)."""
        connection = self.live.get(identity)
        if connection is not None:
            self.traces.add(identity, [self._admission.step(f"hung up on: {why}")])
            self.farewell(connection, POLICY if gone else RESTART, why)

    def farewell(self, connection: ServerConnection, code: int, why: str) -> None:
        """Close a connection without waiting for it."""
        self._in_background(connection.close(code, why))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self, identity: str, text: str) -> None:
        self._admission.tell(identity, text)

    def _wants_certificates(self) -> bool:
        return any(settings.least_profile == 3 for known in self._devices.values() for _, settings in known)

    # ---- the port

    async def run(self) -> None:
        """Serve until cancelled; a taken port is named once and tried again every few seconds."""
        failing = False
        await self._remember()
        while True:
            front = Front(
                self.tls,
                self._admission.may_enter,
                self._admission.nameless,
                self._clock.now,
            )
            try:
                server = await self._listen(front)
            except OSError as error:
                if not failing:
                    self._cannot_listen(error)
                failing = True
                await self._clock.sleep(0, real_floor=RETRY_S)
                continue
            await self._serve_until_cancelled(server, front)

    def _cannot_listen(self, error: OSError) -> None:
        where = f"{self.settings.host}:{self.port}"
        log.error("%s: cannot listen on %s: %s", self.name, where, error)
        # No number of the system's own error can be trusted to read well: asyncio puts a whole sentence into it.
        why = "the port is taken" if error.errno == errno.EADDRINUSE else str(error)
        for point in self.points.values():
            point.why_away = f"{self.name} cannot listen on {where}: {why}. Stop what uses it, or set another port"

    async def _listen(self, front: Front) -> Server:
        return await front.listen(
            self.settings.host,
            self.settings.port,
            handler=self._serve,
            process_request=self._admission.admit,
            select_subprotocol=self._admission.subprotocol,
            ping_interval=self.settings.ping_interval_s,
            ping_timeout=self.settings.ping_interval_s,
        )

    async def _serve_until_cancelled(self, server: Server, front: Front) -> None:
        self.port = next(iter(server.sockets)).getsockname()[1]
        log.info("%s: chargers dial ws://<this hub>:%d%s/<identity>", self.name, self.port, self.settings.path)
        for point in self.points.values():
            point.why_away = "the charger is not connected"
        certificates = asyncio.create_task(self._watch_certificates(), name="certificates of chargers")
        self.serving.set()
        try:
            await server.serve_forever()
        finally:
            self.serving.clear()
            certificates.cancel()
            front.close()
            server.close()
            await server.wait_closed()

    async def _watch_certificates(self) -> None:
        """Have chargers ask for a new certificate in the last third of its life."""
        while True:
            await self._clock.sleep(CERTIFICATE_LOOK_S, real_floor=1.0)
            for identity, connection in list(self.live.items()):
                point = self.points.get(identity)
                if point is not None and self._admission.certificate_ends_soon(connection):
                    await self.rotation.renew(point)

    # ---- connections

    async def _serve(self, connection: ServerConnection) -> None:
        assert isinstance(connection, FrontConnection)
        arrival = self._admission.arrivals.pop(connection, None)
        if arrival is None:
            return
        identity, line = arrival.caller.identity, SocketLine(connection)
        replaced, self.live[identity] = self.live.get(identity), connection
        self._admission.tell(identity, f"connected, speaks OCPP {arrival.version}")
        try:
            if identity not in self.points:
                if replaced is not None:
                    self.farewell(replaced, 1000, "replaced by a newer connection")
                await self._serve_unknown(arrival, connection)
            if identity in self.points and await self._still_welcome(arrival, connection):
                await self._recall(identity)
                await self.points[identity].serve(line, arrival.version, arrival.peer)
        except StoreError as error:
            log.error("%s: %s cannot be served: %s", self.name, identity, error)
        finally:
            if self.live.get(identity) is connection:
                del self.live[identity]
                self._adopted.pop(identity, None)
                self.waiting_list.left(identity)
            self._admission.tell(identity, f"the connection ended{_code(connection)}")

    async def _remember(self) -> None:
        """What is stored of the configured chargers, so that they are known before they dial."""
        for identity, point in list(self.points.items()):
            await point.remember()
            await self._recall(identity)

    async def _recall(self, identity: str) -> None:
        if identity not in self._recalled:
            self._recalled.add(identity)
            await self.operations.recall(identity)

    async def _still_welcome(self, arrival: Arrival, connection: FrontConnection) -> bool:
        """One that was adopted while it waited must meet what the site file asks of it now."""
        identity = arrival.caller.identity
        if self.live.get(identity) is not connection or connection.close_code is not None:
            return False
        refused = await self._admission.judged(arrival)
        if refused is not None:
            self._admission.tell(identity, f"hung up on: {refused.why}")
            await connection.close(POLICY, refused.why)
        return refused is None

    async def _serve_unknown(self, arrival: Arrival, connection: FrontConnection) -> None:
        """Until it leaves, or is configured: then the same connection goes on as that of a charger."""
        caller = arrival.caller
        profile = proved_profile(caller, bool(caller.password))  # what it offers; nobody can check it yet
        if self.waiting_list.arrived(caller.identity, caller.address, arrival.version, profile, caller.password):
            log.info("%s: a charger that is not configured dialled from %s", self.name, caller.address)
        enough = self._adopted.setdefault(caller.identity, asyncio.Event())
        enough.clear()
        room = WaitingRoom(self.waiting_list, caller.identity, self._clock, arrival.version)
        self._admission.rooms[caller.identity] = room
        schemas, line = self._schemas(arrival.version), SocketLine(connection)
        link = Dispatch(line.send, room.handle, room.answered, schemas, room.frames, self._clock, arrival.version)
        room.call = link.call
        work = asyncio.create_task(link.work(), name=f"answers to {caller.identity}")
        try:
            async for message in WaitingLine(connection, enough):
                link.receive(message)
        finally:
            room.close()
            link.close()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    # ---- the installer

    def waiting(self) -> list[WaitingCharger]:
        """The charge points that dialled and are not configured, newest first; one that never came so far as to name
        itself has no id, and its trace is found under its address."""
        return self.waiting_list.all()

    def trace(self, identity: str) -> list[TraceLine]:
        """The last steps and messages of one charge point, or address, oldest first, secrets blanked."""
        point, room = self.points.get(identity), self._admission.rooms.get(identity)
        frames = point.frames if point is not None else room.frames if room is not None else None
        lines = self.traces.of(identity)
        lines += [TraceLine(frame.time, frame.direction, frame.text) for frame in frames.frames()] if frames else []
        return sorted(lines, key=lambda line: line.time)

    async def trust(self, identity: str) -> int:
        """The charge point that waits here will be adopted: the password it dialled with is its password from now on.

        Answers the security profile it must keep: 0 none, 1 password, 2 password over TLS. Raises StoreError.
        Certificates signed for the identity before hold no longer: another charger may have had its name.
        """
        waiting, secret = self.waiting_list.get(identity), self.waiting_list.offered_password(identity)
        await self.credentials.adopt(identity, secret)
        await self.certificates.withdraw(identity)
        return min(waiting.security_profile, 2) if waiting is not None and secret is not None else 0

    def about(self, charger: str) -> ChargerAbout | None:
        """What is known of one configured charger (device id); None when it is none of ours."""
        found = self._outlet(charger)
        return self.operations.about(*found) if found is not None else None

    async def operate(self, charger: str, operation: Operation) -> str:
        """Carry out one operation (device id); what came of it, in words; raises DeviceError, StoreError."""
        found = self._outlet(charger)
        if found is None:
            raise CommandRefused(charger, operation.value, "this is no charger of ours")
        point, connector = found
        if operation is Operation.ROTATE_PASSWORD:
            settings = self.settings_of(point.identity)
            password = settings.password if settings is not None else None
            return await self.rotation.password(point, password.get_secret_value() if password else None)
        if operation is Operation.ROTATE_CERTIFICATE:
            return await self.rotation.certificate(point)
        return await self.operations.operate(point, connector, operation)

    def _outlet(self, charger: str) -> tuple[ChargePoint, Connector] | None:
        for point in self.points.values():
            for connector in point.connectors.values():
                if connector.id == charger:
                    return point, connector
        return None

    # ---- how to reach it

    def urls(self, identity: str = "") -> list[str]:
        """What to type into a charger, by address, then by name: ws first, for a new charger trusts no root yet."""
        names = self._authority.names() if self._authority is not None else None
        return urls(self.settings, self.port, names, identity)

    def root_certificate(self) -> str:
        """The root to install in chargers that dial wss, in PEM; "" without an authority."""
        return self._authority.root_pem() if self._authority is not None else ""


def _code(connection: ServerConnection) -> str:
    try:
        code, reason = connection.close_code, connection.close_reason
    except (ConnectionClosed, AttributeError):
        return ""
    return f" ({code} {reason})".replace(" )", ")") if code else ""
