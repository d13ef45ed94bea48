"""One charge point with its cars and meters, as an object: for a fleet of them, and for tests in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from firmware_sim.clock import SimClock
from firmware_sim.ocpp2.station import Needs, Station2
from firmware_sim.ocpp16.station import Station16
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.car import Car
from firmware_sim.ocppj.line import Address
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.security import Security
from firmware_sim.ocppj.station import Station
from firmware_sim.physics.ev import VOLTS, Ev, Kind

STEP_HOME_S, STEP_REAL_S = 0.5, 0.05


@dataclass
class SimCharger:
    """One charge point with its cars; `async with` or `run()` makes it live.

    >>> async with SimCharger("ws://127.0.0.1:9000", "CP_1", version="2.0.1", habits=("no-zero",)) as charger:
    ...     charger.plug()
    """

    url: str
    id: str = "CP_1"
    version: str = "1.6"
    habits: Sequence[str] = ()
    clock: SimClock = field(default_factory=lambda: real_time())
    cars: Sequence[Kind] = (Kind(),)
    """One per connector."""
    password: str | None = None
    security: Security | None = None
    needs: Needs | None = None
    meter_interval_s: float = 10.0
    max_current_a: float = 32.0
    tag: str = "HEARTH01"
    switches_phases: bool = False
    stop_on_reboot: bool = False
    vendor: str = "Hearth Simulations"
    model: str = "Wallbox 22"
    firmware: str = "1.0.0"

    def __post_init__(self) -> None:
        self.evs = [Ev(kind) for kind in self.cars]
        self.station = self._build()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SimCharger:
        self._task = asyncio.create_task(self.run(), name=self.id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._drive(), name=f"{self.id} cars")
            group.create_task(self.station.run(), name=f"{self.id} station")

    # --- what a person or a test does to it ---------------------------------------------------------------------

    def plug(self, soc_percent: float | None = None, connector: int = 1) -> None:
        """A car arrives."""
        self.evs[connector - 1].plug(soc_percent)
        self.look()

    def unplug(self, connector: int = 1) -> None:
        """The car departs."""
        self.evs[connector - 1].unplug()
        self.look()

    def misbehave(self, kind: str, for_s: float | None = None) -> None:
        """Show a quirk for `for_s` real seconds, or for good."""
        self.station.later(self.station.misbehave(quirks.named(kind), for_s))

    def clear(self, kind: str) -> None:
        """Behave again."""
        self.station.clear(quirks.named(kind))

    def reboot(self) -> None:
        """Restart as after a power cut."""
        self.misbehave(quirks.REBOOT)

    def cut(self, for_s: float) -> None:
        """The network is gone for `for_s` real seconds."""
        self.station.line.drop(for_s)

    # --- what is true of it -------------------------------------------------------------------------------------

    @property
    def current_a(self) -> float:
        """The highest phase current of all its cars, A: the truth, not what it tells."""
        self.look()
        return max(max(ev.currents_a) for ev in self.evs)

    @property
    def currents_a(self) -> tuple[float, float, float]:
        """A on L1, L2, L3, all cars together."""
        self.look()
        sums = [sum(ev.currents_a[phase] for ev in self.evs) for phase in range(3)]
        return sums[0], sums[1], sums[2]

    @property
    def register_wh(self) -> float:
        """The meter of the first connector, Wh."""
        self.look()
        return self.evs[0].register_wh

    @property
    def wire_errors(self) -> list[str]:
        """What the central system sent and the standard forbids, in words."""
        return self.station.line.wire_errors

    @property
    def connected(self) -> bool:
        """Whether there is a line now."""
        return self.station.line.up

    @property
    def status(self) -> str:
        """The first connector's status in words of 1.6."""
        return self.station.connectors[0].status

    def picture(self) -> dict[str, Any]:
        """One status line."""
        running = self.station.connectors[0].transaction
        return {
            "id": self.id,
            "version": self.version,
            "connected": self.connected,
            "status": self.status,
            "offered_a": self.station.connectors[0].offered_a,
            "current_a": [round(amps, 2) for amps in self.currents_a],
            "register_wh": round(self.register_wh),
            "soc_percent": round(self.evs[0].soc_percent, 1),
            "transaction": running.id if running else None,
            "quirks": sorted(self.station.quirks),
            "wire_errors": len(self.wire_errors),
            "last_failure": self.station.line.last_failure,
        }

    def look(self) -> None:
        """Let each car catch up with the clock and the station see it."""
        now = self.clock.now()
        for connector, ev in zip(self.station.connectors, self.evs, strict=True):
            ev.advance(now)
            connector.car = seen(ev)

    async def _drive(self) -> None:
        while True:
            self.look()
            await self.clock.sleep(STEP_HOME_S, STEP_REAL_S)

    def _build(self) -> Station:
        if self.version not in quirks.ALL_VERSIONS:
            raise ValueError(f"OCPP {self.version} is not spoken here, only {', '.join(quirks.ALL_VERSIONS)}")
        security = self.security or Security(self.id, self.password)
        url = f"{self.url.rstrip('/')}/{self.id}"
        options = Options(
            Address(url, self.id, self.password, f"ocpp{self.version}", security),
            id=self.id,
            meter_interval_s=self.meter_interval_s,
            max_current_a=self.max_current_a,
            tag=self.tag,
            stop_on_reboot=self.stop_on_reboot,
            quirks=frozenset(quirks.named(kind) for kind in self.habits),
            switches_phases=self.switches_phases,
            vendor=self.vendor,
            model=self.model,
            firmware=self.firmware,
        )
        offers = [self._offer(ev) for ev in self.evs]
        if self.version == "1.6":
            return Station16(self.clock, options, offers)
        station = Station2(self.clock, options, offers)
        station.needs = self.needs
        return station

    def _offer(self, ev: Ev) -> Any:
        return lambda amps, phases: ev.offer(amps, phases, self.clock.now())


def seen(ev: Ev) -> Car:
    """The car as its station sees it; without ISO 15118 it does not know the state of charge."""
    used = min(ev.kind.phases, ev.using_phases)
    return Car(ev.plugged, None, used, ev.currents_a, ev.power_w, ev.register_wh, VOLTS)


def real_time() -> SimClock:
    """The world's own time."""
    now = time.time()
    return SimClock(datetime.fromtimestamp(now, UTC), now)
