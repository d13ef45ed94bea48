"""The tick's decision: from one Snapshot to the whole wish, one setpoint per device.

    Snapshot -> guard (fuses, silent meters, limits) -> wishes by authority -> sharing -> setpoints

A pure function: the same snapshot and memory give the same setpoints, so that a restart at any instant is harmless.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.core.control import islanding, phase_switching, switches, turns
from gateway.core.control.batteries import StorageMemory, battery_powers, battery_setpoints
from gateway.core.control.charging import SolarMemory, charging_wish, share_sun
from gateway.core.control.circuits import MAIN, Lane
from gateway.core.control.curtailment import ExportMemory, curtail
from gateway.core.control.draws import in_force, spec_of
from gateway.core.control.filling import lanes_beside_storm
from gateway.core.control.guard import Guarded, guard
from gateway.core.control.helping import given_w
from gateway.core.control.idling import counted, idle_since
from gateway.core.control.islanding import Island
from gateway.core.control.phase_switching import PhaseRun
from gateway.core.control.pressing import Over, Place
from gateway.core.control.retreat import LOWERED_A, Retreat, retreats
from gateway.core.control.sharing import Claim, Shares, share
from gateway.core.control.timing import ControlTiming
from gateway.core.control.turns import Turn
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ChargerSpec, Device, Role, Site
from gateway.model.snapshot import Snapshot

CURRENT_STEP_A = 0.5
"""Smallest rise worth a command, A; a reduction is always worth one."""


@dataclass(frozen=True, slots=True)
class ControlMemory:
    """What the tick remembers: when each charger's limit was last changed and paused (monotonic home s), the sun."""

    changed_at: Mapping[str, float] = field(default_factory=dict)
    drawn_a: Mapping[str, float] = field(default_factory=dict)
    """The most each car may have been drawing when its limit was last changed, A per phase."""
    meter_a: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """What the main meter showed at that moment, A per phase."""
    limits: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    """The limits each charger stood at before the present one: until when (monotonic home s), and A per phase."""
    paused_at: Mapping[str, float] = field(default_factory=dict)
    solar: SolarMemory | None = None
    heating: Mapping[str, float] = field(default_factory=dict)
    """Since when each tank is wished on."""
    turns: Mapping[str, Turn] = field(default_factory=dict)
    phases: Mapping[str, PhaseRun] = field(default_factory=dict)
    sampled_a: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """What the main meter showed when each charger last told what it draws, A per phase."""
    calm_a: tuple[float, ...] = ()
    """What the main meter showed when no fuse was overloaded last, A per phase."""
    over: Mapping[Place, Over] = field(default_factory=dict)
    """The overloads that stood then."""
    retreats: Mapping[str, Retreat] = field(default_factory=dict)
    """By charger: the last raise that a fuse took back."""
    at: float = -math.inf
    """When the last tick was (monotonic home s)."""
    accepted: Mapping[str, Setpoint | None] = field(default_factory=dict)
    """What each charger had accepted by then."""
    most_a: Mapping[str, float] = field(default_factory=dict)
    """The most each car may have been drawing then, A per phase."""
    storage: StorageMemory = field(default_factory=StorageMemory)
    idle: Mapping[str, float] = field(default_factory=dict)
    """Since when each car draws nothing."""
    island: Island = field(default_factory=Island)
    export: ExportMemory = field(default_factory=ExportMemory)


@dataclass(frozen=True, slots=True)
class Decision:
    """One tick's result: the whole wish, the memory for the next tick, and what a person must know."""

    setpoints: tuple[Setpoint, ...]
    memory: ControlMemory
    alarms: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Moment:
    """All that the decisions of one tick share."""

    site: Site
    snapshot: Snapshot
    guarded: Guarded
    memory: ControlMemory
    solar: SolarMemory
    timing: ControlTiming
    mono: float
    off: Mapping[str, str] = field(default_factory=dict)
    """Devices that are off while the grid is lost, and why."""

    def now_a(self, device: Device) -> float:
        """The limit it stands at: before our first command, its own safe default."""
        before = self.snapshot.commanded.get(device.id)
        return before.value if before is not None else spec_of(device).safe_current_a

    def rests(self, device: Device) -> bool:
        """Whether it was stopped for lack of room less than a minute ago, or longer where that comes again and again."""
        paused, back = self.memory.paused_at.get(device.id, -math.inf), self.memory.retreats.get(device.id)
        by_fuse = back is not None and back.at == paused
        return self.mono - paused < (back.rest_s(self.timing) if back and by_fuse else self.timing.resume_pause_s)

    def patient_a(self, device: Device) -> float:
        """How far it may be raised after a fuse took a raise back, A per phase."""
        back = self.memory.retreats.get(device.id)
        most = back.most_a(self.mono) if back is not None else None
        return math.inf if most is None else max(most, self.now_a(device))

    def may_raise(self, device: Device, wish: Wish) -> bool:
        """Raises need fresh data and some patience; the owner's own word needs no patience."""
        meter, now_a = self.snapshot.main_meter(), self.now_a(device)
        age_s = meter.age_s if meter is not None else None
        stale = age_s is None or age_s > self.timing.raise_age_s
        # What a car may draw when nothing is known is no raise into the unknown, once nothing is known for long.
        lasting = not self.guarded.meter_ok and (age_s is None or age_s > self.timing.resume_pause_s)
        recent = self.mono - self.memory.changed_at.get(device.id, -math.inf) < self.timing.raise_pause_s
        hasty = recent and now_a > 0 and wish.authority is not Authority.OWNER_OVERRIDE
        return (lasting or not stale) and not hasty and not self.rests(device)


def decide(site: Site, snapshot: Snapshot, memory: ControlMemory, timing: ControlTiming, monotonic: float) -> Decision:
    """The whole wish for one tick; `monotonic` in s of home time."""
    memory = _noticed(site, snapshot, memory, timing)
    island = islanding.look(site, snapshot, memory.island, monotonic)
    heating = switches.heating(
        site, snapshot, memory.heating, monotonic, island.off, first=memory.solar is None
    )  # fmt: skip
    starting = switches.starting(site, heating, timing, monotonic)
    told = {name: run.phases for name, run in memory.phases.items()}
    guarded = guard(
        site, snapshot, timing, memory.changed_at, memory.drawn_a, memory.meter_a, monotonic, starting, told,
        memory.sampled_a, monotonic - memory.at, memory.limits, memory.calm_a,
        memory.over, given_w(site, memory.storage.helps, battery_powers(site, snapshot)),
    )  # fmt: skip
    solar = share_sun(site, snapshot, memory.solar, monotonic)
    now = _Moment(site, snapshot, guarded, memory, solar, timing, monotonic, island.off)
    chargers = site.of_role(Role.EV_CHARGER)
    runs = {c.id: run for c in chargers if (run := _phase_run(now, c)) is not None}
    wishes = {c.id: _wish(now, c, runs.get(c.id)) for c in chargers}
    claims = {c.id: _claim(now, c, wishes[c.id]) for c in chargers}
    lanes = lanes_beside_storm(site, snapshot, guarded.lanes)
    shares = share([claims[c.id] for c in chargers if guarded.draws[c.id].heard], lanes)
    setpoints = [_setpoint(now, c, wishes[c.id], claims[c.id], shares, runs.get(c.id)) for c in chargers]
    granted = {setpoint.device: setpoint.value for setpoint in setpoints}
    after = replace(_remember(now, chargers, setpoints, shares), retreats=_retreats(now, wishes, setpoints))
    idle = idle_since(site, snapshot, memory.idle, monotonic)
    stored, storage = _batteries(now, counted(site, granted, idle, timing, monotonic), island)
    cut, export, alarms = curtail(site, snapshot, memory.export, timing, monotonic)
    setpoints += [*stored, *switches.switch_setpoints(site, snapshot, timing, island.off), *cut]
    after = replace(after, storage=storage, idle=idle, island=island, export=export)
    after = replace(after, solar=solar, heating=heating, phases=runs, sampled_a=guarded.sampled)
    after = replace(after, calm_a=guarded.calm_a, over=guarded.over, at=monotonic)
    alarms += islanding.alarms(island)
    # What a meter without a grid says of safe currents does not hold for an island.
    alarms += [alarm for alarm in guarded.alarms if not (island.lost and alarm[0] == "meter")]
    return Decision(tuple(setpoints), after, tuple(alarms))


def _noticed(site: Site, snapshot: Snapshot, memory: ControlMemory, timing: ControlTiming) -> ControlMemory:
    """The memory with the limits that were accepted since the last tick: each may have changed right after it.

    A command that was refused or lost changes nothing: the charger stands where it stood.
    """
    changed, drawn, shown = dict(memory.changed_at), dict(memory.drawn_a), dict(memory.meter_a)
    limits = dict(memory.limits)
    for device in site.of_role(Role.EV_CHARGER):
        if device.id not in memory.accepted:
            continue
        now, before = snapshot.commanded.get(device.id), memory.accepted[device.id]
        if now is not None and not now.same_wish(before):
            changed[device.id] = memory.at
            drawn[device.id] = memory.most_a[device.id]
            shown[device.id] = memory.sampled_a.get("", ())
            recent = [one for one in limits.get(device.id, ()) if one[0] > memory.at - timing.settle_s]
            stood = before.value if before is not None else math.inf
            limits[device.id] = (*recent, (memory.at, stood))
    return replace(memory, changed_at=changed, drawn_a=drawn, meter_a=shown, limits=limits)


def _phase_run(now: _Moment, device: Device) -> PhaseRun | None:
    """On how many phases a charger that can switch charges from now on; None for all others."""
    spec, status = spec_of(device), now.snapshot.chargers.get(device.id)
    if status is None or not phase_switching.can_switch(spec, status):
        return now.memory.phases.get(device.id)
    commanded = now.snapshot.commanded.get(device.id)
    run = now.memory.phases.get(device.id) or phase_switching.found(commanded, status)
    run = phase_switching.seen(run, status, now.timing, now.mono)
    if not turns.plugged(status):
        return replace(run, wanted_since=None)
    told = {name: setpoint.value for name, setpoint in now.snapshot.commanded.items()}
    gets = {}
    for phases in (3, 1):
        wish = charging_wish(now.site, now.snapshot, device, now.solar.share_w(device.id), phases)
        room = now.guarded.room_a(device, spec.phases[:phases], told)
        gets[phases] = min(wish.value, max(room, now.now_a(device) if run.phases == phases else 0.0))
    want = phase_switching.wanted(run, gets[3], gets[1], spec)
    today = now.snapshot.now.astimezone(now.site.timezone).date()
    return phase_switching.step(run, want, now.timing, now.mono, today)


def _wish(now: _Moment, device: Device, run: PhaseRun | None) -> Wish:
    """What the charger should be set to before the fuses have their say."""
    if device.id in now.off:
        return Wish(0.0, Authority.PROTECTION, now.off[device.id])
    phases = 0 if run is None else 1 if run.one_phase_car else run.phases
    wish = charging_wish(now.site, now.snapshot, device, now.solar.share_w(device.id), phases)
    if run is not None and phase_switching.switching(run, now.timing, now.mono):
        words = f"Going over to {'one phase' if run.phases == 1 else 'three phases'}."
        return wish.capped(0.0, Authority.ELECTRICAL_SAFETY, words)
    return wish


def _claim(now: _Moment, device: Device, wish: Wish, *, pressed: bool = True) -> Claim:
    spec, now_a = spec_of(device), now.now_a(device)
    most = min(wish.value, spec.max_current_a, now.patient_a(device))
    if pressed and device.id in now.guarded.pressed:
        most = min(most, spec.min_current_a)
    if device.id in now.guarded.held_safe or not now.guarded.meter_ok:
        most = min(most, spec.safe_current_a)
    if now_a == 0 and now.rests(device):
        most = 0.0  # nobody is lowered for one that may not begin yet
    status, turn = now.snapshot.chargers.get(device.id), now.memory.turns.get(device.id)
    idle = turns.idleness(status, now_a, turn, now.timing, now.mono)
    rank, level = turns.order_of(now.site, now.snapshot, device, idle, turn, now.timing, now.mono)
    return Claim(
        device.id, most, now_a, in_force(now.snapshot, device), spec.min_current_a, rank, level,
        now.may_raise(device, wish), now.guarded.counted_a(device),
    )  # fmt: skip


def _setpoint(now: _Moment, device: Device, wish: Wish, claim: Claim, shares: Shares, run: PhaseRun | None) -> Setpoint:
    """One charger's command: its share of the room, told with whose authority and why."""
    spec, before = spec_of(device), now.snapshot.commanded.get(device.id)
    lane = shares.stopped.get(device.id)
    share_a = shares.amps[device.id] if device.id in shares.amps else _unheard(now, device, claim)
    authority = Authority.BINDING_LIMIT if lane is not None and lane.binding else Authority.ELECTRICAL_SAFETY
    bent = wish.capped(share_a, authority, _why(now, device, lane, shares), lane.source if lane is not None else "")
    if bent is not wish and lane is not None and lane.kept:
        bent = replace(bent, authority=Authority.PROTECTION)
    amps = _step(bent.value, spec)
    if before is not None and claim.now_a < amps < claim.now_a + CURRENT_STEP_A and claim.now_a >= spec.min_current_a:
        amps = claim.now_a
    until = now.snapshot.now + timedelta(seconds=now.timing.command_life_s)
    phases = run.phases if run is not None and run.told else 0
    return Setpoint(
        device.id, SetpointKind.CURRENT, amps, until, bent.authority, bent.reason, source=bent.source, phases=phases
    )


def _unheard(now: _Moment, device: Device, claim: Claim) -> float:
    """The limit for a charger that does not hear it: it waits for it when it comes back."""
    if not now.guarded.meter_ok:
        return min(claim.wish_a, claim.now_a)
    left = [
        now.guarded.left(lane, {})
        for lane in now.guarded.lanes
        if lane.circuit == "" and (lane.phase is None or lane.phase in spec_of(device).phases)
    ]
    room = min(left, default=math.inf)
    return min(claim.wish_a, claim.now_a + room if room < 0 else max(claim.now_a, room))


def _why(now: _Moment, device: Device, lane: Lane | None, shares: Shares) -> str:
    if not now.guarded.meter_ok and lane is not None and device.id not in shares.seated:
        return f"Waits: the main meter is silent, and beside other loads {lane.name} holds no more cars."
    if not now.guarded.meter_ok:
        return "Held back: the main meter is silent, so the car gets its safe current only."
    if device.id in now.guarded.held_safe:
        return "Held back: the meter of its circuit is silent, so the car gets its safe current only."
    if lane is None and device.id in now.guarded.pressed:
        return "Held back: a fuse is overloaded, and there is no time to see how far the car comes down."
    if lane is None and math.isfinite(now.patient_a(device)):
        return "Held back: the fuse took the last raise back, so the next one waits."
    if lane is None:
        return "Held back by the guard."
    if lane.binding or lane.kept:
        return f"Held back: {lane.reason.rstrip(' .')}."
    others = [name for name in lane.weights if name != device.id and shares.amps.get(name, 0.0) > 0]
    if not others:
        return f"Held back: {lane.reason.rstrip(' .')}."
    if device.id not in shares.seated:
        return f"Waits its turn: {lane.name} does not hold one more car now."
    return f"Held back: {lane.name} is shared by {len(others) + 1} cars."


def _remember(now: _Moment, chargers: tuple[Device, ...], setpoints: list[Setpoint], shares: Shares) -> ControlMemory:
    """The memory of what was changed at this tick, and of whose turn it is."""
    paused = dict(now.memory.paused_at)
    wants, seated = dict[str, bool](), dict[str, bool]()
    for device, setpoint in zip(chargers, setpoints, strict=True):
        before = now.snapshot.commanded.get(device.id)
        lane = shares.stopped.get(device.id)
        held = lane is not None or not now.guarded.meter_ok
        present = turns.plugged(now.snapshot.chargers.get(device.id))
        if setpoint.value == 0 and (before is None or before.value > 0) and held and present:
            # Only the stop itself: a rest that counted anew at every tick would never end.
            # Behind a silent meter nobody lacked room: it may start again as soon as the meter is trusted.
            shorter = now.timing.resume_pause_s - now.timing.raise_pause_s if lane is None else 0.0
            paused[device.id] = now.mono - shorter
        wants[device.id] = present and (setpoint.value > 0 or lane is not None or now.rests(device))
        seated[device.id] = setpoint.value > 0
    return replace(
        now.memory, paused_at=paused, turns=turns.next_turns(now.memory.turns, wants, seated, now.mono),
        accepted={c.id: now.snapshot.commanded.get(c.id) for c in chargers},
        most_a={name: drawn.most for name, drawn in now.guarded.draws.items()},
    )  # fmt: skip


def _retreats(now: _Moment, wishes: Mapping[str, Wish], setpoints: list[Setpoint]) -> dict[str, Retreat]:
    """What is remembered of raises that a fuse took back: what it held is reckoned without the press and the doubt."""
    lowered = [
        s.device for s in setpoints
        if s.authority is Authority.ELECTRICAL_SAFETY and now.guarded.below_overload(s.device)
        and (before := now.snapshot.commanded.get(s.device)) is not None and s.value < before.value - LOWERED_A
    ]  # fmt: skip
    if not lowered:
        return retreats(now.memory.retreats, {}, now.timing, now.mono)
    heard = [c for c in now.site.of_role(Role.EV_CHARGER) if now.guarded.draws[c.id].heard]
    lanes = [replace(lane, most=max(lane.most, lane.likely if lane.phase else 0.0)) for lane in now.guarded.lanes]
    held = share([_claim(now, c, wishes[c.id], pressed=False) for c in heard], lanes)
    cuts = {name: held.amps[name] for name in lowered if name in held.amps}
    return retreats(now.memory.retreats, cuts, now.timing, now.mono)


def _step(amps: float, spec: ChargerSpec) -> float:
    """Down to 0.1 A; nothing between 0 and the car's minimum."""
    value = math.floor(min(amps, spec.max_current_a) * 10 + 1e-6) / 10
    return value if value >= spec.min_current_a else 0.0


def _batteries(now: _Moment, granted: Mapping[str, float], island: Island) -> tuple[list[Setpoint], StorageMemory]:
    """What the batteries do beside chargers that count with `granted` A."""
    over = any(circuit == MAIN for circuit, _ in now.guarded.over)
    return battery_setpoints(
        now.site, now.snapshot, lambda battery: now.guarded.battery_room_w(battery, granted), now.timing,
        now.memory.storage, now.mono, overloaded=over, island=island.lost,
        excesses=now.guarded.excesses, limited_by=lambda battery: now.guarded.battery_room(battery, granted)[1],
    )  # fmt: skip
