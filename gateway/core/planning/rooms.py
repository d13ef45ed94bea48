"""What several cars share beyond the connection as a whole: each phase of the main fuse, each circuit above them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from gateway.core.planning.cars import Car
from gateway.core.planning.slots import Array
from gateway.model.site import Circuit, Site


@dataclass(frozen=True, slots=True)
class Room:
    """`shares` times the cars' powers, summed, fit into `room_w`; by device id."""

    shares: Mapping[str, float]
    room_w: Array


@dataclass(slots=True)
class Rooms:
    """The rooms, and what was taken of them so far."""

    rooms: tuple[Room, ...]
    taken: dict[int, Array] = field(default_factory=dict)

    def left_w(self, car: Car, most_w: Array) -> Array:
        """What is left for one car, W, of `most_w`."""
        for index, room in enumerate(self.rooms):
            share = room.shares.get(car.device.id, 0.0)
            if share > 0:
                free = room.room_w - self.taken.get(index, 0.0)
                most_w = np.minimum(most_w, np.maximum(0.0, free) / share)
        return most_w

    def take(self, car: Car, power_w: Array) -> None:
        """Give a car its power, W."""
        for index, room in enumerate(self.rooms):
            share = room.shares.get(car.device.id, 0.0)
            self.taken[index] = self.taken.get(index, np.zeros(len(power_w))) + share * power_w


def make_rooms(site: Site, cars: tuple[Car, ...], base_w: Array) -> tuple[Room, ...]:
    """Every room that is shared or narrower than a car's own cap."""
    found = [*_phases(site, cars, base_w), *_circuits(site, cars, len(base_w))]
    return tuple(room for room in found if room.shares)


def _phases(site: Site, cars: tuple[Car, ...], base_w: Array) -> Iterator[Room]:
    """The main fuse, phase by phase; one car alone has it in its own cap."""
    phase_w = site.main_fuse_a * site.nominal_voltage_v - np.maximum(0.0, base_w) / site.phases
    for phase in (1, 2, 3) if len(cars) > 1 else ():
        shares = {car.device.id: 1 / len(car.phases) for car in cars if phase in car.phases}
        if len(shares) > 1:
            yield Room(shares, np.maximum(0.0, phase_w))


def _circuits(site: Site, cars: tuple[Car, ...], count: int) -> Iterator[Room]:
    for circuit in site.circuits:
        below = [car for car in cars if circuit.id in _above(site, car.device.circuit)]
        if circuit.limit_w is not None:
            yield Room({car.device.id: 1.0 for car in below}, np.full(count, max(0.0, circuit.limit_w)))
        for phase, amps in zip((1, 2, 3), circuit.fuse_a or (), strict=False):
            shares = {car.device.id: 1 / len(car.phases) for car in below if phase in car.phases}
            yield Room(shares, np.full(count, max(0.0, amps * site.nominal_voltage_v)))


def _above(site: Site, circuit: str) -> set[str]:
    """A circuit and all above it."""
    known: dict[str, Circuit] = {found.id: found for found in site.circuits}
    found: set[str] = set()
    while circuit in known and circuit not in found:
        found.add(circuit)
        circuit = known[circuit].parent
    return found
