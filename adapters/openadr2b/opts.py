"""What the home answers to events: one oadrCreatedEvent for all of a distribution, oadrCreateOpt where none is wanted.

Each distribution is answered for each of its events that wants an answer, new or known, changed or cancelled (rules 12
and 62); the same modification gets the same answer. Interpretation: while the owner has not decided, nothing is said,
as a no cannot be taken back everywhere; at the event's start an undecided one is answered with optOut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.openadr2b.events import CANCELLED, COMPLETED, Stated
from adapters.openadr2b.messages import OK, EventAnswer

OPT_IN, OPT_OUT = "optIn", "optOut"
GRACE = timedelta(seconds=60)
"""How long an event that starts at once waits for the home to decide."""


@dataclass(slots=True)
class Opts:
    """What was decided of each event, and what the VTN was told."""

    wanted: dict[str, str] = field(default_factory=dict)
    request: str = ""
    """requestID of the last distribution, which answers repeat."""
    schedules: dict[str, str] = field(default_factory=dict)
    """Event -> optID of an opt-out told by oadrCreateOpt."""
    _told: dict[str, tuple[int, str]] = field(default_factory=dict)
    _refusals: list[EventAnswer] = field(default_factory=list)
    _seen: dict[str, datetime] = field(default_factory=dict)

    def received(self, request: str, events: Iterable[Stated], now: datetime) -> None:
        """A distribution came: its events wait for their answers again."""
        self.request = request
        self._refusals = []
        listed = list(events)
        for stated in listed:
            if not stated.code:
                self._told.pop(stated.id, None)
            self._seen.setdefault(stated.id, now)
            if stated.answer_wanted and (stated.code or stated.status == CANCELLED):
                self._refusals.append(_at_once(stated, self.wanted.get(stated.id, OPT_IN)))
        names = {stated.id for stated in listed}
        self.wanted = {name: opt for name, opt in self.wanted.items() if name in names}
        self._seen = {name: at for name, at in self._seen.items() if name in names}

    def due(self, known: Mapping[str, Stated], now: datetime) -> list[EventAnswer]:
        """The answers of oadrCreatedEvent not yet given."""
        answers = list(self._refusals)
        for stated in known.values():
            opt = self.wanted.get(stated.id) or self._by_default(stated, now)
            said = self._told.get(stated.id)
            if stated.answer_wanted and opt and stated.status != COMPLETED and said != (stated.number, opt):
                answers.append(EventAnswer(stated.id, stated.number, opt))
        return answers

    def said(self, answers: Iterable[EventAnswer]) -> None:
        """These were delivered."""
        self._refusals = []
        for answer in answers:
            if answer.code == OK:
                self._told[answer.event] = (answer.number, answer.opt)

    def opt_outs(self, known: Mapping[str, Stated]) -> tuple[list[Stated], list[str]]:
        """Events without an answer whose opt-out is to be told, and those whose opt-out is to be taken back."""
        silent = {name: stated for name, stated in known.items() if not stated.answer_wanted}
        out = [s for name, s in silent.items() if self.wanted.get(name) == OPT_OUT and name not in self.schedules]
        back = [name for name in self.schedules if self.wanted.get(name) == OPT_IN]
        return [stated for stated in out if stated.status != COMPLETED], back

    def _by_default(self, stated: Stated, now: datetime) -> str:
        waited = now - self._seen.get(stated.id, now)
        started = stated.starts is not None and stated.starts <= now
        return OPT_OUT if started and waited > GRACE else ""


def _at_once(stated: Stated, standing: str) -> EventAnswer:
    """A refusal, or the receipt of a cancellation, which is no error even of an unknown event (rule 60)."""
    if stated.code:
        return EventAnswer(stated.id, stated.number, OPT_OUT, stated.code, stated.why[:200])
    return EventAnswer(stated.id, stated.number, standing)
