"""Webhook notifications to subscribers: OpenADR 3.1.0 schemas `subscription` and `notification`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx

from firmware_sim.vtn_store import Kind, Object, Store

TIMEOUT_S = 5.0


class Notifier:
    """Tells each subscription's callback of the operations it asked for; a dead callback costs nobody anything."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent = 0
        self.failed = 0

    def changed(self, operation: str, kind: Kind, item: Object) -> None:
        """Start the pushes for one operation on one object."""
        body = {"objectType": kind.type, "operation": operation, "object": item, "targets": item.get("targets")}
        for url, token in self._callbacks(operation, kind, item):
            task = asyncio.get_running_loop().create_task(self._push(url, token, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _callbacks(self, operation: str, kind: Kind, item: Object) -> Iterator[tuple[str, str | None]]:
        for subscription in self._store.items["subscriptions"].values():
            wanted = subscription.get("programID")
            if wanted and wanted != item.get("programID", item["id"] if kind.path == "programs" else None):
                continue
            if kind.owned and item.get("clientID") != subscription["clientID"]:
                continue
            for asked in subscription["objectOperations"]:
                if kind.type in asked["objects"] and operation in asked["operations"]:
                    yield asked["callbackUrl"], asked.get("bearerToken")

    async def _push(self, url: str, token: str | None, body: Object) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
                answer = await client.post(url, json=body, headers=headers)
                answer.raise_for_status()
            self.sent += 1
        except (httpx.HTTPError, httpx.InvalidURL):
            self.failed += 1
