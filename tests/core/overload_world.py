"""A living home in steps of a quarter second: loads jump, cars follow 1 to 5 s late, a battery follows the meter by itself.

    load jumps ... meter speaks (each second) ... tick (each second, and at once in an overload)
               ... charger takes it (0.1 to 0.4 s) ... car follows (1 to 5 s)

Meter, tick and the chargers' samples (each ten seconds) have their own beat, as in the product. IEC 61851-1 gives a car
5 s to bring its current below a lowered limit: the home's own car (firmware_sim/physics/car.py) takes 1 to 5 s as well.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gateway.core.control.dispatch import ControlMemory, decide
from gateway.core.control.timing import ControlTiming
from gateway.model.plan import IntentKind
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import CURRENTS, POWERS, Quantity
from gateway.model.setpoint import Setpoint
from gateway.model.site import BatterySpec, ChargerSpec, Device, Role, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from tests.core.homes import SITE, block, plan
from tests.fakes import START

VOLTS, STEP_S, SAMPLE_S = 230.0, 0.25, 10.0
BATTERY_LAG_S, BATTERY_W = 1.5, 5_000.0
LEAST_A, RAMP_A_PER_S = 6.0, 4.0
TIMING = ControlTiming()
Amps = tuple[float, float, float]


@dataclass(slots=True)
class Car:
    """A charger with its car: each change of the limit is followed by itself, its ramp included in its 1 to 5 s."""

    device: Device
    spec: ChargerSpec
    most_a: float
    beat_s: float
    """When in its ten seconds it tells its sample."""
    slowest_s: float = 5.0
    draws_a: float = 0.0
    obeyed_a: float = 0.0
    offers: list[tuple[float, float]] = field(default_factory=list)
    told: tuple[float, float] = (0.0, -100.0)
    """The last sample: A, and when."""

    def offer(self, amps: float, now: float, dice: random.Random) -> None:
        """The charger takes a new limit at `now`."""
        ramp_s = abs(amps - self.draws_a) / RAMP_A_PER_S if amps >= LEAST_A else 0.0
        self.offers.append((now + max(min(1.0, self.slowest_s), dice.uniform(1.0, self.slowest_s) - ramp_s), amps))

    def move(self, now: float) -> None:
        """A step of its current; never between 0 and 6 A."""
        while self.offers and self.offers[0][0] <= now:
            self.obeyed_a = self.offers.pop(0)[1]
        wanted = min(self.obeyed_a, self.most_a) if self.obeyed_a >= LEAST_A else 0.0
        reach = RAMP_A_PER_S * STEP_S
        current = min(max(wanted, self.draws_a - reach), self.draws_a + reach)
        self.draws_a = 0.0 if wanted == 0 else max(LEAST_A, current)
        if (now - self.beat_s) % SAMPLE_S < STEP_S:
            self.told = (self.draws_a, now)

    def status(self, now: float) -> ChargerStatus:
        """What the CSMS knows of it."""
        amps, at = self.told
        one, two, three = (amps if phase in self.spec.phases else None for phase in (1, 2, 3))
        return ChargerStatus(
            self.device.id, ChargePhase.CHARGING, True, "1", power_w=amps * len(self.spec.phases) * VOLTS,
            current_a=(one, two, three), meter_age_s=now - at, phases_in_use=len(self.spec.phases) if amps > 1 else None,
        )  # fmt: skip


@dataclass(slots=True)
class Home:
    """The home at second `now`; `step` lets a quarter of a second pass."""

    dice: random.Random
    site: Site
    cars: dict[str, Car]
    base_a: Amps
    battery: bool
    now: float = 1000.0
    battery_w: float = 0.0
    band: tuple[float, float] = (-BATTERY_W, BATTERY_W)
    grid_charge_w: float = 0.0
    """What the plan has the battery take from the grid, W."""
    memory: ControlMemory = field(default_factory=ControlMemory)
    commanded: dict[str, Setpoint] = field(default_factory=dict)
    under_way: list[tuple[float, Setpoint]] = field(default_factory=list)
    meter: tuple[Amps, float, float] = ((0.0, 0.0, 0.0), 0.0, 0.0)
    """What the meter showed last, A; the battery's power then, W; and when."""
    meter_beat_s: float = 0.0
    tick_beat_s: float = 0.0
    meter_late_s: float = 0.0
    """So old is what the meter tells when it tells it."""
    _shown: tuple[Amps, float] = ((0.0, 0.0, 0.0), 0.0)
    _hurry: bool = False
    """Whether the meter showed an overload: the tick does not wait for its second (runtime/live.py)."""

    def flows(self) -> Amps:
        """What flows through the main fuse, A per phase, import positive."""
        share = self.battery_w / 3 / VOLTS
        one, two, three = (
            self.base_a[p - 1] + share + sum(c.draws_a for c in self.cars.values() if p in c.spec.phases)
            for p in (1, 2, 3)
        )
        return one, two, three

    def moving(self, phase: int) -> bool:
        """Whether a car or the battery takes anything of a phase that would stay below its fuse without them."""
        cars_a = sum(c.draws_a for c in self.cars.values() if phase in c.spec.phases)
        battery_a = max(0.0, self.battery_w) / 3 / VOLTS
        rest_a = self.flows()[phase - 1] - cars_a - battery_a
        return (cars_a > 1.0 or self.battery_w > 100) and rest_a <= self.site.main_fuse_a

    def jump(self, amps: float, phases: tuple[int, ...]) -> None:
        """A load of so many A is switched on (or off) on these phases."""
        one, two, three = (
            max(0.0, value + (amps if phase in phases else 0.0))
            for phase, value in zip((1, 2, 3), self.base_a, strict=True)
        )
        self.base_a = (one, two, three)

    def step(self) -> None:
        """A quarter second: what was sent arrives, cars and battery move, meters speak, the tick decides."""
        self.now += STEP_S
        for _, setpoint in [one for one in self.under_way if one[0] <= self.now]:
            self._arrives(setpoint)
        self.under_way = [one for one in self.under_way if one[0] > self.now]
        for car in self.cars.values():
            car.move(self.now)
        self._battery_moves()
        if self._hurry or (self.now - self.tick_beat_s) % 1.0 < STEP_S:
            self._hurry = False
            self._tick()
        if (self.now - self.meter_beat_s) % 1.0 < STEP_S:
            self.meter = (self._shown[0], self._shown[1], self.now)
            self._hurry = max(self.meter[0]) > self.site.main_fuse_a
        if (self.now - self.meter_beat_s + self.meter_late_s) % 1.0 < STEP_S:
            self._shown = (self.flows(), self.battery_w)

    def _battery_moves(self) -> None:
        if not self.battery:
            return
        rest_w = sum(self.flows()) * VOLTS - self.battery_w
        target = min(max(-rest_w, self.band[0]), self.band[1])
        self.battery_w += (target - self.battery_w) * (1 - math.exp(-STEP_S / BATTERY_LAG_S))

    def _tick(self) -> None:
        decision = decide(self.site, self._seen(), self.memory, TIMING, self.now)
        self.memory = decision.memory
        for setpoint in decision.setpoints:
            if setpoint.device in self.cars or setpoint.device == "inverter":
                self.under_way.append((self.now + self.dice.uniform(0.1, 0.4), setpoint))

    def _arrives(self, setpoint: Setpoint) -> None:
        before = self.commanded.get(setpoint.device)
        self.commanded[setpoint.device] = setpoint
        if setpoint.device == "inverter":
            self.band = (setpoint.low, setpoint.value)
        elif before is None or before.value != setpoint.value:
            self.cars[setpoint.device].offer(setpoint.value, self.now, self.dice)

    def _seen(self) -> Snapshot:
        amps, battery_w, at = self.meter
        values = {Quantity.POWER: sum(amps) * VOLTS}
        for index in range(3):
            values |= {CURRENTS[index]: abs(amps[index]), POWERS[index]: amps[index] * VOLTS}
        devices = {"meter": DeviceState("meter", Role.MAIN_METER, True, self.now - at, values)}
        if self.battery:
            told = {Quantity.POWER: battery_w, Quantity.BATTERY_POWER: battery_w, Quantity.SOC: 60.0}
            devices["inverter"] = DeviceState("inverter", Role.HYBRID_INVERTER, True, self.now - at, told)
        statuses = {name: car.status(self.now) for name, car in self.cars.items()}
        wishes = Preferences(charging={name: ChargingPreference(ChargeMode.NOW) for name in self.cars})
        charging = plan(block("inverter", IntentKind.CHARGE_AT, self.grid_charge_w)) if self.grid_charge_w else None
        return Snapshot(START, devices, statuses, wishes, plan=charging, commanded=dict(self.commanded))


def random_home(seed: int, *, cars: int | None = None, slowest_s: float = 5.0) -> Home:
    """A home of its own for each seed: 25 to 63 A, one to three cars on one phase or three, most with a battery."""
    dice = random.Random(seed)
    count = cars or dice.choice([1, 1, 1, 2, 3])
    fuse_a = dice.choice([25.0, 25.0, 32.0, 40.0]) + 10.0 * (count - 1)
    found = {}
    for number in range(count):
        phases = dice.choice([(1, 2, 3), (1, 2, 3), (1, 2, 3), (2, 3, 1), (1,), (2,)])
        spec = ChargerSpec(phases=phases)
        device = Device(f"car{number}", f"Car {number}", Role.EV_CHARGER, spec)
        found[device.id] = Car(device, spec, dice.choice([16.0, 16.0, 10.0]), dice.uniform(0, SAMPLE_S), slowest_s)
    battery = dice.random() < 0.7
    devices = [Device("meter", "Meter", Role.MAIN_METER), *(car.device for car in found.values())]
    if battery:
        devices.append(Device("inverter", "Battery", Role.HYBRID_INVERTER, BatterySpec(10_000, BATTERY_W, BATTERY_W)))
    site = replace(SITE, main_fuse_a=fuse_a, devices=tuple(devices))
    one, two, three = (dice.uniform(0.5, 6.0) for _ in range(3))
    return Home(
        dice, site, found, (one, two, three), battery, grid_charge_w=dice.choice([0.0, 0.0, 3_000.0]) if battery else 0.0,
        meter_beat_s=dice.uniform(0, 1), tick_beat_s=dice.uniform(0, 1),
        meter_late_s=dice.uniform(0, 1),
    )  # fmt: skip


@dataclass(slots=True)
class Seen:
    """What was seen of a home: the longest overload that stopping cars and battery would have ended, and the cars' Ah."""

    longest_s: float = 0.0
    where: str = ""
    car_ah: float = 0.0
    lasting: dict[int, float] = field(default_factory=dict)

    def look(self, home: Home) -> None:
        """After each step."""
        self.car_ah += sum(car.draws_a for car in home.cars.values()) * STEP_S / 3600
        for phase, amps in zip((1, 2, 3), home.flows(), strict=True):
            over = amps > home.site.main_fuse_a and home.moving(phase)
            self.lasting[phase] = self.lasting.get(phase, 0.0) + STEP_S if over else 0.0
            if self.lasting[phase] > self.longest_s:
                self.longest_s, self.where = self.lasting[phase], f"L{phase} at {home.now - 1000:.1f} s"


def after_jumps(home: Home, jumps: Iterable[tuple[float, float, tuple[int, ...]]], seconds: float) -> Seen:
    """Live so many seconds with loads of (at second, A, on phases) switched on; negative: off."""
    seen, waiting = Seen(), sorted(jumps)
    while home.now < 1000.0 + seconds:
        while waiting and home.now - 1000.0 >= waiting[0][0]:
            home.jump(*waiting.pop(0)[1:])
        home.step()
        seen.look(home)
    return seen


def random_jumps(
    dice: random.Random, apart_s: tuple[float, float], seconds: float
) -> list[tuple[float, float, tuple[int, ...]]]:
    """Loads of 5 to 30 A, one after the other `apart_s`; each is switched off again half a minute later, more or less."""
    found, at = [], dice.uniform(5.0, 25.0)
    while at < seconds:
        amps, phases = dice.uniform(5.0, 30.0), dice.choice([(1,), (2,), (3,), (1, 2, 3)])
        found += [(at, amps, phases), (at + dice.uniform(10.0, 50.0), -amps, phases)]
        at += dice.uniform(*apart_s)
    return found
