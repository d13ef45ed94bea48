"""The tree of circuits as lanes: for each phase of each fuse and each power limit, what the cars below may have in all.

    main fuse 25 A, main meter
    |-- house                      measured by the main meter, like everything
    `-- garage 16 A, own meter     lanes L1 L2 L3: 16 A - margin - (measured - what its cars draw)
        `-- carport 10 A           no meter: 10 A - margin - what its other devices are rated for

A circuit with a meter knows its base: what is measured less what its cars draw, between bounds. One without a meter
knows only what hangs on it: cars by their limits, other devices by their rating, chargers that are offline at their
maximum. One whose meter is silent assumes a base of half its fuse, and gives its cars their safe current only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.control.draws import TAKES_A, Draw, in_force, spec_of
from gateway.core.control.mains import phase_currents, speaks, total_w
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.setpoint import LimitKind
from gateway.model.site import BatterySpec, ChargerSpec, Circuit, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec
from gateway.model.snapshot import DeviceState, Snapshot

FUSE_MARGIN_A = 0.5
"""Kept free below a fuse's rating, A: a meter's error and a car's tolerance."""
LIMIT_MARGIN_W = 100.0
"""A battery that gives what a power limit does not allow aims so far below it, W: it comes there in time."""
SILENT_BASE_SHARE = 0.5
"""What of a fuse other loads are taken to use while its meter is silent. A 25 A fuse then holds two cars at 6 A."""
MAIN = ""
"""The id of the main fuse in the tree."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One phase of a fuse (A) or one power limit (W), and what the cars named in `weights` may have of it in all.

    A raise reckons with `least`, a reduction with `most` (see the guard's note).
    """

    circuit: str
    least: float
    most: float
    weights: Mapping[str, float]
    """What one A of a car's limit takes of the lane: 1 for a phase, volts times phases for a power limit."""
    name: str
    reason: str
    binding: bool = False
    """Whether a utility's limit, not a fuse, says so."""
    phase: int | None = None
    """Which phase of a fuse, 1 to 3; None: a power limit."""
    likely: float = float("inf")
    """As `most`, with cars in doubt counted for all they may draw: what probably holds once they have followed."""
    kept: bool = False
    """Whether a part of it is kept for a battery that protection fills first."""
    source: str = ""
    """The event or envelope that set a power limit; empty for fuses and the site file's own."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A circuit at one instant."""

    circuit: Circuit
    below: tuple[Branch, ...]
    devices: tuple[Device, ...]
    """Those that hang directly on it."""
    currents: tuple[float, ...] = ()
    """What its meter shows per phase, A; empty without a meter that speaks."""
    power_w: float | None = None
    silent: bool = False
    """Whether it has a meter that does not speak."""


@dataclass(frozen=True, slots=True)
class Excess:
    """What a meter shows beyond its fuse less the margin, or its power limit, as W on all phases; negative: room."""

    power_w: float
    exceeded: bool
    """Whether the fuse itself, or the limit, is exceeded."""
    authority: Authority
    source: str = ""
    """As `Lane.source`."""


@dataclass(frozen=True, slots=True)
class _Load:
    """What loads a branch beside its heard cars: per phase L1..L3, A, and in all, W; `most` while a car is raised."""

    least: tuple[float, float, float, float]
    most: tuple[float, float, float, float]
    likely: tuple[float, float, float, float] | None = None
    """As `least` with cars in doubt at all they may draw; None: the same."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The installation at one instant; raises nothing, a charger on an unknown circuit hangs on the main fuse."""

    site: Site
    snapshot: Snapshot
    main: Branch
    draws: Mapping[str, Draw] = field(default_factory=dict)

    def branches(self) -> list[Branch]:
        """Every branch, the main fuse first."""
        return _all_below(self.main)

    def lanes(self) -> list[Lane]:
        """The lanes of every fuse and limit, the main fuse's first."""
        return [lane for branch in self.branches() for lane in self._lanes(branch)]

    def held_safe(self) -> frozenset[str]:
        """The chargers below a meter that is silent: each gets its safe current at most."""
        silent = [branch for branch in self.branches() if branch.silent]
        return frozenset(c.id for branch in silent for c in chargers_below(branch))

    def excesses(self) -> dict[str, Excess]:
        """By circuit with a meter that speaks: how much less a battery on all phases must let through."""
        found = {branch.circuit.id: self._excess(branch) for branch in self.branches() if branch.currents}
        return {name: one for name, one in found.items() if one is not None}

    def _excess(self, branch: Branch) -> Excess | None:
        per_phase = self.site.nominal_voltage_v * self.site.phases
        pairs = list(zip(branch.currents, branch.circuit.fuse_a or (), strict=False))[: self.site.phases]
        found = [
            Excess((amps - fuse + FUSE_MARGIN_A) * per_phase, amps > fuse, Authority.ELECTRICAL_SAFETY)
            for amps, fuse in pairs
        ]
        for limit_w, _, source, binding in self._limits_w(branch):
            if branch.power_w is not None:
                over_w = branch.power_w - limit_w
                whose = Authority.BINDING_LIMIT if binding else Authority.ELECTRICAL_SAFETY
                found.append(Excess(over_w + LIMIT_MARGIN_W, over_w > 0, whose, source))
        return max(found, key=lambda one: (one.exceeded, one.power_w), default=None)

    def _lanes(self, branch: Branch) -> list[Lane]:
        heard = {c.id: self.draws[c.id] for c in chargers_below(branch) if self.draws[c.id].heard}
        load, circuit, volts = self._load(branch), branch.circuit, self.site.nominal_voltage_v
        words = "the main fuse" if circuit.id == MAIN else f"the fuse of {circuit.name}"
        found = []
        for index, fuse in enumerate(circuit.fuse_a or ()):
            weights = {name: 1.0 for name, drawn in heard.items() if index + 1 in drawn.phases}
            loads = (load.most, load.least, load.likely or load.least)
            least, most, likely = (fuse - FUSE_MARGIN_A - value[index] for value in loads)
            reason = f"{words} leaves no more"
            found.append(Lane(circuit.id, least, most, weights, words, reason, phase=index + 1, likely=likely))
        weights = {name: volts * len(drawn.phases) for name, drawn in heard.items()}
        words = "the grid connection" if circuit.id == MAIN else f"the limit of {circuit.name}"
        for value, reason, source, binding in self._limits_w(branch):
            least, most = value - load.most[3], value - load.least[3]
            found.append(Lane(circuit.id, least, most, weights, words, reason, binding, source=source))
        return found

    def _limits_w(self, branch: Branch) -> list[tuple[float, str, str, bool]]:
        """The power limits of a branch, W, each with its words, its source and whether a utility or contract says so."""
        if branch.circuit.id != MAIN:
            limit = branch.circuit.limit_w
            return [] if limit is None else [(limit, f"the limit of {branch.circuit.name} leaves no more", "", False)]
        limits = [limit for limit in self.snapshot.limits if limit.kind is LimitKind.SITE_IMPORT]
        caps = [(limit.value, limit.reason, limit.source) for limit in limits]
        if self.site.import_limit_w is not None:
            caps.append((self.site.import_limit_w, "the site's import limit", ""))
        if not caps or branch.power_w is None:
            return []
        return [(*min(caps), True)]

    def _load(self, branch: Branch) -> _Load:
        if branch.silent:
            return self._assumed(branch)
        if branch.currents:
            return self._measured(branch)
        return self._rated(branch)

    def _measured(self, branch: Branch) -> _Load:
        """What the meter shows less what the cars draw, at most (least) or at least (most)."""
        volts, circuit = self.site.nominal_voltage_v, branch.circuit
        shown = (*branch.currents, branch.power_w if branch.power_w is not None else float("inf"))
        heard = [self.draws[c.id] for c in chargers_below(branch) if self.draws[c.id].heard]
        caps = [
            *(circuit.fuse_a or (float("inf"),) * 3),
            min([v for v, *_ in self._limits_w(branch)] or [float("inf")]),
        ]
        margins = (FUSE_MARGIN_A, FUSE_MARGIN_A, FUSE_MARGIN_A, 0.0)
        # Nothing must be cut: then no car counts for less than it may have reached.
        calm = all(cap - margin >= value for cap, margin, value in zip(caps, margins, shown, strict=True))
        calm = calm and all(drawn.obeys for drawn in heard)
        low = _sum([_spread(drawn, drawn.low, volts) for drawn in heard])
        likely = _sum([_spread(drawn, _likely(drawn, calm), volts) for drawn in heard])
        # No later cut would be followed in time: whoever cannot certainly give enough by its minimum is stopped at once.
        certain = _sum([_spread(drawn, min(_likely(drawn, calm), drawn.sure_a), volts) for drawn in heard])
        over = [a > cap + TAKES_A for a, cap in zip(branch.currents, caps, strict=False)]
        one, two, three = (certain[p] if over[p] else likely[p] for p in range(3))
        high = one, two, three, likely[3]
        # What the meter fell since the cars told their draw may be a car that comes back: it is in nobody's room yet.
        # It may as well be the battery: it cuts nobody, but leaves a doubt that counts in an overload (see pressing).
        most = _less(shown, _less(low, _fallen(heard, volts)))
        doubted = _sum([_spread(drawn, drawn.most if drawn.obeys else drawn.low, volts) for drawn in heard])
        return _Load(_less(shown, high), most, _less(shown, doubted))

    def _rated(self, branch: Branch) -> _Load:
        """Without a meter: the branches below, other devices by their rating, offline chargers at their maximum."""
        volts = self.site.nominal_voltage_v
        parts = [_rating(device, self.site) for device in branch.devices]
        for charger in _direct_chargers(branch):
            if not self.draws[charger.id].heard:
                parts.append(_phases(spec_of(charger), spec_of(charger).max_current_a, volts))
        loads = [self._load(child) for child in branch.below]
        fixed = _sum(parts)
        return _Load(_sum([fixed, *(load.least for load in loads)]), _sum([fixed, *(load.most for load in loads)]))

    def _assumed(self, branch: Branch) -> _Load:
        """Behind a silent meter: half the fuse, or what is known of below, and offline chargers at what they may draw.

        The installer's word for one car's safe current holds even where half of the fuse would not hold it.
        """
        volts, fuses = self.site.nominal_voltage_v, branch.circuit.fuse_a or (0.0, 0.0, 0.0)
        one = max((spec_of(c).safe_current_a for c in chargers_below(branch)), default=0.0)
        half = [min(SILENT_BASE_SHARE * fuse, max(0.0, fuse - FUSE_MARGIN_A - one)) for fuse in fuses]
        known = _sum([self._load(child).most for child in branch.below if child.currents])
        base = [max(a, b) for a, b in zip(half, known, strict=False)]
        parts = [(base[0], base[1], base[2], max(known[3], SILENT_BASE_SHARE * (branch.circuit.limit_w or 0.0)))]
        for charger in chargers_below(branch):
            drawn, spec = self.draws[charger.id], spec_of(charger)
            if not drawn.heard:
                # Its own default takes over when our last command ends.
                told = charger.id in self.snapshot.commanded
                amps = in_force(self.snapshot, charger) if told else spec.safe_current_a
                parts.append(
                    _phases(spec, max(amps, spec.safe_current_a) if drawn.obeys else spec.max_current_a, volts)
                )
        load = _sum(parts)
        return _Load(load, load)


def overloaded(main: Branch, volts: float) -> bool:
    """Whether a meter shows more than its fuse or power limit bears: more than a car's tolerance of 1 A explains."""
    for branch in _all_below(main):
        limit_w = branch.circuit.limit_w
        if any(a > fuse + TAKES_A for a, fuse in zip(branch.currents, branch.circuit.fuse_a or (), strict=False)):
            return True
        if limit_w is not None and branch.power_w is not None and branch.power_w > limit_w + TAKES_A * volts:
            return True
    return False


def plant(site: Site, snapshot: Snapshot, timing: ControlTiming) -> Branch:
    """The main fuse and all below it with what their meters show now."""
    main = Circuit(MAIN, "the main fuse", (site.main_fuse_a,) * 3)
    return _branch(main, site, snapshot, timing)


def _branch(circuit: Circuit, site: Site, snapshot: Snapshot, timing: ControlTiming) -> Branch:
    below = tuple(_branch(child, site, snapshot, timing) for child in _children(circuit, site))
    known = {c.id for c in site.circuits}
    devices = tuple(
        d for d in site.devices if d.circuit == circuit.id or (circuit.id == MAIN and d.circuit not in known)
    )
    if circuit.id != MAIN and not circuit.meter:
        return Branch(circuit, below, devices)
    meter = snapshot.main_meter() if circuit.id == MAIN else snapshot.devices.get(circuit.meter)
    if meter is None or not speaks(meter, timing):
        return Branch(circuit, below, devices, silent=True)
    power_w = snapshot.grid_w() if circuit.id == MAIN else total_w(meter, site)
    return Branch(circuit, below, devices, tuple(phase_currents(meter, site)), power_w)


def _children(circuit: Circuit, site: Site) -> list[Circuit]:
    """Those directly below; what names an unknown parent, or hangs in a loop, counts as below the main fuse."""
    known = {c.id for c in site.circuits}
    if circuit.id != MAIN:
        return [c for c in site.circuits if c.parent == circuit.id and site.above(c.id)[-1].parent not in known]
    return [c for c in site.circuits if c.parent not in known or site.above(c.id)[-1].parent in known]


def circuit_meter(branch: Branch, snapshot: Snapshot) -> DeviceState | None:
    """The meter of a circuit, or the main meter; None where it has none or the meter is not known."""
    if branch.circuit.id == MAIN:
        return snapshot.main_meter()
    return snapshot.devices.get(branch.circuit.meter) if branch.circuit.meter else None


def _all_below(branch: Branch) -> list[Branch]:
    return [branch, *(found for child in branch.below for found in _all_below(child))]


def _direct_chargers(branch: Branch) -> list[Device]:
    return [device for device in branch.devices if device.role is Role.EV_CHARGER]


def chargers_below(branch: Branch) -> list[Device]:
    """Every charger on it and on all below it."""
    return [charger for found in _all_below(branch) for charger in _direct_chargers(found)]


def _spread(drawn: Draw, amps: float, volts: float) -> tuple[float, float, float, float]:
    one, two, three = (amps if phase in drawn.phases else 0.0 for phase in (1, 2, 3))
    return one, two, three, amps * volts * len(drawn.phases)


def _likely(drawn: Draw, calm: bool) -> float:
    """What a car counts with where it is to be cut, A."""
    if not drawn.obeys:
        return drawn.low
    return drawn.most if calm else drawn.high


def _fallen(heard: list[Draw], volts: float) -> tuple[float, float, float, float]:
    """The most that the cars together may have fallen since they told their draw, A per phase and W."""
    one, two, three = (
        min(
            max((drawn.fallen[phase - 1] for drawn in heard if phase in drawn.phases), default=0.0),
            sum(drawn.most for drawn in heard if phase in drawn.phases),
        )
        for phase in (1, 2, 3)
    )
    return one, two, three, (one + two + three) * volts


def _phases(spec: ChargerSpec, amps: float, volts: float) -> tuple[float, float, float, float]:
    return _spread(Draw(0.0, 0.0, phases=spec.phases), amps, volts)


def _rating(device: Device, site: Site) -> tuple[float, float, float, float]:
    """What a device that is no charger may take, A per phase and W."""
    volts, spec = site.nominal_voltage_v, device.spec
    if isinstance(spec, WaterHeaterSpec):
        return _on_phase(spec.phase, spec.power_w, volts)
    if isinstance(spec, HeatPumpSpec):
        return _on_phase(spec.phase, spec.max_power_w, volts)
    if isinstance(spec, BatterySpec):
        amps = spec.max_charge_w / site.phases / volts
        one, two, three = (amps if phase <= site.phases else 0.0 for phase in (1, 2, 3))
        return one, two, three, spec.max_charge_w
    return 0.0, 0.0, 0.0, 0.0


def _on_phase(phase: int, power_w: float, volts: float) -> tuple[float, float, float, float]:
    one, two, three = (power_w / volts if phase == other else 0.0 for other in (1, 2, 3))
    return one, two, three, power_w


def _sum(parts: list[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    one, two, three, power = (sum(part[index] for part in parts) for index in range(4))
    return one, two, three, power


def _less(shown: tuple[float, ...], cars: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    one, two, three, power = (value - own for value, own in zip(shown, cars, strict=True))
    return one, two, three, power
