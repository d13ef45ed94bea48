"""Signs that need weeks, looked for once a local day in the stored intervals of each device; arrays in a thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from datetime import date, timedelta

import numpy as np

from gateway.core.learning.alerts.battery import battery_loss
from gateway.core.learning.alerts.days import by_day, told_by_day
from gateway.core.learning.alerts.duty import RECENT_DAYS, Drift, day_energy, heat_drift, pump_drift
from gateway.core.learning.alerts.high_bill import forecast_month
from gateway.core.learning.alerts.usual import Floats
from gateway.core.learning.told import Told
from gateway.model.alert import Alert, AlertKind
from gateway.model.errors import StoreError
from gateway.model.series import Series
from gateway.model.site import Device, Role
from gateway.model.tariff import Tariff
from gateway.runtime.alert_meters import meter_signs
from gateway.runtime.alert_panels import panels_sign
from gateway.runtime.alert_past import PAST_DAYS, Past, Sign, flows
from gateway.runtime.alert_sight import Sight

log = logging.getLogger(__name__)

BILL_DAYS = 127
"""Three whole months and the running one."""


async def slow_signs(
    past: Past, air: Told, light: Told, *, meter_told: bool, weak: Alert | None = None, failing: set[str] | None = None
) -> list[Sign]:
    """All signs but the bill's, at most one of each cause; the meters' not where `meter_told`.

    `weak` is the open alert of the panels: it stays until they are seen good again. With `failing` (the looks that failed
    last) a look that raises costs itself only; without, it raises.
    """
    found: list[Sign] = []
    for name, look in _looks(past, air, light, weak, meter_told=meter_told):
        found += await (look if failing is None else guarded(name, look, failing))
    return found


def _looks(
    past: Past, air: Told, light: Told, weak: Alert | None, *, meter_told: bool
) -> Iterator[tuple[str, Awaitable[list[Sign]]]]:
    for battery in past.site.of_role(Role.BATTERY):
        yield f"battery {battery.id}", listed(_battery(past, battery))
    for heat in past.site.of_role(Role.HEAT_PUMP):
        yield f"heat pump {heat.id}", listed(_heat(past, heat, air))
    for pump in past.site.of_role(Role.POOL_PUMP):
        yield f"pump {pump.id}", listed(_pump(past, pump))
    yield "panels", listed(panels_sign(past, light, weak))
    if not meter_told:
        yield "meters", meter_signs(past)


async def bill_sign(past: Past, tariff: Tariff, spot: Series | None) -> Sign | None:
    """The running month's bill, where even its low end is well above the months before."""
    meters = past.site.of_role(Role.MAIN_METER)
    if not meters:
        return None
    rows = await past.store.intervals(meters[0].id, past.now - timedelta(days=BILL_DAYS), past.now)
    found = await asyncio.to_thread(forecast_month, tariff, rows, past.now, spot)
    if found is None or not found.high:
        return None
    today = past.now.astimezone(past.site.timezone).date()
    days = await asyncio.to_thread(by_day, rows, past.first, PAST_DAYS, past.site.timezone)
    bought = day_energy(np.maximum(days, 0.0)) / 24
    begun = PAST_DAYS - (today.day - 1)
    before = bought[begun - 90 : begun]
    usual_w = float(np.nanmean(before)) if np.isfinite(before).any() else 0.0
    extra = found.micro - found.usual_micro
    bought_wh = 24 * float(np.nansum(bought[begun:]))
    # At what a Wh has cost this month, all parts of the bill in it.
    energy = extra * bought_wh / max(found.so_far_micro, 1)
    hours = 24 * (_month_end(today) - today.replace(day=1)).days
    cur = past.site.currency
    names = ", ".join(f"{month:%B}" for month in found.against)
    what = (
        f"This month's bill will be about {_money(found.micro, cur)} ({_money(found.low_micro, cur)} to "
        f"{_money(found.high_micro, cur)}); the dearest of {names} would be {_money(found.usual_micro, cur)} "
        f"for as many days. {_money(found.so_far_micro, cur)} are counted so far."
    )
    sight = past.sight(energy / hours, begun, bought, np.full(PAST_DAYS, usual_w), energy)
    sure = "The rest of the month as each of the last weeks would make it, by the rules of the tariff; it knows of no weather to come."  # fmt: skip
    return Sign(AlertKind.HIGH_BILL, sight, what, sure, "The page Bills shows what it is made of.", cost_micro=extra)


async def _battery(past: Past, device: Device) -> Sign | None:
    rows = await past.rows(device.id)
    took, gave = await asyncio.to_thread(flows, rows, past.first, PAST_DAYS, past.site)
    found = battery_loss(took, gave)
    if found is None:
        return None
    usual = (took * (1 - found.usual_percent / 100)) / 24
    sight = past.sight(found.extra_wh_a_day / 24, PAST_DAYS - found.days, (took - gave) / 24, usual)
    what = (
        f"Of what {device.name} takes it has given back {found.now_percent:.0f} % in the last three weeks; "
        f"by its own past it would be {found.usual_percent:.0f} %."
    )
    sure = "By what it took and gave each week, its standing loss taken off; shown is the loss, mean of each day."
    return Sign(AlertKind.BATTERY_LOSS, sight, what, sure, "Look at its inverter, its temperature and the maker's service.", device.id)  # fmt: skip


async def _heat(past: Past, device: Device, air: Told) -> Sign | None:
    energy = day_energy(await past.days(device.id))
    outside = told_by_day(air, past.first, PAST_DAYS, past.site.timezone)
    count = np.isfinite(outside).sum(axis=1)
    mean = np.where(count > 70, np.nansum(outside, axis=1) / np.maximum(count, 1), np.nan)
    found = heat_drift(energy, mean)
    if found is None:
        return None
    share = 100 * (found.now_wh / found.expected_wh - 1)
    what = f"{device.name} has needed {share:.0f} % more in the last two weeks than it did at the same weather before."  # fmt: skip
    sure = "Daily energy against degree days of its own past; days colder than nearly all before are not judged."
    advice = "Look at its filters, the outdoor unit, the set temperatures, and whether an electric heater helps it."
    return Sign(AlertKind.HEAT_DRIFT, _drift(past, found, energy), what, sure, advice, device.id)


async def _pump(past: Past, device: Device) -> Sign | None:
    days = await past.days(device.id)
    found = pump_drift(days)
    if found is None:
        return None
    (hours, before), (watts, usual) = found.hours, found.running_w
    what = (
        f"{device.name} has run {hours:.1f} h a day in the last two weeks, {before:.1f} h before."
        if found.longer
        else f"{device.name} has drawn {watts:.0f} W while it runs in the last two weeks, {usual:.0f} W before."
    )
    advice = "Look at its hours and its float or timer." if found.longer else "Look at its filter, valves and bearings."
    sure = "Three quarters of the last days lie above three quarters of the days before."
    return Sign(AlertKind.PUMP_DRIFT, _drift(past, found, day_energy(days)), what, sure, advice, device.id)


def _drift(past: Past, found: Drift, energy: Floats) -> Sight:
    usual = np.full(PAST_DAYS, found.expected_wh / 24)
    return past.sight(found.extra_wh / 24, PAST_DAYS - RECENT_DAYS, energy / 24, usual)


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


def _money(micro: int, currency: str) -> str:
    """A sum in whole units."""
    return f"{micro / 1e6:,.0f} {currency}"


def _month_end(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)
