"""How warm a room may be made now: the comfort schedule, looked at a while ahead."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.preferences import Preferences

AHEAD_H = 3
"""So long before a warmer band begins the room may be heated for it."""


def reach_c(preferences: Preferences, now: datetime, zone: ZoneInfo) -> float:
    """The highest temperature to heat to, degC: of the band in force or of one that begins within three hours."""
    high = preferences.comfort_at(now.astimezone(zone))[1]
    if not preferences.comfort_schedule:
        return high
    quarters = (now + timedelta(minutes=15 * step) for step in range(1, 4 * AHEAD_H + 1))
    return max(high, *(preferences.comfort_at(when.astimezone(zone))[1] for when in quarters))
