"""What holds a device whatever power costs: the owner's word, a limit at the grid, the fuse; and the room it is in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gateway.core.planning.explain_car import clock, left_words, limit_of, local, sentence
from gateway.core.planning.home import Heat, Home
from gateway.core.planning.limits import overridden
from gateway.core.planning.schedule import Schedule
from gateway.model.plan import IntentKind
from gateway.model.setpoint import LimitKind, Override

Why = Callable[[IntentKind, int, int], str]
OUTSIDE_K = 0.2
"""So far outside its band a room or its water is told to be, K."""
NOTHING_W = 50.0


def owner_first(home: Home, schedule: Schedule, device: str, why: Why) -> Why:
    """The same words, but where the owner's override holds as the block begins it is the reason."""

    batteries = {battery.device.id for battery in home.batteries}

    def told(kind: IntentKind, a: int, b: int) -> str:
        override = _override(home, device, a)
        if override is None or (override.action == "run" and kind is IntentKind.CHARGE_AT):
            return why(kind, a, b)  # a car says so itself, and when it will be full
        words = f"You asked it to {override.action} until {local(home, override.end)}"
        if override.action == "run" and kind is not IntentKind.RUN:
            left = left_words(home, schedule, device, NOTHING_W, a, a + 1)
            if not left or device in batteries:
                return why(kind, a, b)
            words = f"{words}, but {left}"
        held = overridden(home.request, home.slots, device, override.action)
        after = a + int(np.argmin(held[a:b])) if not held[a:b].all() else b
        return f"{words}." if after == b else and_then(words, why(kind, after, b))

    return told


def _override(home: Home, device: str, a: int) -> Override | None:
    """The owner's word in force in slot `a`: to run, or to pause."""
    for action in ("pause", "run"):
        if overridden(home.request, home.slots, device, action)[a]:
            return next(o for o in home.request.snapshot.overrides if o.device == device and o.action == action)
    return None


def and_then(first: str, then: str) -> str:
    """Two sentences as one, the second for what follows."""
    return f"{first.rstrip('.')}; then {f'the {then[4:]}' if then.startswith('The ') else then}"


def event_words(home: Home, device: str, a: int, b: int) -> tuple[str, int]:
    """The reason of the event that holds a device in slot `a`, as a sentence, and the slot before `b` it holds to.

    Empty where none does. A rest may go on behind an event: that part of it has another reason.
    """
    limit = limit_of(home, device, (LimitKind.DEVICE_POWER,), a, a + 1)
    if limit is None:
        return "", a
    return sentence(limit.reason), next((i for i in range(a + 1, b) if home.slots.start(i) >= limit.end), b)


def outside_words(home: Home, heat: Heat, schedule: Schedule, a: int, b: int) -> str:
    """Of a block that begins with the room or water outside its band on the side that power mends; else empty."""
    state, power = schedule.state[heat.device.id], schedule.power_w[heat.device.id][a:b]
    now = heat.start_c if a == 0 else float(state[a - 1])
    spare = np.broadcast_to(heat.spare_k, state.shape)
    least, cools = heat.least_c - np.where(heat.cooling, 0.0, spare), bool(heat.cooling[a])
    beyond = (state - least)[a:b] if cools else (least - state)[a:b]
    if (now - least[a] if cools else least[a] - now) <= OUTSIDE_K:
        return ""
    water = heat in home.tanks
    end, done = ("above its maximum", "cooled") if cools else ("below its minimum", "heated")
    where = f"The {'water' if water else 'room'} is {end} of {least[a]:.1f} °C"
    inside = np.flatnonzero(beyond <= OUTSIDE_K)
    first = int(inside[0]) if len(inside) else b - a
    if power[: max(1, first)].mean() > NOTHING_W:
        back = f" and back in its band by {clock(home, a + first + 1)}" if len(inside) and a + first + 1 < b else ""
        return f"{where}; it is {done}{back}."
    left = left_words(home, schedule, heat.device.id, heat.power_w if water else NOTHING_W, a, b)
    if left:
        return f"{where}; it waits because {left}."
    return f"{where}; it is {done} from {clock(home, b)}." if b < home.slots.count else f"{where}."


def in_spite(home: Home, schedule: Schedule, a: int, b: int) -> bool:
    """Whether the home draws more in these slots than a joined event would leave it."""
    return bool((schedule.grid_w(home)[a:b] > home.soft_import_w[a:b] + 1).any())


def bound_heat_words(home: Home, heat: Heat, schedule: Schedule, a: int, b: int) -> str:
    """Of a rest that ends where a limit at the grid, or the fuse, leaves it its power again; else empty."""
    power = schedule.power_w[heat.device.id]
    if b >= len(power) or power[b] <= NOTHING_W or float(home.buy_cost[b]) < 0.97 * float(home.buy_cost[a]):
        return ""
    least_w = heat.power_w if heat in home.tanks else 0.1 * heat.power_w
    if in_spite(home, schedule, b, b + 1):
        return ""  # it does not wait for the end of the limit
    left = left_words(home, schedule, heat.device.id, least_w, a, b)
    what = "water" if heat in home.tanks else "room"
    return f"The {what} waits until {clock(home, b)} because {left}." if left else ""
