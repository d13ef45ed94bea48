"""What devices with their own meter (car, tank, battery, heat pump) would have done without the event.

They would have gone on as planned, or, without a plan, with the power they drew before the event, until their need was
met. Day matching says nothing useful about a car that charges on other days at other times.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from gateway.core.demand_response.baseline.rows import BaselineRow, slots


def device_baseline(
    start: datetime,
    end: datetime,
    *,
    power_w: float,
    needed_wh: float | None = None,
    planned_w: Callable[[datetime], float | None] | None = None,
) -> tuple[BaselineRow, ...]:
    """What a sub-metered device would have done over [start, end).

    It follows `planned_w` (mean W of the slot that starts then, of the plan made before the event was known), else goes
    on at `power_w` W as before the event, until it has taken `needed_wh` Wh (None: no end in sight).
    """
    left = math.inf if needed_wh is None else max(0.0, needed_wh)
    rows = []
    for slot, seconds in slots(start, end):
        planned = planned_w(slot) if planned_w is not None else None
        energy = (power_w if planned is None else planned) * seconds / 3600
        if energy > 0:
            energy = min(energy, left)
            left -= energy
        rows.append(BaselineRow(slot, seconds, energy))
    return tuple(rows)
