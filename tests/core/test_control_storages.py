"""Several batteries side by side: no energy goes in circles, whoever follows the meter, and they stay together."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from firmware_sim.physics.pv import dc_available_w
from firmware_sim.physics.replay import Replay, load_data
from gateway.core.control.batteries import StorageMemory, battery_setpoints
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.plan import IntentKind, Plan
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Setpoint
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.model.snapshot import DeviceState, Snapshot
from tests.core.homes import SITE, block, plan
from tests.fakes import START

TIMING = ControlTiming()
SLOW_S = 1.5
"""Time constant of an inverter's own zero-grid control: tests/firmware_sim and the simulated inverter have it so."""


def home(*specs: BatterySpec) -> Site:
    batteries = [Device(f"b{at}", f"Battery {at}", Role.BATTERY, spec) for at, spec in enumerate(specs, start=1)]
    return replace(SITE, devices=(Device("meter", "Main meter", Role.MAIN_METER), *batteries))


@dataclass
class Yard:
    """Batteries that each follow the meter inside their band, as firmware does, and a tick every second."""

    site: Site
    soc: dict[str, float]
    planned: Plan | None = None
    preferences: Preferences = field(default_factory=Preferences)
    net_w: float = 0.0
    memory: StorageMemory = field(default_factory=StorageMemory)
    second: int = 0
    writes: int = 0

    def __post_init__(self) -> None:
        self.power = dict.fromkeys(self.soc, 0.0)
        self.bands: dict[str, Setpoint] = {}

    @property
    def grid_w(self) -> float:
        return self.net_w + sum(self.power.values())

    def tick(self) -> None:
        setpoints, self.memory = battery_setpoints(
            self.site, self._snapshot(), lambda device: math.inf, TIMING, self.memory, float(self.second)
        )
        for setpoint in setpoints:
            self.writes += not setpoint.same_wish(self.bands.get(setpoint.device))
            self.bands[setpoint.device] = setpoint
        self._flow()
        self.second += 1

    def run(self, seconds: int, net_w: float | None = None) -> None:
        self.net_w = self.net_w if net_w is None else net_w
        for _ in range(seconds):
            self.tick()

    def _snapshot(self) -> Snapshot:
        devices = {"meter": DeviceState("meter", Role.MAIN_METER, True, 0.5, {Q.POWER: self.grid_w})}
        for name, soc in self.soc.items():
            values = {Q.POWER: self.power[name], Q.SOC: soc}
            devices[name] = DeviceState(name, Role.BATTERY, True, 0.5, values)
        return Snapshot(START, devices, {}, self.preferences, plan=self.planned, commanded=dict(self.bands))

    def _flow(self) -> None:
        """One second of firmware: each corrects by the meter's word, inside its band, full and empty bound it."""
        grid = self.grid_w
        for name, band in self.bands.items():
            target = min(max(self.power[name] - grid, band.low), band.value)
            target = 0.0 if (target > 0 and self.soc[name] >= 100) or (target < 0 and self.soc[name] <= 5) else target
            gap = target - self.power[name]
            inside = band.low <= self.power[name] <= band.value
            # A band is a limit and holds at once; only inside of it the inverter is slow.
            self.power[name] += gap * (1 - math.exp(-1 / SLOW_S)) if inside else gap
            spec = self.site.device(name).spec  # type: ignore[union-attr]
            assert isinstance(spec, BatterySpec)
            self.soc[name] += self.power[name] / 3600 / spec.capacity_wh * 100

    @property
    def circulating_w(self) -> float:
        """What one charges while another discharges, W."""
        taken = sum(max(0.0, power) for power in self.power.values())
        return min(taken, sum(max(0.0, -power) for power in self.power.values()))


BIG, SMALL = BatterySpec(10_000, 5_000, 5_000), BatterySpec(5_000, 2_500, 2_500)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_no_energy_circulates_between_batteries_that_follow_the_meter_by_themselves(seed: int) -> None:
    dice = random.Random(seed)
    specs = [replace(BIG, max_charge_w=dice.choice((1_500, 3_000, 5_000)), max_discharge_w=dice.choice((1_500, 5_000)))
             for _ in range(dice.choice((2, 3)))]  # fmt: skip
    yard = Yard(home(*specs), {f"b{at}": dice.uniform(5, 100) for at in range(1, len(specs) + 1)})
    most_wh = served = 0.0
    for _ in range(120):
        yard.run(1, dice.uniform(-9_000, 9_000) if dice.random() < 0.5 else yard.net_w)
        for _ in range(dice.randrange(1, 60)):
            yard.tick()
            most_wh += yard.circulating_w / 3600
            served += sum(map(abs, yard.power.values())) / 3600
    assert served > 500
    assert most_wh <= 0.002 * served


def test_two_that_may_do_what_they_like_do_circulate() -> None:
    """The witness of the test above: without the bands the same firmware sends energy in circles."""
    yard = Yard(home(BIG, BIG), {"b1": 80.0, "b2": 30.0})
    yard.run(1, 0.0)
    free = {name: replace(band, low=-5_000.0, value=5_000.0) for name, band in yard.bands.items()}
    yard.bands, yard.power = free, {"b1": -2_000.0, "b2": 2_000.0}
    for _ in range(300):
        yard._flow()
    assert yard.circulating_w > 1_900


@pytest.mark.slow
def test_one_leads_on_both_sides_and_clouds_cost_no_write() -> None:
    yard = Yard(home(BIG, BIG), {"b1": 60.0, "b2": 55.0})
    yard.run(60, 1_000)
    before = yard.writes
    for at in range(40):
        yard.run(60, -1_500 if at % 2 else 1_500)
    assert yard.writes == before
    assert abs(yard.grid_w) < 50


@pytest.mark.slow
def test_more_join_when_one_is_not_enough_and_leave_again() -> None:
    yard = Yard(home(BIG, SMALL), {"b1": 80.0, "b2": 75.0})
    yard.run(200, 7_000)
    assert yard.power["b1"] < -4_500 and yard.power["b2"] < -1_500
    assert abs(yard.grid_w) < 100
    yard.run(900, 1_000)
    assert sorted(round(power, -2) for power in yard.power.values()) == [-1_000, 0]


@pytest.mark.slow
def test_by_need_the_fuller_leads_and_by_sun_the_emptier() -> None:
    yard = Yard(home(BIG, BIG), {"b1": 30.0, "b2": 80.0})
    yard.run(60, 1_000)
    assert yard.power["b2"] < -900 and yard.power["b1"] == 0
    yard.run(1_000, -1_000)
    assert yard.power["b1"] > 900 and yard.power["b2"] == 0


def test_a_leader_that_is_full_hands_over_at_once() -> None:
    yard = Yard(home(BIG, BIG), {"b1": 99.9, "b2": 99.95})
    yard.memory = StorageMemory()
    yard.soc = {"b1": 99.0, "b2": 99.9}
    yard.run(300, -3_000)
    yard.run(600, -3_000)
    assert min(yard.soc.values()) > 99.8


def test_while_one_charges_from_the_grid_by_plan_no_other_feeds_it() -> None:
    yard = Yard(home(BIG, BIG), {"b1": 30.0, "b2": 90.0}, plan(block("b1", IntentKind.CHARGE_AT, 3_000)))
    yard.run(60, 500)
    assert yard.power["b1"] == pytest.approx(3_000, abs=50)
    assert yard.power["b2"] == 0
    assert yard.bands["b2"].low == 0


def test_while_one_sells_by_plan_no_other_stores_it() -> None:
    yard = Yard(home(BIG, BIG), {"b1": 90.0, "b2": 30.0}, plan(block("b1", IntentKind.DISCHARGE_AT, -3_000)))
    yard.run(60, 500)
    assert yard.power["b2"] <= 0 and yard.bands["b2"].value == 0


@pytest.mark.slow
def test_each_keeps_its_reserve() -> None:
    yard = Yard(home(BIG, BIG), {"b1": 20.1, "b2": 20.2}, preferences=Preferences(battery_reserve_percent=20))
    yard.run(1_800, 4_000)
    assert min(yard.soc.values()) > 19.9
    assert {band.authority for band in yard.bands.values()} == {Authority.PROTECTION}


@pytest.mark.slow
@pytest.mark.parametrize("follows", [(True, True), (False, False), (True, False)])
def test_two_share_a_real_day_without_a_circle_and_with_few_writes(follows: tuple[bool, ...]) -> None:
    """Load and sun of firmware_sim/data, half as much again, so that one alone is often too weak; renewals come on top."""
    yard = Yard(home(*(replace(SMALL, follows_meter=each) for each in follows)), {"b1": 50.0, "b2": 60.0})
    replay, start = Replay(1, load_data()), datetime(2026, 6, 20, tzinfo=UTC)
    circles_wh = through_wh = 0.0
    for second in range(0, 86_400, 10):
        now = start + timedelta(seconds=second)
        sun_w = 0.97 * dc_available_w(replay.irradiance_w_m2(now), replay.outdoor_c(now))
        yard.net_w, yard.second = 1.5 * (sum(replay.load_w(now)) - sun_w), second
        yard.tick()
        for _ in range(9):
            yard._flow()
        circles_wh += yard.circulating_w / 360
        through_wh += sum(map(abs, yard.power.values())) / 360
    assert yard.writes <= 2 * 45
    assert through_wh > 10_000 and circles_wh <= 0.001 * through_wh
