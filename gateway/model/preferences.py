"""The owner's preferences: understandable settings, stored, never in the site file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, time
from enum import StrEnum

from gateway.model.agreement import Agreement, DrPolicy

EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
USUAL_RESERVE_PERCENT = 10.0


class ChargeMode(StrEnum):
    """How a car should charge."""

    OFF = "off"
    NOW = "now"
    SOLAR = "solar"
    MIN_SOLAR = "min_solar"
    SMART = "smart"


class ChargeGoal(StrEnum):
    """What a smart car looks for while there is time."""

    CHEAPEST = "cheapest"
    GREENEST = "greenest"


@dataclass(frozen=True, slots=True)
class Departure:
    """The car leaves at `at`, local wall time, on each of `days` (0 is Monday); targets left out are the charger's."""

    at: time = time(7, 0)
    days: tuple[int, ...] = EVERY_DAY
    target_wh: float | None = None
    target_soc_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One car of the household, known by the tags it is charged with; what is None is not said of it."""

    name: str
    tags: tuple[str, ...] = ()
    battery_wh: float = 60_000.0
    phases: int = 3
    """How many phases its own charger uses: 1, 2 or 3."""
    max_current_a: float = 32.0
    """The most it takes, A per phase."""
    efficiency_percent: float = 90.0
    """What of the energy at the charger's meter arrives in its battery; 87 to 94 in cars of 11 kW."""
    target_soc_percent: float | None = None
    mode: ChargeMode | None = None


@dataclass(frozen=True, slots=True)
class ChargingPreference:
    """One charger's wishes: full (or `target_wh` more) by the next departure, local wall time."""

    mode: ChargeMode = ChargeMode.SMART
    ready_by: time = time(7, 0)
    """Each day, as long as there are no `departures`."""
    target_wh: float = 20_000.0
    """Energy the session should deliver by then, Wh, when the car does not tell its state of charge."""
    target_soc_percent: float = 100.0
    minimum_soc_percent: float | None = None
    """Below it the car charges at once at all it may, whatever power costs; while the car tells its state of charge."""
    minimum_wh: float | None = None
    """The same by the session's energy, Wh, where `minimum_soc_percent` is not set or the car does not tell."""
    departures: tuple[Departure, ...] = ()
    goal: ChargeGoal = ChargeGoal.CHEAPEST
    max_price_micro_per_kwh: int | None = None
    """A smart car waits while power costs more, unless its departure needs it; micro-units of the currency."""
    max_co2_g_per_kwh: float | None = None
    priority: int = 0
    """Higher is served first where several cars compete."""
    trust_car: bool = True
    """Whether the departure and energy that the car itself tells (ISO 15118) come before those set here."""
    default_vehicle: str = ""
    """Name of the vehicle that charges here without a known tag; empty: none in particular."""
    guest_current_a: float = 10.0
    """What a guest's car gets, A per phase."""
    unknown_tag_is_guest: bool = False
    guest_session: str = ""
    """The transaction the owner declared a guest's; any other is not."""


@dataclass(frozen=True, slots=True)
class ComfortSpan:
    """From `start` to `end`, local wall time, on each of `days` (0 is Monday) the band is [low_c, high_c], degC.

    An `end` not after `start` lies on the next day.
    """

    start: time
    end: time
    low_c: float
    high_c: float
    days: tuple[int, ...] = EVERY_DAY

    def holds(self, local: datetime) -> bool:
        """Whether it holds at a local wall time."""
        today, yesterday, at = local.weekday(), (local.weekday() - 1) % 7, local.time()
        if self.start < self.end:
            return today in self.days and self.start <= at < self.end
        return (today in self.days and at >= self.start) or (yesterday in self.days and at < self.end)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the homeowner wants; every field has a default that suits most homes."""

    charging: dict[str, ChargingPreference] = field(default_factory=dict)
    """By charger id."""
    battery_reserve_percent: float = USUAL_RESERVE_PERCENT
    comfort_low_c: float = 19.5
    comfort_high_c: float = 22.0
    comfort_schedule: tuple[ComfortSpan, ...] = ()
    """Other bands at certain hours; the first that holds counts, else `comfort_low_c` and `comfort_high_c`."""
    hygiene_c: float = 60.0
    """So hot every tank becomes at least once in `hygiene_days`, degC (legionella die above)."""
    hygiene_days: int = 7
    """0: never for this reason."""
    water_min_c: float = 45.0
    dr_policy: DrPolicy = DrPolicy.JOIN
    consents: dict[str, str] = field(default_factory=dict)
    """Program -> "binding", "voluntary" or "none"; a program not named follows `dr_policy`. The short form of `agreements`."""
    agreements: dict[str, Agreement] = field(default_factory=dict)
    """By program: its key ("server:id"), or its id or name."""
    vacation_until: datetime | None = None
    carbon_weight_micro_per_kg: int = 0
    """What the owner is willing to pay to avoid one kg of CO2, micro-units of the currency."""
    battery_to_car: bool = False
    """Whether the home battery may be drained into the car."""
    comfort_weight: float = 1.0
    """How much warmth counts against money, 0-1: at 1 hardly any money buys a colder room, at 0.1 a dear hour does."""
    accept_higher_peak: bool = False
    """Whether the plan may draw more from the grid at once than the home would without any plan."""
    storm_until: datetime | None = None
    """Until then the battery is charged to full and kept so, for when the grid fails."""
    storm_from: datetime | None = None
    """When it is to be full, and is filled at least cost before; None: at once."""
    island_soc_percent: float = 50.0
    """While the grid is lost, devices that are only nice to have run as long as the battery holds more than this."""
    vehicles: tuple[Vehicle, ...] = ()
    """The household's cars, each with a name of its own."""
    share_suitability: bool = False
    """Whether utilities may be told for which programs this home suits: label and score, nothing they rest on."""
    quiet_from: time = time(22, 0)
    """From then on, local wall time, alerts that can wait are not told; equal to `quiet_until`: there are no quiet hours."""
    quiet_until: time = time(7, 0)

    def quiet_at(self, at: time) -> bool:
        """Whether a local wall time is in the quiet hours."""
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= at < self.quiet_until
        return at >= self.quiet_from or at < self.quiet_until

    def comfort_at(self, local: datetime) -> tuple[float, float]:
        """The comfort band at a local wall time, (low, high) degC."""
        held = next((span for span in self.comfort_schedule if span.holds(local)), None)
        return (held.low_c, held.high_c) if held else (self.comfort_low_c, self.comfort_high_c)

    def charging_of(self, charger: str) -> ChargingPreference:
        """The wishes for one charger; the defaults when none were set."""
        return self.charging.get(charger, ChargingPreference())

    def agreement(self, *names: str) -> Agreement:
        """What was agreed about a program, known by any of `names` (its key, its id, its name; the first counts)."""
        for name in names:
            if name in self.agreements:
                return self.agreements[name]
            if name in self.consents:
                return Agreement(standing=self.consents[name])
        return Agreement()

    def with_charging(self, charger: str, wish: ChargingPreference) -> Preferences:
        """The same preferences with one charger's wishes replaced."""
        return replace(self, charging={**self.charging, charger: wish})

    def vehicle(self, name: str) -> Vehicle | None:
        """The vehicle of that name, or None."""
        return next((vehicle for vehicle in self.vehicles if vehicle.name == name), None)

    def vehicle_by_tag(self, tag: str) -> Vehicle | None:
        """The vehicle charged with a tag, or None; tags are compared without case (OCPP 1.6, 7.28 CiString)."""
        wanted = tag.casefold()
        return next((v for v in self.vehicles if wanted in (known.casefold() for known in v.tags)), None)
