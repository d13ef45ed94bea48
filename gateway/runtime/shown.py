"""Small facts of the running home that pages and API show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class NextChange:
    """The next thing that will happen, what it saves, and how to refuse it."""

    at: datetime
    text: str
    device: str
    saves_micro: int | None
    saves_co2_g: float | None
    refuse: str
    """Override action that refuses it: "run" or "pause"; empty when there is nothing to refuse."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the home is fully in control, and if not, why."""

    ready: bool
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class DeviceNotes:
    """What is known of a device beside its readings: its profile's name, and why it is slow, in words."""

    profile: str = ""
    warning: str = ""
