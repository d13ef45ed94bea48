"""The past of a home by local day and quarter hour, so that one evening can be laid over another.

    day        00:00 ........ 17:00 |== window ==| 19:00 ........
    places                    (0, 1020), (0, 1035), ...        days after the window's first, minute of the local day

A place has one energy on each day: on the day of 25 hours the mean of the two, on the day of 23 hours none in the hour
that is left out, so that no day is compared in an hour it did not have.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property

from gateway.core.demand_response.baseline.rows import slots
from gateway.model.reading import INTERVAL_S, Interval

ADJUST_FROM = timedelta(hours=4)
ADJUST_TO = timedelta(hours=1)
"""The same-day adjustment looks at [start - 4 h, start - 1 h): the hour before may already show the event."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time as places of a local day: each slot with its start, length in s, day after `day`, and minute."""

    day: date
    slots: tuple[tuple[datetime, float], ...]
    places: tuple[tuple[int, int], ...]


class History:
    """Net energy of a meter by local day and quarter hour, Wh; import positive.

    `excluded_days` are local dates of events, never used; `holidays` count with the weekends. `temperature_c` is the
    outdoor air by hour (whole hours since 1970), degC.
    """

    def __init__(
        self,
        intervals: Sequence[Interval],
        tz: tzinfo = UTC,
        *,
        excluded_days: Collection[date] = (),
        holidays: Collection[date] = (),
        temperature_c: Mapping[int, float] | None = None,
    ) -> None:
        self.tz = tz
        self._excluded, self._holidays = frozenset(excluded_days), frozenset(holidays)
        self._temperature = temperature_c or {}
        self._energy: dict[tuple[int, int], float] = {}
        for interval in intervals:
            energy = interval.net_wh
            if energy is not None and interval.duration_s == INTERVAL_S:
                place = self._place(interval.start)
                before = self._energy.get(place)
                self._energy[place] = energy if before is None else (before + energy) / 2

    def window(self, start: datetime, end: datetime, day: date | None = None) -> Window:
        """[start, end) by its places, counted from `day` (default: the local day of `start`)."""
        first = day or start.astimezone(self.tz).date()
        cut = tuple(slots(start, end))
        places = (self._place(slot) for slot, _ in cut)
        return Window(first, cut, tuple((ordinal - first.toordinal(), minute) for ordinal, minute in places))

    def adjusting(self, start: datetime) -> Window:
        """The window of the same-day adjustment before `start`, counted from the local day of `start`."""
        return self.window(start - ADJUST_FROM, start - ADJUST_TO, start.astimezone(self.tz).date())

    def energies(self, day: date, window: Window) -> list[float] | None:
        """The energy of each slot of the window laid on `day`, Wh; None when one is not known."""
        ordinal, found = day.toordinal(), []
        for (after, minute), (_, seconds) in zip(window.places, window.slots, strict=True):
            energy = self._energy.get((ordinal + after, minute))
            if energy is None:
                return None
            found.append(energy * seconds / INTERVAL_S)
        return found

    def total(self, day: date, window: Window) -> float | None:
        """The energy of the window laid on `day`, Wh; None when part of it is not known."""
        found = self.energies(day, window)
        return None if found is None else sum(found)

    def works(self, day: date) -> bool:
        """Whether it is a working day: neither weekend nor holiday."""
        return day.weekday() < 5 and day not in self._holidays

    def usable(self, day: date) -> bool:
        """Whether a day may stand for another: it had no event."""
        return day not in self._excluded

    def days_before(self, window: Window, most: int, *, alike: bool = True) -> Iterator[date]:
        """Days without event before the window's, newest first, at most `most` days back; `alike`: of the same type.

        A window of more than a day is laid only on days that end before it begins.
        """
        length_s = sum(seconds for _, seconds in window.slots)
        for back in range(max(1, math.ceil(length_s / 86_400)), most + 1):
            day = window.day - timedelta(days=back)
            if self.usable(day) and (not alike or self.works(day) == self.works(window.day)):
                yield day

    def highest_c(self, day: date) -> float | None:
        """The day's highest outdoor temperature, degC; None with less than 18 hours known."""
        found = self._hours_by_day.get(day.toordinal(), {})
        return max(found.values()) if len(found) >= 18 else None

    def outdoor_c(self, day: date, window: Window) -> float | None:
        """Mean outdoor temperature in the window laid on `day`, degC; None when an hour is not known."""
        found = [
            self._hours_by_day.get(day.toordinal() + after, {}).get(minute // 60) for after, minute in window.places
        ]
        known = [value for value in found if value is not None]
        return sum(known) / len(known) if found and len(known) == len(found) else None

    @cached_property
    def _hours_by_day(self) -> dict[int, dict[int, float]]:
        days: dict[int, dict[int, float]] = {}
        for hour, value in self._temperature.items():
            ordinal, minute = self._place(datetime.fromtimestamp(hour * 3600, UTC))
            days.setdefault(ordinal, {})[minute // 60] = value
        return days

    def _place(self, when: datetime) -> tuple[int, int]:
        local = when.astimezone(self.tz)
        return local.toordinal(), (local.hour * 60 + local.minute) // 15 * 15
