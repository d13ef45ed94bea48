"""What the owner's answers to alerts teach: how much more it takes before the same cause is told again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.alert import Alert, Answer
from gateway.runtime.words import local_time

MUTED = timedelta(days=7)
LESSON_SHARE = 0.5
"""A dismissed alert raises its cause's threshold by so much of its own power, ..."""
MOST_MORE_W = 3000.0
"""... but never by more than this, so that no cause falls silent for ever."""
ACCEPTED_SHARE = 0.5
"""An accepted one leaves so much of what dismissals had added, ..."""
LEAST_MORE_W = 25.0
"""... and nothing of less than this; the threshold never goes below the one it began with."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the answers taught of one cause: W more before it is told, and silence until then."""

    more_w: float = 0.0
    muted_until: datetime | None = None


def taught(before: Lesson, known: Alert, answer: Answer, now: datetime, zone: ZoneInfo) -> tuple[Lesson, str]:
    """What an answer to an alert makes of its cause's lesson, and that in words."""
    if answer is Answer.DISMISSED:
        more = min(MOST_MORE_W, max(before.more_w, LESSON_SHARE * known.power_w))
        until = local_time(now + MUTED, now, zone)
        of = "of this kind" if known.device is None else "of this kind about this device"
        said = f"Dismissed. Nothing {of} is told until {until}, and after that only from {more:.0f} W more."
        return Lesson(more, now + MUTED), said
    more = ACCEPTED_SHARE * before.more_w
    more = more if more >= LEAST_MORE_W else 0.0
    if before == Lesson(more):
        return before, "Kept. You will be told again when it happens again."
    left = f"from {more:.0f} W more than at first, not {before.more_w:.0f} W" if more else "as early as at first"
    return Lesson(more), f"Kept. You will be told again sooner next time: {left}, and without a pause."
