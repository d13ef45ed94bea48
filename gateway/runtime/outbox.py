"""The outbox to a utility's server: kept on disk, oldest first, each once; what is refused for good blocks nothing.

unreachable      kept, tried again with longer and longer pauses, for as long as it takes
refused          tried 5 times at growing distances, then set aside with a word; then once a day for a week
blamed           unreachable for one report only (a server that answers it with 500 for good): as refused

A report is blamed when it failed 5 rounds in a row while the account works and another one then got through. While none
does it is the server that fails, and nothing counts against any report: all are kept and tried, in longer pauses once they
have waited for a day, and the owner is told. Neither a restart nor a moment without the account begins that day anew; an
outage of three hours does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.model.audit import AuditRow
from gateway.model.dr import DrReport
from gateway.model.errors import ServerError, ServerUnreachable
from gateway.ports import Clock, DrServer, Store

log = logging.getLogger(__name__)

TRIES = 5
SOON_S = 60.0
"""Pause after the first refusal; it doubles with each."""
AGAIN = timedelta(days=1)
GIVE_UP = timedelta(days=7)
IDLE_S = 5.0
LONGEST_S = 300.0
STUCK = timedelta(days=1)
STUCK_S = 900.0
"""A report kept for so long that fails though the account works is told of, and tried in pauses of so many seconds."""
OUTAGE = timedelta(hours=3)
"""An account that did not work for so long was an outage, no moment."""


@dataclass(slots=True)
class Refusals:
    """How often one report was refused, since when, when to try again, and the server's words."""

    tries: int
    since: datetime
    again: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Failing:
    """In how many rounds in a row a server could not be reached with one report though its account works, since when the
    report is kept, or after an outage could get through, and the last words.
    """

    rounds: int
    kept: datetime
    reason: str


@dataclass(slots=True)
class Outbox:
    """Delivers what is kept; `works` says whether the account at a server works, so that a refusal is the report's."""

    clock: Clock
    store: Store
    works: Callable[[str], bool] = lambda server: True
    on_delivered: Callable[[DrReport], Awaitable[None]] | None = None
    _refused: dict[str, Refusals] = field(default_factory=dict)
    _failing: dict[str, Failing] = field(default_factory=dict)
    """By report key."""
    _down: dict[str, datetime] = field(default_factory=dict)
    """When a server's account was first seen not to work, and `_back` when it worked again after an outage."""
    _back: dict[str, datetime] = field(default_factory=dict)

    async def deliver(self, server: DrServer) -> None:
        """Send what is kept for one server, oldest first, until cancelled; a lost link keeps it for later."""
        failures = 0
        while True:
            error = await self.round(server)
            failures = failures + 1 if error is not None else 0
            if error is not None and failures == 1:
                log.warning("report kept for later: %s", error)
            wished = error.retry_after_s if isinstance(error, ServerUnreachable) else None
            longest = STUCK_S if self._stuck(f"{server.name}/") else LONGEST_S
            pause = IDLE_S if error is None else wished or min(longest, 2.0 ** min(failures, 10))
            await self.clock.sleep(pause, real_floor=min(pause, 30.0) if failures else 0.5)

    async def round(self, server: DrServer) -> ServerError | None:
        """Try everything that is kept for a server once; the error that ended the round, None when it came through.

        first | second | third ...         the first failed often: the second is tried though
        x     | sent   |                   it is the first's fault: refused, the round goes on
        x     | x      |                   it is the server's: the round ends
        """
        todo = [report for report in await self.store.pending(server.name) if not self._rests(report)]
        stuck: tuple[DrReport, ServerError] | None = None
        while todo:
            report = todo[0] if stuck is None else self._other(todo)
            todo.remove(report)
            try:
                await server.send(report)
            except ServerError as error:
                reached = not isinstance(error, ServerUnreachable)
                works = self.works(server.name)
                if works and (reached or report.key in self._refused):
                    await self._note_refusal(report, error)
                    continue
                if not works:
                    self._down.setdefault(server.name, self.clock.now())
                    return error
                await self._note_failing(report, error)
                if stuck is not None or self._failed(report) < TRIES:
                    return error
                stuck = report, error
            else:
                await self._delivered(report)
                if stuck is not None:
                    await self._note_refusal(*stuck)
                    stuck = None
        return stuck[1] if stuck is not None else None

    def _rests(self, report: DrReport) -> bool:
        refused = self._refused.get(report.key)
        return refused is not None and self.clock.now() < refused.again

    def _other(self, todo: Sequence[DrReport]) -> DrReport:
        """The one that has failed least often itself, the oldest among equals."""
        return min(todo, key=self._failed)

    def _failed(self, report: DrReport) -> int:
        failing = self._failing.get(report.key)
        return failing.rounds if failing else 0

    def set_aside(self, event_key: str) -> list[str]:
        """What of an event's reports the server does not take, in words."""
        refused = [
            f"The utility's server does not take the report {_kind(key)}: {refused.reason}"
            for key, refused in self._refused.items()
            if refused.tries >= TRIES and _event(key) == event_key
        ]
        return refused + [
            f"The report {_kind(key)} has not got through to the utility's server for a day or longer, though it answers "
            f"otherwise; it is kept and tried again: {reason}"
            for key, reason in self._stuck().items()
            if _event(key) == event_key
        ]

    def _stuck(self, start: str = "") -> dict[str, str]:
        """The server's words on each report that fails for long, whose key starts so; none while its account is down."""
        now = self.clock.now()
        return {
            key: one.reason
            for key, one in self._failing.items()
            if key.startswith(start) and one.rounds >= TRIES and now - one.kept >= STUCK and self.works(_server(key))
        }

    async def _note_failing(self, report: DrReport, error: ServerError) -> None:
        before, now = self._failing.get(report.key), self.clock.now()
        self._account_works(report.server)
        kept = before.kept if before else min(now, await self.store.queued_at(report.key) or now)
        kept = max(kept, self._back.get(report.server, kept))
        self._failing[report.key] = Failing(self._failed(report) + 1, kept, error.reason)

    def _account_works(self, server: str) -> None:
        """A moment without the account changes nothing; what waited through an outage could not get through before now."""
        down = self._down.pop(server, None)
        if down is not None and self.clock.now() - down >= OUTAGE:
            self._back[server] = self.clock.now()

    async def _delivered(self, report: DrReport) -> None:
        await self.store.delivered(report.key, self.clock.now())
        self._account_works(report.server)
        self._refused.pop(report.key, None)
        self._failing.pop(report.key, None)
        await self._note("confirmed", report, f"report {report.payload_type} delivered")
        if self.on_delivered is not None:
            await self.on_delivered(report)

    async def _note_refusal(self, report: DrReport, error: ServerError) -> None:
        now, before = self.clock.now(), self._refused.get(report.key)
        tries, since = (before.tries + 1, before.since) if before else (1, now)
        pause = AGAIN if tries >= TRIES else timedelta(seconds=SOON_S * 2 ** (tries - 1))
        self._refused[report.key] = Refusals(tries, since, now + pause, error.reason)
        self._failing.pop(report.key, None)
        if tries == 1:
            log.warning("report refused, the others go on: %s", error)
        if tries == TRIES:
            await self._note("alarm", report, f"report {report.payload_type} set aside: {error.reason}")
        if now - since >= GIVE_UP:
            await self.store.delivered(report.key, now)
            self._refused.pop(report.key)
            await self._note("alarm", report, f"report {report.payload_type} given up after a week: {error.reason}")

    async def _note(self, step: str, report: DrReport, words: str) -> None:
        event = f"{report.server}:{report.event}"
        await self.store.append(AuditRow(self.clock.now(), step, event, words, 6, event))


def _kind(key: str) -> str:
    return key.split("/")[2].partition("-")[0]


def _server(key: str) -> str:
    return key.partition("/")[0]


def _event(key: str) -> str:
    return ":".join(key.split("/")[:2])
