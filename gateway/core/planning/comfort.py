"""The comfort band over the slots: by the owner's schedule, open upwards a while before it rises."""

from __future__ import annotations

import numpy as np

from gateway.core.control.comfort import reach_c
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots


def comfort_band(request: PlanRequest, slots: Slots) -> tuple[Array, Array]:
    """Lower and upper end in each slot, degC; before a rise the upper end is the coming one's, so that it can be met."""
    wishes, zone = request.preferences, request.site.timezone
    if not wishes.comfort_schedule:
        return np.full(slots.count, wishes.comfort_low_c), np.full(slots.count, wishes.comfort_high_c)
    starts = [slots.start(index) for index in range(slots.count)]
    low = [wishes.comfort_at(start.astimezone(zone))[0] for start in starts]
    high = [reach_c(wishes, start, zone) for start in starts]
    return np.array(low), np.array(high)
