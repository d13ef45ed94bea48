"""Demand response: programs, events, the timeline they make, and the report rows that answer them.

Nothing here knows a wire format: adapters translate OpenADR 3.1.0, 3.0.1 and 2.0b into these nouns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from gateway.model.authority import Authority


@dataclass(frozen=True, slots=True)
class Duration:
    """An ISO 8601 duration: calendar months and days apart from seconds; `infinite` for P9999Y and its kin."""

    months: int = 0
    days: int = 0
    seconds: float = 0.0
    infinite: bool = False


@dataclass(frozen=True, slots=True)
class IntervalPeriod:
    """When something happens; every part may be absent. `start_now` is the 0001-01-01 sentinel: "now"."""

    start: datetime | None = None
    start_now: bool = False
    duration: Duration | None = None
    randomize_start: Duration | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """One typed list of values, e.g. ("SIMPLE", (2,)); the type is kept as received, known or not."""

    type: str
    values: tuple[float | str | bool, ...]


@dataclass(frozen=True, slots=True)
class DrInterval:
    """One interval of an event, in the event's own order."""

    id: int
    payloads: tuple[Payload, ...]
    period: IntervalPeriod | None = None


@dataclass(frozen=True, slots=True)
class ReportDescriptor:
    """What report an event asks for, with the defaults of OpenADR 3.1 (-1 = not stated)."""

    payload_type: str
    reading_type: str = ""
    units: str = ""
    aggregate: bool = False
    start_interval: int = -1
    num_intervals: int = -1
    historical: bool = True
    frequency: int = -1
    repeat: int = 1
    targets: tuple[str, ...] = ()
    report_intervals: str = "INTERVALS"
    """Which rows: INTERVALS (the event's), SUB_INTERVALS (parts of them, under their ids), OPEN_INTERVALS (our own)."""


@dataclass(frozen=True, slots=True)
class DrProgram:
    """A utility's program; `binding` when the utility says so (BINDING_EVENTS), consent is the owner's."""

    id: str
    """As the server names it; `key` tells it from another server's."""
    server: str
    name: str
    binding: bool = False
    units: dict[str, str] = field(default_factory=dict)
    """Payload type -> units ("KWH", "KW"), from the program's payload descriptors."""
    currencies: dict[str, str] = field(default_factory=dict)
    """Payload type -> currency of a price, from the program's payload descriptors."""

    @property
    def key(self) -> str:
        """Its name in the home: two servers may use one id."""
        return f"{self.server}:{self.id}"


@dataclass(frozen=True, slots=True)
class DrResource:
    """One device of the home as the utility may address it: its name there, and what it can take or give, W."""

    name: str
    role: str
    consumes_w: float | None = None
    produces_w: float | None = None


@dataclass(frozen=True, slots=True)
class DrRating:
    """How far the home suits one kind of program, as a utility is told: a label and a score 0-100."""

    program: str
    label: str
    score: int


@dataclass(frozen=True, slots=True)
class DrEvent:
    """One event as the server states it.

    `priority`: 0 is the highest, None the lowest (normalised at the adapter's edge). `modified` is the server's own
    mark, kept as text because it may not be a time; `fingerprint` is a hash of the content and tells a real change.
    """

    id: str
    server: str
    program: str
    name: str
    intervals: tuple[DrInterval, ...]
    period: IntervalPeriod | None = None
    duration: Duration | None = None
    """The event's own duration: truncates or loops the intervals."""
    priority: int | None = None
    targets: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    """Payload type -> units ("KWH", "KW"), from the event's payload descriptors."""
    currencies: dict[str, str] = field(default_factory=dict)
    """Payload type -> currency of a price, from the event's payload descriptors."""
    reports: tuple[ReportDescriptor, ...] = ()
    test: bool = False
    modified: str = ""
    fingerprint: str = ""

    @property
    def key(self) -> str:
        """Its name in the home: two servers may use one id."""
        return f"{self.server}:{self.id}"

    @property
    def program_key(self) -> str:
        """`DrProgram.key` of its program."""
        return f"{self.server}:{self.program}"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What is known of a utility's server and of our standing there, as of the last look; for pages and probes."""

    version: str = ""
    """The protocol's version as stated or found; empty while unknown."""
    ven: str = ""
    """Our id there; empty before enrolment, or where it keeps none."""
    groups: tuple[str, ...] = ()
    """Groups (targets) the utility put the home or its devices in."""
    resources: tuple[str, ...] = ()
    """Our devices on the server's list, by name."""
    clock_skew_s: float | None = None
    """The server's clock minus ours, s, resolution 1 s; None before the first answer."""
    events: int | None = None
    """How many events are meant for us; None before the first complete listing."""
    looked_at: datetime | None = None
    """When that listing was complete, aware UTC."""
    unreadable: tuple[str, ...] = ()
    """Each object of the last listings that could not be read, with the reason, in words."""
    push: str = ""
    """How the server tells us to look at once, or why it does not, in words; empty while unknown."""
    pushes: int = 0
    """How many such hints came since the start."""
    unread: tuple[str, ...] = ()
    """Ids of the events listed that could not be read, "" for one without an id: listed, so not withdrawn."""
    unlisted: tuple[str, ...] = ()
    """Groups whose listings fail: an event for one of them that is not listed was not withdrawn for that."""


class OptState(StrEnum):
    """Where the home stands on an event."""

    UNDECIDED = "undecided"
    """Waits for the owner (policy "ask")."""
    JOINED = "joined"
    SKIPPED = "skipped"
    BINDING = "binding"
    """Not the owner's choice any more: consented to as binding."""


class EventPhase(StrEnum):
    """Where an event stands in time."""

    UPCOMING = "upcoming"
    ACTIVE = "active"
    ENDED = "ended"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the home stands on an event from `at` on: its opt state and the devices the owner set aside."""

    at: datetime
    opt: OptState
    aside: tuple[str, ...] = ()
    withdrawn: bool = False
    """Whether the utility has taken the event back."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event with everything a restart must keep: first receipt, the drawn start shift, the opt state."""

    event: DrEvent
    first_seen: datetime
    """Anchor of "now" starts."""
    shifts_s: tuple[float, ...] = ()
    """The randomised shift drawn for each interval, s; drawn once, kept over restarts."""
    opt: OptState = OptState.UNDECIDED
    opt_reason: str = ""
    chosen: bool = False
    """Whether the owner decided this event, so that no change of policy or agreement does."""
    answered: str = ""
    """What the server was told of it last, where it wants to be told (OpenADR 2.0b)."""
    cancelled_at: datetime | None = None
    overridden_at: datetime | None = None
    overridden_devices: tuple[str, ...] = ()
    """Devices the owner took out of the event; the others go on."""
    stands: tuple[Stand, ...] = ()
    """Where the home stood on it over time, oldest first (core/demand_response/standing.py)."""
    reported: tuple[str, ...] = ()
    """Keys of the report windows already handed to the outbox."""
    delivered_wh: float | None = None
    delivered_low_wh: float | None = None
    """Lower end of the 80 % interval of `delivered_wh`."""
    delivered_high_wh: float | None = None
    home_delivered_wh: float | None = None
    """What the main meter shows against the whole home's baseline: an independent witness, far less certain."""
    home_delivered_low_wh: float | None = None
    """Lower end of the 80 % interval of `home_delivered_wh`."""
    home_delivered_high_wh: float | None = None
    baseline_method: str = ""
    """How the whole home's baseline was made (core/demand_response/baseline/methods.py)."""
    baseline_error_percent: float | None = None
    """Root mean square error of that method on this home's days without an event, percent of their mean energy."""
    baseline_placebos: int = 0
    """On how many such days it was tried."""
    earned_micro: int | None = None
    ahead: tuple[str, ...] = ()
    """Its last modification marks that were ahead of the server's clock when they were told, and those just before them."""

    @property
    def key(self) -> str:
        """The event's name in the home."""
        return self.event.key

    def with_opt(self, opt: OptState, reason: str) -> EventRecord:
        """The same record with another opt state."""
        return replace(self, opt=opt, opt_reason=reason)


@dataclass(frozen=True, slots=True)
class Signal:
    """One value of one kind over the half-open [start, end), after priorities are resolved; aware UTC.

    `kind` is the payload type ("SIMPLE", "PRICE", "IMPORT_CAPACITY_LIMIT", ...); `values` as sent; `unit` the
    descriptor's. `end` is None for an open end.
    """

    kind: str
    values: tuple[float | str | bool, ...]
    unit: str
    start: datetime
    end: datetime | None
    event: str
    """`DrEvent.key`."""
    program: str
    """`DrProgram.key`."""
    interval: int
    priority: int | None
    authority: Authority
    targets: tuple[str, ...] = ()
    test: bool = False
    currency: str = ""
    released: tuple[str, ...] = ()
    """Devices the owner took out of the event."""
    name: str = ""
    """The event's name, for a person."""


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price or carbon intensity over the half-open [start, end); `end` None for an open end.

    `kind` "PRICE" and "EXPORT_PRICE" carry micro-units of `currency` per kWh, "GHG" g CO2 per kWh.
    """

    kind: str
    value: float
    start: datetime
    end: datetime | None
    currency: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Signals without overlap within a kind and target, sorted by start."""

    signals: tuple[Signal, ...] = ()

    def at(self, now: datetime) -> tuple[Signal, ...]:
        """The signals in force at `now`."""
        return tuple(s for s in self.signals if s.start <= now and (s.end is None or now < s.end))

    def next_change(self, now: datetime) -> datetime | None:
        """The first start or end after `now`, or None."""
        edges = [edge for s in self.signals for edge in (s.start, s.end) if edge is not None and edge > now]
        return min(edges, default=None)

    def span(self, event: str) -> tuple[datetime, datetime | None] | None:
        """First start and last end of one event's signals (end None = open); None when it has none."""
        mine = [s for s in self.signals if s.event == event]
        if not mine:
            return None
        ends = [s.end for s in mine]
        last = None if None in ends else max(end for end in ends if end is not None)
        return min(s.start for s in mine), last


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One value of a report: [start, start + duration_s), in `unit`, with its data quality (OK, ESTIMATED, MISSING, BAD).

    `interval` is the id of the event's interval it belongs to.
    """

    interval: int
    start: datetime
    duration_s: float
    value: float | str | None
    quality: str


@dataclass(frozen=True, slots=True)
class DrReport:
    """One report to one server; `key` makes it unique: the outbox sends each key once."""

    key: str
    server: str
    program: str
    event: str
    name: str
    payload_type: str
    reading_type: str
    unit: str
    resource: str
    rows: tuple[ReportRow, ...]
