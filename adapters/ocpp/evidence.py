"""Whether a limit is seen working; pure. A limit that would look the same without us proves nothing."""

from __future__ import annotations

from adapters.ocpp.rungs import Composite

TOLERANCE_A = 1.0
BELOW_A = 1.5
"""A car that is held back draws at most this much less than its limit, A."""
DROP_A = 2.0
"""So much must a car fall for its fall to be told from noise, A."""


def tells_apart(limit_a: float, maximum_a: float, default_a: float | None) -> bool:
    """Whether obeying this limit looks different from the charger's own maximum and from its default."""
    return limit_a <= maximum_a - DROP_A and (default_a is None or abs(limit_a - default_a) > TOLERANCE_A)


def seen_working(limit_a: float, offered_a: float | None, drawn_a: float | None, before_a: float | None) -> bool:
    """By samples taken under the limit, A per phase: the charger offers it, the car stands at it, or fell to it.

    `before_a`: what the car drew when the limit was set.
    """
    if drawn_a is not None and drawn_a > limit_a + TOLERANCE_A:
        return False
    if offered_a is not None and limit_a > 0:
        return abs(offered_a - limit_a) <= TOLERANCE_A
    if drawn_a is None:
        return False
    fell = before_a is not None and before_a >= limit_a + DROP_A
    return fell or (limit_a > 0 and drawn_a >= limit_a - BELOW_A)


def combines(composite: Composite, current_a: float, phases: int, voltage_v: float) -> bool | None:
    """Whether the charger's combined schedule keeps to the limit; None when it is far below, by other bounds."""
    per_phase = composite.limit if composite.unit == "A" else composite.limit / (phases * voltage_v)
    if per_phase > current_a + TOLERANCE_A:
        return False
    return True if per_phase >= current_a - TOLERANCE_A else None
