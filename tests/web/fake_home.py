"""A home for the pages, which lives the scene of tests/web/scene.py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from gateway.core.demand_response.strategies import Strategies
from gateway.core.metering.edit import Correction, Spread
from gateway.model.audit import AuditRow, Notification
from gateway.model.dr import (
    DrProgram,
    EventRecord,
    OptState,
    Timeline,
)  # fmt: skip
from gateway.model.effect import EventEffect
from gateway.model.errors import WishRefused
from gateway.model.flex import FlexOffer
from gateway.model.foretold import DayAccuracy, ForetoldDay
from gateway.model.habits import EvDay, EvHabit, Occupancy, Quantiles
from gateway.model.learned import Learned, NotLearned
from gateway.model.plan import Forecast
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, Rollup, Rule, RuleCount
from gateway.model.session import EvSession
from gateway.model.setpoint import Override
from gateway.model.shapes import HomeShape, ShapeChances, ShapeDrift
from gateway.model.site import Site
from gateway.model.tariff import Tariff
from gateway.runtime.alerts import Alerts
from gateway.runtime.appliance_wishes import ApplianceWishes
from gateway.runtime.archive import PlanArchive
from gateway.runtime.bills import Bills
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.dr_desk import DrDesk
from gateway.runtime.edits import Edits
from gateway.runtime.energy import EnergyHistory, series_of
from gateway.runtime.envelopes import Envelopes
from gateway.runtime.event_chain import EventChain
from gateway.runtime.installer import Installer
from gateway.runtime.ledger import LedgerRow
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.notices import Notices
from gateway.runtime.savings import SavingsBook
from gateway.runtime.shown import DeviceNotes, Health
from tests.fakes import FakeClock, FakeStore
from tests.web.rated_home import FakeTargeting
from tests.web.scene import (
    DAY_RATE,
    NOW,
    SITE,
    ZONE,
    at,
    day_shapes,
    house_w,
    interval_of,
    plan,
    records,
    setpoints,
    snapshot,
    timeline,
    typical,
)

COMMUTER = EvDay(0.9, Quantiles(17.0, 17.5, 18.5), Quantiles(7.0, 7.5, 8.0), Quantiles(5e3, 9e3, 15e3))
EV_HABIT = EvHabit("charger", ((0.25,) * 12 + (0.75,) * 12,) * 7, COMMUTER, COMMUTER, 40, 60, "sessions")
OCCUPANCY = Occupancy(((0.8,) * 24,) * 7, 120.0, 200.0, 42, "estimated")


class FakeFacts:
    def __init__(self) -> None:
        self.documents: dict = {}

    async def put(self, key: str, document: dict) -> None:
        self.documents[key] = document

    async def get(self, key: str):
        return self.documents.get(key)

    async def keys(self, prefix: str):
        return sorted(key for key in self.documents if key.startswith(prefix))


class NoTariffs:
    def names(self):
        return ()


@dataclass
class NoQuestions:
    tariff: Tariff
    last: None = None


@dataclass(frozen=True)
class FakeChange:
    at: datetime
    text: str
    device: str
    saves_micro: int | None
    saves_co2_g: float | None
    refuse: str


class FakePlans:
    """Charging now costs what it costs in the scene."""

    async def charge_now(self, device: str) -> tuple[int, float] | None:
        return 1_730_000, 2_400.0


@dataclass
class FakeLedger:
    """The home's sessions, not yet accounted."""

    home: FakeHome

    async def rows(self, start: datetime, end: datetime) -> list[LedgerRow]:
        return [LedgerRow(session, None) for session in await self.home.sessions(start, end)]


class NoOffers:
    """A home that could shift nothing, until a test says so."""

    offers: tuple[FlexOffer, ...] = ()


class FakeEffects:
    """Effects as a test says them; `of` finds what is known and makes nothing."""

    def __init__(self) -> None:
        self.known: dict[str, EventEffect] = {}

    async def of(self, event: str) -> EventEffect | None:
        return self.known.get(event)


class FakeWishes:
    """Hands preferences to the fake home."""

    def __init__(self, home: FakeHome) -> None:
        self.home = home

    @property
    def preferences(self) -> Preferences:
        return self.home.preferences()

    async def set_preferences(self, preferences: Preferences, who: str) -> None:
        await self.home.set_preferences(preferences, who)


class NoSigner:
    """A hub whose key signs whatever it is shown, for pages that only hand it on."""

    def sign(self, messages: Sequence[bytes]) -> tuple[str, list[str]]:
        return "00" * 32, ["11" * 64 for _ in messages]


def no_envelopes(site: Site, clock: FakeClock, store: FakeStore) -> Envelopes:
    """The envelopes of a site: none, unless it has a device of that role."""
    live, notices = HomeState(site, clock), Notices(store, clock, Changes())
    return Envelopes(site, clock, store, notices, live, lambda: None, lambda what: None)


@dataclass
class FakeHome:
    """The rich home; `empty()` is the same before the first tick."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    facts: FakeFacts = field(default_factory=FakeFacts)
    site: Site = SITE
    tick_s: float = 1.0
    simulated: bool = False
    blank: bool = False
    reasons: list[str] = field(default_factory=list)
    wishes: list[tuple] = field(default_factory=list)
    _preferences: Preferences = field(default_factory=Preferences)
    _records: list[EventRecord] = field(default_factory=records)
    _overrides: tuple[Override, ...] = ()
    version: int = 1
    drift: ShapeDrift | None = None
    store: FakeStore = field(default_factory=FakeStore)
    counts: dict[str, list[RuleCount]] = field(default_factory=lambda: {"heatpump": [
        RuleCount("heatpump", Rule.RANGE, 12, at(17.9), "812.0 °C is not possible"),
        RuleCount("heatpump", Rule.STUCK, 1, at(12), "the same value for 3 h"),
    ]})  # fmt: skip

    def __post_init__(self) -> None:
        """Interval data of the day up to now; the rest of the past is empty."""
        self.edits = Edits(self.site, self.clock, self.store, lambda: None, asyncio.Lock())
        self.questions, self.tariffs = NoQuestions(self.tariff()), NoTariffs()
        self.bills = Bills(self.site, self.clock, self.store, self.tariff())
        self.appliances = ApplianceWishes(self.site, self.clock, self.store, lambda what: None)
        self.alerts = Alerts(
            self.site,
            self.clock,
            self.store,
            Notices(self.store, self.clock, Changes()),
            self.rate_at,
            self.preferences,
        )
        self.energy = EnergyHistory(self.site, self.clock, self.store)
        self.installer = Installer([], self.clock, self.store)
        self.ledger = FakeLedger(self)
        self.chain = EventChain(self.clock, self.store, NoSigner())
        self.offers = NoOffers()
        self.envelopes = no_envelopes(self.site, self.clock, self.store)
        self.archive = PlanArchive(self.site, self.clock, self.store, self.plan)
        self.savings = SavingsBook(self.site, self.clock, self.store, self.tariff(), self.preferences)
        self.plans = FakePlans()
        self.effects, self.kept_back = FakeEffects(), dict[str, list[str]]()
        self.targeting = FakeTargeting(self, self.blank)
        self.dr = DemandResponse(
            self.site, self.clock, self.store, Notices(self.store, self.clock, Changes()), Strategies(), self.preferences,
            lambda what: None,
        )  # fmt: skip
        self.dr.programs["utility:evening"] = DrProgram("evening", "utility", "Fluvius Flex evenings")
        if not self.blank:
            self.keep(interval for name in series_of(self.site) for interval in self.day_of(name))

    def keep(self, intervals: Iterable[Interval]) -> None:
        """Put rows on the fake disk."""
        for row in intervals:
            self.store.interval_rows[row.device, row.start] = row
            self.store.interval_versions.append(row)

    def day_of(self, device: str) -> list[Interval]:
        """One series of today."""
        starts = [at(0) + timedelta(minutes=15 * i) for i in range(int((NOW - at(0)) / timedelta(minutes=15)))]
        return [interval_of(device, start) for start in starts]

    @classmethod
    def empty(cls) -> FakeHome:
        return cls(blank=True, reasons=["no tick yet"], _records=[])

    def snapshot(self):
        return None if self.blank else snapshot(self._preferences, self._overrides)

    def setpoints(self):
        return {} if self.blank else setpoints()

    def plan(self):
        return None if self.blank else plan()

    def tariff(self):
        return Tariff("tou", "Time of use", "EUR", ZONE, (DAY_RATE,))

    def rate(self):
        return DAY_RATE

    def rate_at(self, when):
        return DAY_RATE

    def headline(self):
        if self.blank:
            return "Hearth has just started and is reading the meters."
        return "The car waits until 22:00 because the utility asks for less and power is cheaper then; it will be full by 07:00."

    def next_change(self):
        if self.blank:
            return None
        text = "Car starts charging at 22:00. Cheapest hours before 07:00; the car will be full by 02:30."
        return FakeChange(at(22), text, "charger", 1_730_000, 2_400.0, "run")

    @property
    def desk(self) -> DrDesk:
        self.dr.records = {record.key: record for record in self._records}
        return DrDesk(
            self.clock, self.dr, self.effects, FakeWishes(self), lambda record: self.kept_back.get(record.key, [])
        )

    def event_records(self):
        return list(self._records)

    def timeline(self):
        return Timeline() if self.blank else timeline()

    def program_name(self, program: str):
        return {"utility:evening": "Fluvius Flex evenings"}.get(program, program)

    def day_shapes(self):
        return [] if self.blank else day_shapes()

    def typical_shapes(self):
        return typical()

    def home_shape(self):
        if self.blank:
            return None
        counts = (("evening peak", 21), ("flat", 3), ("double peak", 2), ("midday", 2))
        return HomeShape("evening peak", 0.75, 1.19, 28, counts, (), self.drift)

    def shape_chances(self, day: date):
        chances = (
            ("evening peak", 0.7),
            ("double peak", 0.15),
            ("flat", 0.1),
            ("midday", 0.03),
            ("night charging", 0.02),
        )
        return ShapeChances(day, chances, "Weighed most: yesterday, which told this home's days best so far.")

    def learned(self):
        return Learned({}, {}, {})

    def load_forecast(self):
        if self.blank:
            return None
        start = NOW.replace(minute=0)
        mean = tuple(house_w(start + timedelta(minutes=15 * i)) for i in range(192))
        low, high = tuple(0.7 * v for v in mean), tuple(1.35 * v + 60 for v in mean)
        return Forecast("load", start, 900, mean, low, high, method="ridge regression on 8 weeks")

    def solar_forecast(self):
        return None

    async def foretold(self, day: date, name: str):
        if self.blank:
            return None
        start = datetime.combine(day, time(), ZONE).astimezone(UTC)
        mean = tuple(house_w(start + timedelta(minutes=15 * i)) for i in range(96))
        told = ForetoldDay(day, name, start, mean, tuple(0.8 * w for w in mean), tuple(1.2 * w for w in mean))
        return told, tuple(1.1 * w if i % 5 else 1.3 * w for i, w in enumerate(mean))

    def ev_habits(self):
        return {} if self.blank else {"charger": EV_HABIT}

    def occupancy(self):
        return NotLearned("3 of 7 days of the home's load are known so far.") if self.blank else OCCUPANCY

    async def forecast_accuracy(self, first: date, last: date, name: str):
        days = (last - first).days + 1
        return [] if self.blank else [DayAccuracy(last, name, 96, 120.0, 180.0, -15.0, 0.81, None, 410.0)][:days]

    async def intervals(self, device: str, start: datetime, end: datetime):
        return await self.store.intervals(device, start, end)

    async def resampled(self, device: str, start: datetime, end: datetime, resolution_s: int):
        return await self.energy.intervals(device, start, end, resolution_s)

    async def green_button(self, device: str, start: datetime, end: datetime, resolution_s: int):
        return await self.energy.green_button(device, start, end, resolution_s)

    async def interval_history(self, device: str, start: datetime):
        return await self.store.interval_history(device, start)

    async def energy_day(self, day: date):
        return await self.energy.day(day)

    async def correct(self, device, start, end, import_wh, export_wh, *, evenly, reason, who):
        spread = Spread.EVENLY if evenly else Spread.PROPORTIONALLY
        said = await self.edits.correct(Correction(device, start, end, import_wh, export_wh, reason, spread), who)
        self.wishes.append(("correct", device, start, who))
        return said

    async def undo_edits(self, device: str, start: datetime, end: datetime, who: str):
        said = await self.edits.undo(device, start, end, who)
        self.wishes.append(("undo", device, start, who))
        return said

    def rule_counts(self, device: str):
        return [] if self.blank else self.counts.get(device, [])

    def source_states(self):
        return []

    def device_notes(self, device: str):
        return (
            DeviceNotes("eastron-sdm630", "The bus needs 1.4 s for a round; 1.0 s was asked.")
            if device == "meter"
            else DeviceNotes()
        )

    async def rollups(self, device: str, quantity: str, start: datetime, end: datetime):
        if self.blank:
            return []
        count = min(720, int((end - start).total_seconds() // 60))

        def rise(i: int) -> float:
            return 40 + 45 * i / 720

        return [Rollup(device, Quantity(quantity), start + timedelta(minutes=i), rise(i), rise(i), rise(i), rise(i), 60) for i in range(count)]  # fmt: skip

    async def sessions(self, start: datetime, end: datetime):
        if self.blank:
            return []
        done = [EvSession(30 + i, "k", "charger", 1, "tag", at(17.5 - 24 * i), 0, 18_000 + 900 * i, at(26 - 24 * i), 18_000 + 900 * i, "EVDisconnected") for i in range(5, 0, -1)]  # fmt: skip
        return [*done, EvSession(41, "k", "charger", 1, "tag", at(17.33), 0, 4200)]

    async def notifications(self):
        if self.blank:
            return []
        return [
            Notification(at(18.02), "boiler silent", "warning", "Hot water has not been heard for 4 min; it keeps its own thermostat. Look at its Wi-Fi."),
            Notification(at(12), "vtn", "info", "The utility's server answers again.", at(12.2)),
        ]  # fmt: skip

    async def audit(self, start: datetime, end: datetime):
        return [AuditRow(at(18), "commanded", "charger", "0 A", 6, "ev-now")]

    def preferences(self):
        return self._preferences

    async def set_preferences(self, preferences: Preferences, who: str):
        if preferences.comfort_low_c > preferences.comfort_high_c:
            raise WishRefused("The comfort band must lie between 5 and 30 °C, lower end first.")
        self.wishes.append(("preferences", preferences, who))
        self._preferences = preferences

    async def override(self, device: str, action: str, minutes: float, who: str, event: str = ""):
        if self.site.device(device) is None:
            raise WishRefused(f"There is no controllable device '{device}'.")
        self.wishes.append(("override", device, action, minutes, who, event))
        self._overrides = (Override("o1", device, action, NOW, NOW + timedelta(minutes=minutes), who, event),)
        return f"{device} runs until 22:00, then follows the plan again."

    async def opt(self, event_id: str, choice: str, who: str):
        known = next((r for r in self._records if r.event.id == event_id), None)
        if known is None:
            raise WishRefused("There is no such event.")
        opt = OptState.JOINED if choice == "join" else OptState.SKIPPED
        self._records = [replace(r, opt=opt) if r is known else r for r in self._records]
        self.wishes.append(("opt", event_id, choice, who))
        return f"{known.event.name}: {opt.value}."

    async def counterfactual(self, device: str, start: datetime):
        return 1_730_000, 2400.0, "Charge now would cost 1.73 EUR more and emit 2.4 kg CO2 more."

    def health(self):
        return Health(not self.reasons, self.reasons)

    async def wait_change(self, version: int):
        while self.version <= version:
            await asyncio.sleep(0.05)
        return self.version

    def metrics(self):
        return [
            ("hearth_ticks_total", "Ticks", "counter", {}, 12.0),
            ("hearth_device_online", "1 when heard", "gauge", {"device": 'a"b'}, 1.0),
            ("hearth_device_online", "1 when heard", "gauge", {"device": "meter"}, 0.0),
        ]
