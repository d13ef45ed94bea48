"""The events known of one VTN: modification numbers, cancellation named or implied, ends spread at random.

number   known 2, stated 3: replaced    stated 2: as before    stated 1: refused (rules 56 to 58)
missing  in a distribution of all events: cancelled (rule 61)
startafter of an event that runs:  cancelled |<- drawn in 0..startafter ->| ends (rule 65)
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from adapters.http.manners import shown
from adapters.openadr2b.events import CANCELLED, COMPLETED, TARGET_MISMATCH, Distribution, Stated
from gateway.model.dr import DrEvent

log = logging.getLogger(__name__)

OUT_OF_SEQUENCE = "450"
KEPT_NUMBERS = 2000


@dataclass(slots=True)
class EventBook:
    """What the VTN last said of each event, and what holds of it."""

    server: str
    seed: str
    """What tells this home from others, so that ends drawn at random differ."""
    known: dict[str, Stated] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    """Each event of the last distribution that was refused, with the reason, in words."""
    _fading: dict[str, tuple[DrEvent, datetime]] = field(default_factory=dict)
    """Cancelled events that still run, and until when."""
    _numbers: dict[str, int] = field(default_factory=dict)
    _noted: set[tuple[str, int]] = field(default_factory=set)

    def take(self, distribution: Distribution, now: datetime) -> list[Stated]:
        """Follow a distribution of all events; returns them as they count for us, each refusal with its code."""
        taken = [self._judged(stated) for stated in distribution.events]
        listed = {stated.id for stated in taken if not _is_gone(stated)}
        missing = [name for name in self.known if name not in listed]
        for name in [] if distribution.nameless else missing:  # one that lost its id may be any of them
            self._cancel(self.known.pop(name), now)
        for stated in taken:
            self._numbers[stated.id] = max(stated.number, self._numbers.get(stated.id, 0))
            self._follow(stated)
        refused = [f"event {shown(stated.id)!r}: {stated.why}" for stated in taken if stated.code]
        self.unreadable = (*refused, *("an event without an id" for _ in range(distribution.nameless)))
        self._forget_numbers()
        return taken

    def listed(self, now: datetime) -> list[DrEvent]:
        """The events in force or to come; completed ones too, which end by themselves (rule 66)."""
        self._fading = {name: (event, until) for name, (event, until) in self._fading.items() if now < until}
        fading = [event for name, (event, _) in self._fading.items() if name not in self.known]
        stated = [s for s in self.known.values() if not (s.status == COMPLETED and s.ends is None)]
        return [s.event for s in stated if s.event is not None] + fading

    def forget(self, now: datetime) -> None:
        """The registration is over: nothing is asked of us any more, and numbers may start again."""
        for stated in self.known.values():
            self._cancel(stated, now)
        self.known.clear()
        self._numbers.clear()

    def forget_numbers(self) -> None:
        """A VTN that lost its memory may count modifications from the start again."""
        self._numbers.clear()

    def _judged(self, stated: Stated) -> Stated:
        if stated.number < self._numbers.get(stated.id, 0):
            why = f"modification {stated.number} is older than the one known"
            return replace(stated, event=None, code=OUT_OF_SEQUENCE, why=why)
        return stated

    def _follow(self, stated: Stated) -> None:
        if stated.code:
            self._note(stated)
        elif stated.event is not None:
            self.known[stated.id] = stated
            self._fading.pop(stated.id, None)

    def _cancel(self, stated: Stated, now: datetime) -> None:
        """One that runs with a spread start ends at random too, so that not all homes return at once."""
        running = stated.starts is not None and stated.starts <= now and (stated.ends is None or now < stated.ends)
        if stated.event is not None and running and stated.spread_s:
            digest = hashlib.sha256(f"{self.seed}\x1f{stated.id}\x1f{stated.event.fingerprint}".encode()).digest()
            share = int.from_bytes(digest[:7], "big") / 2**56
            self._fading[stated.id] = (stated.event, now + timedelta(seconds=share * stated.spread_s))

    def _note(self, stated: Stated) -> None:
        if (stated.id, stated.number) not in self._noted:
            log.warning("%s: event %r is left out: %s", self.server, stated.id, stated.why)
            self._noted.add((stated.id, stated.number))

    def _forget_numbers(self) -> None:
        if len(self._numbers) > KEPT_NUMBERS:
            self._numbers = {name: number for name, number in self._numbers.items() if name in self.known}
            self._noted.clear()


def _is_gone(stated: Stated) -> bool:
    """Cancelled, or meant for somebody else now; an older modification says nothing."""
    return (stated.status == CANCELLED and not stated.code) or stated.code == TARGET_MISMATCH
