"""Which days are holidays of a tariff."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from gateway.model.tariff import Holiday


def is_holiday(holidays: Iterable[Holiday], day: date) -> bool:
    """Whether one of the holidays falls on this local day."""
    return any(_falls_on(holiday, day) for holiday in holidays)


def _falls_on(holiday: Holiday, day: date) -> bool:
    if holiday.yearly is not None:
        return holiday.yearly == (day.month, day.day)
    if holiday.easter is not None:
        return day.toordinal() - easter(day.year).toordinal() == holiday.easter
    return holiday.day == day


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar.

    The rule of Gauss as Lichtenberg corrected it: the full moon of the church falls on March `moon`, Easter on the
    Sunday after it.
    """
    century = year // 100
    moon_shift = 15 + (3 * century + 3) // 4 - (8 * century + 13) // 25
    sun_shift = 2 - (3 * century + 3) // 4
    cycle = year % 19
    seed = (19 * cycle + moon_shift) % 30
    moon = 21 + seed - (seed + cycle // 11) // 29
    first_sunday = 7 - (year + year // 4 + sun_shift) % 7
    return date.fromordinal(date(year, 3, 1).toordinal() - 1 + moon + 7 - (moon - first_sunday) % 7)
