"""How warm or cold a room may be made now: the comfort schedule, looked at a while ahead."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.preferences import Preferences

AHEAD_H = 3
"""So long before another band begins the room may be heated or cooled for it."""


def reach_c(preferences: Preferences, now: datetime, zone: ZoneInfo) -> float:
    """The highest temperature to heat to, degC: of the band in force or of one that begins within three hours."""
    high = preferences.comfort_at(now.astimezone(zone))[1]
    if not preferences.comfort_schedule:
        return high
    return max(high, *(band[1] for band in _coming(preferences, now, zone)))


def dip_c(preferences: Preferences, now: datetime, zone: ZoneInfo) -> float:
    """The lowest temperature to cool to, degC: of the band in force or of one that begins within three hours."""
    low = preferences.comfort_at(now.astimezone(zone))[0]
    if not preferences.comfort_schedule:
        return low
    return min(low, *(band[0] for band in _coming(preferences, now, zone)))


def _coming(preferences: Preferences, now: datetime, zone: ZoneInfo) -> list[tuple[float, float]]:
    quarters = (now + timedelta(minutes=15 * step) for step in range(1, 4 * AHEAD_H + 1))
    return [preferences.comfort_at(when.astimezone(zone)) for when in quarters]
