"""Notifications: one per cause, raised and ended, kept in the store and never lost for want of waiting."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from gateway.model.audit import Notification
from gateway.ports import AuditStore, Clock
from gateway.runtime.live import Changes


@dataclass(slots=True)
class Notices:
    """What a person should know now; `open` holds the notifications that have not ended, by cause."""

    store: AuditStore
    clock: Clock
    changes: Changes
    open: dict[str, Notification] = field(default_factory=dict)
    _queue: asyncio.Queue[Notification] = field(default_factory=asyncio.Queue)
    _writing: Notification | None = None

    async def resume(self) -> None:
        """Take up the notifications that were open before a restart."""
        for notification in await self.store.notifications():
            if notification.ended is None:
                self.open[notification.cause] = notification

    def later_raise(self, cause: str, level: str, text: str) -> None:
        """Raise a notification unless one of this cause is open; stored by the writer task."""
        known = self.open.get(cause)
        if known is not None:
            return
        self.open[cause] = Notification(self.clock.now(), cause, level, text)
        self._queue.put_nowait(self.open[cause])
        self.changes.touch()

    def later_end(self, cause: str) -> None:
        """End a notification if it is open; stored by the writer task."""
        known = self.open.pop(cause, None)
        if known is not None:
            self._queue.put_nowait(replace(known, ended=self.clock.now()))
            self.changes.touch()

    async def raise_(self, cause: str, level: str, text: str) -> None:
        """Raise a notification, replacing the words of an open one of the same cause."""
        known = self.open.get(cause)
        if known is not None and known.text == text:
            return
        if known is not None:
            self.later_end(cause)
        self.later_raise(cause, level, text)

    async def end(self, cause: str) -> None:
        """End a notification if it is open."""
        self.later_end(cause)

    async def run(self) -> None:
        """Write notifications to the store until cancelled; raises StoreError and then goes on with the same one.

        The order is kept: an end written before its beginning would leave the notification open for ever.
        """
        while True:
            if self._writing is None:
                self._writing = await self._queue.get()
            await self.store.notify(self._writing)
            self._writing = None
