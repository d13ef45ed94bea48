"""A house of random circuits, loads and chargers with simple physics, to hold the tick's decisions against.

Chargers obey, follow late, do not obey, lose their line or refuse commands; cars use one phase or three, come, go and
get full; the main meter falls silent. What no fuse may carry is checked on what was commanded and on what flows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from gateway.core.control.circuits import FUSE_MARGIN_A
from gateway.core.control.dispatch import ControlMemory, Decision, decide
from gateway.core.control.timing import ControlTiming
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import CURRENTS, POWERS, Quantity
from gateway.model.setpoint import Setpoint
from gateway.model.site import ChargerSpec, Circuit, Device, Role, Sharing, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from tests.fakes import START

VOLTS = 230.0
TIMING = ControlTiming()
Amps = tuple[float, float, float]
ZERO: Amps = (0.0, 0.0, 0.0)


@dataclass(slots=True)
class Box:
    """One charger with its car: `limit_a` is in force since `told_at`; what the car draws follows within `lag_s`."""

    device: Device
    spec: ChargerSpec
    lag_s: float
    car_phases: int = 0
    """Phases of the car that is plugged in; 0: none is."""
    appetite_a: float = 16.0
    obeys: bool = True
    online: bool = True
    refuses: bool = False
    """Whether it takes no command now."""
    limit_a: float = 6.0
    told_at: float = 0.0
    way_since: float = 0.0
    """Since when it has been on its way without a rest, one change following the other."""
    stood_a: float = 6.0
    """The limit in force before this second's decision, A."""
    draws_a: float = 0.0
    sample: tuple[float, float] = (0.0, -100.0)
    """What its meter told last, A, and when."""

    def loads(self, phase: int, amps: float) -> float:
        """What it loads one grid phase with, A, when its car draws `amps`."""
        return amps if phase in self.spec.phases[: self.car_phases] else 0.0

    def move(self, now: float) -> None:
        """The car follows its limit, late."""
        if not self.car_phases:
            self.draws_a = 0.0
        elif not self.obeys:
            self.draws_a = self.spec.max_current_a
        elif now - self.told_at >= self.lag_s:
            self.draws_a = min(self.limit_a, self.appetite_a)

    def status(self, now: float) -> ChargerStatus:
        """What the CSMS knows of it."""
        amps, at = self.sample
        used = self.spec.phases[: self.car_phases] if self.car_phases else ()
        one, two, three = (None if p not in self.spec.phases else amps if p in used else 0.0 for p in (1, 2, 3))
        phase = ChargePhase.CHARGING if self.draws_a else ChargePhase.PLUGGED
        return ChargerStatus(
            self.device.id, phase if self.car_phases else ChargePhase.AVAILABLE, self.online,
            "1" if self.car_phases else "", power_w=amps * len(used) * VOLTS, current_a=(one, two, three),
            meter_age_s=now - at, phases_in_use=len(used) if amps > 1 else None,
        )  # fmt: skip


@dataclass(slots=True)
class World:
    """The house at second `now`; `step` lets one second pass."""

    dice: random.Random
    site: Site
    boxes: dict[str, Box]
    base: dict[str, Amps]
    """Other load of each branch, A per phase; "" is the house itself."""
    now: float = 1000.0
    memory: ControlMemory = field(default_factory=ControlMemory)
    commanded: dict[str, Setpoint] = field(default_factory=dict)
    disobeying: set[str] = field(default_factory=set)
    silent_until: float = 0.0
    heard_at: float = 1000.0
    shown: dict[str, Amps] = field(default_factory=dict)
    """What each meter showed last."""
    modes: dict[str, ChargingPreference] = field(default_factory=dict)
    past: list[dict[str, Amps]] = field(default_factory=list)
    """What flowed through each fuse beside its online cars in the last seconds, the newest last."""

    def flows(self, circuit: str) -> Amps:
        """What really flows through a fuse, A per phase."""
        below = self.below(circuit)
        one, two, three = (
            sum(self.base[c][p - 1] for c in below)
            + sum(b.loads(p, b.draws_a) for b in self.boxes.values() if b.device.circuit in below)
            for p in (1, 2, 3)
        )
        return one, two, three

    def _beside(self, circuit: str) -> Amps:
        cars = [b for b in self.boxes.values() if b.device.circuit in self.below(circuit) and b.online]
        one, two, three = (self.flows(circuit)[p - 1] - sum(b.loads(p, b.draws_a) for b in cars) for p in (1, 2, 3))
        return one, two, three

    def known_base(self, circuit: str, boxes: list[Box], phase: int) -> float:
        """The least that flowed there beside the online cars since all that they draw was known, A.

        A car's draw is known when it tells it, unless it may still have been on its way to another limit then.
        """
        since = self.now
        for box in boxes:
            if box.online:
                sure = box.sample[1] - box.told_at >= TIMING.follow_s
                since = min(since, box.sample[1] if sure else min(box.sample[1], box.way_since))
        return min(flows[circuit][phase - 1] for flows in self.past[-2 - int(self.now - since) :])

    def below(self, circuit: str) -> list[str]:
        """The circuit and all below it."""
        if circuit == "":
            return ["", *(c.id for c in self.site.circuits)]
        return [c.id for c in self.site.circuits if circuit in [above.id for above in self.site.above(c.id)]]

    def fuses(self) -> dict[str, Amps]:
        """Every fuse of the house."""
        main = {"": (self.site.main_fuse_a,) * 3}
        return main | {c.id: c.fuse_a for c in self.site.circuits if c.fuse_a is not None}

    def snapshot(self) -> Snapshot:
        """What the gateway knows this second."""
        devices = {}
        for device in self.site.devices:
            if device.role in (Role.MAIN_METER, Role.SUB_METER):
                shown = self.shown.get(device.id, ZERO)
                age = self.now - self.heard_at
                values = {Quantity.POWER: sum(shown) * VOLTS}
                for index in range(3):
                    values |= {CURRENTS[index]: shown[index], POWERS[index]: shown[index] * VOLTS}
                devices[device.id] = DeviceState(device.id, device.role, age < 10, age, values)
        statuses = {name: box.status(self.now) for name, box in self.boxes.items()}
        return Snapshot(
            START, devices, statuses, Preferences(charging=self.modes), commanded=dict(self.commanded),
            disobeying=frozenset(self.disobeying),
        )  # fmt: skip

    def measure(self) -> None:
        """The meters speak, unless they are silent; each charger every ten seconds."""
        if self.now >= self.silent_until:
            self.heard_at = self.now
            for device in self.site.devices:
                if device.role is Role.MAIN_METER:
                    self.shown[device.id] = self.flows("")
            for circuit in self.site.circuits:
                if circuit.meter:
                    self.shown[circuit.meter] = self.flows(circuit.id)
        for box in self.boxes.values():
            if box.online and self.now - box.sample[1] >= 10:
                box.sample = (box.draws_a, self.now)

    def step(self) -> tuple[Snapshot, Decision]:
        """One second: cars move, meters speak, the tick decides, those that hear it are told."""
        self.now += 1
        for box in self.boxes.values():
            box.move(self.now)
        self.measure()
        heard = self.now == self.heard_at or not self.past
        self.past = [*self.past[-30:], {f: self._beside(f) for f in self.fuses()} if heard else self.past[-1]]
        snapshot = self.snapshot()
        decision = decide(self.site, snapshot, self.memory, TIMING, self.now)
        self.memory = decision.memory
        for setpoint in decision.setpoints:
            box = self.boxes[setpoint.device]
            box.stood_a = box.limit_a
            if box.online and not box.refuses:
                if setpoint.value != box.limit_a:
                    rested = self.now - box.told_at > TIMING.settle_s
                    box.way_since = self.now if rested else box.way_since
                    box.told_at = self.now
                box.limit_a, self.commanded[setpoint.device] = setpoint.value, setpoint
        return snapshot, decision

    def misadventure(self) -> None:
        """Something happens: a load, a car, a charger's mood, a line, a meter."""
        box = self.dice.choice(list(self.boxes.values()))
        match self.dice.randrange(12):
            case 0 | 1 | 2:
                branch = self.dice.choice(list(self.base))
                most = self.fuses().get(branch, (16.0,) * 3)
                one, two, three = (self.dice.uniform(0, 0.8 * fuse) for fuse in most)
                self.base[branch] = self.known_only(branch, (one, two, three))
            case 3 | 4:
                box.car_phases = self.dice.choice([0, 1, len(box.spec.phases), len(box.spec.phases)])
            case 5:
                box.appetite_a = self.dice.choice([0.0, 6.0, 9.0, 16.0, 32.0])
            case 6:
                box.obeys = not box.obeys
                (self.disobeying.discard if box.obeys else self.disobeying.add)(box.device.id)
            case 7:
                box.online = not box.online
            case 8:
                box.refuses = not box.refuses
            case 9:
                self.silent_until = self.now + self.dice.choice([3.0, 8.0, 20.0, 90.0])
            case _:
                mode = self.dice.choice([ChargeMode.NOW, ChargeMode.NOW, ChargeMode.OFF])
                self.modes[box.device.id] = ChargingPreference(mode, priority=self.dice.randrange(3))

    def known_only(self, branch: str, amps: Amps) -> Amps:
        """On a circuit without a meter there is nothing but what the site file names."""
        circuit = self.site.circuit(branch)
        return ZERO if circuit is not None and not circuit.meter else amps


def random_world(seed: int, *, chargers: int | None = None, circuits: int | None = None) -> World:
    """A house of its own for each seed."""
    dice = random.Random(seed)
    tree: list[Circuit] = []
    devices = [Device("meter", "Meter", Role.MAIN_METER)]
    main_a = dice.choice([16.0, 25.0, 40.0, 63.0, 100.0])
    for number in range(circuits if circuits is not None else dice.randrange(5)):
        meter = f"m{number}" if dice.random() < 0.5 else ""
        if meter:
            devices.append(Device(meter, meter, Role.SUB_METER))
        fuse = (dice.choice([10.0, 16.0, 20.0, 32.0]),) * 3 if dice.random() < 0.85 else None
        limit = dice.choice([None, None, 4000.0, 11_000.0])
        parent = dice.choice(["", *(circuit.id for circuit in tree)])
        tree.append(Circuit(f"c{number}", f"Circuit {number}", fuse, limit, parent, meter))
    boxes = {}
    for number in range(chargers or dice.randrange(1, 9)):
        phases = dice.choice([(1, 2, 3), (1, 2, 3), (2, 3, 1), (3, 1, 2), (1,), (2,), (3,)])
        spec = ChargerSpec(
            phases=phases, max_current_a=dice.choice([16.0, 32.0]), safe_current_a=dice.choice([0.0, 6.0])
        )
        on = dice.choice(["", *(circuit.id for circuit in tree)])
        device = Device(f"car{number}", f"Car {number}", Role.EV_CHARGER, spec, on)
        devices.append(device)
        boxes[device.id] = Box(device, spec, lag_s=dice.choice([0.0, 2.0, 5.0]), car_phases=len(phases), limit_a=0.0)
    site = Site(
        "Random", ZoneInfo("Europe/Brussels"), 50.85, 4.35, "EUR", 3, main_a, tuple(devices), circuits=tuple(tree),
        sharing=dice.choice(list(Sharing)),
    )  # fmt: skip
    modes = {name: ChargingPreference(ChargeMode.NOW) for name in boxes}
    return World(dice, site, boxes, {"": ZERO} | {c.id: ZERO for c in tree}, modes=modes)


def commanded_above(world: World, snapshot: Snapshot, decision: Decision) -> list[str]:
    """Every phase of every fuse that the new limits and the known rest would overload, in words; none is right.

    Counted: what each charger that obeys may draw by its new limit, on the phases it may load; what the others can
    draw; the base as the meters show it less what the cars surely draw of it. A fuse is excused where the base alone,
    with the disobedient, is above it already and every obedient charger there is told 0 A.
    """
    found = []
    setpoints = {s.device: s.value for s in decision.setpoints}
    for circuit, fuse in world.fuses().items():
        boxes = [b for b in world.boxes.values() if b.device.circuit in world.below(circuit)]
        noun = world.site.circuit(circuit)
        metered = noun is None or bool(noun.meter)
        silent = metered and world.now - world.heard_at > TIMING.meter_stale_s
        for phase in (1, 2, 3):
            told = [b for b in boxes if b.online and b.obeys and may_load(b, phase)]
            amps = sum(setpoints[b.device.id] for b in told)
            others = sum(b.spec.max_current_a for b in boxes if b.online and not b.obeys and may_load(b, phase))
            if not metered:
                others += sum(
                    b.spec.max_current_a
                    for b in boxes
                    if phase in b.spec.phases and not b.online and not _measured_below(world, b, circuit)
                )
            raised = any(setpoints[b.device.id] > b.stood_a for b in told)
            if any(b.refuses for b in boxes) and not raised:
                continue  # it stands at what it took before, and the others wait for it
            base = 0.0 if not metered or silent else world.known_base(circuit, boxes, phase)
            if others + base + amps > fuse[phase - 1] - FUSE_MARGIN_A + 1e-6 and amps > 0:
                found.append(
                    f"{circuit or 'main'} L{phase}: {base:.1f} + {others:.1f} + {amps:.1f} A of {fuse[phase - 1]:.0f} A"
                )
    return found


def may_load(box: Box, phase: int) -> bool:
    """Whether the car may load a phase: all of the charger's, unless it is seen on fewer."""
    seen = box.sample[0] > 1 and box.car_phases
    return phase in (box.spec.phases[: box.car_phases] if seen else box.spec.phases)


def _measured_below(world: World, box: Box, circuit: str) -> bool:
    """Whether a meter below this circuit shows what the charger draws."""
    return any(
        c.meter for c in world.site.above(box.device.circuit) if c.id in world.below(circuit) and c.id != circuit
    )
