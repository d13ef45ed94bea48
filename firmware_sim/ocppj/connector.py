"""One connector of a station: its car, its transaction, the current it offers, and its state in words of 1.6."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from firmware_sim.ocppj.car import Car
from firmware_sim.ocppj.profiles import Profile, Session

SULKING_S = 15.0
"""Offered current unused for this long means SuspendedEV."""

Offer = Callable[[float, int], None]
"""Hands the offered current to the car: A per phase (0, or 6 and more) on 1 or 3 phases."""


@dataclass
class Transaction:
    """A charging transaction; `id` is None until somebody has named it."""

    tag: str
    started: datetime
    meter_start_wh: float
    id: int | str | None = None
    profile: Profile | None = None
    """From a remote start: in force from the start."""
    remote_start_id: int | None = None
    offline: bool = False
    """Begun without the line."""
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    """seqNo of 2.x."""


@dataclass(frozen=True)
class RemoteStart:
    """A start asked for by the central system, waiting for its car."""

    tag: str
    at: datetime
    profile: Profile | None = None
    id: int | None = None


@dataclass
class Connector:
    """What the firmware knows of one connector."""

    number: int
    offer: Offer
    car: Car = field(default_factory=Car)
    transaction: Transaction | None = None
    operative: bool = True
    broken: bool = False
    offered_a: float = 0.0
    """What it tells it offers, A."""
    pilot: tuple[float, int] = (0.0, 3)
    """What it really offers: A per phase, phases."""
    status: str = "Available"
    remote_start: RemoteStart | None = None
    finished: bool = False
    """A transaction ended and the car has not left."""
    stuck: bool = False
    authorizing: bool = False
    sampled_at: datetime | None = None
    aligned_at: int | None = None
    _unused_since: datetime | None = None

    def session(self) -> Session | None:
        """The transaction as the profiles see it."""
        running = self.transaction
        return Session(running.id, running.started) if running else None

    def set_pilot(self, amps: float, phases: int) -> None:
        """Offer this to the car, once per change."""
        if (amps, phases) != self.pilot:
            self.pilot = (amps, phases)
            self.offer(amps, phases)

    def status_at(self, now: datetime, alive: bool) -> str:
        """The status of OCPP 1.6 section 7.7; `alive`: the station may be used."""
        if self.broken:
            return "Faulted"
        if self.transaction is None:
            if not (self.operative and alive):
                return "Unavailable"
            return "Available" if not self.car.plugged else "Finishing" if self.finished else "Preparing"
        if self.pilot[0] == 0.0 or self.car.drawing:
            self._unused_since = None
            return "Charging" if self.car.drawing else "SuspendedEVSE"
        self._unused_since = self._unused_since or now
        sulking = (now - self._unused_since).total_seconds() >= SULKING_S
        return "SuspendedEV" if sulking or self.status == "SuspendedEV" else self.status
