"""What readings pass on their way: validate, keep live, roll up, close intervals, store once a minute."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.core.metering.edit import is_correction
from gateway.core.metering.intervals import IntervalBuilder
from gateway.core.metering.remainder import remainder, solar
from gateway.core.metering.rollup import MinuteBuffer
from gateway.core.metering.sun import sun_up
from gateway.core.metering.typical import TypicalDays
from gateway.core.metering.usage import OVER_SPEC, UsageRules, connection_w
from gateway.core.metering.validator import Validator
from gateway.model.errors import StoreError
from gateway.model.quantity import Quantity
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality, Quality, Reading, Rollup, RuleCount
from gateway.ports import Clock, Store
from gateway.runtime.live import HomeState
from gateway.runtime.notices import Notices
from gateway.runtime.rule_counts import RuleCounts

STORE_S = 60.0
"""Samples wait at most this long before they are on disk (home s)."""
GRACE_S = 90.0
"""A quarter hour is closed this long after its end, so that slow counters arrive."""
COUNTERS = tuple(quantity for quantity in Quantity if quantity.is_counter)
KEEP_ROLLUPS = 20_000
"""While the disk fails, at most so many roll-ups wait in memory; the oldest go first."""
TYPICAL_DAYS = timedelta(days=7)
"""So many days say what a device usually does at a time of day."""
EDGES = "metering/edges"
SUN_EVERY = timedelta(minutes=1)


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
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while intervals are made and written; who edits intervals holds it while saving, not while re-deriving."""
    _validator: Validator = field(init=False)
    _usage: UsageRules = field(init=False)
    _typical: TypicalDays = field(init=False)
    _counts: RuleCounts = field(init=False)
    _edges: dict[str, Any] = field(default_factory=dict)
    _sun: tuple[datetime, bool] | None = None
    _minutes: MinuteBuffer = field(default_factory=MinuteBuffer)
    _builders: dict[str, IntervalBuilder] = field(default_factory=dict)
    _rollups: list[Rollup] = field(default_factory=list)
    _intervals: list[Interval] = field(default_factory=list)
    _quarter: dict[datetime, dict[str, Interval]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        site = self.state.site
        self._validator, self._usage = Validator(site), UsageRules(site)
        self._typical, self._counts = TypicalDays(site.timezone), RuleCounts(site.timezone, self.store)

    async def resume(self) -> None:
        """Seed the interval builders with the counters on disk, and take up today's counts of rules.

        The quarter hour under way goes on, and the energy of the pause is recovered and marked. What seeding completes
        is kept only where the disk has nothing better.
        """
        now = self.clock.now()
        await self._counts.resume(now)
        self._edges = await self.store.get(EDGES) or {}
        for device in self.state.site.devices:
            await self._learn_typical(device.id, now)
            builder = self._builder(device.id)
            await self._seed(builder, device.id, now)
            for interval in builder.take_seeded():
                kept = await self.store.intervals(interval.device, interval.start, interval.end)
                if not kept or kept[-1].net_wh is None:
                    self._keep([interval])

    async def _seed(self, builder: IntervalBuilder, device: str, now: datetime) -> None:
        """Each register from the last edge of an interval that is known exactly, and by stored minutes from there."""
        edges = {
            Quantity(name): (datetime.fromtimestamp(at, UTC), value)
            for name, (at, value) in self._edges.get(device, {}).items()
            if at <= now.timestamp()
        }
        seeds = [(at, quantity, value, False) for quantity, (at, value) in edges.items()]
        for row in await self._last_minutes(device, now):
            # The minute under way was stored at an orderly end: its value is not from the future.
            at = min(now, row.start + timedelta(seconds=60))
            if row.quantity not in edges or at > edges[row.quantity][0]:
                seeds.append((at, row.quantity, row.last, True))
        for at, quantity, value, rough in sorted(seeds):
            builder.seed(quantity, value, at, rough=rough)

    async def _learn_typical(self, device: str, now: datetime) -> None:
        for name in (device, f"{device}/pv", f"{device}/battery"):
            for interval in await self.store.intervals(name, now - TYPICAL_DAYS, now):
                self._typical.add(interval)

    async def _last_minutes(self, device: str, now: datetime) -> list[Rollup]:
        """Stored minutes of a device's counters from before the last two quarter hours heard of, oldest first."""
        series = [
            await self.store.rollups(device, quantity.value, now - timedelta(days=2), now) for quantity in COUNTERS
        ]
        heard = [rows[-1].start for rows in series if rows]
        if not heard:
            return []
        begin = quarter_of(max(heard)) - timedelta(seconds=INTERVAL_S + 60)
        # A counter that has been silent for longer still says from where its energy is to be recovered.
        wanted = [row for rows in series for row in rows if row.start >= begin or row is rows[-1]]
        return sorted(wanted, key=lambda row: row.start)

    def take(self, readings: list[Reading], *, asked: bool = True) -> None:
        """Pass readings through validation into the live state, the minutes and the intervals.

        `asked` is False for a device that speaks by itself, and may repeat what it said.
        """
        now = self.clock.now()
        for reading in self._validator.check(readings, now, self._sun_up(now), asked=asked):
            self.taken += 1
            self.state.take(reading)
            if reading.rule is not None:
                self._counts.add(reading.device, reading.rule, now, reading.reason)
            if reading.quality is not Quality.VALID:
                self.refused[reading.device] += 1
            self._rollups += self._minutes.add(reading)
            self._keep(self._builder(reading.device).add(reading))

    def rule_counts(self, device: str) -> list[RuleCount]:
        """How often each validation rule spoke about a device today (the local day), the most frequent first."""
        return sorted(self.vee.get(device, {}).values(), key=lambda count: -count.count)

    @property
    def vee(self) -> dict[str, dict[str, RuleCount]]:
        """Today's counts: device -> name of the rule -> count, last time and words."""
        return self._counts.today(self.clock.now())

    def _sun_up(self, now: datetime) -> bool:
        if self._sun is None or abs(now - self._sun[0]) > SUN_EVERY:
            site = self.state.site
            self._sun = (now, sun_up(now, site.latitude, site.longitude))
        return self._sun[1]

    def _builder(self, device: str) -> IntervalBuilder:
        builder = self._builders.get(device)
        if builder is None:
            most = OVER_SPEC * connection_w(self.state.site)
            builder = IntervalBuilder(device, max_power_w=most, typical=self._typical.power_w)
            self._builders[device] = builder
        return builder

    def _keep(self, intervals: list[Interval]) -> None:
        for found in intervals:
            interval, doubt = self._usage.judge(found)
            if doubt is not None:
                self._counts.add(_device_of(interval), doubt[0], self.clock.now(), doubt[1])
            self._typical.add(interval)
            self._intervals.append(interval)
            self._quarter.setdefault(interval.start, {})[interval.device] = interval

    async def run(self) -> None:
        """Store what has gathered, once a minute, until cancelled."""
        while True:
            await self.clock.sleep(STORE_S, real_floor=1.0)
            await self.flush()

    async def flush(self, *, final: bool = False) -> None:
        """Close what is due and write it in one transaction; what cannot be written waits for the next time."""
        now = self.clock.now()
        if final:
            self._rollups += self._minutes.flush()
        edge = now - timedelta(seconds=GRACE_S * max(1.0, self.clock.speed / 30))
        self._close(edge)
        try:
            await self._counts.save(now, final=final)
            async with self.writing:
                await self._derive(edge)
                await self._write()
        except StoreError as error:
            self.notices.later_raise("disk", "alarm", f"Measurements cannot be stored: {error}. Control goes on.")
            del self._rollups[: max(0, len(self._rollups) - KEEP_ROLLUPS)]
        else:
            self.notices.later_end("disk")

    def _close(self, edge: datetime) -> None:
        for device, builder in self._builders.items():
            self._keep(builder.close(edge))
            for _, rule, _, words in builder.take_notes():
                self._counts.add(device, rule, self.clock.now(), words)

    async def _write(self) -> None:
        rollups, self._rollups = self._rollups, []
        intervals, self._intervals = self._intervals, []
        try:
            automatic = [interval for interval in _newest(intervals) if not await self._edited(interval)]
            edges = self._newest_edges() if automatic else self._edges
            await self.store.save_minute(rollups, automatic, {} if edges == self._edges else {EDGES: edges})
            self._edges = edges
            rollups, intervals = [], []
        finally:
            self._rollups = rollups + self._rollups
            self._intervals = intervals + self._intervals

    def _newest_edges(self) -> dict[str, Any]:
        """With the intervals that are stored: from where a restart goes on with the next ones."""
        return {
            device: self._edges.get(device, {}) | {q.value: [at, value] for q, (at, value) in builder.edges().items()}
            for device, builder in self._builders.items()
        }

    async def _edited(self, interval: Interval) -> bool:
        """Whether a person's correction is in force for this interval: no automatic one supersedes it."""
        rows = await self.store.intervals(interval.device, interval.start, interval.end)
        return bool(rows) and is_correction(rows[-1])

    async def _derive(self, edge: datetime) -> None:
        """The pseudo-devices "house" (what is left of the grid) and "solar", once every device closed the quarter.

        Made anew when a counter tells of a quarter's energy later; raises StoreError and then goes on the next time.
        """
        for start in sorted(self._quarter):
            if start + timedelta(seconds=INTERVAL_S) > edge:
                break
            quarter = await self._whole_quarter(start)
            del self._quarter[start]
            self._intervals += self._derived(quarter, start)

    async def rederive(self, start: datetime) -> None:
        """Make "house" and "solar" of the quarter hour at `start` anew from the rows in force; raises StoreError.

        For after a correction by hand. Where they were corrected by hand themselves they stay.
        """
        async with self.writing:
            derived = self._derived(await self._whole_quarter(start), start)
            wanted = [interval for interval in derived if not await self._edited(interval)]
            if wanted:
                await self.store.save_intervals(wanted)

    def _derived(self, quarter: Mapping[str, Interval], start: datetime) -> list[Interval]:
        site = self.state.site
        return [made for made in (remainder(site, quarter, start), solar(site, quarter, start)) if made is not None]

    async def _whole_quarter(self, start: datetime) -> dict[str, Interval]:
        """Every device's interval of one quarter hour: corrected by hand, else just closed, waiting, or on the disk."""
        end, fresh = start + timedelta(seconds=INTERVAL_S), self._quarter.get(start, {})
        names = [name for device in self.state.site.devices for name in (device.id, f"{device.id}/pv")]
        stored = {name: rows[-1] for name in names if (rows := await self.store.intervals(name, start, end))}
        waiting = {interval.device: interval for interval in self._intervals if interval.start == start}
        edited = {name: row for name, row in stored.items() if row.quality is IntervalQuality.EDITED}
        return stored | waiting | fresh | edited


def quarter_of(when: datetime) -> datetime:
    """The start of the quarter hour an instant lies in."""
    return datetime.fromtimestamp(when.timestamp() // INTERVAL_S * INTERVAL_S, when.tzinfo)


def _newest(intervals: list[Interval]) -> list[Interval]:
    """The last word on each interval: what was made anew before it was written needs no row of its own."""
    return list({(interval.device, interval.start): interval for interval in intervals}.values())


def _device_of(interval: Interval) -> str:
    return interval.device.partition("/")[0]
