"""Whether a meter stands still, fell silent, or shows less than what hangs on it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from gateway.core.learning.alerts.duty import day_energy
from gateway.core.learning.alerts.meter_trouble import (
    DROP_DAYS,
    LEAST_WH,
    LOOK_DAYS,
    flat_quarters,
    quiet_drop,
    short_of_parts,
)
from gateway.core.learning.alerts.usual import Floats
from gateway.model.alert import AlertKind
from gateway.model.reading import IntervalQuality
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.runtime.alert_past import PAST_DAYS, Past, Sign, flows

FLAT_DAYS = 14
GIVES_MORE = 1.03
"""A battery gives no more than it took; so much is the doubt of its meters."""
PRODUCERS = (Role.PV, Role.BATTERY, Role.HYBRID_INVERTER)
METERS = (Role.MAIN_METER, Role.SUB_METER)
CHECK = "Check the wiring and the clamps of the meters, and whether the site file lists everything that is there."


async def meter_signs(past: Past) -> list[Sign]:
    """At most one sign of each meter."""
    main = next(iter(past.site.of_role(Role.MAIN_METER)), None)
    if main is None:
        return []
    found = await _short(past, main) or await _gives_more(past)
    if all(sign.device != main.id for sign in found):
        of_main = await _main_meter(past, main)
        found += [of_main] if of_main is not None else []
    return found


async def _main_meter(past: Past, main: Device) -> Sign | None:
    """A main meter that stands still or fell silent."""
    rows = [row.net_wh for row in await past.rows(main.id, FLAT_DAYS)]
    flat = flat_quarters(np.array([np.nan if wh is None else wh for wh in rows], dtype=float))
    days = await past.days("house")
    level = day_energy(days) / 24
    if flat:
        begun = PAST_DAYS - max(1, flat // 96)
        usual = float(np.nanmedian(level)) if np.isfinite(level).any() else 0.0
        sight = past.sight(usual, begun, day_energy(await past.days(main.id)) / 24, np.full(PAST_DAYS, usual))
        what = f"{main.name} has told the very same energy for each quarter hour of {flat // 4} hours."
        sure = "In the two weeks before it never did so for longer than two hours."
        advice = "Check the wiring and the meter: its register may stand still."
        return Sign(AlertKind.METER, sight, what, sure, advice, main.id)
    fell = quiet_drop(days)
    if fell <= 0:
        return None
    usual_day = float(np.nanmedian(level[:-DROP_DAYS]))
    sight = past.sight(fell, PAST_DAYS - DROP_DAYS, level, np.full(PAST_DAYS, usual_day))
    what = f"{main.name} shows about {fell:.0f} W less in quiet hours than in all the weeks before."
    sure = "So for five days; a vacation leaves the refrigerator on. A load that was taken out for good looks the same."
    return Sign(AlertKind.METER, sight, what, sure, CHECK, main.id)


async def _short(past: Past, main: Device) -> list[Sign]:
    """Meters that show less than what hangs on them, each by its greatest gap."""
    days, site = LOOK_DAYS + 1, past.site
    first = past.first + timedelta(days=PAST_DAYS - days)
    by_device: dict[str, tuple[Floats, Floats]] = {}
    for device in site.devices:
        by_device[device.id] = flows(await past.rows(device.id, days), first, days, site)
    house = [row for row in await past.rows("house", days) if row.quality is IntervalQuality.VALID]
    gap = flows(house, first, days, site, least=0.5)[1]
    parts = [np.nan_to_num(sum(by_device[d.id])) for d in site.devices if d.role not in METERS]
    through = np.sum(parts, axis=0) if parts else np.zeros(days)
    found = [(short_of_parts(through - gap, through), main, "the devices that are measured by themselves")]
    net = by_device[main.id][0] - by_device[main.id][1]
    for sub in site.of_role(Role.SUB_METER):
        used = net + sum(_given(by_device[d.id], charged=_behind(site, sub, d)) for d in site.of_role(*PRODUCERS))
        found.append((short_of_parts(used, by_device[sub.id][0]), main, sub.name))
    for circuit in site.circuits:
        meter = site.device(circuit.meter)
        inside = [by_device[d.id] for d in site.devices if d.circuit == circuit.id and d.id != circuit.meter]
        if meter is not None and inside:
            net = np.sum([np.nan_to_num(took - gave) for took, gave in inside], axis=0)
            took, gave = by_device[meter.id]
            found.append((short_of_parts(took - gave, net), meter, f"what hangs on {circuit.name}"))
    greatest = {meter.id: (short, meter, name) for short, meter, name in sorted(found, key=lambda each: each[0])}
    below = sum(short for short, meter, _ in greatest.values() if meter is not main)
    # What a branch's meter does not see is missing in the home too: one cause, told of the branch.
    told = [each for each in greatest.values() if each[0] > (below + LEAST_WH if below and each[1] is main else 0)]
    return [await _less(past, meter, short, name) for short, meter, name in told]


async def _less(past: Past, meter: Device, short: float, parts: str) -> Sign:
    """A meter that shows `short` Wh a day less than its parts."""
    level, begun = day_energy(await past.days(meter.id)) / 24, PAST_DAYS - LOOK_DAYS
    sight = past.sight(short / 24, begun, level, np.where(np.arange(PAST_DAYS) >= begun, level + short / 24, level))
    what = f"{meter.name} shows {short / 1000:.1f} kWh a day less than {parts}."
    sure = f"So on most of the last {LOOK_DAYS} days, and by more than two meters of one thing differ."
    return Sign(AlertKind.METER, sight, what, sure, CHECK, meter.id)


async def _gives_more(past: Past) -> list[Sign]:
    """Batteries that gave more in three weeks than they took, by more than they can hold."""
    found = []
    for device in past.site.of_role(Role.BATTERY):
        took, gave = flows(await past.rows(device.id, 21), past.first + timedelta(days=PAST_DAYS - 21), 21, past.site)
        holds = device.spec.capacity_wh if isinstance(device.spec, BatterySpec) else 0.0
        more = float(np.nansum(gave - took))
        if np.isfinite(took).sum() >= 18 and more > holds and np.nansum(gave) > GIVES_MORE * np.nansum(took):
            level, taken = (np.concatenate([np.full(PAST_DAYS - 21, np.nan), each / 24]) for each in (gave, took))
            sight = past.sight(more / 21 / 24, PAST_DAYS - 21, level, taken)
            what = f"{device.name} gave {more / 1000:.1f} kWh more in three weeks than it took and can hold."
            sure = "No battery does; shown is what it gave over what it took."
            found.append(Sign(AlertKind.METER, sight, what, sure, CHECK, device.id))
    return found


def _given(flow: tuple[Floats, Floats], *, charged: bool) -> Floats:
    """Wh a day a producer gave, 0 where not known; what it took counts against it unless the sub-meter saw it `charged`."""
    took, gave = flow
    return np.nan_to_num(gave if charged else gave - took)


def _behind(site: Site, meter: Device, device: Device) -> bool:
    """Whether a device may hang behind a sub-meter: as the site file's circuits say; anywhere, where they do not say."""
    told = any(circuit.meter == meter.id for circuit in site.circuits)
    return not told or any(circuit.meter == meter.id for circuit in site.above(device.circuit))
