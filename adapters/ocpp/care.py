"""Looking after a charge point on one connection: set-up at each boot, wishes told anew, silent meters asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping

from adapters.ocpp.connector import REAL_BEAT_S, Connector
from adapters.ocpp.dialect import Dialect
from adapters.ocpp.dispatch import CallFailed
from gateway.model.errors import CommandRefused
from gateway.ports import Clock

log = logging.getLogger(__name__)

BOOT_WAIT_S = 3.0
"""A charger that did not send its BootNotification by then is asked for it, and set up anyway."""
SET_UP_APART_S = 10.0
"""A charger that boots again and again is set up once in so many seconds."""


class Care:
    """The care for the connectors of one charge point, as long as `run` is not cancelled."""

    def __init__(self, name: str, connectors: Mapping[int, Connector], spoken: Dialect, clock: Clock) -> None:
        self._name = name
        self._connectors = connectors
        self._spoken = spoken
        self._clock = clock
        self._booted = asyncio.Event()
        self._due = asyncio.Event()

    async def run(self) -> None:
        """Look after the charger until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._set_ups(), name=f"set-up of {self._name}")
            group.create_task(self._beats(), name=f"wishes for {self._name}")

    def set_up_again(self) -> None:
        """It booted, or has one connector more."""
        self._booted.set()

    def answered(self, action: str) -> None:
        """Our answer is on the wire: what must come after it may."""
        if action == "BootNotification":
            self._booted.set()
        if any(connector.wish_is_due for connector in self._connectors.values()):
            self._due.set()

    # ---- set-up

    async def _set_ups(self) -> None:
        """Set-up at each boot; the boots of a while count as one."""
        await self._wait_for_boot()
        while True:
            self._booted.clear()
            await self._set_up()
            await self._clock.sleep(SET_UP_APART_S, real_floor=REAL_BEAT_S)
            await self._booted.wait()

    async def _wait_for_boot(self) -> None:
        await self._first(BOOT_WAIT_S, self._booted)
        if not self._booted.is_set() and await _is_done(self._spoken.ask_boot()):
            await self._first(BOOT_WAIT_S, self._booted)

    async def _set_up(self) -> None:
        for connector in self._connectors.values():
            connector.polls = True
        try:
            await self._spoken.set_up()
        except (CallFailed, CommandRefused) as error:
            log.warning("%s: set-up: %s", self._name, error)
        except Exception:  # a charger with a strange configuration keeps its sessions and its limits
            log.exception("%s: set-up failed", self._name)
            for connector in self._connectors.values():
                connector.wish_is_due = True
            self._due.set()

    # ---- wishes and meters

    async def _beats(self) -> None:
        """At once when a session started, else once per sampling interval."""
        while True:
            await self._first(self._interval_s(), self._due)
            self._due.clear()
            try:
                for connector in list(self._connectors.values()):
                    await self._attend(connector)
            except Exception:  # whatever one wish meets, the next one is told
                log.exception("%s: it could not be looked after", self._name)

    async def _attend(self, connector: Connector) -> None:
        if connector.wish_is_due or connector.limiter.wants_repeat():
            await connector.repeat_wish()
        if connector.polls and connector.is_silent():
            connector.polls = await _is_done(self._spoken.poll(connector))

    def _interval_s(self) -> float:
        return min((connector.live.interval_s for connector in self._connectors.values()), default=SET_UP_APART_S)

    async def _first(self, seconds: float, event: asyncio.Event) -> None:
        """Wait for the event, at most `seconds` of home time."""
        waiting = asyncio.ensure_future(event.wait())
        pause = asyncio.ensure_future(self._clock.sleep(seconds, real_floor=REAL_BEAT_S))
        try:
            await asyncio.wait((waiting, pause), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            pause.cancel()


async def _is_done(question: Awaitable[bool]) -> bool:
    try:
        return await question
    except CallFailed:
        return False
