"""Which session a message means: by id, by the charger's own id, by connector, time and register."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum

from adapters.ocpp import rise
from adapters.ocpp.drawn import Draws
from adapters.ocpp.stamps import Stamps
from gateway.model.session import EvSession
from gateway.ports import Clock

REMEMBERED = timedelta(days=35)
"""How long a repeated StartTransaction is recognised, and how old a charger's timestamp may be."""
AHEAD = timedelta(minutes=10)
APART = timedelta(minutes=1)
"""Stamps of one charger may disagree by so much."""
RETRY = timedelta(minutes=5)
"""So soon a start without an answer is said again, perhaps with another stamp."""
TURN = timedelta(seconds=30)
"""A message is on its way for so long at most, when it comes at once."""
SPOKEN = 100
"""Wrong ids of samples that are remembered."""
RANGES = 200
"""Of sequence numbers kept; a charger that numbers at random leaves a gap with each."""
ORPHAN = "orphan: "
"""Start of the stop reason of a session that we closed; the charger's own word may still replace it."""
HEARD = 0
"""Among the numbers of a 1.6 session, whose messages have none: the charger is known to have our answer to its start."""
NO_IDS = ("", "-1", "0", "null", "none")


class Fit(Enum):
    """How a register stands to a session's last one."""

    FOLLOWS = "it rose, as power does"
    FELL = "it is lower: reset, or another's"
    BEYOND = "it rose more than any car can draw"


class Transactions:
    """The open and the recent sessions of one charger, in memory."""

    def __init__(
        self, clock: Clock, most_w: float = rise.MOST_W, stamps: Stamps | None = None, rated_w: float = rise.MOST_W
    ) -> None:
        self._clock = clock
        self._stamps = stamps or Stamps(clock)
        self._most_w = most_w
        self.draws = Draws(rated_w)
        """What its sessions can have drawn."""
        self._sessions: dict[int, EvSession] = {}
        self._came: dict[int, datetime] = {}
        """When the first word of a session came, by our clock."""
        self._late: dict[int, tuple[timedelta, timedelta]] = {}
        """How late a session's start came by its stamp, and how much of that is corrected."""
        self._spoken: dict[float, int] = {}
        """Ids that samples of this connector gave its session, though they are not its own."""
        self._past: set[int] = set()
        """Sessions that ended before the car left: a start that looks like theirs is another one."""

    def put(self, session: EvSession) -> None:
        """Hold the newest state of a session."""
        self._sessions[session.transaction] = session

    def came(self, session: EvSession, time: datetime | None) -> None:
        """The first word of a session is here, stamped `time`."""
        self._came[session.transaction] = self._clock.now()
        if time is not None and self.told(time) is not None:
            self._late[session.transaction] = self._clock.now() - time, session.start - time

    def correction(self, session: EvSession) -> timedelta:
        """By how much an open session is to be moved, by what is known now of its charger's clock; mostly 0."""
        late = self._late.get(session.transaction)
        return timedelta(0) if late is None else self._stamps.correction(*late)

    def corrected(self, session: EvSession, by: timedelta) -> None:
        """The session was moved by so much."""
        late, done = self._late[session.transaction]
        self._late[session.transaction] = late, done + by

    def get(self, transaction: int) -> EvSession | None:
        """The session of one id."""
        return self._sessions.get(transaction)

    def newest(self, session: EvSession) -> EvSession:
        """What is held now of a session somebody knew before."""
        return self._sessions.get(session.transaction, session)

    def of(self, connector: int | None) -> list[EvSession]:
        """Those of one connector, or all."""
        return [s for s in self._sessions.values() if connector is None or s.connector == connector]

    def open(self, connector: int | None) -> EvSession | None:
        """The latest open one."""
        return _last(s for s in self.of(connector) if s.end is None)

    def by_key(self, key: str) -> EvSession | None:
        """The latest that repeats itself by `key`."""
        return _last(s for s in self._sessions.values() if s.transaction_key == key)

    def ended_with(self, end: datetime, stop_wh: float) -> EvSession | None:
        """The session whose stop was told with this time and register: the same stop again."""
        return _last(s for s in self._sessions.values() if s.end == end and s.meter_stop_wh == stop_wh)

    def by_their_id(self, their_id: str, connector: int | None, time: datetime | None = None) -> EvSession | None:
        """By the charger's own id, of several that had it the one that held `time`; without an id the open session."""
        if their_id.strip().lower() in NO_IDS:
            return self.open(connector)
        own = [s for s in self._sessions.values() if s.their_id == their_id]
        at = self.told(time)
        holding = [s for s in own if at is not None and s.start - APART <= at and (s.end is None or at <= s.end)]
        return max(holding or own, key=lambda s: (s.end is None, *_place(s)), default=None)

    def meant(
        self, transaction: float | None, connector: int | None, time: datetime | None, register_wh: float | None
    ) -> EvSession | None:
        """The session a 1.6 message means."""
        known = self._sessions.get(int(transaction)) if transaction is not None else None
        if known is not None and (connector is None or known.connector == connector):
            return self._instead(known, time) or known
        fitting = self._fitting(connector, self.told(time), register_wh)
        if connector is not None and fitting is not None and transaction is not None and transaction > 0:
            self._spoken[transaction] = fitting.transaction
            for oldest in list(self._spoken)[:-SPOKEN]:
                del self._spoken[oldest]
        return fitting

    def spoken_of(self, transaction: float | None) -> EvSession | None:
        """The open session whose samples came with this id, which is not its own."""
        session = self._sessions.get(self._spoken.get(transaction or 0.0, 0))
        return session if session is not None and session.end is None else None

    def fit(self, session: EvSession, time: datetime | None, register_wh: float | None) -> Fit:
        """How a register, Wh, stands to the last one of a session."""
        if register_wh is None:
            return Fit.FOLLOWS
        at, held_at = self.plausible(time), session.meter_at or session.start
        if register_wh < session.meter_last_wh - rise.JITTER_WH:
            return Fit.FELL
        slack_wh = rise.SLACK_WH if self.told(time) is not None else rise.CAR_WH
        followed = rise.follows(
            session.meter_last_wh, held_at, register_wh, at, slack_wh, most_w=self._most_w
        ) or rise.caught_up(session.meter_last_wh, register_wh, self.draws.most_since_still(session, at))
        return Fit.FOLLOWS if followed else Fit.BEYOND

    def freed(self) -> None:
        """The car left: what has ended is past."""
        self._past.update(s.transaction for s in self._sessions.values() if s.end is not None)

    def neighbour(self, session: EvSession, *, after: bool) -> EvSession | None:
        """The session of the same connector right before or after this one."""
        others = [s for s in self.of(session.connector) if s.transaction != session.transaction]
        if after:
            return min((s for s in others if _place(s) > _place(session)), key=_place, default=None)
        return _last(s for s in others if _place(s) < _place(session))

    def left_at(self, session: EvSession) -> float | None:
        """Where the session before left the register, Wh."""
        before = self.neighbour(session, after=False)
        return None if before is None or before.end is None else before.meter_stop_wh

    def is_begun_anew(
        self, session: EvSession, time: datetime | None, register_wh: float | None, *, is_old_number: bool
    ) -> bool:
        """Whether an event (2.x) with the id of a session that ended is of another one, whose start was lost.

        It is of a later time, and tells another register, or its numbers begin anew: a late word of the old one, as
        that the car left, tells neither.
        """
        at = self.told(time)
        if session.end is None or at is None or at < session.end + AHEAD:
            return False
        left_wh = session.meter_last_wh if session.meter_stop_wh is None else session.meter_stop_wh
        moved = register_wh is not None and abs(register_wh - left_wh) > rise.JITTER_WH
        counts = bool(session.seen) and session.seen[-1][1] > session.seen[0][0]
        return moved or (is_old_number and counts)

    def restamped(
        self, connector: int, tag: str, at: datetime, meter_wh: float | None, their_id: str
    ) -> EvSession | None:
        """The session whose start is said again with another stamp: it held that time, and began at that register."""
        held = [s for s in self.of(connector) if s.start_told and s.their_id == their_id and s.start <= at + APART]
        if not their_id:
            told_wh = rise.NO_METER_WH if meter_wh is None else meter_wh
            held = [s for s in held if s.tag == tag and abs(_first_wh(s) - told_wh) <= rise.JITTER_WH]
        return _last(
            s for s in held if not self._is_over(s, meter_wh) and at <= (s.end or self._said_until(s, at, meter_wh))
        )

    def repeated(self, key: str, their_id: str, time: datetime | None) -> EvSession | None:
        """The session this start opened before; ids and stamps that chargers use again are not believed for ever."""
        same = [s for s in self._sessions.values() if s.transaction_key == key]
        own = [s for s in self._sessions.values() if their_id and s.their_id == their_id and not s.start_told]
        known = max(same or [s for s in own if not self._is_later(s, time)], key=_place, default=None)
        if known is None or known.end is None:
            return known
        if self.told(time) is not None:
            # Two starts in one second at one register: the first drew nothing, so nothing can be counted twice.
            return None if self.is_stopped(known) and known.energy_wh <= rise.JITTER_WH else known
        # A charger without a clock stamps every start alike: the register and the time tell no repeats apart.
        is_past = known.transaction in self._past or self._clock.now() - known.start > AHEAD
        is_orphan = known.stop_reason.startswith(ORPHAN)
        return None if _is_answered(known) or (is_past and not is_orphan) else known

    def is_stopped(self, session: EvSession) -> bool:
        """Whether a session (1.6) ended by its own stop, and its charger has our answer to its start."""
        ended = session.end is not None and not session.stop_reason.startswith(ORPHAN)
        return ended and _is_answered(session)

    def of_early_stop(self, connector: int, at: datetime, meter_wh: float | None, their_id: str) -> EvSession | None:
        """The stop that was told before this start (1.6), if it is of the same time and no other session is between."""
        if their_id or meter_wh is None:
            return None
        for stop in sorted((s for s in self._sessions.values() if not s.start_told and not s.their_id), key=_place):
            between = any(at < s.start < stop.start for s in self.of(connector) if s is not stop and s.start_told)
            if at <= stop.start and meter_wh <= (stop.meter_stop_wh or 0.0) and not between:
                return stop
        return None

    def told(self, time: datetime | None) -> datetime | None:
        """The charger's time by our clock where it can be believed; now for one yet to come, by a clock that is fast."""
        now, time = self._clock.now(), None if time is None else self._stamps.ours(time)
        if time is None or not now - REMEMBERED < time < now + AHEAD:
            return None
        return time if time <= now + APART else now

    def plausible(self, time: datetime | None) -> datetime:
        """The charger's time where it can be believed, else now."""
        return self.told(time) or self._clock.now()

    def forget_old(self) -> None:
        """Let go of what nobody will speak of again."""
        horizon = self._clock.now() - REMEMBERED
        self._sessions = {
            key: session for key, session in self._sessions.items() if session.end is None or session.end > horizon
        }
        self._came = {key: time for key, time in self._came.items() if key in self._sessions}
        self._late = {key: late for key, late in self._late.items() if key in self._sessions}
        self.draws.keep(self._sessions)

    def _is_later(self, session: EvSession, time: datetime | None) -> bool:
        """Whether this time is well after the session's end."""
        at = self.told(time)
        return session.end is not None and at is not None and at > session.end + AHEAD

    def _is_over(self, session: EvSession, meter_wh: float | None) -> bool:
        """Whether the start of a session is said no more, though its stamp lies inside of it.

        A 1.6 charger that has our answer says it no more; while the session is open, a register that begins at 0 again
        tells that. Of 2.x, where an id may be used again by a clock that was set back, only a register that cannot have
        begun there twice tells a start said again after its own end.
        """
        is_orphan = session.stop_reason.startswith(ORPHAN)
        if session.end is None:
            return _is_answered(session) and not meter_wh and session.energy_wh > rise.JITTER_WH
        if not session.their_id:
            return _is_answered(session) or (session.transaction in self._past and not is_orphan)
        is_same = bool(meter_wh) and abs(_first_wh(session) - (meter_wh or 0.0)) <= rise.JITTER_WH
        return not is_orphan and not (is_same and session.energy_wh > rise.JITTER_WH)

    def _said_until(self, session: EvSession, at: datetime, meter_wh: float | None) -> datetime:
        """Until when a start stamped `at` is this open session's again.

        A start without an answer is said again soon after, with the stamp of that time: one of now, or by a clock that
        is wrong as much later as it comes. A register that begins at 0 each time tells no repeats apart.
        """
        held_at = session.meter_at or session.start
        if session.their_id:
            return max(held_at, session.start + RETRY)
        anew = not meter_wh and session.energy_wh > rise.JITTER_WH
        answered = _is_answered(session)
        now, came = self._clock.now(), self._came.get(session.transaction)
        is_later = came is not None and abs((at - session.start) - (now - came)) <= TURN
        is_of_now = is_later or abs(now - at) <= APART
        return held_at if anew or answered or not is_of_now else max(held_at, session.start + RETRY)

    def _instead(self, known: EvSession, time: datetime | None) -> EvSession | None:
        """A message with the id of a session that had ended before it means the one that is open."""
        at, current = self.told(time), self.open(known.connector)
        if known.end is None or at is None or current is None or known.stop_reason.startswith(ORPHAN):
            return None
        return current if at > known.end + APART and current.start <= at + APART else None

    def _fitting(self, connector: int | None, time: datetime | None, register_wh: float | None) -> EvSession | None:
        """The open session that the time and the register fit best; else a forgotten one that held that time."""
        open_ones = [s for s in self.of(connector) if s.end is None]
        if time is not None:
            forgotten = [s for s in self.of(connector) if s.stop_reason.startswith(ORPHAN)]
            open_ones = [s for s in open_ones if s.start <= time + APART] or [
                s for s in forgotten if s.start <= time + APART and (s.end is None or time <= s.end + AHEAD)
            ]
        if register_wh is not None and len(open_ones) > 1:
            fitting = [s for s in open_ones if s.meter_last_wh <= register_wh + rise.JITTER_WH]
            nearest = sorted(fitting, key=lambda s: register_wh - s.meter_last_wh)
            return nearest[0] if nearest else max(open_ones, key=_place)
        return max(open_ones, key=_place, default=None)


def with_number(ranges: tuple[tuple[int, int], ...], number: int) -> tuple[tuple[int, int], ...]:
    """Closed ranges with one more number; ranges that touch become one."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted((*ranges, (number, number))):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    if len(merged) > RANGES:  # numbers at random: the oldest gap is given up
        merged[:2] = [(merged[0][0], merged[1][1])]
    return tuple(merged)


def _is_answered(session: EvSession) -> bool:
    """Whether a charger (1.6) is known to have our answer to the session's start."""
    return not session.their_id and bool(session.seen)


def _place(session: EvSession) -> tuple[datetime, int]:
    return session.start, session.transaction


def _first_wh(session: EvSession) -> float:
    return session.earlier[0].first_wh if session.earlier else session.meter_start_wh


def _last(sessions: Iterable[EvSession]) -> EvSession | None:
    return max(sessions, key=_place, default=None)
