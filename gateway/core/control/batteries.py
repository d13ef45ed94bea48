"""The batteries' part of a tick: from intents, limits and the meter to one band per battery.

own wish (plan, event, override, reserve) -> shared among several -> not into the car -> fuse -> steered where it
cannot follow the meter -> kept where it hardly moved
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.core.control.circuits import Excess
from gateway.core.control.helping import Help, excess_over, needed, opened
from gateway.core.control.steering import Steering, steer
from gateway.core.control.storage import (
    SILENT,
    at_state,
    own_wish,
    power_of,
    soc_of,
    spare_from_car,
    within_room,
)
from gateway.core.control.storages import Store, Team, share_bands
from gateway.core.control.timing import ControlTiming
from gateway.core.control.trimming import Trim, trimmed
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.model.snapshot import Snapshot

BAND_STEP_W, MORE_STEP_W = 100.0, 300.0
"""A band that narrows by this is worth a write; one that only allows more discharge, by the second, W."""
FORCED_STEP_W = 400.0
"""The plan's charge or discharge must change by this, W."""
ISLAND = "The grid is lost: the battery carries the home."


@dataclass(frozen=True, slots=True)
class StorageMemory:
    """What is remembered of the batteries from tick to tick."""

    team: Team = field(default_factory=Team)
    steered: Mapping[str, Steering] = field(default_factory=dict)
    """By battery that cannot follow the meter."""
    helps: Mapping[str, Help] = field(default_factory=dict)
    """By battery that gives more than it would, as a fuse or a limit is exceeded."""
    trims: Mapping[str, Trim] = field(default_factory=dict)
    """By battery whose charge a fuse or a limit has cut."""


def battery_setpoints(
    site: Site,
    snapshot: Snapshot,
    room_w: Callable[[Device], float | None],
    timing: ControlTiming,
    memory: StorageMemory,
    mono: float,
    *,
    overloaded: bool = False,
    island: bool = False,
    excesses: Mapping[str, Excess] | None = None,
    limited_by: Callable[[Device], str] = lambda device: "",
) -> tuple[list[Setpoint], StorageMemory]:
    """One BATTERY_BAND per battery that obeys, and what to remember; `mono` in s of home time.

    `room_w` says how much more a battery may take from the grid, W; None while the main meter is silent; `excesses`,
    by circuit, what is too much of it; `limited_by` names the event whose limit leaves that room.
    """
    stores = _stores(site, snapshot)
    rooms = {store.device.id: room_w(store.device) for store in stores}
    if island:
        # One that only takes a power is left to itself: without a grid no meter says which.
        return [_island(snapshot, store, timing) for store in stores if store.spec.follows_meter], memory
    if None in rooms.values() or snapshot.grid_w() is None:
        rest = [_setpoint(snapshot, store, SILENT, timing) for store in stores]
        steered = {name: replace(one, power_w=0.0) for name, one in memory.steered.items()}
        return rest, replace(memory, steered=steered, helps={})
    net_w = (snapshot.grid_w() or 0.0) - sum(store.power_w for store in stores)
    bands, team = share_bands(stores, net_w, memory.team, mono)
    rooms_w = {name: room or 0.0 for name, room in rooms.items()}
    spared = _spared(site, snapshot, stores, bands, overloaded=overloaded)
    sources = {store.device.id: limited_by(store.device) for store in stores}
    fitted, trims = _fitted(stores, spared, rooms_w, sources, memory.trims, timing, mono)
    before = _without_ended(memory.helps, snapshot)
    fitted, helps = _helped(site, stores, bands, fitted, excesses or {}, before, mono)
    steered = {}
    setpoints = []
    for store in stores:
        wish = fitted[store.device.id]
        if not store.spec.follows_meter:
            target = _target(store, stores, team, net_w)
            wish, steered[store.device.id] = steer(wish, target, memory.steered.get(store.device.id), mono)
        setpoints.append(_setpoint(snapshot, store, _still(wish, _kept(snapshot, store)), timing))
    return setpoints, StorageMemory(team, steered, helps, trims)


def battery_powers(site: Site, snapshot: Snapshot) -> dict[str, float | None]:
    """What each battery does now, W, charging positive; None where it does not tell."""
    return {device.id: power_of(snapshot, device) for device in site.of_role(Role.BATTERY, Role.HYBRID_INVERTER)}


def _stores(site: Site, snapshot: Snapshot) -> list[Store]:
    return [
        Store(device, device.spec, own_wish(site, snapshot, device), soc_of(snapshot, device), power_of(snapshot, device) or 0.0)
        for device in site.of_role(Role.BATTERY, Role.HYBRID_INVERTER)
        if isinstance(device.spec, BatterySpec) and device.id not in snapshot.let_go
    ]  # fmt: skip


def _spared(
    site: Site, snapshot: Snapshot, stores: list[Store], bands: Mapping[str, Wish], *, overloaded: bool
) -> dict[str, Wish]:
    """The bands without what would go into a car."""
    giving = sum(max(0.0, -bands[store.device.id].low) for store in stores)
    fitted = {}
    for store in stores:
        wish = bands[store.device.id]
        share = max(0.0, -wish.low) / giving if giving > 0 else 0.0
        fitted[store.device.id] = spare_from_car(wish, site, snapshot, overloaded, share=share, power_w=store.power_w)
    return fitted


def _fitted(
    stores: list[Store],
    bands: Mapping[str, Wish],
    rooms_w: Mapping[str, float],
    sources: Mapping[str, str],
    before: Mapping[str, Trim],
    timing: ControlTiming,
    mono: float,
) -> tuple[dict[str, Wish], dict[str, Trim]]:
    """The bands within what fuses leave; what one battery takes of the room is gone for the next."""
    fitted, trims, taken_w = dict[str, Wish](), dict[str, Trim](), 0.0
    for store in stores:
        name, wish, room_w = store.device.id, bands[store.device.id], rooms_w[store.device.id] - taken_w
        trim = before.get(name)
        if wish.low > 0:
            trim = trimmed(trim, wish.low, max(0.0, store.power_w + room_w), timing, mono)
        if trim is not None:
            trims[name] = trim
            room_w = min(room_w, trim.held_w - store.power_w)
        wish = within_room(wish, store.power_w, room_w, sources[name])
        taken_w += max(0.0, wish.low - max(0.0, store.power_w))
        fitted[name] = wish
    return fitted, trims


def _without_ended(helps: Mapping[str, Help], snapshot: Snapshot) -> dict[str, Help]:
    """A band stays open for a while after it was needed; an event that is over has no part in that any more."""
    held = {limit.source for limit in snapshot.limits}
    return {name: one if one.source in held else replace(one, source="") for name, one in helps.items()}


def _helped(
    site: Site,
    stores: list[Store],
    bands: Mapping[str, Wish],
    fitted: Mapping[str, Wish],
    excesses: Mapping[str, Excess],
    before: Mapping[str, Help],
    mono: float,
) -> tuple[dict[str, Wish], dict[str, Help]]:
    """The `fitted` bands opened to what fuses and limits need; what one battery gives the next need not."""
    wishes, helps, taken_w = dict(fitted), dict[str, Help](), 0.0
    for store in stores:
        name, wish, spec = store.device.id, fitted[store.device.id], at_state(store.spec, store.soc)
        excess = excess_over(site, store.device, excesses)
        left = excess and replace(excess, power_w=excess.power_w - taken_w)
        found = needed(wish, bands[name].authority, spec, store.soc, store.power_w, left, before.get(name), mono)
        wishes[name] = opened(wish, found, follows_meter=spec.follows_meter, mono=mono)
        taken_w += max(0.0, store.power_w - wishes[name].low)
        helps |= {name: found} if found is not None else {}
    return wishes, helps


def _target(store: Store, stores: list[Store], team: Team, net_w: float) -> float:
    """The power with which it carries its share of the home's net, W, charging positive."""
    side = 1 if net_w < 0 else -1
    at_work = [other for other in stores if other.device.id in (team.active or (store.device.id,))]
    all_w = sum(other.most_w(side) for other in at_work)
    return -net_w * store.most_w(side) / all_w if all_w > 0 else 0.0


def _island(snapshot: Snapshot, store: Store, timing: ControlTiming) -> Setpoint:
    """Without the grid the reserve is for use, down to what the battery itself bears."""
    spec = store.spec
    empty = store.soc is not None and store.soc <= spec.min_soc_percent
    spec = at_state(spec, store.soc)
    wish = Wish(spec.max_charge_w, Authority.PROTECTION, ISLAND, low=0.0 if empty else -spec.max_discharge_w)
    return _setpoint(snapshot, store, wish, timing)


def _setpoint(snapshot: Snapshot, store: Store, wish: Wish, timing: ControlTiming) -> Setpoint:
    until = snapshot.now + timedelta(seconds=life_s(wish, timing, steered=not store.spec.follows_meter))
    return Setpoint(
        store.device.id, SetpointKind.BATTERY_BAND, wish.value, until, wish.authority, wish.reason,
        low=wish.low, source=wish.source,
    )  # fmt: skip


def life_s(wish: Wish, timing: ControlTiming, *, steered: bool = False) -> float:
    """How long a battery keeps a command without us, s: the less harm it could do, the longer, as each is a write.

    A band around zero only follows the meter. One that is forced could overload a fuse that nobody watches any more.
    """
    if wish.authority <= Authority.BINDING_LIMIT:
        return timing.command_life_s
    if wish.low <= 0.0 <= wish.value:
        return timing.band_life_s
    return timing.steered_life_s if steered else timing.forced_life_s


def _kept(snapshot: Snapshot, store: Store) -> Setpoint | None:
    """What it was told, where its state of charge still allows that much."""
    told, spec = snapshot.commanded.get(store.device.id), store.spec.at(store.soc)
    fits = told is not None and told.value <= spec.max_charge_w and told.low >= -spec.max_discharge_w
    return told if fits or not spec.power_by_soc else None


def _still(wish: Wish, before: Setpoint | None) -> Wish:
    """A band that hardly moved stays as it was: fewer writes to the inverter; safety moves at once."""
    if before is None or wish.authority is Authority.ELECTRICAL_SAFETY:
        return wish
    if _as_forced(wish, before):
        return replace(wish, low=before.low, value=before.value)
    narrows_w = wish.low - before.low
    if -MORE_STEP_W < narrows_w < BAND_STEP_W and abs(wish.value - before.value) < BAND_STEP_W:
        # Not across zero: a battery that must not give, or take, must not do a little of it either.
        if (before.low < 0 <= wish.low) or (before.value > 0 >= wish.value):
            return wish
        return replace(wish, low=before.low, value=before.value)
    return wish


def _as_forced(wish: Wish, before: Setpoint) -> bool:
    """Whether the plan still wants about the same power: each new plan reckons it a little otherwise."""
    if wish.authority is not Authority.PLAN or before.authority is not Authority.PLAN:
        return False
    charges = min(wish.low, before.low) > 0 and wish.value == before.value
    home_only = max(wish.low, before.low) < 0 and wish.value == before.value == 0
    gives = max(wish.value, before.value) < 0 or home_only
    return (charges or gives) and abs(wish.low - before.low) < FORCED_STEP_W
