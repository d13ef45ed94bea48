"""Ways of limiting a charger, in the order of trying, and what every version of OCPP has in common; pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from adapters.ocpp.wire import to_number

NOMINAL_VOLTAGE_V = 230.0
MINIMUM_A = 6.0
"""No car charges with less (IEC 61851-1)."""
BACK_DATED = timedelta(seconds=60)
"""Absolute schedules start this much in the past, so that a charger whose clock is a little slow obeys at once."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""No charger's clock stands before this: what lasts begins here, and is in force by any clock."""
COMPOSITE_S = 60
"""How far ahead the combined schedule is asked for, s."""
LONGEST_COMPOSITE_S = 7 * 86400.0
TAG_LENGTH = 16
"""Some chargers read beyond a longer tag and send garbage back."""

Request = tuple[str, dict[str, Any]]
"""An action and its payload."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One way of limiting a charger; "RemoteStop" and "ChangeAvailability" are purposes of last resort."""

    purpose: str
    kind: str = "Absolute"
    stack: int = 0
    unit: str = "A"

    @property
    def words(self) -> str:
        """The way, for a person."""
        if self == CLEAR_OTHERS:
            return "the same again, after clearing other systems' charging profiles"
        if self == TELL_LESS:
            return "the same again, told as much less as it takes too much"
        if self in LAST_RESORTS:
            return self.purpose
        return f"{self.purpose} {self.kind}, stack {self.stack}, {self.unit}"

    @property
    def is_transactional(self) -> bool:
        """Whether it binds one transaction only; all others may be kept in the charger's flash memory."""
        return self.purpose == "TxProfile"

    @property
    def is_for_station(self) -> bool:
        """Whether it binds the whole station instead of one connector."""
        return self.purpose not in ("TxProfile", "TxDefaultProfile")

    @property
    def is_lasting(self) -> bool:
        """Whether nothing of ours lies below a profile of this rung."""
        return self.is_for_station or (self.purpose == "TxDefaultProfile" and self.stack == 0)

    @property
    def begins_long_ago(self) -> bool:
        """Whether its schedule must be in force by any clock of the charger, as nothing of ours lies below it."""
        return self.is_lasting and self.kind == "Absolute"

    def to_document(self) -> dict[str, Any]:
        """The rung as kept in the fact store."""
        return asdict(self)


REMOTE_STOP, CHANGE_AVAILABILITY = Rung("RemoteStop"), Rung("ChangeAvailability")
LAST_RESORTS = (REMOTE_STOP, CHANGE_AVAILABILITY)
CLEAR_OTHERS = Rung("ClearOthers")
TELL_LESS = Rung("TellLess")
SAFE_DEFAULT = Rung("TxDefaultProfile")


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a profile is made for: the instant, the connector and, in a transaction, its id and start."""

    now: datetime
    connector: int
    """Connector of 1.6, EVSE of 2.x; 0 is the whole station."""
    slot: int
    """The limiter's own connector, >= 1: profile ids are unique by it."""
    transaction: int | None
    """Our id of the transaction, which a 1.6 charger uses too."""
    their_id: str
    """The charger's id of the transaction (2.x)."""
    started: datetime | None
    """By our clock, like every time here."""
    phases: int
    """Phases that carry the current, for limits in W."""
    wired_phases: int
    voltage_v: float
    safe_a: float
    """What must hold after the end of a profile that has none of its own, A per phase."""
    phases_told: int = 0
    """On how many phases to charge, where the charger can switch; 0: as it stands."""
    outlook: tuple[tuple[datetime, float], ...] = ()
    """What the plan means to give a car that told its needs: from when, W in all; the last entry is its end."""
    skew_s: float = 0.0
    """How far the charger's own clock is behind ours, s; negative: ahead. It reads the stamps of a profile by that."""

    def by_its_clock(self, instant: datetime) -> datetime:
        """What the charger's clock shows at this instant of ours."""
        return instant - timedelta(seconds=self.skew_s)


@dataclass(frozen=True, slots=True)
class Composite:
    """What a charger says its profiles combine to now: `limit` in `unit` (A per phase, or W in all)."""

    limit: float
    unit: str


class Profiles(Protocol):
    """How one version of OCPP says all this."""

    purposes: tuple[tuple[str, str], ...]
    """(purpose, kind) in the order of trying."""

    def limit(self, rung: Rung, current_a: float, until: datetime | None, at: Occasion) -> Request:
        """Hold `current_a` A per phase until `until`, then the safe value; None: without end."""
        ...

    def clear(self, rung: Rung, at: Occasion) -> Request:
        """Take back our own profile of this rung."""
        ...

    def clear_all(self, purpose: str, at: Occasion) -> Request:
        """Take back every profile of one purpose at this connector, whoever set it."""
        ...

    def start(self, tag: str, profile: Request | None, at: Occasion) -> Request:
        """Start a transaction, with the charging profile of a `limit` request inside."""
        ...

    def stop(self, at: Occasion) -> Request | None:
        """End the transaction; None when there is none."""
        ...

    def availability(self, operative: bool, at: Occasion) -> Request:
        """Take the connector into or out of service."""
        ...

    def composite(self, unit: str, at: Occasion) -> Request:
        """Ask what all profiles combine to from now on."""
        ...

    def read_composite(self, answer: Mapping[str, Any]) -> Composite | None:
        """The combined limit of now; None where the answer makes no sense, as some chargers' do."""
        ...


def to_rung(document: Mapping[str, Any], purposes: tuple[tuple[str, str], ...]) -> Rung | None:
    """The rung of a stored document; None when it is not one of these purposes."""
    try:
        rung = Rung(**document)
    except TypeError:
        return None
    known = (rung.purpose, rung.kind) in purposes and rung.unit in ("A", "W") and isinstance(rung.stack, int)
    return rung if known and rung.stack >= 0 else None


def ladder(
    max_stack: int, units: tuple[str, ...], purposes: tuple[tuple[str, str], ...], connector: int = 1
) -> list[Rung]:
    """Ways of limiting in the order of trying: TxProfile before the lasting ones, top stack before 0, `units` in turn.

    The station's own limit binds all its connectors: only the first one reaches for it.
    """
    stacks = [max_stack, 0] if max_stack > 0 else [0]
    rungs = [Rung(purpose, kind, stack, unit) for unit in units for stack in stacks for purpose, kind in purposes]
    return [rung for rung in rungs if connector == 1 or not rung.is_for_station]


def allowed_current(current_a: float, minimum_a: float, maximum_a: float) -> float:
    """The wish floored to 0.1 A; 0 below the minimum (IEC 61851: nothing between 0 and 6 A), at most the maximum."""
    floored = math.floor(min(current_a, maximum_a) * 10 + 1e-6) / 10
    return floored if floored >= minimum_a else 0.0


def encoded_limit(current_a: float, unit: str, phases: int, voltage_v: float) -> float:
    """The number in the profile: A, or whole W rounded up so that the minimum current survives the way back."""
    return current_a if unit == "A" else float(math.ceil(round(current_a * phases * voltage_v, 3)))


def profile_id(rung: Rung, slot: int) -> int:
    """The id of our profile of this rung: 1 safe default, 2 default above it, 3 transaction, 4 station; 10 a connector."""
    if rung.purpose == "TxDefaultProfile":
        number = 1 if rung.stack == 0 else 2
    else:
        number = 3 if rung.is_transactional else 4
    return 10 * (slot - 1) + number


def profile(
    rung: Rung, current_a: float, until: datetime | None, at: Occasion
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields all versions share, of the profile and of its one schedule; times are still datetimes.

    limit |        #########            a profile above others ends: the safe TxDefaultProfile below it takes over
    safe  |========.........=========   a lasting profile (nothing below it) has periods before and behind instead
          1970    now     until

    The stamps are by the charger's own clock, as far as that is known. Where it is not, or is set later, the charger
    finds itself outside of the time of an absolute profile, and so at the safe value; one without end is in force then.

    A car that told its needs is shown the plan behind `until` (ISO 15118; 2.0.1 K15), each period at most the safe
    value: without us it follows what was planned, and never more than is safe.
    """
    begin = _begin(rung, at)
    schedule: dict[str, Any] = {"chargingRateUnit": rung.unit}
    fields: dict[str, Any] = {
        "stackLevel": rung.stack,
        "chargingProfilePurpose": rung.purpose,
        "chargingProfileKind": rung.kind,
    }
    if rung.kind == "Absolute":
        schedule["startSchedule"] = at.by_its_clock(begin)
    schedule["chargingSchedulePeriod"] = periods = [_period(rung, 0, current_a, at)]
    if until is not None and rung.begins_long_ago and current_a > at.safe_a:
        begins_s = math.floor((at.now - BACK_DATED - begin).total_seconds())
        periods[:] = [_period(rung, 0, at.safe_a, at), _period(rung, begins_s, current_a, at)]
    if until is not None:
        seconds = max(1, math.ceil((until - begin).total_seconds()))
        if rung.is_lasting:
            periods.append(_period(rung, seconds, at.safe_a, at))
        else:
            shown = _shown(rung, seconds, begin, until, at)
            periods += [_period(rung, start_s, amps, at) for start_s, amps in shown]
            end = at.outlook[-1][0] if shown else until
            schedule["duration"] = max(1, math.ceil((end - begin).total_seconds()))
            fields["validTo"] = at.by_its_clock(end)
    return fields, schedule


def _begin(rung: Rung, at: Occasion) -> datetime:
    """When the schedule begins, by our clock."""
    if rung.begins_long_ago:
        return LONG_AGO + timedelta(seconds=at.skew_s)
    if rung.kind == "Absolute":
        return at.now - BACK_DATED
    # Interpretation: a relative schedule counts from the start of charging, so its end does too.
    return min(at.started, at.now) if at.started is not None else at.now


def _shown(rung: Rung, seconds: int, begin: datetime, until: datetime, at: Occasion) -> list[tuple[int, float]]:
    """The outlook behind `until` as (start in s of the schedule, A per phase), nothing where there is none.

    None either where no current is safe: told of hours without any, a car may go to sleep (decision 10).
    """
    if not rung.is_transactional or not at.outlook or at.outlook[-1][0] <= until or at.safe_a < MINIMUM_A:
        return []
    found: list[tuple[int, float]] = []
    for (start, power_w), (end, _) in itertools.pairwise(at.outlook):
        if end <= until:
            continue
        amps = allowed_current(power_w / (at.phases * at.voltage_v), MINIMUM_A, at.safe_a)
        if not found or amps != found[-1][1]:
            found.append((max(seconds, math.ceil((start - begin).total_seconds())), amps))
    return found if any(amps for _, amps in found) else []


def _period(rung: Rung, start_s: int, current_a: float, at: Occasion) -> dict[str, Any]:
    limit = encoded_limit(current_a, rung.unit, at.phases, at.voltage_v)
    period: dict[str, Any] = {"startPeriod": start_s, "limit": limit}
    number = at.phases_told or at.wired_phases
    if at.phases_told or number != 3:
        period["numberPhases"] = number  # absent means 3 (1.6 section 7.14, 2.0.1 part 2 section 2.15)
    return period


def sane_composite(schedule: Any, duration_s: Any) -> Composite | None:
    """The limit of now in a combined schedule; None for no periods, absurd durations, or no number."""
    if not isinstance(schedule, Mapping):
        return None
    periods, unit = schedule.get("chargingSchedulePeriod"), schedule.get("chargingRateUnit")
    lasts = to_number(duration_s)
    if not isinstance(periods, list) or not periods or unit not in ("A", "W"):
        return None
    if lasts is not None and not 0 < lasts <= LONGEST_COMPOSITE_S:
        return None
    first = periods[0] if isinstance(periods[0], Mapping) else {}
    limit, start = to_number(first.get("limit")), to_number(first.get("startPeriod"))
    if limit is None or limit < 0 or (start or 0) > 0:
        return None
    return Composite(limit, unit)
