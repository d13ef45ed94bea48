"""Whose clock a charger reads the stamps of a profile by: its own, as far as its samples tell how far that is off."""

from __future__ import annotations

import logging

from adapters.ocpp.live import LiveState

log = logging.getLogger(__name__)

ANOTHER_S = 15.0
"""Less than this apart is the same clock: far less than a schedule is back-dated and a wish lasts, s of home time."""


class ItsClock:
    """One connector's view of its charger's clock, in s behind ours; negative: ahead.

    The stamps of samples tell it. Some chargers write them wrong (local time as Z) and read profiles right: where a
    limit by the clock of the samples has no effect, the same is told by ours, before another way is tried. Others stamp
    them with the begin of their interval: a status or a start stamped with now tells that the clock is right.
    """

    def __init__(self, device: str, live: LiveState) -> None:
        self._device = device
        self._live = live
        self._disproved_s: float | None = None
        self._known_s = 0.0

    def skew_s(self) -> float:
        """By how much the stamps of a profile are behind our clock, s."""
        told_s, other_s = self._told_s(), self._other_s()
        if self._disproved_s is not None and abs(told_s - self._disproved_s) < ANOTHER_S:
            return other_s
        self._disproved_s = None
        if abs(told_s - self._known_s) >= ANOTHER_S:
            self._known_s = told_s
            log.info("%s: its clock is %s", self._device, words(told_s))
        return told_s

    def differs(self, skew_s: float) -> bool:
        """Whether a profile told with `skew_s` is wrong by what is known now."""
        return abs(self.skew_s() - skew_s) >= ANOTHER_S

    def remedy(self) -> str:
        """What a person may do about the charger's clock; empty while it is right."""
        is_late_refuted = self._live.stamps_late and abs(self.skew_s()) >= ANOTHER_S
        told_s = self._live.skew_s if is_late_refuted else self._told_s()
        return "" if abs(told_s) < ANOTHER_S else f"Its clock is {words(told_s)}: set it."

    def _told_s(self) -> float:
        """What the samples tell; nothing where a status or a start tells that the clock is right."""
        return 0.0 if self._live.stamps_late else self._live.skew_s

    def _other_s(self) -> float:
        """What is left to try where that is wrong: our clock, or that of the samples after all."""
        return self._live.skew_s if self._live.stamps_late else 0.0

    def doubt(self) -> bool:
        """A limit had no effect: from now on by the other clock; False where that was so, or there is none."""
        used_s = self.skew_s()
        was_doubted = self._disproved_s is not None
        is_another = abs(used_s - self._other_s()) >= ANOTHER_S
        self._disproved_s = used_s if is_another and not was_doubted else None
        return self._disproved_s is not None


def words(skew_s: float) -> str:
    """How far off a clock is, for a person: `skew_s` behind, negative ahead."""
    if abs(skew_s) < ANOTHER_S:
        return "right"
    minutes = round(abs(skew_s) / 60)
    days, hours = minutes // 1440, minutes // 60
    if days >= 2:
        off = f"{days} days"
    elif hours >= 2 and minutes % 60 == 0:
        off = f"{hours} h"
    else:
        off = f"{minutes} min" if minutes >= 2 else f"{abs(skew_s):.0f} s"
    return f"{off} {'slow' if skew_s > 0 else 'fast'}"
