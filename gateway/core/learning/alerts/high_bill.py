"""The running month's bill as it will end: what is counted so far, and the rest as each of the last weeks would make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from gateway.core.metering.resample import local_day
from gateway.core.tariff.bill import bill
from gateway.model.reading import Interval
from gateway.model.series import Series
from gateway.model.tariff import Tariff

WEEKS = 6
LEAST_WEEKS = 3
FIRST_DAY = 5
"""Nothing is said before so many days of the month have passed."""
DOUBT = 0.1
"""Of the rest's cost, added at both ends of the range: the weeks alone held 43 of 100 month ends of the generator's normal
homes (tuning seed 2, 96 months looked at on their 12th), with this 79 (seed 1, 64 months: 72). Weather and vacations move
months more than weeks."""
LEAST_SHARE = 0.15
LEAST_DATA = 0.9


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """The month's bill at its end, micro-units: the middle and the range of what the last weeks would make of the rest.

    `usual_micro` is the dearest of the months it is held against, scaled to this one's days; `against` names them.
    """

    so_far_micro: int
    micro: int
    low_micro: int
    high_micro: int
    usual_micro: int
    against: tuple[date, ...]

    @property
    def high(self) -> bool:
        """Whether even the low end of the range is well above the dearest of the months before."""
        return self.usual_micro > 0 and self.low_micro > (1 + LEAST_SHARE) * self.usual_micro


def forecast_month(
    tariff: Tariff, rows: Sequence[Interval], now: datetime, spot: Series | None = None
) -> MonthForecast | None:
    """From the main meter's quarter hours of the last months until `now`; None early in a month or without a past.

    The rest of the month repeats past weeks, weekday by weekday, by the bill's own rules (tiers, peaks, fixed parts);
    it knows of no weather to come. Where the rate follows the spot price the rest is counted at its typical price.
    """
    today = now.astimezone(tariff.timezone).date()
    first = today.replace(day=1)
    if today.day <= FIRST_DAY:
        return None
    months = _past_months(tariff, rows, first, spot)
    if not months:
        return None
    start = local_day(first, tariff.timezone)[0]
    begun = local_day(today, tariff.timezone)[0]
    known = [row for row in rows if start <= row.start < begun]
    days = _by_day(tariff, rows, today)
    ends = []
    for shift in range(WEEKS):
        rest = _rest(tariff, days, today, _next(first), shift)
        if rest is not None:
            ends.append(bill(tariff, [*known, *rest], spot).micro)
    if len(ends) < LEAST_WEEKS or not known:
        return None
    ends.sort()
    length = (_next(first) - first).days
    dearest = max(micro * length / (_next(month) - month).days for month, micro in months.items())
    so_far = bill(tariff, known, spot).micro
    middle = ends[len(ends) // 2]
    doubt = round(DOUBT * abs(middle - so_far))
    return MonthForecast(so_far, middle, ends[0] - doubt, ends[-1] + doubt, round(dearest), tuple(months))


def _past_months(tariff: Tariff, rows: Sequence[Interval], first: date, spot: Series | None) -> dict[date, int]:
    """The bills of the whole months before, of those whose data is nearly whole."""
    found: dict[date, int] = {}
    months = {row.start.astimezone(tariff.timezone).date().replace(day=1) for row in rows}
    for month in sorted(month for month in months if month < first):
        start, end = (local_day(day, tariff.timezone)[0] for day in (month, _next(month)))
        held = [row for row in rows if start <= row.start < end and row.net_wh is not None]
        if sum(row.duration_s for row in held) >= LEAST_DATA * (end - start).total_seconds():
            found[month] = bill(tariff, held, spot).micro
    return found


def _by_day(tariff: Tariff, rows: Sequence[Interval], today: date) -> dict[date, list[Interval]]:
    """The rows of each whole day before today that has nearly all its data."""
    found: dict[date, list[Interval]] = {}
    for row in rows:
        if row.net_wh is not None:
            found.setdefault(row.start.astimezone(tariff.timezone).date(), []).append(row)
    return {
        day: held
        for day, held in found.items()
        if day < today and sum(row.duration_s for row in held) >= LEAST_DATA * 86400
    }


def _rest(
    tariff: Tariff, days: dict[date, list[Interval]], today: date, after: date, shift: int
) -> list[Interval] | None:
    """The days from today until before `after`, each as the same weekday of one of the last WEEKS weeks."""
    found: list[Interval] = []
    for k in range((after - today).days):
        day = today + timedelta(days=k)
        back = k // 7 + 1 + (shift + k // 7) % WEEKS
        source = next((days[d] for more in range(2) if (d := day - timedelta(weeks=back + more)) in days), None)
        if source is None:
            return None
        origin = local_day(source[0].start.astimezone(tariff.timezone).date(), tariff.timezone)[0]
        start = local_day(day, tariff.timezone)[0]
        found += [replace(row, start=start + (row.start - origin)) for row in source]
    return found


def _next(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
