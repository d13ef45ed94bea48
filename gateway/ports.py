"""Ports: what the gateway needs of the world, as Protocols of one to three methods each.

Adapters implement them; tests/fakes.py has a fake of each. Numbers carry their unit in the name and follow the
one sign rule (positive is consumption, import, charging).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from gateway.model.audit import AuditRow, Notification
from gateway.model.charging import ChargerAbout, Operation, TraceLine, WaitingCharger
from gateway.model.dr import DrEvent, DrProgram, DrRating, DrReport, DrResource, EventRecord, OptState, ServerFacts
from gateway.model.learned import DayShape
from gateway.model.plan import Plan
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, Reading, Rollup
from gateway.model.series import Series
from gateway.model.session import EvSession, SessionAccount
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.snapshot import ChargerStatus


class Clock(Protocol):
    """The only source of time. At speed > 1 home time runs faster than the world's."""

    def now(self) -> datetime:
        """Home time, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds of home time that never jump: for ageing and timeouts in home time."""
        ...

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        """Sleep `seconds` of home time, but at least `real_floor` seconds of the world's.

        Loops at the mercy of hardware or network pass a floor: a 1 s tick at speed 150 passes 0.1.
        """
        ...

    @property
    def speed(self) -> float:
        """Home seconds per second of the world; 1.0 in a real home."""
        ...


class Connection(Protocol):
    """One physical connection with one owner task: a Modbus bus, a broker, the CSMS."""

    name: str

    async def run(self) -> None:
        """Open, serve and re-open the connection until cancelled; never raises for an absent peer."""
        ...


class Meter(Protocol):
    """Something that measures: one device."""

    id: str
    period_s: float
    """How often to ask, s of home time; 0 when the device speaks by itself and `read` waits for it."""

    async def read(self) -> list[Reading]:
        """The device's next readings (signs already ours); raises DeviceError. Never invents a value."""
        ...


@runtime_checkable
class Paced(Protocol):
    """A meter that measures its own pace."""

    @property
    def warning(self) -> str:
        """Why it cannot be read as often as asked, in words; empty while it can."""
        ...


class EvCharger(Protocol):
    """One charge point of the local CSMS."""

    id: str

    def status(self) -> ChargerStatus:
        """What is known now, without asking the charger."""
        ...

    async def apply(self, setpoint: Setpoint) -> None:
        """Set a CURRENT setpoint (A per phase; 0 pauses); returns once accepted, raises DeviceError."""
        ...

    def show_outlook(self, periods: Sequence[tuple[datetime, float]]) -> None:
        """What the plan means to give the car (from when, W; the last entry is the end), for a car that told its needs."""
        ...

    async def next_rung(self, *, at_once: bool = False) -> str:
        """Accepted but not honoured: go to the next way of limiting and name it; raises CommandRefused at the last.

        `at_once`: a fuse is above its rating, so that no other limit is tried before the charger is stopped.
        """
        ...


class ChargerDesk(Protocol):
    """The local CSMS towards the installer."""

    def waiting(self) -> list[WaitingCharger]:
        """The charge points that dialled and are not configured, newest first."""
        ...

    def about(self, charger: str) -> ChargerAbout | None:
        """What is known of one configured charger (device id); None when it is none of ours."""
        ...

    def trace(self, identity: str) -> list[TraceLine]:
        """The last steps and messages of one charge point, configured or waiting, oldest first, secrets blanked."""
        ...

    async def operate(self, charger: str, operation: Operation) -> str:
        """Carry out one operation (device id); what came of it, in words; raises DeviceError."""
        ...


class Actuator(Protocol):
    """A battery, relay, thermostat or inverter that takes setpoints of the kinds it names."""

    id: str

    async def apply(self, setpoint: Setpoint) -> None:
        """Send one setpoint and return once the device accepted it; raises DeviceError."""
        ...

    async def release(self) -> None:
        """Hand control back: the device's own safe behaviour; raises DeviceError."""
        ...


@runtime_checkable
class Controlled(Protocol):
    """An actuator that says which kinds of setpoint it takes."""

    controls: frozenset[SetpointKind]


class SeriesSource(Protocol):
    """Someone who tells prices, carbon intensity or the weather of the hours to come: a file or a service."""

    name: str
    every_s: float
    """How often to ask, s of home time."""

    async def fetch(self, start: datetime, end: datetime) -> list[Series]:
        """What it tells of [start, end) and perhaps beyond, one series a kind; raises ServerError, never in part."""
        ...


class DrServer(Protocol):
    """A utility's server (VTN)."""

    name: str

    async def programs(self) -> list[DrProgram]:
        """All programs the account may see; raises ServerError."""
        ...

    async def events(self) -> list[DrEvent]:
        """The complete listing of events (absence means cancelled); raises ServerError, never a partial list."""
        ...

    async def send(self, report: DrReport) -> None:
        """Deliver one report, once; raises ServerError."""
        ...


@runtime_checkable
class DrWakeUp(Protocol):
    """A server that can say "look now" (webhook, MQTT); only ever a hint."""

    async def wait(self) -> None:
        """Return when the server hinted at a change."""
        ...


@runtime_checkable
class DrFacts(Protocol):
    """A server whose health can be shown."""

    @property
    def facts(self) -> ServerFacts:
        """What is known of it and of our standing there, as of the last look."""
        ...


@runtime_checkable
class DrPaced(Protocol):
    """A server with a pace of its own."""

    @property
    def poll_s(self) -> float:
        """Seconds between looks, home time."""
        ...


@runtime_checkable
class Closing(Protocol):
    """What has connections of its own to give back."""

    async def close(self) -> None:
        """Close them, and take back what was only for the time of the run; never raises for an absent peer."""
        ...


@runtime_checkable
class DrEnrolling(Protocol):
    """A server that keeps a list of our devices as resources."""

    async def enrol_resources(self, resources: Sequence[DrResource], gone: Sequence[DrResource] = ()) -> None:
        """Make the server's list hold these, by name, and none of `gone` as we made it; what else is there stays. Raises ServerError."""
        ...


@runtime_checkable
class DrRated(Protocol):
    """A server that can be told for which programs the home suits."""

    async def tell_suitability(self, ratings: Sequence[DrRating]) -> bool:
        """Have the server hold these, with none forget them; False where it keeps no such thing. Raises ServerError."""
        ...


@runtime_checkable
class DrAnswering(Protocol):
    """A server that wants to be told whether the home takes part (OpenADR 2.0b: EiEvent, EiOpt)."""

    async def answer(self, event: DrEvent, opt: OptState) -> None:
        """Tell where the home stands on an event; the same answer again is harmless. Raises ServerError."""
        ...


class Signer(Protocol):
    """The hub's signature."""

    def sign(self, messages: Sequence[bytes]) -> tuple[str, list[str]]:
        """The public key and a signature of each message, hex; may take a second, not in the event loop. Raises StoreError."""
        ...


@runtime_checkable
class Pushable(Protocol):
    """A device that somebody tells of, instead of being asked."""

    def push(self, values: Mapping[Quantity, float]) -> None:
        """Take values as of now, each in its quantity's unit."""
        ...

    def admits(self, token: str) -> bool:
        """Whether who brings them may."""
        ...


class ReadingStore(Protocol):
    """One-minute roll-ups."""

    async def save_rollups(self, rollups: Sequence[Rollup]) -> None:
        """Store roll-ups of closed minutes in one transaction; raises StoreError."""
        ...

    async def rollups(self, device: str, quantity: str, start: datetime, end: datetime) -> list[Rollup]:
        """Roll-ups of one series with start in [start, end), in order."""
        ...


class IntervalStore(Protocol):
    """15-minute interval data, the truth for bills and reports."""

    async def save_intervals(self, intervals: Sequence[Interval]) -> None:
        """Store intervals in one transaction; a later row for the same (device, start) supersedes, raises StoreError."""
        ...

    async def intervals(self, device: str, start: datetime, end: datetime) -> list[Interval]:
        """The intervals in force of one device with start in [start, end), in order."""
        ...

    async def interval_history(self, device: str, start: datetime) -> list[Interval]:
        """Every version kept of the interval that starts at `start`, the one in force last."""
        ...


class MinuteStore(Protocol):
    """What a minute of measuring brings, in one transaction."""

    async def save_minute(
        self, rollups: Sequence[Rollup], intervals: Sequence[Interval], documents: Mapping[str, dict[str, Any]]
    ) -> None:
        """Store roll-ups, intervals (as `save_intervals`) and documents: all or none; raises StoreError.

        What was to be written later goes to the disk with it, also when nothing else is given.
        """
        ...


class SessionStore(Protocol):
    """EV charging sessions; every write that is not told to come later is committed before it returns."""

    async def next_transaction(self) -> int:
        """A transaction id that was never given before and never will be again, >= 1."""
        ...

    async def save_session(self, session: EvSession, *, later: bool = False) -> None:
        """Insert or replace one session, committed; `later`, for a sample, with the next commit (a kill may lose it)."""
        ...

    async def sessions(self, start: datetime, end: datetime, *, charger: str = "") -> list[EvSession]:
        """Sessions that overlap [start, end), open ones included, in order of start."""
        ...


class AccountStore(Protocol):
    """What charging sessions cost and why they charged: made anew from what was measured."""

    async def save_account(self, account: SessionAccount) -> None:
        """Keep what one stored session cost, with the next commit: it can be made anew."""
        ...

    async def accounts(self, start: datetime, end: datetime) -> list[SessionAccount]:
        """The accounts kept of the sessions that overlap [start, end), in order of their start."""
        ...


class EventStore(Protocol):
    """DR events with their opt state and drawn starts; every write is committed before it returns."""

    async def save_event(self, record: EventRecord) -> None:
        """Insert or replace one event record, committed."""
        ...

    async def event_records(self) -> list[EventRecord]:
        """All event records kept, in order of first receipt."""
        ...


class Outbox(Protocol):
    """Reports on their way to a server, store-and-forward."""

    async def enqueue(self, report: DrReport, at: datetime) -> bool:
        """Keep a report until it is delivered, committed; False when its key was kept before."""
        ...

    async def pending(self, server: str) -> list[DrReport]:
        """Reports not yet delivered to `server`, oldest first."""
        ...

    async def queued_at(self, key: str) -> datetime | None:
        """When a report was first kept; None for one that is not known."""
        ...

    async def delivered(self, key: str, at: datetime) -> None:
        """Mark one report as delivered, committed."""
        ...


class FactStore(Protocol):
    """Small named documents: preferences, overrides, facts about chargers, sessions of people; committed writes."""

    async def put(self, key: str, document: dict[str, Any], *, later: bool = False) -> None:
        """Keep a JSON document under `key`; `later`, where nobody was promised it, with the next commit."""
        ...

    async def get(self, key: str) -> dict[str, Any] | None:
        """The document under `key`, or None."""
        ...

    async def keys(self, prefix: str) -> list[str]:
        """The keys that start with `prefix`, sorted."""
        ...


class AuditStore(Protocol):
    """What was asked, decided, commanded, confirmed, released; and the notifications."""

    async def append(self, row: AuditRow) -> None:
        """Append one row, committed."""
        ...

    async def audit(
        self, start: datetime, end: datetime, *, subject: str | None = None, limit: int = 500
    ) -> list[AuditRow]:
        """Rows with time in [start, end), newest first; of one subject or of all."""
        ...

    async def notify(self, notification: Notification) -> None:
        """Insert or replace the notification of this cause, committed."""
        ...

    async def notifications(self, *, limit: int = 100) -> list[Notification]:
        """Notifications, newest first."""
        ...


class LearnedStore(Protocol):
    """What was learned and planned; it can be made anew: a write is seen at once, on the disk with the next commit."""

    async def save_day_shapes(self, shapes: Sequence[DayShape]) -> None:
        """Store day shapes; a later one for the same day replaces."""
        ...

    async def day_shapes(self, *, limit: int = 400) -> list[DayShape]:
        """The latest day shapes, oldest first."""
        ...

    async def save_plan(self, plan: Plan) -> None:
        """Archive a plan (compactly; old ones are thinned)."""
        ...


class Store(
    ReadingStore,
    IntervalStore,
    MinuteStore,
    SessionStore,
    AccountStore,
    EventStore,
    Outbox,
    FactStore,
    AuditStore,
    LearnedStore,
    Protocol,
):
    """Everything the hub keeps on disk; adapters/sqlite implements all of it."""

    async def close(self) -> None:
        """Finish what is under way and close."""
        ...


OnChange = Callable[[str, str], None]
"""Called by an adapter as on_change(device_id, what) when something happened that the plan should know at once."""

Sleeper = Callable[[float], Awaitable[None]]
