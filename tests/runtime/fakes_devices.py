"""Fakes of our own device ports: what they were told is kept, what they answer is set by the test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.core.control.timing import ControlTiming
from gateway.core.metering.freeze import Wishes
from gateway.model.errors import CommandRefused, DeviceError
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import CURRENTS, POWERS, Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.setpoint import Setpoint
from gateway.model.site import Site
from gateway.model.snapshot import ChargePhase, ChargerStatus
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.notices import Notices
from gateway.runtime.tick import Tick
from tests.core.homes import SITE
from tests.fakes import FakeClock, FakeStore

NOW_CHARGING = Preferences(charging={"car": ChargingPreference(ChargeMode.NOW)})


@dataclass
class FakeActuator:
    """An actuator; `error` refuses commands, `hangs` never answers."""

    id: str
    told: list[Setpoint] = field(default_factory=list)
    tries: int = 0
    releases: int = 0
    error: Exception | None = None
    hangs: bool = False

    async def apply(self, setpoint: Setpoint) -> None:
        self.tries += 1
        await self._answer()
        self.told.append(setpoint)

    async def release(self) -> None:
        await self._answer()
        self.releases += 1

    async def _answer(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


@dataclass
class FakeCharger(FakeActuator):
    """A charge point with a car that obeys unless told otherwise; `rungs` are the ways of limiting still left."""

    id: str = "car"
    amps: float = 0.0
    obeys: bool = True
    max_a: float = 16.0
    rungs: list[str] = field(default_factory=list)
    climbed: int = 0
    at_once: list[bool] = field(default_factory=list)
    connected: bool = True
    lacks: str = ""

    async def apply(self, setpoint: Setpoint) -> None:
        await super().apply(setpoint)
        if self.obeys:
            self.amps = min(setpoint.value, self.max_a)

    def status(self) -> ChargerStatus:
        phase = ChargePhase.CHARGING if self.amps else ChargePhase.PLUGGED
        amps = (self.amps, self.amps, self.amps)
        return ChargerStatus(
            self.id, phase, self.connected, transaction="1", power_w=self.amps * 690, current_a=amps, meter_age_s=1.0,
            lacks=self.lacks,
        )  # fmt: skip

    async def next_rung(self, *, at_once: bool = False) -> str:
        self.climbed += 1
        self.at_once.append(at_once)
        if not self.rungs:
            raise CommandRefused(self.id, "limit", "every way was tried")
        return self.rungs.pop(0)


@dataclass
class FakeMeter:
    """A meter that answers what was prepared; an exception among the answers is raised."""

    id: str
    period_s: float = 1.0
    answers: list[list[Reading] | DeviceError] = field(default_factory=list)
    reads: int = 0

    async def read(self) -> list[Reading]:
        self.reads += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, DeviceError):
            raise answer
        return answer


def reading(device: str, quantity: Quantity, value: float | None, time: datetime, **more: object) -> Reading:
    made = Reading(device, quantity, value, time)
    return replace(made, **more) if more else made  # type: ignore[arg-type]


def grid(time: datetime, amps: float, quality: Quality = Quality.VALID) -> list[Reading]:
    """A three-phase main meter's answer, the same current on each phase, A, import positive."""
    rows = [reading("meter", Quantity.POWER, amps * 690, time, quality=quality)]
    rows += [reading("meter", quantity, abs(amps), time, quality=quality) for quantity in CURRENTS]
    return rows + [reading("meter", quantity, amps * 230, time, quality=quality) for quantity in POWERS]


@dataclass
class Rig:
    """A tick on fake time with fake devices; the house draws `house_a` A per phase besides the cars."""

    site: Site = SITE
    clock: FakeClock = field(default_factory=FakeClock)
    store: FakeStore = field(default_factory=FakeStore)
    chargers: dict[str, FakeCharger] = field(default_factory=lambda: {"car": FakeCharger()})
    actuators: dict[str, FakeActuator] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=lambda: Wishes(NOW_CHARGING))
    house_a: float = 2.0
    meter_speaks: bool = True
    timing: ControlTiming = field(default_factory=ControlTiming)

    def __post_init__(self) -> None:
        self.changes = Changes()
        self.notices = Notices(self.store, self.clock, self.changes)
        self.state = HomeState(self.site, self.clock, {"meter": 10.0}, dict(self.chargers))
        self.tick = Tick(
            self.state, self.clock, self.timing, lambda: self.wishes, dict(self.chargers), dict(self.actuators),
            self.store, self.notices,
        )  # fmt: skip

    @property
    def car(self) -> FakeCharger:
        return self.chargers["car"]

    def sample(self) -> None:
        """The main meter's sample of this second."""
        if self.meter_speaks:
            for row in grid(self.clock.now(), self.house_a + sum(c.amps for c in self.chargers.values())):
                self.state.take(row)

    async def run(self, seconds: int) -> None:
        """Let seconds pass, one sample and one tick each."""
        for _ in range(seconds):
            self.sample()
            self.tick.step()
            await self.clock.advance(1.0)
