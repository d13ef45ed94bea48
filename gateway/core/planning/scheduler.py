"""The planner's two doors: `make_plan` always returns a plan, `counterfactual` says what another way would cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gateway.core.planning.arrival import on_arrival
from gateway.core.planning.bent_heat import NUDGE, bent_heat, keeps_wishes
from gateway.core.planning.cars import Car
from gateway.core.planning.exchange import FINE
from gateway.core.planning.explain import Story
from gateway.core.planning.explain_loads import bent_loads
from gateway.core.planning.fallback import rules
from gateway.core.planning.home import Battery, Home, make_home
from gateway.core.planning.limits import Mask
from gateway.core.planning.optimiser import solved
from gateway.core.planning.program import Model
from gateway.core.planning.quiet import quiet_w
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.schedule import Schedule, bill_micro, carbon_g, stored_micro, usual_peak_w
from gateway.core.planning.slots import Array
from gateway.model.plan import Block, IntentKind, Plan, PlanSlot
from gateway.model.preferences import ChargeMode

SAME_WH = 20.0
"""An alternative that moves less than this within its block is none: the device cannot do otherwise."""
EARLIER = ("charge now", "heat now", "cool now")


@dataclass(frozen=True, slots=True)
class Worked:
    """A request solved: its plan is told from it, and alternatives are solved on from it, in one thread at a time."""

    home: Home
    plain: Schedule
    """What would happen without a plan."""
    schedule: Schedule
    model: Model | None
    """None where rules made the schedule."""


def work_out(request: PlanRequest) -> Worked:
    """A request solved; by rules when the optimiser is missing, fails or takes too long."""
    home, plain = frozen(request)
    return Worked(home, plain, *_solve(home))


def make_plan(request: PlanRequest, *, alternatives: bool = True, worked: Worked | None = None) -> Plan:
    """The plan for the next hours; `worked` is what `work_out` found for this request, where that is known already.

    With `alternatives` the block in force and the next one of each device carry the exact cost of the alternative,
    as long as all solutions together stay within the request's time limit.
    """
    worked = work_out(request) if worked is None else worked
    home, plain, schedule, model = worked.home, worked.plain, worked.schedule, worked.model
    blocks = Story(home, schedule).blocks()
    seconds = schedule.solve_s
    if alternatives and model is not None:
        blocks, seconds = _with_alternatives(home, schedule, model, blocks)
    grid = schedule.grid_w(home)
    settled = stored_micro(home, schedule) - stored_micro(home, plain)
    return Plan(
        made_at=request.now,
        cause=request.cause,
        method=schedule.method,
        slots=_slots(home, schedule),
        blocks=blocks,
        cost_micro=round(bill_micro(home, grid)),
        reference_cost_micro=round(bill_micro(home, plain.grid_w(home)) + settled),
        co2_g=carbon_g(home, grid),
        solve_ms=seconds * 1000,
        relaxed=schedule.relaxed,
        cooling=tuple(pump.device.id for pump in home.pumps if pump.cooling[0]),
    )


def counterfactual(
    request: PlanRequest, plan: Plan, block: Block, worked: Worked | None = None
) -> tuple[int | None, float | None]:
    """What the block's alternative costs more than the plan: (micro-units, g CO2); (None, None) when it has none.

    The energy stored at the end is settled at its value. `plan` is the one made of `request`; the block may be any of its
    blocks. With `worked` of this request only the alternative is solved, from the plan's own basis, else both ways are.
    """
    if not block.alternative:
        return None, None
    if worked is None:
        home, plain = frozen(request)
        worked = Worked(home, plain, *(_solve(home) if plan.method == "optimised" else (rules(home), None)))
    return difference(worked.home, worked.schedule, worked.model, block)[:2]


def frozen(request: PlanRequest) -> tuple[Home, Schedule]:
    """The home of a request, and what would happen in it without a plan: the reference for money and for peaks."""
    home = make_home(request)
    plain = rules(home, plain=True)
    if not request.preferences.accept_higher_peak:
        home = replace(home, usual_peak_w=usual_peak_w(home, rules(on_arrival(home), plain=True)))
    return home, plain


def _solve(home: Home, like: Model | None = None) -> tuple[Schedule, Model | None]:
    try:
        found = solved(home, like)
    except (ImportError, ArithmeticError, RuntimeError, ValueError):
        found = None
    return found if found is not None else (rules(home), None)


def _with_alternatives(
    home: Home, schedule: Schedule, model: Model, blocks: tuple[Block, ...]
) -> tuple[tuple[Block, ...], float]:
    seconds, result, seen = schedule.solve_s, [], dict[str, int]()
    for block in blocks:
        seen[block.device] = seen.get(block.device, 0) + 1
        wanted = block.alternative and seen[block.device] <= 2
        if wanted and seconds < home.request.time_limit_s:
            micro, co2_g, spent = difference(home, schedule, model, block)
            seconds += spent
            way = block.alternative if micro is not None else ""
            block = replace(block, alternative=way, alternative_cost_micro=micro, alternative_co2_g=co2_g)
        result.append(block)
    return tuple(result), seconds


def difference(
    home: Home, schedule: Schedule, model: Model | None, block: Block
) -> tuple[int | None, float | None, float]:
    """What the block's alternative costs more: (micro-units, g CO2, s in the solver); None where it cannot be done."""
    found = other_way(home, schedule, model, block)
    span = home.slots.touched(block.start, block.end)
    moved = (found.power_w[block.device] - schedule.power_w[block.device])[span] * home.slots.hours[span]
    # To charge or to heat earlier within the block is another way, too; less of it is none.
    other_wh = np.cumsum(moved).max(initial=0.0) if block.alternative in EARLIER else abs(moved.sum())
    if other_wh < SAME_WH:
        return None, None, found.solve_s
    if block.device in (heat.device.id for heat in (*home.tanks, *home.pumps)) and not keeps_wishes(
        home, schedule, found
    ):
        return None, None, found.solve_s
    cost = [bill_micro(home, s.grid_w(home)) - stored_micro(home, s) for s in (schedule, found)]
    carbon = [carbon_g(home, s.grid_w(home)) for s in (schedule, found)]
    return round(cost[1] - cost[0]), round(carbon[1] - carbon[0], 1) + 0.0, found.solve_s


def other_way(home: Home, schedule: Schedule, model: Model | None, block: Block) -> Schedule:
    """The schedule with the block's alternative; in fine steps it is solved on from the plan's `model`."""
    other = bent(home, schedule, block)
    # Of several equal optima another start finds another one, which rounds to a plan some cents apart: where it takes little
    # longer both ways begin from nothing.
    like = model if home.slots.count > FINE else None
    return _solve(other, like)[0] if schedule.method == "optimised" else rules(other)


def bent(home: Home, schedule: Schedule, block: Block) -> Home:
    """The same home in which the block's device must do the alternative."""
    power = schedule.power_w[block.device]
    span = home.slots.touched(block.start, block.end)
    return replace(
        bent_loads(home, block),
        cars=tuple(_bent_car(c, block, span, power, home) if c.device.id == block.device else c for c in home.cars),
        batteries=tuple(_bent_battery(b, block, span) if b.device.id == block.device else b for b in home.batteries),
        tanks=tuple(bent_heat(t, schedule, block, home) if t.device.id == block.device else t for t in home.tanks),
        pumps=tuple(bent_heat(p, schedule, block, home) if p.device.id == block.device else p for p in home.pumps),
    )


def _bent_car(car: Car, block: Block, span: Mask, power: Array, home: Home) -> Car:
    if block.alternative != "charge now":
        return replace(car, cap_w=np.where(span, 0.0, car.cap_w))
    after = home.slots.touched(block.start, None)
    cap = np.where(after, car.cap_w, np.minimum(car.cap_w, power))
    return replace(car, mode=ChargeMode.NOW, run=after, cap_w=cap)


def _bent_battery(battery: Battery, block: Block, span: Mask) -> Battery:
    if block.kind is IntentKind.CHARGE_AT:
        return replace(battery, only_sun=battery.only_sun | span)
    if block.kind is IntentKind.HOLD:
        return replace(battery, reward=np.where(span, -NUDGE, battery.reward))
    still = np.where(span, 0.0, battery.discharge_w)
    if block.kind is IntentKind.DISCHARGE_AT:
        return replace(battery, discharge_w=still)
    return replace(battery, discharge_w=still, charge_w=np.where(span, 0.0, battery.charge_w))


def _slots(home: Home, schedule: Schedule) -> tuple[PlanSlot, ...]:
    grid = schedule.grid_w(home)
    quiet = np.round(quiet_w(home, np.maximum(0.0, grid)), 1).tolist()
    series = {"grid": grid, "house": home.house_w, "pv": schedule.pv_w, **schedule.power_w}
    columns = {name: np.round(values, 2).tolist() for name, values in series.items()}
    soc = next((_state(schedule, b.device.id, 100 / b.spec.capacity_wh) for b in home.batteries), None)
    tank = next((_state(schedule, heat.device.id) for heat in home.tanks), None)
    room = next((_state(schedule, heat.device.id) for heat in home.pumps), None)
    lengths = np.round(home.slots.hours * 3600).astype(int).tolist()
    return tuple(
        PlanSlot(
            home.slots.start(i),
            lengths[i],
            {name: values[i] for name, values in columns.items()},
            soc[i] if soc else None,
            tank[i] if tank else None,
            room[i] if room else None,
            int(home.buy[i]),
            int(home.sell[i]),
            quiet[i],
        )
        for i in range(home.slots.count)
    )


def _state(schedule: Schedule, device: str, unit: float = 1.0) -> list[float]:
    return [float(value) for value in np.round(schedule.state[device] * unit, 2)]
