"""Counters: what the step from one register value to the next means."""

from __future__ import annotations

from dataclasses import dataclass

MAX_POWER_W = 100_000.0
"""No home moves more than this; a register that rises faster was replaced or misread."""
SLACK_WH = 2_000.0
"""Registers of coarse resolution may jump by this at once."""
UNKNOWN_S = 3600.0
"""So long may have passed, s, where our clock was set back and nobody knows."""

_MODULI = (
    *(base * scale for base in (2.0**31, 2.0**32, 1e6, 1e7, 1e8, 1e9) for scale in (0.1, 1.0, 10.0, 100.0, 1000.0)),
    *(base * scale for base in (2.0**16, 2.0**24) for scale in (10.0, 100.0, 1000.0)),
)
"""Where registers of 16 to 32 bits and of six to nine digits begin again, in Wh."""


@dataclass(frozen=True, slots=True)
class CounterStep:
    """What happened between two register values: `energy_wh` >= 0, `kind` "normal", "roll-over", "reset" or "jump".

    After a reset or a jump the energy in between is not known and counts as 0.
    """

    energy_wh: float
    kind: str


def counter_step(before_wh: float, after_wh: float, elapsed_s: float, max_power_w: float = MAX_POWER_W) -> CounterStep:
    """The step between two values of one register, `elapsed_s` apart; energy is never negative.

    What would need more than `max_power_w`, W, all the time is no energy: a register that was replaced or misread.
    """
    most = max_power_w * max(elapsed_s, 0.0) / 3600 + SLACK_WH
    rise = after_wh - before_wh
    if 0 <= rise <= most:
        return CounterStep(rise, "normal")
    if rise > 0:
        return CounterStep(0.0, "jump")
    # The register was just below a round end and starts again: the rise through the end is small.
    rolls = [modulus - before_wh + after_wh for modulus in _MODULI
             if before_wh < modulus and modulus - before_wh + after_wh <= min(most, modulus / 100)]  # fmt: skip
    return CounterStep(min(rolls), "roll-over") if rolls else CounterStep(0.0, "reset")


def resolution_wh(*values_wh: float) -> float:
    """How coarse a register is, Wh, as far as its values show: they are all whole multiples of it."""
    for step in (1000.0, 100.0, 10.0):
        if all(value % step == 0 for value in values_wh):
            return step
    return 1.0
