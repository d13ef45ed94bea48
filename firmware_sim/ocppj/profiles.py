"""The charging profiles a station holds, and the current they allow: OCPP 1.6 section 3.13, 2.0.1 part 2 block K.

Pure: every question is asked with `now`. Amperes per phase; None means "no profile says anything".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

DEFAULT_PURPOSE, TX_PURPOSE = "TxDefaultProfile", "TxProfile"
MAX_16, MAX_2, EXTERNAL = "ChargePointMaxProfile", "ChargingStationMaxProfile", "ChargingStationExternalConstraints"
CEILINGS = (MAX_16, MAX_2, EXTERNAL)
RECURRENCE_S = {"Daily": 86_400.0, "Weekly": 604_800.0}
ALL_PHASES = 3


@dataclass(frozen=True, slots=True)
class Session:
    """The running transaction as the profiles see it."""

    transaction_id: int | str | None
    started: datetime


@dataclass(frozen=True, slots=True)
class Supply:
    """What turns watts into amperes: mean volts and the phases the car uses."""

    voltage_v: float = 230.0
    phases: int = 3


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the profiles allow: A per phase and the number of phases asked for."""

    amps: float
    phases: int = ALL_PHASES


Periods = tuple[tuple[float, float, int], ...]
"""(start s, limit in the profile's unit, number of phases)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One charging profile as received, on one connector (0: all), with the time of its receipt."""

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
    transaction_id: int | str | None = None
    raw: dict[str, Any] | None = None

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

    def allowed(self, now: datetime, session: Session | None, supply: Supply) -> Allowed | None:
        """What is allowed at `now`, None when the profile is not in force."""
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
        amps = limit if self.unit == "A" else limit / (supply.voltage_v * max(1, min(phases, supply.phases)))
        return Allowed(amps, phases)

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


def received(
    connector: int, number: Any, raw: dict[str, Any], schedule: dict[str, Any], periods: Periods, now: datetime
) -> Profile:
    """A profile of any version as it came: `raw` is the whole of it, `schedule` the schedule that counts."""
    return Profile(
        connector=connector,
        received=now,
        id=int(number),
        stack_level=int(raw["stackLevel"]),
        purpose=raw["chargingProfilePurpose"],
        kind=raw["chargingProfileKind"],
        unit=schedule["chargingRateUnit"],
        periods=tuple(sorted(periods)),
        start=time_of(schedule.get("startSchedule")),
        duration_s=None if schedule.get("duration") is None else float(schedule["duration"]),
        valid_from=time_of(raw.get("validFrom")),
        valid_to=time_of(raw.get("validTo")),
        recurrency=raw.get("recurrencyKind", ""),
        transaction_id=raw.get("transactionId"),
        raw=raw,
    )


@dataclass
class ProfileStore:
    """All profiles of a station; `heeded` says which of them its firmware looks at."""

    profiles: list[Profile] = field(default_factory=list)
    heeded: Callable[[Profile], bool] = lambda profile: True

    def install(self, profile: Profile) -> None:
        """Add; the same id, or the same purpose and stack level on the connector, is replaced (section 5.16.4)."""
        self.profiles = [held for held in self.profiles if not _replaces(profile, held)] + [profile]

    def clear(self, matches: Callable[[Profile], bool]) -> bool:
        """Remove what matches; False when nothing did."""
        kept = [held for held in self.profiles if not matches(held)]
        cleared = len(kept) < len(self.profiles)
        self.profiles = kept
        return cleared

    def forget_transaction(self, connector: int | None = None) -> None:
        """A TxProfile ends with its transaction (section 3.13.1); a reboot loses all of them."""
        self.clear(lambda held: held.purpose == TX_PURPOSE and connector in (None, held.connector))

    def allowed(self, now: datetime, session: Session | None, supply: Supply, connector: int = 1) -> Allowed | None:
        """The lowest of the ceilings and of the transaction's own limit (section 3.13.2)."""
        own = self._highest((TX_PURPOSE,), now, session, supply, connector) if session else None
        if own is None:
            own = self._highest((DEFAULT_PURPOSE,), now, session, supply, connector)
        ceilings = [self._highest((purpose,), now, session, supply, connector) for purpose in CEILINGS]
        found = [limit for limit in (own, *ceilings) if limit is not None]
        if not found:
            return None
        return Allowed(min(limit.amps for limit in found), min(limit.phases for limit in found))

    def limit_a(self, now: datetime, session: Session | None, supply: Supply, connector: int = 1) -> float | None:
        """Only the amperes of `allowed`."""
        allowed = self.allowed(now, session, supply, connector)
        return None if allowed is None else allowed.amps

    def composite(
        self,
        now: datetime,
        seconds: float,
        session: Session | None,
        supply: Supply,
        unlimited_a: float,
        connector: int = 1,
    ) -> list[tuple[float, float]]:
        """(start s, amperes) pairs over the next `seconds`, equal neighbours merged."""
        end = now + timedelta(seconds=seconds)
        edges = {edge for held in self.profiles for edge in held.edges(now, session) if now < edge < end}
        parts: list[tuple[float, float]] = []
        for edge in [now, *sorted(edges)]:
            limit = self.limit_a(edge, session, supply, connector)
            amps = unlimited_a if limit is None else min(limit, unlimited_a)
            if not parts or parts[-1][1] != amps:
                parts.append(((edge - now).total_seconds(), amps))
        return parts

    def _highest(
        self, purposes: tuple[str, ...], now: datetime, session: Session | None, supply: Supply, connector: int
    ) -> Allowed | None:
        held = [
            profile
            for profile in self.profiles
            if profile.purpose in purposes and profile.connector in (0, connector) and self.heeded(profile)
        ]
        # what is set on the connector itself goes before what is set for all of them
        for profile in sorted(held, key=lambda profile: (profile.connector == 0, -profile.stack_level)):
            allowed = profile.allowed(now, session, supply)
            if allowed is not None:
                return allowed
        return None


def time_of(text: str | None) -> datetime | None:
    """An instant with its zone, None for none; raises ValueError without a zone."""
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"a time without zone: {text}")
    return at


def _replaces(new: Profile, held: Profile) -> bool:
    same_place = (held.purpose, held.stack_level, held.connector) == (new.purpose, new.stack_level, new.connector)
    return held.id == new.id or same_place
