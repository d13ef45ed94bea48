"""The battery's last duty: while a fuse or an import limit is exceeded it gives what is too much, whatever it was to do.

    excess, W    ____|~~~~~~|________|~~~|_____________
    opened to, W ____|-----------------------120 s|____      back only after it was not needed for a while

Electrical safety and a binding limit stand above plan, pause and reserve, so the band opens down to what the battery
itself bears. It opens by what is measured to be too much and no further; the cars are cut all the same, and none is
raised into what the battery gives for the fuse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.core.control.circuits import MAIN, Excess
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.site import BatterySpec, Device, Site

HELD_S = 120.0
"""A band stays open so long after it was last needed: a load that pulses moves it once, s of home time."""
STEP_W = 100.0
"""It opens in steps of this, W, and stays as it is while no more than this is missing: a third of the fuse's margin."""
WORDS = {
    Authority.ELECTRICAL_SAFETY: "The battery gives what a fuse does not bear.",
    Authority.BINDING_LIMIT: "The battery gives what may not be taken from the grid: the import limit is exceeded.",
}


@dataclass(frozen=True, slots=True)
class Help:
    """How far a battery's band is open: down to `low_w` (negative), needed last at `at` (monotonic home s)."""

    low_w: float
    at: float
    own_w: float
    """How far its own wish is open, W, 0 or less: what it gives beyond is for the fuse only."""
    authority: Authority
    source: str = ""
    """The event whose limit it keeps; empty for a fuse."""


def excess_over(site: Site, battery: Device, excesses: Mapping[str, Excess]) -> Excess | None:
    """The greatest excess of all circuits above a battery, W by its power; None where nothing is measured."""
    above = (MAIN, *(circuit.id for circuit in site.above(battery.circuit)))
    return max((excesses[name] for name in above if name in excesses), key=lambda one: one.power_w, default=None)


def needed(
    wish: Wish, whose: Authority, spec: BatterySpec, soc: float | None, power_w: float, excess: Excess | None,
    before: Help | None, mono: float,
) -> Help | None:  # fmt: skip
    """How far the band must open, from the battery's `wish` and what it does now (W, charging positive).

    `whose` is the authority it has by its orders: trimming to the room is no order.
    """
    if excess is None or (soc is not None and soc <= spec.min_soc_percent):
        return None
    own_w = min(0.0, wish.low)
    target = max(-spec.max_discharge_w, -STEP_W * math.ceil((excess.power_w - power_w) / STEP_W))
    if before is None:
        starts = excess.exceeded and target < wish.low and excess.authority.may_undo(whose)
        return Help(min(0.0, target), mono, own_w, excess.authority, excess.source) if starts else None
    authority, source = (
        (excess if excess.exceeded else before).authority,
        (excess if excess.exceeded else before).source,
    )
    before = replace(before, own_w=own_w, authority=authority, source=source)
    if not authority.may_undo(whose):
        return None
    if target < before.low_w - STEP_W or (excess.exceeded and target < before.low_w):
        return replace(before, low_w=target, at=mono)
    if target <= before.low_w + 2 * STEP_W:
        return replace(before, at=mono)
    if mono - before.at < HELD_S:
        return before
    return replace(before, low_w=target, at=mono) if target < min(0.0, wish.low) else None


def opened(wish: Wish, found: Help | None, *, follows_meter: bool, mono: float) -> Wish:
    """The wish with its band open as far as it is needed; one that cannot follow the meter gives just that."""
    if found is None or found.low_w >= wish.low:
        return wish
    value = min(wish.value, 0.0) if follows_meter or found.at < mono else found.low_w
    return replace(
        wish, low=found.low_w, value=max(value, found.low_w), authority=found.authority, reason=WORDS[found.authority],
        source=found.source,
    )  # fmt: skip


def given_w(site: Site, helps: Mapping[str, Help], powers: Mapping[str, float | None]) -> dict[str, float]:
    """By circuit: what batteries below give for the fuse only, W: nobody is raised into it."""
    found: dict[str, float] = {}
    for name, one in helps.items():
        device = site.device(name)
        given = one.own_w - (powers.get(name) or 0.0)
        for circuit in (MAIN, *(c.id for c in site.above(device.circuit))) if device is not None else ():
            found[circuit] = found.get(circuit, 0.0) + max(0.0, given)
    return found
