"""Charging profiles of OCPP 1.6 (section 3.13, 5.16, 7.8): the ways of limiting, and their encoding; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from adapters.ocpp.wire import to_text

NOMINAL_VOLTAGE_V = 230.0
BACK_DATED = timedelta(seconds=60)
"""Absolute schedules start this much in the past, so that a charger whose clock is slow obeys at once."""

SAFE_DEFAULT_ID, WISH_DEFAULT_ID, TX_PROFILE_ID = 1, 2, 3
_IDS = {"TxProfile": TX_PROFILE_ID, "ChargePointMaxProfile": 4}


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
        if self in LAST_RESORTS:
            return self.purpose
        return f"{self.purpose} {self.kind}, stack {self.stack}, {self.unit}"

    def to_document(self) -> dict[str, Any]:
        """The rung as kept in the fact store."""
        return asdict(self)


LAST_RESORTS = (Rung("RemoteStop"), Rung("ChangeAvailability"))

_PURPOSES = (
    ("TxProfile", "Absolute"),
    ("TxProfile", "Relative"),
    ("TxDefaultProfile", "Absolute"),
    ("TxDefaultProfile", "Relative"),
    ("ChargePointMaxProfile", "Absolute"),
)


def to_rung(document: Mapping[str, Any]) -> Rung | None:
    """The rung of a stored document; None when it is not one."""
    try:
        rung = Rung(**document)
    except TypeError:
        return None
    known = (rung.purpose, rung.kind) in _PURPOSES and rung.unit in ("A", "W") and isinstance(rung.stack, int)
    return rung if known else None


def ladder(max_stack: int, units: tuple[str, ...]) -> list[Rung]:
    """Ways of limiting in the order of trying: TxProfile before the lasting ones, top stack before 0, `units` in turn."""
    stacks = [max_stack, 0] if max_stack > 0 else [0]
    return [
        Rung(purpose, kind, stack, unit) for unit in units for stack in stacks for purpose, kind in _PURPOSES
    ]  # fmt: skip


def allowed_current(current_a: float, minimum_a: float, maximum_a: float) -> float:
    """The wish floored to 0.1 A; 0 below the minimum (IEC 61851: nothing between 0 and 6 A), at most the maximum."""
    floored = math.floor(min(current_a, maximum_a) * 10 + 1e-6) / 10
    return floored if floored >= minimum_a else 0.0


def encoded_limit(current_a: float, unit: str, phases: int, voltage_v: float) -> float:
    """The number in the profile: A, or whole W rounded up so that the minimum current survives the way back."""
    return current_a if unit == "A" else float(math.ceil(round(current_a * phases * voltage_v, 3)))


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a profile is made for: the instant, the connector and, in a transaction, its id and start."""

    now: datetime
    connector: int
    transaction: int | None
    started: datetime | None
    phases: int
    wired_phases: int
    voltage_v: float
    safe_a: float
    """What must hold after the end of a profile that has none of its own, A per phase."""


def limit_request(rung: Rung, current_a: float, until: datetime | None, at: Occasion) -> dict[str, Any]:
    """A SetChargingProfile request that holds until `until`, then the safe value; None: it has no end.

    limit |#########            a profile above others ends: the safe TxDefaultProfile below it takes over
    safe  |.........=========   a lasting profile (nothing below it) gets a second period instead
          now     until
    """
    periods = [_period(rung, 0, current_a, at)]
    schedule: dict[str, Any] = {"chargingRateUnit": rung.unit, "chargingSchedulePeriod": periods}
    profile: dict[str, Any] = {
        "chargingProfileId": _profile_id(rung),
        "stackLevel": rung.stack,
        "chargingProfilePurpose": rung.purpose,
        "chargingProfileKind": rung.kind,
        "chargingSchedule": schedule,
    }
    begin = at.now - BACK_DATED
    if rung.kind == "Absolute":
        schedule["startSchedule"] = to_text(begin)
    elif at.started is not None:
        # Interpretation: a relative schedule counts from the start of charging, so its end does too.
        begin = min(at.started, at.now)
    else:
        begin = at.now
    if until is not None:
        seconds = max(1, math.ceil((until - begin).total_seconds()))
        if is_lasting(rung):
            periods.append(_period(rung, seconds, at.safe_a, at))
        else:
            schedule["duration"] = seconds
            profile["validTo"] = to_text(until)
    if rung.purpose == "TxProfile" and at.transaction is not None:
        profile["transactionId"] = at.transaction
    connector = 0 if rung.purpose == "ChargePointMaxProfile" else at.connector
    return {"connectorId": connector, "csChargingProfiles": profile}


def is_lasting(rung: Rung) -> bool:
    """Whether nothing of ours lies below a profile of this rung."""
    return rung.purpose == "ChargePointMaxProfile" or (rung.purpose == "TxDefaultProfile" and rung.stack == 0)


def _period(rung: Rung, start_s: int, current_a: float, at: Occasion) -> dict[str, Any]:
    period: dict[str, Any] = {
        "startPeriod": start_s,
        "limit": encoded_limit(current_a, rung.unit, at.phases, at.voltage_v),
    }
    if at.wired_phases != 3:
        period["numberPhases"] = at.wired_phases  # absent means 3 (section 7.14)
    return period


def _profile_id(rung: Rung) -> int:
    if rung.purpose == "TxDefaultProfile":
        return SAFE_DEFAULT_ID if rung.stack == 0 else WISH_DEFAULT_ID
    return _IDS[rung.purpose]
