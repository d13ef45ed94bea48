"""Hints over MQTT (OpenADR 3.1.0, notifiers): the broker and the topics are the VTN's to name."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote

from adapters.openadr.account import Account
from adapters.openadr.enrolment import Enrolment
from adapters.openadr.notifiers import BEARER, CERTIFICATE, MOST_TOPICS, Binding, bindings, objection, topics
from adapters.openadr.v301 import V301
from adapters.openadr.versions import Versions
from adapters.openadr.web import tls_of
from gateway.model.errors import ServerError, ServerUnreachable

if TYPE_CHECKING:
    import aiomqtt

log = logging.getLogger(__name__)

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 300.0
NOT_OFFERED_S = 3600.0
STEADY_S = 60.0
"""A connection that lasted so long is retried at once when it breaks."""
IO_TIMEOUT_S = 10.0
TOPICS = "/notifiers/mqtt/topics"


class MqttPush:
    """Listens on the broker of one VTN for as long as `run` runs; a dead broker disturbs nothing else."""

    def __init__(self, account: Account, versions: Versions, enrolment: Enrolment, hinted: Callable[[], None]) -> None:
        self.state = ""
        """How it stands, in words."""
        self._account = account
        self._versions = versions
        self._enrolment = enrolment
        self._hinted = hinted
        self._looked = asyncio.Event()
        self._moved = asyncio.Event()
        self._programs: tuple[str, ...] = ()
        self._by_program = False
        self._was_connected = False

    def follow(self, programs: tuple[str, ...]) -> None:
        """The programs of the last look; where topics go by program, a new one is subscribed to."""
        if programs != self._programs and self._by_program:
            self._moved.set()
        self._programs = programs
        self._looked.set()

    async def run(self) -> None:
        """Keep listening until cancelled, after the first look: retried after 2, 4 ... 300 s, with jitter."""
        await self._looked.wait()
        retry_s = FIRST_RETRY_S
        while True:
            began = asyncio.get_running_loop().time()
            pause_s = await self._attempt()
            if asyncio.get_running_loop().time() - began > STEADY_S:
                retry_s = FIRST_RETRY_S
            wait_s = retry_s * random.uniform(0.5, 1.0) if pause_s is None else pause_s
            await self._account.clock.sleep(0, real_floor=wait_s)
            retry_s = min(LONGEST_RETRY_S, retry_s * 2) if pause_s is None else FIRST_RETRY_S

    async def _attempt(self) -> float | None:
        """Listen as long as it goes; the pause before the next attempt, s, or None for the usual one."""
        import aiomqtt

        self._moved.clear()
        try:
            binding = await self._offer()
            if binding is None:
                return NOT_OFFERED_S
            await self._listen_until_moved(binding)
        except (ServerError, aiomqtt.MqttError, OSError, ValueError) as error:
            self._note(f"MQTT: not connected: {error.reason if isinstance(error, ServerError) else error}")
            return None
        return 0.0

    async def _offer(self) -> Binding | None:
        """The broker to use; None, with the reason in `state`, where there is none for us. Raises ServerError."""
        if await self._versions.dialect() is V301:
            self._note("MQTT: OpenADR 3.0.1 has none")
            return None
        answer = await self._account.request("GET", "/notifiers")
        if answer.status >= 500 or answer.status in (408, 429):
            raise ServerUnreachable(self._account.name, f"GET /notifiers was answered with {answer.status}")
        offered = bindings(answer.body) if answer.status == 200 else []
        objections = [objection(each, self._account.settings) for each in offered]
        fit = [each for each, why in zip(offered, objections, strict=True) if not why]
        if not fit:
            self._note(f"MQTT: {next(iter(objections), 'the server offers none')}")
        return random.choice(fit) if fit else None

    async def _topics(self) -> list[str]:
        """What to subscribe to: by VEN, else by program, else for all; raises ServerError when nothing is named."""
        ven, programs = quote(self._enrolment.ven_id, safe=""), [quote(each, safe="") for each in self._programs]
        by_ven = [f"{TOPICS}/vens/{ven}/events", f"{TOPICS}/vens/{ven}/programs"] if ven else []
        by_program = [f"{TOPICS}/programs/{each}/events" for each in programs[:MOST_TOPICS]]
        for paths in (by_ven, by_program, [f"{TOPICS}/events", f"{TOPICS}/programs"]):
            answers = [await self._account.request("GET", path) for path in paths]
            found = [topic for answer in answers if answer.status == 200 for topic in topics(answer.body)]
            if found:
                self._by_program = paths is by_program
                return list(dict.fromkeys(found))[:MOST_TOPICS]
        raise ServerUnreachable(self._account.name, "the server names no topics for us")

    async def _listen_until_moved(self, binding: Binding) -> None:
        named = await self._topics()
        listening = asyncio.ensure_future(self._listen(binding, named))
        moved = asyncio.ensure_future(self._moved.wait())
        try:
            await asyncio.wait({listening, moved}, return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                await listening
        finally:
            listening.cancel()
            moved.cancel()
            await asyncio.gather(listening, moved, return_exceptions=True)

    async def _listen(self, binding: Binding, named: list[str]) -> None:
        async with await self._client(binding) as client:
            granted = await client.subscribe([(topic, 1) for topic in named])
            if all(_refused(code) for code in granted):
                raise ServerUnreachable(self._account.name, "its broker lets us subscribe to nothing")
            self._note(f"MQTT: listening on {binding.host}")
            if self._was_connected:
                self._hinted()  # what was said meanwhile was not heard
            self._was_connected = True
            async for _ in client.messages:
                self._hinted()

    async def _client(self, binding: Binding) -> aiomqtt.Client:
        import aiomqtt

        username, password = binding.username.replace("{clientID}", self._account.settings.client_id), None
        if binding.method == BEARER:
            password = (await self._account.token.header())["Authorization"].removeprefix("Bearer ")
        return aiomqtt.Client(
            binding.host, binding.port, username=username if binding.method == BEARER else None, password=password,
            timeout=IO_TIMEOUT_S, keepalive=30, tls_context=self._tls(binding) if binding.tls else None,
        )  # fmt: skip

    def _tls(self, binding: Binding) -> ssl.SSLContext:
        context = tls_of(self._account.name, self._account.settings)
        if binding.method == CERTIFICATE and binding.client_cert:
            _show_given(context, binding)
        return context

    def _note(self, state: str) -> None:
        if state != self.state:
            log.info("%s: %s", self._account.name, state)
        self.state = state


def _refused(code: object) -> bool:
    """Whether a SUBACK code is a failure: 128 and above (MQTT 3.1.1, 3.9.3)."""
    value = getattr(code, "value", code)
    return isinstance(value, int) and value >= 128


def _show_given(context: ssl.SSLContext, binding: Binding) -> None:
    """The authority, certificate and key the VTN handed us; on disk, for the eyes of this user, only while read."""
    if binding.ca_cert:
        context.load_verify_locations(cadata=binding.ca_cert)
    with TemporaryDirectory() as folder:
        cert, key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
        cert.write_text(binding.client_cert)
        key.write_text(binding.client_key)
        context.load_cert_chain(cert, key, password="")
