"""How far a plan is from the best: its cost against the best bound of a mixed-integer program of the same home.

    python benchmarks/planner_gap.py [--homes 30] [--from 0] [--seconds 60] [--fine]

The program is the planner's own, with what rounding decides as integers: a car draws nothing or at least 6 A, a relay
is on or off within the 24 h in which the planner decides it, a battery goes one way at a time. HiGHS starts from the
planner's answer and may take `--seconds` a home (600 for the full figure). It switches relays for nothing, while a plan
wants at least half a cent for another start: a part of the gap is that. Costs are the program's objective, that is
money with wishes and stored energy; shares are of the plan's bill (at least 1 EUR). Asserts nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import highspy
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.planner import FINE_STEPS, home  # noqa: E402
from gateway.core.planning import optimiser  # noqa: E402
from gateway.core.planning.program import Model, build  # noqa: E402
from gateway.core.planning.request import UNEVEN_STEPS  # noqa: E402
from gateway.core.planning.rounding import NEAR_H  # noqa: E402
from gateway.core.planning.schedule import bill_micro  # noqa: E402
from gateway.core.planning.scheduler import frozen  # noqa: E402
from gateway.core.planning.settle import by_rule  # noqa: E402


def exact(model: Model) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, float]]]:
    """Integers added to a relaxed program: their columns, and for each group what tells them from a solution."""
    lp, frozen_home, found = model.lp, model.home, []
    count = frozen_home.slots.count
    for car in frozen_home.cars:
        power = model.power[car.device.id]
        on = lp.columns(count, 0.0, np.where(car.window & (car.cap_w >= car.min_w), 1.0, 0.0), 0.0)
        lp.rows(-np.inf, 0.0, (power, 1.0), (on, -np.maximum(car.cap_w, car.min_w)))
        lp.rows(0.0, np.inf, (power, 1.0), (on, -car.min_w))
        found.append((on, power, 0.5 * car.min_w))
    near = np.flatnonzero(frozen_home.slots.ahead_h < NEAR_H)
    for tank in frozen_home.tanks:
        power = model.power[tank.device.id][near]
        on = lp.columns(len(near), 0.0, np.where(tank.cap_w[near] >= tank.power_w, 1.0, 0.0), 0.0)
        lp.rows(0.0, 0.0, (power, 1.0), (on, -tank.power_w))
        found.append((on, power, 0.5 * tank.power_w))
    for battery in frozen_home.batteries:
        name = battery.device.id
        on = lp.columns(count, 0.0, 1.0, 0.0)
        lp.rows(-np.inf, 0.0, (model.charge[name], 1.0), (on, -battery.charge_w))
        lp.rows(-np.inf, battery.discharge_w, (model.discharge[name], 1.0), (on, battery.discharge_w))
        found.append((on, model.charge[name], 1e-6))
    return np.concatenate([columns for columns, _, _ in found]), found


def measure(seed: int, seconds: float, steps: tuple[tuple[float, int], ...]) -> tuple[float, float, float, float]:
    """(cost above the relaxation, above the MILP's bound, the MILP's own gap) in percent, and ms of the plan."""
    asked = home(seed, steps)
    start = time.process_time()
    frozen_home, _ = frozen(asked)
    solved = optimiser.solved(frozen_home)
    took = (time.process_time() - start) * 1000
    assert solved is not None
    schedule, rounded = solved
    x = np.array(rounded.lp.solver.getSolution().col_value)
    cost = float(np.concatenate(rounded.lp.cost) @ x)
    bill = max(1e6, abs(bill_micro(frozen_home, schedule.grid_w(frozen_home))))
    model = build(frozen_home, by_rule(frozen_home))
    width = model.lp.width
    first = model.lp.solve(60.0)
    assert first is not None
    relaxed = float(np.concatenate(model.lp.cost) @ first)
    model.lp.solver = None
    columns, groups = exact(model)
    highs: Any = highspy.Highs  # the bindings have no types
    solver = highs()
    for option, value in (("output_flag", False), ("threads", 1), ("time_limit", seconds), ("mip_rel_gap", 1e-6)):
        solver.setOptionValue(option, value)
    solver.passModel(model.lp._model(highspy))
    kinds = np.full(len(columns), int(highspy.HighsVarType.kInteger), dtype=np.uint8)
    solver.changeColsIntegrality(len(columns), columns, kinds)
    known = np.concatenate((x[:width], np.zeros(model.lp.width - width)))
    for on, power, least in groups:
        known[on] = known[power] > least
    start_from = highspy.HighsSolution()
    start_from.col_value = known.tolist()
    solver.setSolution(start_from)
    solver.run()
    info = solver.getInfo()
    best, bound = info.objective_function_value, max(info.mip_dual_bound, relaxed)
    return 100 * (cost - relaxed) / bill, 100 * (cost - bound) / bill, 100 * (best - bound) / bill, took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=30)
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first home's number")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--fine", action="store_true", help="576 steps of 5 min instead of the product's uneven steps")
    told = parser.parse_args()
    steps = FINE_STEPS if told.fine else UNEVEN_STEPS
    print(f"{'home':>4} {'above relaxation':>17} {'above best bound':>17} {'left to the MILP':>17} {'plan ms':>8}")
    rows = []
    for seed in range(told.first, told.first + told.homes):
        rows.append(measure(seed, told.seconds, steps))
        print(
            f"{seed:4d} {rows[-1][0]:15.3f} % {rows[-1][1]:15.3f} % {rows[-1][2]:15.3f} % {rows[-1][3]:8.0f}",
            flush=True,
        )
    for name, fold in (("mean", statistics.fmean), ("max", max)):
        cells = [fold([row[i] for row in rows]) for i in range(4)]
        print(f"{name:>4} {cells[0]:15.3f} % {cells[1]:15.3f} % {cells[2]:15.3f} % {cells[3]:8.0f}")


if __name__ == "__main__":
    main()
