"""HomeState: the newest valid value of every series, between the meters and the tick."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

from gateway.core.metering.freeze import Latest, Wishes, freeze
from gateway.model.quantity import CURRENTS, POWERS, Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.setpoint import Setpoint
from gateway.model.site import Role, Site
from gateway.model.snapshot import ChargerStatus, Snapshot
from gateway.ports import Clock, EvCharger


@dataclass(slots=True)
class Changes:
    """A version that rises whenever something a person looks at has changed."""

    version: int = 0
    _waiters: set[asyncio.Future[None]] = field(default_factory=set)

    def touch(self) -> None:
        """Wake everybody who waits for a newer version."""
        self.version += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def after(self, version: int) -> int:
        """Return the version as soon as it is newer than `version`."""
        while self.version <= version:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        return self.version


FLOWS = frozenset({Quantity.POWER, *POWERS, *CURRENTS})
"""What the fuse is guarded by."""
WITHDRAWN_S, WITHDRAWN_REAL_S = 3.0, 1.0
"""A value its device takes back counts for so long still: one lost poll must not blind the tick."""
APART_S = 0.2
"""Values that come closer together belong to one telegram or sweep."""
GAPS = 9
KNOWN_AFTER = 3


@dataclass(slots=True)
class Pace:
    """How often a device speaks, from the gaps between its last words."""

    _last: float | None = None
    _gaps: deque[float] = field(default_factory=lambda: deque(maxlen=GAPS))

    def heard(self, at: float) -> None:
        """It spoke at `at`, s of monotonic home time."""
        if self._last is not None and at - self._last > APART_S:
            self._gaps.append(at - self._last)
        self._last = at

    @property
    def usual_s(self) -> float | None:
        """The usual gap, s of home time; None while too few were seen."""
        return median(self._gaps) if len(self._gaps) >= KNOWN_AFTER else None


@dataclass(slots=True)
class HomeState:
    """What is known now. Only valid readings enter; a device that fails is noted as silent with the reason."""

    site: Site
    clock: Clock
    stale_after_s: dict[str, float] = field(default_factory=dict)
    chargers: dict[str, EvCharger] = field(default_factory=dict)
    latest: dict[str, dict[Quantity, Latest]] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, dict[Quantity, str]] = field(default_factory=dict)
    """Device id -> quantity -> why its last reading was not believed; a valid one ends the doubt."""
    withdrawn: dict[tuple[str, Quantity], float] = field(default_factory=dict)
    """Since when a device takes a value back (it says "not available"), s of monotonic home time."""
    pace: Pace = field(default_factory=Pace)
    """The main meter's."""
    on_overload: Callable[[], None] = lambda: None
    """Called when the main meter shows a phase above the fuse: the tick must not wait."""

    def take(self, reading: Reading) -> None:
        """Keep a reading if it is valid; a valid one ends the device's silence and the doubt about its quantity."""
        if reading.quality is Quality.VALID and reading.value is not None:
            series = self.latest.setdefault(reading.device, {})
            series[reading.quantity] = Latest(reading.value, self.clock.monotonic())
            self.silent.pop(reading.device, None)
            if self.withdrawn:
                self.withdrawn.pop((reading.device, reading.quantity), None)
            if reading.quantity in FLOWS and self._is_main_meter(reading.device):
                self.pace.heard(self.clock.monotonic())
            if reading.device in self.doubts:
                self._end_doubt(reading)
            if self._above_fuse(reading.quantity, reading.value) and self._is_main_meter(reading.device):
                self.on_overload()
        elif reading.quality is Quality.SUSPECT or self._is_missed(reading):
            self._doubt(reading)
            if reading.quality is Quality.MISSING:
                self.withdrawn.setdefault((reading.device, reading.quantity), self.clock.monotonic())

    def _is_missed(self, reading: Reading) -> bool:
        """What never was there is not missed, as devices leave out what they do not measure; a main meter's power is."""
        if reading.quantity is Quantity.POWER and self._is_main_meter(reading.device):
            return True
        return reading.quantity in self.latest.get(reading.device, ())

    @property
    def suspect(self) -> dict[str, str]:
        """Device id -> quantity and reason of its newest doubt that has not ended."""
        return {device: f"{quantity.value}: {words}" for device, doubts in self.doubts.items()
                for quantity, words in [list(doubts.items())[-1]]}  # fmt: skip

    def _doubt(self, reading: Reading) -> None:
        doubts = self.doubts.setdefault(reading.device, {})
        doubts.pop(reading.quantity, None)
        doubts[reading.quantity] = f"{reading.rule.value}: {reading.reason}" if reading.rule else reading.reason

    def _end_doubt(self, reading: Reading) -> None:
        doubts = self.doubts[reading.device]
        doubts.pop(reading.quantity, None)
        if not doubts:
            del self.doubts[reading.device]

    def _above_fuse(self, quantity: Quantity, value: float) -> bool:
        if quantity in CURRENTS:
            return value > self.site.main_fuse_a
        return quantity in POWERS and value > self.site.main_fuse_a * self.site.nominal_voltage_v

    def _is_main_meter(self, device: str) -> bool:
        found = self.site.device(device)
        return found is not None and found.role is Role.MAIN_METER

    def statuses(self) -> dict[str, ChargerStatus]:
        """What the CSMS knows of each charge point."""
        return {charger_id: charger.status() for charger_id, charger in self.chargers.items()}

    def freeze(self, wishes: Wishes, commanded: Mapping[str, Setpoint], disobeying: frozenset[str]) -> Snapshot:
        """The home at this instant."""
        self._forget_withdrawn()
        usual_s = self.pace.usual_s
        return freeze(
            self.site,
            self.latest,
            self.silent,
            self.statuses(),
            self.stale_after_s,
            wishes,
            commanded,
            disobeying,
            self.clock.now(),
            self.clock.monotonic(),
            self.doubts,
            {} if usual_s is None else {device.id: usual_s for device in self.site.of_role(Role.MAIN_METER)},
        )

    def _forget_withdrawn(self) -> None:
        patience_s = max(WITHDRAWN_S, WITHDRAWN_REAL_S * self.clock.speed) if self.clock.speed > 1 else WITHDRAWN_S
        due = [key for key, since in self.withdrawn.items() if self.clock.monotonic() - since > patience_s]
        for device, quantity in due:
            self.latest.get(device, {}).pop(quantity, None)
            del self.withdrawn[device, quantity]
