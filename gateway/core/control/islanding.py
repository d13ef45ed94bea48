"""The grid is lost: what keeps running on the battery, and how the home comes back.

    grid   ~~~~~~|____________ lost ____________|~~~~ steady for 60 s ~~~~|
    must         runs all the time
    nice         runs while the battery holds more than the owner's least     one after the other, 15 s apart
    others       off at once ................................................. and last

Switching the home over to the battery and back is certified hardware's; Hearth only sees that it happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.model.loads import RunPhase
from gateway.model.quantity import Quantity
from gateway.model.site import Device, Role, Site, Tier
from gateway.model.snapshot import GridState, Snapshot

SURE_S = 3.0
"""The grid counts as lost once that has been told for so long."""
STEADY_S = 60.0
"""And as back once it has been steady for so long."""
APART_S = 15.0
"""One device after the other comes back so far apart."""
BACK_POINTS = 5.0
"""What was switched off for an empty battery stays off until there is so much more in it, percent points."""
LOADS = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP, Role.APPLIANCE)
DRAWS_W = 10.0
COMES_BACK = "The grid is back: devices come back one after the other."


@dataclass(frozen=True, slots=True)
class Island:
    """How the home stands with the grid; times in monotonic home s."""

    lost: bool = False
    saving: bool = False
    """Whether the battery is too empty for what is only nice to have."""
    turning_since: float | None = None
    """Since when the grid is told to be the other way."""
    back_at: Mapping[str, float] = field(default_factory=dict)
    """When each device that was off may come back, now that the grid is steady."""
    off: Mapping[str, str] = field(default_factory=dict)
    """Device -> why it is off for this reason."""


def look(site: Site, snapshot: Snapshot, before: Island, mono: float) -> Island:
    """How the home stands now, and which devices are off for it."""
    state = snapshot.grid
    told = state is GridState.LOST
    if state is GridState.UNKNOWN or told == before.lost:
        now = replace(before, turning_since=None)
    else:
        since = mono if before.turning_since is None else before.turning_since
        turned = mono - since >= (SURE_S if told else STEADY_S)
        now = replace(before, turning_since=None if turned else since, lost=told if turned else before.lost)
        if turned and not told:
            now = replace(now, saving=False, back_at=_queue(site, before.off, mono))
    if now.lost:
        now = replace(now, saving=_saving(snapshot, now.saving), back_at={})
        return replace(now, off={d.id: words for d in _loads(site) if (words := _why_off(d, snapshot, now))})
    return replace(now, off={name: COMES_BACK for name, at in now.back_at.items() if mono < at})


def alarms(island: Island) -> list[tuple[str, str]]:
    """What a person must know while the grid is lost."""
    if not island.lost:
        return []
    return [("grid", "The grid is lost: the home lives on its battery, and what can wait is off.")]


def _loads(site: Site) -> list[Device]:
    return [device for device in site.devices if device.role in LOADS]


def _saving(snapshot: Snapshot, saving: bool) -> bool:
    soc, least = snapshot.soc_percent(), snapshot.preferences.island_soc_percent
    return soc is None or soc < least + (BACK_POINTS if saving else 0.0)


def _why_off(device: Device, snapshot: Snapshot, now: Island) -> str:
    """Why it is off while the grid is lost; empty for what runs on."""
    if device.load_tier is Tier.MUST or _under_way(device, snapshot):
        return ""
    if device.load_tier is Tier.NON_ESSENTIAL:
        return "The grid is lost: the battery is kept for what the home needs."
    least = snapshot.preferences.island_soc_percent
    return f"The grid is lost and the battery is below {least:.0f} %: only what must run does." if now.saving else ""


def _under_way(device: Device, snapshot: Snapshot) -> bool:
    """A machine in the middle of its run is left to finish: it is not started, but not cut off either."""
    if device.role is not Role.APPLIANCE:
        return False
    run, state = snapshot.loads.run(device.id), snapshot.devices.get(device.id)
    if run is not None:
        return run.phase is RunPhase.RUNNING
    power = state.get(Quantity.POWER) if state is not None else None
    return power is not None and power > DRAWS_W


def _queue(site: Site, off: Mapping[str, str], mono: float) -> dict[str, float]:
    """When each device that was off may come back: what is more needed first."""
    rank = {Tier.MUST: 0, Tier.NICE: 1, Tier.NON_ESSENTIAL: 2}
    waiting = sorted((d for d in _loads(site) if d.id in off), key=lambda d: rank[d.load_tier])
    return {device.id: mono + place * APART_S for place, device in enumerate(waiting)}
