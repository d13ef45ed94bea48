"""How far a plan is from the best: its cost against the best bound of a mixed-integer program of the same home.

    python benchmarks/planner_gap.py [--homes 30] [--from 0] [--seconds 60] [--fine]

The program is the planner's own, with what rounding decides as integers: a car draws nothing or at least 6 A, a relay
is on or off within the 24 h in which the planner decides it, and each of its starts costs half a cent, as it does the
planner. That a battery goes one way at a time is left out, which can only lower the bound. HiGHS starts from the
planner's answer and may take `--seconds` a home (600 for the full figure). Where peaks are priced one more integer
a car says whether it charges without sun at all: a relaxed program spreads a fraction of 6 A so thinly that it makes no
peak, and its bound would be up to a third too low.

Costs are the program's objective: money with wishes, stored energy and starts; shares are of the plan's bill (at least
1 EUR). "above the MILP's plan" is what the best plan found in time would save; what lies between that one and the bound
nobody has decided. Asserts nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import highspy
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.planner import FINE_STEPS, home  # noqa: E402
from gateway.core.planning import optimiser  # noqa: E402
from gateway.core.planning.cars import Car  # noqa: E402
from gateway.core.planning.connection import QUARTER_S  # noqa: E402
from gateway.core.planning.home import Heat, Home  # noqa: E402
from gateway.core.planning.lp import Index  # noqa: E402
from gateway.core.planning.program import Model, build  # noqa: E402
from gateway.core.planning.request import UNEVEN_STEPS  # noqa: E402
from gateway.core.planning.rounding import NEAR_H  # noqa: E402
from gateway.core.planning.schedule import bill_micro  # noqa: E402
from gateway.core.planning.scheduler import frozen  # noqa: E402
from gateway.core.planning.settle import by_rule  # noqa: E402
from gateway.core.planning.slots import Array  # noqa: E402
from gateway.core.planning.tank_relay import start_micro  # noqa: E402


@dataclass(frozen=True, slots=True)
class Switch:
    """Columns of 0 or 1, one for each slot of a device: whether it is on."""

    on: Index
    power: Index
    least_w: float


@dataclass(frozen=True, slots=True)
class Starts:
    """A relay's columns of starts."""

    begun: Index
    on: Index
    running: bool


@dataclass(frozen=True, slots=True)
class Ever:
    """Whether any of some columns of a switch is 1."""

    column: Index
    on: Index


@dataclass(slots=True)
class Row:
    """One home: money in EUR, shares of the bill in percent, ms of the plan."""

    plan: float
    bound: float
    relaxation_gap: float
    found_gap: float
    gap: float
    plan_ms: float


def exact(model: Model) -> list[Switch | Starts | Ever]:
    """Integers added to a relaxed program, in the order in which a solution tells them."""
    return [
        *(part for car in model.home.cars for part in car_integers(model, car)),
        *(part for tank in model.home.tanks for part in tank_integers(model, tank)),
    ]


def tank_integers(model: Model, tank: Heat) -> Iterator[Switch | Starts]:
    """A relay's slots within the time in which the planner decides them, and its starts."""
    lp, near = model.lp, np.flatnonzero(model.home.slots.ahead_h < NEAR_H)
    power = model.power[tank.device.id][near]
    on = lp.columns(len(near), 0.0, np.where(tank.cap_w[near] >= tank.power_w, 1.0, 0.0), 0.0)
    lp.rows(0.0, 0.0, (power, 1.0), (on, -tank.power_w))
    yield Switch(on, power, 0.5 * tank.power_w)
    begun = lp.columns(len(near), 0.0, 1.0, start_micro(model.home, tank))
    lp.rows(-np.inf, float(tank.running), (on[:1], 1.0), (begun[:1], -1.0))
    lp.rows(-np.inf, 0.0, (on[1:], 1.0), (on[:-1], -1.0), (begun[1:], -1.0))
    yield Starts(begun, on, tank.running)


def car_integers(model: Model, car: Car) -> Iterator[Switch | Ever]:
    """A car's slots, and for each priced peak whether it charges without sun at all."""
    lp, home_, power = model.lp, model.home, model.power[car.device.id]
    able = car.window & (car.cap_w >= car.min_w)
    on = lp.columns(home_.slots.count, 0.0, np.where(able, 1.0, 0.0), 0.0)
    lp.rows(-np.inf, 0.0, (power, 1.0), (on, -np.maximum(car.cap_w, car.min_w)))
    lp.rows(0.0, np.inf, (power, 1.0), (on, -car.min_w))
    yield Switch(on, power, 0.5 * car.min_w)
    # No battery feeds a car here: without sun the meter shows at least what the car draws.
    fed = home_.request.preferences.battery_to_car or any(battery.export.any() for battery in home_.batteries)
    for top, free_w, held in () if fed else priced_slots(model):
        dark = held[able[held] & (home_.base_w[held] >= 0)]
        if len(dark):
            ever = lp.columns(1, 0.0, 1.0, 0.0)
            lp.rows(-np.inf, 0.0, (on[dark], 1.0), (np.full(len(dark), ever[0], dtype=np.int32), -1.0))
            lp.rows(-np.inf, free_w, (ever, car.min_w), (top, -1.0))
            yield Ever(ever, on[dark])


def priced_slots(model: Model) -> Iterator[tuple[Index, float, Array]]:
    """The column of each peak, what of it is free (W), and the slots that it is never below."""
    tops = iter(model.connection.tops)
    for peak in model.home.charges.peaks:
        if peak.price <= 0 and not peak.charge.steps:
            continue
        for number, day in enumerate(peak.rivals):
            top = np.array([next(tops)], dtype=np.int32)
            if peak.charge.window_s <= QUARTER_S:
                yield top, peak.free_of(number), np.concatenate([where for where, _ in day])


def integers_of(parts: list[Switch | Starts | Ever], x: Array) -> None:
    """Fill in what the integers of a solution are."""
    for part in parts:
        if isinstance(part, Switch):
            x[part.on] = x[part.power] > part.least_w
        elif isinstance(part, Starts):
            on = x[part.on]
            x[part.begun] = on * (1 - np.concatenate(([float(part.running)], on[:-1])))
        else:
            x[part.column] = x[part.on].max()


def planned(asked: Home) -> tuple[Array, float, float]:
    """The plan's solution, its bill (micro-units, at least 1 EUR) and the ms it took."""
    start = time.process_time()
    found = optimiser.solved(asked)
    took = (time.process_time() - start) * 1000
    assert found is not None
    schedule, model = found
    x = np.array(model.lp.solver.getSolution().col_value)
    return x, max(1e6, abs(bill_micro(asked, schedule.grid_w(asked)))), took


def decide(model: Model, parts: list[Switch | Starts | Ever], cost: float) -> None:
    """Bind what relaxed programs show of every plan that is better than `cost`: whether a car charges without sun."""
    lp = model.lp
    for column in (part.column for part in parts if isinstance(part, Ever)):
        for value in (0.0, 1.0):
            low, high = np.concatenate(lp.low), np.concatenate(lp.high)
            lp.low, lp.high, lp.solver = [low.copy()], [high.copy()], None
            lp.low[0][column] = lp.high[0][column] = value
            found = lp.solve(60.0)
            # No better plan has this value: it is the other one.
            other = 1.0 - value if found is None or lp.value(found) > cost else None
            lp.low, lp.high, lp.solver = [low], [high], None
            if other is not None:
                low[column] = high[column] = other
                break


def solver_of(model: Model, parts: list[Switch | Starts | Ever], seconds: float, gap: float) -> Any:
    """HiGHS with the program and its integers, to be run for at most `seconds` or down to `gap` (a share)."""
    highs: Any = highspy.Highs  # the bindings have no types
    solver = highs()
    for option, value in (("output_flag", False), ("threads", 1), ("time_limit", seconds), ("mip_rel_gap", gap)):
        solver.setOptionValue(option, value)
    solver.passModel(model.lp._model(highspy))
    columns = np.concatenate([part.column if isinstance(part, Ever) else part.on for part in parts]).astype(np.int32)
    columns = np.unique(columns)
    kinds = np.full(len(columns), int(highspy.HighsVarType.kInteger), dtype=np.uint8)
    solver.changeColsIntegrality(len(columns), columns, kinds)
    return solver


def milp(model: Model, parts: list[Switch | Starts | Ever], known: Array, seconds: float) -> tuple[float, float]:
    """Cost of the best solution and the best bound, micro-units."""
    solver = solver_of(model, parts, seconds, 1e-6)
    start_from = highspy.HighsSolution()
    start_from.col_value = known.tolist()
    solver.setSolution(start_from)
    solver.run()
    info = solver.getInfo()
    return info.objective_function_value, info.mip_dual_bound


def measure(seed: int, seconds: float, steps: tuple[tuple[float, int], ...]) -> Row:
    """One home's plan beside its relaxation and its MILP."""
    asked, _ = frozen(home(seed, steps))
    x, bill, took = planned(asked)
    model = build(asked, by_rule(asked))
    first = model.lp.solve(60.0)
    assert first is not None
    relaxed = model.lp.value(first)
    model.lp.solver = None
    parts = exact(model)
    known = np.concatenate((x[: len(first)], np.zeros(model.lp.width - len(first))))
    integers_of(parts, known)
    cost = model.lp.value(known)
    decide(model, parts, cost)
    best, bound = milp(model, parts, known, seconds)
    bound = max(bound, relaxed)
    relaxation, found, gap = (100 * (cost - other) / bill for other in (relaxed, best, bound))
    return Row(cost / 1e6, bound / 1e6, relaxation, found, gap, took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=30)
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first home's number")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--fine", action="store_true", help="576 steps of 5 min instead of the product's uneven steps")
    told = parser.parse_args()
    steps = FINE_STEPS if told.fine else UNEVEN_STEPS
    print(f"{'home':>4} {'plan EUR':>10} {'bound EUR':>10} above: relaxation  MILP's plan  best bound  plan ms")
    rows = []
    for seed in range(told.first, told.first + told.homes):
        rows.append(measure(seed, told.seconds, steps))
        print(line(f"{seed}", rows[-1]), flush=True)
    print(f"{sum(row.gap <= 0.2 for row in rows)} of {len(rows)} at most 0.2 % above the best bound")
    for name, fold in (("mean", statistics.fmean), ("max", max)):
        print(line(name, Row(*(fold(values) for values in zip(*(astuple(row) for row in rows), strict=True)))))


def line(name: str, row: Row) -> str:
    return (
        f"{name:>4} {row.plan:10.4f} {row.bound:10.4f} {row.relaxation_gap:15.3f} % {row.found_gap:10.3f} % "
        f"{row.gap:9.3f} % {row.plan_ms:8.0f}"
    )


if __name__ == "__main__":
    main()
