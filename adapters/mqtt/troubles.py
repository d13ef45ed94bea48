"""What was wrong with one device's messages: counted, logged once, and told in words for the page."""

from __future__ import annotations

import logging
from collections.abc import Iterable

log = logging.getLogger(__name__)


class Troubles:
    """Payloads of one device that could not be read, and sums of which a part never came."""

    def __init__(self, device: str) -> None:
        self.bad_payloads = 0
        self.incomplete = 0
        """Telegrams (or whiles, where parts come by themselves) that lacked a part of a sum."""
        self._device = device
        self._last = self._last_part = ""

    def note(self, topic: str, reason: str) -> None:
        """One more payload that cannot be read; the first is logged."""
        self.bad_payloads += 1
        self._last = f"{topic}: {reason}"
        if self.bad_payloads == 1:
            log.warning("%s: a payload on %s cannot be read: %s", self._device, topic, reason)

    def note_incomplete(self, reason: str) -> None:
        """One more sum that could not be told; the first is logged."""
        self.incomplete += 1
        self._last_part = reason
        if self.incomplete == 1:
            log.warning("%s: a sum is incomplete: %s", self._device, reason)

    def words(self, dropped: int, others: Iterable[str] = ()) -> str:
        """All of it in one line; empty when nothing was wrong."""
        found = list(others)
        if self.bad_payloads:
            found.append(f"{_count(self.bad_payloads, 'message')} could not be read, the last on {self._last}")
        if self.incomplete:
            found.append(f"{_count(self.incomplete, 'sum')} incomplete, the last {self._last_part}")
        if dropped:
            found.append(f"{_count(dropped, 'message')} lost, too big or too many at once")
        return "; ".join(text.rstrip(".") for text in found)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
