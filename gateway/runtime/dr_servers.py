"""One utility's server, for ever: looked at in its pace and when it hints, told our devices and answers; its health."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.model.agreement import Shared
from gateway.model.dr import DrResource, EventRecord, OptState, ServerFacts
from gateway.model.errors import ServerError, ServerUnreachable, StoreError
from gateway.model.site import (
    ApplianceSpec,
    BatterySpec,
    ChargerSpec,
    Device,
    HeatPumpSpec,
    PoolPumpSpec,
    Site,
    WaterHeaterSpec,
)
from gateway.ports import DrAnswering, DrEnrolling, DrFacts, DrPaced, DrServer, DrWakeUp
from gateway.runtime.dr_merge import CLOCK_APART_S

if TYPE_CHECKING:
    from gateway.runtime.demand_response import DemandResponse

log = logging.getLogger(__name__)

BACKOFF_MAX_S = 300.0
HINT_REAL_S = 0.25
"""Hints that come faster than this lead to one look (real s)."""
HINT_AFTER_FAILURE_S = 5.0
"""So soon after a failed look a hint leads to the next one: who hints is there again."""
HINT_AFTER_REFUSAL_S = 60.0
"""The same where the server asked to be left alone for a while (Retry-After)."""
ENROL_AGAIN_S = 86_400.0


@dataclass(slots=True)
class ServerHealth:
    """How one utility's server fares."""

    ok: bool = False
    last_ok: float | None = None
    error: str = ""
    failures: int = 0
    silent_since: datetime | None = None
    """Since when it is not heard; None while it is."""


class ServerLoop:
    """Follows one server until cancelled; nothing that it does or does not do stops the others."""

    def __init__(self, dr: DemandResponse, server: DrServer) -> None:
        self._dr, self._server = dr, server
        self._health = dr.health.setdefault(server.name, ServerHealth())
        self._enrol_at = 0.0
        self._enrolled: list[DrResource] | None = None
        self._deaf_s = 0.0

    async def run(self) -> None:
        """Look, answer, wait for the next turn or a hint; a failed look changes nothing but the health."""
        await self._resume()
        while True:
            pace = self._server.poll_s if isinstance(self._server, DrPaced) else self._dr.poll_s
            pause, floor = pace * random.uniform(0.9, 1.1), HINT_REAL_S
            try:
                await self._dr.look(self._server)
                await self._say()
            except ServerError as error:
                pause, floor = await self._failed(error)
            else:
                await self._fine()
            await self._until_next(pause, floor)

    async def _resume(self) -> None:
        """A server that was silent before a restart is so since then: what holds meanwhile goes on at once."""
        known = (await self._dr.store.get(_silence(self._server.name)) or {}).get("since")
        if isinstance(known, str) and self._health.silent_since is None:
            with suppress(ValueError):  # what cannot be read counts from the first failed look on
                self._health.silent_since = datetime.fromisoformat(known)
                self._dr.wake()

    async def _until_next(self, pause: float, floor: float) -> None:
        """The pause, or less when the server hints at a change, or the home has an answer for it."""
        waits = [
            asyncio.ensure_future(self._dr.clock.sleep(pause, real_floor=floor)),
            asyncio.ensure_future(self._dr.answers_due(self._server.name)),
        ]
        if isinstance(self._server, DrWakeUp):
            waits.append(asyncio.ensure_future(self._hinted(self._server)))
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except ServerError as error:  # a broken hint costs no look
            log.info("%s: no hints for now: %s", self._server.name, error)
            await self._dr.clock.sleep(pause, real_floor=floor)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _hinted(self, server: DrWakeUp) -> None:
        if self._deaf_s:
            await self._dr.clock.sleep(self._deaf_s, real_floor=HINT_REAL_S)
        await server.wait()

    async def _say(self) -> None:
        """Our devices and our answers, where the server wants them."""
        now = self._dr.clock.monotonic()
        if isinstance(self._server, DrEnrolling):
            ours = resources_of(self._dr.site)
            wanted = ours if self._dr.shares(self._server.name, Shared.DEVICES) else []
            if now >= self._enrol_at or wanted != self._enrolled:
                await self._server.enrol_resources(wanted, () if wanted else ours)
                self._enrol_at, self._enrolled = now + ENROL_AGAIN_S, wanted
        if isinstance(self._server, DrAnswering):
            self._dr.answering(self._server.name)
            for record in [r for r in self._dr.records.values() if r.event.server == self._server.name]:
                if (
                    answer_of(record) != record.answered
                    and record.opt is not OptState.UNDECIDED
                    and not self._dr.over(record)
                ):
                    await self._server.answer(record.event, record.opt)
                    await self._dr.update(record.key, answered=answer_of(record))

    async def _failed(self, error: ServerError) -> tuple[float, float]:
        health = self._health
        health.failures += 1
        if health.silent_since is None:
            health.silent_since = self._dr.clock.now()
            await self._keep_silence(health.silent_since)
        if health.error != str(error):
            log.warning("%s", error)
            words = f"The utility's server '{self._server.name}' cannot be used: {error.reason}. {error.remedy}".strip()
            await self._dr.notices.raise_(f"server {self._server.name}", "warning", words)
        health.ok, health.error = False, str(error)
        wished = error.retry_after_s if isinstance(error, ServerUnreachable) else None
        backoff = min(BACKOFF_MAX_S, 2.0 ** min(health.failures, 9)) * random.uniform(0.5, 1.0)
        self._deaf_s = min(wished, HINT_AFTER_REFUSAL_S) if wished else HINT_AFTER_FAILURE_S
        self._dr.wake()
        return wished or backoff, wished or min(backoff, 30.0)

    async def _fine(self) -> None:
        health, name = self._health, self._server.name
        if health.error:
            log.info("%s answers again", name)
        await self._dr.notices.end(f"server {name}")
        was_silent = health.silent_since is not None
        health.ok, health.error, health.failures, health.silent_since = True, "", 0, None
        health.last_ok, self._deaf_s = self._dr.clock.monotonic(), 0.0
        if was_silent:
            await self._keep_silence(None)
            self._dr.wake()
        await self._tell_clock()

    async def _keep_silence(self, since: datetime | None) -> None:
        document = {} if since is None else {"since": since.isoformat()}
        try:
            await self._dr.store.put(_silence(self._server.name), document)
        except StoreError as error:  # it holds for this run
            log.error("%s: since when it is silent cannot be kept: %s", self._server.name, error)

    async def _tell_clock(self) -> None:
        skew, cause = self._dr.skew_s(self._server.name), f"clock {self._server.name}"
        if skew is None or abs(skew) <= CLOCK_APART_S:
            await self._dr.notices.end(cause)
        elif cause not in self._dr.notices.open:
            words = (
                f"The clock of the utility's server '{self._server.name}' differs from this hub's by {abs(skew):.0f} s; its "
                "events would start and end so much off. Check this hub's time (NTP) first."
            )
            await self._dr.notices.raise_(cause, "warning", words)


def _silence(server: str) -> str:
    """Where it is kept since when a server is silent."""
    return f"dr-silent {server}"


def facts_of(server: DrServer | None) -> ServerFacts:
    """What a server tells of itself; nothing where it tells nothing."""
    return server.facts if isinstance(server, DrFacts) else ServerFacts()


def answer_of(record: EventRecord) -> str:
    """What the utility is told of an event: a new version of it, or another choice, is told anew."""
    return f"{record.event.fingerprint} {record.opt.value}"


def resources_of(site: Site) -> list[DrResource]:
    """The devices a utility may address, by id, with what they can take and give, W magnitudes."""
    found = []
    for device in site.devices:
        powers = _powers(device, site)
        if powers is not None:
            found.append(DrResource(device.id, device.role.value, *powers))
    return found


def _powers(device: Device, site: Site) -> tuple[float, float | None] | None:
    match device.spec:
        case BatterySpec(max_charge_w=takes, max_discharge_w=gives):
            return takes, gives
        case ChargerSpec(phases=phases, max_current_a=amps):
            return amps * len(phases) * site.nominal_voltage_v, None
        case WaterHeaterSpec(power_w=power) | PoolPumpSpec(power_w=power) | HeatPumpSpec(max_power_w=power):
            return power, None
        case ApplianceSpec(profile_w=profile):
            return max(profile), None
        case _:
            return None
