"""What holds on a charger without us and before a transaction: TxDefaultProfiles, kept in its flash memory."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.ocpp.dispatch import NoAnswer
from adapters.ocpp.pace import DEFAULT_PACE, Held, InForce, end_of, lasts, paced, written
from adapters.ocpp.rungs import SAFE_DEFAULT, Rung
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

    def forget(self) -> None:
        """Nothing is known of what the charger holds."""
        self.safe = self.held = None
        self._taken = True

    async def set_safe(self, units: Sequence[str]) -> None:
        """The dead-man value: without end, at stack 0; raises CommandRefused, CallFailed.

        Written again only after a reboot, to spare the charger's memory.
        """
        target, safe_a, silent = self._target, self._target.safe_a(), 0
        if self.safe is not None and self.safe.current_a == safe_a:
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
        raise CommandRefused(target.device, "safe default", "no TxDefaultProfile is accepted")

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
        if step_a is None and (held is None or holds_a == safe_a or lasts(held, until, now, safe_a)):
            return holds_a
        return await self._write(rungs, holds_a if step_a is None else step_a, until, held)

    def in_force(self) -> Held | None:
        """The lower default while it has not ended."""
        held = self.held
        return held if held is not None and (held.until is None or self._target.clock.now() < held.until) else None

    async def _write(self, rungs: Sequence[Rung], current_a: float, until: datetime, before: Held | None) -> float:
        """Where no default is taken nothing flows yet, and the transaction gets its limit."""
        target, at = self._target, self._target.occasion(None)
        self.held = None
        for rung in [rung for rung in rungs if rung.purpose == "TxDefaultProfile" and self._taken]:
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
