"""Being told "look now": every push is only a hint, whatever it carries; what counts is the listing read after it.

The third party in between (a broker, a proxy) can so cost us one look a second at most, and never an event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from adapters.openadr.account import Account
from adapters.openadr.enrolment import Enrolment
from adapters.openadr.listing import Listings
from adapters.openadr.mqtt_push import MqttPush
from adapters.openadr.versions import Versions
from adapters.openadr.webhook import Webhook

log = logging.getLogger(__name__)

GAP_S = 1.0
"""Real seconds between two hints handed on."""


class Push:
    """The hints of one server, by whichever ways it and the site file offer."""

    def __init__(self, account: Account, listings: Listings, versions: Versions, enrolment: Enrolment) -> None:
        self._account = account
        self._hint = asyncio.Event()
        self._handed_on_at = float("-inf")
        self._tasks: list[asyncio.Task[None]] = []
        settings = account.settings
        self._mqtt = MqttPush(account, versions, enrolment, self._hinted) if settings.push else None
        self._webhook = Webhook(account, listings, versions, enrolment, self._hinted) if settings.callback_url else None
        self.hints = 0
        """How many hints came."""

    @property
    def state(self) -> str:
        """How each way fares, in words; empty before anybody waited."""
        return "; ".join(way.state for way in (self._webhook, self._mqtt) if way is not None and way.state)

    def follow(self, programs: Sequence[str]) -> None:
        """The ids of the programs followed, after each look: what to subscribe to."""
        for way in (self._mqtt, self._webhook):
            if way is not None:
                way.follow(tuple(programs))

    async def wait(self) -> None:
        """Return at a hint, at most once a second; the first call opens the ways."""
        if not self._tasks:
            ways = (("broker", self._mqtt), ("webhook", self._webhook))
            self._tasks = [
                asyncio.create_task(way.run(), name=f"{self._account.name} {name}") for name, way in ways if way
            ]
            for task in self._tasks:
                task.add_done_callback(_ended)
        await self._hint.wait()
        early_s = self._handed_on_at + GAP_S - asyncio.get_running_loop().time()
        if early_s > 0:
            await self._account.clock.sleep(0, real_floor=early_s)
        self._hint.clear()
        self._handed_on_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Take the subscriptions back and stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks and self._webhook is not None:
            await self._webhook.close()
        self._tasks = []

    def _hinted(self) -> None:
        self.hints += 1
        self._hint.set()


def _ended(task: asyncio.Task[None]) -> None:
    """A way that breaks of itself is told; looking at the set pace goes on without it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s ended: %r", task.get_name(), error)
