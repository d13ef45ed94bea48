"""The door of the CSMS: judges each request before its WebSocket stands, and tells the installer step by step."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol
from weakref import WeakKeyDictionary

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from adapters.ocpp.certificates import Certificates
from adapters.ocpp.charge_point import ChargePoint, Peer
from adapters.ocpp.credentials import Credentials
from adapters.ocpp.door import (
    BY_WEB_PAGE,
    Caller,
    Refused,
    agree,
    at_home,
    basic,
    identity_in,
    of_web_page,
    offered_in,
    proved_profile,
    why_below,
    why_nameless,
)
from adapters.ocpp.front import FrontConnection
from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
from adapters.ocpp.storms import Storms
from adapters.ocpp.tls import ServerTls, names_in, serial_of
from adapters.ocpp.waiting import KEPT_TRACES, Traces, WaitingList, WaitingRoom
from gateway.model.charging import TraceLine
from gateway.model.errors import StoreError
from gateway.ports import Clock

log = logging.getLogger(__name__)

ALIVE_S = 2.0
"""A connection whose charger answers no ping in so long (real s) gives way to a newer one."""
RENEW_BEFORE_S = 365 * 86400.0
"""A charger's certificate of three years is renewed in its last third."""


class House(Protocol):
    """The CSMS, as far as its door needs it."""

    name: str
    settings: OcppSettings
    credentials: Credentials
    certificates: Certificates
    tls: ServerTls | None
    waiting_list: WaitingList
    traces: Traces
    points: dict[str, ChargePoint]
    live: dict[str, FrontConnection]

    def settings_of(self, identity: str) -> OcppDeviceSettings | None:
        """How an identity is configured."""
        ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that was let in."""

    caller: Caller
    version: str
    subprotocol: str | None
    peer: Peer


class Admission:
    """Judges requests; `arrivals` are those let in whose connection has not begun yet."""

    def __init__(self, house: House, storms: Storms, clock: Clock) -> None:
        self.arrivals: WeakKeyDictionary[ServerConnection, Arrival] = WeakKeyDictionary()
        self.rooms: dict[str, WaitingRoom] = {}
        """The waiting rooms of unknown charge points, kept for their traces."""
        self._seen_at: dict[str, str] = {}
        self._house = house
        self._storms = storms
        self._clock = clock

    # ---- before there is a request

    def may_enter(self, address: str) -> str:
        """Why a TCP connection of this address is not taken now, or ""."""
        wait_s = self._storms.from_address(address, asyncio.get_running_loop().time())
        return f"too many connections of this address, wait {wait_s:.0f} s" if wait_s else ""

    def nameless(self, address: str, steps: Sequence[TraceLine]) -> None:
        """A connection ended before it named a charge point."""
        self._house.traces.add(address, steps)
        if at_home(address):
            self._house.waiting_list.refused("", address, steps[-1].text)

    # ---- the request

    async def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse in plain words whom we do not serve; None lets the handshake go on."""
        assert isinstance(connection, FrontConnection)
        caller = self._caller(connection, request)
        if not caller.identity:
            connection.note(f"refused: {why_nameless(request.path, self._house.settings.path)}")
            connection.answered = True
            return connection.respond(
                HTTPStatus.NOT_FOUND, f"dial {self._house.settings.path}/<charge point identity>\n"
            )
        connection.named = True
        self._house.traces.add(caller.identity, connection.steps)
        connection.steps = []
        self._note_address(caller)
        self.tell(caller.identity, _greeting(caller))
        try:
            arrival = await self._judge(caller)
        except StoreError as error:
            arrival = Refused(503, f"the store cannot be read: {error}")
        self._ask_again(caller)
        if isinstance(arrival, Refused):
            return self._refuse(connection, caller, arrival)
        self.arrivals[connection] = arrival
        self._house.waiting_list.forget(caller.address)  # what kept somebody out there is over
        return None

    def _ask_again(self, caller: Caller) -> None:
        """One that needs a certificate is asked for it again, whoever else showed a wrong one at its address."""
        settings = self._house.settings_of(caller.identity)
        if self._house.tls is not None and settings is not None and settings.least_profile == 3:
            self._house.tls.ask_again(caller.address)

    def subprotocol(self, connection: ServerConnection, _: Sequence[Subprotocol]) -> Subprotocol | None:
        """The subprotocol agreed for this connection, in the charger's own spelling."""
        arrival = self.arrivals.get(connection)
        return Subprotocol(arrival.subprotocol) if arrival and arrival.subprotocol else None

    def _caller(self, connection: FrontConnection, request: Request) -> Caller:
        user, password = basic(_first(request, "Authorization"))
        return Caller(
            identity_in(request.path, self._house.settings.path),
            connection.address,
            offered_in(request.headers.get_all("Sec-WebSocket-Protocol")),
            connection.certificate is not None,
            user,
            password,
            of_web_page(_first(request, "Origin"), _first(request, "User-Agent")),
            names_in(connection.certificate),
            serial_of(connection.certificate),
            connection.why_unasked,
        )

    async def _judge(self, caller: Caller) -> Arrival | Refused:
        now = asyncio.get_running_loop().time()
        wait_s = self._storms.of_identity(caller.identity, caller.address, now)
        if wait_s:
            return Refused(503, f"it connects too often, wait {wait_s:.0f} s")
        settings, point = self._house.settings_of(caller.identity), self._house.points.get(caller.identity)
        caller = await self._with_what_holds(caller, settings)
        proved = await self._proved(caller, settings)
        refused = await self._why_not(caller, settings, proved) or await self._taken(caller, proved)
        agreed = agree(caller.offered, settings.version if settings else None, point.version if point else "")
        if refused is not None or isinstance(agreed, Refused):
            return refused or agreed  # type: ignore[return-value]
        name = caller.identity if caller.identity in caller.names else next(iter(sorted(caller.names)), "")
        return Arrival(caller, agreed.version, agreed.subprotocol, Peer(caller.address, proved, name))

    async def judged(self, arrival: Arrival) -> Refused | None:
        """Whether one who is in already meets what is asked of it now; raises StoreError."""
        settings = self._house.settings_of(arrival.caller.identity)
        caller = await self._with_what_holds(arrival.caller, settings)
        return await self._why_not(caller, settings, await self._proved(caller, settings))

    async def _with_what_holds(self, caller: Caller, settings: OcppDeviceSettings | None) -> Caller:
        """A certificate that was replaced or withdrawn is none."""
        if settings is None or caller.serial is None or caller.identity not in caller.names:
            return caller
        why = await self._house.certificates.why_not(caller.identity, caller.serial)
        if not why:
            return caller
        self.tell(caller.identity, f"{why}: it counts for nothing")
        return replace(caller, names=frozenset(), why_no_certificate=why)

    async def _proved(self, caller: Caller, settings: OcppDeviceSettings | None) -> int:
        holds = False
        if settings is not None and caller.user == caller.identity:
            password = settings.password.get_secret_value() if settings.password else None
            holds = await self._house.credentials.accepts(caller.identity, caller.password, password)
        return proved_profile(caller, holds)

    async def _why_not(self, caller: Caller, settings: OcppDeviceSettings | None, proved: int) -> Refused | None:
        if settings is not None:
            # Who was given a password and has shown it is asked for it, whatever the site file asks.
            given = await self._house.credentials.shown(caller.identity)
            return why_below(caller, max(settings.least_profile, int(given)), proved)
        if caller.web_page:
            return BY_WEB_PAGE
        if not at_home(caller.address):
            return Refused(403, "it is not configured, and not of the home's own network")
        if caller.identity not in self._house.live and self._places_for_unknown() <= 0:
            return Refused(503, "too many connections")
        return None

    def _places_for_unknown(self) -> int:
        strangers = sum(identity not in self._house.points for identity in self._house.live)
        return self._house.settings.max_connections - len(self._house.points) - strangers

    async def _taken(self, caller: Caller, proved: int) -> Refused | None:
        """A live connection gives way to one that proved itself, or to its own charger's; else only when it is dead."""
        live = self._house.live.get(caller.identity)
        if live is None or proved or live.address == caller.address or not await _answers(live):
            return None
        return Refused(409, f"this identity is connected from {live.address}; give the charger another one")

    def _refuse(self, connection: FrontConnection, caller: Caller, refused: Refused) -> Response:
        self.tell(caller.identity, f"refused: {refused.why}")
        known = caller.identity in self._house.points
        if known:
            log.warning("%s: a connection as %s was refused: %s", self._house.name, caller.identity, refused.why)
        elif at_home(caller.address):
            self._house.waiting_list.refused(caller.identity, caller.address, refused.why)
        # A stranger is not told what exactly was wrong with his password.
        text = "wrong identity or password" if refused.status == 401 else refused.why
        response = connection.respond(HTTPStatus(refused.status), f"{text}\n")
        if refused.status == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="CSMS", charset="UTF-8"'
        if refused.status == 503:
            response.headers["Retry-After"] = "10"
        return response

    def _note_address(self, caller: Caller) -> None:
        self._seen_at.pop(caller.identity, None)
        self._seen_at[caller.identity] = caller.address
        while len(self._seen_at) > KEPT_TRACES:
            forgotten = next(iter(self._seen_at))
            del self._seen_at[forgotten]
            self.rooms.pop(forgotten, None)

    def addresses_of(self, identity: str) -> list[str]:
        """The address from which this identity came last; what failed there before a name was told belongs to it."""
        return [self._seen_at[identity]] if identity in self._seen_at else []

    # ---- what it tells

    def tell(self, identity: str, text: str) -> None:
        """One more step of this identity."""
        self._house.traces.add(identity, [self.step(text)])

    def step(self, text: str) -> TraceLine:
        """A step, now."""
        return TraceLine(self._clock.now(), "step", text)

    def certificate_ends_soon(self, connection: FrontConnection) -> bool:
        """Whether the charger's own certificate is in the last third of its life."""
        certificate = connection.certificate
        if not certificate:
            return False
        end_s = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        return end_s - self._clock.now().timestamp() < RENEW_BEFORE_S


def _first(request: Request, name: str) -> str:
    """The first of the headers of this name, "" without one."""
    return next(iter(request.headers.get_all(name)), "")


async def _answers(connection: ServerConnection) -> bool:
    try:
        async with asyncio.timeout(ALIVE_S):
            await (await connection.ping())
    except (TimeoutError, ConnectionClosed):
        return False
    return True


def _greeting(caller: Caller) -> str:
    offers = ", ".join(caller.offered) or "no subprotocol"
    shows = [
        *(["TLS"] if caller.tls else []),
        *([f"a certificate for {', '.join(sorted(caller.names))}"] if caller.names else []),
        *(["a password"] if caller.user is not None else []),
    ]
    return f"asks as {caller.identity}, offers {offers}; shows {' and '.join(shows) or 'no credentials'}"[:300]
