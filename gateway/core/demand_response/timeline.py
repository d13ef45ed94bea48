"""Events of all servers become one timeline: per kind and target no two signals of one utility at once.

    event A (priority 5)   |---------- SIMPLE 1 ----------|
    event B (priority 1)            |-- SIMPLE 2 --|
    timeline               |== A ===|===== B ======|== A =|       A resumes
    event C                   |------- PRICE -------|             another kind: both hold

Interpretations, where OpenADR 3.1 leaves it open (those within one event are in claims.py and schedule.py):
- Equal priorities (and two without): a higher authority, then the more restrictive, then the more recently modified.
- A binding event is never displaced by a voluntary one, whatever the numbers say: priorities of two utilities, or of a
  contract and an invitation, cannot be compared.
- Only signals of one utility compete in what limits the home (levels and capacities): one utility's word ends no other's.
  Reservations add up, so they never compete; subscriptions compete within their program (a new one replaces the old).
- Targets that name no device of the home are groups of the utility's: such events mean the whole home, and compete.
- Report-only events (no intervals, or empty payloads) make no signals, so they displace nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from zlib import crc32

from gateway.core.demand_response.claims import SPLIT, Claims, Said, claims_of
from gateway.core.demand_response.durations import rough_s
from gateway.core.demand_response.kinds import CAPACITY, CONTRACTED
from gateway.core.demand_response.overlap import Held, repair
from gateway.core.demand_response.schedule import CAPACITY_LIMITS, MAX_PIECES, beat_s, event_span
from gateway.model.dr import DrEvent, DrProgram, Duration, EventPhase, EventRecord, OptState, Signal, Timeline

__all__ = ["CAPACITY_LIMITS", "PAST_S", "SPLIT", "Laid", "build_timeline", "draw_shifts", "phase_of"]

PAST_S = 86_400.0
AHEAD_S = 3 * 86_400.0
LEAST_BEAT_S = 1.0
ANEW_S = 6 * 3600.0
"""How often a loop is laid out anew while nothing else of it changes, s; so it may reach so much beyond the horizon."""

Place = tuple[str, tuple[str, ...], str]
"""Kind, devices, and among whom: what competes."""
RESERVED = frozenset(kind for kind in CONTRACTED if kind.endswith("_RESERVATION"))
LIMITING = CAPACITY | {"SIMPLE"}
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class _Basis:
    """What the claims of one event are made from; the same for the same record object."""

    record: EventRecord
    program: DrProgram | None
    binding: bool
    zone: tzinfo
    devices: Mapping[str, str] | None

    def same(self, other: _Basis) -> bool:
        """Whether the claims would be the same."""
        return (
            self.record is other.record
            and self.binding is other.binding
            and (self.program is other.program or self.program == other.program)
            and self.zone == other.zone
            and self.devices == other.devices
        )


@dataclass(frozen=True, slots=True)
class _Layout:
    """The claims of one event and the last end of them, None for open; a loop's within its window."""

    basis: _Basis
    beat_s: float | None
    window: tuple[datetime, datetime] | None
    places: dict[Place, Claims]
    end: datetime | None


@dataclass(slots=True)
class _Contest:
    """Who holds one place, and the claims (by event) it was decided from."""

    claims: dict[str, Claims] = field(default_factory=dict)
    held: list[Held[Said]] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)

    def settle(self, claims: dict[str, Claims]) -> None:
        """Decide anew where the claims differ from those decided before."""
        moved = [
            claim
            for key in self.claims.keys() | claims.keys()
            if self.claims.get(key) is not claims.get(key)
            for claim in (*self.claims.get(key, ()), *claims.get(key, ()))
        ]
        if not moved:
            return
        ends = [claim.end for claim in moved]
        first = min(claim.start for claim in moved)
        last = None if None in ends else max(end for end in ends if end is not None)
        near = [claim for mine in claims.values() if _meets(mine, first, last) for claim in mine]
        held = repair(self.held, near, first, last)
        known = {id(old): signal for old, signal in zip(self.held, self.signals, strict=True)}
        self.signals = [known.get(id(new)) or new.item.signal(new.start, new.end) for new in held]
        self.claims, self.held = claims, held


@dataclass(slots=True)
class Laid:
    """What a rebuild may take over from the one before: the claims of unchanged records, and who held where."""

    layouts: dict[str, _Layout] = field(default_factory=dict)
    contests: dict[Place, _Contest] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    """Events that could not be laid out, by key, with the reason: they take no part."""


def build_timeline(
    records: Sequence[EventRecord],
    programs: Mapping[str, DrProgram],
    now: datetime,
    *,
    horizon_s: float = AHEAD_S,
    past_s: float = PAST_S,
    consents: Mapping[str, str] | None = None,
    timezone: tzinfo = UTC,
    devices: Mapping[str, str] | None = None,
    laid: Laid | None = None,
) -> Timeline:
    """The timeline of the events joined or binding, from `past_s` s before `now`; loops to `horizon_s` s ahead or later.

    An event's own stated intervals appear whole, however far ahead. `consents` maps a program's key or id to "binding",
    "voluntary" or "none". Skipped, undecided and cancelled events take no part. `devices` maps each name by which a
    target may mean a device of the home to its id; without it each set of targets competes for itself only. `laid` is
    kept by the caller from one rebuild to the next: records that are the same objects are not laid out again.
    """
    kept = laid if laid is not None else Laid()
    since, until = now - timedelta(seconds=past_s), now + timedelta(seconds=horizon_s)
    layouts: dict[str, _Layout] = {}
    claims: dict[Place, dict[str, Claims]] = {}
    for record in records:
        if not _takes_part(record):
            continue
        program = programs.get(record.event.program_key)
        basis = _Basis(record, program, _is_binding(record, consents or {}), timezone, devices)
        try:
            layout = _laid_out(kept.layouts.get(record.key), basis, now, since, until)
        except (ArithmeticError, ValueError) as error:  # one event beyond all bounds must hide no other
            kept.unusable[record.key] = str(error)[:200]
            continue
        kept.unusable.pop(record.key, None)
        layouts[record.key] = layout
        if layout.end is None or layout.end > since:
            for place, mine in layout.places.items():
                claims.setdefault(place, {})[record.key] = mine
    kept.layouts = layouts
    kept.contests = {place: kept.contests.get(place, _Contest()) for place in claims}
    for place, contest in kept.contests.items():
        contest.settle(claims[place])
    signals = [s for c in kept.contests.values() for s in c.signals if s.end is None or s.end > since]
    return Timeline(tuple(sorted(signals, key=lambda s: (s.start, s.kind, s.event))))


def draw_shifts(event: DrEvent, ven_id: str, first_seen: datetime) -> tuple[float, ...]:
    """The randomised shift of each interval, s: uniform in +-randomizeStart, one draw for the first interval.

    Followers keep it, unless an interval states its own randomizeStart, which draws anew (User Guide 7.3). The draw is
    a hash of home, event and first receipt: it survives a restart and a modification, and differs between homes.
    """
    default = event.period.randomize_start if event.period is not None else None
    shifts: list[float] = []
    for index, interval in enumerate(event.intervals):
        own = interval.period.randomize_start if interval.period is not None else None
        bound = own if own is not None else (default if index == 0 else None)
        if bound is None:
            shifts.append(shifts[-1] if shifts else 0.0)
        else:
            shifts.append(_bound_s(bound) * _uniform(ven_id, event.id, first_seen.isoformat(), str(index)))
    return tuple(shifts)


def phase_of(record: EventRecord, now: datetime, timezone: tzinfo = UTC) -> EventPhase:
    """Where the event stands at `now`, joined or not; one that never was or will be in force has ended."""
    span = event_span(record, timezone)
    if record.cancelled_at is not None or (span is None and record.event.intervals):
        return EventPhase.CANCELLED
    if span is None:
        return EventPhase.ENDED
    start, end = span
    if now < start:
        return EventPhase.UPCOMING
    return EventPhase.ACTIVE if end is None or now < end else EventPhase.ENDED


def _takes_part(record: EventRecord) -> bool:
    return record.cancelled_at is None and record.opt in (OptState.JOINED, OptState.BINDING)


def _is_binding(record: EventRecord, consents: Mapping[str, str]) -> bool:
    event = record.event
    found = consents.get(event.program_key) or consents.get(event.program)
    return record.opt is OptState.BINDING or found == "binding"


def _laid_out(old: _Layout | None, basis: _Basis, now: datetime, since: datetime, until: datetime) -> _Layout:
    if (
        old is not None
        and old.basis.same(basis)
        and old.window == _window(old.beat_s, basis.record.key, now, since, until)
    ):
        return old
    record, zone = basis.record, basis.zone
    beat = beat_s(record, zone)
    if beat is not None and beat < LEAST_BEAT_S:
        raise ValueError(f"it repeats every {beat:g} s; nothing here changes faster than once a second")
    window = _window(beat, record.key, now, since, until)
    found = claims_of(record, basis.program, basis.binding, zone, *(window or (_EVER, until)))
    ends = [mine[-1].end for mine in found.values() if mine]
    last = None if None in ends else max((end for end in ends if end is not None), default=_EVER)
    targets = _targets(record.event, basis.devices)
    places = {(kind, targets, _among(record.event, kind)): mine for kind, mine in found.items() if mine}
    return _Layout(basis, beat, window, places, last)


def _among(event: DrEvent, kind: str) -> str:
    """Whose signals of a kind compete: two reservations add up, two contracts and two utilities' limits all hold.

    Of prices, setpoints and the like there can be but one in the home, whoever tells it.
    """
    if kind in RESERVED:
        return event.key
    if kind in CONTRACTED:
        return event.program_key
    return event.server if kind in LIMITING else ""


def _window(
    beat: float | None, key: str, now: datetime, since: datetime, until: datetime
) -> tuple[datetime, datetime] | None:
    """From when to when a loop is laid out; the same for all `now` of one step. None for an event that is no loop.

    Each event has its step begin at a time of its own (from its key), so that they are not all laid out at once. A loop
    of intervals so short that MAX_PIECES of them do not reach from `since` to `now` begins shortly before `now`.
    """
    if beat is None:
        return None
    step = min(ANEW_S, beat * MAX_PIECES / 8)
    late = timedelta(seconds=(now.timestamp() + crc32(key.encode())) % step)
    first = (
        since
        if beat * MAX_PIECES / 8 > (now - since).total_seconds()
        else max(since, now - timedelta(seconds=2 * step))
    )
    return first - late, until - late + timedelta(seconds=step)


def _meets(mine: Claims, start: datetime, end: datetime | None) -> bool:
    last = mine[-1].end
    return (end is None or mine[0].start < end) and (last is None or last > start)


def _targets(event: DrEvent, devices: Mapping[str, str] | None) -> tuple[str, ...]:
    if devices is None:
        return tuple(sorted(event.targets))
    return tuple(sorted({devices[target] for target in event.targets if target in devices}))


def _bound_s(duration: Duration) -> float:
    return 0.0 if duration.infinite else abs(rough_s(duration))


def _uniform(*parts: str) -> float:
    """A number in [-1, 1) that is the same for the same parts."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**55 - 1.0
