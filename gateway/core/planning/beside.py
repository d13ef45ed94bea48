"""One way beside another in the same home: what it costs once all that is stored at the end is counted.

grid       |####|____|##|        what is drawn less here ...
stored     ~~~~\\______          ... may only be taken out of the battery, the tank, the rooms or the car
cost       bill + wear of the batteries - what is stored, at the planner's own value of the horizon's end
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gateway.core.planning.cars import Car
from gateway.core.planning.home import Heat, Home
from gateway.core.planning.schedule import Schedule, bill_micro, stored_value, stored_wh
from gateway.core.planning.scheduler import Worked
from gateway.model.effect import Beside

NEARLY_WH, NEARLY_K_H, SLACK_K = 100.0, 0.5, 0.2
"""A wish that is missed by no more than this is kept, as in the words of a plan."""
GAP = 0.002
"""A way that is cheaper by this share of the bill or less differs by what rounding leaves: it costs nothing."""


def beside(worked: Worked, other: Worked, *, own_prices: bool = False) -> Beside:
    """What `other` costs more than `worked`, both at the prices of `worked`, with `own_prices` each at its own.

    What is stored counts the same in both. `worked` is the cheapest way but for `GAP`: at the same prices nothing that keeps
    the same wishes costs less, unless the owner wants no cheap way (a car that charges at once, a price on carbon).
    """
    home, way, instead = worked.home, worked.schedule, other.schedule
    more_wh = _stored_wh(home, instead) - _stored_wh(home, way)
    paid = _paid_micro(home, way)
    more = _paid_micro(other.home if own_prices else home, instead) - paid - stored_value(home) * more_wh
    if -GAP * abs(paid) <= more < 0:
        more = 0.0
    return Beside(more, more_wh, tuple(_gives_way(home, way, instead)))


def _paid_micro(home: Home, schedule: Schedule) -> float:
    drawn = ((battery.spec.wear_cost_micro_per_wh, schedule.power_w[battery.device.id]) for battery in home.batteries)
    wear = sum(each * float(np.maximum(0.0, -power) @ home.slots.hours) for each, power in drawn)
    return bill_micro(home, schedule.grid_w(home)) + wear


def _stored_wh(home: Home, schedule: Schedule) -> float:
    """As `stored_wh`, with what is in cars that left before the end: rounding gives one a little more than another."""
    return stored_wh(home, schedule) + sum(_charged(home, schedule, c.device.id) for c in home.cars if not c.open_end)


def _charged(home: Home, schedule: Schedule, car: str) -> float:
    return float(schedule.power_w[car] @ home.slots.hours)


def _gives_way(home: Home, way: Schedule, instead: Schedule) -> Iterator[str]:
    for car in home.cars:
        if _lacks_wh(home, car, instead) > _lacks_wh(home, car, way) + NEARLY_WH:
            yield car.device.id
    for heat in (*home.tanks, *home.pumps):
        if _beyond_k_h(home, heat, instead) > _beyond_k_h(home, heat, way) + NEARLY_K_H:
            yield heat.device.id
    if _over_wh(home, instead) > _over_wh(home, way) + NEARLY_WH:
        yield "grid"


def _over_wh(home: Home, schedule: Schedule) -> float:
    """What is imported above the home's usual peak, Wh."""
    return float(np.maximum(0.0, schedule.grid_w(home) - home.usual_peak_w) @ home.slots.hours)


def _lacks_wh(home: Home, car: Car, schedule: Schedule) -> float:
    """What a car lacks at its departures within the plan, Wh."""
    wh = schedule.power_w[car.device.id] * home.slots.hours
    owed = car.stages[:-1] if car.open_end else car.stages
    return max((stage.need_wh - float(wh[stage.window].sum()) for stage in owed), default=0.0)


def _beyond_k_h(home: Home, heat: Heat, schedule: Schedule) -> float:
    """How far and long it is colder, in cooling warmer, than its band, K h."""
    at_c = schedule.state[heat.device.id]
    beyond = np.where(heat.cooling, at_c - heat.high_c, heat.low_c - heat.spare_k - at_c)
    return float(np.maximum(0.0, beyond - SLACK_K) @ home.slots.hours)
