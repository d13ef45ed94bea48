"""The meter loops: read, validate, keep live, roll up, close intervals, store once a minute."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.core.metering.intervals import IntervalBuilder
from gateway.core.metering.remainder import remainder, solar
from gateway.core.metering.rollup import MinuteBuffer
from gateway.core.metering.vee import SeriesMemory, check
from gateway.model.errors import DeviceError, StoreError
from gateway.model.quantity import Quantity
from gateway.model.reading import INTERVAL_S, Interval, Quality, Reading, Rollup
from gateway.model.site import Role, Site
from gateway.ports import Clock, Meter, Store
from gateway.runtime.live import HomeState
from gateway.runtime.notices import Notices

log = logging.getLogger(__name__)

STORE_S = 60.0
"""Samples wait at most this long before they are on disk (home s)."""
GRACE_S = 90.0
"""A quarter hour is closed this long after its end, so that slow counters arrive."""
TELL_AFTER_S = 3.0
"""A device that fails is told of after so long (real s)."""
KEEP_ROLLUPS = 20_000
"""While the disk fails, at most so many roll-ups wait in memory; the oldest go first."""


@dataclass(slots=True)
class Intake:
    """Everything readings pass on their way: VEE, live state, roll-ups, intervals."""

    state: HomeState
    clock: Clock
    store: Store
    notices: Notices
    refused: Counter[str] = field(default_factory=Counter)
    """Readings that were not valid, by device."""
    taken: int = 0
    _memory: dict[tuple[str, Quantity], SeriesMemory] = field(default_factory=dict)
    _minutes: MinuteBuffer = field(default_factory=MinuteBuffer)
    _builders: dict[str, IntervalBuilder] = field(default_factory=dict)
    _rollups: list[Rollup] = field(default_factory=list)
    _intervals: list[Interval] = field(default_factory=list)
    _quarter: dict[datetime, dict[str, Interval]] = field(default_factory=dict)

    async def resume(self) -> None:
        """Seed the interval builders with the last counters on disk: energy of the pause is recovered and marked."""
        now = self.clock.now()
        for device in self.state.site.devices:
            builder = self._builder(device.id)
            for quantity in (Quantity.ENERGY_IMPORT, Quantity.ENERGY_EXPORT):
                rows = await self.store.rollups(device.id, quantity.value, now - timedelta(days=2), now)
                if rows:
                    last = rows[-1]
                    builder.seed(quantity, last.last, last.start + timedelta(seconds=60))

    def take(self, readings: list[Reading]) -> None:
        """Pass readings through validation into the live state, the minutes and the intervals."""
        now = self.clock.now()
        for reading in readings:
            key = (reading.device, reading.quantity)
            checked, self._memory[key] = check(reading, self._memory.get(key, SeriesMemory()), now)
            self.taken += 1
            self.state.take(checked)
            if checked.quality is not Quality.VALID:
                self.refused[reading.device] += 1
            self._rollups += self._minutes.add(checked)
            self._keep(self._builder(reading.device).add(checked))

    def _builder(self, device: str) -> IntervalBuilder:
        if device not in self._builders:
            self._builders[device] = IntervalBuilder(device)
        return self._builders[device]

    def _keep(self, intervals: list[Interval]) -> None:
        for interval in intervals:
            self._intervals.append(interval)
            self._quarter.setdefault(interval.start, {})[interval.device] = interval

    async def run(self) -> None:
        """Store what has gathered, once a minute, until cancelled."""
        while True:
            await self.clock.sleep(STORE_S, real_floor=1.0)
            await self.flush()

    async def flush(self, *, final: bool = False) -> None:
        """Close what is due and write it in one transaction each; what cannot be written waits for the next time."""
        now = self.clock.now()
        if final:
            self._rollups += self._minutes.flush()
        edge = now - timedelta(seconds=GRACE_S * max(1.0, self.clock.speed / 30))
        for builder in self._builders.values():
            self._keep(builder.close(edge))
        self._derive(edge)
        try:
            await self._write()
        except StoreError as error:
            self.notices.later_raise("disk", "alarm", f"Measurements cannot be stored: {error}. Control goes on.")
            del self._rollups[: max(0, len(self._rollups) - KEEP_ROLLUPS)]
        else:
            self.notices.later_end("disk")

    async def _write(self) -> None:
        rollups, self._rollups = self._rollups, []
        intervals, self._intervals = self._intervals, []
        try:
            if rollups:
                await self.store.save_rollups(rollups)
            rollups = []
            if intervals:
                await self.store.save_intervals(intervals)
            intervals = []
        finally:
            self._rollups = rollups + self._rollups
            self._intervals = intervals + self._intervals

    def _derive(self, edge: datetime) -> None:
        """The pseudo-devices "house" (what is left of the grid) and "solar", once every device closed the quarter."""
        site = self.state.site
        for start in sorted(self._quarter):
            if start + timedelta(seconds=INTERVAL_S) > edge:
                break
            quarter = self._quarter.pop(start)
            for derived in (remainder(site, quarter, start), solar(site, quarter, start)):
                if derived is not None:
                    self._intervals.append(derived)


@dataclass(slots=True)
class MeterLoop:
    """One device's reading loop; a failing device is noted once, and noted again when it is back."""

    meter: Meter
    intake: Intake
    clock: Clock
    role: Role
    failing_since: float | None = None
    told: bool = False

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            started = self.clock.monotonic()
            await self._once()
            if self.meter.period_s > 0:
                spent = self.clock.monotonic() - started
                floor = 0.1 if self.clock.speed > 1 else 0.0
                await self.clock.sleep(max(0.0, self.meter.period_s - spent), real_floor=floor)

    async def _once(self) -> None:
        try:
            readings = await self.meter.read()
        except DeviceError as error:
            self._failed(error)
            if self.meter.period_s <= 0:
                await self.clock.sleep(1.0, real_floor=1.0)
            return
        if any(reading.quality is Quality.VALID for reading in readings):
            if f"silent {self.meter.id}" in self.intake.notices.open:
                log.info("%s answers again", self.meter.id)
            self.intake.notices.later_end(f"silent {self.meter.id}")
            self.failing_since, self.told = None, False
        self.intake.take(readings)

    def _failed(self, error: DeviceError) -> None:
        """Note a failure; tell about it once, when it has lasted (a connection may still be opening)."""
        state, now = self.intake.state, self.clock.monotonic()
        state.silent[self.meter.id] = error.reason
        if self.failing_since is None:
            self.failing_since = now
        if self.told or now - self.failing_since < TELL_AFTER_S * self.clock.speed:
            return
        self.told = True
        log.warning("%s", error)
        words = f"{_name(state.site, self.meter.id)} does not answer: {error.reason}. {error.remedy}".strip()
        self.intake.notices.later_raise(f"silent {self.meter.id}", "warning", words)


def _name(site: Site, device_id: str) -> str:
    device = site.device(device_id)
    return device.name if device else device_id
