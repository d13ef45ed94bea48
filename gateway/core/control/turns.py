"""Turns: who is served first when not every car can have its minimum.

fair      cars that draw or wait > cars that take nothing > empty places
          among equals: who has a seat keeps it for a turn, then whoever waits longest gets it
priority  the same, but within each the higher priority first, then the nearer departure
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.control.charging import urgency
from gateway.core.control.draws import takes
from gateway.core.control.timing import ControlTiming
from gateway.model.site import Device, Sharing, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus, Snapshot

URGENCY_STEPS = 4
"""Departures that are about as near count as equally near: no seat changes hands for a minute's difference."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a car that wants to charge has a seat or waits, and since when (monotonic home s)."""

    seated: bool
    since: float


def plugged(status: ChargerStatus | None) -> bool:
    """Whether a car is there that may want to charge."""
    return status is not None and (bool(status.transaction) or status.phase is ChargePhase.CHARGING)


def idleness(status: ChargerStatus | None, now_a: float, turn: Turn | None, timing: ControlTiming, mono: float) -> int:
    """0: draws, waits, or has just been allowed to; 1: takes nothing though it may; 2: nothing is plugged in."""
    if status is None or not plugged(status):
        return 2
    fresh = status.meter_age_s is not None and status.meter_age_s <= 2 * status.sample_interval_s
    known = any(amps is not None for amps in status.current_a)
    if takes(status) or not fresh or not known or now_a <= 0 or turn is None or not turn.seated:
        return 0
    return 0 if mono - turn.since < timing.idle_s else 1


def order_of(
    site: Site, snapshot: Snapshot, device: Device, idle: int, turn: Turn | None, timing: ControlTiming, mono: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(rank, level) of one charger's claim: the lowest rank is seated first, the lowest level filled first."""
    above: tuple[float, ...] = (idle,)
    if site.sharing is Sharing.PRIORITY:
        near = math.floor(URGENCY_STEPS * urgency(snapshot, device, site))
        above = (idle, -snapshot.preferences.charging_of(device.id).priority, -near)
    if turn is None:
        return (*above, 1.0, mono), above
    if not turn.seated:
        return (*above, 1.0, turn.since), above
    over = mono - turn.since >= timing.turn_s
    return (*above, 2.0 if over else 0.0, -turn.since if over else turn.since), above


def next_turns(
    before: Mapping[str, Turn], wants: Mapping[str, bool], seated: Mapping[str, bool], mono: float
) -> dict[str, Turn]:
    """The turns after this tick, of the cars that want to charge."""
    turns = {}
    for name, want in wants.items():
        if not want:
            continue
        known = before.get(name)
        turns[name] = known if known is not None and known.seated == seated[name] else Turn(seated[name], mono)
    return turns
