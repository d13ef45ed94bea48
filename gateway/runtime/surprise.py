"""When the home goes so differently from its plan that it is planned anew, and how often at most.

differs by    ______/~~~~\\____/~~~~~~~~~~~~~~\\_______
far           -----------------------------------------    a cloud that passes is none
                             |<- SURE_S ->|                planned anew, then not again for PAUSE_S
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.core.planning.sun_now import free_sun_w
from gateway.model.plan import Plan
from gateway.model.snapshot import Snapshot

SURE_S = 120.0
"""Home seconds one thing must differ from the plan, all the while, before it is planned anew."""
PAUSE_S = 600.0
"""At most one new plan in so many home seconds is a surprise's; between them a plan is made at each slot anyway."""
FAR = {"house": 1_500.0, "sun": 1_500.0, "battery": 5.0}
"""From here on it counts: W of the house and of the sun, percent points of the battery's charge."""
STILL = 2 / 3
"""What differed so far counts on until it differs by less than this share of it."""


@dataclass(slots=True)
class Surprise:
    """Watches one home; times are monotonic home s."""

    _since: dict[str, float] = field(default_factory=dict)
    _told_at: float | None = None

    def sure(self, snapshot: Snapshot, plan: Plan | None, charge_before: float | None, now: float) -> bool:
        """Whether a new plan is worth it now; `charge_before` is the battery's charge as of the plan, percent."""
        differs = off_plan(snapshot, plan, charge_before)
        for what, far in FAR.items():
            off = differs.get(what, 0.0)
            if off > (STILL * far if what in self._since else far):
                self._since.setdefault(what, now)
            else:
                self._since.pop(what, None)
        long_enough = any(now - since >= SURE_S for since in self._since.values())
        if not long_enough or (self._told_at is not None and now - self._told_at < PAUSE_S):
            return False
        self._since, self._told_at = {}, now
        return True


def off_plan(snapshot: Snapshot, plan: Plan | None, charge_before: float | None) -> dict[str, float]:
    """How far the house (W), the sun (W) and the battery (percent points) are from the plan; what is unknown is left out."""
    slots = plan.slots if plan is not None else ()
    at = next((i for i in reversed(range(len(slots))) if slots[i].start <= snapshot.now), None)
    if at is None:
        return {}
    slot, found = slots[at], dict[str, float]()
    for what, name, watts in (("house", "house", snapshot.house_w()), ("sun", "pv", free_sun_w(snapshot))):
        if watts is not None and name in slot.power_w:
            found[what] = abs(watts - slot.power_w[name])
    before, soc = slots[at - 1].soc_percent if at else charge_before, snapshot.soc_percent()
    if before is not None and slot.soc_percent is not None and soc is not None:
        # Anywhere between its two ends is as planned.
        low, high = sorted((before, slot.soc_percent))
        found["battery"] = max(0.0, low - soc, soc - high)
    return found
