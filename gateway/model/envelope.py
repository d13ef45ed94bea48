"""Operating envelopes that come from the house's own wall: a dimming relay, an EEBUS-like limit over a bridge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Counts(StrEnum):
    """What the grid operator's limit counts."""

    SITE = "site"
    """All that the meter shows."""
    DEVICES = "devices"
    """Only what controllable devices draw from the grid: the household's own use comes on top (Germany, section 14a EnWG)."""


@dataclass(frozen=True, slots=True)
class EnvelopeSpec:
    """What a limit means that a contact or a bridge tells; powers are magnitudes in W."""

    limit_w: float = 4_200.0
    """The limit while a contact asks for one without saying how much."""
    counts: Counts = Counts.SITE
    inverted: bool = False
    """Whether the contact opens to dim: a broken wire then dims too."""
    heartbeat_s: float = 120.0
    """After so long without a sign of life the failsafe holds."""
    failsafe_w: float = 4_200.0
    failsafe_s: float = 7_200.0
    """A failsafe holds at least so long, unless the operator speaks again."""


class EnvelopePhase(StrEnum):
    """Where an envelope stands."""

    INIT = "init"
    """Nothing was heard yet since the first start."""
    UNLIMITED = "unlimited"
    LIMITED = "limited"
    FAILSAFE = "failsafe"
    """The operator is silent: the agreed safe value holds."""
    AUTONOMOUS = "autonomous"
    """Silent for longer than a failsafe has to last: the home's own default holds, which is the safe value again."""


@dataclass(frozen=True, slots=True)
class EnvelopeState:
    """One envelope as it is kept over a restart; `import_w` and `export_w` are None while not limited."""

    phase: EnvelopePhase
    since: datetime
    import_w: float | None = None
    export_w: float | None = None
    heard: datetime | None = None
    """When the operator's side gave the last sign of life."""
    returned: datetime | None = None
    """Since when it is heard again without having said what holds."""
    ends: datetime | None = None
    """When the limit ends by itself; None: when it is taken back."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the operator's side says: `active` None while it does not say; magnitudes in W, None where not told."""

    at: datetime | None
    """Its last sign of life."""
    active: bool | None = None
    import_w: float | None = None
    export_w: float | None = None
    ends: datetime | None = None
