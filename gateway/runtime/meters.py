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
COUNTERS = tuple(quantity for quantity in Quantity if quantity.is_counter)
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
        """Seed the interval builders with the counters on disk.

        The quarter hour under way goes on, and the energy of the pause is recovered and marked. What seeding completes
        is kept only where the disk has nothing better.
        """
        now = self.clock.now()
        for device in self.state.site.devices:
            builder = self._builder(device.id)
            for row in await self._last_minutes(device.id, now):
                builder.seed(row.quantity, row.last, row.start + timedelta(seconds=60))
            for interval in builder.take_seeded():
                kept = await self.store.intervals(interval.device, interval.start, interval.end)
                if not kept or kept[-1].net_wh is None:
                    self._keep([interval])

    async def _last_minutes(self, device: str, now: datetime) -> list[Rollup]:
        """Stored minutes of a device's counters from before the last two quarter hours heard of, oldest first."""
        series = [
            await self.store.rollups(device, quantity.value, now - timedelta(days=2), now) for quantity in COUNTERS
        ]
        heard = [rows[-1].start for rows in series if rows]
        if not heard:
            return []
        begin = _quarter_of(max(heard)) - timedelta(seconds=INTERVAL_S + 60)
        # A counter that has been silent for longer still says from where its energy is to be recovered.
        wanted = [row for rows in series for row in rows if row.start >= begin or row is rows[-1]]
        return sorted(wanted, key=lambda row: row.start)

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
        try:
            await self._derive(edge)
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

    async def _derive(self, edge: datetime) -> None:
        """The pseudo-devices "house" (what is left of the grid) and "solar", once every device closed the quarter.

        Made anew when a counter tells of a quarter's energy later; raises StoreError and then goes on the next time.
        """
        site = self.state.site
        for start in sorted(self._quarter):
            if start + timedelta(seconds=INTERVAL_S) > edge:
                break
            quarter = await self._whole_quarter(start)
            del self._quarter[start]
            for derived in (remainder(site, quarter, start), solar(site, quarter, start)):
                if derived is not None:
                    self._intervals.append(derived)

    async def _whole_quarter(self, start: datetime) -> dict[str, Interval]:
        """Every device's newest interval of one quarter hour: from the disk, waiting for the disk, or just closed."""
        end, fresh = start + timedelta(seconds=INTERVAL_S), self._quarter[start]
        names = [name for device in self.state.site.devices for name in (device.id, f"{device.id}/pv")]
        stored = {
            name: rows[-1]
            for name in names
            if name not in fresh and (rows := await self.store.intervals(name, start, end))
        }
        waiting = {interval.device: interval for interval in self._intervals if interval.start == start}
        return stored | waiting | fresh


def _quarter_of(when: datetime) -> datetime:
    return datetime.fromtimestamp(when.timestamp() // INTERVAL_S * INTERVAL_S, when.tzinfo)


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
