"""One utility's server, for ever: looked at in its pace and when it hints, told our devices and answers; its health."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.model.dr import DrResource, EventRecord, OptState, ServerFacts
from gateway.model.errors import ServerError, ServerUnreachable
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

    async def run(self) -> None:
        """Look, answer, wait for the next turn or a hint; a failed look changes nothing but the health."""
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

    async def _until_next(self, pause: float, floor: float) -> None:
        """The pause, or less when the server hints at a change, or the home has an answer for it."""
        waits = [
            asyncio.ensure_future(self._dr.clock.sleep(pause, real_floor=floor)),
            asyncio.ensure_future(self._dr.answers_due(self._server.name)),
        ]
        if isinstance(self._server, DrWakeUp) and self._health.ok:
            waits.append(asyncio.ensure_future(self._server.wait()))
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

    async def _say(self) -> None:
        """Our devices and our answers, where the server wants them."""
        now = self._dr.clock.monotonic()
        if isinstance(self._server, DrEnrolling) and now >= self._enrol_at:
            await self._server.enrol_resources(resources_of(self._dr.site))
            self._enrol_at = now + ENROL_AGAIN_S
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
        if health.error != str(error):
            log.warning("%s", error)
            words = f"The utility's server '{self._server.name}' cannot be used: {error.reason}. {error.remedy}".strip()
            await self._dr.notices.raise_(f"server {self._server.name}", "warning", words)
        health.ok, health.error = False, str(error)
        wished = error.retry_after_s if isinstance(error, ServerUnreachable) else None
        backoff = min(BACKOFF_MAX_S, 2.0 ** min(health.failures, 9)) * random.uniform(0.5, 1.0)
        self._dr.wake()
        return wished or backoff, wished or min(backoff, 30.0)

    async def _fine(self) -> None:
        health, name = self._health, self._server.name
        if health.error:
            log.info("%s answers again", name)
        await self._dr.notices.end(f"server {name}")
        was_silent = health.silent_since is not None
        health.ok, health.error, health.failures, health.silent_since = True, "", 0, None
        health.last_ok = self._dr.clock.monotonic()
        if was_silent:
            self._dr.wake()
        await self._tell_clock()

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
