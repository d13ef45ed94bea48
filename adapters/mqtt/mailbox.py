"""A device's unread messages: bounded, coalesced before anything is decoded, and counted where they overflow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

MAX_PAYLOAD = 64 * 1024
"""Bytes; the largest honest device payloads (discovery, full status) are a few kilobytes."""
MAX_PARTIAL = 64
"""Messages kept per topic that carries only changes."""
MAX_TOPICS = 1024
"""Topics kept where a filter with wildcards lets many in."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a device sees it; `retained` ones are what somebody once said."""

    topic: str
    payload: bytes
    retained: bool


class Mailbox:
    """A device's unread messages: the latest per topic, or the last few where each carries only changes."""

    def __init__(self, partial: Iterable[str] = ()) -> None:
        self.arrived = asyncio.Event()
        self.dropped = 0
        """Messages that were too big, or too many, to be read."""
        self.partial = frozenset(partial)
        """Topics that carry only what changed: none of their messages may be skipped."""
        self._unread: dict[str, Message] = {}
        self._changes: dict[str, deque[Message]] = {}

    def put(self, message: Message) -> None:
        """Keep a message for the device; an older one of a topic that tells all is coalesced into it."""
        topic = message.topic
        if len(message.payload) > MAX_PAYLOAD:
            self.dropped += 1
            return
        self._unread.pop(topic, None)  # at the end again: topics in the order in which they last spoke
        if topic in self.partial:
            self._keep_change(message)
        elif len(self._unread) >= MAX_TOPICS:
            self.dropped += 1
            return
        self._unread[topic] = message
        self.arrived.set()

    def _keep_change(self, message: Message) -> None:
        changes = self._changes.setdefault(message.topic, deque(maxlen=MAX_PARTIAL))
        self.dropped += len(changes) == MAX_PARTIAL
        changes.append(message)

    def take(self) -> list[Message]:
        """All unread messages, in order within each topic, the topic that spoke last at the end."""
        unread, changes = self._unread, self._changes
        self._unread = {}
        self.arrived.clear()
        if not changes:
            return list(unread.values())
        self._changes = {}
        return [each for topic, last in unread.items() for each in changes.get(topic, (last,))]
