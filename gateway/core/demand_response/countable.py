"""Which devices a home may be rated for: what is not reached, or not the utility's by the owner's own word, never counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from gateway.model.agreement import DrPolicy
from gateway.model.dr import DrProgram
from gateway.model.preferences import ChargeMode, Preferences
from gateway.model.site import Device, Role, Site
from gateway.model.snapshot import Snapshot

WARM = frozenset({Role.HEAT_PUMP, Role.WATER_HEATER, Role.EV_CHARGER})
STORING = frozenset({Role.BATTERY, Role.HYBRID_INVERTER})


def takes_part(wishes: Preferences, programs: Iterable[DrProgram], now: datetime) -> bool:
    """Whether the owner would have the home take part in anything: by agreement, else by the general policy."""
    known = [wishes.agreement(program.key, program.id, program.name).at(now) for program in programs]
    usual = wishes.dr_policy is not DrPolicy.NEVER
    if not known:
        return usual
    return any(
        word.standing != "none"
        and (word.standing != "" or (usual if word.policy is None else word.policy is not DrPolicy.NEVER))
        for word in known
    )


def not_counted(
    site: Site,
    snapshot: Snapshot | None,
    steerable: Collection[str],
    wishes: Preferences,
    part: bool,
    now: datetime,
    *,
    reached: bool = True,
) -> dict[str, str]:
    """By id of a device with a rating: why it is not counted now, a sentence; those that count are left out.

    `reached` asks that it is reached at the moment, too; else only what the owner wants and what is there counts.
    """
    found = {}
    for device in site.devices:
        if device.spec is not None and (why := _why(device, snapshot, steerable, wishes, part, now, reached)):
            found[device.id] = why
    return found


def _why(
    device: Device,
    snapshot: Snapshot | None,
    steerable: Collection[str],
    wishes: Preferences,
    part: bool,
    now: datetime,
    reached: bool,
) -> str:
    state = snapshot.devices.get(device.id) if snapshot is not None else None
    if not part:
        return "You chose never to take part in events."
    if device.id not in steerable:
        return f"{device.name} is measured only; Hearth does not steer it."
    if reached and (state is None or not state.online):
        return f"{device.name} is not reached."
    if device.role is Role.EV_CHARGER and wishes.charging_of(device.id).mode is ChargeMode.OFF:
        return f"Charging is switched off at {device.name}."
    if device.role in WARM and wishes.vacation_until is not None and now < wishes.vacation_until:
        return f"You are away, so nothing is promised of {device.name}."
    if device.role in STORING and _held_full(wishes, now):
        return f"{device.name} is held full for the storm."
    return ""


def _held_full(wishes: Preferences, now: datetime) -> bool:
    begun = wishes.storm_from is None or wishes.storm_from <= now
    return wishes.storm_until is not None and begun and now < wishes.storm_until
