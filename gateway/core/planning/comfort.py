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


def own_course_c(
    start_c: float, keep: Array, around_c: Array, end_c: Array, most_k: Array | float, *, cools: bool = False
) -> Array:
    """The room at the end of each slot when power only keeps it from passing `end_c`, degC: the least that is asked.

    Where this is beyond the other end of the band (a hot day in a home that only heats), no plan does better.
    `most_k`: how far from `around_c` all the power would bring it in the end, K, positive.
    """
    result, now = np.zeros(len(keep)), start_c
    step = (1 - keep) * most_k
    for index in range(len(keep)):
        free = keep[index] * now + (1 - keep[index]) * around_c[index]
        helped = max(end_c[index], free - step[index]) if cools else min(end_c[index], free + step[index])
        now = result[index] = min(free, helped) if cools else max(free, helped)
    return result


def reachable_band(
    start: float, keep: Array, around: Array, low: Array, high: Array, gain: Array | float, most_w: float
) -> tuple[Array, Array, Array]:
    """The band, open where a room that is only warmed (or only cooled) passes its other end by itself; and how far."""
    if isinstance(gain, np.ndarray):
        return low, high, np.zeros(len(keep))
    cools = gain < 0
    course = own_course_c(start, keep, around, high if cools else low, abs(gain) * most_w, cools=cools)
    beyond = np.maximum(0.0, low - course if cools else course - high)
    return (low - beyond, high, beyond) if cools else (low, high + beyond, beyond)
