"""What a battery may do with the grid: whoever orders it, it charges from the sun only or feeds no more than the home.

    may not charge from the grid   ordered +3000 W   band [0, +3000]   it takes what the sun leaves over
    may not give into the grid     ordered -3000 W   band [-3000, 0]   it gives what the home needs

The owner or the grid's rules said so (`grid_charge`, `grid_export`); an event, a storm or a plan does not change them.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.site import BatterySpec

ONLY_SUN = "it may not charge from the grid, so only the sun charges it"
ONLY_HOME = "it may not give into the grid, so it gives what the home needs"


def permitted(wish: Wish, spec: BatterySpec) -> Wish:
    """The wish (W, charging positive) without what it would force out of the grid, or into it, against the permissions."""
    if wish.low > 0 and not spec.grid_charge:
        return replace(wish, low=0.0, reason=_with(wish, ONLY_SUN))
    if wish.value < 0 and not spec.grid_export:
        return replace(wish, value=0.0, reason=_with(wish, ONLY_HOME))
    return wish


def _with(wish: Wish, words: str) -> str:
    """A plan has reckoned with the permissions itself: its words stay."""
    return wish.reason if wish.authority is Authority.PLAN else f"{wish.reason.rstrip('.')}: {words}."
