"""One local day as it was measured, read back from the store for the savings: or why it cannot be counted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from gateway.core.metering.resample import local_day
from gateway.core.tariff.ledger import curve_of, energy_at
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality, Rollup
from gateway.model.session import EvSession
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec
from gateway.ports import FactStore, IntervalStore, ReadingStore, SessionStore

if TYPE_CHECKING:
    from gateway.core.planning.savings import (
        Array,
        ChargedSession,
        MeasuredBattery,
        MeasuredCar,
        MeasuredDay,
        MeasuredHeat,
    )

MISSING_ALLOWED = 4
"""Quarter hours: with more missing the day is not counted."""
NEAR = timedelta(minutes=15)
"""A battery's level so near to midnight is the level at midnight."""
STALE = timedelta(hours=1)
"""A temperature older than this is not known."""
WATER_WH_PER_L_K = 1.163


class MeasuredStore(IntervalStore, ReadingStore, SessionStore, FactStore, Protocol):
    """What was measured, and small documents."""


class CannotCount(Exception):
    """The day lacks something without which any figure would be made up; says what."""


@dataclass(slots=True)
class DayReader:
    """Reads one finished local day; what is estimated is said in `notes`."""

    site: Site
    store: MeasuredStore
    preferences: Preferences
    day: date
    now: datetime
    notes: list[str] = field(default_factory=list)

    @property
    def start(self) -> datetime:
        """Its first instant."""
        return local_day(self.day, self.site.timezone)[0]

    @property
    def end(self) -> datetime:
        """The first instant after it."""
        return local_day(self.day, self.site.timezone)[1]

    @property
    def starts(self) -> list[datetime]:
        """Its quarter hours."""
        count = round((self.end - self.start).total_seconds() / INTERVAL_S)
        return [self.start + timedelta(seconds=INTERVAL_S * index) for index in range(count)]

    async def read(self, price_before: float, price_after: float) -> MeasuredDay:
        """The day, with what a stored Wh counts at its midnights, micro-units; raises CannotCount."""
        import numpy as np

        from gateway.core.planning.savings import MeasuredDay

        meter = next(iter(self.site.of_role(Role.MAIN_METER)), None)
        if meter is None:
            raise CannotCount("There is no main meter.")
        rows = await self._rows(meter.id)
        taken = np.array([math.nan if r is None or r.import_wh is None else r.import_wh for r in rows])
        given = np.array([math.nan if r is None or r.export_wh is None else r.export_wh for r in rows])
        self._enough(meter.name, np.isnan(taken) & np.isnan(given))
        self._estimated(r for r in rows if r is not None)
        batteries = [await self._battery(d, d.spec) for d in self.site.devices if isinstance(d.spec, BatterySpec)]
        heats = [heat for d in self.site.devices if (heat := await self._heat(d)) is not None]
        cars = [await self._car(d) for d in self.site.of_role(Role.EV_CHARGER)]
        unknown = np.zeros(len(rows), dtype=bool)
        for wh in (*(battery.wh for battery in batteries), *(heat.wh for heat in heats)):
            unknown |= np.isnan(wh)
            wh[np.isnan(wh)] = 0.0
        self._enough("The devices", unknown)
        site = self.site
        most = site.main_fuse_a * site.phases * site.nominal_voltage_v
        return MeasuredDay(
            np.array([at.timestamp() for at in self.starts]),
            np.where(unknown, math.nan, taken),
            np.where(unknown, math.nan, given),
            tuple(cars),
            tuple(heats),
            tuple(batteries),
            min(most, site.import_limit_w) if site.import_limit_w is not None else most,
            price_before,
            price_after,
            INTERVAL_S,
        )

    async def _battery(self, device: Device, spec: BatterySpec) -> MeasuredBattery:
        from gateway.core.planning.savings import MeasuredBattery

        hybrid = device.role is Role.HYBRID_INVERTER
        flow = await self._energies(f"{device.id}/battery" if hybrid else device.id)
        if hybrid:
            flow = [at_the_meter(wh, spec) for wh in flow]
        self._enough(device.name, [math.isnan(wh) for wh in flow])
        levels = [await self._level(device.id, at) for at in (self.start, self.end)]
        if None in levels:
            raise CannotCount(f"The level of {device.name} at midnight is not known.")
        first, last = (spec.capacity_wh * (level or 0.0) / 100 for level in levels)
        floor = max(spec.min_soc_percent, self.preferences.battery_reserve_percent) / 100 * spec.capacity_wh
        return MeasuredBattery(device.id, spec, floor, _array(flow), first, last)

    async def _level(self, device: str, at: datetime) -> float | None:
        rows = await self.store.rollups(device, Quantity.SOC.value, at - NEAR, at + NEAR)
        nearest = min(rows, key=lambda row: abs((row.start - at).total_seconds()), default=None)
        return None if nearest is None else nearest.last

    async def _heat(self, device: Device) -> MeasuredHeat | None:
        """None for what is no heater, or whose temperature nobody knows: then it counts as it ran."""
        from gateway.core.planning.savings import MeasuredHeat

        spec = device.spec
        if not isinstance(spec, WaterHeaterSpec | HeatPumpSpec):
            return None
        flow = await self._energies(device.id)
        self._enough(device.name, [math.isnan(wh) for wh in flow])
        at_c = await self._temperatures(device.id)
        if at_c is None:
            self.notes.append(f"{device.name} as it ran: its temperature was not measured.")
            return None
        if isinstance(spec, HeatPumpSpec) and spec.cooling_eer is not None and await self._may_cool():
            self.notes.append(f"{device.name} as it ran: it may have cooled.")
            return None
        zone, wishes = self.site.timezone, self.preferences
        if isinstance(spec, WaterHeaterSpec):
            low = [max(wishes.water_min_c, spec.min_temperature_c)] * len(flow)
            mass, loss, most = spec.volume_l * WATER_WH_PER_L_K, spec.loss_w_per_k, spec.power_w
        else:
            low = [wishes.comfort_at(at.astimezone(zone))[0] for at in self.starts]
            mass, loss = spec.capacitance_wh_per_k / spec.cop, 1 / spec.resistance_k_per_w / spec.cop
            most = spec.max_power_w
        return MeasuredHeat(device.id, _array(flow), _array(at_c), _array(low), most, max(1.0, mass), loss)

    async def _may_cool(self) -> bool:
        """Whether the day was so warm outdoors, or nobody knows, that a heat pump may have cooled."""
        import numpy as np

        from gateway.core.learning.cooled import may_cool

        said: list[float] = []
        for device in self.site.devices:
            rows = await self.store.rollups(device.id, Quantity.OUTDOOR_TEMPERATURE.value, self.start, self.end)
            said += [row.mean for row in rows]
        return may_cool(np.array(said))

    async def _temperatures(self, device: str) -> list[float] | None:
        """At the edges of the quarter hours, degC; None where one is not known."""
        since, until = self.start - STALE, self.end + timedelta(minutes=1)
        rows = await self.store.rollups(device, Quantity.TEMPERATURE.value, since, until)
        found, index = [], 0
        newest: Rollup | None = None
        for at in (*self.starts, self.end):
            while index < len(rows) and rows[index].start <= at:
                newest, index = rows[index], index + 1
            if newest is None or at - newest.start > STALE:
                return None
            found.append(newest.last)
        return found

    async def _car(self, device: Device) -> MeasuredCar:
        from gateway.core.planning.savings import MeasuredCar

        sessions = await self.store.sessions(self.start, self.end, charger=device.id)
        told = [session for session in sessions if session.curve]
        if any(session.energy_wh > 0 for session in sessions if not session.curve):
            self.notes.append(f"A session at {device.name} as it charged: it is not known when it got its energy.")
        edges = [at.timestamp() for at in (*self.starts, self.end)]
        curves = [curve_of(session, self.now) for session in told]
        energy = [[energy_at(curve, at) for at in edges] for curve in curves]
        wh = [sum(row[i + 1] - row[i] for row in energy) for i in range(len(edges) - 1)]
        return MeasuredCar(device.id, _array(wh), tuple(self._session(device, session) for session in told))

    def _session(self, device: Device, session: EvSession) -> ChargedSession:
        from gateway.core.planning.savings import ChargedSession

        first, last = self.start.timestamp(), self.end.timestamp()
        curve = curve_of(session, self.now)
        had, then = (energy_at(curve, at) for at in (first, last))
        end = (session.end or self.now).timestamp()
        return ChargedSession(
            session.start.timestamp(),
            end,
            session.energy_wh - had,
            session.energy_wh - then,
            full_w(self.site, self.preferences, device, session),
        )

    async def _energies(self, name: str) -> list[float]:
        rows = await self._rows(name)
        self._estimated(row for row in rows if row is not None)
        return [math.nan if row is None or row.net_wh is None else row.net_wh for row in rows]

    async def _rows(self, name: str) -> list[Interval | None]:
        known = {row.start: row for row in await self.store.intervals(name, self.start, self.end)}
        return [known.get(at) for at in self.starts]

    def _enough(self, name: str, missing: Iterable[bool]) -> None:
        count = sum(bool(each) for each in missing)
        if count > MISSING_ALLOWED:
            raise CannotCount(f"{name}: {count / 4:g} h without data.")

    def _estimated(self, rows: Iterable[Interval]) -> None:
        rows = list(rows)
        count = sum(row.quality is IntervalQuality.ESTIMATED for row in rows)
        if count:
            self.notes.append(f"{count} quarter hours of {self._name(rows[0].device)} are estimated.")

    def _name(self, name: str) -> str:
        device = self.site.device(name.partition("/")[0])
        return device.name if device is not None else name


def at_the_meter(dc_wh: float, spec: BatterySpec) -> float:
    """What a hybrid's battery took or gave as the meter saw it, Wh: its own figures are behind the inverter.

    The baseline's battery loses what the specification says; the real one must lose the same in the same flow.
    """
    return dc_wh / spec.charge_efficiency if dc_wh > 0 else dc_wh * spec.discharge_efficiency


def full_w(site: Site, preferences: Preferences, device: Device, session: EvSession) -> float:
    """What the car would have drawn on arrival, W: all that charger and car allow, and no less than it was seen to draw.

    A car that is not known, and never drew more than one phase gives, is taken for one of one phase.
    """
    spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
    default = preferences.charging_of(device.id).default_vehicle
    vehicle = preferences.vehicle_by_tag(session.tag) or preferences.vehicle(default)
    amps = min(spec.max_current_a, vehicle.max_current_a) if vehicle else spec.max_current_a
    one_w, seen_w = amps * site.nominal_voltage_v, _highest_w(session.curve)
    phases = len(spec.phases)
    if vehicle is not None:
        phases = min(phases, vehicle.phases)
    elif seen_w <= 1.05 * one_w:
        phases = 1
    return max(one_w * phases, seen_w)


def _highest_w(curve: Sequence[tuple[int, float]]) -> float:
    return max((3600 * (b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(curve) if b[0] - a[0] >= 300), default=0.0)


def _array(values: Sequence[float]) -> Array:
    import numpy as np

    return np.array(values, dtype=float)
