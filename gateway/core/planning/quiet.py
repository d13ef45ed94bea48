"""What may be drawn in each slot without making a peak: rounding keeps below it as long as it can."""

from __future__ import annotations

import numpy as np

from gateway.core.planning.home import Heat, Home
from gateway.core.planning.slots import Array


def quiet_w(home: Home, bought_w: Array) -> Array:
    """Import in each slot that costs no more peak than this relaxed import does, W; never above the hard limit."""
    result = np.minimum(home.import_w, np.maximum(home.usual_peak_w, bought_w))
    for peak in home.charges.peaks:
        if peak.price <= 0:
            continue
        for number, day in enumerate(peak.rivals):
            top = max(peak.free_of(number), *(float(share @ bought_w[where]) for where, share in day))
            for where, _ in day:
                result[where] = np.minimum(result[where], top)
    return result


def is_enough(energy_wh: float, cap_w: Array, hours: Array) -> bool:
    """Whether a room, W over the slots, holds an energy."""
    return float(cap_w @ hours) >= energy_wh


def rooms_for(home: Home, tank: Heat, left_w: Array, quiet: Array) -> list[Array]:
    """What a relay may be given, W: what makes no priced peak as far as batteries help, all there is.

    The home's usual peak is in the market already.
    """
    if not home.charges.peaks or (quiet >= np.minimum(tank.cap_w, left_w)).all():
        return [left_w]
    help_w = sum((battery.discharge_w for battery in home.batteries), np.zeros(home.slots.count))
    rooms = [np.minimum(left_w, quiet + help_w), left_w]
    return rooms[:1] if np.array_equal(rooms[0], left_w) else rooms
