"""Whether a device says that it is there: its availability topics taken together. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Availability:
    """The topic by which a device (or its last will) says whether it is there: a hint, never proof."""

    topic: str
    path: tuple[str, ...]
    online: frozenset[str]
    offline: frozenset[str]

    def says(self, document: Any) -> bool | None:
        """True for online, False for offline, None for anything else."""
        word = document
        for key in self.path:
            word = word.get(key) if isinstance(word, dict) else word  # older versions send the bare word
        text = word if isinstance(word, str) else json.dumps(word)
        if text in self.offline:
            return False
        return True if text in self.online else None


class Presence:
    """What a device's availability topics say together.

    `mode` as in Home Assistant: "latest" believes who spoke last, "all" wants each to say online, "any" one of them.
    A topic that has said nothing says nothing against the device.
    """

    def __init__(self, topics: tuple[Availability, ...], mode: str) -> None:
        self.topics = frozenset(each.topic for each in topics)
        self._availability, self._mode = topics, mode
        self._said: dict[Availability, bool] = {}

    def hear(self, topic: str, document: Any) -> bool | None:
        """Whether the device is there after this message; None when the message says nothing about it."""
        latest = None
        for each in self._availability:
            if each.topic == topic and (word := each.says(document)) is not None:
                latest = self._said[each] = word
        if latest is None or self._mode == "latest":
            return latest
        here = [self._said[each] for each in self._availability if each in self._said]
        return all(here) if self._mode == "all" else any(here) or len(here) < len(self._availability)
