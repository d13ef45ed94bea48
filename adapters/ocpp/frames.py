"""The last frames of a charger, as a witness for the installer, without secrets; and what was odd about them."""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime

KEPT_FRAMES = 200
KEPT_CHARACTERS = 2000

_STRING = r'"(?:[^"\\]|\\.)*(?:"|$)'
_SECRET = re.compile(
    rf'("(?:idTag|parentIdTag|idToken|password|authorizationKey|basicAuthPassword)"\s*:\s*){_STRING}', re.IGNORECASE
)
_VALUE = re.compile(rf'("value"\s*:\s*){_STRING}', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Frame:
    """One text message; `direction` is "in" (from the charger) or "out"."""

    time: datetime
    direction: str
    text: str


class FrameLog:
    """A ring of the last frames and a count of each kind of violation."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque(maxlen=KEPT_FRAMES)
        self.violations: Counter[str] = Counter()

    def keep(self, time: datetime, direction: str, text: str) -> None:
        """Remember one frame, cut to a bounded length."""
        self._frames.append(Frame(time, direction, text[:KEPT_CHARACTERS]))

    def frames(self) -> list[Frame]:
        """The last frames, oldest first, tags and keys blanked."""
        return [Frame(frame.time, frame.direction, redacted(frame.text)) for frame in self._frames]


def redacted(text: str) -> str:
    """The frame's text with the values of tags, passwords and keys blanked; works on broken JSON too."""
    blank = _SECRET.sub(r'\1"***"', text)
    lowered = text.lower()
    if "authorizationkey" in lowered or "password" in lowered:
        blank = _VALUE.sub(r'\1"***"', blank)
    return blank
