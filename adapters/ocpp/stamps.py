"""A charger's stamps by our clock, as far as its live samples tell how wrong its own is; sessions booked before they did.

Start 11:30 | 11:35 | 11:40 | 11:45 ...  as stamped       a skew of 5 h is learnt from the third sample in time:
      16:30 | 16:35 | 16:40 | 16:45 ...  as it came       the open session is moved once, what follows is told by it
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.ocpp.its_clock import ANOTHER_S, words
from adapters.ocpp.live import REAL_FLOOR_S
from gateway.model.session import EvSession
from gateway.ports import Clock

log = logging.getLogger(__name__)

TURN_S = 30.0
"""A message is on its way for so long at most, when it comes at once, s of home time."""
LEARNT_FROM = 3
"""So many samples in time tell a skew: a message that comes late tells none."""
AS_LATE = 2
"""So many words in a row, as late as the samples, tell that a clock that was right is not any more."""


class Stamps:
    """The stamps of one charger; `behind_s` is how far its clock is behind ours, negative: ahead, 0: right or not known.

    A clock that is slow stamps nothing with the time of now: one such stamp tells that it is right, or was set. It may
    be set back on the same line: two words (status, start) in a row that are as late as the samples tell it. One may
    be told late by itself, and samples that were of now may be stamped with the begin of their interval since.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.behind_s = 0.0
        self._is_right = False
        """Whether a stamp of now was heard since the charger came or started, and no two late words since."""
        self._words_late_s: tuple[float, ...] = ()
        """How late the last words came by their stamp, s, two at most, where no stamp of now was heard since."""

    def new_line(self) -> None:
        """The charger came or started anew: its clock may be another than before."""
        self._is_right, self._words_late_s = False, ()

    def hear(self, time: datetime | None, *, is_word: bool = False) -> None:
        """A message stamped `time` is here; `is_word`: a status or a start, which nobody stamps with an interval's begin."""
        if time is None:
            return
        if self._is_of_now(time):
            self._words_late_s = ()
            if self.behind_s >= 0:
                self.behind_s, self._is_right = 0.0, True
        elif is_word:
            late_s = (self._clock.now() - time).total_seconds()
            self._words_late_s = (*self._words_late_s, late_s)[-AS_LATE:]

    def disproves(self, skew_s: float) -> bool:
        """Whether the clock is known to be right, though samples are stamped so much before they come: late ones."""
        return self._is_right and skew_s >= 2 * self._turn_s() and not self._are_words_as_late(skew_s)

    def learn(self, charger: str, skew_s: float, samples: int) -> None:
        """So many samples in a row, each in time, were stamped `skew_s` before they came."""
        if samples < LEARNT_FROM:
            return
        if self._is_right and skew_s >= 2 * self._turn_s() and self._are_words_as_late(skew_s):
            self._is_right = False  # it was set back: no later word but one of now makes it right again
        if abs(skew_s - self.behind_s) < ANOTHER_S or self.disproves(skew_s):
            return
        before_s = self.behind_s
        self.behind_s = skew_s if abs(skew_s) >= 2 * self._turn_s() else 0.0
        if before_s != self.behind_s:
            log.info("%s: its sessions are booked by a clock that is %s", charger, words(self.behind_s))

    def ours(self, time: datetime) -> datetime:
        """A stamp by our clock; as it is where it is of now, or would be yet to come: then the clock was set since."""
        moved = time + timedelta(seconds=self.behind_s)
        latest = self._clock.now() + timedelta(seconds=self._turn_s())
        return time if not self.behind_s or self._is_of_now(time) or moved > latest else moved

    def correction(self, late: timedelta, done: timedelta) -> timedelta:
        """By how much to move a session whose start came `late` by its stamp, of which `done` is corrected; mostly 0.

        Only a start that came as late as the skew says was told as it happened: one told afterwards stays.
        """
        behind = timedelta(seconds=self.behind_s)
        is_live = abs(late - behind) <= timedelta(seconds=self._turn_s())
        return behind - done if is_live and abs(behind - done) >= timedelta(seconds=ANOTHER_S) else timedelta(0)

    def _are_words_as_late(self, skew_s: float) -> bool:
        late = self._words_late_s
        return len(late) == AS_LATE and all(abs(late_s - skew_s) <= self._turn_s() for late_s in late)

    def _is_of_now(self, time: datetime) -> bool:
        return abs((self._clock.now() - time).total_seconds()) <= self._turn_s()

    def _turn_s(self) -> float:
        return max(TURN_S, REAL_FLOOR_S * self._clock.speed)


def moved(session: EvSession, by: timedelta) -> EvSession:
    """The session as it was, earlier or later; an open one."""
    seconds = round(by.total_seconds())
    return replace(
        session,
        start=session.start + by,
        meter_at=None if session.meter_at is None else session.meter_at + by,
        earlier=tuple(replace(run, since=run.since + by, until=run.until + by) for run in session.earlier),
        curve=tuple((at + seconds, energy_wh) for at, energy_wh in session.curve),
    )
