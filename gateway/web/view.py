"""What the pages and the API need of the home: read what is live and stored, hand over wishes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from gateway.model.audit import AuditRow, Notification
from gateway.model.dr import EventRecord, Timeline
from gateway.model.foretold import DayAccuracy, ForetoldDay
from gateway.model.habits import EvHabit, Occupancy
from gateway.model.learned import DayShape, Learned, NotLearned
from gateway.model.loads import ApplianceRun
from gateway.model.plan import Forecast, Plan
from gateway.model.preferences import Preferences
from gateway.model.reading import Interval, Rollup, RuleCount
from gateway.model.session import EvSession
from gateway.model.setpoint import Setpoint
from gateway.model.shapes import HomeShape, ShapeChances
from gateway.model.site import Site
from gateway.model.snapshot import Snapshot
from gateway.model.tariff import Rate, Tariff
from gateway.ports import Clock, FactStore
from gateway.runtime.energy import EnergyDay
from gateway.runtime.envelopes import Envelopes
from gateway.runtime.event_chain import EventChain
from gateway.runtime.installer import Installer
from gateway.runtime.ledger import LedgerRow
from gateway.runtime.offers import Offers
from gateway.runtime.shown import DeviceNotes, Health, NextChange
from gateway.runtime.source_words import SourceState
from gateway.runtime.whatif import Tariffs
from gateway.web.alert_desk import AlertDesk
from gateway.web.bill_book import BillBook
from gateway.web.questions import Questions
from gateway.web.savings_book import ArchiveView, PlansView, SavingsView


class SessionLedger(Protocol):
    """The sessions with their accounts; gateway/runtime/ledger.py is it."""

    async def rows(self, start: datetime, end: datetime) -> Sequence[LedgerRow]:
        """Those that overlap [start, end), in order of start."""
        ...


class ApplianceDesk(Protocol):
    """Takes wishes for appliances; gateway/runtime/appliance_wishes.py is it."""

    @property
    def runs(self) -> Mapping[str, ApplianceRun]:
        """The last run that was asked for, by device."""
        ...

    async def ask(self, device_id: str, not_before: datetime | None, done_by: datetime, who: str) -> ApplianceRun:
        """Keep a wish; raises WishRefused."""
        ...

    async def cancel(self, device_id: str, who: str) -> None:
        """Take it back; raises WishRefused."""
        ...


class HomeView(Protocol):
    """The running home behind the pages; gateway/runtime/home.py is it."""

    @property
    def site(self) -> Site: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def facts(self) -> FactStore:
        """Small documents: the login's password and sessions."""
        ...

    @property
    def chain(self) -> EventChain:
        """The signed records of events."""
        ...

    @property
    def offers(self) -> Offers:
        """What the home could shift."""
        ...

    @property
    def envelopes(self) -> Envelopes:
        """The grid operator's limits at the house."""
        ...

    @property
    def tick_s(self) -> float:
        """Length of a tick, s of home time."""
        ...

    @property
    def ledger(self) -> SessionLedger:
        """The sessions with their accounts."""
        ...

    @property
    def bills(self) -> BillBook:
        """What each month costs, and the real bills."""
        ...

    @property
    def alerts(self) -> AlertDesk:
        """What was noticed of the home's own use."""
        ...

    @property
    def archive(self) -> ArchiveView:
        """What was planned, beside what was measured."""
        ...

    @property
    def savings(self) -> SavingsView:
        """What each day cost less than the baseline."""
        ...

    @property
    def plans(self) -> PlansView:
        """The plan in force, asked for other ways."""
        ...

    def source_states(self) -> Sequence[SourceState]:
        """Where prices, carbon intensity and weather come from, in the order of the site file."""
        ...

    @property
    def appliances(self) -> ApplianceDesk:
        """The runs of appliances that were asked for, and who takes more."""
        ...

    @property
    def questions(self) -> Questions:
        """What would have been."""
        ...

    @property
    def tariffs(self) -> Tariffs:
        """The tariffs that may be asked about."""
        ...

    @property
    def installer(self) -> Installer:
        """What the installer does with chargers."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether this home is a simulation; pages say so."""
        ...

    def snapshot(self) -> Snapshot | None: ...
    def setpoints(self) -> dict[str, Setpoint]: ...
    def plan(self) -> Plan | None: ...
    def tariff(self) -> Tariff | None: ...
    def rate(self) -> Rate | None:
        """The rate in force now."""
        ...

    def rate_at(self, when: datetime) -> Rate | None:
        """The tariff's rate at an instant, past ones too."""
        ...

    def headline(self) -> str:
        """One sentence: what happens and why."""
        ...

    def next_change(self) -> NextChange | None: ...
    def event_records(self) -> list[EventRecord]: ...
    def timeline(self) -> Timeline: ...
    def program_name(self, program: str) -> str: ...
    def day_shapes(self) -> list[DayShape]:
        """The classes of past days, oldest first."""
        ...

    def typical_shapes(self) -> dict[str, tuple[float, ...]]:
        """The named shapes: 24 hourly shares each."""
        ...

    def home_shape(self) -> HomeShape | None:
        """What the home's days amount to; None before the first classed day."""
        ...

    def shape_chances(self, day: date) -> ShapeChances | None:
        """The chance of each shape for a local day to come; None without a dictionary."""
        ...

    def learned(self) -> Learned:
        """What was learned of rooms and hot water."""
        ...

    def load_forecast(self) -> Forecast | None: ...
    def solar_forecast(self) -> Forecast | None: ...
    async def foretold(self, day: date, name: str) -> tuple[ForetoldDay, tuple[float, ...]] | None:
        """What was told of a local day's "load" or "solar" at its midnight, and what came, W by quarter hour (NaN: not
        measured); None where it was not kept."""
        ...

    def ev_habits(self) -> Mapping[str, EvHabit | NotLearned]: ...
    def occupancy(self) -> Occupancy | NotLearned: ...
    async def forecast_accuracy(self, first: date, last: date, name: str) -> list[DayAccuracy]:
        """How well each day's "load" or "solar" was foretold at its midnight, oldest first."""
        ...

    async def intervals(self, device: str, start: datetime, end: datetime) -> list[Interval]:
        """Interval data of one device, or of "house" or "solar"."""
        ...

    async def resampled(self, device: str, start: datetime, end: datetime, resolution_s: int) -> list[Interval]:
        """Interval data of another length, s (86,400: local days); raises WishRefused for one that is not kept."""
        ...

    async def green_button(self, device: str, start: datetime, end: datetime, resolution_s: int) -> Iterator[str]:
        """Interval data as a Green Button (ESPI) feed, in pieces of text; raises WishRefused."""
        ...

    async def interval_history(self, device: str, start: datetime) -> list[Interval]:
        """Every version of one interval, the one in force last."""
        ...

    async def energy_day(self, day: date) -> EnergyDay:
        """Where the energy of a local day came from, consumer by consumer."""
        ...

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
        ...

    async def undo_edits(self, device: str, start: datetime, end: datetime, who: str) -> str:
        """Undo the corrections in [start, end); returns what happened, raises WishRefused."""
        ...

    def rule_counts(self, device: str) -> Sequence[RuleCount]:
        """How often each validation rule spoke about a device today."""
        ...

    def device_notes(self, device: str) -> DeviceNotes: ...
    async def rollups(self, device: str, quantity: str, start: datetime, end: datetime) -> list[Rollup]: ...
    async def sessions(self, start: datetime, end: datetime) -> list[EvSession]: ...
    async def notifications(self) -> list[Notification]: ...
    async def audit(self, start: datetime, end: datetime) -> list[AuditRow]: ...
    def preferences(self) -> Preferences: ...
    async def set_preferences(self, preferences: Preferences, who: str) -> None:
        """Keep new preferences; raises WishRefused."""
        ...

    async def override(self, device: str, action: str, minutes: float, who: str, event: str = "") -> str:
        """The owner's word ("run", "pause", "auto") about one device; returns what will happen, raises WishRefused."""
        ...

    async def opt(self, event_id: str, choice: str, who: str) -> str:
        """ "join" or "skip" an event; returns what will happen, raises WishRefused."""
        ...

    async def counterfactual(self, device: str, start: datetime) -> tuple[int | None, float | None, str]:
        """What the alternative to one block costs more (micro-units) and emits more (g CO2), in words; None: no other way."""
        ...

    def health(self) -> Health: ...
    async def wait_change(self, version: int) -> int:
        """Return the version as soon as it is newer than `version`."""
        ...

    def metrics(self) -> list[tuple[str, str, str, dict[str, str], float]]:
        """(name, help, type, labels, value) rows."""
        ...
