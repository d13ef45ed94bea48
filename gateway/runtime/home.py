"""The home as pages and API see it: read what is live and stored, hand wishes to the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gateway.core.metering.edit import Correction, Spread
from gateway.model.audit import AuditRow, Notification
from gateway.model.authority import Authority
from gateway.model.dr import EventRecord, OptState, Timeline
from gateway.model.errors import WishRefused
from gateway.model.foretold import DayAccuracy, ForetoldDay
from gateway.model.habits import EvHabit, Occupancy
from gateway.model.learned import DayShape, Learned, NotLearned
from gateway.model.plan import Block, Forecast, IntentKind, Plan
from gateway.model.preferences import Preferences
from gateway.model.reading import Interval, Rollup, RuleCount
from gateway.model.series import Series, SeriesKind
from gateway.model.session import EvSession
from gateway.model.setpoint import Setpoint
from gateway.model.shapes import HomeShape, ShapeChances
from gateway.model.site import Role, Site
from gateway.model.snapshot import Snapshot
from gateway.model.tariff import Rate, Tariff
from gateway.ports import Clock, FactStore, Store
from gateway.runtime.alerts import Alerts
from gateway.runtime.appliance_wishes import ApplianceWishes
from gateway.runtime.archive import PlanArchive
from gateway.runtime.bills import Bills
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.dr_desk import DrDesk
from gateway.runtime.edits import Edits
from gateway.runtime.effects import Effects
from gateway.runtime.energy import EnergyDay, EnergyHistory
from gateway.runtime.envelopes import Envelopes
from gateway.runtime.event_chain import EventChain
from gateway.runtime.installer import Installer
from gateway.runtime.learn import Learn
from gateway.runtime.ledger import Ledger
from gateway.runtime.live import Changes
from gateway.runtime.meters import Intake
from gateway.runtime.notices import Notices
from gateway.runtime.offers import Offers
from gateway.runtime.planning import PlanLoop
from gateway.runtime.process import usage
from gateway.runtime.savings import SavingsBook
from gateway.runtime.shown import DeviceNotes, Health, NextChange
from gateway.runtime.source_words import SourceState
from gateway.runtime.sources import Sources
from gateway.runtime.targeting import TargetingLoop
from gateway.runtime.tick import Tick
from gateway.runtime.whatif import Tariffs, WhatIf
from gateway.runtime.wishes import OwnerWishes
from gateway.runtime.words import change_sentence, headline, is_done, local_time, next_block

NOTHING_MICRO = 5_000
"""Less than half a cent is nothing."""


def binds(authority: Authority) -> bool:
    """Whether the owner's override must wait for it."""
    return authority < Authority.OWNER_OVERRIDE


@dataclass(slots=True)
class Home:
    """Everything web needs; wiring only, the work is done by the loops it names."""

    site: Site
    clock: Clock
    store: Store
    changes: Changes
    tick: Tick
    plans: PlanLoop
    learn: Learn
    dr: DemandResponse
    wishes: OwnerWishes
    notices: Notices
    intake: Intake
    site_tariff: Tariff
    price_at: Callable[[Tariff, datetime], Rate]
    shapes: Callable[[], dict[str, tuple[float, ...]]]
    task_errors: Callable[[], dict[str, str]]
    installer: Installer
    simulated: bool = False
    notes: Callable[[str], DeviceNotes] = lambda device: DeviceNotes()
    kept_back: Callable[[EventRecord], list[str]] = lambda record: []
    """What a utility asks to be told of an event and is not."""
    energy: EnergyHistory = field(init=False)
    edits: Edits = field(init=False)
    bills: Bills = field(init=False)
    questions: WhatIf = field(init=False)
    tariffs: Tariffs = field(init=False)
    archive: PlanArchive = field(init=False)
    savings: SavingsBook = field(init=False)
    ledger: Ledger = field(init=False)
    appliances: ApplianceWishes = field(init=False)
    sources: Sources = field(init=False)
    envelopes: Envelopes = field(init=False)
    chain: EventChain = field(init=False)
    offers: Offers = field(init=False)
    effects: Effects = field(init=False)
    targeting: TargetingLoop = field(init=False)
    alerts: Alerts = field(init=False)

    def __post_init__(self) -> None:
        self.alerts = Alerts(
            self.site,
            self.clock,
            self.store,
            self.notices,
            self.rate_at,
            self.preferences,
            self.site_tariff,
            self._past_spot,
        )
        self.energy = EnergyHistory(self.site, self.clock, self.store)
        self.appliances = ApplianceWishes(self.site, self.clock, self.store, lambda what: None)
        self.bills = Bills(self.site, self.clock, self.store, self.site_tariff, self._past_spot)
        self.archive = PlanArchive(self.site, self.clock, self.store, self.plan)
        self.savings = SavingsBook(
            self.site, self.clock, self.store, self.site_tariff, self.preferences, self._past_spot
        )
        self.questions = WhatIf(
            self.site, self.clock, self.store, self.site_tariff, lambda: self.wishes.preferences, self._past_spot
        )
        self.edits = Edits(self.site, self.clock, self.store, self.changes.touch, self.intake.writing)

    async def _past_spot(self, start: datetime, end: datetime) -> Series | None:
        return await self.sources.archive.between(SeriesKind.SPOT, start, end)

    @property
    def facts(self) -> FactStore:
        """Small documents for the login."""
        return self.store

    @property
    def desk(self) -> DrDesk:
        """The owner's side of demand response."""
        return DrDesk(self.clock, self.dr, self.effects, self.wishes, self.kept_back)

    @property
    def tick_s(self) -> float:
        """Length of a tick, s of home time."""
        return self.tick.period_s

    def snapshot(self) -> Snapshot | None:
        """The newest frozen state."""
        return self.tick.last

    def setpoints(self) -> dict[str, Setpoint]:
        """The whole wish of the last tick, by device."""
        return self.tick.setpoints

    def plan(self) -> Plan | None:
        """The newest plan."""
        return self.plans.plan

    def tariff(self) -> Tariff | None:
        """The site's tariff."""
        return self.site_tariff

    def rate(self) -> Rate | None:
        """The rate in force now."""
        return self.price_at(self.site_tariff, self.clock.now())

    def rate_at(self, when: datetime) -> Rate:
        """The tariff's rate at an instant, past ones too."""
        return self.price_at(self.site_tariff, when)

    def headline(self) -> str:
        """One sentence: what happens and why."""
        return headline(self.site, self.snapshot(), self.setpoints(), list(self.notices.open.values()), self.plan())

    def next_change(self) -> NextChange | None:
        """What happens next: while a car waits, the end of its wait with what waiting saves."""
        now, plan = self.clock.now(), self.plan()
        if plan is None:
            return None
        waiting = self._waiting_car(plan, now)
        if waiting is not None:
            return waiting
        found = next_block(self.site, plan, now)
        if found is None:
            return None
        device, block = found
        starts = block.kind in (IntentKind.CHARGE_AT, IntentKind.RUN)
        refuse = "" if is_done(device, block) else "pause" if starts else "run"
        text = change_sentence(device, block, now, self.site.timezone)
        return NextChange(
            block.start, text, device.id, block.alternative_cost_micro, block.alternative_co2_g, refuse
        )  # fmt: skip

    def _waiting_car(self, plan: Plan, now: datetime) -> NextChange | None:
        for device in self.site.of_role(Role.EV_CHARGER):
            snapshot = self.snapshot()
            status = snapshot.chargers.get(device.id) if snapshot else None
            block, later = plan.block(device.id, now), plan.next_block(device.id, now)
            plugged = status is not None and bool(status.transaction)
            if plugged and block is not None and block.kind is IntentKind.HOLD and later is not None:
                return NextChange(
                    later.start, block.reason, device.id, block.alternative_cost_micro, block.alternative_co2_g, "run"
                )
        return None

    def event_records(self) -> list[EventRecord]:
        """All events known, newest first receipt last."""
        return list(self.dr.records.values())

    def timeline(self) -> Timeline:
        """The resolved signals."""
        return self.dr.timeline

    def program_name(self, program: str) -> str:
        """A program's name as the utility wrote it, by its key (or its id at its server)."""
        known = self.dr.programs.get(program) or next((p for p in self.dr.programs.values() if p.id == program), None)
        return known.name if known else program.partition(":")[2] or program

    def day_shapes(self) -> list[DayShape]:
        """The classes of past days, oldest first."""
        return self.learn.shapes

    def home_shape(self) -> HomeShape | None:
        """What the home's days amount to, and what has changed; None before the first classed day."""
        return self.learn.days.home()

    def shape_chances(self, day: date) -> ShapeChances | None:
        """The chance of each shape for a local day to come."""
        return self.learn.days.chances(day)

    def typical_shapes(self) -> dict[str, tuple[float, ...]]:
        """The dictionary of named shapes: 24 hourly shares each."""
        return self.shapes()

    def learned(self) -> Learned:
        """What was learned of rooms and hot water."""
        return self.learn.learned()

    def load_forecast(self) -> Forecast | None:
        """The house's uncontrolled load."""
        return self.learn.load

    def solar_forecast(self) -> Forecast | None:
        """Solar power, negative."""
        return self.learn.solar

    async def foretold(self, day: date, name: str) -> tuple[ForetoldDay, tuple[float, ...]] | None:
        """What was told of a local day's "load" or "solar" at its midnight, and what came, W by quarter hour (NaN: not
        measured); None where it was not kept."""
        return await self.learn.foretold.beside(day, name)

    def ev_habits(self) -> Mapping[str, EvHabit | NotLearned]:
        """When cars come and go and what they take, by charger, or why that is not known."""
        return self.learn.habits.cars

    def occupancy(self) -> Occupancy | NotLearned:
        """When somebody is probably at home, or why that is not known."""
        return self.learn.habits.people

    async def forecast_accuracy(self, first: date, last: date, name: str) -> list[DayAccuracy]:
        """How well each day's "load" or "solar" was foretold at its midnight, oldest first."""
        return await self.learn.foretold.accuracy(first, last, name)

    async def intervals(self, device: str, start: datetime, end: datetime) -> list[Interval]:
        """Interval data of one device (or "house", "solar")."""
        return await self.store.intervals(device, start, end)

    async def resampled(self, device: str, start: datetime, end: datetime, resolution_s: int) -> list[Interval]:
        """Interval data of another length, s (86,400: local days); raises WishRefused for one that is not kept."""
        return await self.energy.intervals(device, start, end, resolution_s)

    async def green_button(self, device: str, start: datetime, end: datetime, resolution_s: int) -> Iterator[str]:
        """Interval data as a Green Button (ESPI) feed, in pieces of text; raises WishRefused."""
        return await self.energy.green_button(device, start, end, resolution_s)

    async def interval_history(self, device: str, start: datetime) -> list[Interval]:
        """Every version of one interval, the one in force last."""
        return await self.store.interval_history(device, start)

    async def energy_day(self, day: date) -> EnergyDay:
        """Where the energy of a local day came from, consumer by consumer."""
        return await self.energy.day(day)

    async def correct(
        self,
        device: str,
        start: datetime,
        end: datetime,
        import_wh: float | None,
        export_wh: float | None,
        *,
        evenly: bool,
        reason: str,
        who: str,
    ) -> str:
        """Correct the energy of [start, end), Wh (None: as it is); returns what happened, raises WishRefused."""
        spread = Spread.EVENLY if evenly else Spread.PROPORTIONALLY
        return await self.edits.correct(Correction(device, start, end, import_wh, export_wh, reason, spread), who)

    async def undo_edits(self, device: str, start: datetime, end: datetime, who: str) -> str:
        """Undo the corrections in [start, end); returns what happened, raises WishRefused."""
        return await self.edits.undo(device, start, end, who)

    def rule_counts(self, device: str) -> list[RuleCount]:
        """How often each validation rule spoke about a device today."""
        return self.intake.rule_counts(device)

    def source_states(self) -> list[SourceState]:
        """Where prices, carbon intensity and weather come from."""
        return self.sources.state()

    def device_notes(self, device: str) -> DeviceNotes:
        """A device's profile and why it is slow."""
        return self.notes(device)

    async def rollups(self, device: str, quantity: str, start: datetime, end: datetime) -> list[Rollup]:
        """One-minute roll-ups of one series."""
        return await self.store.rollups(device, quantity, start, end)

    async def sessions(self, start: datetime, end: datetime) -> list[EvSession]:
        """Charging sessions."""
        return await self.store.sessions(start, end)

    async def notifications(self) -> list[Notification]:
        """Notifications, open ones first, newest first."""
        kept = {(n.time, n.cause): n for n in await self.store.notifications()}
        kept |= {(n.time, n.cause): n for n in self.notices.open.values()}
        return sorted(kept.values(), key=lambda n: (n.ended is not None, -n.time.timestamp()))

    async def audit(self, start: datetime, end: datetime) -> list[AuditRow]:
        """The chain asked -> decided -> commanded -> confirmed -> released."""
        return await self.store.audit(start, end)

    def preferences(self) -> Preferences:
        """The owner's preferences."""
        return self.wishes.preferences

    async def set_preferences(self, preferences: Preferences, who: str) -> None:
        """Keep new preferences and re-plan; raises WishRefused."""
        await self.wishes.set_preferences(preferences, who)

    async def override(self, device: str, action: str, minutes: float, who: str, event: str = "") -> str:
        """The owner's word about one device, at once; raises WishRefused. Returns what will happen."""
        made = await self.wishes.override(device, action, minutes, who, event)
        found = self.site.device(device)
        name = found.name if found else device
        if made is None:
            for record in self._events_now():
                await self.dr.followed(record.key, device)
            return f"{name} follows the plan again."
        if made.action == "run":
            for record in self._events_now():
                await self.dr.overridden(record.key, device)
        until = local_time(made.end, self.clock.now(), self.site.timezone)
        bound = next((limit for limit in self.dr.in_force() if limit.device == device and binds(limit.authority)), None)
        if made.action == "run" and bound is not None:
            return f"{name} runs until {until} as soon as it may; this comes first: {bound.reason}"
        return f"{name} {'runs' if action == 'run' else 'pauses'} until {until}, then follows the plan again."

    def _events_now(self) -> list[EventRecord]:
        now = self.clock.now()
        active = {signal.event for signal in self.dr.timeline.at(now)}
        return [r for r in self.event_records() if r.key in active and r.opt is OptState.JOINED]

    async def opt(self, event_id: str, choice: str, who: str) -> str:
        """Join or skip an event; raises WishRefused. Returns what will happen."""
        record = await self.dr.opt(event_id, choice, who)
        name = record.event.name or "The event"
        return f"{name}: joined." if record.opt is not OptState.SKIPPED else f"{name}: skipped, nothing will change."

    async def counterfactual(self, device: str, start: datetime) -> tuple[int | None, float | None, str]:
        """What the alternative to one block would cost more (micro-units) and emit more (g CO2), in words."""
        found = await self.plans.counterfactual(device, start)
        if found is None:
            raise WishRefused("This part of the plan has changed; look at the newest plan.")
        block, micro, co2_g = found
        return micro, co2_g, _alternative(block, micro, co2_g, self.site.currency)

    def health(self) -> Health:
        """Ready when it ticks, the main meter is heard and no loop is failing."""
        reasons = [f"{name}: {error}" for name, error in self.task_errors().items()]
        snapshot = self.snapshot()
        if snapshot is None:
            reasons.append("no tick yet")
        elif snapshot.now < self.clock.now() - timedelta(seconds=10 * self.tick_s):
            reasons.append("the control loop is late")
        meter = snapshot.main_meter() if snapshot else None
        if snapshot is not None and (meter is None or not meter.online):
            reasons.append("the main meter is silent")
        return Health(not reasons, reasons)

    async def wait_change(self, version: int) -> int:
        """Return as soon as something changed after `version`."""
        return await self.changes.after(version)

    def metrics(self) -> list[tuple[str, str, str, dict[str, str], float]]:
        """(name, help, type, labels, value) rows for Prometheus."""
        rss, cpu, written = usage()
        rows: list[tuple[str, str, str, dict[str, str], float]] = [
            ("hearth_ticks_total", "Control ticks since the start", "counter", {}, float(self.tick.count)),
            ("hearth_first_tick_seconds", "Process start to first tick", "gauge", {}, self.tick.first_after_s or 0.0),
            ("hearth_readings_total", "Readings taken", "counter", {}, float(self.intake.taken)),
            ("hearth_resident_bytes", "Resident memory", "gauge", {}, rss),
            ("hearth_cpu_seconds_total", "Processor time", "counter", {}, cpu),
            ("hearth_written_bytes_total", "Bytes written to storage", "counter", {}, written),
        ]
        for device, count in self.intake.refused.items():
            rows.append(
                ("hearth_readings_refused_total", "Readings not valid", "counter", {"device": device}, float(count))
            )
        snapshot = self.snapshot()
        for state in snapshot.devices.values() if snapshot else ():
            rows.append(("hearth_device_online", "1 when heard", "gauge", {"device": state.id}, float(state.online)))
        return rows


def _alternative(block: Block, micro: int | None, co2_g: float | None, currency: str) -> str:
    if not block.alternative or micro is None or co2_g is None:
        return "There is no other way to weigh this against."
    if abs(micro) < NOTHING_MICRO:
        return f"{block.alternative[:1].upper()}{block.alternative[1:]} would cost about the same."
    money = f"{abs(micro) / 1e6:.2f} {currency} {'more' if micro >= 0 else 'less'}"
    co2 = f"{abs(co2_g) / 1000:.1f} kg CO2 {'more' if co2_g >= 0 else 'less'}"
    what = block.alternative
    return f"{what[:1].upper()}{what[1:]} would cost {money} and emit {co2}."
