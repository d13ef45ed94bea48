"""How often a limit is written: a charger may keep profiles in flash memory that wears out.

A reduction is never delayed. What is spared are raises, and small steps down in a row: the second one goes further
down than asked, so that the ones after it find the limit low enough already.

    wish  \\__       tx:      each write down takes 0.5 A more when the last one was < 5 s ago
             \\__    default: the second write down within 5 min goes to the charger's minimum
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.ocpp.rungs import Rung
from adapters.ocpp.target import Target

DEAD_BAND_A = 0.5
"""A rise smaller than this is not worth a write, A."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The times of one kind of profile, s of home time."""

    raise_s: float
    """From one raise to the next."""
    lower_s: float
    """Two reductions within this time are one too many."""
    step_down_a: float | None
    """How much further the second reduction goes, A; None: to the charger's minimum."""


TX_PACE = Pace(raise_s=5.0, lower_s=5.0, step_down_a=0.5)
DEFAULT_PACE = Pace(raise_s=300.0, lower_s=300.0, step_down_a=None)
"""At most one raise in 5 minutes, and two reductions before the charger stands at its minimum."""
DEFAULT_LIFE_S = 420.0
"""A default above the safe current ends after so long when nobody renews it; renewed every 5 minutes."""
LOW_LIFE_S = 1800.0
"""One at or below the safe current endangers nobody: it is renewed every 15 minutes."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A limit the charger accepted, A per phase; `until` None when it has no end."""

    current_a: float
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Held:
    """The profile the charger holds: its value, A per phase, its end, and when (monotonic home s) it was written."""

    rung: Rung
    current_a: float
    until: datetime | None
    phases: int
    """Phases assumed for a limit in W, or told; another number makes it another limit."""
    at: float
    drawn_a: float | None = None
    """What the car drew before, A; None when that was not known."""
    raised_at: float = -math.inf
    lowered_at: float = -math.inf
    """When it was last raised and lowered, this or an earlier write."""
    skew_s: float = 0.0
    """How far behind ours its stamps are, s."""


def pace_of(rung: Rung) -> Pace:
    """Transaction profiles live in memory, all others may live in flash."""
    return TX_PACE if rung.is_transactional else DEFAULT_PACE


def paced(wish_a: float, held_a: float, raised_at: float, lowered_at: float, pace: Pace, minimum_a: float, now: float) -> float | None:  # fmt: skip
    """The current to write now, at most `wish_a`; None when what is held must do for the moment."""
    if wish_a < held_a:
        if wish_a < minimum_a or now - lowered_at >= pace.lower_s:
            return wish_a
        if pace.step_down_a is None:
            return minimum_a
        return max(minimum_a, wish_a - pace.step_down_a) if held_a - wish_a <= pace.step_down_a else wish_a
    if wish_a == held_a or (held_a >= minimum_a and wish_a < held_a + DEAD_BAND_A):
        return None
    return wish_a if now - raised_at >= pace.raise_s else None


def written(target: Target, rung: Rung, current_a: float, until: datetime, before: Held | None) -> Held:
    """What the charger holds now that it accepted this; `before`: what it held."""
    now = target.clock.monotonic()
    raised, lowered = (before.raised_at, before.lowered_at) if before else (-math.inf, -math.inf)
    if before is None or current_a > before.current_a:
        raised = now
    elif current_a < before.current_a:
        lowered = now
    skew_s = target.its_clock.skew_s()
    return Held(rung, current_a, until, target.form(rung), now, target.drawn_a(), raised, lowered, skew_s)


def end_of(rung: Rung, current_a: float, until: datetime, now: datetime, safe_a: float) -> datetime:
    """When the profile to write ends: transaction profiles with the wish, others later, to be written less often."""
    if rung.is_transactional:
        return until
    return max(until, now + timedelta(seconds=LOW_LIFE_S if current_a <= safe_a else DEFAULT_LIFE_S))


def is_stamped_wrong(target: Target, held: Held | None) -> bool:
    """Whether a profile that ends was written by another clock than what is known of the charger's now."""
    return held is not None and held.until is not None and target.its_clock.differs(held.skew_s)


def lasts(held: Held, until: datetime, now: datetime, safe_a: float) -> bool:
    """Whether the held profile outlives the next renewal of a wish that ends at `until`."""
    if held.until is None:
        return True
    least_s = 0.75 * (until - now).total_seconds()
    if not held.rung.is_transactional:
        least_s = max(least_s, LOW_LIFE_S / 2 if held.current_a <= safe_a else DEFAULT_LIFE_S - DEFAULT_PACE.raise_s)
    return (held.until - now).total_seconds() > least_s
