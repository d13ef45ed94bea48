"""Limits on an OCPP 1.6 charger: a ladder of ways, climbed until one is accepted, and seen to be honoured.

In a transaction the wish is a profile that ends; below it lies the safe TxDefaultProfile, so that a dead gateway
leaves a safe charger. Before a transaction nothing flows: the safe default is enough unless the wish is lower still.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.ocpp.dispatch import AnswerWrong, CallFailed, CallRefused, NoAnswer
from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.live import LiveState
from adapters.ocpp.sessions import SessionBook
from adapters.ocpp.v16.profiles import (
    LAST_RESORTS,
    NOMINAL_VOLTAGE_V,
    TX_PROFILE_ID,
    Occasion,
    Rung,
    allowed_current,
    ladder,
    limit_request,
    to_rung,
)
from gateway.model.errors import CommandRefused
from gateway.model.session import EvSession
from gateway.model.site import ChargerSpec
from gateway.model.snapshot import ChargePhase
from gateway.ports import Clock

log = logging.getLogger(__name__)

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]

REMOTE_STOP, CHANGE_AVAILABILITY = LAST_RESORTS
ANONYMOUS_TAG = "hearth"


@dataclass(frozen=True, slots=True)
class InForce:
    """A limit the charger accepted, A per phase; `until` None when it has no end."""

    current_a: float
    at: datetime
    until: datetime | None


class Limiter:
    """Limits one charger; `call` asks it and raises CallFailed."""

    def __init__(
        self,
        device: str,
        spec: ChargerSpec,
        live: LiveState,
        book: SessionBook,
        facts: ChargerFacts,
        clock: Clock,
        call: Call,
    ) -> None:
        self._device = device
        self._spec = spec
        self._live = live
        self._book = book
        self._facts = facts
        self._clock = clock
        self._call = call
        self._rungs = ladder(0, ("A", "W"))
        self._rung = self._rungs[0]
        self._proven = False
        self._unhonoured: set[Rung] = set()
        self._paused_by: Rung | None = None
        self._default: InForce | None = None
        self._before: InForce | None = None
        self._limit: InForce | None = None
        self._phases_used: int | None = None
        self._tx_profile_held = False

    # ---- what is in force

    @property
    def rung(self) -> Rung:
        """The way of limiting in use."""
        return self._rung

    @property
    def paused_by_availability(self) -> bool:
        """Whether the charger is out of service because we asked it to pause."""
        return self._paused_by == CHANGE_AVAILABILITY

    def in_force(self) -> InForce | None:
        """The last accepted limit; the safe default once it has ended; None when nothing was accepted."""
        limit = self._limit
        if limit is None or limit.until is None or self._clock.now() < limit.until:
            return limit
        return self._default

    def wants_repeat(self) -> bool:
        """Whether the limit in W no longer means the wished current: the car uses other phases than assumed."""
        active = self._live.active_phases()
        return self._rung.unit == "W" and active is not None and self._phases_used not in (None, active)

    # ---- occasions to begin anew

    def learn_features(self, max_stack: int | None, units: tuple[str, ...]) -> None:
        """Order the ladder by what the charger announced; a rung learned earlier for its make comes first."""
        self._rungs = ladder(min(max_stack or 0, 100), units)
        learned = to_rung(self._facts.get("rung") or {})
        self._rung, self._proven = learned or self._rungs[0], learned is not None
        self._unhonoured.clear()

    def reboot(self) -> None:
        """A charger that started anew has lost its transaction profiles, if not more."""
        self._limit = self._before = self._default = None
        self._tx_profile_held = False

    def new_session(self) -> None:
        """A new transaction: profiles of the last one are gone, and every way is worth a try again."""
        self._limit = None
        self._tx_profile_held = False
        self._paused_by = None
        if self._rung in LAST_RESORTS:
            self._rung, self._proven = self._rungs[0], False
            self._unhonoured.clear()

    # ---- the safe default

    async def set_safe_default(self) -> None:
        """The dead-man value: a TxDefaultProfile without end at stack 0; raises CommandRefused, CallFailed."""
        safe_a = allowed_current(self._spec.safe_current_a, self._spec.min_current_a, self._spec.max_current_a)
        units = dict.fromkeys([rung.unit for rung in self._rungs])
        for unit in units:
            for kind in ("Absolute", "Relative"):
                for connector in (0, 1):
                    request = limit_request(Rung("TxDefaultProfile", kind, 0, unit), safe_a, None, self._occasion(None))
                    if await self._accepted("SetChargingProfile", {**request, "connectorId": connector}):
                        self._default = InForce(safe_a, self._clock.now(), None)
                        return
        raise CommandRefused(self._device, "safe default", "no TxDefaultProfile is accepted")

    # ---- the wish

    async def apply(self, current_a: float, until: datetime) -> None:
        """At most `current_a` A per phase until `until`; raises CommandRefused when every way is refused, CallFailed."""
        wish_a = allowed_current(current_a, self._spec.min_current_a, self._spec.max_current_a)
        session = self._book.open_session()
        if wish_a > 0:
            await self._resume(session)
        if session is None and self._live.phase is not ChargePhase.CHARGING:
            await self._apply_before(wish_a, until)
        elif self._rung in LAST_RESORTS:
            await self._contain(wish_a, until, session)
        else:
            await self._apply_while_charging(wish_a, until, session)

    async def _apply_before(self, wish_a: float, until: datetime) -> None:
        safe_a = self._default.current_a if self._default else self._spec.safe_current_a
        bounded_a = min(wish_a, safe_a)
        if self._held_before(until) != bounded_a:
            await self._lower_default(bounded_a, until)
        self._limit = InForce(bounded_a, self._clock.now(), until)

    def _held_before(self, until: datetime) -> float | None:
        """What the charger's default profiles allow from now to `until`, A; None when it is not one known value."""
        before, default = self._before, self._default
        if before is None or before.until is None or self._clock.now() >= before.until:
            return default.current_a if default else None
        lasts = before.until >= until or (default is not None and before.current_a == default.current_a)
        return before.current_a if lasts else None

    async def _lower_default(self, current_a: float, until: datetime) -> None:
        for rung in [rung for rung in self._rungs if rung.purpose == "TxDefaultProfile"]:
            request = limit_request(rung, current_a, until, self._occasion(None))
            if await self._accepted("SetChargingProfile", request):
                self._before = InForce(current_a, self._clock.now(), until)
                return
        raise CommandRefused(self._device, "limit before charging", "no TxDefaultProfile is accepted")

    async def _apply_while_charging(self, wish_a: float, until: datetime, session: EvSession | None) -> None:
        for rung in self._to_try(wish_a, session):
            accepted_a = await self._try(rung, wish_a, until, session)
            if accepted_a is not None:
                await self._won(rung, accepted_a, until)
                return
        if wish_a > 0:
            self._rung, self._proven = self._rungs[0], False
            raise CommandRefused(
                self._device, "limit", "every way of limiting was refused", "Is smart charging enabled in its own menu?"
            )
        await self._pause(until, session)

    def _to_try(self, wish_a: float, session: EvSession | None) -> list[Rung]:
        """The rung in use, then the others; a rung that is known to work and refuses 0 A is not asked elsewhere."""
        others = [rung for rung in self._rungs if rung != self._rung and rung not in self._unhonoured]
        rungs = [self._rung] if self._proven and wish_a == 0 else [self._rung, *others]
        return [rung for rung in rungs if session is not None or rung.purpose != "TxProfile"]

    async def _try(self, rung: Rung, wish_a: float, until: datetime, session: EvSession | None) -> float | None:
        for current_a in self._steps(wish_a):
            request = limit_request(rung, current_a, until, self._occasion(session))
            try:
                if await self._accepted("SetChargingProfile", request):
                    if current_a != wish_a:
                        await self._facts.learn("whole_amps", True)
                    return current_a
            except NoAnswer:
                self._skip_silent(rung)
                raise
        return None

    def _steps(self, wish_a: float) -> list[float]:
        whole_a = float(math.floor(wish_a))
        if self._facts.get("whole_amps"):
            return [whole_a]
        return [wish_a] if whole_a == wish_a else [wish_a, whole_a]

    def _skip_silent(self, rung: Rung) -> None:
        """Some chargers do not answer a kind of profile at all: the next attempt begins with the next rung."""
        if not self._proven and rung in self._rungs:
            self._rung = self._rungs[(self._rungs.index(rung) + 1) % len(self._rungs)]

    async def _won(self, rung: Rung, current_a: float, until: datetime) -> None:
        if rung != self._rung or not self._proven:
            log.info("%s: limits are accepted as %s", self._device, rung.words)
        self._rung, self._proven = rung, True
        self._limit = InForce(current_a, self._clock.now(), until)
        if rung.purpose == "TxDefaultProfile":
            self._before = self._limit
        await self._unshadow(rung)
        await self._facts.learn("rung", rung.to_document())

    async def _unshadow(self, rung: Rung) -> None:
        """A TxProfile left from another rung stands above every default (section 3.13.1): it goes, if it can."""
        if rung.purpose == "TxProfile":
            self._tx_profile_held = True
        elif self._tx_profile_held:
            self._tx_profile_held = False
            with suppress(CallFailed):
                await self._accepted("ClearChargingProfile", {"id": TX_PROFILE_ID})

    # ---- last resorts

    async def next_rung(self) -> Rung:
        """Accepted but not honoured: the next way, same unit first, at last stopping; raises CommandRefused."""
        self._unhonoured.add(self._rung)
        same_unit = [rung for rung in self._rungs if rung.unit == self._rung.unit and self._rung not in LAST_RESORTS]
        following = next((rung for rung in (*same_unit, *LAST_RESORTS) if rung not in self._unhonoured), None)
        if following is None:
            raise CommandRefused(
                self._device, "limit", "it honours no way of limiting", "Switch it off at its breaker."
            )
        log.warning("%s: %s is not honoured, next: %s", self._device, self._rung.words, following.words)
        self._rung, self._proven = following, False
        await self._facts.learn("rung", None)
        return following

    async def _contain(self, wish_a: float, until: datetime, session: EvSession | None) -> None:
        """The charger obeys no profile: it may charge freely or not at all."""
        if wish_a >= self._spec.max_current_a:
            self._limit = InForce(self._spec.max_current_a, self._clock.now(), until)
        elif not await self._stop_by(self._rung, session):
            raise CommandRefused(self._device, self._rung.words, "refused")
        else:
            self._limit = InForce(0.0, self._clock.now(), until)
            self._paused_by = self._rung if self._rung == CHANGE_AVAILABILITY or wish_a == 0 else None

    async def _pause(self, until: datetime, session: EvSession | None) -> None:
        """0 A is refused in every way: stop the transaction, or take the charger out of service."""
        for resort in LAST_RESORTS:
            if await self._stop_by(resort, session):
                log.info("%s: refuses 0 A, paused by %s", self._device, resort.words)
                self._paused_by = resort
                self._limit = InForce(0.0, self._clock.now(), until)
                return
        raise CommandRefused(self._device, "pause", "0 A, RemoteStop and ChangeAvailability were refused")

    async def _stop_by(self, resort: Rung, session: EvSession | None) -> bool:
        if resort == CHANGE_AVAILABILITY:
            return await self._accepted("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"})
        if session is None:
            return False
        return await self._accepted("RemoteStopTransaction", {"transactionId": session.transaction})

    async def _resume(self, session: EvSession | None) -> None:
        """Undo our own pause; a driver who stopped at the charger is not overruled."""
        if self._paused_by == CHANGE_AVAILABILITY:
            if await self._accepted("ChangeAvailability", {"connectorId": 0, "type": "Operative"}):
                self._paused_by = None
        elif self._paused_by == REMOTE_STOP and session is None and self._live.phase is ChargePhase.PLUGGED:
            tag = self._book.last_tag()[:20] or ANONYMOUS_TAG
            if await self._accepted("RemoteStartTransaction", {"idTag": tag, "connectorId": 1}):
                self._paused_by = None

    # ---- inside

    async def _accepted(self, action: str, request: dict[str, Any]) -> bool:
        """Whether the charger says yes; "Scheduled" is yes too (section 5.2)."""
        try:
            answer = await self._call(action, request)
        except (CallRefused, AnswerWrong):
            return False
        return answer.get("status") in ("Accepted", "Scheduled")

    def _occasion(self, session: EvSession | None) -> Occasion:
        wired = len(self._spec.phases)
        self._phases_used = self._live.active_phases() or wired
        return Occasion(
            now=self._clock.now(),
            connector=session.connector if session else 1,
            transaction=session.transaction if session else None,
            started=session.start if session else None,
            phases=self._phases_used,
            wired_phases=wired,
            voltage_v=self._live.voltage_v(NOMINAL_VOLTAGE_V),
            safe_a=self._spec.safe_current_a,
        )
