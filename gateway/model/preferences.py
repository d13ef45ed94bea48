"""The owner's preferences: a dozen settings, stored, never in the site file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, time
from enum import StrEnum


class ChargeMode(StrEnum):
    """How a car should charge."""

    OFF = "off"
    NOW = "now"
    SOLAR = "solar"
    MIN_SOLAR = "min_solar"
    SMART = "smart"


class DrPolicy(StrEnum):
    """What happens when the utility asks."""

    ASK = "ask"
    """Do nothing unless the owner joins."""
    JOIN = "join"
    """Join unless the owner skips."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class ChargingPreference:
    """One charger's wishes: full (or `target_wh` more) by `ready_by`, local wall time."""

    mode: ChargeMode = ChargeMode.SMART
    ready_by: time = time(7, 0)
    target_wh: float = 20_000.0
    """Energy the session should deliver by then, Wh, when the car does not tell its state of charge."""
    target_soc_percent: float = 100.0


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the homeowner wants; every field has a default that suits most homes."""

    charging: dict[str, ChargingPreference] = field(default_factory=dict)
    """By charger id."""
    battery_reserve_percent: float = 10.0
    comfort_low_c: float = 19.5
    comfort_high_c: float = 22.0
    water_min_c: float = 45.0
    dr_policy: DrPolicy = DrPolicy.JOIN
    consents: dict[str, str] = field(default_factory=dict)
    """Program id -> "binding", "voluntary" or "none"; a program not named follows `dr_policy`."""
    vacation_until: datetime | None = None
    carbon_weight_micro_per_kg: int = 0
    """What the owner is willing to pay to avoid one kg of CO2, micro-units of the currency."""
    battery_to_car: bool = False
    """Whether the home battery may be drained into the car."""

    def charging_of(self, charger: str) -> ChargingPreference:
        """The wishes for one charger; the defaults when none were set."""
        return self.charging.get(charger, ChargingPreference())

    def with_charging(self, charger: str, wish: ChargingPreference) -> Preferences:
        """The same preferences with one charger's wishes replaced."""
        return replace(self, charging={**self.charging, charger: wish})
