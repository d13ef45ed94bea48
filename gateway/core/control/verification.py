"""Verification: whether a charger is seen to honour the limit it accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.core.control.timing import ControlTiming
from gateway.model.setpoint import Setpoint
from gateway.model.snapshot import ChargerStatus

TOLERANCE_A = 1.0
OFFER_SLACK_A = 1.5
"""A car at least this close to its limit is held by it, whatever the charger says it offers."""
FLAT_A = 1.0
"""The main meter stands still within this, A per phase."""
FALL_A, FALL_OF_ONE_PHASE_A = 3.0, 6.0
"""A fall the main meter cannot miss: on several phases at once, or on one, where another load may balance it."""
LOOKS = 3
"""So many samples of the main meter after the car had its time to follow."""
HIDDEN_SHARE, NOMINAL_V = 0.25, 230.0
"""A battery that moved by this share of the fall may have hidden it."""
GAP_S = 3.0
"""Between two samples further apart a fall and a rise may hide."""


def honours(
    status: ChargerStatus, setpoint: Setpoint | None, since_s: float, timing: ControlTiming, voltage_v: float = 230.0
) -> bool | None:
    """True or False when the measured current, power or offered current says so; None while that is not known.

    `since_s`: home seconds since this limit was accepted. Judged after max(15 s, two sampling intervals), on a
    sample younger than one and a half intervals.
    """
    wait = verify_after_s(status, timing)
    if setpoint is None or status.resting or since_s < wait or not _is_of_now(status, since_s, timing):
        return None
    limit = setpoint.value + max(TOLERANCE_A, 0.05 * setpoint.value)
    low, high = drawn_a(status, voltage_v)
    if low is not None and low > limit:
        return False
    if high is not None and high <= limit:
        offered_too_much = status.offered_a is not None and status.offered_a > limit
        is_held = setpoint.value == 0 or high >= setpoint.value - OFFER_SLACK_A
        # A car that takes less than its limit proves nothing while the charger offers more.
        return None if offered_too_much and not is_held else True
    if status.offered_a is None or setpoint.value == 0:
        return None
    return status.offered_a <= limit


def verify_after_s(status: ChargerStatus, timing: ControlTiming) -> float:
    """A limit not seen working after so long is not honoured, s of home time."""
    return max(timing.verify_s, 2 * status.sample_interval_s)


def drawn_a(status: ChargerStatus, voltage_v: float) -> tuple[float | None, float | None]:
    """The least and the most the car draws on its worst phase, A; by its power where no current is measured."""
    measured = [current for current in status.current_a if current is not None]
    if measured:
        return max(measured), max(measured)
    if status.power_w is None:
        return None, None
    amps = max(0.0, status.power_w) / voltage_v
    if status.phases_in_use:
        return amps / status.phases_in_use, amps / status.phases_in_use
    return amps / 3, amps


def _is_of_now(status: ChargerStatus, since_s: float, timing: ControlTiming) -> bool:
    """Whether what it measures was measured under this limit."""
    age_s = status.meter_age_s
    if age_s is None:
        # A charger that tells only what it offers: by now nothing older can still be held for fresh.
        return status.offered_a is not None and since_s > 3 * status.sample_interval_s + timing.settle_s
    return age_s <= 1.5 * status.sample_interval_s and age_s <= since_s - timing.settle_s


@dataclass(frozen=True, slots=True)
class Sight:
    """One sample of the main meter: taken at `taken` (monotonic home s), A per phase, import positive."""

    taken: float
    current_a: tuple[float, ...]
    battery_w: float = 0.0
    """What the home's batteries did then, W, charging positive: one that balances the meter hides a fall."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """A limit that was lowered to `limit_a`, sent at `sent_at`; the car drew `drawn_a` at `drawn_at` (monotonic home s)."""

    limit_a: float
    sent_at: float
    drawn_a: tuple[float | None, ...]
    drawn_at: float


def defies(lowered: Lowered, sights: Sequence[Sight], timing: ControlTiming) -> bool:
    """Whether the main meter alone proves that the car did not follow: earlier than its charger's next samples.

    Each phase the car drew on should have fallen from the command on, and stood still instead in every sample until
    it had its time to follow. Another load could hide the fall only by rising by the same amount, on the same phases,
    within the same second; a meter that stirs, or misses a beat, accuses nobody. Before the command it may have risen,
    as a load that switches on is why limits are lowered; where it fell, the car may have stopped by itself.

    meter        ___~~~~~~~~~~~~   flat within 1 A          limit |----.
          ______|   sent_at   +7 s  three samples                      '--------
    """
    phases = [index for index, current in enumerate(lowered.drawn_a) if current is not None and current >= TOLERANCE_A]
    least = FALL_A if len(phases) > 1 else FALL_OF_ONE_PHASE_A
    falls = [(lowered.drawn_a[index] or 0.0) - lowered.limit_a for index in phases]
    seen = [sight for sight in sights if sight.taken >= lowered.drawn_at - 1.0]
    before = [sight for sight in seen if sight.taken <= lowered.sent_at]
    after = [sight for sight in seen if sight.taken >= lowered.sent_at + timing.settle_s]
    if not phases or min(falls) < least or not before or len(after) < LOOKS:
        return False
    if any(later.taken - sight.taken > GAP_S for sight, later in pairwise(seen)):
        return False
    base, since = before[-1], [sight for sight in seen if sight.taken > lowered.sent_at]
    if any(fell_a(before, index) > FLAT_A for index in phases):
        return False
    hidden_w = max(abs(sight.battery_w - base.battery_w) for sight in seen)
    if hidden_w > HIDDEN_SHARE * sum(falls) * NOMINAL_V:
        return False
    return all(abs(sight.current_a[index] - base.current_a[index]) <= FLAT_A for sight in since for index in phases)


def fell_a(sights: Sequence[Sight], index: int) -> float:
    """By how much a phase fell at most from any of these samples to a later one, A; 0 when it never did."""
    highest, fell = -float("inf"), 0.0
    for sight in sights:
        highest = max(highest, sight.current_a[index])
        fell = max(fell, highest - sight.current_a[index])
    return fell
