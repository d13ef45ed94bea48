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


def seen_working(
    limit_a: float,
    offered_a: float | None,
    drawn_a: float | None,
    before_a: float | None,
    stood_a: float | None = None,
) -> bool:
    """By samples taken under the limit, A per phase: the charger offers it, or the car fell, rose or followed to it.

    `before_a`: what the car drew when the limit was set; `stood_a`: another limit at which it was seen standing.
    A car that stands where it stood before proves nothing.
    """
    if drawn_a is not None and drawn_a > limit_a + TOLERANCE_A:
        return False
    if offered_a is not None and limit_a > 0:
        return abs(offered_a - limit_a) <= TOLERANCE_A
    if drawn_a is None:
        return False
    fell = before_a is not None and before_a >= limit_a + DROP_A
    return fell or (stands_at(limit_a, drawn_a) and _moved(drawn_a, before_a, stood_a))


def keeps_to(limit_a: float, offered_a: float | None, drawn_a: float | None) -> bool:
    """By samples taken under a limit that was seen working, A per phase: whether it shows still, in a car that draws."""
    if drawn_a is None or drawn_a > limit_a + TOLERANCE_A:
        return False
    return limit_a == 0 or (drawn_a > 0 and (offered_a is None or abs(offered_a - limit_a) <= TOLERANCE_A))


def stands_at(limit_a: float, drawn_a: float | None) -> bool:
    """Whether the car draws what it is allowed to, as far as cars do."""
    return limit_a > 0 and drawn_a is not None and limit_a - BELOW_A <= drawn_a <= limit_a + TOLERANCE_A


def _moved(drawn_a: float, before_a: float | None, stood_a: float | None) -> bool:
    return any(was_a is not None and abs(drawn_a - was_a) >= DROP_A for was_a in (before_a, stood_a))


def combines(composite: Composite, current_a: float, phases: int, voltage_v: float) -> bool | None:
    """Whether the charger's combined schedule keeps to the limit; None when it is far below, by other bounds."""
    per_phase = composite.limit if composite.unit == "A" else composite.limit / (phases * voltage_v)
    if per_phase > current_a + TOLERANCE_A:
        return False
    return True if per_phase >= current_a - TOLERANCE_A else None
