"""The outbox to a utility's server: kept on disk, oldest first, each once; what is refused for good blocks nothing.

unreachable      kept, tried again with longer and longer pauses, for as long as it takes
refused          tried 5 times at growing distances, then set aside with a word; then once a day for a week
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.model.audit import AuditRow
from gateway.model.dr import DrReport
from gateway.model.errors import ServerAnswerWrong, ServerError, ServerRefused, ServerUnreachable
from gateway.ports import Clock, DrServer, Store

log = logging.getLogger(__name__)

TRIES = 5
SOON_S = 60.0
"""Pause after the first refusal; it doubles with each."""
AGAIN = timedelta(days=1)
GIVE_UP = timedelta(days=7)
IDLE_S = 5.0
LONGEST_S = 300.0


@dataclass(slots=True)
class Refusals:
    """How often one report was refused, since when, when to try again, and the server's words."""

    tries: int
    since: datetime
    again: datetime
    reason: str


@dataclass(slots=True)
class Outbox:
    """Delivers what is kept; `works` says whether the account at a server works, so that a refusal is the report's."""

    clock: Clock
    store: Store
    works: Callable[[str], bool] = lambda server: True
    on_delivered: Callable[[DrReport], Awaitable[None]] | None = None
    _refused: dict[str, Refusals] = field(default_factory=dict)

    async def deliver(self, server: DrServer) -> None:
        """Send what is kept for one server, oldest first, until cancelled; a lost link keeps it for later."""
        failures = 0
        while True:
            error = await self.round(server)
            failures = failures + 1 if error is not None else 0
            if error is not None and failures == 1:
                log.warning("report kept for later: %s", error)
            wished = error.retry_after_s if isinstance(error, ServerUnreachable) else None
            pause = IDLE_S if error is None else wished or min(LONGEST_S, 2.0 ** min(failures, 9))
            await self.clock.sleep(pause, real_floor=min(pause, 30.0) if failures else 0.5)

    async def round(self, server: DrServer) -> ServerError | None:
        """Try everything that is kept for a server once; the error that ended the round, None when it came through."""
        for report in await self.store.pending(server.name):
            refused = self._refused.get(report.key)
            if refused is not None and self.clock.now() < refused.again:
                continue
            try:
                await server.send(report)
            except (ServerRefused, ServerAnswerWrong) as error:
                if not self.works(server.name):
                    return error
                await self._note_refusal(report, error)
            except ServerError as error:
                return error
            else:
                await self._delivered(report)
        return None

    def set_aside(self, event_key: str) -> list[str]:
        """What of an event's reports the server does not take, in words."""
        return [
            f"The utility's server does not take the report {key.split('/')[2].partition('-')[0]}: {refused.reason}"
            for key, refused in self._refused.items()
            if refused.tries >= TRIES and ":".join(key.split("/")[:2]) == event_key
        ]

    async def _delivered(self, report: DrReport) -> None:
        await self.store.delivered(report.key, self.clock.now())
        self._refused.pop(report.key, None)
        await self._note("confirmed", report, f"report {report.payload_type} delivered")
        if self.on_delivered is not None:
            await self.on_delivered(report)

    async def _note_refusal(self, report: DrReport, error: ServerError) -> None:
        now, before = self.clock.now(), self._refused.get(report.key)
        tries, since = (before.tries + 1, before.since) if before else (1, now)
        pause = AGAIN if tries >= TRIES else timedelta(seconds=SOON_S * 2 ** (tries - 1))
        self._refused[report.key] = Refusals(tries, since, now + pause, error.reason)
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
