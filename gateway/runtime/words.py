"""Plain sentences about what the home does now and next, from the decisions themselves."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.model.audit import Notification
from gateway.model.authority import Authority
from gateway.model.plan import Block, IntentKind, Plan
from gateway.model.setpoint import Setpoint
from gateway.model.site import Device, Role, Site
from gateway.model.snapshot import ChargePhase, Snapshot

SMALL_W = 100.0
PLAIN_NAMES = ("car", "charger", "car charger", "electric car")
"""Names that only say what it is."""


def headline(
    site: Site,
    snapshot: Snapshot | None,
    setpoints: dict[str, Setpoint],
    open_alarms: list[Notification],
    plan: Plan | None = None,
) -> str:
    """One sentence: what happens and why; alarms first, then the car, then sun and battery."""
    if snapshot is None:
        return "Hearth has just started and is reading the meters."
    alarm = next((n for n in open_alarms if n.level == "alarm"), None)
    if alarm is not None:
        return alarm.text
    for device in site.of_role(Role.EV_CHARGER):
        words = car_sentence(device, snapshot, setpoints.get(device.id), plan)
        if words:
            return words
    return _energy_sentence(snapshot)


def car_sentence(device: Device, snapshot: Snapshot, setpoint: Setpoint | None, plan: Plan | None = None) -> str:
    """What one plugged-in car does and why; empty when no car is there."""
    status = snapshot.chargers.get(device.id)
    if status is None or status.phase not in (ChargePhase.PLUGGED, ChargePhase.CHARGING) or setpoint is None:
        return ""
    power = status.power_w or 0.0
    if setpoint.authority <= Authority.DEMAND_RESPONSE or power < SMALL_W:
        if power < SMALL_W and setpoint.value > 0:
            return f"{called(device)} is plugged in and takes no power; it may be full."
        return _waiting_reason(device, snapshot, setpoint, plan) or _sentence(device, setpoint)
    return f"{called(device)} charges with {power / 1000:.1f} kW. {setpoint.reason}"


def _waiting_reason(device: Device, snapshot: Snapshot, setpoint: Setpoint, plan: Plan | None) -> str:
    """The plan's own reason while it intends the wait that is in force: it knows until when and what follows."""
    block = plan.block(device.id, snapshot.now) if plan else None
    waits = block is not None and block.kind is IntentKind.HOLD and setpoint.value == 0
    return block.reason if block is not None and waits and setpoint.authority >= Authority.DEMAND_RESPONSE else ""


def _sentence(device: Device, setpoint: Setpoint) -> str:
    name, reason = device.name, setpoint.reason
    if name.lower() in reason.lower():
        return reason
    return f"{called(device)} waits. {reason}" if setpoint.value == 0 else f"{name}: {reason}"


def called(device: Device) -> str:
    """A device at the beginning of a sentence: "The car" when it is named for what it is, else its own name as it is."""
    return f"The {device.name.lower()}" if device.name.lower() in PLAIN_NAMES else device.name


def _energy_sentence(snapshot: Snapshot) -> str:
    grid, sun, battery = snapshot.grid_w(), -(snapshot.pv_w() or 0.0), snapshot.battery_w() or 0.0
    if grid is None:
        return "The main meter is silent, so what the home draws is not known."
    if sun > SMALL_W and grid < -SMALL_W:
        return f"The sun gives {sun / 1000:.1f} kW, and {-grid / 1000:.1f} kW of it goes to the grid."
    if sun > SMALL_W and battery > SMALL_W:
        return f"The sun gives {sun / 1000:.1f} kW and charges the battery with {battery / 1000:.1f} kW."
    if battery < -SMALL_W:
        return f"The battery feeds the home with {-battery / 1000:.1f} kW, so little is bought."
    if grid > SMALL_W:
        return f"The home draws {grid / 1000:.1f} kW from the grid."
    return "The home is in balance: nearly nothing is bought or sold."


def next_block(site: Site, plan: Plan | None, now: datetime) -> tuple[Device, Block] | None:
    """The next change in the plan a person would notice: car first at equal times."""
    if plan is None:
        return None
    candidates = []
    for rank, role in enumerate((Role.EV_CHARGER, Role.APPLIANCE, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP)):
        for device in site.of_role(role):
            following = _change(plan, device.id, now)
            if following is not None:
                candidates.append((following.start, rank, device, following))
    if not candidates:
        return None
    _, _, device, block = min(candidates, key=lambda c: (c[0], c[1]))
    return device, block


def _change(plan: Plan, device: str, now: datetime) -> Block | None:
    """The first later block of another kind than the present one: more or less power is no change to a person."""
    current = plan.block(device, now)
    later = [
        b
        for b in plan.blocks
        if b.device == device and b.start > now and (current is None or b.kind is not current.kind)
    ]
    return min(later, key=lambda b: b.start, default=None)


def change_sentence(device: Device, block: Block, now: datetime, zone: ZoneInfo) -> str:
    """What happens at the start of a block, with the local time (and day when it is not today)."""
    if is_done(device, block):
        return f"{device.name} is done charging at {local_time(block.start, now, zone)}. {block.reason}"
    verbs = {
        IntentKind.CHARGE_AT: "starts charging",
        IntentKind.RUN: "starts",
        IntentKind.HOLD: "waits",
        IntentKind.IDLE: "rests",
        IntentKind.SURPLUS_ONLY: "uses surplus sun",
    }
    return f"{device.name} {verbs.get(block.kind, 'changes')} at {local_time(block.start, now, zone)}. {block.reason}"


def is_done(device: Device, block: Block) -> bool:
    """Whether the block is the rest of a car that has what it needs: nothing to refuse."""
    return device.role is Role.EV_CHARGER and block.kind is IntentKind.IDLE


def local_time(when: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Local wall time, with the weekday when it is not today."""
    local = when.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == now.astimezone(zone).date() else f"{local:%a %H:%M}"


def kwh(energy_wh: float, places: int) -> str:
    """An energy in kWh, without the unit; nothing is 0.00, not -0.00."""
    return f"{round(energy_wh / 1000, places) + 0.0:.{places}f}"
