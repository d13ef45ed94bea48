"""Quantities told in parts: tariffs, phases, consumption less production."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from adapters.mqtt.decode import Found, Part, State, add_up, find_part


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

    Parts that change `alone` (phases of a meter that publishes on change) are added up as last heard. Either way a
    sum that did not come about is told once, by `lost`.
    """

    def __init__(self, state: State, max_age_s: float) -> None:
        self.state = state
        self.ends_at = math.inf
        """When the parts that wait have waited long enough (monotonic home s); inf when none does."""
        self._max_age_s = max_age_s
        """How far apart, in s of home time, two parts may be heard and still belong together."""
        self._began = -math.inf
        self._heard: dict[int, _Heard] = {}
        self._astray: set[int] = set()
        """Parts of a telegram whose first part was not heard; a start in the middle of one is no loss."""
        self._lost: list[str] = []

    def hear(self, topic: str, document: Any, now: float, *, retained: bool) -> tuple[Found, bool] | None:
        """The sum and whether any part of it was only retained; None as long as a part is missing."""
        if not self._note(topic, document, now, retained):
            return None
        heard = [part for part in self._heard.values() if now - part.at <= self._max_age_s]
        if len(heard) < len(self.state.parts):
            if self.ends_at == math.inf and not retained:
                self._began, self.ends_at = now, now + self._max_age_s
            return None
        self.ends_at = math.inf
        if not self.state.alone:
            self._heard.clear()
        return add_up((part.found for part in heard), self.state), any(part.retained for part in heard)

    def lost(self, now: float) -> list[str]:
        """Which part never came, in words, once for each sum that did not come about until now."""
        if now >= self.ends_at:
            self._give_up()
        lost, self._lost = self._lost, []
        return lost

    def forget(self) -> None:
        """The device is gone: what it said before does not count on."""
        self._heard.clear()
        self._astray.clear()
        self.ends_at = math.inf

    def _note(self, topic: str, document: Any, now: float, retained: bool) -> bool:
        news = False
        for index, part in enumerate(self.state.parts):
            found = find_part(document, self.state, part) if part.topic == topic else None
            if found is None:
                continue
            if index == 0 and not self.state.alone:
                self._open()
            if index == 0 or self.state.alone or 0 in self._heard:
                self._heard[index] = _Heard(found, now, retained)
                news = True
            elif not retained:
                self._stray(index)
        return news

    def _open(self) -> None:
        """The first part of a telegram: the one before had its time."""
        if self.ends_at < math.inf:
            self._give_up()
        self._heard.clear()
        self._astray.clear()

    def _stray(self, index: int) -> None:
        if index in self._astray:
            self._astray.clear()
            self._lost.append(self._never_came(self.state.parts[0]))
        self._astray.add(index)

    def _give_up(self) -> None:
        self.ends_at = math.inf
        lacking = [part for index, part in enumerate(self.state.parts) if not self._came(index)]
        self._lost += [self._never_came(part) for part in lacking[:1]]
        if not self.state.alone:
            self._heard.clear()

    def _came(self, index: int) -> bool:
        return index in self._heard and self._heard[index].at >= self._began

    def _never_came(self, part: Part) -> str:
        return f"{self.state.quantity}: the part {' '.join([part.topic, '.'.join(part.path)]).strip()} never came"
