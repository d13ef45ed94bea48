"""Alerts: what the home does that its owner would want to know of, with the evidence and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AlertKind(StrEnum):
    """What was noticed."""

    SPIKE = "spike"
    """Much more than usual for hours."""
    LEFT_ON = "left_on"
    """Something that stays on, day and night."""
    ALWAYS_ON = "always_on"
    """What is always on has grown, for weeks."""
    PV_LOW = "pv_low"
    """The panels give less than the light allows."""
    BATTERY_LOSS = "battery_loss"
    """A battery loses more between taking and giving than it used to."""
    HEAT_DRIFT = "heat_drift"
    """A heat pump needs more than it did at the same weather."""
    PUMP_DRIFT = "pump_drift"
    """A pump runs longer or draws more than it did."""
    METER = "meter"
    """What the meters tell does not add up: check the wiring."""
    HIGH_BILL = "high_bill"
    """The running month's bill will be well above those before."""


class Answer(StrEnum):
    """What the owner said to an alert."""

    NONE = "none"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an alert stands on: mean W of each step from `start` on, beside the usual; None: not known."""

    start: datetime
    step_s: int
    """An hour, or a day for what is seen over weeks."""
    actual_w: tuple[float | None, ...]
    usual_w: tuple[float | None, ...]
    marked: tuple[bool, ...]
    """The steps it is about."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The kind, and the device it is about, None for the whole home; there is at most one open alert of each."""

    kind: AlertKind
    device: str | None = None

    @property
    def name(self) -> str:
        """In one line, as the stored documents and notifications have it."""
        return self.kind.value if self.device is None else f"{self.kind.value} {self.device}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One cause. `power_w` is what is drawn beyond the usual (for panels: what is missing), a magnitude.

    `cost_micro` is what it cost so far and `year_micro` what it costs a year if it stays, micro-units of `currency`,
    by the prices of its own hours; None where no price is known or it will not stay.
    """

    id: str
    kind: AlertKind
    begun: datetime
    told: datetime
    power_w: float
    energy_wh: float
    cost_micro: int | None
    year_micro: int | None
    currency: str
    what: str
    sure: str
    advice: str
    evidence: Evidence
    ended: datetime | None = None
    answer: Answer = Answer.NONE
    answered: datetime | None = None
    device: str | None = None
    """The device it is about; None: the whole home."""

    @property
    def cause(self) -> Cause:
        """What it is about."""
        return Cause(self.kind, self.device)
