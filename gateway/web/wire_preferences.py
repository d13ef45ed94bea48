"""The owner's preferences on the wire: additive, so that a body of an earlier version is still a whole one."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from gateway.model.agreement import DrPolicy
from gateway.model.preferences import (
    EVERY_DAY,
    ChargeGoal,
    ChargeMode,
    ChargingPreference,
    ComfortSpan,
    Departure,
    Preferences,
    Vehicle,
)
from gateway.web.wire import In, Instant, Name
from gateway.web.wire_dr import AgreementModel


def _local_time(value: Any) -> Any:
    """A number would be taken for seconds, and a zone would say another hour than the home's clocks."""
    if value == "24:00":
        return time(0)
    found = value
    if isinstance(value, str):
        try:
            found = time.fromisoformat(value)
        except ValueError:
            raise ValueError("write a local time as HH:MM, e.g. 07:00") from None
    if not isinstance(found, time):
        raise ValueError("write a local time as HH:MM in quotes, e.g. 07:00")
    if found.tzinfo is not None:
        raise ValueError("names a time zone; write the home's local time without one, e.g. 22:00")
    return found


LocalTime = Annotated[time, BeforeValidator(_local_time)]
"""Local wall time without a zone, "HH:MM"; "24:00" is the midnight that ends a day."""


ProgramName = Annotated[str, Field(min_length=1, max_length=300)]
"""A program's key ("server:id"), its id or its name."""


class DepartureModel(In):
    """A repeating departure: local wall time on `days` (0 is Monday); a target left out is the charger's own."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, from_attributes=True)

    at: LocalTime
    days: Annotated[list[Annotated[int, Field(ge=0, le=6)]], Field(min_length=1, max_length=7)] = list(EVERY_DAY)
    target_wh: float | None = Field(None, ge=0, le=200_000)
    target_soc_percent: float | None = Field(None, ge=0, le=100)

    def to_model(self) -> Departure:
        """The same as the home's noun."""
        return Departure(self.at, tuple(sorted(set(self.days))), self.target_wh, self.target_soc_percent)


class VehicleModel(In):
    """One car of the household: battery in Wh, current in A per phase; `mode` null follows the charger."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, from_attributes=True)

    name: Annotated[str, Field(min_length=1, max_length=60)]
    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=255)]], Field(max_length=20)] = []
    battery_wh: float = Field(60_000, ge=1_000, le=300_000)
    phases: int = Field(3, ge=1, le=3)
    max_current_a: float = Field(32, ge=6, le=80)
    efficiency_percent: float = Field(90, ge=50, le=100)
    target_soc_percent: float | None = Field(None, ge=0, le=100)
    mode: ChargeMode | None = None

    def to_model(self) -> Vehicle:
        """The same as the home's noun."""
        return Vehicle(**dict(self) | {"tags": tuple(self.tags)})


class ChargingModel(In):
    """One charger's wishes; `ready_by` is local wall time, `target_wh` energy of the session in Wh.

    `departures` repeat by weekday and replace `ready_by`. A smart car waits while power costs more than
    `max_price_micro_per_kwh` or is dirtier than `max_co2_g_per_kwh`, unless its departure needs it. Below
    `minimum_soc_percent` (a car that does not tell it: below `minimum_wh` of the session) it charges at once whatever
    the price. `guest_session` is the transaction that was declared a guest's; `guest_current_a` in A per phase.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, from_attributes=True)

    mode: ChargeMode = ChargeMode.SMART
    ready_by: LocalTime = time(7, 0)
    target_wh: float = Field(20_000, ge=0, le=200_000)
    target_soc_percent: float = Field(100, ge=0, le=100)
    minimum_soc_percent: float | None = Field(None, ge=0, le=100)
    minimum_wh: float | None = Field(None, ge=0, le=200_000)
    departures: list[DepartureModel] = Field(default_factory=list, max_length=14)
    goal: ChargeGoal = ChargeGoal.CHEAPEST
    max_price_micro_per_kwh: int | None = Field(None, ge=-10_000_000, le=10_000_000)
    max_co2_g_per_kwh: float | None = Field(None, ge=0, le=2000)
    priority: int = Field(0, ge=-10, le=10)
    trust_car: bool = True
    default_vehicle: str = Field("", max_length=60)
    guest_current_a: float = Field(10, ge=6, le=80)
    unknown_tag_is_guest: bool = False
    guest_session: str = Field("", max_length=100)

    def to_model(self) -> ChargingPreference:
        """The same as the home's noun."""
        departures = tuple(departure.to_model() for departure in self.departures)
        return ChargingPreference(**dict(self) | {"departures": departures})


class ComfortSpanModel(In):
    """From `start` to `end` (local wall time; not after `start`: on the next day) on `days` the band is another, degC."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, from_attributes=True)

    start: LocalTime
    end: LocalTime
    low_c: float = Field(ge=5, le=30)
    high_c: float = Field(ge=5, le=30)
    days: Annotated[list[Annotated[int, Field(ge=0, le=6)]], Field(min_length=1, max_length=7)] = list(EVERY_DAY)

    def to_model(self) -> ComfortSpan:
        """The same as the home's noun."""
        return ComfortSpan(self.start, self.end, self.low_c, self.high_c, tuple(sorted(set(self.days))))


class PreferencesModel(In):
    """The owner's preferences, whole; PUT replaces them all, but for `agreements` where they are left out.

    `agreements` are by program ("server:id"); `consents` is their short form.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, from_attributes=True)

    charging: dict[Name, ChargingModel] = Field(default_factory=dict, max_length=20)
    battery_reserve_percent: float = Field(10, ge=0, le=100)
    comfort_low_c: float = Field(19.5, ge=5, le=30)
    comfort_high_c: float = Field(22, ge=5, le=30)
    comfort_schedule: list[ComfortSpanModel] = Field(default_factory=list, max_length=14)
    hygiene_c: float = Field(60, ge=50, le=80)
    hygiene_days: int = Field(7, ge=0, le=60)
    water_min_c: float = Field(45, ge=30, le=70)
    dr_policy: DrPolicy = DrPolicy.JOIN
    consents: dict[ProgramName, Literal["binding", "voluntary", "none"]] = Field(default_factory=dict, max_length=100)
    agreements: dict[ProgramName, AgreementModel] | None = Field(None, max_length=100)
    vacation_until: Instant | None = None
    carbon_weight_micro_per_kg: int = Field(0, ge=0, le=10_000_000)
    battery_to_car: bool = False
    comfort_weight: float = Field(1, ge=0, le=1)
    accept_higher_peak: bool = False
    storm_until: Instant | None = None
    storm_from: Instant | None = None
    island_soc_percent: float = Field(50, ge=0, le=100)
    vehicles: list[VehicleModel] = Field(default_factory=list, max_length=20)
    share_suitability: bool = False
    quiet_from: LocalTime = time(22)
    quiet_until: LocalTime = time(7)

    def to_model(self) -> Preferences:
        """The same as the home's noun."""
        apart = {
            "charging": {charger: wish.to_model() for charger, wish in self.charging.items()},
            "consents": dict(self.consents),
            "agreements": {program: word.to_model() for program, word in (self.agreements or {}).items()},
            "vehicles": tuple(vehicle.to_model() for vehicle in self.vehicles),
            "comfort_schedule": tuple(span.to_model() for span in self.comfort_schedule),
        }
        return Preferences(**dict(self) | apart)
