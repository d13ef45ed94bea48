"""The same homes planned by Hearth, by a plain MILP in HiGHS and, where it is installed, by EMHASS; 48 h at 5 min.

    python benchmarks/planner_beside.py [--homes 3] [--emhass /elsewhere/bin/python] [--seconds 60]

EMHASS (MIT licence) is asked less than the others: battery, car and relay as loads to shift with hours to run, no heat pump,
no temperatures, no peaks; it is run in an environment of its own (`pip install emhass`), with its own solver settings
(a gap of 1 %). The MILP is that of benchmarks/planner_gap.py, from nothing, to a gap of 1 %. Asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.planner import FINE_STEPS, home  # noqa: E402
from benchmarks.planner_gap import exact, solver_of  # noqa: E402
from gateway.core.planning.home import Home  # noqa: E402
from gateway.core.planning.program import build  # noqa: E402
from gateway.core.planning.scheduler import frozen, make_plan  # noqa: E402
from gateway.core.planning.settle import by_rule  # noqa: E402

STEP_S = 300


def milp_s(asked: Home, seconds: float) -> tuple[float, str]:
    """Processor seconds of building and solving the plain MILP, and how it ended."""
    start = time.process_time()
    model = build(asked, by_rule(asked))
    solver = solver_of(model, exact(model), seconds, 0.01)
    solver.run()
    gap = solver.getInfo().mip_gap
    return time.process_time() - start, f"gap {100 * gap:.2f} %" if np.isfinite(gap) else "no plan found"


def task_of(asked: Home) -> dict[str, Any]:
    """What EMHASS is told of a home: even steps, hours to run instead of temperatures."""
    edges = asked.slots.edges
    at = np.arange(edges[0], edges[-1] - STEP_S + 1, STEP_S)
    slot = np.searchsorted(edges, at, side="right") - 1
    car, tank, battery = asked.cars[0], asked.tanks[0], asked.batteries[0]
    until = int(np.searchsorted(at, car.ready.timestamp()))
    return {
        "step_s": STEP_S, "repeat": 3, "import_w": float(asked.import_w.max()),
        "load_w": asked.house_w[slot].tolist(), "pv_w": (-asked.pv_w[slot]).tolist(),
        "buy": (asked.buy[slot] / 1e6).tolist(), "sell": (asked.sell[slot] / 1e6).tolist(),
        "battery": {
            "wh": battery.spec.capacity_wh, "power_w": float(battery.charge_w.max()),
            "soc": min(1.0, max(0.1, battery.start_wh / battery.spec.capacity_wh)),
        },
        "car": {
            "min_w": car.min_w, "max_w": float(car.cap_w.max()), "until": until,
            "hours": max(1, round(car.need_wh / float(car.cap_w.max()))),
        },
        "tank": {"power_w": tank.power_w, "hours": max(1, round(float(tank.draw_w @ asked.slots.hours) / tank.power_w))},
    }  # fmt: skip


def emhass(python: str, asked: Home) -> str:
    """EMHASS's row; why not, where it does not run."""
    child = [python, str(ROOT / "benchmarks/planner_emhass.py")]
    done = subprocess.run(child, input=json.dumps(task_of(asked)), capture_output=True, text=True, check=False)
    if done.returncode:
        return f"did not run: {done.stderr.strip().splitlines()[-1]}"
    told = json.loads(done.stdout.splitlines()[-1])
    again = " and ".join(f"{seconds:.1f}" for seconds in told["again_s"])
    return (
        f"{told['cold_s']:.1f} s, again {again} s, {told['status']}, {told['peak_mb']:.0f} MiB "
        f"(import and configuration {told['import_s']:.1f} s)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=3)
    parser.add_argument("--emhass", default="", help="an interpreter that has emhass")
    parser.add_argument("--seconds", type=float, default=60.0)
    told = parser.parse_args()
    make_plan(home(0, FINE_STEPS), alternatives=False)
    for seed in range(told.homes):
        request = home(seed, FINE_STEPS)
        start = time.process_time()
        plan = make_plan(request, alternatives=False)
        took = (time.process_time() - start) * 1000
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"home {seed}: Hearth {took:.0f} ms, {plan.method}, {len(plan.slots)} slots, {peak:.0f} MiB", flush=True)
        asked, _ = frozen(request)
        seconds, ended = milp_s(asked, told.seconds)
        print(f"         plain MILP {seconds:.1f} s, {ended}", flush=True)
        if told.emhass:
            print(f"         EMHASS {emhass(told.emhass, asked)}", flush=True)


if __name__ == "__main__":
    main()
