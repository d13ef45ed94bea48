"""A season of charging: a charger with a register of its own, and outages of charger, network and gateway.

The charger is written from the messages' side: it knows its register, its queue and its transactions, and nothing of
the book. Minutes are its steps; the true energy is what its register rose while a transaction ran.

The tolerance is made of what the charger never sent, and of nothing else. `Run.told_wh` is what its messages tell, in
the order it spoke: the rises between them; the rise to the next start, where a transaction was forgotten and the
register just went on; and after a fall to 0 the new value itself. From true to told it lacks, once for each reboot in
mid-session that resets the register, what it counted from its last message to the reset, and for "flash" also what it
counted from the saved value (which nobody is told) to its next message. That is kWh in a season because reboots come
ten times a month and samples every five minutes. Each session is held to its own `told_wh` within `RESOLUTION_WH`, so
that what one lacks cannot hide what another has too much. Two things are
allowed beside that, `Run.forgiven_wh`: a gateway killed between the first value after a fall and the next one forgets
its doubt, which lives in memory only; and a fall that is passed by the next message while the car stopped drawing looks
like one odd value, of which the smaller energy is booked.

One thing no gateway can know: in a quiet season (each fifth) a 1.6 charger tells no status after its start was answered
and is sent no limit. If it is rebooted before it said anything else, forgets, and starts anew within five minutes at the
same register, its frames are those of a charger whose answer was lost and that says the one start again with the stamp
of that time. Of such a pair (`Run.twin`) the sum is held to what both told, and it is counted by itself (`merged`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from adapters.ocpp import stops
from adapters.ocpp.sessions import ORPHAN, SessionBook
from gateway.model.session import EvSession
from gateway.ports import Store
from tests.adapters.season_parts import KilledStore, Manners, Message, Run, SeasonClock

SAMPLE_MIN = 5
RESOLUTION_WH = 1.0
"""Registers are told in whole Wh."""
PER_MINUTE = 12
"""Queued messages a charger sends in a minute after an outage."""


@dataclass
class Season:
    """Ninety days of one charger; `run` plays them, then `true` and the store can be compared."""

    store: Store
    seed: int
    days: int = 90
    true: list[Run] = field(default_factory=list)
    repeats: int = 0
    kills: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.manners = Manners.drawn(self.chance)
        self.clock = SeasonClock()
        self.register = float(self.chance.randrange(0, 5_000_000))
        self.flash = self.register
        self.queue: list[Message] = []
        self.run_now: Run | None = None
        self.network_down = self.gateway_down = self.charger_down = self.plugged_until = self.full_at = 0
        self.watts = 0.0
        self.forgotten: Run | None = None
        self.doubted: Message | None = None
        self.killed_in_doubt = False
        self.odd_left, self.odd_wh, self.odd_at = 0, 0, -60
        self.odds = 0
        self.quiet = self.seed % 5 == 0
        self.disk = KilledStore(self.store)
        self.book: SessionBook | None = None

    @property
    def tolerance_wh(self) -> float:
        """Of the sum of all sessions, Wh: what the charger never sent."""
        return sum(abs(run.true_wh - run.told_wh) + run.forgiven_wh + RESOLUTION_WH for run in self.true)

    def beyond(self, booked: Sequence[EvSession]) -> list[tuple[Run, float]]:
        """The transactions whose booked energy is not what they told, and by how many Wh."""
        by_start = {session.start: session.energy_wh for session in booked}
        off: dict[int, list[float]] = {}
        for run in self.true:
            meant = run.twin if run.twin is not None and run.start not in by_start else run
            sums = off.setdefault(meant.number, [by_start.get(meant.start, 0.0), 0.0])
            sums[0] -= run.told_wh
            sums[1] += run.forgiven_wh
        return [
            (self.true[number - 1], wh)
            for number, (wh, forgiven_wh) in off.items()
            if not -forgiven_wh - RESOLUTION_WH <= wh <= RESOLUTION_WH
        ]

    async def run(self) -> None:
        last = self.days * 1440
        for minute in range(last + 1440):
            self.clock.minute = minute
            if minute < last:
                await self._trouble(minute)
            await self._gateway(minute)
            await self._car(minute, last)
            await self._send(minute)
            if self.book is not None:
                await self.disk.minute()
        assert not self.queue, "the charger has told everything"
        if self.run_now is None and self.book is not None:
            await self._available()

    # ---- outages

    async def _trouble(self, minute: int) -> None:
        dice = self.chance.random()
        charging = self.run_now is not None
        rate = 8.0 if charging else 1.0
        if dice < rate * 1 / 4000:
            self.network_down = minute + self.chance.choice((1, 3, 20, 240))
            self._line_ends()
        elif dice < rate * 2 / 4000:
            self.gateway_down = minute + self.chance.choice((1, 2, 30))
            self.book, self.disk.waiting = None, {}
            self.killed_in_doubt = self.doubted is not None
            if self.run_now is not None and minute - self.odd_at <= 3 * SAMPLE_MIN:
                self.run_now.forgiven_wh += self.watts / 60 * 4 * SAMPLE_MIN  # it lies about the odd values
            self.kills += 1
        elif dice < rate * 2.6 / 4000 and minute >= self.charger_down:
            self._charger_fails(minute)

    def _charger_fails(self, minute: int) -> None:
        self.charger_down = minute + self.chance.choice((1, 2, 15))
        self._line_ends()
        manners, run = self.manners, self.run_now
        if manners.register == "zero":
            self.register = 0.0
        elif manners.register == "flash":
            self.register = self.flash
        if run is not None and (manners.forgets or (manners.register != "keeps" and self._is_offline(minute))):
            self.run_now, self.forgotten = None, run

    async def _gateway(self, minute: int) -> None:
        if self.book is None and minute >= self.gateway_down:
            self.book = SessionBook("car", self.disk, self.clock)
            await self.book.resume()

    def _is_offline(self, minute: int) -> bool:
        return self.book is None or minute < self.network_down or minute < self.gateway_down

    # ---- the car and the charger's own work

    async def _car(self, minute: int, last: int) -> None:
        if minute < self.charger_down:
            return
        if minute >= self.plugged_until:
            if self.run_now is not None:
                self._say("stop")
                self.run_now = None
            elif self.plugged_until and self.manners.tells_available and not self._is_offline(minute):
                await self._available()
            self.plugged_until = 0
            if minute < last and self.chance.random() < 1 / 900:
                stays = self.chance.randrange(20, 900)
                self.plugged_until, self.full_at = minute + stays, minute + self.chance.randrange(10, stays + 1)
                self.watts = self.chance.choice((1_400.0, 3_680.0, 7_360.0, 11_040.0))
            return
        if self.run_now is None:
            self._start()
        run = self.run_now
        assert run is not None
        if minute < self.full_at:
            self.register += self.watts / 60
            run.true_wh += self.watts / 60
        if minute % 10 == 0:
            self.flash = self.register
        if minute % SAMPLE_MIN == 0:
            self._say("sample")

    def _start(self) -> None:
        if self.manners.per_session:
            self.register = 0.0
        before, self.forgotten = self.forgotten, None
        if before is not None and before.last_wh is not None:  # nobody drew since: the register only went on
            before.told_wh += max(0, int(self.register) - before.last_wh)
        self.run_now = Run(len(self.true) + 1, self.clock.now(), self.register)
        self.run_now.twin = self._twin(self.run_now, before)
        self.true.append(self.run_now)
        self._say("start")

    def _twin(self, run: Run, before: Run | None) -> Run | None:
        if before is None or before.seq > 1 or not (self.quiet and self.manners.version == 16):
            return None
        first = before.twin or before
        same = int(first.first_wh) == int(run.first_wh) and run.start - first.start <= timedelta(minutes=5)
        return first if same else None

    def _say(self, kind: str) -> None:
        run, offline = self.run_now, self._is_offline(self.clock.minute)
        assert run is not None
        if kind == "sample" and offline and not self.manners.queues_samples:
            run.seq += 1
            return
        wh = int(self.register)
        rise = wh - run.last_wh if run.last_wh is not None else 0
        run.told_wh += rise if rise >= 0 else wh if self.manners.register == "zero" else 0
        if 0 < run.fell_wh <= rise and (kind == "stop" or self.clock.minute >= self.full_at):
            run.forgiven_wh += run.fell_wh
        run.last_wh, run.fell_wh = wh, max(0, -rise)
        told_wh = self._odd(wh) if kind == "sample" and self.manners.odd_samples else wh
        self.queue.append(Message(kind, run, self.clock.now(), told_wh, run.seq, run.fell_wh))
        run.seq += 1

    def _odd(self, wh: int) -> int:
        if not self.odd_left and not self.queue and self.chance.random() < 0.02:
            self.odd_left, self.odd_wh = self.chance.choice((1, 2)), self.chance.choice((0, wh + 150_000))
            self.odds += 1
        if not self.odd_left:
            return wh
        self.odd_left, self.odd_at = self.odd_left - 1, self.clock.minute
        return self.odd_wh

    # ---- the wire

    def _line_ends(self) -> None:
        """The next message comes on another connection."""
        if self.book is not None:
            self.book.new_line()

    async def _send(self, minute: int) -> None:
        if self._is_offline(minute) or minute < self.charger_down:
            return
        for _ in range(PER_MINUTE):
            if not self.queue:
                return
            message = self.queue[self._next()]
            heard = await self._deliver(message)
            self._doubt(message)
            if self.chance.random() < 0.01:  # the answer is lost, and with it the connection: it will say it again
                self.network_down = minute + self.chance.choice((1, 2, 5))
                self._line_ends()
                self.repeats += 1
                message.said_before = True
                return
            if message.kind == "start":
                message.run.id = heard
                if len(self.queue) == 1:  # else it makes its next call first
                    self._limited()
            self.queue.remove(message)

    def _limited(self) -> None:
        """After our answer to its start a charger tells that it charges, and answers the limit of its new session."""
        if self.book is not None and not self.quiet:
            self.book.heard()

    def _doubt(self, message: Message) -> None:
        """Note a fall that the book cannot know for one before it hears more."""
        doubted, run = self.doubted, message.run
        if self.killed_in_doubt and doubted is not None and doubted.run is run:
            run.forgiven_wh += min(doubted.fell_wh, max(0, message.wh - doubted.wh))
        self.doubted, self.killed_in_doubt = message if message.fell_wh else None, False

    def _next(self) -> int:
        if self.manners.version == 2 and self.manners.any_order:
            return self.chance.randrange(len(self.queue))
        return 0

    async def _deliver(self, message: Message) -> int | None:
        assert self.book is not None
        late = self.clock.now() - message.at
        if self.manners.restamps and message.said_before and message.kind == "start" and late <= timedelta(minutes=5):
            message = replace(message, at=self.clock.now())
        return await (self._deliver_16(message) if self.manners.version == 16 else self._deliver_2(message))

    async def _deliver_16(self, message: Message) -> int | None:
        book, run, at, wh = self.book, message.run, message.at, float(message.wh)
        assert book is not None
        if message.kind == "start":
            session = await book.start(1, "TAG", at.isoformat(), at, wh)
            book.answered(session)
            return session.transaction
        book.heard()
        number = -1 if self.manners.garbage_ids or run.id is None else run.id
        if message.kind == "sample":
            meant = book.meant(number, 1, at)
            if meant is not None:
                await book.take_register(meant.transaction, wh, live=self._is_now(at), time=at)
                await book.settle()
            return None
        choice = stops.choose([book], number, at, wh)
        if choice is None:
            await book.stop_before_start(at, wh, "Local")
        else:
            await book.stop(choice.session, at, wh, "Local")
        return None

    async def _deliver_2(self, message: Message) -> int | None:
        book, at, wh, their_id = self.book, message.at, float(message.wh), f"tx-{message.run.number}"
        assert book is not None
        session = book.meant_by(their_id, 1)
        if message.kind == "start":
            session = await book.start(1, "TAG", at.isoformat(), at, wh, their_id=their_id)
        elif session is None:
            session = await book.start(1, "", at.isoformat(), at, None, their_id=their_id, told=False)
        book.seen(session, message.seq)
        if message.kind == "sample":
            await book.take_register(session.transaction, wh, live=self._is_now(at), time=at)
            await book.settle()
        elif message.kind == "stop":
            await book.stop(session, at, wh, "EVDeparted")
        return session.transaction

    def _is_now(self, at: datetime) -> bool:
        return self.clock.now() - at <= timedelta(minutes=1)

    async def _available(self) -> None:
        assert self.book is not None
        session = self.book.open_session(1)
        if session is not None and not self.queue:
            await self.book.stop(session, self.clock.now(), None, ORPHAN + "the connector became available")


def merged(season: Season, booked: Sequence[EvSession]) -> int:
    """How many true transactions are booked with the one before, because no message tells them apart."""
    starts = {session.start for session in booked}
    return sum(run.twin is not None and run.twin.start in starts and run.start not in starts for run in season.true)


def lost_and_doubled(season: Season, booked: Sequence[EvSession]) -> tuple[int, int]:
    """How many true transactions have no row, and how many rows have no transaction of their own."""
    starts, together = {session.start for session in booked}, merged(season, booked)
    lost = sum(run.start not in starts for run in season.true) - together
    return lost, len(booked) - len(season.true) + lost + together
