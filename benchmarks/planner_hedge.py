"""What the reserve against a busier or darker day is worth: the same noisy days, planned with and without it.

    python benchmarks/planner_hedge.py [--days 120] [--homes 4]

Each home (battery, house, some with sun; prices of two or three levels) is planned anew each hour from a forecast with
quantiles; what really comes differs by errors that fade over hours, and by days that are busier or calmer as a whole.
The battery follows the meter as its intents say. Prints the cost of a day: mean and worst decile. Asserts nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gateway.core.planning.request import PlanRequest  # noqa: E402
from gateway.core.planning.scheduler import make_plan  # noqa: E402
from gateway.core.tariff.rates import parse_tariff, prices  # noqa: E402
from gateway.model.plan import Block, Forecast, IntentKind  # noqa: E402
from gateway.model.preferences import Preferences  # noqa: E402
from gateway.model.quantity import Quantity  # noqa: E402
from gateway.model.site import BatterySpec, Device, Role, Site  # noqa: E402
from gateway.model.snapshot import DeviceState, Snapshot  # noqa: E402
from gateway.model.tariff import Tariff  # noqa: E402

ZONE = ZoneInfo("Europe/Brussels")
START = datetime(2026, 10, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
STEPS = ((24.0, 900), (36.0, 3600))
FADE = float(np.exp(-0.25 / 3.0))
NIGHT = {"name": "night", "import": 0.16, "export": 0.04, "from": "00:00", "to": "06:00"}
PEAK = {"name": "peak", "import": 0.48, "export": 0.04, "from": "16:00", "to": "21:00"}
DAY = {"name": "day", "import": 0.28, "export": 0.04}
FLAT_NIGHT = {"name": "rest", "import": 0.31, "export": 0.06}


@dataclass(frozen=True)
class Case:
    name: str
    battery_wh: float
    sun_w: float
    rates: tuple[dict[str, object], ...]
    spread: float
    """Standard deviation of the house's load, as a share of its mean."""


CASES = (
    Case("three prices, 9 kWh, no sun", 9_000, 0, (NIGHT, PEAK, DAY), 0.4),
    Case("three prices, 12 kWh, no sun", 12_000, 0, (NIGHT, PEAK, DAY), 0.4),
    Case("three prices, 10 kWh, some sun", 10_000, 1_500, (NIGHT, PEAK, DAY), 0.4),
    Case("two prices, 14 kWh, some sun", 14_000, 1_000, (NIGHT, FLAT_NIGHT), 0.6),
)


@dataclass
class World:
    """Expected and real power of each quarter hour, W, with the standard deviation of the difference."""

    load: np.ndarray
    load_sd: np.ndarray
    real_load: np.ndarray
    sun: np.ndarray
    sun_sd: np.ndarray
    real_sun: np.ndarray


def make_world(case: Case, days: int, seed: int) -> World:
    dice = np.random.default_rng(seed)
    count = (days + 2) * 96
    hour = np.array([(START + QUARTER * i).astimezone(ZONE).hour + i % 4 / 4 for i in range(count)])
    load = 300 + 250 * np.exp(-(((hour - 8) / 1.5) ** 2)) + 1_100 * np.exp(-(((hour - 19) / 2.5) ** 2))
    sun = -case.sun_w * np.clip(np.sin((hour - 7) / 11 * np.pi), 0, None) * ((hour > 7) & (hour < 18))
    load_sd, sun_sd = case.spread * load, 0.35 * -sun
    return World(load, load_sd, np.maximum(50, load + load_sd * fading(dice, count)), sun, sun_sd,
                 np.clip(sun + sun_sd * fading(dice, count), -case.sun_w, 0))  # fmt: skip


def fading(dice: np.random.Generator, count: int) -> np.ndarray:
    """Normal errors of unit variance, correlated over three hours."""
    noise, result = dice.standard_normal(count), np.zeros(count)
    for i in range(1, count):
        result[i] = FADE * result[i - 1] + np.sqrt(1 - FADE**2) * noise[i]
    return result


def run(case: Case, world: World, days: int, *, hedged: bool) -> list[float]:
    """The cost of each day, in the tariff's currency; what is left in the battery counts at the night's price."""
    tariff = parse_tariff({"id": "t", "name": "T", "currency": "EUR", "timezone": "Europe/Brussels",
                           "rates": list(case.rates)})  # fmt: skip
    spec = BatterySpec(case.battery_wh, 4_000, 4_000)
    starts = [START + QUARTER * i for i in range(days * 96)]
    buy, sell = prices(tariff, starts, [900.0] * len(starts))
    energy, costs, block = 0.5 * case.battery_wh, [], None
    for i, now in enumerate(starts):
        if i % 96 == 0:
            costs.append(energy * float(buy.min()) / 1e9 * spec.discharge_efficiency)
        if i % 4 == 0:
            plan = make_plan(request(tariff, spec, world, i, now, energy, hedged=hedged), alternatives=False)
        block = plan.block("battery", now) or block
        net = float(world.real_load[i] + world.real_sun[i])
        flow = follow(spec, block, net, energy)
        inside = flow * spec.charge_efficiency if flow > 0 else flow / spec.discharge_efficiency
        energy += inside / 4
        grid = (net + flow) / 4
        costs[-1] += (max(0.0, grid) * buy[i] + min(0.0, grid) * sell[i]) / 1e9
        if i % 96 == 95:
            costs[-1] -= energy * float(buy.min()) / 1e9 * spec.discharge_efficiency
    return costs


def request(
    tariff: Tariff, spec: BatterySpec, world: World, i: int, now: datetime, energy: float, *, hedged: bool
) -> PlanRequest:
    devices = (Device("meter", "Meter", Role.MAIN_METER), Device("battery", "Battery", Role.BATTERY, spec))
    site, preferences = Site("Home", ZONE, 50.85, 4.35, "EUR", 3, 25.0, devices), Preferences()
    soc = {Quantity.SOC: energy / spec.capacity_wh * 100}
    state = {"battery": DeviceState("battery", Role.BATTERY, True, 1.0, soc)}
    here = slice(i, i + 144)
    return PlanRequest(
        site, Snapshot(now, state, {}, preferences), forecast("load", now, world.load[here], world.load_sd[here], hedged),
        forecast("solar", now, world.sun[here], world.sun_sd[here], hedged), None, tariff, preferences, (), (), 200.0,
        now, "benchmark", steps=STEPS,
    )  # fmt: skip


def forecast(name: str, now: datetime, mean: np.ndarray, sd: np.ndarray, hedged: bool) -> Forecast:
    found = Forecast(name, now, 900, tuple(mean.tolist()))
    if not hedged:
        return found
    return replace(found, low=tuple((mean - 1.28 * sd).tolist()), high=tuple((mean + 1.28 * sd).tolist()))


def follow(spec: BatterySpec, block: Block | None, net: float, energy: float) -> float:
    """The battery's power in a quarter hour, W, as the tick would steer it (charging positive)."""
    reserve = 0.1 * spec.capacity_wh
    room = max(0.0, spec.capacity_wh - energy) * 4 / spec.charge_efficiency
    stock = max(0.0, energy - reserve) * 4 * spec.discharge_efficiency
    wanted = -net
    if block is not None and block.kind is IntentKind.HOLD:
        wanted = max(0.0, -net)
    elif block is not None and block.kind is IntentKind.CHARGE_AT:
        wanted = max(block.power_w, -net)
    return float(np.clip(wanted, -min(stock, spec.max_discharge_w), min(room, spec.max_charge_w)))


def worst_decile(costs: list[float]) -> float:
    return statistics.fmean(sorted(costs)[-max(1, len(costs) // 10) :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--homes", type=int, default=len(CASES))
    told = parser.parse_args()
    print(f"{'case':32} {'mean plain':>11} {'hedged':>8} {'change':>8} {'worst 10 %':>11} {'hedged':>8} {'change':>8}")
    for case in CASES[: told.homes]:
        world = make_world(case, told.days, 7)
        plain, hedged = (run(case, world, told.days, hedged=hedged) for hedged in (False, True))
        cells = []
        for measure in (statistics.fmean, worst_decile):
            a, b = measure(plain), measure(hedged)
            cells.append(f"{a:11.3f} {b:8.3f} {100 * (b / a - 1):+7.2f} %")
        print(f"{case.name:32} {cells[0]} {cells[1]}", flush=True)


if __name__ == "__main__":
    main()
