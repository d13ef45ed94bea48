"""What the owner agreed with a utility's program: whether it binds, what is shared, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DrPolicy(StrEnum):
    """What happens when the utility asks."""

    ASK = "ask"
    """Do nothing unless the owner joins."""
    JOIN = "join"
    """Join unless the owner skips."""
    NEVER = "never"


class Shared(StrEnum):
    """What a utility may be told, each for itself."""

    STATE = "state"
    """Whether the home takes part, its level and operating state."""
    USAGE = "usage"
    """Energy and power of the whole home, its baseline and what was delivered."""
    DEVICES = "devices"
    """The same of single devices, and their names."""
    STORAGE = "storage"
    """Charge and power of the battery."""
    FORECAST = "forecast"
    """What the home expects to use."""
    FLEXIBILITY = "flexibility"
    """What the home could shift, and at what cost."""


WITHOUT_ASKING = (Shared.STATE, Shared.USAGE, Shared.DEVICES, Shared.STORAGE, Shared.FORECAST)
"""What a program is told as long as the owner said nothing else: what its events ask for, but no offers."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The owner's word about one program.

    `standing` is "binding" (its events cannot be skipped), "voluntary", "none" (never takes part), or "" (not said:
    `policy` counts, else the owner's general one).
    """

    standing: str = ""
    policy: DrPolicy | None = None
    share: tuple[Shared, ...] = WITHOUT_ASKING
    until: datetime | None = None
    """From then on it counts as if nothing had been agreed and nothing is shared; None: until it is changed."""
    since: datetime | None = None

    def at(self, now: datetime) -> Agreement:
        """What counts at `now`: itself, or, once it has ended, no part and nothing shared."""
        ended = self.until is not None and now >= self.until
        return Agreement("none", None, (), self.until, self.since) if ended else self
