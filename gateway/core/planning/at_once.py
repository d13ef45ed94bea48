"""The owner's minimum in the plan: the first slots from now that can hold it, car by car, within what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gateway.core.planning.cars import MOST_WH, Car, Stage
from gateway.core.planning.rooms import Room, Rooms
from gateway.core.planning.slots import Array, Slots


def with_minimum(cars: Sequence[Car], rooms: tuple[Room, ...], slots: Slots, headroom_w: Array) -> tuple[Car, ...]:
    """The same cars with a stage before all others where one lacks its minimum; who comes first is served first.

    `headroom_w`: what the connection leaves to all of them, W.
    """
    left, shared, result = headroom_w.copy(), Rooms(rooms), []
    for car in cars:
        if car.wish.floor_wh > 0 and car.plugged:
            cap = np.minimum(car.cap_w, shared.left_w(car.device.id, left))
            cap = np.where(cap >= car.min_w, cap, 0.0)
            stage = _stage(car, slots, cap)
            power = np.where(stage.window, cap, 0.0)
            shared.take(car.device.id, power)
            left = np.maximum(0.0, left - power)
            car = replace(car, stages=(stage, *car.stages))
        result.append(car)
    return tuple(result)


def _stage(car: Car, slots: Slots, cap: Array) -> Stage:
    """The fewest slots from now that can hold it at all the car may draw; those to its departure where none can."""
    need = min(car.wish.floor_wh, MOST_WH)
    reach = np.cumsum(cap * slots.hours)
    last = min(int(np.searchsorted(reach, need - 1e-6)), slots.count - 1)
    window = car.stages[0].window & (np.arange(slots.count) <= last)
    return Stage(slots.start(last + 1), need, window, at_once=True)
