"""The local CSMS: one port for every charger of the home, OCPP-J over WebSocket."""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import hmac
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from adapters.ocpp.dispatch import Dispatch, LinkLost, Payload, Refusal
from adapters.ocpp.facts import Make, to_make
from adapters.ocpp.frames import FrameLog
from adapters.ocpp.schemas import Schemas
from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
from adapters.ocpp.station import Station
from adapters.ocpp.wire import to_text
from gateway.model.errors import StoreError
from gateway.model.site import Device
from gateway.ports import Clock, FactStore, OnChange, SessionStore

log = logging.getLogger(__name__)

SUBPROTOCOL = Subprotocol("ocpp1.6")
FRAME_BYTES = 2**20
RETRY_S = 5.0
CLOSE_S = 2.0
IDENTITY_LENGTH = 48
QUARANTINE = 50
PENDING_INTERVAL_S = 300


@dataclass(frozen=True, slots=True)
class UnknownCharger:
    """A charge point that dialled but is not configured; it waits for the installer."""

    id: str
    first_seen: datetime
    last_seen: datetime
    address: str
    make: Make = field(default_factory=Make)
    connected: bool = True


class Csms:
    """The central system: `charger` makes the stations, `run` serves them; one owner of the listening port."""

    def __init__(
        self,
        name: str,
        settings: OcppSettings,
        clock: Clock,
        sessions: SessionStore,
        facts: FactStore,
        on_change: OnChange,
    ) -> None:
        self.name = name
        self.port = settings.port
        """The port in use: the configured one, or the system's choice once it serves."""
        self.unknown: dict[str, UnknownCharger] = {}
        self.serving = asyncio.Event()
        self._settings = settings
        self._clock = clock
        self._sessions = sessions
        self._facts = facts
        self._on_change = on_change
        self._schemas = Schemas()
        self._stations: dict[str, Station] = {}
        self._live: dict[str, ServerConnection] = {}
        self._farewells: set[asyncio.Task[None]] = set()

    def charger(self, device: Device, settings: OcppDeviceSettings) -> Station:
        """The station of one configured device; its charge point may connect at any time."""
        station = Station(
            device,
            settings,
            self._clock,
            self._sessions,
            self._facts,
            self._on_change,
            self._settings.ping_interval_s,
        )
        self._stations[settings.charge_point_id] = station
        return station

    async def run(self) -> None:
        """Serve until cancelled; a taken port is named once and tried again every few seconds."""
        failing = False
        while True:
            try:
                server = await self._listen()
            except OSError as error:
                if not failing:
                    self._cannot_listen(error)
                failing = True
                await self._clock.sleep(0, real_floor=RETRY_S)
                continue
            await self._serve_until_cancelled(server)

    def _cannot_listen(self, error: OSError) -> None:
        where = f"{self._settings.host}:{self.port}"
        log.error("%s: cannot listen on %s: %s", self.name, where, error)
        # No number of the system's own error can be trusted to read well: asyncio puts a whole sentence into it.
        why = "the port is taken" if error.errno == errno.EADDRINUSE else str(error)
        for station in self._stations.values():
            station.why_away = f"{self.name} cannot listen on {where}: {why}. Stop what uses it, or set another port"

    async def _listen(self) -> Server:
        return await serve(
            self._serve,
            self._settings.host,
            self._settings.port,
            subprotocols=[SUBPROTOCOL],
            process_request=self._admit,
            compression=None,
            max_size=FRAME_BYTES,
            ping_interval=self._settings.ping_interval_s,
            ping_timeout=self._settings.ping_interval_s,
            close_timeout=CLOSE_S,
            server_header=None,
        )

    async def _serve_until_cancelled(self, server: Server) -> None:
        self.port = next(iter(server.sockets)).getsockname()[1]
        log.info("%s: chargers dial ws://<this hub>:%d%s/<identity>", self.name, self.port, self._settings.path)
        self.serving.set()
        try:
            await server.serve_forever()
        finally:
            self.serving.clear()
            server.close()
            await server.wait_closed()

    # ---- the door

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse in plain words whom we do not serve; None lets the handshake go on."""
        identity = self._identity(request.path)
        if not identity:
            return connection.respond(HTTPStatus.NOT_FOUND, f"dial {self._settings.path}/<charge point identity>\n")
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        if SUBPROTOCOL not in [word.strip() for word in offered.split(",")]:
            return connection.respond(HTTPStatus.BAD_REQUEST, f"offer the WebSocket subprotocol {SUBPROTOCOL}\n")
        station = self._stations.get(identity)
        if station and not _knows_password(request, identity, station.settings):
            log.warning("%s: a connection as %s was refused: wrong password", self.name, station.id)
            response = connection.respond(HTTPStatus.UNAUTHORIZED, "wrong identity or password\n")
            response.headers["WWW-Authenticate"] = 'Basic realm="CSMS", charset="UTF-8"'
            return response
        if station is None and identity not in self._live and self._places_for_unknown() <= 0:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections\n")
        return None

    def _identity(self, target: str) -> str:
        """The last path segment, URL-decoded; "" when the path is not ours or the identity is not fit to be one."""
        *before, last = urlsplit(target).path.rstrip("/").split("/")
        identity = unquote(last)
        fit = 0 < len(identity) <= IDENTITY_LENGTH and identity.isprintable() and "\ufffd" not in identity
        return identity if fit and "/".join(before) == self._settings.path.rstrip("/") else ""

    def _places_for_unknown(self) -> int:
        strangers = sum(identity not in self._stations for identity in self._live)
        return self._settings.max_connections - len(self._stations) - strangers

    # ---- connections

    async def _serve(self, connection: ServerConnection) -> None:
        identity = self._identity(connection.request.path if connection.request else "")
        self._replace(identity, connection)
        station = self._stations.get(identity)
        try:
            if station is not None:
                await self._serve_station(station, connection)
            else:
                await self._serve_unknown(identity, connection)
        except StoreError as error:
            log.error("%s: %s cannot be served: %s", self.name, identity, error)
        finally:
            if self._live.get(identity) is connection:
                del self._live[identity]

    def _replace(self, identity: str, connection: ServerConnection) -> None:
        """The newest connection of an identity wins; the farewell to the older one delays nobody."""
        older, self._live[identity] = self._live.get(identity), connection
        if older is not None:
            task = asyncio.create_task(older.close(1000, "replaced by a newer connection"), name="farewell")
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    async def _serve_station(self, station: Station, connection: ServerConnection) -> None:
        await station.prepare()
        if self._live.get(station.settings.charge_point_id) is not connection:
            return  # replaced while the store was asked
        link = Dispatch(
            SendText(connection), station.handle, station.answered, self._schemas, station.frames, self._clock
        )
        station.attach(link)
        care = asyncio.create_task(station.care(link), name=f"care for {station.id}")
        try:
            await _exchange(connection, link)
        finally:
            care.cancel()
            await asyncio.gather(care, return_exceptions=True)
            await station.detach(link)

    async def _serve_unknown(self, identity: str, connection: ServerConnection) -> None:
        now, address = self._clock.now(), str((connection.remote_address or ("?",))[0])
        first = self.unknown[identity].first_seen if identity in self.unknown else now
        self._note_unknown(UnknownCharger(identity, first, now, address))
        waiting_room = WaitingRoom(self, identity, self._clock)
        frames = FrameLog()
        link = Dispatch(SendText(connection), waiting_room.handle, lambda _: None, self._schemas, frames, self._clock)
        try:
            await _exchange(connection, link)
        finally:
            link.close()
            if identity in self.unknown and self._live.get(identity) is connection:
                self.unknown[identity] = replace(self.unknown[identity], connected=False)

    def _note_unknown(self, charger: UnknownCharger) -> None:
        if charger.id not in self.unknown:
            log.info("%s: a charger that is not configured dialled from %s", self.name, charger.address)
            while len(self.unknown) >= QUARANTINE:
                del self.unknown[min(self.unknown.values(), key=lambda known: (known.connected, known.last_seen)).id]
        self.unknown[charger.id] = charger

    def learn_make(self, identity: str, make: Make) -> None:
        """An unknown charger told what it is."""
        if identity in self.unknown:
            self.unknown[identity] = replace(self.unknown[identity], make=make, last_seen=self._clock.now())


class WaitingRoom:
    """What an unknown charger is told: wait; nothing of it is acknowledged that it could then forget."""

    def __init__(self, csms: Csms, identity: str, clock: Clock) -> None:
        self._csms = csms
        self._identity = identity
        self._clock = clock

    async def handle(self, action: str, payload: Payload) -> Payload:
        """Pending, the time, and no transactions; raises Refusal."""
        now = to_text(self._clock.now())
        if action == "BootNotification":
            self._csms.learn_make(self._identity, to_make(payload))
            return {"status": "Pending", "currentTime": now, "interval": PENDING_INTERVAL_S}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "StatusNotification":
            return {}
        if action == "Authorize":
            return {"idTagInfo": {"status": "Invalid"}}
        raise Refusal("SecurityError", "this charger waits to be adopted by the installer")


class SendText:
    """Puts a text on one connection; raises LinkLost."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def __call__(self, text: str) -> None:
        """Send one text message; raises LinkLost."""
        try:
            await self._connection.send(text)
        except ConnectionClosed as closed:
            raise LinkLost(str(closed)) from None


async def _exchange(connection: ServerConnection, link: Dispatch) -> None:
    """Read until the connection ends, by the peer, by missed pings, by a replacement or by its own breach."""
    work = asyncio.create_task(link.work(), name="answers")
    try:
        async for message in connection:
            link.receive(message)
    except ConnectionClosed:
        pass
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _knows_password(request: Request, identity: str, settings: OcppDeviceSettings) -> bool:
    """Basic authentication with the identity as the user name (OCPP 1.6 security whitepaper, profile 1)."""
    if settings.password is None:
        return True
    kind, _, credentials = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(credentials.strip(), validate=True) if kind.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    expected = f"{identity}:{settings.password.get_secret_value()}".encode()
    return hmac.compare_digest(given, expected)
