"""Notifications of changes: webhooks to subscribers, and MQTT messages (schemas `subscription`, `notification`)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from firmware_sim.vtn_odd import Oddities
from firmware_sim.vtn_store import Client, Kind, Object, Problem, Store

TIMEOUT_S = 5.0


class Notifier:
    """Tells each subscription's callback of the operations it asked for; a dead callback costs nobody anything."""

    def __init__(
        self,
        store: Store,
        odd: Oddities,
        role_of: Callable[[str], str],
        publish: Callable[[str, Kind, Object, Any], None],
    ) -> None:
        self._store, self._odd, self._role_of, self._publish = store, odd, role_of, publish
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent = 0
        self.failed = 0

    def changed(self, operation: str, kind: Kind, item: Object) -> None:
        """Start the pushes for one operation on one object."""
        plain = {"objectType": kind.type, "operation": operation, "object": item, "targets": item.get("targets")}
        body = self._odd.pushed(plain)
        self._publish(operation, kind, item, body)
        for url, token in self._callbacks(operation, kind, item):
            task = asyncio.get_running_loop().create_task(self._push(url, token, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def check_callbacks(self, subscription: Object) -> None:
        """Ask each callback for its echo, as the reference implementation does (`echo-path`); Problem 400."""
        if not self._odd.has("echo-path"):
            return
        for asked in subscription.get("objectOperations") or []:
            word = secrets.token_hex(8)
            try:
                async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
                    answer = await client.get(f"{asked['callbackUrl']}/echo", params={"echo": word})
            except (httpx.HTTPError, httpx.InvalidURL, KeyError, TypeError) as error:
                raise Problem(400, f"the callback does not answer: {error!r}") from error
            if word not in answer.text:
                raise Problem(400, "the callback does not give back its echo")

    def _callbacks(self, operation: str, kind: Kind, item: Object) -> Iterator[tuple[str, str | None]]:
        for subscription in self._store.items["subscriptions"].values():
            wanted = subscription.get("programID")
            if wanted and wanted != item.get("programID", item["id"] if kind.path == "programs" else None):
                continue
            if not self._may_hear(subscription, kind, item):
                continue
            for asked in subscription["objectOperations"]:
                if kind.type in asked["objects"] and operation in asked["operations"]:
                    yield asked["callbackUrl"], asked.get("bearerToken")

    def _may_hear(self, subscription: Object, kind: Kind, item: Object) -> bool:
        """Only what the subscriber may read, narrowed by the subscription's targets."""
        holder = str(subscription.get("clientID", ""))
        if kind.owned and item.get("clientID") != holder:
            return False
        subscriber = Client(holder, self._role_of(holder))
        return self._store.readable(kind, item, subscriber, list(subscription.get("targets") or []))

    async def _push(self, url: str, token: str | None, body: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
                answer = await client.post(url, json=body, headers=headers)
                answer.raise_for_status()
            self.sent += 1
        except (httpx.HTTPError, httpx.InvalidURL):
            self.failed += 1
