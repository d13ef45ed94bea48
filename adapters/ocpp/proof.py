"""Whether the way of limiting in use works: accepted is not applied."""

from __future__ import annotations

import asyncio
import logging
import math

from adapters.ocpp.dispatch import CallFailed, LinkLost
from adapters.ocpp.evidence import BELOW_A, DROP_A, TOLERANCE_A, combines, seen_working, stands_at, tells_apart
from adapters.ocpp.pace import Held, InForce
from adapters.ocpp.rungs import REMOTE_STOP, TELL_LESS, Rung, to_rung
from adapters.ocpp.target import Target
from gateway.model.session import EvSession

log = logging.getLogger(__name__)

MOST_OVER_A = 3.0
"""More than this above its limit is no inaccuracy, A."""
EFFECT_S = 20.0
"""A raised limit that has no effect after so long calls for another way of limiting, s of home time."""

ANSWER_S = 5.0
"""Real s: a combined schedule that takes longer is none."""
MOST_QUESTIONS = 3
"""So often a session and way it is asked for, when commands come between."""


class Proof:
    """What was seen of one way of limiting; the winning one is kept for the make only once seen working."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._asked = 0
        self.seen = False
        self._stood_a: float | None = None
        """A limit at which the car was seen standing."""
        self._doubted = False
        """Whether its own samples told of obedience that others disproved: they prove nothing any more."""
        self.overruled = False
        """Whether the charger says itself that it allows more than our limit."""

    def begin_anew(self) -> None:
        """Another way, or the charger started anew: it must prove itself."""
        self.seen, self._asked, self._stood_a = False, 0, None

    def lies(self, held: Held | None) -> bool:
        """The limit is not honoured, another witness says: does its own word say that it is? Then it proves nothing more."""
        drawn_a = self._target.drawn_a()
        if held is None or drawn_a is None:
            return self._doubted
        # A limit told again, unchanged, is no new one to wait for.
        changed_at = max(held.raised_at, held.lowered_at)
        if self._target.sampled_since(changed_at if math.isfinite(changed_at) else held.at):
            self._doubted = self._doubted or drawn_a <= held.current_a + TOLERANCE_A
        return self._doubted

    def ask_again(self) -> None:
        """A new session: the combined schedule may be asked for once more."""
        self._asked = 0

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
        if self.seen or self._doubted or held is None or not self._target.sampled_since(held.at):
            return
        limit_a, drawn_a = held.current_a, self._target.drawn_a()
        shown = seen_working(limit_a, self._target.offered_a(), drawn_a, held.drawn_a, self._stood_a)
        if self._stood_a is None and stands_at(limit_a, drawn_a):
            self._stood_a = drawn_a
        if shown and self._is_telling(held, default):
            await self.keep(held.rung)

    def stands_at_default(self, held: Held | None, default: InForce | None) -> bool:
        """Whether a higher limit was accepted, but the car still gets no more than the safe default."""
        if held is None or default is None or held.current_a < default.current_a + DROP_A or not self._is_due(held):
            return False
        drawn_a, offered_a = self._target.drawn_a(), self._target.offered_a()
        given_a = offered_a if offered_a is not None else drawn_a
        return bool(drawn_a) and given_a is not None and 0 < given_a <= default.current_a + TOLERANCE_A / 2

    def offers_less(self, held: Held | None) -> bool:
        """Whether the charger offers less than the limit it accepted, and the car would take more than it gets."""
        drawn_a, offered_a = self._target.drawn_a(), self._target.offered_a()
        if held is None or drawn_a is None or offered_a is None or not self._is_due(held):
            return False
        return 0 < offered_a < held.current_a - TOLERANCE_A and drawn_a >= offered_a - BELOW_A

    def _is_due(self, held: Held) -> bool:
        """Whether a limit that was never seen working had its time to show an effect."""
        effect_s = self._target.patience_s(EFFECT_S, 3.0)
        late = self._target.clock.monotonic() - held.at >= effect_s
        return not self.seen and late and self._target.sampled_since(held.at)

    def over_a(self, held: Held | None) -> float | None:
        """By how much the car draws steadily more than it is told, A; None when it is not a little."""
        drawn_a = self._target.drawn_a()
        if held is None or held.current_a == 0 or drawn_a is None or not self._target.sampled_since(held.at):
            return None
        more_a = math.ceil((drawn_a - held.current_a) * 10 - 1e-6) / 10
        return more_a if TOLERANCE_A < more_a <= MOST_OVER_A else None

    async def mend(self, held: Held | None) -> Rung | None:
        """A way that works, but not at 0 A, or gives a little more than it is told: what to do; None: neither."""
        facts, drawn_a = self._target.facts, self._target.drawn_a()
        near_least = drawn_a is not None and TOLERANCE_A < drawn_a <= self._target.spec.min_current_a + TOLERANCE_A
        if held is not None and held.current_a == 0 and self.seen and near_least:
            await facts.learn("never_zero", True)
            return REMOTE_STOP
        over_a = self.over_a(held)
        if over_a and facts.get("over_a") is None:
            await facts.learn("over_a", over_a)
            return TELL_LESS
        return None

    def wants_combined(self) -> bool:
        """Whether the charger's combined schedule may still tell something: asked until answered, a few times."""
        asked = self.seen or self._asked >= MOST_QUESTIONS or self._target.question is not None
        return not asked and self._target.facts.get("composite") is not False

    def ask_combined(self, held: Held, session: EvSession, default: InForce | None) -> None:
        """Ask in passing whether the combined schedule keeps to the limit: no command waits for the answer.

        One that says nothing, nothing sane, or nothing in time is not asked again.
        """
        self._asked += 1
        asking = asyncio.create_task(
            self._ask(held, session, default), name=f"combined limits of {self._target.device}"
        )
        self._target.question = asking
        asking.add_done_callback(self._asked_for)

    def _asked_for(self, asking: asyncio.Task[None]) -> None:
        if self._target.question is asking:
            self._target.question = None

    async def _ask(self, held: Held, session: EvSession, default: InForce | None) -> None:
        target, at = self._target, self._target.occasion(session)
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await target.call(*target.profiles.composite(held.rung.unit, at))
        except LinkLost:
            return
        except (CallFailed, TimeoutError):
            answer = {}
        self._asked = MOST_QUESTIONS
        composite = target.profiles.read_composite(answer)
        if composite is None:
            await target.facts.learn("composite", False)
            return
        keeps = combines(composite, held.current_a, at.phases, at.voltage_v)
        self.overruled = keeps is False
        if keeps and self._is_telling(held, default) and not self.seen:
            # Its word alone is no sight: some say so and give what they like.
            log.info("%s: limits are accepted as %s, its combined schedule agrees", target.device, held.rung.words)

    def _is_telling(self, held: Held, default: InForce | None) -> bool:
        return tells_apart(held.current_a, self._target.spec.max_current_a, default.current_a if default else None)
