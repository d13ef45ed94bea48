"""What may be commanded in a house of charging_world: the bound that every lane, a fuse phase or a power limit, must hold.

    told (obedient, online) + most of those found out + rest known beside them  <=  fuse - margin, or limit_w

told    what each charger is told at this tick, on the phases it may load by what is known of it
rest    by the last word of the circuit's meter, less what its cars drew at that instant; while it is silent half of the
        fuse and of the limit, and offline chargers at what they may draw; without a meter the meters below it, and
        offline chargers at their maximum

What cannot be demanded, and so is not, because nobody but the cars knows it at that second:

- what a load did since the meter's last word (1 s, or its silence of up to 9 s): the rest is that of the last word;
- of what the meter showed then, what may be a car's: a car that was told less within the last 7 s, or whose last sample
  is older than the command before it, may have drawn up to what it was told; one that took less of itself since its
  last sample counts with the sample; one that never took a limit and tells nothing may draw its maximum. The check is
  made with the rest less this `doubt`;
- that a charger does what it was told, before it can be found out (15 s, two sampling intervals): till then one that
  lies or refuses counts with what it was told, and nobody may be raised into the room it has not left.

A check with a doubt of more than 1 A, or with a liar or refuser not found out yet, counts as excused in the statistics,
though it is made as far as it goes. Where all are told 0 A nothing can be above: those checks are counted apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.control.dispatch import Decision
from gateway.model.snapshot import Snapshot
from tests.core.charging_world import TIMING, VOLTS, Box, World, random_world

MARGIN_A = 0.5
SILENT_SHARE = 0.5
FRESH_S = 20.0
"""Two sampling intervals: an older sample says nothing of the phases in use."""
SEEN_A = 1.0
Lane = int
"""A phase L1 to L3, or 0: all in W."""


@dataclass(slots=True)
class Tally:
    """How many lanes were checked, and how: `idle` where nothing was told."""

    steps: int = 0
    idle: int = 0
    real: int = 0
    excused: int = 0
    unseen: int = 0
    """Of those excused: with a liar or refuser not found out yet."""
    power: int = 0
    """Of the real ones: power limits."""
    silent: int = 0
    """Of the real ones: behind a silent meter."""

    @property
    def excused_share(self) -> float:
        """Of the checks with something told."""
        return self.excused / max(1, self.real + self.excused)


@dataclass(frozen=True, slots=True)
class Rest:
    """What is known to load a lane beside the cars that hear, A or W, of which `doubt` may be theirs."""

    known: float
    doubt: float = 0.0


def commanded_above(
    world: World, snapshot: Snapshot, before: dict[str, float], decision: Decision, tally: Tally
) -> list[str]:
    """Every lane that the new limits and the known rest would overload, in words; none is right.

    `snapshot`: what the decision knew; `before`: the limit each charger stood at then, A.
    """
    tally.steps += 1
    told = {s.device: s.value for s in decision.setpoints}
    found, guilty = [], snapshot.disobeying
    for circuit, lane, most in lanes(world):
        boxes = [b for b in under(world, circuit) if b.online]

        def weight(box: Box, lane: Lane = lane) -> float:
            return size(phases_known(world, box), lane)

        wanted = sum(told[b.device.id] * weight(b) for b in boxes if b.device.id not in guilty)
        if wanted <= 0:
            tally.idle += 1
            continue
        rest = known_rest(world, circuit, lane)
        liars = sum(b.spec.max_current_a * weight(b) for b in boxes if b.device.id in guilty)
        amps = wanted
        heeding = [b for b in boxes if b.device.id not in guilty and weight(b)]
        if any(told[b.device.id] > before[b.device.id] for b in heeding):
            # A raise needs that all that stand higher have come down by their own word.
            amps = sum(max(told[b.device.id], b.limit_a) * weight(b) for b in heeding)
        unseen = any(unknown(guilty, b, told[b.device.id]) and weight(b) for b in boxes)
        count(tally, world, circuit, lane, rest, unseen)
        if liars + rest.known - rest.doubt + amps > most + 1e-6:
            unit, name = ("A", f"L{lane}") if lane else ("W", "power")
            found.append(
                f"{circuit or 'main'} {name}: {rest.known:.1f} - {rest.doubt:.1f} + {liars:.1f} + {amps:.1f} "
                f"of {most:.1f} {unit}"
            )
    return found


def count(tally: Tally, world: World, circuit: str, lane: Lane, rest: Rest, unseen: bool) -> None:
    """What kind of check this is."""
    if unseen or rest.doubt > (1.0 if lane else 3 * VOLTS):
        tally.excused += 1
        tally.unseen += unseen
        return
    tally.real += 1
    tally.power += lane == 0
    tally.silent += circuit in world.meters() and world.silent(circuit)


def lanes(world: World) -> Iterator[tuple[str, Lane, float]]:
    """Every fuse phase with its rating less the margin, A, and every power limit, W."""
    for circuit, fuse in world.fuses().items():
        for phase in (1, 2, 3):
            yield circuit, phase, fuse[phase - 1] - MARGIN_A
    for noun in world.site.circuits:
        if noun.limit_w is not None:
            yield noun.id, 0, noun.limit_w


def under(world: World, circuit: str) -> list[Box]:
    """The chargers below a circuit."""
    below = world.below(circuit)
    return [b for b in world.boxes.values() if b.device.circuit in below]


def phases_known(world: World, box: Box) -> tuple[int, ...]:
    """The phases a car may load: all of the charger's, unless a fresh sample shows it drawing on fewer."""
    seen = box.sample.amps > SEEN_A and box.car_phases and world.now - box.sample.at <= FRESH_S
    return box.sample.phases if seen else box.spec.phases


def unknown(guilty: frozenset[str], box: Box, told: float) -> bool:
    """Whether it draws, or may draw, more than it is told, and was not found out yet."""
    if box.device.id in guilty:
        return False
    return (not box.obeys and box.car_phases > 0) or (box.refuses and box.limit_a > told)


def thought(world: World, box: Box, at: float) -> float:
    """The most the car may have drawn at a moment by all that was known, A per phase."""
    limits = box.limits_since(at - TIMING.settle_s)
    if world.now - box.sample.at > FRESH_S:
        return max(limits) if box.device.id in world.commanded else box.spec.max_current_a
    settled = box.sample.at - box.told_at >= TIMING.follow_s
    return box.sample.amps if settled else max(box.sample.amps, *limits)


def known_rest(world: World, circuit: str, lane: Lane) -> Rest:
    """What loads a lane beside its cars, by all that is known of it."""
    if circuit in world.meters():
        return assumed(world, circuit, lane) if world.silent(circuit) else measured(world, circuit, lane)
    parts = [known_rest(world, c.id, lane) for c in world.site.circuits if c.parent == circuit]
    own = [b for b in world.boxes.values() if b.device.circuit == circuit and not b.online]
    offline = sum(b.spec.max_current_a * size(b.spec.phases, lane) for b in own)
    return Rest(offline + sum(p.known for p in parts), sum(p.doubt for p in parts))


def measured(world: World, circuit: str, lane: Lane) -> Rest:
    """The meter's last word less what its online cars drew then, and how much less they may have drawn by what is known."""
    word = world.words[circuit]
    known = word.shown[lane - 1] if lane else sum(word.shown) * VOLTS
    doubt = 0.0
    for box in under(world, circuit):
        if box.online:
            phases, amps = word.draws[box.device.id]
            counted = phases_known(world, box)
            true = amps * size([p for p in phases if p in counted], lane)
            known -= true
            doubt += max(0.0, thought(world, box, word.at) * size(counted, lane) - true)
    return Rest(known, doubt)


def assumed(world: World, circuit: str, lane: Lane) -> Rest:
    """Behind a silent meter: half of the fuse, where one car's safe current fits beside it, and offline chargers."""
    boxes, noun = under(world, circuit), world.site.circuit(circuit)
    one = max((b.spec.safe_current_a for b in boxes), default=0.0)
    known = SILENT_SHARE * ((noun.limit_w if noun else None) or 0.0)
    if lane:
        fuse = world.fuses().get(circuit, (0.0,) * 3)[lane - 1]
        known = min(SILENT_SHARE * fuse, max(0.0, fuse - MARGIN_A - one))
    offline = sum(_falls_to(world, b) * size(b.spec.phases, lane) for b in boxes if not b.online)
    return Rest(known + offline)


def _falls_to(world: World, box: Box) -> float:
    """What an offline charger may draw, A: what it was told, or its own default once that ended."""
    if box.device.id in world.disobeying:
        return box.spec.max_current_a
    return max(box.limit_a if box.device.id in world.commanded else 0.0, box.spec.safe_current_a)


def size(phases: tuple[int, ...] | list[int], lane: Lane) -> float:
    """What one A on these phases takes of a lane."""
    return float(lane in phases) if lane else VOLTS * len(phases)


def adventures(seed: int, tally: Tally, seconds: int = 200, chance: float = 0.1) -> list[str]:
    """What went above in one house while something happens each `1 / chance` s, in words."""
    world, found = random_world(seed), []
    for second in range(seconds):
        if world.dice.random() < chance:
            world.misadventure()
        before = {name: box.limit_a for name, box in world.boxes.items()}
        snapshot, decision = world.step()
        found += [
            f"house {seed}, second {second}: {words}"
            for words in commanded_above(world, snapshot, before, decision, tally)
        ]
    return found


def longest_overload_s(world: World, seconds: int, *, every_s: int = 0, chance: float = 0.0) -> tuple[int, str]:
    """For how long a fuse was overloaded while online cars there drew above their minimum, s, and where.

    Loads jump each `every_s`, one overload at a time, or at random with `chance` each second, one upon the other. A cut
    takes a second for meter and tick and 5 s for the car; a car that was raised and whose charger has not told a sample
    since may be anywhere between, and is cut to the end only once it told (10 s).
    """
    lasting: dict[tuple[str, int], int] = {}
    worst = (0, "")
    for second in range(seconds):
        if (every_s and second % every_s == 0) or (chance and world.dice.random() < chance):
            world.jump()
        world.step()
        for circuit, fuses in world.fuses().items():
            boxes = under(world, circuit)
            for phase in (1, 2, 3):
                moving = any(b.loads(phase, b.draws_a) > b.spec.min_current_a for b in boxes)
                over = world.flows(circuit)[phase - 1] > fuses[phase - 1] and moving
                lasting[circuit, phase] = lasting.get((circuit, phase), 0) + 1 if over else 0
                worst = max(worst, (lasting[circuit, phase], f"{circuit or 'main'} L{phase}, second {second}"))
    return worst
