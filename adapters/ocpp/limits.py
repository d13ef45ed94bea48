"""Limits on a charger of any OCPP version: a ladder of ways, climbed until one is accepted, and seen to be honoured.

In a transaction the wish is a profile that ends; below it lies the safe TxDefaultProfile, so that a dead gateway
leaves a safe charger. Before a transaction nothing flows: the safe default is enough unless the wish is lower still.
"""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from datetime import datetime

from adapters.ocpp import limit_words
from adapters.ocpp.above import Above
from adapters.ocpp.climb import Climb
from adapters.ocpp.containment import Containment
from adapters.ocpp.defaults import Defaults
from adapters.ocpp.dispatch import NoAnswer
from adapters.ocpp.evidence import keeps_to
from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.live import LiveState
from adapters.ocpp.pace import Held, InForce, end_of, is_stamped_wrong, lasts, pace_of, paced, written
from adapters.ocpp.pausing import START_AFTER_S, Pauser
from adapters.ocpp.phase_change import PhaseChange
from adapters.ocpp.proof import Proof
from adapters.ocpp.rungs import (
    CHANGE_AVAILABILITY,
    CLEAR_OTHERS,
    LAST_RESORTS,
    TAG_LENGTH,
    Profiles,
    Rung,
    allowed_current,
    ladder,
)
from adapters.ocpp.sessions import SessionBook
from adapters.ocpp.target import Call, Target
from gateway.model.errors import CommandRefused
from gateway.model.session import EvSession
from gateway.model.site import ChargerSpec
from gateway.model.snapshot import ChargePhase
from gateway.ports import Clock

log = logging.getLogger(__name__)

ANONYMOUS_TAG = "hearth"
NO_DEFAULT = "It takes no safe current to fall back on: without the gateway it may charge at its own limit."
NO_MORE = "It accepts higher limits, and offers the car no more than its safe current of {:g} A."
MENU = "Is smart charging enabled in its own menu?"


class Limiter:
    """Limits one connector; `call` asks its charger and raises CallFailed, `profiles` is what its version says."""

    def __init__(
        self,
        device: str,
        spec: ChargerSpec,
        live: LiveState,
        book: SessionBook,
        facts: ChargerFacts,
        clock: Clock,
        call: Call,
        profiles: Profiles,
        connector: int = 1,
    ) -> None:
        self._target = Target(device, spec, live, book, facts, clock, call, profiles, connector)
        self._defaults = Defaults(self._target)
        self._proof = Proof(self._target)
        self._phases = PhaseChange(self._target)
        self._pauser = Pauser(device, facts, self._target.accepted, self._target.patience_s(START_AFTER_S, 4.0))
        self._climb = Climb(ladder(0, ("A", "W"), profiles.purposes, connector))
        self._above = Above(self._target)
        self._held: Held | None = None
        """What the charger holds for this transaction; None while that is not known."""
        self._limit: InForce | None = None
        self._wish_a: float | None = None
        self._cage = Containment(self._target, self._pauser)
        self._raise_waits = False
        self._refuses_zero = False
        """Whether it refused 0 A since it connected."""
        self._outlook_waits = False

    # ---- what is in force

    @property
    def rung(self) -> Rung:
        """The way of limiting in use."""
        return self._climb.rung

    @property
    def seen_working(self) -> bool:
        """Whether that way was seen working since the charger's last start, not just accepted; a stop never is."""
        return self._proof.seen and not self._climb.is_contained

    @property
    def works_now(self) -> bool:
        """Whether a limit of that way is in force now, and what was measured since it last changed keeps to it."""
        held, target = self._held, self._target
        if held is None or held.rung != self.rung or not self.seen_working or self._pauser.paused_by is not None:
            return False
        if held.until is not None and target.clock.now() >= held.until:
            return False
        changed_at = max(held.raised_at, held.lowered_at)
        shown = target.sampled_since(changed_at if math.isfinite(changed_at) else held.at)
        return shown and keeps_to(held.current_a, target.offered_a(), target.drawn_a())

    @property
    def now_words(self) -> str:
        """What limits the charger now, for a person."""
        limit = self.in_force() or self._defaults.safe
        is_free = self._climb.is_contained and limit is not None and limit.current_a > 0
        stopped_by = None if is_free else self._pauser.paused_by
        return limit_words.words(limit, self._defaults.safe, stopped_by, is_free=is_free)

    @property
    def paused_by_availability(self) -> bool:
        """Whether the charger is out of service because we asked it to pause."""
        return self._pauser.paused_by == CHANGE_AVAILABILITY

    def in_force(self) -> InForce | None:
        """The last accepted limit; the safe default once it has ended; None when nothing was accepted."""
        limit = self._limit
        if limit is None or limit.until is None or self._target.clock.now() < limit.until:
            return limit
        return self._defaults.safe

    def lacks(self) -> str:
        """What cannot be guaranteed of its limits, with the remedy, for a person; empty when nothing."""
        safe, offered_a = self._defaults.safe, self._target.offered_a()
        if self._defaults.is_refused:
            # A way that lasts has the safe value behind its end; that no way is taken at all is told by the refusal.
            ends = self._climb.took and not (self._climb.rung.is_lasting or self._climb.is_contained)
            return f"{NO_DEFAULT} {MENU}" if ends else ""
        if safe is None or offered_a is None or not self._climb.is_idle():
            return ""
        if not self._proof.stands_at_default(self._held, safe):
            return ""
        clock = self._target.its_clock.remedy()
        return f"{NO_MORE.format(safe.current_a)} {clock or MENU}"

    def wants_repeat(self) -> bool:
        """Whether the wish must be told anew, though it did not change.

        The car draws on other phases than a limit in W assumed, a raise waited for its time or had no effect, the
        charger has come to rest and may change its phases, its clock is another than thought, or it waits to be started.
        """
        target, held = self._target, self._held
        now, session = target.clock.monotonic(), target.book.open_session()
        self._pauser.look(target.live.phase, session is not None, None, now)
        if self._proof.overruled or self._phases.is_ready() or (session is None and self._pauser.start_is_due(now)):
            return True
        if held is None:
            return False
        if (self._outlook_waits and session is not None) or is_stamped_wrong(target, held):
            return True
        if self._raise_waits and now - held.raised_at >= pace_of(held.rung).raise_s:
            return True
        active = target.live.active_phases()
        return self._has_no_effect() or (held.rung.unit == "W" and active is not None and held.phases != active)

    # ---- occasions to begin anew

    def learn_features(self, max_stack: int | None, units: tuple[str, ...], switches_phases: bool = False) -> None:
        """Order the ladder by what the charger announced; a rung known for its make comes first."""
        purposes, connector = self._target.profiles.purposes, self._target.connector
        rungs = ladder(min(max_stack or 0, 100), units, purposes, connector)
        self._refuses_zero = False
        self._phases.announced = switches_phases and len(self._target.spec.phases) == 3
        known = self._proof.known_rung()
        if self._climb.begin(rungs, known, took=known is not None and bool(self._target.facts.get("rung"))):
            self._proof.begin_anew()

    def reboot(self) -> None:
        """A charger that started anew has lost its transaction profiles, if not more, and must prove itself again."""
        self._limit = self._held = None
        self._above.forget_transaction()
        self._defaults.forget()
        self._proof.begin_anew()
        self._target.phases_told = 0

    def new_session(self) -> None:
        """A new transaction: profiles of the last one are gone, and every way is worth a try again."""
        self._limit = self._held = None
        self._above.new_session()
        self._target.phases_seen, self._target.begun = None, self._target.clock.now()
        self._target.outlook, self._outlook_waits = (), False
        self._climb.new_session()
        self._proof.ask_again()
        contained = self._climb.is_contained
        self._pauser.new_session(contained)
        if contained and self._pauser.restarts:
            # The car is still plugged in: the ladder was climbed with it already.
            self._climb.go_to(CHANGE_AVAILABILITY, took=False)
        elif contained:
            self._cage.exceeds = False
            self._climb.new_car()
            self._proof.begin_anew()

    # ---- the wish

    def show_outlook(self, outlook: tuple[tuple[datetime, float], ...]) -> None:
        """What the plan means to give the car of this session (from when, W; the last is the end): told with the wish."""
        if outlook != self._target.outlook:
            self._target.outlook, self._outlook_waits = outlook, True

    def tell_again(self) -> None:
        """The charger waits for a schedule, even if it says nothing new (2.0.1 K15)."""
        self._outlook_waits = True

    async def set_safe_default(self) -> None:
        """The dead-man value: a TxDefaultProfile without end at stack 0; raises CommandRefused, CallFailed."""
        await self._defaults.set_safe(self._climb.units, self._climb.rungs)

    async def apply(self, current_a: float, until: datetime, phases: int = 0) -> None:
        """At most `current_a` A per phase until `until`, on 1 or 3 `phases` where it can switch (0: as it stands).

        Returns once what the charger holds is at most the wish: a raise may wait for its time, to spare its memory.
        Raises CommandRefused when every way is refused, CallFailed.
        """
        target = self._target
        wish_a = allowed_current(current_a, target.spec.min_current_a, target.spec.max_current_a)
        session, now = target.book.open_session(), target.clock.monotonic()
        await self._proof.look(self._held, self._defaults.safe)
        if self._proof.overruled:
            self._proof.overruled = False
            await self._clear_others()
        if self._has_no_effect():
            self._leave_what_is_idle()
        if wish_a > 0 and self._wish_a == 0 and self._climb.takes_none:
            self._try_anew()
        if wish_a > 0 and self._climb.spared and self._climb.is_contained and self._cage.looks_again(now):
            self._climb.go_on()
            self._proof.begin_anew()
        self._wish_a = wish_a
        may_charge = wish_a > 0 and (not self._climb.is_contained or self._cage.is_free(wish_a))
        self._pauser.look(target.live.phase, session is not None, may_charge, now)
        if may_charge or (wish_a > 0 and self._cage.looks_again(now)):
            await self._pauser.resume(target.profiles, target.occasion(session))
        wish_a = self._phases.bend(wish_a, phases)
        if session is None and target.live.phase is not ChargePhase.CHARGING:
            await self._apply_at_rest(wish_a, until, now)
        elif self._climb.is_contained:
            self._held = None
            self._limit = InForce(await self._cage.stop(self._climb, wish_a, session), target.clock.now(), until)
        else:
            await self._apply_while_charging(wish_a, until, session)

    async def _apply_at_rest(self, wish_a: float, until: datetime, now: float) -> None:
        target, refused = self._target, None
        if self._climb.is_contained:
            self._limit = InForce(
                target.spec.max_current_a if self._cage.is_free(wish_a) else 0.0, target.clock.now(), until
            )
            if wish_a > 0 and not self._cage.is_free(wish_a):
                raise CommandRefused(target.device, "limit", "it obeys no limit, so it does not charge", MENU)
        else:
            try:
                held_a = await self._defaults.hold(self._climb.rungs, wish_a, until)
                self._limit = InForce(held_a, target.clock.now(), until)
            except CommandRefused as error:
                refused = error
        if wish_a > 0 and self._pauser.start_is_due(now):
            await self._start(wish_a, until)
        if refused is not None:
            raise refused

    async def _start(self, wish_a: float, until: datetime) -> None:
        """One that took no default may take a limit inside its start; bare, it would charge as it likes."""
        target, at, rung = self._target, self._target.occasion(None), self._climb.rung
        inside = target.profiles.limit(rung, wish_a, until, at) if rung.is_transactional else None
        tag = target.book.last_tag()[:TAG_LENGTH] or ANONYMOUS_TAG
        bare = self._defaults.safe is not None or wish_a >= target.spec.max_current_a
        await self._pauser.start(target.profiles, tag, inside, at, target.clock.monotonic(), bare=bare)

    async def _apply_while_charging(self, wish_a: float, until: datetime, session: EvSession | None) -> None:
        if wish_a == 0 and (self._target.facts.get("never_zero") is True or self._refuses_zero):
            await self._pause(until, session)
            return
        step_a = self._step(wish_a, until)
        if step_a is None:
            return
        for rung in self._climb.to_try(step_a, session is not None, self._target.clock.monotonic()):
            if await self._try(rung, step_a, until, session):
                self._look_at_combined(session)
                return
        if wish_a == 0:
            # Asked once: whoever refuses 0 A by the way it took for more, or by all, will refuse it again.
            self._refuses_zero = True
            await self._pause(until, session)
            return
        self._climb.all_refused(self._target.clock.monotonic())
        self._proof.begin_anew()
        raise CommandRefused(self._target.device, "limit", "every way of limiting was refused", MENU)

    def _step(self, wish_a: float, until: datetime) -> float | None:
        """What to write now, A; None while what the charger holds is at most the wish and lasts long enough."""
        held, now, mono = self._held, self._target.clock.now(), self._target.clock.monotonic()
        self._raise_waits = False
        if held is None or held.rung != self._climb.rung or held.phases != self._target.form(held.rung):
            return wish_a
        if (held.until is not None and held.until <= now) or is_stamped_wrong(self._target, held):
            return wish_a
        pace, least_a = pace_of(held.rung), self._target.spec.min_current_a
        step_a = paced(wish_a, held.current_a, held.raised_at, held.lowered_at, pace, least_a, mono)
        if step_a is not None:
            return step_a
        self._raise_waits = wish_a > held.current_a
        enough = lasts(held, until, now, self._target.safe_a()) and not self._outlook_waits
        return None if enough else min(wish_a, held.current_a)

    async def _try(self, rung: Rung, wish_a: float, until: datetime, session: EvSession | None) -> bool:
        target, at, before = self._target, self._target.occasion(session), self._held
        # Until it is answered nobody knows which limit holds: the next attempt is not spared.
        self._held = None
        for current_a in target.whole_a(wish_a):
            end = end_of(rung, current_a, until, at.now, at.safe_a)
            try:
                taken = await target.accepted(target.profiles.limit(rung, target.told_a(current_a), end, at))
            except NoAnswer:
                self._climb.unanswered(rung)
                raise
            if taken:
                if current_a != wish_a:
                    await target.facts.learn("whole_amps", True)
                self._held = written(target, rung, current_a, end, before)
                self._outlook_waits = False
                await self._won(self._held)
                return True
        return False

    async def _won(self, held: Held) -> None:
        if held.rung != self._climb.rung:
            self._proof.begin_anew()
        if self._climb.accepted(held.rung):
            log.info("%s: limits are accepted as %s", self._target.device, held.rung.words)
        self._limit = InForce(held.current_a, self._target.clock.now(), held.until)
        await self._above.give_way(held.rung)
        await self._defaults.give_way(held)

    # ---- does it work?

    def _look_at_combined(self, session: EvSession | None) -> None:
        """Another system's profile may stand above ours: the combined schedule tells, beside the commands."""
        held = self._held
        if held is not None and session is not None and self._proof.wants_combined():
            self._proof.ask_combined(held, session, self._defaults.safe)

    async def _clear_others(self) -> bool:
        """Other systems' profiles go, if there are any, and our own default is set again; once a session."""
        cleared = await self._above.clear_others()
        if cleared:
            self._held = None
            self._defaults.forget()
            with suppress(CommandRefused):
                await self.set_safe_default()
        return cleared

    def _has_no_effect(self) -> bool:
        """Whether a limit was accepted and the car still gets its safe default, or less than that; once of each way."""
        proof, held = self._proof, self._held
        return not (self._climb.is_idle() or is_stamped_wrong(self._target, held)) and (
            proof.stands_at_default(held, self._defaults.safe) or proof.offers_less(held)
        )

    def _leave_what_is_idle(self) -> None:
        """The same by the other clock, where the charger's is another than ours; then the next way."""
        idle = self._climb.rung
        if self._target.its_clock.doubt():
            log.info("%s: %s by this clock has no effect, next: by the other", self._target.device, idle.words)
            return
        # An offer between the safe default and the limit may be the charger's own: one other way is tried.
        self._climb.without_effect(only_lower=not self._proof.stands_at_default(self._held, self._defaults.safe))
        self._proof.begin_anew()
        log.info("%s: %s has no effect, next: %s", self._target.device, idle.words, self._climb.rung.words)

    async def next_rung(self, *, at_once: bool = False) -> Rung:
        """Accepted but not honoured: the next way, at last stopping; raises CommandRefused, CallFailed.

        `at_once`: a fuse is above its rating, so that it is stopped now, and other ways wait for calm.
        """
        held, used, target = self._held, self._pauser.paused_by or self._climb.rung, self._target
        # What was not honoured is held for nothing: a fall from here on is not its doing.
        self._held = None
        if self._proof.lies(held):
            # What its own word once proved is disproved with it.
            await target.facts.learn("never_zero", None)
            await target.facts.learn("rung", None)
        elif used not in LAST_RESORTS and not at_once and (milder := await self._proof.mend(held)):
            return milder
        self._proof.seen = False
        await target.facts.learn("over_a", None)
        if used not in LAST_RESORTS and not at_once and await self._clear_others():
            return CLEAR_OTHERS
        self._cage.look()
        following = self._climb.not_honoured(used, self._pauser.resorts(), at_once=at_once)
        if following is None:
            remedy = "Switch it off at its breaker."
            raise CommandRefused(target.device, "limit", "it honours no way of limiting", remedy)
        log.warning("%s: %s is not honoured, next: %s", target.device, used.words, following.words)
        self._proof.begin_anew()
        await target.facts.learn("rung", None)
        return following

    # ---- last resorts

    def _try_anew(self) -> None:
        """It refused every limit and was stopped; its smart charging may have been enabled since."""
        self._climb.new_car()
        self._proof.begin_anew()
        self._defaults.forget()
        self._cage.exceeds = False

    async def _pause(self, until: datetime, session: EvSession | None) -> None:
        takes_others = self._climb.took or self._defaults.safe is not None
        why = "it takes no 0 A" if takes_others else "it takes no limit"
        await self._pauser.pause(self._target.profiles, self._target.occasion(session), why)
        self._held = None
        self._limit = InForce(0.0, self._target.clock.now(), until)
