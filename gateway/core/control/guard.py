"""The guard: what fuses, silent meters and limits leave for cars and battery, as lanes that sharing divides.

The car's true current at the instant of the meter's sample is known only within bounds: for some seconds after
a command it may draw anything between the old and the new limit, and its own report is up to one sampling
interval old. So the guard reckons with both ends:

    room for the cars = cars' draw + (fuse - measured current)

    raising uses the least they may be drawing   -> never raises into an overload
    reducing uses the most they may be drawing   -> never cuts a car twice for one overload

The same holds for every circuit with a meter of its own; gateway/core/control/circuits.py has those without.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from gateway.core.control.circuits import MAIN, Branch, Excess, Lane, Tree, overloaded, plant
from gateway.core.control.draws import Draw, Past, at_samples, draws, spec_of
from gateway.core.control.mains import meter_words, phase_currents
from gateway.core.control.pressing import Over, Place, pressure
from gateway.core.control.timing import ControlTiming
from gateway.model.site import Device, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus, Snapshot

__all__ = ["Draw", "Guarded", "Starting", "guard", "phase_currents"]


@dataclass(frozen=True, slots=True)
class Starting:
    """What another device is about to draw by our own command: no charger is raised into it."""

    circuit: str
    phase: int
    power_w: float


@dataclass(frozen=True, slots=True)
class Guarded:
    """The guard's verdict for one tick."""

    site: Site
    meter_ok: bool
    draws: Mapping[str, Draw]
    lanes: tuple[Lane, ...] = ()
    current_a: tuple[float, ...] = ()
    """What the main meter shows per phase, A; empty while it is silent."""
    held_safe: frozenset[str] = frozenset()
    """Chargers below a silent meter: at most their safe current."""
    sampled: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """What the main meter showed when each charger last told what it draws, A per phase."""
    alarms: tuple[tuple[str, str], ...] = ()
    """(cause, sentence) of what a person must know."""
    calm_a: tuple[float, ...] = ()
    """What the main meter showed when nothing was overloaded last, A per phase."""
    over: Mapping[Place, Over] = field(default_factory=dict)
    """The overloads that stand."""
    pressed: frozenset[str] = frozenset()
    """Chargers told no more than their minimum, so that an overload surely ends in time."""
    excesses: Mapping[str, Excess] = field(default_factory=dict)
    """By circuit: what its meter shows beyond its fuse or limit."""
    helped_w: Mapping[str, float] = field(default_factory=dict)
    """By circuit: what batteries give for the fuse only, W; the lanes keep it free of cars."""

    def left(self, lane: Lane, granted: Mapping[str, float]) -> float:
        """What is left of a lane, A or W, once each charger is told `granted` A and draws no less than it does."""
        used = 0.0
        for name, weight in lane.weights.items():
            drawn = self.draws[name]
            amps = max(granted.get(name, 0.0), drawn.low)
            used += weight * (amps if drawn.obeys else max(amps, self._most_a(name)))
        return lane.least - used

    def below_overload(self, charger: str) -> bool:
        """Whether a fuse above a charger is overloaded on a phase that its car loads."""
        device, phases = self.site.device(charger), self.draws[charger].phases
        above = {MAIN, *(circuit.id for circuit in self.site.above(device.circuit))} if device is not None else set()
        return any(circuit in above and phase in phases for circuit, phase in self.over)

    def battery_room_w(self, battery: Device, granted: Mapping[str, float]) -> float | None:
        """How much more a battery may take from the grid, W; None when the main meter is silent (it rests)."""
        return self.battery_room(battery, granted)[0] if self.meter_ok else None

    def battery_room(self, battery: Device, granted: Mapping[str, float]) -> tuple[float, str]:
        """How much more a battery may take from the grid, W, and the source of the limit that says so."""
        above = {MAIN, *(circuit.id for circuit in self.site.above(battery.circuit) if circuit.meter)}
        per_phase = self.site.nominal_voltage_v * self.site.phases
        rooms = [(float("inf"), "")]
        for lane in self.lanes:
            if lane.circuit in above and (lane.phase or 1) <= self.site.phases:
                helped_w = self.helped_w.get(lane.circuit, 0.0)
                room_w = self.left(lane, granted) * (per_phase if lane.phase else 1.0) + helped_w
                rooms.append((room_w, lane.source))
        return min(rooms)

    def room_a(self, charger: Device, phases: tuple[int, ...], told: Mapping[str, float]) -> float:
        """What a charger could have on these phases while all others stand at what they were `told`, A per phase."""
        above = {MAIN, *(circuit.id for circuit in self.site.above(charger.circuit))}
        rooms = [float("inf")]
        for lane in self.lanes:
            if lane.circuit in above and (lane.phase is None or lane.phase in phases):
                others = {name: weight for name, weight in lane.weights.items() if name != charger.id}
                left = self.left(replace(lane, weights=others), told)
                rooms.append(left / (1.0 if lane.phase else self.site.nominal_voltage_v * len(phases)))
        return max(0.0, min(rooms))

    def counted_a(self, charger: Device) -> float | None:
        """What a charger that does not obey counts with, A per phase; None for one that does."""
        drawn = self.draws[charger.id]
        return None if drawn.obeys else max(spec_of(charger).max_current_a, drawn.high)

    def _most_a(self, charger: str) -> float:
        device = self.site.device(charger)
        return 0.0 if device is None else self.counted_a(device) or 0.0


def guard(
    site: Site,
    snapshot: Snapshot,
    timing: ControlTiming,
    sent_at: Mapping[str, float],
    drawn_before: Mapping[str, float],
    meter_before: Mapping[str, tuple[float, ...]],
    mono: float,
    starting: Iterable[Starting] = (),
    phases_told: Mapping[str, int] | None = None,
    meter_sampled: Mapping[str, tuple[float, ...]] | None = None,
    tick_s: float = 1.0,
    limits_before: Mapping[str, tuple[tuple[float, float], ...]] | None = None,
    calm_before: tuple[float, ...] = (),
    over_before: Mapping[Place, Over] | None = None,
    helped_w: Mapping[str, float] | None = None,
) -> Guarded:
    """What is left for the chargers and the battery under every fuse and limit of the home.

    Per charger, as of the last change of its limit: `sent_at` the moment (monotonic home s), `drawn_before` the most
    its car may have been drawing, A, `meter_before` what the main meter showed, A. A silent main meter gives every
    charger its safe current, as far as the fuse holds all of them beside half its rating, and holds the battery.
    `starting`: other devices just switched on; `phases_told`: how many phases each switching charger was told to use;
    `meter_sampled`: what the main meter showed when each charger last told its draw, as of the last look `tick_s` s ago;
    `limits_before`: each charger's limits before the present one, until when and A;
    `calm_before`: what the main meter showed when nothing was overloaded last, A per phase;
    `over_before`: the overloads that stood at the last tick; `helped_w`: by circuit, what batteries give for it only, W.
    """
    main = plant(site, snapshot, timing)
    calm = calm_before if overloaded(main, site.nominal_voltage_v) else main.currents
    sampled = at_samples(site, snapshot, meter_sampled or {}, main.currents, tick_s)
    past = Past(sent_at, drawn_before, meter_before, phases_told or {}, sampled, limits_before or {}, calm)
    found = draws(site, snapshot, timing, past, main.currents, mono)
    tree = Tree(site, snapshot, main, found)
    helped = helped_w or {}
    lanes = tuple(_less_helped(site, _less_starting(site, lane, list(starting)), helped) for lane in tree.lanes())
    pressed = pressure(tree.branches(), snapshot, timing, found, over_before or {}, mono)
    alarms = tuple(_alarms(tree, snapshot, timing, pressed.over))
    return Guarded(
        site, not main.silent, found, lanes, main.currents, tree.held_safe(), sampled, alarms, calm,
        pressed.over, pressed.chargers, tree.excesses(), helped,
    )  # fmt: skip


def _less_starting(site: Site, lane: Lane, starting: list[Starting]) -> Lane:
    """A reduction answers what is measured; a raise also leaves room for what is about to start."""
    phase = lane.phase
    below = [s for s in starting if lane.circuit in (MAIN, *(c.id for c in site.above(s.circuit)))]
    if not below or phase is None:
        return lane
    return replace(lane, least=lane.least - sum(s.power_w for s in below if s.phase == phase) / site.nominal_voltage_v)


def _less_helped(site: Site, lane: Lane, helped_w: Mapping[str, float]) -> Lane:
    """What the battery gives for the fuse is not there for a car: else it would be drained into it."""
    given = helped_w.get(lane.circuit, 0.0)
    share = given / site.phases / site.nominal_voltage_v if lane.phase else given
    return replace(lane, least=lane.least - share) if given else lane


def _alarms(tree: Tree, snapshot: Snapshot, timing: ControlTiming, over: Mapping[Place, Over]) -> list[tuple[str, str]]:
    if tree.main.silent:
        return [("meter", meter_words(snapshot.main_meter()))]
    alarms = []
    dumb = [branch.circuit.name for branch in tree.branches() if branch.silent]
    if dumb:
        words = f"The meter of {' and '.join(dumb)} is silent: cars there charge at their safe current only."
        alarms.append(("meter", words))
    stubborn = [_name(tree.site, name) for name in sorted(snapshot.disobeying)]
    moving = any(_may_draw(status) for status in snapshot.chargers.values())
    why = "by loads Hearth does not control"
    if stubborn:
        why = f"as {' and '.join(stubborn)} {'does' if len(stubborn) == 1 else 'do'} not honour the limit"
    # Within the time that a car and the meter take, an overload may be one that a cut has ended already.
    stands = {place for place, each in over.items() if each.word - each.since >= timing.settle_s}
    found = [] if moving and not stubborn else [w for each in tree.branches() for w in _overload(each, stands, why)]
    return [*alarms, *(("fuse", words) for words in found[:1])]


def _may_draw(status: ChargerStatus) -> bool:
    """Whether a car draws, as far as its charger tells; one that tells nothing of a car that charges may."""
    told = [abs(current) for current in status.current_a if current is not None]
    if status.power_w is None and not told:
        return status.phase is ChargePhase.CHARGING
    return (status.power_w or 0.0) > 100 or max(told, default=0.0) > 1.0


def _name(site: Site, charger: str) -> str:
    device = site.device(charger)
    return device.name if device else charger


def _overload(branch: Branch, stands: AbstractSet[Place], why: str) -> Iterable[str]:
    """Overload that no command can end: chargers and battery are at their least, or a charger does not obey."""
    for index, (current, fuse) in enumerate(zip(branch.currents, branch.circuit.fuse_a or (), strict=False)):
        if current > fuse and (branch.circuit.id, index + 1) in stands:
            of = "" if branch.circuit.id == MAIN else f" of {branch.circuit.name}"
            drawn = f"{current:.0f}" if current >= fuse + 1 else f"{current:.1f}"
            yield f"Phase L{index + 1} draws {drawn} A, above the {fuse:.0f} A fuse{of}, {why}."
