"""What-if questions of a running home: one at a time, in a thread of its own, with its progress and an end at any time."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from gateway.core.metering.attribution import series
from gateway.model.errors import HearthError, WishRefused
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.reading import INTERVAL_S
from gateway.model.series import Series
from gateway.model.site import Site
from gateway.model.tariff import Tariff
from gateway.model.whatif import Answer, Question
from gateway.ports import Clock, IntervalStore, ReadingStore, SessionStore

if TYPE_CHECKING:
    from gateway.core.planning.whatif_record import History

log = logging.getLogger(__name__)

PART = timedelta(days=31)
"""So much history is read at a time: a year of rows at once would not fit beside the rest."""
MOST_DAYS = 400


class WhatIfStore(IntervalStore, ReadingStore, SessionStore, Protocol):
    """What a home has stored of itself."""


class Tariffs(Protocol):
    """The tariffs that may be asked for; gateway/tariff_folder.py is it."""

    def names(self) -> Sequence[str]:
        """Their ids, sorted."""
        ...

    def load(self, name: str) -> Tariff:
        """One of them; raises HearthError."""
        ...


class AskPhase(StrEnum):
    """Where a question stands."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Asked:
    """The last question and how far it has come; `share` 0-1, `words` why it was refused."""

    number: int
    question: Question
    days: int
    phase: AskPhase
    share: float = 0.0
    answer: Answer | None = None
    words: str = ""


Spot = Callable[[datetime, datetime], Awaitable[Series | None]]


@dataclass(slots=True)
class WhatIf:
    """Answers one question after another; the last answer stays until the next is asked."""

    site: Site
    clock: Clock
    store: WhatIfStore
    tariff: Tariff
    preferences: Callable[[], Preferences]
    spot: Spot
    last: Asked | None = None
    _task: asyncio.Task[None] | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="what-if"))

    def ask(self, question: Question, days: int) -> Asked:
        """Begin to answer; raises WishRefused while another question is being answered."""
        if self.last is not None and self.last.phase is AskPhase.RUNNING:
            raise WishRefused("Another question is being answered. Wait for it, or cancel it.")
        if not 1 <= days <= MOST_DAYS:
            raise WishRefused(f"{days} days cannot be replayed: ask for 28 to {MOST_DAYS}.")
        number = 1 if self.last is None else self.last.number + 1
        self._stop = threading.Event()
        self.last = Asked(number, question, days, AskPhase.RUNNING)
        self._task = asyncio.create_task(self._answer(self.last, self._stop), name=f"what-if {number}")
        return self.last

    def cancel(self) -> Asked:
        """End the question that is being answered; raises WishRefused when there is none."""
        if self.last is None or self.last.phase is not AskPhase.RUNNING:
            raise WishRefused("No question is being answered.")
        self._stop.set()
        self.last = replace(self.last, phase=AskPhase.CANCELLED, words="Cancelled.")
        return self.last

    async def close(self) -> None:
        """End what runs, and wait for it."""
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _answer(self, asked: Asked, stop: threading.Event) -> None:
        try:
            end = datetime.fromtimestamp(self.clock.now().timestamp() // INTERVAL_S * INTERVAL_S, UTC)
            past = await read_history(self.site, self.store, end - timedelta(days=asked.days), end)
            spot = await self.spot(past.start, end)
            run = asyncio.get_running_loop().run_in_executor
            answer = await run(self._thread, self._replay, asked, past, spot, stop)
        except HearthError as error:
            self._end(asked, phase=AskPhase.REFUSED, words=str(error))
            return
        if answer is not None:
            self._end(asked, phase=AskPhase.DONE, share=1.0, answer=answer)
            log.info("what-if %d answered over %.0f days", asked.number, answer.days)

    def _replay(self, asked: Asked, past: History, spot: Series | None, stop: threading.Event) -> Answer | None:
        from gateway.core.planning.replay import Stopped
        from gateway.core.planning.twin import Setup
        from gateway.core.planning.whatif import ask

        def told(share: float) -> bool:
            self._end(asked, share=share)
            return not stop.is_set()

        today = self.clock.now().astimezone(self.tariff.timezone).date()
        # Two ways are compared by one tariff each: the one of today for all the days.
        setup = Setup(self.site, self.tariff.on(today), self.preferences())
        try:
            return ask(setup, past, asked.question, spot, told)
        except Stopped:
            return None

    def _end(
        self, asked: Asked, *, share: float | None = None, phase: AskPhase = AskPhase.RUNNING,
        answer: Answer | None = None, words: str = "",
    ) -> None:  # fmt: skip
        """Note how far a question has come, unless it was cancelled or another one was asked since."""
        last = self.last
        if last is None or last.number != asked.number or last.phase is not AskPhase.RUNNING:
            return
        self.last = replace(last, phase=phase, share=last.share if share is None else share, answer=answer, words=words)


async def read_history(site: Site, store: WhatIfStore, start: datetime, end: datetime) -> History:
    """What is stored of [start, end), a month at a time; it begins where there is something."""
    from gateway.core.planning.whatif_record import History

    start = await _first(site, store, start, end)
    past = History(start, end, await store.sessions(start, end), await _outdoor(site, store, start, end))
    for name in series(site):
        at = start
        while at < end:
            rows = await store.intervals(name, at, min(end, at + PART))
            await asyncio.to_thread(past.take, name, rows)
            at += PART
    return past


async def _first(site: Site, store: WhatIfStore, start: datetime, end: datetime) -> datetime:
    """The first day, in UTC, of which the house is known at all."""
    at = start
    while at < end:
        rows = await store.intervals("house", at, min(end, at + PART))
        if rows:
            return max(start, rows[0].start.replace(minute=0))
        at += PART
    return start


async def _outdoor(site: Site, store: WhatIfStore, start: datetime, end: datetime) -> dict[int, float]:
    """Measured air outside, degC, by hours since 1970."""
    sums: dict[int, tuple[float, int]] = {}
    for device in site.devices:
        at = start
        while at < end:
            name = Quantity.OUTDOOR_TEMPERATURE.value
            for row in await store.rollups(device.id, name, at, min(end, at + PART)):
                hour = int(row.start.timestamp() // 3600)
                total, count = sums.get(hour, (0.0, 0))
                sums[hour] = total + row.mean, count + 1
            at += PART
    return {hour: total / count for hour, (total, count) in sums.items()}
