"""What holds on a charger without us and before a transaction: TxDefaultProfiles, kept in its flash memory."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from adapters.ocpp.dispatch import CallFailed, NoAnswer
from adapters.ocpp.pace import DEFAULT_PACE, Held, InForce, end_of, is_stamped_wrong, lasts, paced, written
from adapters.ocpp.rungs import SAFE_DEFAULT, Rung, profile_id
from adapters.ocpp.target import Target
from gateway.model.errors import CommandRefused

log = logging.getLogger(__name__)


class Defaults:
    """The safe default of one connector, and the lower one that a wish may ask for before a transaction."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._taken = True
        self.safe: InForce | None = None
        self.held: Held | None = None
        self._taken_back_at = -math.inf
        self.is_refused = False
        """Whether the charger was asked for a safe default and takes none."""

    def forget(self) -> None:
        """Nothing is known of what the charger holds."""
        self.safe = self.held = None
        self._taken = True

    async def set_safe(self, units: Sequence[str], rungs: Sequence[Rung] = ()) -> None:
        """The dead-man value: without end, at stack 0; raises CommandRefused, CallFailed.

        Written again only after a reboot, to spare the charger's memory. A lower one in force is never overwritten: it
        goes above (by `rungs`), else it stays in its place, with the safe value behind its end.
        """
        target, safe_a, silent, self.is_refused = self._target, self._target.safe_a(), 0, False
        if self.safe is not None and self.safe.current_a == safe_a:
            return
        if not await self._make_room(rungs):
            self.safe = InForce(safe_a, target.clock.now(), None)
            return
        for rung in [
            replace(SAFE_DEFAULT, unit=unit, kind=kind) for unit in units for kind in ("Absolute", "Relative")
        ]:
            try:
                if await self._set_somewhere(rung, safe_a):
                    self.safe = InForce(safe_a, target.clock.now(), None)
                    return
            except NoAnswer:
                # One kind may never be answered; a charger that answers none is not asked on and on.
                silent += 1
                if silent > 1:
                    raise
        self.is_refused = True
        raise CommandRefused(target.device, "safe default", "no TxDefaultProfile is accepted")

    async def _make_room(self, rungs: Sequence[Rung]) -> bool:
        """Whether the place of the safe default is free, or is now; raises CallFailed."""
        held, target = self.in_force(), self._target
        if held is None or held.until is None or not held.rung.is_lasting:
            return True
        session, at = target.book.open_session(), target.occasion(None)
        for rung in [rung for rung in rungs if rung.purpose == "TxDefaultProfile" and not rung.is_lasting]:
            # In a session it is the limit itself, and goes on to be told in its own place.
            if session is None and await target.accepted(target.profiles.limit(rung, held.current_a, held.until, at)):
                self.held = replace(held, rung=rung)
                return True
        return False

    async def _set_somewhere(self, rung: Rung, safe_a: float) -> bool:
        """For the whole station, or for this connector alone; another than the first asks for its own first."""
        connector, at = self._target.connector, self._target.occasion(None)
        for place in (0, connector) if connector == 1 else (connector, 0):
            request = self._target.profiles.limit(rung, safe_a, None, replace(at, connector=place))
            if await self._target.accepted(request):
                return True
        return False

    async def hold(self, rungs: Sequence[Rung], wish_a: float, until: datetime) -> float:
        """At most `wish_a` A, at most the safe current; what holds then, A; raises CommandRefused, CallFailed."""
        target = self._target
        safe_a = self.safe.current_a if self.safe else target.safe_a()
        held, bounded_a, now = self.in_force(), min(wish_a, safe_a), target.clock.now()
        if held is None and self.safe is None:
            return await self._write(rungs, bounded_a, until, None)
        holds_a = held.current_a if held else safe_a
        raised, lowered = (held.raised_at, held.lowered_at) if held else (-math.inf, -math.inf)
        mono, least_a = target.clock.monotonic(), target.spec.min_current_a
        step_a = paced(bounded_a, holds_a, raised, lowered, DEFAULT_PACE, least_a, mono)
        stands = not is_stamped_wrong(target, held)
        if step_a is None and stands and (held is None or holds_a == safe_a or lasts(held, until, now, safe_a)):
            return holds_a
        return await self._write(rungs, holds_a if step_a is None else step_a, until, held)

    def in_force(self) -> Held | None:
        """The lower default while it has not ended."""
        held = self.held
        return held if held is not None and (held.until is None or self._target.clock.now() < held.until) else None

    async def give_way(self, to: Held) -> None:
        """Another limit holds: what stood before the transaction goes, so that without us it is the safe one that rules.

        A transaction profile hides it while it lasts; another default would be hidden by it. At most once in 5 minutes.
        """
        held, now = self.in_force(), self._target.clock.monotonic()
        slot = self._target.connector
        differs = held is not None and profile_id(held.rung, slot) != profile_id(to.rung, slot)
        is_safe = held is not None and held.current_a == self._safe_value()
        if to.rung.is_for_station or (to.rung.is_transactional and is_safe):
            differs = False
        if held is not None and differs and now - self._taken_back_at >= DEFAULT_PACE.raise_s:
            self._taken_back_at = now
            with suppress(CallFailed):
                if await self._take_back(held.rung):
                    self.held = None
        if to.rung.purpose == "TxDefaultProfile":
            self.held = to

    async def _take_back(self, rung: Rung) -> bool:
        """Clear it; where it stands in the place of the safe default (or does not go), make it the safe one."""
        target, at = self._target, self._target.occasion(None)
        if not rung.is_lasting and self.safe is not None and await target.accepted(target.profiles.clear(rung, at)):
            return True
        return await target.accepted(target.profiles.limit(rung, self._safe_value(), None, at))

    def _safe_value(self) -> float:
        return self.safe.current_a if self.safe else self._target.safe_a()

    async def _write(self, rungs: Sequence[Rung], current_a: float, until: datetime, before: Held | None) -> float:
        """Where no default is taken nothing flows yet, and the transaction gets its limit."""
        target, at = self._target, self._target.occasion(None)
        self.held = None
        places = [rung for rung in rungs if rung.purpose == "TxDefaultProfile" and self._taken]
        if before is not None:  # it may hide what is written elsewhere: it is overwritten where it stands
            places = [before.rung, *(rung for rung in places if rung != before.rung)]
        for rung in places:
            end = end_of(rung, current_a, until, at.now, at.safe_a)
            if await target.accepted(target.profiles.limit(rung, current_a, end, at)):
                self.held = written(target, rung, current_a, end, before)
                return current_a
        if self._taken:
            log.info("%s: takes no limit of %.1f A before a transaction", target.device, current_a)
        self._taken = self._taken and current_a == 0
        if current_a != 0 and self.safe is None:
            raise CommandRefused(target.device, "limit before charging", "no TxDefaultProfile is accepted")
        return self.safe.current_a if self.safe else current_a
