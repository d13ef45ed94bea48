"""An overload is seen -> lower limits are sent: the time of a decision for ten chargers, and of the whole way in process.

    python benchmarks/control.py [--times 1000] [--steps 100000]

Also: a decision for 10 and 50 chargers in a tree of circuits, and random houses (tests/core/charging_world.py) with
chargers that obey, lag, lie, fall silent or refuse: in how many steps anything was commanded above a fuse phase or a
power limit, what share of the checks had to be excused (tests/core/charging_check.py says which), and for how many
seconds a fuse was overloaded at most.

Ten cars charge at 16 A on a 200 A fuse; then ovens take 40 A more than a phase has. The whole way is from the meter's reading to the
last of the ten commands handed to its charger's port, with the product's own tick at 1 s.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.sqlite.store import SqliteStore
from benchmarks.table import Row, p95, spread
from gateway.core.control.dispatch import ControlMemory, decide
from gateway.core.control.timing import ControlTiming
from gateway.core.metering.freeze import Wishes
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import CURRENTS, POWERS, Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.setpoint import Setpoint
from gateway.model.site import ChargerSpec, Device, Role, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.notices import Notices
from gateway.runtime.system_clock import SystemClock
from gateway.runtime.tick import Tick
from tests.core.charging_check import Tally, adventures, longest_overload_s
from tests.core.charging_world import TIMING, random_world
from tests.core.overload_world import after_jumps, random_home, random_jumps

CARS = [f"car{n}" for n in range(10)]
PER_CAR_A, OVEN_A, FUSE_A = 16.0, 40.0, 200.0
PREFERENCES = Preferences(charging={name: ChargingPreference(ChargeMode.NOW) for name in CARS})
SITE = Site(
    "Ten cars", ZoneInfo("Europe/Brussels"), 50.85, 4.35, "EUR", 3, FUSE_A,
    (Device("meter", "Meter", Role.MAIN_METER), *(Device(n, n, Role.EV_CHARGER, ChargerSpec()) for n in CARS)),
)  # fmt: skip


class Car:
    """A charger whose car follows its limit at once; `told_at` is when it was last told another one."""

    def __init__(self, name: str, clock: SystemClock) -> None:
        self.id, self.amps, self.told_at, self._clock = name, 0.0, 0.0, clock

    async def apply(self, setpoint: Setpoint) -> None:
        if setpoint.value != self.amps:
            self.told_at = time.monotonic()
        self.amps = setpoint.value

    def show_outlook(self, periods: Sequence[tuple[datetime, float]]) -> None:
        """The car told no needs: nothing to show."""

    async def next_rung(self, *, at_once: bool = False) -> str:
        return "none"

    def status(self) -> ChargerStatus:
        amps = (self.amps,) * 3
        return replace(
            ChargerStatus(self.id, ChargePhase.CHARGING, True, "1"), current_a=amps, power_w=690 * self.amps,
            meter_age_s=0.0, accepted_limit_a=self.amps,
        )  # fmt: skip


class Rig:
    """The product's tick over ten cars and a meter that tells the sum of what they draw."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.cars = {name: Car(name, self.clock) for name in CARS}
        self.store = SqliteStore.open(Path(":memory:"))
        self.state = HomeState(SITE, self.clock, {"meter": 10.0}, dict(self.cars))
        notices = Notices(self.store, self.clock, Changes())
        wishes = Wishes(PREFERENCES)
        self.timing = ControlTiming.at_speed(1.0)
        self.tick = Tick(
            self.state, self.clock, self.timing, lambda: wishes, dict(self.cars), {}, self.store, notices
        )  # fmt: skip

    def sample(self, extra_a: float) -> None:
        amps = sum(car.amps for car in self.cars.values()) + extra_a
        now = self.clock.now()
        values = {**dict.fromkeys(CURRENTS, amps), **dict.fromkeys(POWERS, amps * 230), Quantity.POWER: amps * 690}
        for quantity, value in values.items():
            self.state.take(Reading("meter", quantity, value, now, Quality.VALID))


async def whole_way() -> float:
    """Milliseconds from the overloading reading to the last lower limit, at a random moment of the tick."""
    rig = Rig()
    rig.sample(0.0)
    running = asyncio.create_task(rig.tick.run())
    while min(car.amps for car in rig.cars.values()) < PER_CAR_A:
        rig.sample(0.0)
        await asyncio.sleep(0.2)
    await asyncio.sleep(random.random())
    rig.sample(FUSE_A - len(CARS) * PER_CAR_A + OVEN_A)
    seen = time.monotonic()
    async with asyncio.timeout(10):
        while max(car.amps for car in rig.cars.values()) >= PER_CAR_A:
            await asyncio.sleep(0.002)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await rig.store.close()
    return 1000 * (max(car.told_at for car in rig.cars.values()) - seen)


async def decisions(times: int) -> list[float]:
    """Milliseconds of each decision (freeze and decide) over ten charging cars in an overload."""
    rig = Rig()
    for car in rig.cars.values():
        car.amps = PER_CAR_A
    rig.sample(OVEN_A + FUSE_A - len(CARS) * PER_CAR_A)
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        snapshot = rig.state.freeze(Wishes(PREFERENCES), {}, frozenset())
        decide(SITE, snapshot, ControlMemory(), rig.timing, rig.clock.monotonic())
        found.append(1000 * (time.perf_counter() - begin))
    await rig.store.close()
    return found


def in_a_tree(chargers: int, times: int) -> list[float]:
    """Milliseconds of each decision for so many chargers below eight circuits while loads come and go."""
    world = random_world(chargers, chargers=chargers, circuits=8)
    found = []
    for _ in range(times):
        if world.dice.random() < 0.1:
            world.misadventure()
        snapshot, _ = world.step()
        begin = time.perf_counter()
        decide(world.site, snapshot, world.memory, TIMING, world.now)
        found.append(1000 * (time.perf_counter() - begin))
    return found


def above_a_fuse(steps: int) -> tuple[Tally, int]:
    """(what was checked, commands above a fuse phase or power limit) in random houses of 200 s each."""
    tally, found = Tally(), 0
    while tally.steps < steps:
        found += len(adventures(10_000 + tally.steps, tally))
    return tally, found


def over_the_fuse(houses: int) -> list[int]:
    """The longest overload of each house, s, while loads jump at random each 10 s and cars could give way."""
    worlds = [random_world(2000 + n, circuits=random.Random(n).randrange(1, 4)) for n in range(houses)]
    return sorted(longest_overload_s(world, 300, chance=0.1)[0] for world in worlds)


def in_living_homes(homes: int) -> list[float]:
    """The longest overload of each home, s: cars follow 1 to 5 s late, loads of 5 to 30 A come alone or one on the other."""
    found = []
    for seed in range(homes):
        apart_s = ((25.0, 40.0), (9.5, 20.0), (0.5, 9.0))[seed % 3]
        jumps = random_jumps(random.Random(seed), apart_s, 120.0)
        found.append(after_jumps(random_home(seed), jumps, 120.0).longest_s)
    return sorted(found)


def rows(quick: bool, times: int = 1000, steps: int = 100_000) -> list[Row]:
    """The promises about overloads and load management."""
    spent = asyncio.run(decisions(100 if quick else times))
    way = [asyncio.run(whole_way()) for _ in range(3 if quick else 10)]
    ten, fifty = (in_a_tree(chargers, 50 if quick else 300) for chargers in (10, 50))
    tally, above = above_a_fuse(2000 if quick else steps)
    told, over = tally.real + tally.excused, over_the_fuse(3 if quick else 36)
    living = in_living_homes(3 if quick else 300)
    return [
        Row(
            "a decision for a tree of chargers", "10 chargers < 20 ms, 50 chargers < 100 ms (p95)",
            f"10: {statistics.median(ten):.1f} ms, p95 {p95(ten):.1f} ms; 50: {statistics.median(fifty):.1f} ms, "
            f"p95 {p95(fifty):.1f} ms", f"8 circuits; {len(ten)} and {len(fifty)} decisions",
        ),
        Row(
            "random houses, chargers that lag, lie, refuse or fall silent",
            "nothing commanded above a fuse phase or power limit; excused <= 30 % of the checks with something told",
            f"{above} violations in {tally.steps} steps; {100 * tally.excused_share:.0f} % of {told} checks excused",
            f"houses of 200 s, a misadventure each 10 s; in full: {tally.real}, of them {tally.power} of power limits, "
            f"{tally.silent} behind silent meters; {tally.idle} more with nothing told",
        ),
        Row(
            "loads jump one upon the other, cars could give way", "no fuse overloaded for more than 8 s",
            f"worst {over[-1]} s, median {statistics.median(over):.0f} s", f"{len(over)} houses of 300 s, a jump each 10 s",
        ),
        Row(
            "loads of 5 to 30 A in living homes", "while cars or battery can give way no phase above the fuse > 8 s",
            f"worst {living[-1]} s, median {statistics.median(living)} s, "
            f"{sum(each > 8 for each in living)} of {len(living)} homes above 8 s",
            "homes of 120 s with 1 to 3 cars (1 to 5 s late, a sample each 10 s) and a battery that moves; own beats of "
            "meter, tick and samples",
        ),
        Row(
            "overload seen -> lower limits sent", "<= 1 s, all chargers in the same tick",
            f"{spread(way, 'ms', 0)}; a decision {statistics.median(spent):.2f} ms, p95 {p95(spent):.2f} ms",
            f"10 chargers, {len(way)} overloads at random moments of the 1 s tick, in process; {len(spent)} decisions",
        )
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=100_000)
    wanted = parser.parse_args()
    for row in rows(False, wanted.times, wanted.steps):
        print(row.line())


if __name__ == "__main__":
    main()
