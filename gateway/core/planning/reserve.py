"""The backup reserve that a plan leaves a battery below: what the owner is told."""

from __future__ import annotations

import numpy as np

from gateway.core.planning.home import Battery, Home
from gateway.core.planning.limits import Mask
from gateway.core.planning.slots import Array

NEAR = 0.01
"""Within this share of its capacity a battery is at its reserve."""
SOON_H = 1.0
"""One that is back so soon breaks no wish."""


def missed_reserve(home: Home, state: dict[str, Array]) -> list[str]:
    """A sentence for each battery that is below its reserve for more than an hour; `state` in Wh by device id."""
    words = []
    for battery in home.batteries:
        held, capacity = state[battery.device.id], battery.spec.capacity_wh
        below = np.flatnonzero(_is_below(battery, held))
        if not len(below):
            continue
        back, reserve = int(below[-1]) + 1, f"its reserve of {100 * battery.floor_wh / capacity:.0f} %"
        at = home.slots.start(back).astimezone(home.request.site.timezone)
        if back == home.slots.count:
            most = f"{100 * float(held.max()) / capacity:.0f} %"
            words.append(
                f"{battery.device.name} does not come back to {reserve}: it holds at most {most} until {at:%A %H:%M}."
            )
        elif float(home.slots.hours[:back].sum()) > SOON_H:
            words.append(f"{battery.device.name} stays below {reserve} until {at:%A %H:%M}.")
    return words


def below_h(home: Home, battery: Battery, state: dict[str, Array]) -> float:
    """For how many hours a battery is below its reserve; `state` in Wh by device id."""
    return float(home.slots.hours[_is_below(battery, state[battery.device.id])].sum())


def _is_below(battery: Battery, held: Array) -> Mask:
    return np.asarray(held < battery.floor_wh - NEAR * battery.spec.capacity_wh)
