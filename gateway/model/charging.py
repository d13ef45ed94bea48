"""EV charging as the installer and the plan see it: what a car needs, who waits at the door, what a charger is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ChargingNeeds:
    """What the car itself said it needs (ISO 15118, by OCPP 2.x NotifyEVChargingNeeds); None is not said."""

    received: datetime
    departure: datetime | None = None
    energy_wh: float | None = None
    """Energy still wanted, Wh at the charger."""
    min_current_a: float | None = None
    max_current_a: float | None = None
    """Bounds of the car, A per phase."""
    phases: int | None = None
    max_power_w: float | None = None
    session_wh: float = 0.0
    """Energy the session had delivered when the car said it, Wh."""


@dataclass(frozen=True, slots=True)
class WaitingCharger:
    """A charge point that dialled and is not configured: it waits for the installer."""

    id: str
    """The identity it dialled with."""
    address: str
    first_seen: datetime
    last_seen: datetime
    version: str = ""
    """OCPP version it negotiated, e.g. "1.6"; empty when it came to none."""
    security_profile: int = 0
    """0 plain, 1 password, 2 TLS and password, 3 TLS and its own certificate."""
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    connectors: int = 0
    """How many outlets it told of: connectors of OCPP 1.6, EVSEs of 2.x; 0 while it has not told."""
    connected: bool = True
    trouble: str = ""
    """Why its last attempt was refused, in words; empty when it stands connected."""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One step of a connection or one message, secrets blanked; `direction` is "in", "out" or "step"."""

    time: datetime
    direction: str
    text: str


class Operation(StrEnum):
    """What an installer may ask of a charger."""

    RESET_SOFT = "reset_soft"
    RESET_HARD = "reset_hard"
    UNLOCK = "unlock"
    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    UPLOAD_LOG = "upload_log"
    """Ask it to upload its diagnostics to the receiver we host."""
    CONFIGURATION = "configuration"
    """Read its configuration or device model anew."""
    COMPOSITE_SCHEDULE = "composite_schedule"
    """Ask which limits it really combines to (GetCompositeSchedule)."""
    ROTATE_PASSWORD = "rotate_password"
    ROTATE_CERTIFICATE = "rotate_certificate"


@dataclass(frozen=True, slots=True)
class ChargerAbout:
    """What is known of one configured charger beyond its status."""

    id: str
    identity: str
    version: str = ""
    security_profile: int = 0
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    rung: str = ""
    """The way of limiting in use, in words."""
    rung_seen_working: bool = False
    """Whether a limit of that way is in force now, and what is measured keeps to it."""
    features: Mapping[str, str] = field(default_factory=dict)
    """Configuration keys or device-model variables, as text; secrets blanked."""
    violations: Mapping[str, int] = field(default_factory=dict)
    """What was odd in its messages, counted by kind."""
    security_events: tuple[TraceLine, ...] = ()
    uploads: tuple[str, ...] = ()
    """Names of the logs it uploaded to us."""
    upload_status: str = ""
    """How its last upload stands, in its own word; empty before the first."""
    in_force: str = ""
    """What limits it now, in words."""
