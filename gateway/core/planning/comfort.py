"""The comfort band over the slots: by the owner's schedule, open a while before it rises, or, in cooling, falls."""

from __future__ import annotations

import numpy as np

from gateway.core.control.comfort import dip_c, reach_c
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots


def comfort_band(request: PlanRequest, slots: Slots, *, cools: bool = False) -> tuple[Array, Array]:
    """Lower and upper end in each slot, degC; so that it can be met, before a rise the upper end is the coming one's.

    In cooling it is the lower end that is the coming one's, before a fall.
    """
    wishes, zone = request.preferences, request.site.timezone
    if not wishes.comfort_schedule:
        return np.full(slots.count, wishes.comfort_low_c), np.full(slots.count, wishes.comfort_high_c)
    starts = [slots.start(index) for index in range(slots.count)]
    bands = [wishes.comfort_at(start.astimezone(zone)) for start in starts]
    low = [dip_c(wishes, start, zone) for start in starts] if cools else [band[0] for band in bands]
    high = [band[1] for band in bands] if cools else [reach_c(wishes, start, zone) for start in starts]
    return np.array(low), np.array(high)
