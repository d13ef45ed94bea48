"""Forecasts, intents and the plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Forecast:
    """A quantity over slots of equal length from `start`: mean power in W (or the unit stated by `unit`).

    `low` and `high` are the 10 % and 90 % quantiles, same length as `mean`; empty when not known.
    """

    name: str
    start: datetime
    step_s: int
    mean: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    unit: str = "W"
    method: str = ""

    def at(self, when: datetime) -> float | None:
        """The mean for the slot that holds `when`; None outside the forecast."""
        index = int((when - self.start).total_seconds() // self.step_s)
        return self.mean[index] if 0 <= index < len(self.mean) else None

    def by(self, step_s: int) -> Forecast:
        """The same in longer slots from its start, a multiple of its own: means of means and quantiles; a rest is left out.

        The quantiles of a longer slot are narrower than the mean of its parts' quantiles: the band is on the safe side.
        """
        if step_s < self.step_s or step_s % self.step_s:
            raise ValueError(f"step: {step_s} s is no multiple of the forecast's {self.step_s} s")
        width = step_s // self.step_s

        def longer(values: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(sum(values[i : i + width]) / width for i in range(0, len(values) - width + 1, width))

        return replace(self, step_s=step_s, mean=longer(self.mean), low=longer(self.low), high=longer(self.high))

    @property
    def end(self) -> datetime:
        """The first instant after the last slot."""
        return self.start + timedelta(seconds=self.step_s * len(self.mean))


class IntentKind(StrEnum):
    """What the plan wants of a device; the tick turns it into watts against the live meter."""

    ZERO_GRID = "zero_grid"
    """Battery: follow the meter, charge from surplus, discharge to load."""
    SURPLUS_ONLY = "surplus_only"
    """Use only what would be exported."""
    CHARGE_AT = "charge_at"
    """Charge (battery, EV) at `power_w`, from the grid if need be."""
    DISCHARGE_AT = "discharge_at"
    HOLD = "hold"
    """Battery: neither charge nor discharge. EV: wait."""
    RUN = "run"
    """Relay closed, heat pump heating to its upper band or cooling to its lower one, appliance running."""
    IDLE = "idle"
    """Off, or at its lower band, in cooling at its upper one."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What one device should do now, with the plan's power as a guide, W (charging positive)."""

    device: str
    kind: IntentKind
    power_w: float
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Block:
    """A run of slots with one intent of one device over the half-open [start, end).

    `energy_wh` has the one sign rule. `alternative` says what else could be done and `alternative_cost_micro` what
    that would cost more than the plan, in micro-units of the currency (negative: it would be cheaper);
    `alternative_co2_g` likewise in grams.
    """

    device: str
    kind: IntentKind
    start: datetime
    end: datetime
    power_w: float
    energy_wh: float
    reason: str
    alternative: str = ""
    alternative_cost_micro: int | None = None
    alternative_co2_g: float | None = None
    priced_at: datetime | None = None
    """When the plan was made to which `alternative_cost_micro` belongs: it may be an earlier one."""
    cools: bool = False
    """Of a heat pump: it cools, or would, were it to run."""


@dataclass(frozen=True, slots=True)
class PlanSlot:
    """One slot: expected powers in W by device id, with the one sign rule; prices in micro-units per kWh."""

    start: datetime
    duration_s: int
    power_w: dict[str, float]
    """Device id -> W; also "grid", "house" and "pv"."""
    soc_percent: float | None
    tank_c: float | None
    room_c: float | None
    import_price_micro_per_kwh: int
    export_price_micro_per_kwh: int
    quiet_w: float | None = None
    """Import up to which nothing is a new peak that costs, or that the home would not reach by itself, W."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The home's plan over the next hours.

    `cost_micro` is the expected bill of the horizon, `reference_cost_micro` that of self-consumption with
    charge-on-arrival ("what would happen without the plan"); `relaxed` names each wish that had to give way.
    """

    made_at: datetime
    cause: str
    method: str
    """"optimised" or "fallback rules"."""
    slots: tuple[PlanSlot, ...]
    blocks: tuple[Block, ...]
    cost_micro: int
    reference_cost_micro: int
    co2_g: float
    solve_ms: float
    relaxed: tuple[str, ...] = ()
    cooling: tuple[str, ...] = ()
    """Heat pumps that cool as this plan begins, by device id; the others heat. Later on the blocks tell."""

    def quiet_w(self, now: datetime) -> float | None:
        """Import up to which nothing is a new peak at `now`, W; None when the plan does not tell."""
        slot = next((slot for slot in reversed(self.slots) if slot.start <= now), None)
        return None if slot is None else slot.quiet_w

    def block(self, device: str, now: datetime) -> Block | None:
        """The block of `device` that holds `now`, or None."""
        return next((b for b in self.blocks if b.device == device and b.start <= now < b.end), None)

    def next_block(self, device: str, now: datetime) -> Block | None:
        """The first block of `device` that starts after `now`, or None."""
        later = [b for b in self.blocks if b.device == device and b.start > now]
        return min(later, key=lambda b: b.start) if later else None
