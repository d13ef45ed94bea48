"""A house of random circuits, loads and chargers with simple physics, to hold the tick's decisions against.

Chargers obey, follow late, do not obey, lose their line, tell nothing or refuse commands; cars use one phase or three,
come, go and get full; meters fall silent. tests/core/charging_check.py says what may be commanded there.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from gateway.core.control.dispatch import ControlMemory, Decision, decide
from gateway.core.control.timing import ControlTiming
from gateway.core.control.verification import honours, verify_after_s
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


@dataclass(frozen=True, slots=True)
class Sample:
    """What a charger told of its car last: A per phase, on which grid phases, and when."""

    amps: float = 0.0
    phases: tuple[int, ...] = ()
    at: float = -100.0


@dataclass(slots=True)
class Box:
    """One charger with its car, which follows each change of its limit `lag_s` later, as IEC 61851-1 wants it.

    Not the last change alone: a car that is told something new each second follows each of them in its turn.
    """

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
    mute: bool = False
    """Whether it tells no samples, though it is online."""
    limits: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])
    """Each limit it accepted and since when, the newest last."""
    wanted: tuple[float, float] = (0.0, 0.0)
    """What it was told last, A, whether it took it or not, and since when it refuses it."""
    draws_a: float = 0.0
    sample: Sample = Sample()

    @property
    def limit_a(self) -> float:
        """The limit in force, A."""
        return self.limits[-1][1]

    @property
    def told_at(self) -> float:
        """Since when it is in force."""
        return self.limits[-1][0]

    @property
    def phases(self) -> tuple[int, ...]:
        """The grid phases its car loads."""
        return self.spec.phases[: self.car_phases]

    def loads(self, phase: int, amps: float) -> float:
        """What it loads one grid phase with, A, when its car draws `amps`."""
        return amps if phase in self.phases else 0.0

    def take(self, amps: float, now: float) -> None:
        """A limit is accepted."""
        if amps != self.limit_a:
            self.limits = [*self.limits[-30:], (now, amps)]

    def limits_since(self, moment: float) -> list[float]:
        """Every limit that was in force since, A."""
        ends = [at for at, _ in self.limits[1:]] + [float("inf")]
        return [amps for (_, amps), end in zip(self.limits, ends, strict=True) if end > moment]

    def move(self, now: float) -> None:
        """The car follows its limit, late."""
        if not self.car_phases:
            self.draws_a = 0.0
        elif not self.obeys:
            self.draws_a = self.spec.max_current_a
        else:
            self.draws_a = min(self.limits_since(now - self.lag_s)[0], self.appetite_a)

    def tell(self, now: float) -> None:
        """A sample each ten seconds, if it tells any."""
        if self.online and not self.mute and now - self.sample.at >= 10:
            self.sample = Sample(self.draws_a, self.phases, now)

    def status(self, now: float) -> ChargerStatus:
        """What the CSMS knows of it."""
        amps, used = self.sample.amps, self.sample.phases
        one, two, three = (None if p not in self.spec.phases else amps if p in used else 0.0 for p in (1, 2, 3))
        phase = ChargePhase.CHARGING if self.draws_a else ChargePhase.PLUGGED
        return ChargerStatus(
            self.device.id, phase if self.car_phases else ChargePhase.AVAILABLE, self.online,
            "1" if self.car_phases else "", power_w=amps * len(used) * VOLTS, current_a=(one, two, three),
            meter_age_s=now - self.sample.at, phases_in_use=len(used) if amps > 1 else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """What a meter showed last, A per phase, when, and on which phases and what each car drew at that instant."""

    at: float
    shown: Amps
    draws: dict[str, tuple[tuple[int, ...], float]]


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
    """Those that were found out: max(15 s, two sampling intervals) after the limit they do not keep."""
    silent_until: dict[str, float] = field(default_factory=dict)
    words: dict[str, Word] = field(default_factory=dict)
    """The last word of each circuit's meter; under "" the main meter's."""
    modes: dict[str, ChargingPreference] = field(default_factory=dict)

    def flows(self, circuit: str) -> Amps:
        """What really flows through a fuse, A per phase."""
        below = self.below(circuit)
        one, two, three = (
            sum(self.base[c][p - 1] for c in below)
            + sum(b.loads(p, b.draws_a) for b in self.boxes.values() if b.device.circuit in below)
            for p in (1, 2, 3)
        )
        return one, two, three

    def below(self, circuit: str) -> list[str]:
        """The circuit and all below it."""
        if circuit == "":
            return ["", *(c.id for c in self.site.circuits)]
        return [c.id for c in self.site.circuits if circuit in [above.id for above in self.site.above(c.id)]]

    def fuses(self) -> dict[str, Amps]:
        """Every fuse of the house."""
        main = {"": (self.site.main_fuse_a,) * 3}
        return main | {c.id: c.fuse_a for c in self.site.circuits if c.fuse_a is not None}

    def meters(self) -> dict[str, str]:
        """The device id of each circuit's meter; the main meter's under ""."""
        return {"": "meter"} | {c.id: c.meter for c in self.site.circuits if c.meter}

    def silent(self, circuit: str) -> bool:
        """Whether a circuit's meter counts as silent."""
        return self.now - self.words[circuit].at > TIMING.meter_stale_s

    def snapshot(self) -> Snapshot:
        """What the gateway knows this second."""
        devices = {}
        for circuit, name in self.meters().items():
            shown, age = self.words[circuit].shown, self.now - self.words[circuit].at
            values = {Quantity.POWER: sum(shown) * VOLTS}
            for index in range(3):
                values |= {CURRENTS[index]: shown[index], POWERS[index]: shown[index] * VOLTS}
            role = Role.SUB_METER if circuit else Role.MAIN_METER
            devices[name] = DeviceState(name, role, age < 10, age, values)
        statuses = {name: box.status(self.now) for name, box in self.boxes.items()}
        return Snapshot(
            START, devices, statuses, Preferences(charging=self.modes), commanded=dict(self.commanded),
            disobeying=frozenset(self.disobeying),
        )  # fmt: skip

    def measure(self) -> None:
        """Each meter speaks, unless it is silent; each charger every ten seconds."""
        for circuit in self.meters():
            if self.now >= self.silent_until.get(circuit, 0.0) or circuit not in self.words:
                draws = {name: (box.phases, box.draws_a) for name, box in self.boxes.items()}
                self.words[circuit] = Word(self.now, self.flows(circuit), draws)
        for box in self.boxes.values():
            box.tell(self.now)

    def find_out(self) -> None:
        """Who does not keep the limit it took, or takes no lower one, is found out after its time; as in the product."""
        for name, box in self.boxes.items():
            status, held = box.status(self.now), self.commanded.get(name)
            verdict = honours(status, held, self.now - box.told_at, TIMING)
            amps, since = box.wanted
            refused = box.refuses and box.online and self.now - since >= verify_after_s(status, TIMING)
            if refused and box.sample.amps > amps + 1.0 and self.now - box.sample.at <= 15:
                verdict = False
            if verdict is not None:
                (self.disobeying.discard if verdict else self.disobeying.add)(name)

    def step(self) -> tuple[Snapshot, Decision]:
        """One second: cars move, meters speak, the tick decides, those that hear it are told."""
        self.now += 1
        for box in self.boxes.values():
            box.move(self.now)
        self.measure()
        snapshot = self.snapshot()
        decision = decide(self.site, snapshot, self.memory, TIMING, self.now)
        self.memory = decision.memory
        self.find_out()
        for setpoint in decision.setpoints:
            box = self.boxes[setpoint.device]
            taken = box.online and not box.refuses
            if taken or setpoint.value != box.wanted[0]:
                box.wanted = (setpoint.value, self.now)
            if taken:
                box.take(setpoint.value, self.now)
                self.commanded[setpoint.device] = setpoint
        return snapshot, decision

    def misadventure(self) -> None:
        """Something happens: a load, a car, a charger's mood, a line, a meter."""
        box = self.dice.choice(list(self.boxes.values()))
        match self.dice.randrange(13):
            case 0 | 1 | 2:
                self.jump()
            case 3 | 4:
                box.car_phases = self.dice.choice([0, 1, len(box.spec.phases), len(box.spec.phases)])
            case 5:
                box.appetite_a = self.dice.choice([0.0, 6.0, 9.0, 16.0, 32.0])
            case 6:
                box.obeys = not box.obeys
            case 7:
                box.online = not box.online
            case 8:
                box.refuses = not box.refuses
            case 9:
                silence = self.now + self.dice.choice([3.0, 8.0, 20.0, 90.0])
                meters = list(self.meters())
                self.silent_until |= dict.fromkeys(self.dice.choice([meters, [self.dice.choice(meters)]]), silence)
            case 10:
                box.mute = not box.mute
            case _:
                mode = self.dice.choice([ChargeMode.NOW, ChargeMode.NOW, ChargeMode.OFF])
                self.modes[box.device.id] = ChargingPreference(mode, priority=self.dice.randrange(3))

    def jump(self) -> None:
        """The load of a branch becomes another one."""
        branch = self.dice.choice(list(self.base))
        most = self.fuses().get(branch, (16.0,) * 3)
        one, two, three = (self.dice.uniform(0, 0.8 * fuse) for fuse in most)
        self.base[branch] = self.known_only(branch, (one, two, three))

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
        boxes[device.id] = Box(device, spec, lag_s=dice.choice([0.0, 2.0, 5.0]), car_phases=len(phases))
    site = Site(
        "Random", ZoneInfo("Europe/Brussels"), 50.85, 4.35, "EUR", 3, main_a, tuple(devices), circuits=tuple(tree),
        sharing=dice.choice(list(Sharing)),
    )  # fmt: skip
    modes = {name: ChargingPreference(ChargeMode.NOW) for name in boxes}
    return World(dice, site, boxes, {"": ZERO} | {c.id: ZERO for c in tree}, modes=modes)
