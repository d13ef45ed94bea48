"""Why a battery stands still, and rests that outlast the event they begin with."""

from __future__ import annotations

import numpy as np

from gateway.core.control.storm import SOURCE
from gateway.core.planning.explain_car import CHEAPER, clock, left_words, limit_of, local, sentence
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
    before = battery.start_wh if a == 0 else float(schedule.state[battery.device.id][a - 1])
    near, capacity = AT_END * battery.spec.capacity_wh, battery.spec.capacity_wh
    if limit is not None and limit.source == SOURCE and before >= battery.full_wh - near:
        until = home.request.preferences.storm_until or limit.end
        return f"The battery is held full for the storm until {local(home, until)}."
    if limit is not None and limit.source == SOURCE and limit.value > 0:
        return f"The battery waits for the cheapest hours; it is filled for the storm by {local(home, limit.end)}."
    if limit is not None and limit.source == SOURCE:
        return f"The battery is held full for the storm until {local(home, limit.end)}."
    needed = float(home.base_w[a:b].mean()) > STILL_W
    reserve = f"its reserve of {100 * battery.floor_wh / capacity:.0f} %"
    if before < battery.floor_wh - near:
        why = " and may charge from the sun only" if battery.only_sun[a:b].all() else ""
        return (
            f"The battery is at {100 * before / capacity:.0f} %, below {reserve}{why}; it rests until {clock(home, b)}."
        )
    if needed and before <= battery.floor_wh + near:
        return f"The battery rests at {reserve} until {clock(home, b)}."
    return ""


def filling_words(home: Home, battery: Battery, schedule: Schedule, a: int, b: int) -> str:
    """Why it charges from the grid in slots `a` to before `b`: what it gives in a dearer hour, or what it is kept for."""
    flow, price, until = schedule.power_w[battery.device.id], home.buy_cost, clock(home, b)
    gives = np.flatnonzero(flow[b:] < -STILL_W) + b
    dear = int(gives[np.argmax(price[gives])]) if len(gives) else -1
    if dear >= 0 and price[dear] > price[a:b].mean() / CHEAPER:
        return f"The battery charges from the grid until {until} because power is dearer at {clock(home, dear)}."
    before = battery.start_wh if a == 0 else float(schedule.state[battery.device.id][a - 1])
    if before < battery.floor_wh - 1:
        reserve = f"its reserve of {100 * battery.floor_wh / battery.spec.capacity_wh:.0f} %"
        return f"The battery charges from the grid until {until} to come back to {reserve}."
    if left := left_words(home, schedule, battery.device.id, STILL_W, a, b) or _coming_words(home, b):
        return f"The battery charges from the grid until {until} because {left}."
    if len(gives):
        return f"The battery charges from the grid until {until} for what it gives from {clock(home, int(gives[0]))}."
    return f"The battery charges from the grid until {until}."


def feeding_words(home: Home, battery: Battery, schedule: Schedule, a: int, b: int) -> str:
    """Why it feeds the house in slots `a` to before `b`: it saves what is not bought again at the same price."""
    flow, grid, price = schedule.power_w[battery.device.id], schedule.grid_w(home), home.buy_cost
    refills = np.flatnonzero((flow[b:] > STILL_W) & (grid[b:] > STILL_W)) + b
    words = f"The battery feeds the house until {clock(home, b)}"
    if not len(refills) or float(price[refills[0]]) < CHEAPER * float(price[a:b].mean()):
        return f"{words}, so that less is bought."
    highest, before = float(grid[a:b].max()), float(grid[: refills[0] + 1].max())
    if highest > STILL_W and highest >= before - STILL_W:
        return f"{words}, so that the home draws no more than {highest / 1000:.1f} kW."
    return f"{words}."


def _coming_words(home: Home, b: int) -> str:
    """The limit of import that begins within three hours after slot `b - 1`; else empty."""
    last = int(np.searchsorted(home.slots.ahead_h, home.slots.ahead_h[min(b, home.slots.count - 1)] + 3.0)) - 1
    limit = limit_of(home, "", (LimitKind.SITE_IMPORT,), min(b, last), max(b, last))
    if limit is None or limit.start < home.slots.start(b):
        return ""
    return f"the home may draw no more than {limit.value / 1000:.2g} kW from {local(home, limit.start)}"


def for_storm(home: Home, battery: Battery, a: int) -> bool:
    """Whether in slot `a` it is filled or held for a storm: then there is no other way to choose."""
    limit = limit_of(home, battery.device.id, (LimitKind.BATTERY_SETPOINT,), a, a + 1)
    return limit is not None and limit.source == SOURCE


def limited_words(home: Home, limit: Limit, b: int, then: str) -> str:
    """The event's reason, and where the rest goes on until the end of slot `b - 1`, what holds `then`."""
    until = home.slots.start(b)
    if limit.end >= until:
        return sentence(limit.reason)
    return f"{limit.reason.rstrip('. ')}; after {local(home, limit.end)} {then} until {local(home, until)}."
