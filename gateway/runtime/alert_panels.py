"""Whether the panels give less than they did, and whether panels that were told as weak still do."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import numpy as np

from gateway.core.learning.alerts.clear_panels import RECENT_DAYS as CLEAR_DAYS
from gateway.core.learning.alerts.clear_panels import (
    clear_drop,
    clear_ratio,
    dead_days,
    far_below,
    highest_ratio,
    still_weak,
)
from gateway.core.learning.alerts.days import along_days, by_day, day_start, quarters_of, told_by_day
from gateway.core.learning.alerts.duty import day_energy
from gateway.core.learning.alerts.panels import RECENT_DAYS as LIGHT_DAYS
from gateway.core.learning.alerts.panels import dull_days, panels_drop, yields
from gateway.core.learning.alerts.roof import on_roof
from gateway.core.learning.alerts.usual import Floats
from gateway.core.learning.sky import clear_sky_w_m2
from gateway.core.learning.told import Told
from gateway.model.alert import Alert, AlertKind
from gateway.model.site import Role
from gateway.runtime.alert_past import PAST_DAYS, Past, Sign
from gateway.runtime.held_panels import held_days

NEARLY_ALL = 0.9
"""Panels that lack more than this give too little to tell by it what they would give."""
USUAL_DAYS = 30
LIES_DAYS = 365
"""How panels lie is learned of so long before a fault that is held against another season."""


async def panels_sign(past: Past, light: Told, weak: Alert | None) -> Sign | None:
    """Weak panels, by the home's own clear moments, and by the light where it is told; a day of held back panels does not count.

    `weak` is their open alert: it stays until they are seen good again.
    """
    inverters = past.site.of_role(Role.PV, Role.HYBRID_INVERTER)
    if not inverters:
        return None
    made = -await past.days("solar")
    found = await asyncio.to_thread(_weak_panels, past, made, light)
    if found is None and weak is None:
        return None
    zone = past.site.timezone
    held = await held_days(past.store, [device.id for device in inverters], past.first, PAST_DAYS, zone)
    free = made.copy()
    free[held] = np.nan
    found = await asyncio.to_thread(_weak_panels, past, free, light) if held else found
    energy = day_energy(made) / 24
    if found is None:
        # Asked whether they are good again, a day of held back panels counts as what it gave at least.
        return await _still_weak(past, made, energy, weak) if weak is not None else None
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
    return Sign(AlertKind.PV_LOW, past.sight(lost, begun, energy, usual), what, sure, advice)


async def _still_weak(past: Past, made: Floats, energy: Floats, weak: Alert) -> Sign | None:
    """The same alert for as long as the panels, held against the days before it, are not seen good again."""
    zone, today = past.site.timezone, past.first + timedelta(days=PAST_DAYS)
    fell = min(weak.begun.astimezone(zone).date(), today)
    count, since = LIES_DAYS, (today - fell).days
    first = fell - timedelta(days=count)
    rows = await past.store.intervals("solar", day_start(first, zone), day_start(fell, zone))
    recent = made[-CLEAR_DAYS:].copy()
    recent[: max(0, CLEAR_DAYS - since)] = np.nan

    def held_against_before() -> bool:
        whole = np.concatenate([-by_day(rows, first, count, zone), recent])
        newest = today - timedelta(days=CLEAR_DAYS)
        at = np.concatenate([_middles(past, first, count), _middles(past, newest, CLEAR_DAYS)])
        lat, lon = past.site.latitude, past.site.longitude
        if dead_days(highest_ratio(whole, np.nan_to_num(clear_sky_w_m2(at, lat, lon)))):
            return True
        roof = on_roof(whole, at, lat, lon, count)
        return roof is not None and still_weak(clear_ratio(whole, roof))

    if not await asyncio.to_thread(held_against_before):
        return None
    begun = max(0, PAST_DAYS - since)
    usual = np.where(np.arange(PAST_DAYS) >= begun, energy + weak.power_w, energy)
    return Sign(AlertKind.PV_LOW, past.sight(weak.power_w, begun, energy, usual), weak.what, weak.sure, weak.advice)


def _middles(past: Past, first: date, count: int) -> Floats:
    """The middle of each quarter of local days in seconds since 1970, days x 96, nan where a day has none."""
    zone = past.site.timezone
    start = day_start(first, zone)
    quarters = np.arange(quarters_of(first, count, zone))
    at_s = np.asarray(start.timestamp() + 900 * (quarters + 0.5), dtype=np.float64)
    return along_days(at_s, start, first, count, zone)


def _weak_panels(past: Past, made: Floats, light: Told) -> tuple[float, int, str] | None:
    """The share that lacks, of how many last days, and by what it is known; None where nothing is proven."""
    at = _middles(past, past.first, PAST_DAYS)
    clear = np.nan_to_num(clear_sky_w_m2(at, past.site.latitude, past.site.longitude))
    if days := dead_days(highest_ratio(made, clear)):
        return (
            1.0,
            days,
            "Even under the thickest cloud sound panels give some of what they gave on the days before.",
        )
    roof = on_roof(made, at, past.site.latitude, past.site.longitude, PAST_DAYS - CLEAR_DAYS)
    told = told_by_day(light, past.first, PAST_DAYS, past.site.timezone)
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


def _whole(energy: Floats, begun: int, drop: float) -> Floats:
    """What panels that lack `drop` since day `begun` would have given, by what they gave; hardly anything: as before."""
    if drop <= NEARLY_ALL:
        return energy / (1 - drop)
    before = energy[max(0, begun - USUAL_DAYS) : begun]
    return np.full_like(energy, float(np.nanmean(before)))
