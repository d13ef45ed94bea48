"""Why a battery stands still, and rests that outlast the event they begin with."""

from __future__ import annotations

import numpy as np

from gateway.core.control.storm import SOURCE
from gateway.core.planning.explain_car import clock, limit_of, local
from gateway.core.planning.home import Battery, Home
from gateway.core.planning.schedule import Schedule
from gateway.model.setpoint import Limit, LimitKind

STILL_W = 50.0
AT_END = 0.01
"""Within this share of its capacity a battery is at its reserve, or full."""


def still_words(home: Home, battery: Battery, schedule: Schedule, a: int, b: int) -> str:
    """Of slots `a` to before `b` in which a battery neither charges nor gives more than 50 W; else empty.

    Empty as well where it stands still by choice between its reserve and full.
    """
    if np.abs(schedule.power_w[battery.device.id][a:b]).max() > STILL_W:
        return ""
    limit = limit_of(home, battery.device.id, (LimitKind.BATTERY_SETPOINT,), a, a + 1)
    if limit is not None and limit.source == SOURCE and limit.value > 0:
        return f"The battery waits for the cheapest hours; it is filled for the storm by {local(home, limit.end)}."
    if limit is not None and limit.source == SOURCE:
        return f"The battery is held full for the storm until {local(home, limit.end)}."
    before = battery.start_wh if a == 0 else float(schedule.state[battery.device.id][a - 1])
    near, capacity = AT_END * battery.spec.capacity_wh, battery.spec.capacity_wh
    needed = float(home.base_w[a:b].mean()) > STILL_W
    if needed and before <= battery.floor_wh + near:
        return f"The battery rests at its reserve of {100 * battery.floor_wh / capacity:.0f} % until {clock(home, b)}."
    return ""


def for_storm(home: Home, battery: Battery, a: int) -> bool:
    """Whether in slot `a` it is filled or held for a storm: then there is no other way to choose."""
    limit = limit_of(home, battery.device.id, (LimitKind.BATTERY_SETPOINT,), a, a + 1)
    return limit is not None and limit.source == SOURCE


def limited_words(home: Home, limit: Limit, b: int, then: str) -> str:
    """The event's reason, and where the rest goes on until the end of slot `b - 1`, what holds `then`."""
    until = home.slots.start(b)
    if limit.end >= until:
        return limit.reason
    return f"{limit.reason.rstrip('. ')}; after {local(home, limit.end)} {then} until {local(home, until)}."
