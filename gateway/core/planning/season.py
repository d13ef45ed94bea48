"""When a room is to be warmed and when cooled within the plan, and the band it keeps then.

    outdoors  ~~~~\\_________/~~~~~\\________/~~~~~     cold night, hot day
    free run      below low      above high           what the room would do, kept in its band so far
    season    heat heat heat cool cool cool heat...    each slot as the next need asks: so it is pre-cooled, pre-heated

Most plans have one season: the end of the band that a resting room passes for longer. A slot has the other one only
where the room would leave the other end by more than TRIGGER_K, and the air outside drives it there: a plan does not
cool what it heated. Decided anew with each plan, without a memory of what the last one decided: near the border the
room stays in its band by itself, and either answer asks for next to nothing.
"""

from __future__ import annotations

import numpy as np

from gateway.core.control.season import VACATION_COOL_C
from gateway.core.learning.cooled import HEATING_LIMIT_C
from gateway.core.planning.comfort import comfort_band
from gateway.core.planning.limits import Mask, is_joined, limits_of
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots
from gateway.model.setpoint import LimitKind

VACATION_C = 15.0
TRIGGER_K = 0.3
"""So far beyond the band the other season begins, K."""
AROUND_H = 12.0
"""Whether a day is one of heating is told by the air from so long before to so long after, h."""


def room_band(request: PlanRequest, slots: Slots, device: str, *, cools: bool) -> tuple[Array, Array]:
    """Least and most in each slot, degC, by comfort, absence and binding events; an event opens the end it wants open."""
    wishes = request.preferences
    away = np.zeros(slots.count, dtype=bool) if wishes.vacation_until is None else slots.before(wishes.vacation_until)
    band_low, band_high = comfort_band(request, slots, cools=cools)
    low, high = (np.where(away, VACATION_C, band_low), band_high)
    if cools:
        low, high = band_low, np.where(away, np.maximum(band_high, VACATION_COOL_C), band_high)
    for limit in limits_of(request, LimitKind.TEMPERATURE_OFFSET, device):
        if limit.value < 0 and not is_joined(limit):
            held = slots.touched(limit.start, limit.end)
            if cools:
                high = np.where(held, band_high - limit.value, high)
            else:
                low = np.where(held, band_low + limit.value, low)
    return (np.minimum(low, high), high) if cools else (low, np.maximum(low, high))


def free_run(start_c: float, keep: Array, around_c: Array) -> Array:
    """The room at the end of each slot when its heat pump rests, degC."""
    result, now = np.zeros(len(keep)), start_c
    for index in range(len(keep)):
        now = result[index] = keep[index] * now + (1 - keep[index]) * around_c[index]
    return result


def is_cooling_season(free_c: Array, low_c: Array, high_c: Array, hours: Array) -> bool:
    """Whether the resting room is too warm for longer than too cold; where it is neither, which end it is nearer to."""
    warm, cold = float(hours @ (free_c > high_c)), float(hours @ (free_c < low_c))
    if warm != cold:
        return warm > cold
    return float(hours @ (free_c - (low_c + high_c) / 2)) > 0


def cooling_slots(
    start_c: float,
    keep: Array,
    around_c: Array,
    outdoor_c: Array,
    band_c: tuple[Array, Array],
    most_k: tuple[float, float],
    hours: Array,
    *,
    changes_over: bool = True,
) -> Mask:
    """In which slots a heat pump that can do both cools; `around_c` is outdoors with what people and the sun add, degC.

    `band_c` is the lower end for heating and the upper one for cooling, `most_k` how far above and below `around_c`
    all its power would bring the room in the end, K.
    """
    low_c, high_c = band_c
    main = is_cooling_season(free_run(start_c, keep, around_c), low_c, high_c, hours)
    if not changes_over:
        return np.full(len(keep), main)
    warm_days = around_the_clock(outdoor_c, hours) > HEATING_LIMIT_C
    may_cool = np.full(len(keep), True) if main else warm_days & (around_c > high_c)
    may_heat = around_c < low_c if main else np.full(len(keep), True)
    needs, now = np.zeros(len(keep)), start_c
    up, down = ((1 - keep) * most for most in most_k)
    for index in range(len(keep)):
        now = keep[index] * now + (1 - keep[index]) * around_c[index]
        if may_cool[index] and now > high_c[index] + (0.0 if main else TRIGGER_K):
            needs[index], now = 1.0, max(float(high_c[index]), now - down[index])
        elif may_heat[index] and now < low_c[index] - (TRIGGER_K if main else 0.0):
            needs[index], now = -1.0, min(float(low_c[index]), now + up[index])
    return _until_needed(needs, main)


def around_the_clock(values: Array, hours: Array) -> Array:
    """The mean over half a day before and after each slot, as far as the slots reach."""
    ends = np.concatenate(([0.0], np.cumsum(hours)))
    total = np.concatenate(([0.0], np.cumsum(values * hours)))
    middle = (ends[1:] + ends[:-1]) / 2
    first, last = np.maximum(ends[0], middle - AROUND_H), np.minimum(ends[-1], middle + AROUND_H)
    return np.asarray((np.interp(last, ends, total) - np.interp(first, ends, total)) / np.maximum(last - first, 1e-9))


def _until_needed(needs: Array, main: bool) -> Mask:
    """Each slot as the next need (1 to cool, -1 to heat); behind the last one as that."""
    cools, following = np.zeros(len(needs), dtype=bool), 0.0
    last = next((need for need in reversed(needs.tolist()) if need), 1.0 if main else -1.0)
    for index in range(len(needs) - 1, -1, -1):
        following = float(needs[index]) or following or last
        cools[index] = following > 0
    return cools
