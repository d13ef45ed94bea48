"""Storm hold: the owner wants the battery full, and kept so, for when the grid may fail.

    now          from - 12 h            latest start     storm_from ------------- storm_until
    as planned | gives nothing, filled at the cheapest | charged at once, held full |

It is a limit of protection's authority, so that the tick obeys it and the plan reckons with it; it ends by itself.
Without `storm_from` the storm is there: it is charged at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.model.snapshot import Snapshot

SOURCE = "storm hold"
SPARE = 1.2
"""The plan is given so much more time to fill a battery than it needs at full power."""
SLICES, LEAST_SHARE = 20, 0.01
"""The way to full is reckoned in so many parts, none at less than this share of the greatest power."""
FILL_H = 12.0
"""So long before the storm the battery gives nothing any more: the cheapest hours in it are those that fill it."""


def storm_limits(
    site: Site, preferences: Preferences, now: datetime, snapshot: Snapshot | None = None
) -> tuple[Limit, ...]:
    """One limit per battery that must charge or be held from `now` to the end of the hold; none when there is no hold.

    Before the storm a battery charges at once only from when it would not be full in time; without a `snapshot` it
    counts as empty.
    """
    until = preferences.storm_until
    if until is None or until <= now:
        return ()
    words = _words(site, preferences, until)
    return tuple(
        Limit(
            LimitKind.BATTERY_SETPOINT, device.spec.max_charge_w, now, until, Authority.PROTECTION, SOURCE, words, device.id
        )
        for device in site.of_role(Role.BATTERY, Role.HYBRID_INVERTER)
        if isinstance(device.spec, BatterySpec) and _must_charge(device, device.spec, preferences, now, snapshot)
    )  # fmt: skip


def kept_for_storm(wish: Wish, site: Site, snapshot: Snapshot, spec: BatterySpec) -> Wish:
    """The wish (W, charging positive) of a battery that gives nothing any more, as a storm comes; it may charge."""
    begins, until = snapshot.preferences.storm_from, snapshot.preferences.storm_until
    if begins is None or until is None or not begins - _window(spec) <= snapshot.now < until:
        return wish
    if wish.low >= 0 or not Authority.PROTECTION.may_undo(wish.authority):
        return wish
    words = f"The battery keeps what it has for the storm of {begins.astimezone(site.timezone):%A %H:%M}."
    # What was to give takes the sun instead.
    most_w = spec.max_charge_w if wish.value <= 0 else wish.value
    return replace(wish, low=0.0, value=most_w, authority=Authority.PROTECTION, reason=words, source=SOURCE)


def storm_windows(site: Site, preferences: Preferences, snapshot: Snapshot, now: datetime) -> Iterator[Limit]:
    """The hold as a plan has to see it: charge for as long as that takes, then neither charge nor give.

    One window over the whole hold would let a plan wait for its cheapest hour, when the storm is long there. Before a
    storm that is just what it should do: the window ends as the storm begins.
    """
    until, begins = preferences.storm_until, preferences.storm_from
    if until is None or until <= now:
        return
    for device in site.of_role(Role.BATTERY, Role.HYBRID_INVERTER):
        state, spec = snapshot.devices.get(device.id), device.spec
        soc = state.get(Quantity.SOC) if state is not None else None
        if soc is None or not isinstance(spec, BatterySpec):
            continue
        first, full = now, now + timedelta(hours=SPARE * _hours_to_full(spec, soc))
        if begins is not None and begins > now:
            first, full = max(now, begins - _window(spec)), max(begins, full)
        full = min(until, full)
        limit = Limit(
            LimitKind.BATTERY_SETPOINT, spec.max_charge_w, first, full, Authority.PROTECTION, SOURCE,
            _words(site, preferences, until), device.id,
        )  # fmt: skip
        if full > first:
            yield limit
        if full < until:
            yield replace(limit, start=full, end=until, value=0.0)


def _must_charge(
    device: Device, spec: BatterySpec, preferences: Preferences, now: datetime, snapshot: Snapshot | None
) -> bool:
    """Whether it may wait no longer; one that has begun for the storm goes on."""
    begins = preferences.storm_from
    if begins is None or begins <= now:
        return True
    state = snapshot.devices.get(device.id) if snapshot is not None else None
    soc = state.get(Quantity.SOC) if state is not None else None
    told = snapshot.commanded.get(device.id) if snapshot is not None else None
    hours = _hours_to_full(spec, spec.min_soc_percent if soc is None else soc)
    begun = told is not None and told.source == SOURCE and told.low > 0
    return hours > 0 and (begun or begins - now <= timedelta(hours=SPARE * hours))


def _window(spec: BatterySpec) -> timedelta:
    """How long before the storm it is being filled: longer where it charges slowly."""
    return timedelta(hours=max(FILL_H, SPARE * _hours_to_full(spec, spec.min_soc_percent)))


def _words(site: Site, preferences: Preferences, until: datetime) -> str:
    begins, end = preferences.storm_from, f"{until.astimezone(site.timezone):%A %H:%M}"
    if begins is None:
        return f"You want the battery full until {end}"
    return f"You want the battery full from {begins.astimezone(site.timezone):%A %H:%M} until {end}"


def _hours_to_full(spec: BatterySpec, soc: float) -> float:
    """How long it charges to its most, h, at all it takes on the way there."""
    points = max(0.0, spec.max_soc_percent - soc)
    part_wh = points / SLICES / 100 * spec.capacity_wh / spec.charge_efficiency
    middles = (soc + points * (part + 0.5) / SLICES for part in range(SLICES))
    return sum(part_wh / max(spec.at(middle).max_charge_w, LEAST_SHARE * spec.max_charge_w) for middle in middles)
