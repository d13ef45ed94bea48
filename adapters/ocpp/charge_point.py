"""One charge point, known by its identity: its connectors, and the connection it is on at the moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.ocpp.care import Care
from adapters.ocpp.connector import Connector
from adapters.ocpp.dialect import Noted, Sign
from adapters.ocpp.dispatch import AnswerWrong, CallFailed, CallRefused, Dispatch, LinkLost, Payload
from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.frames import FrameLog
from adapters.ocpp.quirks import Quirks
from adapters.ocpp.schemas import BesideNewer, Schemas, SchemaViolation
from adapters.ocpp.settings import OcppDeviceSettings
from adapters.ocpp.stamps import Stamps
from adapters.ocpp.versions import dialect
from gateway.model.errors import CommandRefused, DeviceAnswerWrong, DeviceUnreachable, StoreError
from gateway.model.site import Device
from gateway.ports import Clock, FactStore, OnChange, SessionStore

log = logging.getLogger(__name__)

NORMAL_CLOSURE = 1000


class Line(Protocol):
    """A connection to a charge point: text messages both ways."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The messages of the peer; ends with the connection and never raises."""
        ...

    async def send(self, text: str) -> None:
        """Put one text message on the wire; raises LinkLost."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """End the connection in order; returns at once when it has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end: its network address, how it proved itself, and the name in its certificate."""

    address: str = ""
    security_profile: int = 0
    """0 plain, 1 password, 2 TLS and password, 3 TLS and its own certificate."""
    certificate_name: str = ""


@dataclass(slots=True)
class Talk:
    """What is said over one connection: by whom, and since a change of version by a second exchange of messages."""

    line: Line
    peer: Peer
    link: Dispatch
    tasks: list[asyncio.Task[None]]
    dialled: str
    """The version it came with."""
    settled: bool = False
    """It was taken for a 1.6 and is none: no more changes on this connection."""


class ChargePoint:
    """The connectors of one identity; `connector` makes them, `serve` runs one connection to its end.

    `schemas` gives the messages of a version ("1.6", "2.0.1", "2.1"); `sign` takes certificate requests in, `noted`
    hears of messages that change nothing here.
    """

    def __init__(
        self,
        identity: str,
        clock: Clock,
        sessions: SessionStore,
        facts: FactStore,
        on_change: OnChange,
        schemas: Callable[[str], Schemas],
        *,
        ping_interval_s: float = 20.0,
        sign: Sign | None = None,
        noted: Noted = lambda action, payload: None,
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.frames = FrameLog()
        self.connectors: dict[int, Connector] = {}
        self.facts = ChargerFacts(identity, facts)
        self.stamps = Stamps(clock)
        self.version = ""
        """OCPP version spoken now, or the last time."""
        self.peer = Peer()
        """Who is, or was last, at the other end."""
        self.why_away = "the charger is not connected"
        self.restarting = False
        """Whether it is away because somebody asked it to restart."""
        """What keeps the charger away, in words."""
        self.features: dict[str, str] = {}
        self.switches_phases = False
        self.ping_interval_s = ping_interval_s
        self.sign = sign
        self.noted = noted
        self._sessions = sessions
        self._fact_store = facts
        self._on_change = on_change
        self._schemas = schemas
        self._line: Line | None = None
        self._link: Dispatch | None = None
        self._talk: Talk | None = None
        self._care: Care | None = None
        self._caring: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether a connection stands."""
        return self._link is not None

    def connector(self, device: Device, settings: OcppDeviceSettings) -> Connector:
        """The view of one connector, made at the first call for its number, also while the charger is connected."""
        if not self.connectors:
            self.facts = ChargerFacts(device.id, self._fact_store, self.facts.table)
        held = self.connectors.get(settings.connector)
        if held is not None:
            return held
        made = Connector(device, settings, self, self.clock, self._sessions, self._on_change)
        self.connectors[settings.connector] = made
        if self.connected:
            made.speak(self.version)
            self._in_background(self._welcome(made))
        return made

    async def _welcome(self, connector: Connector) -> None:
        """A connector that was configured while its charger was connected: another set-up gives it its limits."""
        try:
            await connector.book.resume()
        except StoreError as error:
            log.error("%s: its sessions cannot be recalled: %s", connector.id, error)
        if self._care is not None:
            self._care.set_up_again()

    async def older_inside(self, older: bool) -> bool:
        """It dials as OCPP 2.x and turns out to know 1.6 only (or, not `older`, does not): whether it is taken so.

        It is served so from now on, on the very same connection, which goes there and back once at most.
        """
        talk = self._talk
        if talk is None or talk.dialled == "1.6" or (older and (talk.settled or self._pinned)):
            return False
        talk.settled = talk.settled or not older
        await self.facts.know_older_inside(older)
        version = "1.6" if older else talk.dialled
        if self.version != version:
            log.warning("%s: it dials as OCPP %s and speaks %s", self._name, talk.dialled, version)
            self._in_background(self._go_on_as(talk, version))
        return True

    @property
    def _pinned(self) -> bool:
        """Whether the site file says that it speaks 2.x."""
        return any(one.settings.version not in (None, "1.6") for one in self.connectors.values())

    def use(self, quirks: Quirks) -> None:
        """What is known beforehand of chargers by their make."""
        self.facts.table = quirks

    # ---- calls to the charger

    async def ask(self, action: str, payload: Payload) -> Payload:
        """One call to the charger; raises CallFailed."""
        link = self._link
        if link is None:
            raise LinkLost("the charger is not connected")
        try:
            return await link.call(action, payload)
        except SchemaViolation as error:
            raise AnswerWrong(f"our own {action} is wrong: {error}") from None

    async def call(self, action: str, payload: Payload) -> Payload:
        """Any OCPP call, for tools; raises DeviceUnreachable, CommandRefused, DeviceAnswerWrong."""
        try:
            return await self.ask(action, payload)
        except CallRefused as error:
            raise CommandRefused(self._name, action, str(error)) from None
        except AnswerWrong as error:
            raise DeviceAnswerWrong(self._name, action, str(error)) from None
        except CallFailed as error:
            raise DeviceUnreachable(self._name, action, str(error)) from None

    @property
    def _name(self) -> str:
        return next((connector.id for connector in self.connectors.values()), self.identity)

    # ---- the connection

    async def serve(self, line: Line, version: str, peer: Peer) -> None:
        """Run one connection to its end: by the peer, its loss, or a newer connection; raises StoreError."""
        self._replace(line)
        try:
            await self.recall()
        except StoreError:
            self._forget(line)
            raise
        if self._line is line:  # not replaced while the store was asked
            await self._serve(line, version, peer)

    async def _serve(self, line: Line, dialled: str, peer: Peer) -> None:
        older = self.facts.older_inside and not self._pinned
        talk = await self._begin(line, "1.6" if older else dialled, peer, dialled)
        try:
            async for message in line:
                talk.link.receive(message)
        finally:
            for task in talk.tasks:
                task.cancel()
            await asyncio.gather(*talk.tasks, return_exceptions=True)
            self._forget(line)
            await self._detach(talk.link)

    async def _begin(self, line: Line, version: str, peer: Peer, dialled: str) -> Talk:
        """Speak this version on a line from now on; it dialled as OCPP `dialled`."""
        await self._speak(version, peer)
        spoken = dialect(version, self, dialled)
        care = Care(self._name, self.connectors, spoken, self.clock)
        schemas = self._schemas(version)
        if version != dialled:
            schemas = BesideNewer(schemas, self._schemas(dialled))
        link = Dispatch(line.send, spoken.handle, care.answered, schemas, self.frames, self.clock, version)
        caring = asyncio.create_task(care.run(), name=f"care for {self.identity}")
        working = asyncio.create_task(link.work(), name=f"answers to {self.identity}")
        self._attach(link, care, caring)
        self._talk = Talk(line, peer, link, [caring, working], dialled)
        return self._talk

    async def _go_on_as(self, talk: Talk, version: str) -> None:
        """The calls it made before are still answered by the exchange it made them to."""
        if self._link is not talk.link:
            return  # it dialled again meanwhile
        later = await self._begin(talk.line, version, talk.peer, talk.dialled)
        talk.link, talk.tasks = later.link, [*talk.tasks, *later.tasks]
        if self._line is not talk.line:  # the connection ended meanwhile
            for task in later.tasks:
                task.cancel()
            await self._detach(later.link)
        elif self._care is not None:
            self._talk = talk
            self._care.set_up_again()  # it told of its boot already

    def _forget(self, line: Line) -> None:
        if self._line is line:
            self._line = None

    def _replace(self, line: Line) -> None:
        """The newest connection wins; the farewell to the older one delays nobody."""
        older, self._line = self._line, line
        if older is not None:
            self._in_background(older.close(NORMAL_CLOSURE, "replaced by a newer connection"))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def recall(self) -> None:
        """Its sessions and what is known of it, from the store; raises StoreError."""
        for connector in self.connectors.values():
            await connector.book.resume()
        await self.remember()
        for connector in self.connectors.values():
            await connector.recall_needs()

    async def remember(self) -> None:
        """What is known of it before it dials: its make, the version spoken last, how it proved itself."""
        await self.facts.load()
        self.stamps.behind_s = self.facts.behind_s
        self.version = self.version or self.facts.version
        if not self.peer.address:
            self.peer = Peer(security_profile=self.facts.security_profile)

    async def _speak(self, version: str, peer: Peer) -> None:
        self.version, self.peer = version, peer
        await self.facts.spoke(version, peer.security_profile)
        self.stamps.new_line()
        for connector in self.connectors.values():
            connector.speak(version)
            connector.live.line_changed()
            connector.limiter.learn_features(None, ("A", "W"))

    def _attach(self, link: Dispatch, care: Care, caring: asyncio.Task[None]) -> None:
        replaced, self._link, self._care = self._link, link, care
        if self._caring is not None:
            self._caring.cancel()
        self._caring = caring
        if replaced is None:
            log.info("%s: connected with OCPP %s", self._name, self.version)
            self._changed("connected")
        else:
            replaced.close()

    async def _detach(self, link: Dispatch) -> None:
        """This connection ended; the cleanup of a replaced one changes nothing."""
        link.close()
        if self._link is not link:
            return
        self._link = self._talk = self._care = self._caring = None
        log.info("%s: disconnected", self._name)
        for connector in self.connectors.values():
            connector.live.line_changed()
        self._changed("disconnected")
        try:
            for connector in self.connectors.values():
                await connector.book.save()
        except StoreError as error:
            log.warning("%s: the energy register could not be kept: %s", self._name, error)

    def _changed(self, what: str) -> None:
        for connector in self.connectors.values():
            connector.changed(what)
