"""Counters: what the step from one register value to the next means."""

from __future__ import annotations

from dataclasses import dataclass

MAX_POWER_W = 100_000.0
"""No home moves more than this; a register that rises faster was replaced or misread."""
SLACK_WH = 2_000.0
"""Registers of coarse resolution may jump by this at once."""

_MODULI = tuple(
    base * scale for base in (2.0**31, 2.0**32, 1e6, 1e7, 1e8, 1e9) for scale in (0.1, 1.0, 10.0, 100.0, 1000.0)
)


@dataclass(frozen=True, slots=True)
class CounterStep:
    """What happened between two register values: `energy_wh` >= 0, `kind` "normal", "roll-over", "reset" or "jump".

    After a reset or a jump the energy in between is not known and counts as 0.
    """

    energy_wh: float
    kind: str


def counter_step(before_wh: float, after_wh: float, elapsed_s: float) -> CounterStep:
    """The step between two values of one register, `elapsed_s` apart; energy is never negative."""
    most = MAX_POWER_W * max(elapsed_s, 0.0) / 3600 + SLACK_WH
    rise = after_wh - before_wh
    if 0 <= rise <= most:
        return CounterStep(rise, "normal")
    if rise > 0:
        return CounterStep(0.0, "jump")
    for modulus in _MODULI:
        # The register was just below a round end and starts again: the rise through the end is small.
        rolled = modulus - before_wh + after_wh
        if before_wh < modulus and 0 <= rolled <= min(most, modulus / 100):
            return CounterStep(rolled, "roll-over")
    return CounterStep(0.0, "reset")
