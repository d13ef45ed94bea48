"""Whether a room is to be warmed or cooled within the plan, and the band it keeps then.

Decided once for the whole horizon, anew with each plan, from the room as it would be if its heat pump rested: so a
plan never heats what it cooled, and needs no memory of what the last one decided. No hysteresis is wanted: near the
border the room stays in its band by itself, and either answer asks for next to nothing.
"""

from __future__ import annotations

import numpy as np

from gateway.core.control.season import VACATION_COOL_C
from gateway.core.planning.comfort import comfort_band
from gateway.core.planning.limits import is_joined, limits_of
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots
from gateway.model.setpoint import LimitKind

VACATION_C = 15.0


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
