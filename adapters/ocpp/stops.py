"""Which session a StopTransaction of OCPP 1.6 ends: it names an id, which may be wrong, and no connector.

id is known, register can be of its session  -> that session; a guess that ended it before is taken back
else                                         -> the open session whose register it follows most closely
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.ocpp.sessions import SessionBook
from adapters.ocpp.transactions import Fit
from gateway.model.session import EvSession


@dataclass(frozen=True, slots=True)
class Choice:
    """The session that a stop ends, in the book at this place; `named`: by its own id, not by guess."""

    place: int
    session: EvSession
    named: bool


def choose(
    books: Sequence[SessionBook], transaction: float | None, time: datetime | None, register_wh: float | None
) -> Choice | None:
    """The session that a stop with this id, time and register in Wh ends; None where it can be of none."""
    named = [
        Choice(place, session, True)
        for place, book in enumerate(books)
        if (session := book.named(transaction, time)) is not None
    ]
    spoken = [
        Choice(place, session, False)
        for place, book in enumerate(books)
        if (session := book.spoken_of(transaction)) is not None
    ]
    if named and books[named[0].place].may_end(named[0].session, time, register_wh):
        return _nearest(books, [*named, *spoken], time, register_wh) or named[0]
    for place, book in enumerate(books):
        if not named and (session := book.ended_by(time, register_wh)) is not None:
            return Choice(place, session, False)
    guessed = [
        Choice(place, session, False)
        for place, book in enumerate(books)
        if (session := book.meant(None, None, time, register_wh)) is not None
    ]
    found = _nearest(books, spoken, time, register_wh) or _nearest(books, guessed, time, register_wh)
    if found is not None or named:
        return found or named[0]
    return _fallen(books, guessed, time, register_wh)


def keeper(books: Sequence[SessionBook], register_wh: float | None) -> int:
    """The place of the book that keeps a stop whose start is yet to come: whose register was last just below it."""
    below = [(left, -place) for place, book in enumerate(books) if (left := book.left_wh()) <= (register_wh or 0.0)]
    return -max(below)[1] if below else 0


def _nearest(
    books: Sequence[SessionBook], choices: Sequence[Choice], time: datetime | None, register_wh: float | None
) -> Choice | None:
    """Of those whose register can have come to where it is now the one that rose least."""
    fitting = [each for each in choices if books[each.place].fit(each.session, time, register_wh) is Fit.FOLLOWS]
    return min(fitting, key=lambda each: (register_wh or 0.0) - each.session.meter_last_wh, default=None)


def _fallen(
    books: Sequence[SessionBook], choices: Sequence[Choice], time: datetime | None, register_wh: float | None
) -> Choice | None:
    """The latest whose register may have been reset; with one outlet only, even one that rose beyond reason."""
    fallen = [each for each in choices if books[each.place].fit(each.session, time, register_wh) is Fit.FELL]
    left = fallen or (choices if len(books) == 1 else [])
    return max(left, key=lambda each: each.session.start, default=None)
