"""Storm hold: the owner wants the battery full, and kept so, for when the grid may fail.

It is a limit of protection's authority, so that the tick obeys it and the plan reckons with it; it ends by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.model.authority import Authority
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import BatterySpec, Role, Site
from gateway.model.snapshot import Snapshot

SOURCE = "storm hold"
SPARE = 1.2
"""The plan is given so much more time to fill a battery than it needs at full power."""
SLICES, LEAST_SHARE = 20, 0.01
"""The way to full is reckoned in so many parts, none at less than this share of the greatest power."""


def storm_limits(site: Site, preferences: Preferences, now: datetime) -> tuple[Limit, ...]:
    """One limit per battery from `now` to the end of the hold; none when there is no hold."""
    until = preferences.storm_until
    if until is None or until <= now:
        return ()
    words = f"You want the battery full until {until.astimezone(site.timezone):%A %H:%M}"
    return tuple(
        Limit(
            LimitKind.BATTERY_SETPOINT, device.spec.max_charge_w, now, until, Authority.PROTECTION, SOURCE, words, device.id
        )
        for device in site.of_role(Role.BATTERY, Role.HYBRID_INVERTER)
        if isinstance(device.spec, BatterySpec)
    )  # fmt: skip


def storm_windows(site: Site, preferences: Preferences, snapshot: Snapshot, now: datetime) -> Iterator[Limit]:
    """The hold as a plan has to see it: charge for as long as that takes, then neither charge nor give.

    One window over the whole hold would let a plan wait for its cheapest hour, when the storm is long there.
    """
    for limit in storm_limits(site, preferences, now):
        device, state = site.device(limit.device), snapshot.devices.get(limit.device)
        soc = state.get(Quantity.SOC) if state is not None else None
        spec = device.spec if device is not None else None
        if soc is None or not isinstance(spec, BatterySpec):
            continue
        full = min(limit.end, now + timedelta(hours=SPARE * _hours_to_full(spec, soc)))
        if full > now:
            yield replace(limit, end=full)
        if full < limit.end:
            yield replace(limit, start=full, value=0.0)


def _hours_to_full(spec: BatterySpec, soc: float) -> float:
    """How long it charges to its most, h, at all it takes on the way there."""
    points = max(0.0, spec.max_soc_percent - soc)
    part_wh = points / SLICES / 100 * spec.capacity_wh / spec.charge_efficiency
    middles = (soc + points * (part + 0.5) / SLICES for part in range(SLICES))
    return sum(part_wh / max(spec.at(middle).max_charge_w, LEAST_SHARE * spec.max_charge_w) for middle in middles)
