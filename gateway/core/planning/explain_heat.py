"""Why water and rooms are heated, where hygiene or the comfort schedule asks for it."""

from __future__ import annotations

from datetime import timedelta

from gateway.core.planning.explain_car import CHEAPER, clock, local
from gateway.core.planning.home import Heat, Home
from gateway.core.planning.schedule import Schedule
from gateway.model.setpoint import Limit, LimitKind

SOON = timedelta(hours=3)
DRAWS_W = 50.0


def hygiene_words(home: Home, heat: Heat, a: int, b: int) -> str:
    """Of a block that ends with the water hot enough for hygiene; else empty."""
    goal = heat.hygiene
    if goal is None or not a <= goal.slot < b + 1:
        return ""
    due = local(home, goal.due)
    return f"The water is heated to {goal.asked_c:.0f} °C once before {due}, against legionella."


def band_words(home: Home, heat: Heat, b: int) -> str:
    """Of a block after which the comfort band soon rises; else empty."""
    low = heat.low_c
    for index in range(b, len(low)):
        if home.slots.ahead_h[index] > home.slots.ahead_h[min(b, len(low) - 1)] + 3:
            return ""
        if low[index] > low[b - 1] + 0.1:
            return f"The room is heated before {clock(home, index)}, when it should be warmer."
    return ""


def coming_event(home: Home, device: str, kinds: tuple[LimitKind, ...], b: int) -> Limit | None:
    """The first limit of an event that begins soon after slot `b - 1`; what one goes on with is no beginning."""
    at = home.slots.start(b)
    own = [x for x in home.request.limits if x.kind in kinds and x.device in ("", device)]
    # The steps in which a device returns after an event, or its next level.
    begun = {x.source for x in own if x.start < at}
    return next((x for x in own if timedelta(0) <= x.start - at <= SOON and x.source not in begun), None)


def keeps_only(home: Home, heat: Heat, schedule: Schedule, a: int, b: int) -> bool:
    """Whether it draws in slots `a` to before `b` in which it rests: then it keeps the end of its band that costs least."""
    hours = home.slots.hours[a:b]
    return float(schedule.power_w[heat.device.id][a:b] @ hours) > DRAWS_W * float(hours.sum())


def waiting_words(home: Home, heat: Heat, schedule: Schedule, a: int, b: int) -> str:
    """Of a block that heats no more than the lower end of the band needs, and which nothing but its price ends."""
    what, until, price = ("water" if heat in home.tanks else "room"), clock(home, b), home.buy_cost
    cheaper = b < len(price) and float(price[b]) < CHEAPER * float(price[a])
    if keeps_only(home, heat, schedule, a, b):
        return f"The {what} is heated no more than its minimum needs until {until}{', when power is cheaper' if cheaper else ''}."
    if cheaper:
        return f"The {what} is warm enough; heating waits until {until}, when power is cheaper."
    return f"The {what} keeps its minimum; it needs no more until {until}."
