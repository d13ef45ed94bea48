"""Why a room is cooled, or left to warm up within its band."""

from __future__ import annotations

import numpy as np

from gateway.core.planning.explain_battery import limited_words
from gateway.core.planning.explain_car import CHEAPER, clock, local
from gateway.core.planning.explain_heat import keeps_only
from gateway.core.planning.home import Heat, Home
from gateway.core.planning.schedule import Schedule
from gateway.model.setpoint import Limit

SOON = 24
"""A dearer time within so many slots after the block is why it is pre-cooled."""


def cooled_words(home: Home, heat: Heat, a: int, b: int, event: Limit | None) -> str:
    """Of a block that cools below what the upper end of the band needs; `event` begins soon after it."""
    price, until = home.buy_cost, clock(home, b)
    if event is not None:
        return f"The room is pre-cooled before the event at {local(home, event.start)}, so that it stays cool."
    if float(home.base_w[a:b].mean()) < -0.5 * heat.power_w:
        return f"The room is cooled until {until} with surplus sun."
    coming = price[b : b + SOON]
    dearer = np.flatnonzero(coming > float(price[a:b].mean()) / CHEAPER)
    if len(dearer):
        dear = b + int(dearer[0])
        return f"The room is pre-cooled until {until} because power is dearer at {clock(home, dear)}."
    return f"The room is cooled until {until} to stay in its band."


def resting_words(home: Home, schedule: Schedule, heat: Heat, a: int, b: int, limit: Limit | None) -> str:
    """Of a block that only keeps the upper end of the band; `limit` is the event in force."""
    price, until = home.buy_cost, clock(home, b)
    if limit is not None:
        return limited_words(home, limit, b, "the room needs no more")
    if b < len(price) and float(price[b]) < CHEAPER * float(price[a]):
        if keeps_only(home, heat, schedule, a, b):
            return f"The room is cooled no more than its maximum needs until {until}, when power is cheaper."
        return f"The room is cool enough; cooling waits until {until}, when power is cheaper."
    return f"The room is kept from rising above its maximum; it needs no more until {until}."
