"""Whether the way of limiting in use works: accepted is not applied."""

from __future__ import annotations

import logging
import math

from adapters.ocpp.dispatch import AnswerWrong, CallRefused, NoAnswer
from adapters.ocpp.evidence import DROP_A, TOLERANCE_A, combines, seen_working, tells_apart
from adapters.ocpp.pace import Held, InForce
from adapters.ocpp.rungs import Rung, to_rung
from adapters.ocpp.target import Target
from gateway.model.session import EvSession

log = logging.getLogger(__name__)

MOST_OVER_A = 3.0
"""More than this above its limit is no inaccuracy, A."""
EFFECT_S = 20.0
"""A raised limit that has no effect after so long calls for another way of limiting, s of home time."""


class Proof:
    """What was seen of one way of limiting; the winning one is kept for the make only once seen working."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._asked = False
        self.seen = False

    def begin_anew(self) -> None:
        """Another way, or the charger started anew: it must prove itself."""
        self.seen = self._asked = False

    def ask_again(self) -> None:
        """A new session: the combined schedule may be asked for once more."""
        self._asked = False

    def known_rung(self) -> Rung | None:
        """The way learned for this make, else the one shipped for it."""
        for name in ("rung", "first_rung"):
            if found := to_rung(self._target.facts.get(name) or {}, self._target.profiles.purposes):
                return found
        return None

    async def keep(self, rung: Rung) -> None:
        """It works: known for the make from now on."""
        log.info("%s: limits are seen working as %s", self._target.device, rung.words)
        self.seen = True
        await self._target.facts.learn("rung", rung.to_document())

    async def look(self, held: Held | None, default: InForce | None) -> None:
        """Keep the way of limiting once the samples since show that it works."""
        if self.seen or held is None or not self._target.sampled_since(held.at):
            return
        shown = seen_working(held.current_a, self._target.offered_a(), self._target.drawn_a(), held.drawn_a)
        if shown and self._is_telling(held, default):
            await self.keep(held.rung)

    def stands_at_default(self, held: Held | None, default: InForce | None) -> bool:
        """Whether a higher limit was accepted, but the car still gets no more than the safe default."""
        if self.seen or held is None or default is None or held.current_a < default.current_a + DROP_A:
            return False
        effect_s = self._target.patience_s(EFFECT_S, 3.0)
        if self._target.clock.monotonic() - held.at < effect_s or not self._target.sampled_since(held.at):
            return False
        drawn_a, offered_a = self._target.drawn_a(), self._target.offered_a()
        given_a = offered_a if offered_a is not None else drawn_a
        return bool(drawn_a) and given_a is not None and 0 < given_a <= default.current_a + TOLERANCE_A / 2

    def over_a(self, held: Held | None) -> float | None:
        """By how much the car draws steadily more than it is told, A; None when it is not a little."""
        drawn_a = self._target.drawn_a()
        if held is None or held.current_a == 0 or drawn_a is None or not self._target.sampled_since(held.at):
            return None
        more_a = math.ceil((drawn_a - held.current_a) * 10 - 1e-6) / 10
        return more_a if TOLERANCE_A < more_a <= MOST_OVER_A else None

    async def combined(self, held: Held, session: EvSession, default: InForce | None) -> bool | None:
        """Whether the charger's combined schedule keeps to the limit; asked once a session and way.

        None where it says nothing, or nothing sane: such a charger is not asked again. Raises LinkLost.
        """
        target = self._target
        if self.seen or self._asked or target.facts.get("composite") is False:
            return None
        self._asked = True
        at = target.occasion(session)
        try:
            answer = await target.call(*target.profiles.composite(held.rung.unit, at))
        except (CallRefused, AnswerWrong, NoAnswer):
            answer = {}
        composite = target.profiles.read_composite(answer)
        if composite is None:
            await target.facts.learn("composite", False)
            return None
        keeps = combines(composite, held.current_a, at.phases, at.voltage_v)
        if keeps and self._is_telling(held, default):
            await self.keep(held.rung)
        return keeps

    def _is_telling(self, held: Held, default: InForce | None) -> bool:
        return tells_apart(held.current_a, self._target.spec.max_current_a, default.current_a if default else None)
