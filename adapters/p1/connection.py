"""One P1 port: one connection with one owner task; telegrams whose checksum is wrong are counted and dropped."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import termios
import tty
from collections.abc import Callable
from datetime import datetime

from adapters.p1.settings import P1SerialSettings, P1Settings, P1TcpSettings
from adapters.p1.telegram import Assembler, BadTelegram, Telegram, parse
from gateway.ports import Clock

log = logging.getLogger(__name__)

CONNECT_S = 5.0
FIRST_RECONNECT_S = 0.5
MAX_RECONNECT_S = 2.0
"""A P1 port is the home's main meter: without it cars stand at their safe current, so it is dialled often."""
DEAF = 5
"""So many bad telegrams in a row are no longer a disturbance."""


class Inbox:
    """The latest telegram for one listener, and when it came."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self._latest: tuple[Telegram, datetime] | None = None

    def put(self, telegram: Telegram, time: datetime) -> None:
        """Keep a telegram in place of one nobody took."""
        self._latest = (telegram, time)
        self.arrived.set()

    def take(self) -> tuple[Telegram, datetime] | None:
        """The telegram nobody took yet, if there is one."""
        latest, self._latest = self._latest, None
        self.arrived.clear()
        return latest


class P1Line:
    """A P1 port as a Connection: opens, listens and opens again until cancelled."""

    def __init__(self, name: str, settings: P1Settings, clock: Clock) -> None:
        self.name = name
        self.connects = 0
        """How often the connection was opened."""
        self.bad_telegrams = 0
        """Telegrams that were not believed."""
        self.trouble = ""
        """Why telegrams come and none is believed, in words; empty when the last one was."""
        self._settings, self._clock = settings, clock
        self._inboxes: list[Inbox] = []
        self._connected = False
        self._bad_in_a_row = 0
        self._reachable: bool | None = None

    @property
    def connected(self) -> bool:
        """Whether the line is open."""
        return self._connected

    def listen(self) -> Inbox:
        """An inbox for every good telegram from now on."""
        inbox = Inbox()
        self._inboxes.append(inbox)
        return inbox

    async def run(self) -> None:
        """Keep the line open until cancelled: again after 2 s at the latest, with jitter."""
        delay_s = FIRST_RECONNECT_S
        while True:
            opened = self.connects
            try:
                await self._serve()
            except (TimeoutError, OSError) as error:
                self._note(False, str(error) or "nothing was heard")
            delay_s = FIRST_RECONNECT_S if self.connects > opened else min(MAX_RECONNECT_S, delay_s * 2)
            await self._clock.sleep(0, real_floor=delay_s * random.uniform(0.7, 1.0))

    async def _serve(self) -> None:
        async with asyncio.timeout(CONNECT_S):
            reader, close = await _open(self._settings)
        self.connects += 1
        self._connected, self.trouble, self._bad_in_a_row = True, "", 0
        assembler = Assembler()
        try:
            while True:
                async with asyncio.timeout(self._settings.silence_s):
                    data = await reader.read(4096)
                if not data:
                    raise ConnectionError("the other side closed the line")
                for raw in assembler.feed(data):
                    self._take(raw)
        finally:
            self._connected = False
            close()

    def _take(self, raw: bytes) -> None:
        try:
            telegram = parse(raw)
        except BadTelegram as error:
            self._disbelieve(error)
            return
        self.trouble, self._bad_in_a_row = "", 0
        self._note(True, telegram.meter)
        for inbox in self._inboxes:
            inbox.put(telegram, self._clock.now())

    def _disbelieve(self, error: BadTelegram) -> None:
        self.bad_telegrams += 1
        self._bad_in_a_row += 1
        self.trouble = f"telegrams come, but {error.fault} ({self._bad_in_a_row} in a row): {error}"
        if self.bad_telegrams == 1:
            log.warning("%s: a telegram is not believed: %s", self.name, error)
        elif self._bad_in_a_row == DEAF:
            self._note(False, self.trouble)

    def _note(self, reachable: bool, words: str) -> None:
        if reachable != self._reachable:
            level, what = (logging.INFO, "telegrams come") if reachable else (logging.WARNING, "no usable telegrams")
            log.log(level, "%s: %s (%s)", self.name, what, words)
        self._reachable = reachable


async def _open(settings: P1Settings) -> tuple[asyncio.StreamReader, Callable[[], None]]:
    """What comes over the line, and how to close it; raises OSError."""
    if isinstance(settings, P1TcpSettings):
        reader, writer = await asyncio.open_connection(settings.host, settings.port)
        return reader, writer.close
    return await _open_serial(settings)


async def _open_serial(settings: P1SerialSettings) -> tuple[asyncio.StreamReader, Callable[[], None]]:
    file = os.fdopen(os.open(settings.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), "rb", buffering=0)
    try:
        _set_line(file.fileno(), settings.baudrate)
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    except (OSError, ValueError, termios.error) as error:
        file.close()
        raise OSError(f"{settings.path} is no serial line: {error}") from error
    return reader, transport.close


def _set_line(line: int, baudrate: int) -> None:
    """8N1, raw, at `baudrate`."""
    tty.setraw(line)
    attributes = termios.tcgetattr(line)
    attributes[4] = attributes[5] = getattr(termios, f"B{baudrate}")
    termios.tcsetattr(line, termios.TCSANOW, attributes)
