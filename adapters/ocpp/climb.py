"""The ladder and where a limiter stands on it: refused, unanswered, without effect or not honoured leads on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from adapters.ocpp.rungs import LAST_RESORTS, Rung

MOST_UNHONOURED = 7
"""After so many profiles that were accepted and not honoured, the charger is stopped."""
REFUSED_REST_S = 60.0
"""A charger that refused every way is asked for all of them no sooner again, s of home time."""


class Climb:
    """One connector's way up the ladder."""

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self.rungs = list(rungs)
        self.rung = self.rungs[0]
        """The way in use."""
        self.took = False
        """Whether the charger accepted that way before."""
        self.takes_none = False
        """Whether it is contained because it refused every way, not because it obeyed none."""
        self.spared = False
        """Whether it is contained before every way was tried, as a fuse was in danger."""
        self._unhonoured: list[Rung] = []
        self._idle: list[Rung] = []
        """Accepted in this session, without effect; the last one named twice: no other has any."""
        self._silent = 0
        """Requests in a row that were not answered."""
        self._refused_at = -math.inf
        """When every way was refused (monotonic home s)."""

    @property
    def is_contained(self) -> bool:
        """Whether no profile helped, and the charger may charge freely or not at all."""
        return self.rung in LAST_RESORTS

    @property
    def units(self) -> list[str]:
        """The units of the ladder, in the order of trying."""
        return list(dict.fromkeys([rung.unit for rung in self.rungs]))

    def begin(self, rungs: Sequence[Rung], known: Rung | None, took: bool) -> bool:
        """Another ladder, `known` first; whether the way in use is another now. A new connection is no new car."""
        self.rungs = list(rungs)
        if self.is_contained:
            return False
        self._unhonoured.clear()
        if known == self.rung and self.took:
            return False
        self.go_to(known or self.rungs[0], took=took)
        return True

    def new_session(self) -> None:
        """What had no effect may have one now."""
        self._idle.clear()

    def new_car(self) -> None:
        """Every way is worth a try again."""
        self._unhonoured.clear()
        self.takes_none = self.spared = False
        self.go_to(self.rungs[0], took=False)

    def go_on(self) -> None:
        """The danger is over: the first way that was not tried yet, in the order of trying; else it stays contained."""
        self.spared = False
        self._unhonoured = [rung for rung in self._unhonoured if rung not in LAST_RESORTS]
        left = [rung for rung in self._in_turn(self.rungs[0]) if rung not in self._unhonoured]
        if left and len(self._unhonoured) < MOST_UNHONOURED:
            self.go_to(left[0], took=False)

    def go_to(self, rung: Rung, *, took: bool) -> None:
        """Use this way from now on."""
        self.rung, self.took, self._silent, self._refused_at = rung, took, 0, -math.inf

    # ---- one attempt

    def to_try(self, wish_a: float, in_session: bool, now: float) -> list[Rung]:
        """The rung in use, then the others; a rung that is known to work and refuses 0 A is not asked elsewhere."""
        passed = (self.rung, *self._unhonoured, *self._idle)
        spared = (self.took and wish_a == 0) or now - self._refused_at < REFUSED_REST_S
        others = [] if spared else [rung for rung in self.rungs if rung not in passed]
        # Accepted without effect is better than refused.
        rungs = dict.fromkeys([self.rung, *others, *self._idle[:1]])
        return [rung for rung in rungs if in_session or not rung.is_transactional]

    def accepted(self, rung: Rung) -> bool:
        """The charger said yes; whether the way is another than before, or the first."""
        another = rung != self.rung or not self.took
        self.go_to(rung, took=True)
        if rung in self._idle:
            self._idle.append(rung)
        return another

    def unanswered(self, rung: Rung) -> None:
        """Some chargers do not answer a kind of profile at all: the next attempt begins with the next rung."""
        self._silent += 1
        if rung in self.rungs and (not self.took or self._silent > 1):
            self.rung = self.rungs[(self.rungs.index(rung) + 1) % len(self.rungs)]

    def all_refused(self, now: float) -> None:
        """No way is left that the charger accepts; the first is asked for again at each wish, all after a rest."""
        rested = now - self._refused_at >= REFUSED_REST_S
        before = self._refused_at
        self.go_to(self.rungs[0], took=False)
        self._refused_at = now if rested else before

    # ---- accepted, but

    def is_idle(self) -> bool:
        """Whether the way in use is known to have no effect, like all others."""
        return self._idle[-1:] == [self.rung]

    def without_effect(self, *, only_lower: bool = False) -> None:
        """A raise showed none: another way, once each; when none has any, it is the car that takes no more."""
        self._idle.append(self.rung)
        passed = (*self._idle, *self._unhonoured)
        others = [*self._at_the_bottom(), *([] if only_lower else self._after(self._idle[0]))]
        left = [rung for rung in others if rung not in passed]
        if left:
            self.go_to(left[0], took=False)
        else:
            self.go_to(self._idle[0], took=True)
            self._idle.append(self.rung)

    def _at_the_bottom(self) -> list[Rung]:
        """The same way at stack level 0, unless that level was tried: some accept the others and follow it alone."""
        if any(rung.stack == 0 for rung in self._idle):
            return []
        return [rung for rung in (replace(self.rung, stack=0),) if rung in self.rungs]

    def not_honoured(self, used: Rung, resorts: Sequence[Rung], *, at_once: bool = False) -> Rung | None:
        """The next way after this one: the other unit, its like, other stacks, stopping; None: the last.

        `at_once`: a fuse is in danger, so that no other profile is tried before it is stopped.
        """
        refused = self._refused_at > -math.inf
        self.takes_none = self.takes_none or refused
        self._unhonoured.append(used)
        left = list(resorts)
        if used not in LAST_RESORTS and len(self._unhonoured) < MOST_UNHONOURED and not refused:
            first = next((rung for rung in self._unhonoured if rung not in LAST_RESORTS), used)
            self.spared = at_once
            left = [*([] if at_once else self._in_turn(first)), *resorts]
        following = next((rung for rung in left if rung not in self._unhonoured), None)
        if following is not None:
            self.go_to(following, took=False)
        return following

    def _in_turn(self, first: Rung) -> list[Rung]:
        """The first way, the same in the other unit (some accept both and follow one), then its like and the rest."""
        others = [replace(first, unit=unit) for unit in self.units if unit != first.unit]
        twins = [rung for rung in others if rung in self.rungs]
        return [first, *twins, *self._after(first), *self.rungs]

    def _after(self, used: Rung) -> list[Rung]:
        """The ways like this one in unit and stack, then a transaction profile of each other."""
        alike = [rung for rung in self.rungs if (rung.unit, rung.stack) == (used.unit, used.stack)]
        return [*alike, *[rung for rung in self.rungs if rung.is_transactional and rung.kind == "Absolute"]]
