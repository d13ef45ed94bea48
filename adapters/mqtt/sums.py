"""Quantities told in parts: tariffs, phases, consumption less production."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.mqtt.decode import Found, State, add_up, find_part


@dataclass(frozen=True, slots=True)
class _Heard:
    found: Found
    at: float
    retained: bool


class Summing:
    """The sum of one state's parts, told only when all of them belong together.

    Parts of one telegram are published one after the other: the first listed opens a round, the others join it, and
    the last one missing closes it. A lost message costs one telegram; parts of two telegrams are never mixed.

        delivered(1) returned(1)   delivered(2)   [lost]   delivered(3) returned(3)
        |--------- sum 1 -------|  |- dropped -----------| |--------- sum 3 ------|

    Parts that change `alone` (phases of a meter that publishes on change) are added up as last heard.
    """

    def __init__(self, state: State, max_age_s: float) -> None:
        self.state = state
        self._max_age_s = max_age_s
        """How far apart, in s of home time, two parts may be heard and still belong together."""
        self._heard: dict[int, _Heard] = {}

    def hear(self, topic: str, document: Any, now: float, *, retained: bool) -> tuple[Found, bool] | None:
        """The sum and whether any part of it was only retained; None as long as a part is missing."""
        if not self._note(topic, document, now, retained):
            return None
        heard = [part for part in self._heard.values() if now - part.at <= self._max_age_s]
        if len(heard) < len(self.state.parts):
            return None
        if not self.state.alone:
            self._heard.clear()
        return add_up((part.found for part in heard), self.state), any(part.retained for part in heard)

    def forget(self) -> None:
        """The device is gone: what it said before does not count on."""
        self._heard.clear()

    def _note(self, topic: str, document: Any, now: float, retained: bool) -> bool:
        news = False
        for index, part in enumerate(self.state.parts):
            found = find_part(document, self.state, part) if part.topic == topic else None
            if found is None:
                continue
            if index == 0 and not self.state.alone:
                self._heard.clear()
            if index == 0 or self.state.alone or 0 in self._heard:
                self._heard[index] = _Heard(found, now, retained)
                news = True
        return news
