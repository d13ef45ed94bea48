"""What if: a question about another tariff or other devices, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.model.tariff import Bill, Tariff


class Control(StrEnum):
    """The ways to control a home that a replay knows."""

    NONE = "none"
    """No use of a battery, cars charge on arrival, thermostats keep the lower end of their band."""
    SELF_CONSUMPTION = "self-consumption"
    """The same, and a battery follows the meter."""
    PLAN = "plan"
    FORESIGHT = "foresight"
    """The planner that knows house, sun and weather to come; who will plug in when it does not know either."""


@dataclass(frozen=True, slots=True)
class Question:
    """What should be different; what is 0 or None stays as it is. Energies and powers are added to what is there."""

    tariff: Tariff | None = None
    pv_kwp: float = 0.0
    battery_kwh: float = 0.0
    battery_kw: float | None = None
    """None: full in two hours."""
    ev_kwh_per_day: float = 0.0
    """A car that comes home each evening and needs so much by the morning, kWh at the charger."""
    ev_back_h: int = 18
    ev_leaves_h: int = 7
    ev_kw: float = 11.0
    heat_pump_kw: float = 0.0
    """Electric; it heats the home by itself, its comfort band as set in the preferences."""
    control: Control = Control.PLAN


@dataclass(frozen=True, slots=True)
class Flows:
    """Energies of a replay, Wh >= 0."""

    house_wh: float
    solar_wh: float
    import_wh: float
    export_wh: float
    charged_wh: float
    cars_wh: float
    heat_wh: float


@dataclass(frozen=True, slots=True)
class Month:
    """A local month (its first day): micro-units as it is and as it would be."""

    month: date
    now_micro: int
    then_micro: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Bills in micro-units over `days`; differences are then minus now, negative where it would be cheaper.

    Between `low_micro` and `high_micro` the difference would lie in 80 % of years made of these weeks in other order.
    `gap_percent` is how far the replay as it is lies from the meter's real bill, None where that is zero.
    """

    days: float
    missing_share: float
    currency: str
    real: Bill
    now: Bill
    then: Bill
    low_micro: int
    high_micro: int
    gap_percent: float | None
    months: tuple[Month, ...]
    flows_now: Flows
    flows_then: Flows
    peak_now_w: float
    peak_then_w: float
    missed_departures: int
    cold_k_h: float
    notes: tuple[str, ...]

    @property
    def micro(self) -> int:
        """The difference over the time replayed."""
        return self.then.micro - self.now.micro

    @property
    def year_micro(self) -> int:
        """The difference for 365 days."""
        return round(self.micro * 365 / self.days)
