"""Stops that were given to a session by guess, until the session's own stop is here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from adapters.ocpp.transactions import APART, ORPHAN, Fit, Transactions
from gateway.model.session import EvSession


@dataclass(frozen=True, slots=True)
class Guess:
    """A stop that was given to a session by guess; `before` is the session without it."""

    before: EvSession
    time: datetime | None
    register_wh: float | None
    reason: str


class Guesses:
    """The guesses of one charger, in memory."""

    def __init__(self, known: Transactions) -> None:
        self._known = known
        self._held: dict[int, Guess] = {}

    def note(self, session: EvSession, time: datetime | None, register_wh: float | None, reason: str) -> None:
        """The stop which comes next is the session's by guess only."""
        if session.end is None:
            self._held[session.transaction] = Guess(session, time, register_wh, reason)

    def mended(self, session: EvSession) -> Guess | None:
        """Open a session again that was ended by guess, as its own stop is here; returns the stop it was given."""
        guess = self._held.pop(session.transaction, None)
        if guess is not None:
            self._known.put(replace(guess.before, seen=self._known.newest(session).seen))
        return guess

    def may_end(self, session: EvSession, time: datetime | None, register_wh: float | None) -> bool:
        """Whether a stop that names this session can be its own: of its time, and of its register in Wh."""
        if session.transaction in self._held:
            session = self._held[session.transaction].before
        at, ended = self._known.told(time), session.end is not None and not session.stop_reason.startswith(ORPHAN)
        if ended and session.end is not None and at is not None:
            return at <= session.end + APART
        return ended or self._known.fit(session, time, register_wh) is Fit.FOLLOWS

    def ended_by(self, time: datetime | None, register_wh: float | None) -> EvSession | None:
        """The session that this very stop has ended already."""
        for transaction, guess in self._held.items():
            if time is not None and (guess.time, guess.register_wh) == (time, register_wh):
                return self._known.get(transaction)
        at = self._known.told(time) or time
        return None if at is None or register_wh is None else self._known.ended_with(at, register_wh)
