"""Setpoints: what the home tells a device to do, until when, by whose authority, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.model.authority import Authority


class SetpointKind(StrEnum):
    """What a setpoint's numbers mean."""

    CURRENT = "current_a"
    """EV charger: at most `value` A per phase; 0, or at least the charger's minimum."""
    BATTERY_BAND = "battery_band_w"
    """Battery: it may follow the meter by itself inside [low, value] W (charging positive).

    [-max, max] is self-consumption, [0, 0] hold, [0, max] surplus only, [P, P] exactly P.
    """
    SWITCH = "on"
    """Relay: closed when `value` is 1, open when 0."""
    TEMPERATURE = "target_temperature_c"
    """Thermostat: target `value` degC."""
    PV_LIMIT = "pv_limit_percent"
    """Inverter: at most `value` percent of its rated AC power."""


@dataclass(frozen=True, slots=True)
class Setpoint:
    """One command to one device; it ends at `until` (aware UTC), when the device falls to its own safe value."""

    device: str
    kind: SetpointKind
    value: float
    until: datetime
    authority: Authority
    reason: str
    """One sentence for a person: why."""
    low: float = 0.0
    """Lower end of a BATTERY_BAND, W; unused otherwise."""
    source: str = ""
    """What caused it: a DR event's id, an override's id, a plan's block; empty for defaults."""
    phases: int = 0
    """EV charger: on how many phases (1 or 3) where it can switch; 0: as it stands."""

    @property
    def slot(self) -> str:
        """`slot_of` this command."""
        return slot_of(self.device, self.kind)

    def same_wish(self, other: Setpoint | None) -> bool:
        """Whether the device would do the same under both (end, reason and authority may differ)."""
        return other is not None and (self.device, self.kind, self.value, self.low, self.phases) == (
            other.device, other.kind, other.value, other.low, other.phases,
        )  # fmt: skip


def slot_of(device: str, kind: SetpointKind) -> str:
    """Under which name a command is remembered: an inverter's power limit stands beside its battery's band."""
    return f"{device} power limit" if kind is SetpointKind.PV_LIMIT else device


class LimitKind(StrEnum):
    """What a limit bounds."""

    SITE_IMPORT = "site_import_w"
    SITE_EXPORT = "site_export_w"
    """`value` W, a magnitude >= 0."""
    DEVICE_POWER = "device_power_w"
    """At most `value` W of consumption by `device` (0 = pause)."""
    TEMPERATURE_OFFSET = "temperature_offset_k"
    """The thermostat's normal target moves by `value` K (negative: less heating)."""
    TANK_SHED = "tank_shed"
    """No reheating above the owner's minimum while value is 1; the whole tank sheds at 2."""
    TANK_LOAD_UP = "tank_load_up"
    """Heat the tank to its maximum while value is 1."""
    BATTERY_DISCHARGE = "battery_discharge"
    """No charging from the grid, discharge to load allowed (value 1); export allowed too (value 2)."""
    BATTERY_SETPOINT = "battery_setpoint_w"
    """The battery runs at `value` W, charging positive."""
    BATTERY_SOC = "battery_soc_percent"
    """The battery goes to `value` percent and stays there."""
    PV_PERCENT = "pv_percent"


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on the site or a device over the half-open [start, end); both aware UTC."""

    kind: LimitKind
    value: float
    start: datetime
    end: datetime
    authority: Authority
    source: str
    """The DR event's id, or "site file"."""
    reason: str
    device: str = ""
    """The device it binds; empty for the site or for every device the kind applies to."""

    def holds(self, now: datetime) -> bool:
        """Whether the limit is in force at `now`."""
        return self.start <= now < self.end


@dataclass(frozen=True, slots=True)
class Override:
    """The owner's explicit word about one device or event, with an end.

    `action` is "run" (charge, heat now), "pause", or "auto" (ends an earlier one); `event` names the DR event it
    sets aside, if any.
    """

    id: str
    device: str
    action: str
    start: datetime
    end: datetime
    who: str
    event: str = ""
