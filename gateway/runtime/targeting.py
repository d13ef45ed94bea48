"""What this home is good for, kept up to date: measured anew after midnight and after events, counted as things are now.

midnight / an event ended   28 days of the devices are read     (hundreds of ms, in a thread)
asked, or each minute       who is offline or forbidden falls out at once; of what is shared, only who is forbidden
consent given or changed    each utility's server is told label and score, and nothing else; withdrawn: it is taken back
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.core.demand_response.answers import answers
from gateway.core.demand_response.countable import not_counted, takes_part
from gateway.core.demand_response.rating import rating_document
from gateway.core.demand_response.schedule import event_span
from gateway.core.learning.flexible import DeviceDays
from gateway.core.learning.joining import Answer
from gateway.core.learning.local_hours import LocalHours, local_hours
from gateway.core.learning.quarters import means, powers
from gateway.core.learning.targeting import TargetingInput, target
from gateway.core.learning.temperature_response import temperature_response
from gateway.model.audit import AuditRow
from gateway.model.dr import DrRating, EventRecord, OptState
from gateway.model.errors import ServerError
from gateway.model.flex import Direction, FlexOffer
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.model.snapshot import Snapshot
from gateway.model.targeting import Targeting, TemperatureResponse
from gateway.ports import Clock, DrRated, Store
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.dr_servers import resources_of
from gateway.runtime.learn import Learn
from gateway.runtime.outdoor_days import PART, outdoor_quarters

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
DAYS = 28
TOLD = "suitability told"
AT_MOST_EVERY_S = 900.0
LOOK_S, FIRST_S = 60.0, 90.0
EARLIER = timedelta(days=90)
"""How far back a session tells that a charger was there before the days that are read."""


@dataclass(slots=True)
class TargetingLoop:
    """Reads what the devices did, and tells what the home is good for as of now."""

    site: Site
    clock: Clock
    store: Store
    learn: Learn
    dr: DemandResponse
    preferences: Callable[[], Preferences]
    snapshot: Callable[[], Snapshot | None]
    steerable: Collection[str]
    offers: Callable[[], Sequence[FlexOffer]] = lambda: ()
    names: int = 9
    _base: TargetingInput | None = None
    _made_for: tuple[str, int] = ("", 0)
    """The local day and the number of ended events it was measured after."""
    _told: dict[str, list[list[Any]]] = field(default_factory=dict)
    """Server -> what it holds, [["?"]] where that is in doubt."""
    _resumed: bool = False
    _next: dict[str, float] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Measure when a day or an event has ended, until cancelled."""
        await self.clock.sleep(FIRST_S, real_floor=5.0)
        while True:
            await self.refresh()
            await self.tell()
            await self.clock.sleep(LOOK_S, real_floor=5.0)

    async def refresh(self) -> bool:
        """Read the devices' days anew when a local day or an event has ended; whether that was so. Raises StoreError."""
        async with self._turn:
            now, ended = self.clock.now(), self._ended()
            mark = (now.astimezone(self.site.timezone).date().isoformat(), len(ended))
            if mark == self._made_for:
                return False
            self._base = await self._measure(now, ended)
            self._made_for = mark
            return True

    def current(self) -> Targeting | None:
        """What holds now, with who is offline or forbidden left out; None before the first measurement."""
        return self._as_of_now(reached=True)

    def _as_of_now(self, *, reached: bool) -> Targeting | None:
        if self._base is None:
            return None
        now, wishes = self.clock.now(), self.preferences()
        part = takes_part(wishes, self.dr.programs.values(), now)
        excluded = not_counted(self.site, self.snapshot(), self.steerable, wishes, part, now, reached=reached)
        given = replace(
            self._base, excluded=excluded, offered=self._offered(excluded), answers=self._answers(self._ended())
        )
        return target(given, now)

    def document(self) -> dict[str, Any] | None:
        """What would be shared, consented or not; None while too few days are measured.

        A device that is not reached for a moment counts as it was measured: the home is good for as much as before, and
        one that stays away is not measured any more.
        """
        found = self._as_of_now(reached=False)
        return None if found is None else rating_document(found, self.clock.now().astimezone(self.site.timezone).date())

    def shared(self) -> dict[str, Any] | None:
        """What may be handed out: nothing without the owner's consent, nothing while it is not known."""
        return self.document() if self.preferences().share_suitability else None

    # ---- what utilities are told

    @property
    def told(self) -> list[str]:
        """The servers that hold the home's rating, or may."""
        return sorted(name for name, ratings in self._told.items() if ratings)

    async def tell(self) -> None:
        """Have each server hold what is shared now, and forget what is not any more; a server that fails is asked again."""
        if not self._resumed:
            kept = await self.store.get(TOLD) or {}
            self._told, self._resumed = {str(name): list(said) for name, said in kept.get("servers", {}).items()}, True
        shared = self.shared()
        wanted = [DrRating(**each) for each in shared["ratings"]] if shared is not None else []
        if not wanted and self._base is None and self.preferences().share_suitability:
            return
        for name, server in self.dr.servers.items():
            if isinstance(server, DrRated):
                await self._tell(name, server, wanted)

    async def _tell(self, name: str, server: DrRated, ratings: list[DrRating]) -> None:
        said, now = [[each.program, each.label, each.score] for each in ratings], self.clock.monotonic()
        held = self._told.get(name, [])
        if said == held or (said and held and now < self._next.get(name, 0.0)):
            return
        self._next[name] = now + AT_MOST_EVERY_S
        try:
            if said:
                # Before it is told: what a kill leaves in doubt is taken back with the consent, too.
                await self._keep_told(name, [["?"]])
            if await server.tell_suitability(ratings):
                await self._keep_told(name, said)
                words = f"told {name} " + (
                    "for which programs the home suits" if said else "to forget the home's suitability"
                )
                await self.store.append(AuditRow(self.clock.now(), "decided", name, words, 6, "suitability"))
            elif not said:
                await self._keep_told(name, [])
        except ServerError as error:
            log.info("%s is not told the home's suitability: %s", name, error)

    async def _keep_told(self, name: str, said: list[list[Any]]) -> None:
        self._told = {**self._told, name: said}
        await self.store.put(TOLD, {"servers": self._told})

    # ---- what was

    async def _measure(self, now: datetime, ended: list[tuple[EventRecord, datetime, datetime]]) -> TargetingInput:
        today = now.astimezone(self.site.timezone).date()
        days = local_hours(today, DAYS, self.site.timezone)
        grid = await self._grid(days)
        joined = [
            (start, end) for record, start, end in ended if record.opt in (OptState.JOINED, OptState.BINDING)
        ]  # what ran during an event says nothing of what there was to shed
        quiet = days.share(joined) == 0
        devices = [await self._device(resource.name, resource.consumes_w or 0.0, resource.produces_w, days, grid, quiet)
                   for resource in resources_of(self.site)]  # fmt: skip
        outdoor = await outdoor_quarters(self.site, self.store, days, self.learn.told_outdoor())
        response = await self._response(days, outdoor)
        room = next(
            (device.id for device in self.site.of_role(Role.HEAT_PUMP) if device.id in self.learn.thermal), None
        )
        return TargetingInput(
            devices=[device for device in devices if device is not None],
            grid_w=grid,
            shapes=list(self.learn.shapes),
            names=self.names,
            response=response,
            time_constant_h=self.learn.thermal[room].time_constant_h if room is not None else None,
            gap_k=self._gap(outdoor),
        )

    async def _grid(self, days: LocalHours) -> Array:
        meter = next((device.id for device in self.site.of_role(Role.MAIN_METER)), None)
        return await self._load(meter, days) if meter is not None else np.full((DAYS, 24), np.nan)

    async def _load(self, name: str, days: LocalHours) -> Array:
        rows = await self.store.intervals(name, days.start, days.end)
        return await asyncio.to_thread(lambda: days.grid(powers(rows, days.start, days.count)))

    async def _device(
        self, name: str, takes_w: float, gives_w: float | None, days: LocalHours, grid: Array, quiet: NDArray[np.bool_]
    ) -> DeviceDays | None:
        device = self.site.device(name)
        if device is None:
            return None
        series = f"{name}/battery" if device.role is Role.HYBRID_INVERTER else name
        load, ready, soc = await self._load(series, days), None, None
        if device.role is Role.EV_CHARGER:
            sessions = await self.store.sessions(days.start - EARLIER, days.end, charger=name)
            load = _idle_as_zero(load, grid, any(session.start < days.start for session in sessions))
            ready = days.share([(session.start, session.end or days.end) for session in sessions])
        battery = device.spec if isinstance(device.spec, BatterySpec) else None
        if battery is not None:
            soc = await self._soc(device, days)
        return DeviceDays(
            device=name,
            name=device.name,
            role=device.role,
            rated_w=max(takes_w, gives_w or 0.0),
            load_w=np.where(quiet, load, np.nan),
            ready=ready,
            battery=battery,
            soc_percent=soc,
            reserve_percent=self.preferences().battery_reserve_percent,
        )

    async def _soc(self, device: Device, days: LocalHours) -> Array:
        parts = []
        for first in range(0, days.count, PART):
            begin = days.start + timedelta(seconds=900 * first)
            size = min(PART, days.count - first)
            end = begin + timedelta(seconds=900 * size)
            rows = await self.store.rollups(device.id, Quantity.SOC.value, begin, end)
            parts.append(means(rows, begin, size))
        return days.grid(np.concatenate(parts))

    async def _response(self, days: LocalHours, outdoor: Array) -> TemperatureResponse | None:
        """Of the house and its heat pumps together; cars, tanks and batteries follow other things than the weather."""
        total = await self._load("house", days)
        for device in self.site.of_role(Role.HEAT_PUMP):
            total = total + np.nan_to_num(await self._load(device.id, days))
        air = days.grid(outdoor).mean(axis=1)
        return await asyncio.to_thread(temperature_response, total.mean(axis=1) * 24, air)

    def _gap(self, outdoor: Array) -> float | None:
        """How much warmer the room is kept than it was outdoors in the last week, K."""
        last = outdoor[-7 * 96 :]
        return None if np.isnan(last).all() else abs(self.preferences().comfort_low_c - float(np.nanmean(last)))

    # ---- what is

    def _ended(self) -> list[tuple[EventRecord, datetime, datetime]]:
        """Events that are over, with their start and end."""
        found = []
        for record in self.dr.records.values():
            span = event_span(record, self.site.timezone)
            if span is not None and span[1] is not None and self.dr.over(record):
                found.append((record, span[0], span[1]))
        return found

    def _answers(self, ended: Sequence[tuple[EventRecord, datetime, datetime]]) -> list[Answer]:
        return answers([(record, end) for record, _, end in ended], self.dr.programs)

    def _offered(self, excluded: Collection[str]) -> dict[int, tuple[float | None, float | None]]:
        """What the plan offers by the local hour that holds most of each window, without the devices that do not count."""
        found: dict[int, tuple[float | None, float | None]] = {}
        for each in self.offers():
            middle = each.start + timedelta(seconds=each.duration_s / 2)
            hour = middle.astimezone(self.site.timezone).hour
            less, more = found.get(hour, (None, None))
            lost = sum(energy for name, energy in each.per_device.items() if name in excluded)
            watts = max(0.0, each.energy_wh - lost) * 3600 / each.duration_s
            found[hour] = (watts, more) if each.direction is Direction.DOWN else (less, watts)
        return found


def _idle_as_zero(load: Array, grid: Array, before: bool) -> Array:
    """A charger is silent without a session: from its first one on it drew nothing where only the main meter spoke.

    `before`: it had one before the first of these days.
    """
    flat = load.ravel()
    known = np.flatnonzero(np.isfinite(flat))
    first = 0 if before else known[0] if known.size else flat.size
    since = np.arange(flat.size) >= first
    result: Array = np.where(since & np.isnan(flat) & np.isfinite(grid.ravel()), 0.0, flat)
    return result.reshape(load.shape)
