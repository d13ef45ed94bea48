"""The optimiser: a linear program of the home, rounded to what devices can do, and solved again.

    relax  -->  cars  -->  solve  -->  relays, compressors, batteries  -->  solve  -->  whole loads  -->  solve

The relaxation of a home's plan is almost exact; integers would cost seconds and gain little a person could see.
Wishes are soft in the order that gateway/core/planning/program.py states; limits are hard. Every program has a
solution: what cannot be met is paid for, and named in the schedule's `relaxed`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gateway.core.planning.battery_ways import feeding_home
from gateway.core.planning.connection import above_usual, unused_sun
from gateway.core.planning.exchange import FINE, exchanged, put_back
from gateway.core.planning.fallback import missed, over_limit
from gateway.core.planning.home import Heat, Home, make_home
from gateway.core.planning.hot import missed_heat
from gateway.core.planning.limits import Mask
from gateway.core.planning.loads import missed_loads, place_loads
from gateway.core.planning.program import Model, build
from gateway.core.planning.reserve import missed_reserve
from gateway.core.planning.schedule import Schedule
from gateway.core.planning.settle import beside_cars, by_rule, market_beside, round_cars, round_rest
from gateway.core.planning.slots import Array

COARSE_S = 900
"""The windows of a priced peak: longer steps would hide what makes it."""


def optimise(home: Home) -> Schedule | None:
    """The best schedule, or None when the solver found none in time; raises ImportError without the solver."""
    found = solved(home)
    return found[0] if found else None


def solved(home: Home, like: Model | None = None) -> tuple[Schedule, Model] | None:
    """The best schedule with its model; a home that differs from that of `like` in bounds and costs is solved from there."""
    fixed = by_rule(home)
    found = _relaxed(home, fixed, like)
    if found is None:
        return None
    model, first = found
    taken = round_cars(model, first, fixed)
    # Relays are placed beside cars as these are rounded already.
    second = model.below_peaks(first) if home.tanks and len(fixed) < len(home.cars) else first
    if second is None:
        return None
    round_rest(model, second, taken)
    second = model.below_peaks(second)
    if second is not None and (home.runs or home.profiles):
        # Whole blocks are placed beside cars and tanks as these are rounded already.
        market = market_beside(model, second, model.loads.power.values())
        place_loads(model.lp, home, model.loads, market, (beside_cars(model, second, fixed, taken), taken.spare))
        second = model.below_peaks(second)
    if second is not None:
        second = model.best_peaks(second)
    if second is not None:
        second = _after_exchanges(model, second, taken.driving)
    return None if second is None else (_schedule(model, second), model)


def _after_exchanges(model: Model, x: Array, driving: Mask) -> Array | None:
    """The solution `x` after exchanges and with batteries that feed the home only; as it was before them where that leaves none."""
    found = exchanged(model, x, driving)
    found = None if found is None else feeding_home(model, found)
    if found is not None:
        return found
    put_back(model, x, driving)
    return feeding_home(model, x)


def _relaxed(home: Home, fixed: dict[str, Array], like: Model | None) -> tuple[Model, Array] | None:
    """The relaxation with its optimum; peaks billed in steps go up a step where that is worth its price."""
    best = _optimum(home, fixed, like)
    if best is None:
        return None
    tried = False
    for charges in home.charges.higher():
        other, tried = _optimum(replace(home, charges=charges), fixed, best[0]), True
        if other is not None and _worth(*other) < _worth(*best) - 1:
            return _relaxed(other[0].home, fixed, other[0])
    # The solver holds the last program it solved.
    return _optimum(home, fixed, best[0]) if tried else best


def _optimum(home: Home, fixed: dict[str, Array], like: Model | None) -> tuple[Model, Array] | None:
    model = build(home, fixed)
    if like is None or not model.lp.resume(like.lp):
        _near_peaks(model)
    x = model.lp.solve(home.request.time_limit_s)
    if x is not None and model.room_rows:
        model.close_rooms()
        x = model.lp.solve(home.request.time_limit_s)
    return None if x is None else (model, x)


def _near_peaks(model: Model) -> None:
    """Solve a fine program with its peaks where a coarser one wants them: freed from there, it takes half the time."""
    home, tops = model.home, model.connection.tops
    if home.slots.count <= FINE or not len(tops):
        return
    request = home.request
    coarse = make_home(replace(request, steps=((request.steps[-1][0], COARSE_S),)))
    other = build(replace(coarse, usual_peak_w=home.usual_peak_w), by_rule(coarse))
    x = other.lp.solve(request.time_limit_s)
    if x is not None and len(other.connection.tops) == len(tops):
        model.lp.solve_near(tops, x[other.connection.tops], request.time_limit_s)


def _worth(model: Model, x: Array) -> float:
    return model.lp.value(x) + model.home.charges.level_micro


def _schedule(model: Model, x: Array) -> Schedule:
    home = model.home
    power = {name: _clean(x[index]) for name, index in model.power.items()}
    for name in model.charge:
        power[name] = _clean(x[model.charge[name]] - x[model.discharge[name]])
    state = {name: x[index] for name, index in model.state.items()}
    relaxed = [words for car in home.cars for words in missed(home, car, power[car.device.id])]
    relaxed += [words for car in home.cars for words in over_limit(home, car, power[car.device.id])]
    relaxed += [*missed_loads(home, power), *missed_heat(home, state), *_uncomfortable(model, state)]
    relaxed += missed_reserve(home, state)
    if x[model.connection.over].max(initial=0.0) > 1:
        relaxed.append("The house alone draws more than the limit of its connection.")
    else:
        relaxed += _overloaded(model, x)
    relaxed += [*above_usual(home, x, model.connection), *unused_sun(home, x, model.connection)]
    power |= home.given
    ordered = {d.id: power[d.id] for d in home.request.site.devices if d.id in power}
    return Schedule(ordered, state, home.pv_w + x[model.connection.cut], "optimised", tuple(relaxed), model.lp.seconds)


def _overloaded(model: Model, x: Array) -> list[str]:
    """A sentence for each fuse and each circuit that cannot hold what nobody controls."""
    words = []
    for room in model.home.rooms:
        most = max(float(x[model.over_rooms[room.name]].max()), -float(room.room_w.min()))
        if most > 50:
            words.append(f"{room.name[:1].upper()}{room.name[1:]} is overloaded by up to {most / 1000:.1f} kW.")
    return words


def _uncomfortable(model: Model, state: dict[str, Array]) -> list[str]:
    words = []
    for heat in (*model.home.tanks, *model.home.pumps):
        room = state[heat.device.id]
        beyond = np.where(heat.cooling, room - heat.high_c, heat.low_c - heat.spare_k - room)
        if np.maximum(0.0, beyond - 0.2) @ model.home.slots.hours > 0.5:
            end = "above your maximum" if heat.cooling[int(beyond.argmax())] else "below your minimum"
            words.append(f"{heat.device.name} will be up to {float(beyond.max()):.1f} K {end}.")
        words += _other_end(model.home, heat, room)
    return words


def _other_end(home: Home, heat: Heat, room: Array) -> list[str]:
    """Too warm where it only warms, too cold where it only cools: by itself, or by what it must run."""
    if heat in home.tanks:
        return []
    past = np.where(heat.cooling, heat.low_c + heat.beyond_k - room, room - heat.high_c + heat.beyond_k)
    if np.maximum(0.0, past - 0.2) @ home.slots.hours <= 0.5:
        return []
    end = "below your minimum" if heat.cooling[int(past.argmax())] else "above your maximum"
    own = " by itself" if np.broadcast_to(heat.beyond_k, past.shape)[int(past.argmax())] > past.max() - 0.3 else ""
    return [f"{heat.device.name} will be up to {float(past.max()):.1f} K {end}{own}."]


def _clean(power: Array) -> Array:
    return np.where(np.abs(power) < 1.0, 0.0, np.round(power, 3))
