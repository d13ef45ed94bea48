"""How long a plan takes: make_plan on 30 generated homes, at the default uneven steps and at 576 steps of 5 min.

    python benchmarks/planner.py [--homes 30]

Prints a table; asserts nothing. Times include building the model, as processor time and, beside it, by the wall:
on a busy machine only the first says what a plan needs. Import and memory are measured in a fresh process, import also
in one that runs the gateway already, as the product does.
Every third home has dynamic prices, every other an event, every fourth a priced peak; all have quantiles.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ruamel.yaml import YAML  # noqa: E402

from gateway.core.planning.request import UNEVEN_STEPS, PlanRequest  # noqa: E402
from gateway.core.planning.scheduler import counterfactual, make_plan, work_out  # noqa: E402
from gateway.core.tariff.rates import parse_tariff  # noqa: E402
from gateway.model.authority import Authority  # noqa: E402
from gateway.model.dr import PricePoint  # noqa: E402
from gateway.model.plan import Forecast  # noqa: E402
from gateway.model.preferences import ChargingPreference, Preferences  # noqa: E402
from gateway.model.quantity import Quantity  # noqa: E402
from gateway.model.setpoint import Limit, LimitKind  # noqa: E402
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec  # noqa: E402
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot  # noqa: E402
from gateway.model.tariff import DemandCharge  # noqa: E402

ZONE = ZoneInfo("Europe/Brussels")
FINE_STEPS = ((48.0, 300),)
IMPORT = """
import resource, time
start = time.process_time()
import numpy
numpy_ms = (time.process_time() - start) * 1000
import gateway.core.planning.scheduler, highspy
took_ms = (time.process_time() - start) * 1000
now_mb = int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024
from benchmarks.planner import FINE_STEPS, home
for seed in range(3):
    gateway.core.planning.scheduler.make_plan(home(seed, FINE_STEPS))
print(took_ms, numpy_ms, now_mb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


RUNNING = """
import time
import gateway.app, numpy
start = time.process_time()
import gateway.core.planning.scheduler, highspy
print((time.process_time() - start) * 1000)
"""


def home(seed: int, steps: tuple[tuple[float, int], ...]) -> PlanRequest:
    """One generated home: battery, car, tank, heat pump, sun; every third with dynamic prices, every other an event."""
    dice = random.Random(seed)
    now = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(60 * 24 * 300))
    phases = dice.choice([(1, 2, 3), (1,)])
    devices = (
        Device("meter", "Main meter", Role.MAIN_METER),
        Device("inverter", "Battery", Role.HYBRID_INVERTER, BatterySpec(dice.uniform(5e3, 15e3), 5e3, 5e3)),
        Device("car", "Car", Role.EV_CHARGER, ChargerSpec(phases, max_current_a=dice.choice([16.0, 32.0]))),
        Device("tank", "Water heater", Role.WATER_HEATER, WaterHeaterSpec(2_000, dice.choice([150, 200, 300]))),
        Device("pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500, cop=dice.uniform(2.5, 4.5))),
    )
    site = Site("Home", ZONE, 50.85, 4.35, "EUR", 3, 25.0, devices)
    sun, noise = dice.uniform(0, 6_000), [dice.lognormvariate(0, 0.5) for _ in range(200)]
    starts = [now + timedelta(minutes=15 * i) for i in range(200)]
    hours = [start.astimezone(ZONE).hour + start.minute / 60 for start in starts]
    load = tuple((300 + 900 * math.exp(-(((h - 19) / 2.5) ** 2))) * n for h, n in zip(hours, noise, strict=True))
    solar = tuple(-sun * max(0.0, math.sin((h - 7) / 11 * math.pi)) if 7 < h < 18 else 0.0 for h in hours)
    outdoor = tuple(8 + 5 * math.sin((h - 9) / 12 * math.pi) for h in hours)
    preferences = Preferences(charging={"car": ChargingPreference(target_wh=dice.uniform(5e3, 40e3))})
    states = {
        "inverter": (Role.HYBRID_INVERTER, Quantity.SOC, dice.uniform(10, 100)),
        "tank": (Role.WATER_HEATER, Quantity.TEMPERATURE, dice.uniform(46, 63)),
        "pump": (Role.HEAT_PUMP, Quantity.TEMPERATURE, dice.uniform(19.5, 22)),
    }
    snapshot = Snapshot(
        now,
        {name: DeviceState(name, role, True, 1.0, {q: value}) for name, (role, q, value) in states.items()},
        {"car": ChargerStatus("car", ChargePhase.PLUGGED, True, "1")},
        preferences,
    )
    limits = []
    if seed % 2 == 0:
        start = now + timedelta(minutes=dice.randrange(600))
        limits.append(
            Limit(
                LimitKind.DEVICE_POWER,
                0.0,
                start,
                start + timedelta(hours=2),
                Authority.DEMAND_RESPONSE,
                "e",
                "Event.",
                "car",
            )
        )
    signals = []
    if seed % 3 == 0:
        # Prices change by the clock, whenever the plan begins.
        quarter = now - timedelta(minutes=now.minute % 15)
        for i in range(193):
            start = quarter + timedelta(minutes=15 * i)
            price = 250_000 + 120_000 * math.sin(hours[i] / 4) + dice.gauss(0, 30_000) - 25 * sun * (11 < hours[i] < 15)
            signals.append(PricePoint("PRICE", price, start, start + timedelta(minutes=15)))
    tariff = parse_tariff(YAML(typ="safe").load(ROOT / "config/tariffs/demo_tou.yaml"))
    if seed % 4 == 1:
        tariff = replace(tariff, demand=(DemandCharge("peak", 4_100_000),))
    return PlanRequest(
        site, snapshot, banded("load", now, load), banded("solar", now, solar),
        Forecast("outdoor", now, 900, outdoor, unit="°C"), tariff, preferences, tuple(limits), tuple(signals), 200.0,
        now, "benchmark", steps=steps,
    )  # fmt: skip


def banded(name: str, start: datetime, mean: tuple[float, ...]) -> Forecast:
    """A forecast with quantiles 40 % around its mean."""
    low, high = (tuple(value + sign * 0.4 * abs(value) for value in mean) for sign in (-1, 1))
    return Forecast(name, start, 900, mean, low, high)


def fresh(code: str) -> str:
    """What some code prints in a process of its own that finds all modules compiled, as an installed product does."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as compiled:
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
                env={**kept, "PYTHONPYCACHEPREFIX": compiled},
            )  # fmt: skip
    return done.stdout


Times = list[tuple[float, float]]
"""Milliseconds of the processor and of the wall."""


def clocks() -> tuple[float, float]:
    return time.process_time() * 1000, time.perf_counter() * 1000


def since(start: tuple[float, float]) -> tuple[float, float]:
    now = clocks()
    return now[0] - start[0], now[1] - start[1]


def timed(requests: list[PlanRequest], alternatives: bool) -> tuple[Times, int, int]:
    """The times of each plan, how many were optimised, and the median number of slots."""
    times, optimised, slots = [], 0, []
    for request in requests:
        start = clocks()
        plan = make_plan(request, alternatives=alternatives)
        times.append(since(start))
        optimised += plan.method == "optimised"
        slots.append(len(plan.slots))
    return times, optimised, int(statistics.median(slots))


def told_of(times: Times) -> str:
    """Median, 95 % and the most of the processor's time, then of the wall's."""
    parts = []
    for which in (0, 1):
        ordered = sorted(pair[which] for pair in times)
        p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
        parts.append(f"{statistics.median(ordered):7.0f} {p95:7.0f} {ordered[-1]:7.0f}")
    return "  ".join(parts)


def on_demand(requests: list[PlanRequest]) -> Times:
    """The times of the counterfactual of each device's first block, solved on from the plan in force."""
    times = []
    for request in requests:
        worked = work_out(request)
        plan = make_plan(request, alternatives=False, worked=worked)
        blocks = {block.device: block for block in reversed(plan.blocks) if block.alternative}
        for block in blocks.values():
            start = clocks()
            counterfactual(request, plan, block, worked)
            times.append(since(start))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=30)
    count = parser.parse_args().homes
    total, numpy_ms, rss, peak = (float(value) for value in fresh(IMPORT).split())
    print(
        f"import of planner and solver {total:.0f} ms of the processor (numpy {numpy_ms:.0f} ms of it), RSS {rss:.0f} MiB, "
        f"peak after three plans of 576 slots {peak:.0f} MiB (with what reads the tariff file)"
    )
    print(f"import of planner and solver in a running gateway {float(fresh(RUNNING)):.0f} ms of the processor\n")
    make_plan(home(0, UNEVEN_STEPS))
    heads = "  ".join(f"{clock + ' p50':>7} {'p95':>7} {'max':>7}" for clock in ("cpu", "wall"))
    print(f"{'ms':46} {'slots':>5} {'optimised':>9} {heads}")
    for name, steps, alternatives in (
        ("uneven steps", UNEVEN_STEPS, False),
        ("uneven steps, with 2 alternatives per device", UNEVEN_STEPS, True),
        ("5 min steps", FINE_STEPS, False),
    ):
        times, optimised, slots = timed([home(seed, steps) for seed in range(count)], alternatives)
        print(f"{name:46} {slots:5d} {optimised:4d}/{count:<4d} {told_of(times)}", flush=True)
    for name, steps in (("uneven", UNEVEN_STEPS), ("5 min", FINE_STEPS)):
        times = on_demand([home(seed, steps) for seed in range(count)])
        print(f"{f'one alternative on demand, {name} steps':46} {'':5} {'':9} {told_of(times)}", flush=True)


if __name__ == "__main__":
    main()
