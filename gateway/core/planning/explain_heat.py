"""Why water and rooms are heated, where hygiene or the comfort schedule asks for it."""

from __future__ import annotations

from gateway.core.planning.explain_car import clock, local
from gateway.core.planning.home import Heat, Home


def hygiene_words(home: Home, heat: Heat, a: int, b: int) -> str:
    """Of a block that ends with the water hot enough for hygiene; else empty."""
    goal = heat.hygiene
    if goal is None or not a <= goal.slot < b + 1:
        return ""
    due = local(home, goal.due)
    return f"The water is heated to {goal.asked_c:.0f} °C once before {due}, against legionella."


def band_words(home: Home, heat: Heat, b: int) -> str:
    """Of a block after which the comfort band soon rises; else empty."""
    low = heat.low_c
    for index in range(b, len(low)):
        if home.slots.ahead_h[index] > home.slots.ahead_h[min(b, len(low) - 1)] + 3:
            return ""
        if low[index] > low[b - 1] + 0.1:
            return f"The room is heated before {clock(home, index)}, when it should be warmer."
    return ""
