"""What a Wh more would cost in each slot, for loads that are placed whole: a pump's block, an appliance's profile."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gateway.core.planning.connection import OVER_PEAK
from gateway.core.planning.home import Home
from gateway.core.planning.limits import JOINED_EVENT
from gateway.core.planning.slots import Array


@dataclass(frozen=True, slots=True)
class Market:
    """`value` is the cost of the next Wh, micro-units, for the first `room_w` W; what is beyond is bought at `dear`.

    Beyond `usual_w` W the home makes a new peak, beyond `joined_w` it breaks a joined event.
    """

    hours: Array
    value: Array
    dear: Array
    room_w: Array
    usual_w: Array
    joined_w: Array

    def cost(self, power_w: Array) -> Array:
        """Cost of a power in each slot, micro-units; `power_w` may have rows of alternatives."""
        bought = np.maximum(0.0, self.dear - self.value) * np.maximum(0.0, power_w - np.maximum(0.0, self.room_w))
        peak = OVER_PEAK * np.maximum(0.0, power_w - np.maximum(0.0, self.usual_w))
        joined = JOINED_EVENT * np.maximum(0.0, power_w - np.maximum(0.0, self.joined_w))
        return np.asarray(self.hours * (self.value * power_w + bought + peak + joined))

    def less(self, power_w: Array) -> Market:
        """What is left once a load draws `power_w`, W."""
        return replace(
            self,
            room_w=self.room_w - power_w, usual_w=self.usual_w - power_w, joined_w=self.joined_w - power_w,
        )  # fmt: skip


def plain_market(home: Home, taken_w: Array) -> Market:
    """Without a solution at hand: surplus sun costs what it would earn, all else its price; `taken_w` is used already."""
    net = home.base_w + taken_w
    surplus = np.maximum(0.0, -net)
    # What may not be exported is lost otherwise.
    worth = np.where(surplus > home.export_w + 1.0, 0.0, np.minimum(home.sell / 1000, home.buy_cost))
    value = np.where(surplus > 1.0, worth, home.buy_cost)
    room = np.where(surplus > 1.0, surplus, np.inf)
    return Market(home.slots.hours, value, home.buy_cost, room, home.usual_peak_w - net, home.soft_import_w - net)


def solved_market(home: Home, duals: Array, spare_w: Array, import_w: Array, own_w: Array) -> Market:
    """From a relaxed solution: `duals` of the balance, micro-units per W and slot.

    `spare_w` is what could go to a load without buying more (export, charging), `import_w` what is bought, both
    beside `own_w`, which the loads to be placed draw in it.
    """
    hours = home.slots.hours
    room = own_w + spare_w
    drawn = np.maximum(0.0, import_w - own_w)
    return Market(hours, duals / hours, home.buy_cost, room, home.usual_peak_w - drawn, home.soft_import_w - drawn)
