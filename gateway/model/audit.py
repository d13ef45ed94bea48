"""The chain of evidence and the words for the owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One link of asked -> decided -> commanded -> confirmed -> released; written when a wish changes."""

    time: datetime
    step: str
    """"asked", "decided", "commanded", "confirmed", "released", or "alarm"."""
    subject: str
    """The device, charger or event it is about."""
    text: str
    authority: int = 8
    source: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """Something a person should know: one per cause; `level` is "info", "warning" or "alarm"."""

    time: datetime
    cause: str
    level: str
    text: str
    ended: datetime | None = None
