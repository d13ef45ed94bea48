"""The last frames of a charger, as a witness for the installer, without secrets; and what was odd about them."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from adapters.ocpp.secrecy import redacted_together
from adapters.ocpp.wire import to_text, to_time

KEPT_FRAMES = 300
KEPT_CHARACTERS = 20_000
"""Of one frame."""
KEPT_IN_ALL = 150_000
ANSWERS = 32
STEP = "step"


@dataclass(frozen=True, slots=True)
class Frame:
    """One text message; `direction` is "in" (from the charger), "out", or "step" (of its handshake)."""

    time: datetime
    direction: str
    text: str


class FrameLog:
    """A ring of the last frames of one charger, over all its connections, and a count of each kind of violation."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._characters = 0
        self._answers: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
        self.violations: Counter[str] = Counter()

    def keep(self, time: datetime, direction: str, text: str) -> None:
        """Remember one frame, cut to a bounded length."""
        frame = Frame(time, direction, text[:KEPT_CHARACTERS])
        self._frames.append(frame)
        self._characters += len(frame.text)
        while len(self._frames) > KEPT_FRAMES or self._characters > KEPT_IN_ALL:
            self._characters -= len(self._frames.popleft().text)

    def frames(self) -> list[Frame]:
        """The last frames, oldest first, tags and keys blanked."""
        shown = redacted_together(frame.text for frame in self._frames)
        return [Frame(frame.time, frame.direction, text) for frame, text in zip(self._frames, shown, strict=True)]

    # ---- answers, for messages that come a second time

    def answer_given(self, text: str) -> dict[str, Any] | None:
        """What this very text was answered before, on whichever connection; None for a new one."""
        found = self._answers.get(_mark(text)) if text else None
        if found is not None:
            self.violations["message sent again"] += 1
        return found

    def remember(self, text: str, answer: dict[str, Any]) -> None:
        """Keep the answer to a text that may come again; "" is none."""
        if not text:
            return
        self._answers[_mark(text)] = answer
        if len(self._answers) > ANSWERS:
            self._answers.popitem(last=False)


def _mark(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def to_lines(frames: Iterable[Frame]) -> Iterator[str]:
    """Frames as JSON lines, each ended by a line feed."""
    for frame in frames:
        document = {"time": to_text(frame.time), "direction": frame.direction, "text": frame.text}
        yield json.dumps(document, ensure_ascii=False) + "\n"


def from_lines(text: str) -> list[Frame]:
    """Frames from JSON lines; raises ValueError with the number of a line that is none."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            time = to_time(document["time"])
            frame = (str(document["direction"]), str(document["text"]))
        except (ValueError, KeyError, TypeError):
            time = None
        if time is None:
            raise ValueError(f"line {number} is no recorded frame")
        found.append(Frame(time, *frame))
    return found
