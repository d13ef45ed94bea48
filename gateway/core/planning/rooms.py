"""What devices share beside the connection as a whole: each phase of the main fuse, each circuit above them.

A room's row is in the program only in the slots in which all that may draw from it at once is more than it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from gateway.core.planning.limits import Mask
from gateway.core.planning.slots import Array
from gateway.model.site import BatterySpec, ChargerSpec, Device, Site


@dataclass(frozen=True, slots=True)
class Room:
    """`shares` times the devices' powers, summed, fit into `room_w`; by device id."""

    name: str
    shares: Mapping[str, float]
    room_w: Array
    """Negative where what nobody controls needs more than there is, W."""
    tight: Mask
    """The slots in which it can be too little."""


@dataclass(slots=True)
class Rooms:
    """The rooms, and what was taken of them so far."""

    rooms: tuple[Room, ...]
    taken: dict[int, Array] = field(default_factory=dict)

    def left_w(self, device: str, most_w: Array) -> Array:
        """What is left for one device, W, of `most_w`."""
        for index, room in enumerate(self.rooms):
            share = room.shares.get(device, 0.0)
            if share > 0:
                free = room.room_w - self.taken.get(index, 0.0)
                most_w = np.where(room.tight, np.minimum(most_w, np.maximum(0.0, free) / share), most_w)
        return most_w

    def fit(self, device: str, power_w: Array | float) -> Array:
        """Give a device as much of its power as is left, W."""
        power = self.left_w(device, np.asarray(power_w))
        self.take(device, power)
        return power

    def take(self, device: str, power_w: Array) -> None:
        """Give a device its power, W."""
        for index, room in enumerate(self.rooms):
            share = room.shares.get(device, 0.0)
            if share > 0:
                self.taken[index] = self.taken.get(index, 0.0) + share * power_w


@dataclass(slots=True)
class Spare:
    """What is left for loads that are placed one after the other: of the connection, W, and of the rooms."""

    left_w: Array
    rooms: Rooms

    def of(self, device: str) -> Array:
        """What one device may take, W."""
        return self.rooms.left_w(device, self.left_w)

    def take(self, device: str, power_w: Array) -> None:
        """Give a device its power, W."""
        self.left_w = np.maximum(0.0, self.left_w - power_w)
        self.rooms.take(device, power_w)

    def give_back(self, device: str, power_w: Array) -> None:
        """What a device was given before its turn, W."""
        self.left_w = self.left_w + power_w
        self.rooms.take(device, -power_w)

    def less(self, quiet_w: Array, powers: Mapping[str, Array]) -> Spare:
        """Without `quiet_w` of the connection, and without these devices' powers in the rooms."""
        other = Spare(np.maximum(0.0, self.left_w - quiet_w), Rooms(self.rooms.rooms, dict(self.rooms.taken)))
        for device, power in powers.items():
            other.rooms.take(device, power)
        return other


def make_rooms(site: Site, base_w: Array, given: Mapping[str, Array], most: Mapping[str, Array]) -> tuple[Room, ...]:
    """Every room that can be too little for the devices of `most`, W over the slots by device id.

    `base_w`: house and sun, W, evenly over the phases; `given`: appliances that run, each on its own phase.
    """
    devices = [device for device in site.devices if device.id in most]
    running = [(device, given[device.id]) for device in site.devices if device.id in given]
    found = list[Room]()
    if site.phases > 1:
        house = np.maximum(0.0, base_w) / site.phases
        fuse = (site.main_fuse_a,) * site.phases
        found += _phases(site, "the main fuse", fuse, house, devices, running, most)
    for circuit in site.circuits:
        below = [device for device in devices if circuit in site.above(device.circuit)]
        loads = [(device, power) for device, power in running if circuit in site.above(device.circuit)]
        nothing = np.zeros(len(base_w))
        if circuit.limit_w is not None:
            free = max(0.0, circuit.limit_w) - sum((power for _, power in loads), nothing)
            found.append(_room(f"the limit of {circuit.name}", {device.id: 1.0 for device in below}, free, most))
        if circuit.fuse_a is not None:
            words = f"the fuse of {circuit.name}"
            found += _phases(site, words, circuit.fuse_a, nothing, below, loads, most)
    return tuple(room for room in found if room.tight.any())


def _phases(
    site: Site, name: str, amps: Iterable[float], house_w: Array, devices: Iterable[Device],
    running: Iterable[tuple[Device, Array]], most: Mapping[str, Array],
) -> Iterator[Room]:  # fmt: skip
    """The phases of one fuse; one that holds whenever another one does is left out."""
    found = list[Room]()
    for phase, most_a in zip((1, 2, 3), amps, strict=False):
        shares = {device.id: share for device in devices if (share := _share(site, device, phase)) > 0}
        free = max(0.0, most_a) * site.nominal_voltage_v - house_w
        for device, power in running:
            free = free - _share(site, device, phase) * power
        found.append(_room(f"L{phase} of {name}", shares, free, most))
    kept = list[Room]()
    for room in sorted(found, key=lambda room: -len(room.shares)):
        if not any(_holds(other, room) for other in kept):
            kept.append(room)
    return iter(kept)


def _share(site: Site, device: Device, phase: int) -> float:
    """How much of a device's power a phase carries; a battery's is on all of them."""
    if isinstance(device.spec, BatterySpec):
        return 1 / site.phases if phase <= site.phases else 0.0
    own = device.spec.phases if isinstance(device.spec, ChargerSpec) else (getattr(device.spec, "phase", 1),)
    return 1 / len(own) if phase in own else 0.0


def _room(name: str, shares: Mapping[str, float], free_w: Array, most: Mapping[str, Array]) -> Room:
    drawn = sum((share * most[device] for device, share in shares.items()), np.zeros(len(free_w)))
    return Room(name, shares, free_w, (drawn > free_w + 1e-6) & (len(shares) > 0))


def _holds(room: Room, other: Room) -> bool:
    """Whether `other` is never too little where `room` is not."""
    more = all(room.shares.get(device, 0.0) >= share for device, share in other.shares.items())
    return more and bool((room.room_w <= other.room_w + 1e-6).all())
