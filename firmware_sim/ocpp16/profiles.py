"""The charging profiles a charge point holds, and the current they allow: OCPP 1.6 edition 2, sections 3.13 and 7.

Pure: every question is asked with `now`. Amperes per phase; None means "no profile says anything".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

MAX_PURPOSE, DEFAULT_PURPOSE, TX_PURPOSE = "ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"
PURPOSES = (MAX_PURPOSE, DEFAULT_PURPOSE, TX_PURPOSE)
RECURRENCE_S = {"Daily": 86_400.0, "Weekly": 604_800.0}


@dataclass(frozen=True, slots=True)
class Session:
    """The running transaction as the profiles see it."""

    transaction_id: int | None
    started: datetime


@dataclass(frozen=True, slots=True)
class Supply:
    """What turns watts into amperes: mean volts and the phases the car uses."""

    voltage_v: float = 230.0
    phases: int = 3


@dataclass(frozen=True, slots=True)
class Profile:
    """One csChargingProfiles object as received, on one connector, with the time of its receipt."""

    connector: int
    received: datetime
    id: int
    stack_level: int
    purpose: str
    kind: str
    unit: str
    periods: tuple[tuple[float, float, int], ...]
    """(start s, limit in `unit`, number of phases)."""
    start: datetime | None = None
    duration_s: float | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    recurrency: str = ""
    transaction_id: int | None = None

    def began(self, now: datetime, session: Session | None) -> datetime | None:
        """The instant the periods are counted from, None when there is none.

        Interpretation: a Relative schedule starts with the transaction, or with its receipt when that is later.
        """
        if self.kind == "Relative":
            return max(session.started, self.received) if session else None
        start = self.start or self.received
        if self.kind == "Recurring" and now > start:
            every = RECURRENCE_S.get(self.recurrency, 86_400.0)
            return start + timedelta(seconds=((now - start).total_seconds() // every) * every)
        return start

    def limit_a(self, now: datetime, session: Session | None, supply: Supply) -> float | None:
        """Amperes allowed at `now`, None when the profile is not in force."""
        if (self.valid_from and now < self.valid_from) or (self.valid_to and now >= self.valid_to):
            return None
        began = self.began(now, session)
        if began is None or now < began:
            return None
        at_s = (now - began).total_seconds()
        if self.duration_s is not None and at_s >= self.duration_s:
            return None
        passed = [period for period in self.periods if period[0] <= at_s]
        if not passed:
            return None
        _, limit, phases = passed[-1]
        return limit if self.unit == "A" else limit / (supply.voltage_v * min(phases, supply.phases))

    def edges(self, now: datetime, session: Session | None) -> Iterable[datetime]:
        """The instants at which this profile's answer may change."""
        began = self.began(now, session)
        if began is not None:
            yield from (began + timedelta(seconds=start_s) for start_s, _, _ in self.periods)
            if self.duration_s is not None:
                yield began + timedelta(seconds=self.duration_s)
            if self.kind == "Recurring":
                yield began + timedelta(seconds=RECURRENCE_S.get(self.recurrency, 86_400.0))
        yield from (edge for edge in (self.valid_from, self.valid_to) if edge)


@dataclass
class ProfileStore:
    """All profiles of a station with one connector."""

    profiles: list[Profile] = field(default_factory=list)

    def install(self, profile: Profile) -> None:
        """Add; the same id, or the same purpose and stack level on the connector, is replaced (section 5.16.4)."""
        self.profiles = [held for held in self.profiles if not _replaces(profile, held)] + [profile]

    def clear(self, wanted: dict[str, Any]) -> bool:
        """Remove what matches a ClearChargingProfile request; False when nothing did."""
        kept = [held for held in self.profiles if not _matches(wanted, held)]
        cleared = len(kept) < len(self.profiles)
        self.profiles = kept
        return cleared

    def forget_transaction(self) -> None:
        """A TxProfile ends with its transaction (section 3.13.1); a reboot loses it as well."""
        self.profiles = [held for held in self.profiles if held.purpose != TX_PURPOSE]

    def limit_a(self, now: datetime, session: Session | None, supply: Supply) -> float | None:
        """The lowest of the ceiling and of the transaction's own limit (section 3.13.2)."""
        ceiling = self._highest(MAX_PURPOSE, now, session, supply)
        own = self._highest(TX_PURPOSE, now, session, supply) if session else None
        if own is None:
            own = self._highest(DEFAULT_PURPOSE, now, session, supply)
        limits = [limit for limit in (ceiling, own) if limit is not None]
        return min(limits) if limits else None

    def composite(
        self, now: datetime, seconds: float, session: Session | None, supply: Supply, unlimited_a: float
    ) -> list[tuple[float, float]]:
        """(start s, amperes) pairs over the next `seconds`, equal neighbours merged."""
        end = now + timedelta(seconds=seconds)
        edges = {edge for held in self.profiles for edge in held.edges(now, session) if now < edge < end}
        parts: list[tuple[float, float]] = []
        for edge in [now, *sorted(edges)]:
            limit = self.limit_a(edge, session, supply)
            amps = unlimited_a if limit is None else min(limit, unlimited_a)
            if not parts or parts[-1][1] != amps:
                parts.append(((edge - now).total_seconds(), amps))
        return parts

    def _highest(self, purpose: str, now: datetime, session: Session | None, supply: Supply) -> float | None:
        held = (profile for profile in self.profiles if profile.purpose == purpose)
        for profile in sorted(held, key=lambda profile: -profile.stack_level):
            limit = profile.limit_a(now, session, supply)
            if limit is not None:
                return limit
        return None


def parse(connector: int, raw: dict[str, Any], now: datetime) -> Profile:
    """A csChargingProfiles object; raises KeyError, TypeError or ValueError where it is malformed."""
    schedule = raw["chargingSchedule"]
    periods = tuple(
        (float(part["startPeriod"]), float(part["limit"]), int(part.get("numberPhases", 3)))
        for part in schedule["chargingSchedulePeriod"]
    )
    if raw["chargingProfilePurpose"] not in PURPOSES or schedule["chargingRateUnit"] not in ("A", "W") or not periods:
        raise ValueError("unknown purpose, unit, or no period")
    return Profile(
        connector=connector,
        received=now,
        id=int(raw["chargingProfileId"]),
        stack_level=int(raw["stackLevel"]),
        purpose=raw["chargingProfilePurpose"],
        kind=raw["chargingProfileKind"],
        unit=schedule["chargingRateUnit"],
        periods=tuple(sorted(periods)),
        start=_time(schedule.get("startSchedule")),
        duration_s=None if schedule.get("duration") is None else float(schedule["duration"]),
        valid_from=_time(raw.get("validFrom")),
        valid_to=_time(raw.get("validTo")),
        recurrency=raw.get("recurrencyKind", ""),
        transaction_id=raw.get("transactionId"),
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"a time without zone: {text}")
    return at


def _replaces(new: Profile, held: Profile) -> bool:
    same_place = (held.purpose, held.stack_level, held.connector) == (new.purpose, new.stack_level, new.connector)
    return held.id == new.id or same_place


def _matches(wanted: dict[str, Any], held: Profile) -> bool:
    if wanted.get("id") is not None:
        return bool(held.id == wanted["id"])
    connector, purpose, level = (
        wanted.get("connectorId"),
        wanted.get("chargingProfilePurpose"),
        wanted.get("stackLevel"),
    )
    return (
        (connector is None or held.connector == connector)
        and (purpose is None or held.purpose == purpose)
        and (level is None or held.stack_level == level)
    )
