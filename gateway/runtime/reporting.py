"""After (and during) an event: baseline, delivered energy, reports, and the outbox to the utility's server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from gateway.core.demand_response.baseline.methods import WORDS
from gateway.core.demand_response.delivered import Delivered, delivered, summed
from gateway.core.demand_response.opt import asks_action
from gateway.core.demand_response.proof_rules import ProofRules
from gateway.core.demand_response.report import build_report, remembered, untold
from gateway.core.demand_response.report_data import MOMENTARY, STATES, ReportData, held_back
from gateway.core.demand_response.report_windows import CATCH_UP, ahead
from gateway.core.demand_response.schedule import event_span
from gateway.core.demand_response.standing import followed, is_in, stands
from gateway.core.demand_response.timeline import PAST_S
from gateway.model.agreement import Shared
from gateway.model.archive import ArchivedDay
from gateway.model.audit import AuditRow
from gateway.model.dr import DrReport, EventRecord, OptState, Timeline
from gateway.model.plan import Plan
from gateway.model.reading import INTERVAL_S
from gateway.model.site import Role, Site
from gateway.ports import Clock, DrServer, Store
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.dr_baselines import Baselines
from gateway.runtime.dr_before import Before
from gateway.runtime.measured import measured, quarter
from gateway.runtime.meters import GRACE_S
from gateway.runtime.outbox import Outbox
from gateway.runtime.report_facts import Ahead, ReportFacts, nothing_ahead
from gateway.runtime.tick import Tick
from gateway.runtime.words import kwh

LOOK_S = 60.0
AHEAD_S = 5.0
GIVE_UP = timedelta(days=2)
"""Delivered energy that could not be measured so long after the end stays unknown."""
AT_ITS_END = MOMENTARY - {"OPERATING_STATE"}
"""Read or known at once; a state waits for the energy that says whether the home runs."""
OPTED = (OptState.JOINED, OptState.BINDING, OptState.SKIPPED)


@dataclass(slots=True)
class Reporting:
    """Watches the events: keeps plans without each, builds what is due, delivers what is kept.

    `without` makes the plan the home would follow now if the event with this key were unknown. `rules` are what
    programs demand of the proof, `holiday` tells the days that are no working days, `ahead` what the home offers.
    `on_queued` hears of each report as it is handed to the outbox; `archive` tells what was planned of a day.
    """

    site: Site
    clock: Clock
    store: Store
    dr: DemandResponse
    tick: Tick
    without: Callable[[str], Awaitable[Plan | None]] | None = None
    rules: ProofRules = field(default_factory=ProofRules)
    holiday: Callable[[date], bool] = lambda day: False
    ahead: Ahead = nothing_ahead
    on_queued: Callable[[DrReport], Awaitable[None]] | None = None
    archive: Callable[[date], Awaitable[ArchivedDay]] | None = None
    before: Before = field(init=False)
    baselines: Baselines = field(init=False)
    facts: ReportFacts = field(init=False)
    outbox: Outbox = field(init=False)
    _retry_at: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before = Before(self.site, self.clock, self.store, lambda: self.tick.last, self.without, self.archive)
        self.baselines = Baselines(
            self.site, self.clock, self.store, self.dr, self.rules, self.holiday, self.before.slots
        )
        self.facts = ReportFacts(self.site, self.store, self.baselines, lambda: self.tick.last, self.ahead)
        self.outbox = Outbox(self.clock, self.store, self._account_works)

    async def run(self) -> None:
        """Look every minute, and just before an event starts, until cancelled."""
        while True:
            await self.once()
            await self.clock.sleep(self._pause_s(), real_floor=0.1)

    def _pause_s(self) -> float:
        now = self.clock.now()
        starts = [span[0] for record in self.dr.records.values() if (span := event_span(record, self.site.timezone))]
        edges = [(start - now).total_seconds() - self._ahead_s() for start in starts]
        return min([max(LOOK_S, 0.5 * self.clock.speed), *(edge for edge in edges if edge > 0)])

    def _ahead_s(self) -> float:
        """How long before an event the plan without it is made, s: a plan takes some real time."""
        return max(AHEAD_S, 0.5 * self.clock.speed)

    async def once(self) -> None:
        """Keep the plan without each event that is about to start; build the reports that are due."""
        self.before.look()
        await self.baselines.keep_weather()
        for key in list(self.dr.records):
            record = self.dr.records.get(key)
            if record is None or self._long_gone(record):
                continue
            if record.cancelled_at is None and record.opt in OPTED:
                await self.before.keep(record, self._ahead_s())
            await self._queue_reports(record)
            await self._measure_when_over(record)

    def held_back(self, record: EventRecord) -> list[str]:
        """What the utility asks to be told about an event and is not: for the owner's choice, or refused there."""
        devices = [device.id for device in self.baselines.devices()]
        words = held_back(record.event, self._share(record), devices) + untold(record, self.site.timezone)
        return words + self.outbox.set_aside(record.key)

    async def deliver(self, server: DrServer) -> None:
        """Send what is kept for one server, oldest first, until cancelled; a lost link keeps it for later."""
        await self.outbox.deliver(server)

    async def measure(self, record: EventRecord, start: datetime, end: datetime) -> Delivered:
        """Delivered energy over [start, end): baseline minus measurement, per controlled device and whole home."""
        home, rows = await self.baselines.of_event(record, start, end)
        used = {device: await measured(self.store, device, (start, end)) for device in rows}
        meter = next((d.id for d in self.site.of_role(Role.MAIN_METER)), "")
        whole = await measured(self.store, meter, (start, end))
        return delivered(rows, used, home=home, home_measured=whole)

    def _account_works(self, server: str) -> bool:
        health = self.dr.health.get(server)
        return health is not None and health.ok

    def _share(self, record: EventRecord) -> tuple[Shared, ...]:
        event = record.event
        program = self.dr.programs.get(event.program_key)
        agreement = self.dr.preferences().agreement(event.program_key, event.program, program.name if program else "")
        return agreement.at(self.clock.now()).share

    def _long_gone(self, record: EventRecord) -> bool:
        """Whether an event was withdrawn so long ago that nothing is owed for it any more."""
        return record.cancelled_at is not None and record.cancelled_at < self.clock.now() - CATCH_UP

    async def _measure_when_over(self, record: EventRecord) -> None:
        """What was delivered while the home followed it, once it is over or withdrawn."""
        span, gone = event_span(record, self.site.timezone), record.cancelled_at
        if span is None or (span[1] is None and gone is None):
            return
        end = min(x for x in (span[1], gone) if x is not None)
        parts = followed(record, span[0], end) if self._to_measure(record, end) else ()
        if parts and (gone is None or parts[-1][1] - parts[0][0] <= CATCH_UP):
            await self._delivered(record, parts)

    def _grace(self) -> timedelta:
        """How long after its end a quarter hour is on disk."""
        return timedelta(seconds=(GRACE_S + INTERVAL_S / 15) * max(1.0, self.clock.speed / 30))

    def _closed(self) -> datetime:
        """Up to when all is measured and on disk: quarter hours are kept as a whole."""
        return quarter(self.clock.now() - self._grace())

    async def _queue_reports(self, record: EventRecord) -> None:
        """Put what is due into the outbox; the data are gathered only when something is."""
        due = self._due(record, self.facts.names()) if record.event.reports else []
        if not due:
            return
        timeline = self._timeline(record, min(row.start for report in due for row in report.rows))
        reports = self._due(record, await self._data(record, due), timeline)
        for report in reports:
            await self.store.enqueue(report, self.clock.now())
            if self.on_queued is not None:
                await self.on_queued(report)
        reported = self.dr.records[record.key].reported + tuple(report.key for report in reports)
        await self.dr.update(record.key, reported=remembered(reported, self.clock.now()))

    def _timeline(self, record: EventRecord, since: datetime) -> Timeline:
        """What was in force since then; of an event that was skipped or withdrawn, too, while it was followed."""
        if is_in(stands(record)[-1]) and since >= self.clock.now() - timedelta(seconds=PAST_S):
            return self.dr.timeline
        return self.dr.as_followed(record, since)

    def _due(self, record: EventRecord, data: ReportData, timeline: Timeline | None = None) -> list[DrReport]:
        """What is measured waits for the quarter hour that holds its end; momentary values and what is ahead do not."""
        now, zone, share = self.clock.now(), self.site.timezone, self._share(record)
        covered = self.rules.of(record.event.program_key).covered
        return [
            report
            for descriptor in record.event.reports
            for report in build_report(
                record,
                timeline or self.dr.timeline,
                descriptor,
                data,
                now if ahead(descriptor) else now - self._grace(),
                timezone=zone,
                share=share,
                covered=covered,
            )
            if ahead(descriptor) or descriptor.payload_type in AT_ITS_END or _end(report) <= self._closed()
        ]

    async def _data(self, record: EventRecord, due: Sequence[DrReport]) -> ReportData:
        rows = [row for report in due for row in report.rows]
        edges = {edge for row in rows for edge in (row.start, row.start + timedelta(seconds=row.duration_s))}
        kinds = {report.payload_type for report in due}
        peaks = any(descriptor.reading_type == "PEAK" for descriptor in record.event.reports)
        data = await self.facts.gather(record, edges or {self.clock.now()}, kinds, peaks, self.clock.now())
        aside = any(stand.aside for stand in stands(record)) and STATES & kinds
        return replace(data, acts_on=self.dr.acts_on(record, min(edges))) if aside else data

    def _to_measure(self, record: EventRecord, end: datetime) -> bool:
        """Whether delivered energy is still owed; gaps may be filled by counters that speak late, for a while."""
        now = self.clock.now()
        if record.delivered_wh is not None or not asks_action(record.event):
            return False
        return end <= self._closed() and now < end + GIVE_UP and now >= self._retry_at.get(record.key, now)

    async def _delivered(self, record: EventRecord, parts: Sequence[tuple[datetime, datetime]]) -> None:
        found, now = summed([await self.measure(record, *part) for part in parts]), self.clock.now()
        tried = record.key in self._retry_at
        self._retry_at[record.key] = now + timedelta(seconds=INTERVAL_S)
        if found.energy_wh is not None or not tried:
            row = AuditRow(now, "released", record.key, words(found), 6, record.key)
            await self.store.append(row)
        if found.energy_wh is None:
            return
        await self.dr.update(
            record.key,
            delivered_wh=found.energy_wh,
            delivered_low_wh=found.low_wh,
            delivered_high_wh=found.high_wh,
            home_delivered_wh=found.home_wh,
            home_delivered_low_wh=found.home_low_wh,
            home_delivered_high_wh=found.home_high_wh,
            baseline_method=found.method,
            baseline_error_percent=found.error_percent,
            baseline_placebos=found.placebos,
        )


def _end(report: DrReport) -> datetime:
    return max(
        (row.start + timedelta(seconds=row.duration_s) for row in report.rows), default=datetime.min.replace(tzinfo=UTC)
    )


def words(found: Delivered) -> str:
    """What an event delivered, in one sentence for the owner."""
    if found.energy_wh is None:
        return "event over; what was delivered is not known, because a measurement has gaps"
    whose = "by the controlled devices" if found.per_device else "by the whole home"
    text = f"event over; delivered {kwh(found.energy_wh, 2)} kWh {whose}"
    if found.low_wh is not None and found.high_wh is not None:
        text += f" ({kwh(found.low_wh, 2)} to {kwh(found.high_wh, 2)} kWh)"
    if found.home_wh is not None and found.home_low_wh is not None and found.home_high_wh is not None:
        low, high = kwh(found.home_low_wh, 2), kwh(found.home_high_wh, 2)
        text += f"; the whole home {kwh(found.home_wh, 2)} kWh (80 % interval {low} to {high} kWh)"
    if found.method and found.error_percent is not None:
        text += f" by {WORDS.get(found.method, found.method)}, which misses {found.error_percent:.0f} % on days without"
        text += f" an event ({found.placebos} tried)"
    parts = ", ".join(f"{device} {kwh(energy, 2)}" for device, energy in found.per_device.items())
    return f"{text}; by device: {parts}" if parts else text
