"""Signs that need weeks, looked for once a local day in the stored intervals of each device; arrays in a thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

import numpy as np

from gateway.core.learning.alerts.battery import battery_loss
from gateway.core.learning.alerts.clear_panels import RECENT_DAYS as CLEAR_DAYS
from gateway.core.learning.alerts.clear_panels import (
    clear_drop,
    clear_ratio,
    dead_days,
    far_below,
    highest_ratio,
    still_weak,
)
from gateway.core.learning.alerts.days import along_days, by_day, day_start
from gateway.core.learning.alerts.duty import RECENT_DAYS, Drift, day_energy, heat_drift, pump_drift
from gateway.core.learning.alerts.high_bill import forecast_month
from gateway.core.learning.alerts.meter_trouble import (
    DROP_DAYS,
    LEAST_WH,
    LOOK_DAYS,
    flat_quarters,
    quiet_drop,
    short_of_parts,
)
from gateway.core.learning.alerts.panels import RECENT_DAYS as LIGHT_DAYS
from gateway.core.learning.alerts.panels import dull_days, panels_drop, yields
from gateway.core.learning.alerts.roof import on_roof
from gateway.core.learning.alerts.usual import Floats
from gateway.core.learning.sky import clear_sky_w_m2
from gateway.core.learning.told import Told
from gateway.model.alert import Alert, AlertKind, Cause, Evidence
from gateway.model.errors import StoreError
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.series import Series
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.model.tariff import Tariff
from gateway.ports import AuditStore, IntervalStore
from gateway.runtime.alert_sight import Sight
from gateway.runtime.held_panels import held_days

log = logging.getLogger(__name__)

PAST_DAYS = 119
BILL_DAYS = 127
"""Three whole months and the running one."""
FLAT_DAYS = 14
SHOWN_DAYS = 42
GIVES_MORE = 1.03
"""A battery gives no more than it took; so much is the doubt of its meters."""
NEARLY_ALL = 0.9
"""Panels that lack more than this give too little to tell by it what they would give."""
USUAL_DAYS = 30
LIES_DAYS = 365
"""How panels lie is learned of so long before a fault that is held against another season."""
PRODUCERS = (Role.PV, Role.BATTERY, Role.HYBRID_INVERTER)
METERS = (Role.MAIN_METER, Role.SUB_METER)
CHECK = "Check the wiring and the clamps of the meters, and whether the site file lists everything that is there."


class PastStore(IntervalStore, AuditStore, Protocol):
    """Interval data, and what devices were told."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign in words, of a device or (None) of the home; `cost_micro`: where energy times price is not the cost."""

    kind: AlertKind
    sight: Sight
    what: str
    sure: str
    advice: str
    device: str | None = None
    cost_micro: int | None = None

    @property
    def cause(self) -> Cause:
        """What it is about."""
        return Cause(self.kind, self.device)


@dataclass(frozen=True, slots=True)
class Past:
    """The whole local days before today, PAST_DAYS of them, newest last."""

    site: Site
    store: PastStore
    now: datetime

    @property
    def first(self) -> date:
        """The oldest of the days."""
        return self.now.astimezone(self.site.timezone).date() - timedelta(days=PAST_DAYS)

    async def signs(
        self, air: Told, light: Told, *, meter_told: bool, weak: Alert | None = None, failing: set[str] | None = None
    ) -> list[Sign]:
        """All signs but the bill's, at most one of each cause; the meters' not where `meter_told`.

        `weak` is the open alert of the panels: it stays until they are seen good again. With `failing` (the looks that failed last) a look that raises costs itself only; without, it raises.
        """
        found: list[Sign] = []
        for name, look in self._looks(air, light, weak, meter_told=meter_told):
            found += await (look if failing is None else guarded(name, look, failing))
        return found

    def _looks(
        self, air: Told, light: Told, weak: Alert | None, *, meter_told: bool
    ) -> Iterator[tuple[str, Awaitable[list[Sign]]]]:
        for battery in self.site.of_role(Role.BATTERY):
            yield f"battery {battery.id}", listed(self._battery(battery))
        for heat in self.site.of_role(Role.HEAT_PUMP):
            yield f"heat pump {heat.id}", listed(self._heat(heat, air))
        for pump in self.site.of_role(Role.POOL_PUMP):
            yield f"pump {pump.id}", listed(self._pump(pump))
        yield "panels", listed(self._panels(light, weak))
        if not meter_told:
            yield "meters", self._meters()

    async def bill_sign(self, tariff: Tariff, spot: Series | None) -> Sign | None:
        """The running month's bill, where even its low end is well above the months before."""
        meters = self.site.of_role(Role.MAIN_METER)
        if not meters:
            return None
        rows = await self.store.intervals(meters[0].id, self.now - timedelta(days=BILL_DAYS), self.now)
        found = await asyncio.to_thread(forecast_month, tariff, rows, self.now, spot)
        if found is None or not found.high:
            return None
        today = self.now.astimezone(self.site.timezone).date()
        days = await asyncio.to_thread(by_day, rows, self.first, PAST_DAYS, self.site.timezone)
        bought = day_energy(np.maximum(days, 0.0)) / 24
        begun = PAST_DAYS - (today.day - 1)
        before = bought[begun - 90 : begun]
        usual_w = float(np.nanmean(before)) if np.isfinite(before).any() else 0.0
        extra = found.micro - found.usual_micro
        bought_wh = 24 * float(np.nansum(bought[begun:]))
        # At what a Wh has cost this month, all parts of the bill in it.
        energy = extra * bought_wh / max(found.so_far_micro, 1)
        hours = 24 * (_month_end(today) - today.replace(day=1)).days
        cur = self.site.currency
        names = ", ".join(f"{month:%B}" for month in found.against)
        what = (
            f"This month's bill will be about {_money(found.micro, cur)} ({_money(found.low_micro, cur)} to "
            f"{_money(found.high_micro, cur)}); the dearest of {names} would be {_money(found.usual_micro, cur)} "
            f"for as many days. {_money(found.so_far_micro, cur)} are counted so far."
        )
        sight = self._sight(energy / hours, begun, bought, np.full(PAST_DAYS, usual_w), energy)
        sure = "The rest of the month as each of the last weeks would make it, by the rules of the tariff; it knows of no weather to come."  # fmt: skip
        return Sign(
            AlertKind.HIGH_BILL, sight, what, sure, "The page Bills shows what it is made of.", cost_micro=extra
        )

    async def _rows(self, device: str, days: int = PAST_DAYS) -> list[Interval]:
        zone, today = self.site.timezone, self.first + timedelta(days=PAST_DAYS)
        return await self.store.intervals(device, day_start(today - timedelta(days=days), zone), day_start(today, zone))

    async def _days(self, device: str) -> Floats:
        return await asyncio.to_thread(by_day, await self._rows(device), self.first, PAST_DAYS, self.site.timezone)

    async def _battery(self, device: Device) -> Sign | None:
        rows = await self._rows(device.id)
        took, gave = await asyncio.to_thread(_flows, rows, self.first, PAST_DAYS, self.site)
        found = battery_loss(took, gave)
        if found is None:
            return None
        usual = (took * (1 - found.usual_percent / 100)) / 24
        sight = self._sight(found.extra_wh_a_day / 24, PAST_DAYS - found.days, (took - gave) / 24, usual)
        what = (
            f"Of what {device.name} takes it has given back {found.now_percent:.0f} % in the last three weeks; "
            f"by its own past it would be {found.usual_percent:.0f} %."
        )
        sure = "By what it took and gave each week, its standing loss taken off; shown is the loss, mean of each day."
        return Sign(AlertKind.BATTERY_LOSS, sight, what, sure, "Look at its inverter, its temperature and the maker's service.", device.id)  # fmt: skip

    async def _heat(self, device: Device, air: Told) -> Sign | None:
        energy = day_energy(await self._days(device.id))
        start = day_start(self.first, self.site.timezone)
        slots = int((self.now - start).total_seconds() // 900)
        outside = along_days(air.quarters(start, slots), start, self.first, PAST_DAYS, self.site.timezone)
        count = np.isfinite(outside).sum(axis=1)
        mean = np.where(count > 70, np.nansum(outside, axis=1) / np.maximum(count, 1), np.nan)
        found = heat_drift(energy, mean)
        if found is None:
            return None
        share = 100 * (found.now_wh / found.expected_wh - 1)
        what = f"{device.name} has needed {share:.0f} % more in the last two weeks than it did at the same weather before."  # fmt: skip
        sure = "Daily energy against degree days of its own past; days colder than nearly all before are not judged."
        advice = "Look at its filters, the outdoor unit, the set temperatures, and whether an electric heater helps it."
        return Sign(AlertKind.HEAT_DRIFT, self._drift(found, energy), what, sure, advice, device.id)

    async def _pump(self, device: Device) -> Sign | None:
        days = await self._days(device.id)
        found = pump_drift(days)
        if found is None:
            return None
        (hours, before), (watts, usual) = found.hours, found.running_w
        what = (
            f"{device.name} has run {hours:.1f} h a day in the last two weeks, {before:.1f} h before."
            if found.longer
            else f"{device.name} has drawn {watts:.0f} W while it runs in the last two weeks, {usual:.0f} W before."
        )
        advice = (
            "Look at its hours and its float or timer." if found.longer else "Look at its filter, valves and bearings."
        )
        sure = "Three quarters of the last days lie above three quarters of the days before."
        return Sign(AlertKind.PUMP_DRIFT, self._drift(found, day_energy(days)), what, sure, advice, device.id)

    async def _panels(self, light: Told, weak: Alert | None) -> Sign | None:
        """By the home's own clear moments, and by the light where it is told; a day of held back panels does not count."""
        inverters = self.site.of_role(Role.PV, Role.HYBRID_INVERTER)
        if not inverters:
            return None
        made = -await self._days("solar")
        found = await asyncio.to_thread(self._weak_panels, made, light)
        if found is None and weak is None:
            return None
        zone = self.site.timezone
        held = await held_days(self.store, [device.id for device in inverters], self.first, PAST_DAYS, zone)
        free = made.copy()
        free[held] = np.nan
        found = await asyncio.to_thread(self._weak_panels, free, light) if held else found
        energy = day_energy(made) / 24
        if found is None:
            return await self._still_weak(free, energy, weak) if weak is not None else None
        drop, days, sure = found
        begun = PAST_DAYS - days
        counts = (np.arange(PAST_DAYS) >= begun) & ~np.isin(np.arange(PAST_DAYS), held)
        usual = np.where(counts, _whole(energy, begun, drop), energy)
        lost = float(np.nanmean((usual - energy)[counts]))
        what = (
            f"Under like skies the panels have given {100 * drop:.0f} % less in the last {days} days than before."
            if drop < 1
            else f"The panels have given next to nothing for {days} days."
        )
        advice = "Look for snow, dirt or new shade on the panels, and at the inverter: one string may be off."
        return Sign(AlertKind.PV_LOW, self._sight(lost, begun, energy, usual), what, sure, advice)

    async def _still_weak(self, free: Floats, energy: Floats, weak: Alert) -> Sign | None:
        """The same alert for as long as the panels, held against the days before it, are not seen good again."""
        zone, today = self.site.timezone, self.first + timedelta(days=PAST_DAYS)
        fell = min(weak.begun.astimezone(zone).date(), today)
        count, since = LIES_DAYS, (today - fell).days
        first = fell - timedelta(days=count)
        rows = await self.store.intervals("solar", day_start(first, zone), day_start(fell, zone))
        recent = free[-CLEAR_DAYS:].copy()
        recent[: max(0, CLEAR_DAYS - since)] = np.nan

        def held_against_before() -> bool:
            made = np.concatenate([-by_day(rows, first, count, zone), recent])
            newest = today - timedelta(days=CLEAR_DAYS)
            at = np.concatenate([self._middles(first, count), self._middles(newest, CLEAR_DAYS)])
            lat, lon = self.site.latitude, self.site.longitude
            if dead_days(highest_ratio(made, np.nan_to_num(clear_sky_w_m2(at, lat, lon)))):
                return True
            roof = on_roof(made, at, lat, lon, count)
            return roof is not None and still_weak(clear_ratio(made, roof))

        if not await asyncio.to_thread(held_against_before):
            return None
        begun = max(0, PAST_DAYS - since)
        usual = np.where(np.arange(PAST_DAYS) >= begun, energy + weak.power_w, energy)
        return Sign(
            AlertKind.PV_LOW, self._sight(weak.power_w, begun, energy, usual), weak.what, weak.sure, weak.advice
        )

    def _middles(self, first: date, count: int) -> Floats:
        """The middle of each quarter of local days in seconds since 1970, days x 96, nan where a day has none."""
        zone = self.site.timezone
        start = day_start(first, zone)
        slots = int((day_start(first + timedelta(days=count), zone) - start).total_seconds() // 900)
        at_s = np.asarray(start.timestamp() + 900 * (np.arange(slots) + 0.5), dtype=np.float64)
        return along_days(at_s, start, first, count, zone)

    def _weak_panels(self, made: Floats, light: Told) -> tuple[float, int, str] | None:
        """The share that lacks, of how many last days, and by what it is known; None where nothing is proven."""
        start, zone = day_start(self.first, self.site.timezone), self.site.timezone
        slots = int((day_start(self.first + timedelta(days=PAST_DAYS), zone) - start).total_seconds() // 900)
        at = self._middles(self.first, PAST_DAYS)
        clear = np.nan_to_num(clear_sky_w_m2(at, self.site.latitude, self.site.longitude))
        if days := dead_days(highest_ratio(made, clear)):
            return (
                1.0,
                days,
                "Even under the thickest cloud sound panels give some of what they gave on the days before.",
            )
        roof = on_roof(made, at, self.site.latitude, self.site.longitude, PAST_DAYS - CLEAR_DAYS)
        told = along_days(light.quarters(start, slots), start, self.first, PAST_DAYS, zone)
        if roof is not None:
            daily = clear_ratio(made, roof)
            drop, days = clear_drop(daily), CLEAR_DAYS
            if drop <= 0:
                drop, days = far_below(np.where(dull_days(told, clear), np.nan, daily), highest_ratio(made, roof))
            if drop > 0:
                return (
                    drop,
                    days,
                    "By the home's own steady, clear hours against the clear sky on panels that lie as these do.",
                )
        if not np.isfinite(told[-LIGHT_DAYS:]).any():
            return None
        drop = panels_drop(yields(made, told, clear, roof))
        return (
            (drop, LIGHT_DAYS, "By the light that is told: clear days against clear ones, dull against dull.")
            if drop > 0
            else None
        )

    async def _meters(self) -> list[Sign]:
        """At most one sign of each meter."""
        main = next(iter(self.site.of_role(Role.MAIN_METER)), None)
        if main is None:
            return []
        found = await self._short(main) or await self._gives_more()
        if all(sign.device != main.id for sign in found):
            of_main = await self._main_meter(main)
            found += [of_main] if of_main is not None else []
        return found

    async def _main_meter(self, main: Device) -> Sign | None:
        """A main meter that stands still or fell silent."""
        rows = [row.net_wh for row in await self._rows(main.id, FLAT_DAYS)]
        flat = flat_quarters(np.array([np.nan if wh is None else wh for wh in rows], dtype=float))
        days = await self._days("house")
        level = day_energy(days) / 24
        if flat:
            begun = PAST_DAYS - max(1, flat // 96)
            usual = float(np.nanmedian(level)) if np.isfinite(level).any() else 0.0
            sight = self._sight(usual, begun, day_energy(await self._days(main.id)) / 24, np.full(PAST_DAYS, usual))
            what = f"{main.name} has told the very same energy for each quarter hour of {flat // 4} hours."
            sure = "In the two weeks before it never did so for longer than two hours."
            advice = "Check the wiring and the meter: its register may stand still."
            return Sign(AlertKind.METER, sight, what, sure, advice, main.id)
        fell = quiet_drop(days)
        if fell <= 0:
            return None
        usual_day = float(np.nanmedian(level[:-DROP_DAYS]))
        sight = self._sight(fell, PAST_DAYS - DROP_DAYS, level, np.full(PAST_DAYS, usual_day))
        what = f"{main.name} shows about {fell:.0f} W less in quiet hours than in all the weeks before."
        sure = "So for five days; a vacation leaves the refrigerator on. A load that was taken out for good looks the same."
        return Sign(AlertKind.METER, sight, what, sure, CHECK, main.id)

    async def _short(self, main: Device) -> list[Sign]:
        """Meters that show less than what hangs on them, each by its greatest gap."""
        days, site = LOOK_DAYS + 1, self.site
        first = self.first + timedelta(days=PAST_DAYS - days)
        flows: dict[str, tuple[Floats, Floats]] = {}
        for device in site.devices:
            flows[device.id] = _flows(await self._rows(device.id, days), first, days, site)
        house = [row for row in await self._rows("house", days) if row.quality is IntervalQuality.VALID]
        gap = _flows(house, first, days, site, least=0.5)[1]
        parts = [np.nan_to_num(sum(flows[d.id])) for d in site.devices if d.role not in METERS]
        through = np.sum(parts, axis=0) if parts else np.zeros(days)
        found = [(short_of_parts(through - gap, through), main, "the devices that are measured by themselves")]
        net = flows[main.id][0] - flows[main.id][1]
        for sub in site.of_role(Role.SUB_METER):
            used = net + sum(_given(flows[d.id], charged=_behind(site, sub, d)) for d in site.of_role(*PRODUCERS))
            found.append((short_of_parts(used, flows[sub.id][0]), main, sub.name))
        for circuit in site.circuits:
            meter = site.device(circuit.meter)
            inside = [flows[d.id] for d in site.devices if d.circuit == circuit.id and d.id != circuit.meter]
            if meter is not None and inside:
                net = np.sum([np.nan_to_num(took - gave) for took, gave in inside], axis=0)
                took, gave = flows[meter.id]
                found.append((short_of_parts(took - gave, net), meter, f"what hangs on {circuit.name}"))
        greatest = {meter.id: (short, meter, name) for short, meter, name in sorted(found, key=lambda each: each[0])}
        below = sum(short for short, meter, _ in greatest.values() if meter is not main)
        # What a branch's meter does not see is missing in the home too: one cause, told of the branch.
        told = [each for each in greatest.values() if each[0] > (below + LEAST_WH if below and each[1] is main else 0)]
        return [await self._less(meter, short, name) for short, meter, name in told]

    async def _less(self, meter: Device, short: float, parts: str) -> Sign:
        """A meter that shows `short` Wh a day less than its parts."""
        level, begun = day_energy(await self._days(meter.id)) / 24, PAST_DAYS - LOOK_DAYS
        sight = self._sight(
            short / 24, begun, level, np.where(np.arange(PAST_DAYS) >= begun, level + short / 24, level)
        )
        what = f"{meter.name} shows {short / 1000:.1f} kWh a day less than {parts}."
        sure = f"So on most of the last {LOOK_DAYS} days, and by more than two meters of one thing differ."
        return Sign(AlertKind.METER, sight, what, sure, CHECK, meter.id)

    async def _gives_more(self) -> list[Sign]:
        """Batteries that gave more in three weeks than they took, by more than they can hold."""
        found = []
        for device in self.site.of_role(Role.BATTERY):
            took, gave = _flows(
                await self._rows(device.id, 21), self.first + timedelta(days=PAST_DAYS - 21), 21, self.site
            )
            holds = device.spec.capacity_wh if isinstance(device.spec, BatterySpec) else 0.0
            more = float(np.nansum(gave - took))
            if np.isfinite(took).sum() >= 18 and more > holds and np.nansum(gave) > GIVES_MORE * np.nansum(took):
                level, taken = (np.concatenate([np.full(PAST_DAYS - 21, np.nan), each / 24]) for each in (gave, took))
                sight = self._sight(more / 21 / 24, PAST_DAYS - 21, level, taken)
                what = f"{device.name} gave {more / 1000:.1f} kWh more in three weeks than it took and can hold."
                sure = "No battery does; shown is what it gave over what it took."
                found.append(Sign(AlertKind.METER, sight, what, sure, CHECK, device.id))
        return found

    def _drift(self, found: Drift, energy: Floats) -> Sight:
        usual = np.full(PAST_DAYS, found.expected_wh / 24)
        return self._sight(found.extra_wh / 24, PAST_DAYS - RECENT_DAYS, energy / 24, usual)

    def _sight(self, power_w: float, back: int, actual: Floats, usual: Floats, energy_wh: float | None = None) -> Sight:
        """`back` is the first day it is about; mean W of each day as evidence."""
        shown = PAST_DAYS - SHOWN_DAYS
        zone = self.site.timezone
        begun = day_start(self.first + timedelta(days=back), zone)
        evidence = Evidence(
            day_start(self.first + timedelta(days=shown), zone), 86400, _plain(actual[shown:]), _plain(usual[shown:]),
            tuple(k >= back for k in range(shown, PAST_DAYS)),
        )  # fmt: skip
        energy = power_w * (self.now - begun).total_seconds() / 3600 if energy_wh is None else energy_wh
        return Sight(power_w, power_w, begun, energy, evidence)


async def guarded(name: str, look: Awaitable[list[Sign]], failing: set[str]) -> list[Sign]:
    """What a look finds; nothing where it raises, logged when it begins to fail; a store that fails raises StoreError."""
    try:
        found = await look
    except StoreError:
        raise
    except Exception:
        if name not in failing:
            log.exception("alerts: the look at %s failed; the others go on", name)
        failing.add(name)
        return []
    failing.discard(name)
    return found


async def listed(look: Awaitable[Sign | None]) -> list[Sign]:
    """At most one sign as a list."""
    found = await look
    return [] if found is None else [found]


def _whole(energy: Floats, begun: int, drop: float) -> Floats:
    """What panels that lack `drop` since day `begun` would have given, by what they gave; hardly anything: as before."""
    if drop <= NEARLY_ALL:
        return energy / (1 - drop)
    before = energy[max(0, begun - USUAL_DAYS) : begun]
    return np.full_like(energy, float(np.nanmean(before)))


def _flows(rows: Sequence[Interval], first: date, count: int, site: Site, least: float = 0.95) -> tuple[Floats, Floats]:
    """Wh taken and given by day, nan where less than `least` of the day is known."""
    took, gave, known = np.zeros(count), np.zeros(count), np.zeros(count)
    for row in rows:
        at = (row.start.astimezone(site.timezone).date() - first).days
        if row.net_wh is not None and 0 <= at < count:
            took[at] += row.import_wh or 0.0
            gave[at] += row.export_wh or 0.0
            known[at] += row.duration_s
    held = known >= least * 86400
    return np.where(held, took, np.nan), np.where(held, gave, np.nan)


def _given(flow: tuple[Floats, Floats], *, charged: bool) -> Floats:
    """Wh a day a producer gave, 0 where not known; what it took counts against it unless the sub-meter saw it `charged`."""
    took, gave = flow
    return np.nan_to_num(gave if charged else gave - took)


def _behind(site: Site, meter: Device, device: Device) -> bool:
    """Whether a device may hang behind a sub-meter: as the site file's circuits say; anywhere, where they do not say."""
    told = any(circuit.meter == meter.id for circuit in site.circuits)
    return not told or any(circuit.meter == meter.id for circuit in site.above(device.circuit))


def _money(micro: int, currency: str) -> str:
    """A sum in whole units."""
    return f"{micro / 1e6:,.0f} {currency}"


def _month_end(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _plain(values: Floats) -> tuple[float | None, ...]:
    return tuple(round(float(value), 1) if np.isfinite(value) else None for value in values)
