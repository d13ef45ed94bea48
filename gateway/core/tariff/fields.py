"""Values of a tariff file, read one by one: each function returns the value or raises a Finding with its remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

from gateway.model.errors import Finding
from gateway.model.tariff import HOLIDAY, Holiday

DAYS = {name: index for index, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))} | {
    "holiday": HOLIDAY
}
MOST_MONEY = 1_000_000
LEAP_YEAR = 2000


def known(mapping: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    """Refuses keys that nobody knows."""
    unknown = next((key for key in mapping if key not in keys), None)
    if unknown is not None:
        raise Finding(where, f"unknown key '{unknown}'", f"Known: {', '.join(sorted(keys))}.")


def a_map(value: Any, where: str, keys: frozenset[str]) -> Mapping[str, Any]:
    """A mapping with no other keys than these."""
    if not isinstance(value, Mapping):
        raise Finding(where, "is not a map", f"Write {', '.join(sorted(keys))}, as far as they are needed.")
    known(value, keys, where)
    return value


def a_list(value: Any, where: str) -> list[Any]:
    """A list; absent is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Finding(where, "is not a list", "Begin each entry with a dash, or write it in square brackets.")
    return value


def text(mapping: Mapping[str, Any], key: str, where: str = "") -> str:
    """A text that is not empty."""
    value = mapping.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Finding(f"{where}.{key}" if where else key, "is missing or not text", f"Give a {key}.")
    return value


def currency(mapping: Mapping[str, Any]) -> str:
    """An ISO 4217 code."""
    value = text(mapping, "currency")
    if len(value) != 3 or not (value.isascii() and value.isalpha() and value.isupper()):
        raise Finding("currency", f"'{value}' is no currency code", "Use three capital letters, e.g. EUR.")
    return value


def zone(mapping: Mapping[str, Any]) -> ZoneInfo:
    """A time zone of the tz database."""
    name = text(mapping, "timezone")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Finding("timezone", f"'{name}' is not known", "Use a name like Europe/Brussels.") from error


def micro(value: Any, where: str) -> int:
    """Money in the currency as micro-units."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST_MONEY:
        raise Finding(where, f"{value!r} is no price", "Write a number in currency, e.g. 0.285 for 28.5 cents.")
    return round(value * 1_000_000)


def number(value: Any, where: str, least: float, most: float) -> float:
    """A finite number between two bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise Finding(where, f"{value!r} is no number", f"Write a number from {least:g} to {most:g}.")
    if not least <= value <= most:
        raise Finding(where, f"{repr(value)[:20]} is out of range", f"Write a number from {least:g} to {most:g}.")
    return float(value)


def choice(value: Any, where: str, allowed: tuple[int, ...]) -> int:
    """One of these whole numbers."""
    if isinstance(value, bool) or value not in allowed:
        raise Finding(where, f"{value!r} is not possible", f"Use one of {', '.join(map(str, allowed))}.")
    return int(value)


def flag(value: Any, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Finding(where, f"{value!r} is neither true nor false", "Write true or false.")
    return value


def clock_time(value: Any, where: str) -> time:
    """A time of day; 24:00 is midnight."""
    written = str(value)
    # YAML 1.1 reads an unquoted 17:00 as the sexagesimal number 1020; a lone 7 is the hour somebody meant, not 00:07.
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 60:
        hour = f'Write "{value:02d}:00" in quotes.' if value <= 24 else 'Write "HH:MM" in quotes.'
        raise Finding(where, f"{value} is no time of day", hour)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1440:
        written = f"{value // 60 % 24:02d}:{value % 60:02d}"
    try:
        found = time(0) if written == "24:00" else time.fromisoformat(written)
    except ValueError as error:
        raise Finding(where, f"'{value}' is no time of day", 'Write "HH:MM" in quotes.') from error
    if found.tzinfo is not None:
        raise Finding(where, f"'{value}' names a zone", "Write local time; the zone is the tariff's.")
    return found


def weekdays(value: Any, where: str) -> frozenset[int]:
    """Weekdays by name, a list or a single one; `holiday` among them."""
    days = value if isinstance(value, list) else [value]
    if wrong := [day for day in days if not isinstance(day, str) or day not in DAYS]:
        raise Finding(where, f"{wrong[0]!r} is no weekday", f"Use {', '.join(DAYS)}.")
    return frozenset(DAYS[day] for day in days)


def months(value: Any, where: str) -> frozenset[int]:
    """Months by number, a list or a single one."""
    listed = value if isinstance(value, list) else [value]
    if wrong := [month for month in listed if isinstance(month, bool) or month not in range(1, 13)]:
        raise Finding(where, f"{wrong[0]!r} is no month", "Use numbers from 1 to 12.")
    return frozenset(listed)


def month_day(value: Any, where: str) -> tuple[int, int]:
    """A day of every year, "MM-DD"."""
    try:
        day = date.fromisoformat(f"{LEAP_YEAR}-{value}")
    except ValueError as error:
        raise Finding(where, f"{value!r} is no day of the year", 'Write "MM-DD" in quotes, e.g. "04-01".') from error
    return day.month, day.day


def day(value: Any, where: str) -> date:
    """A day as a date or "YYYY-MM-DD"."""
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError as error:
        raise Finding(where, f"{value!r} is no day", "Write YYYY-MM-DD, e.g. 2026-07-01.") from error


def holiday(value: Any, where: str) -> Holiday:
    """A day of every year "MM-DD", one day "YYYY-MM-DD", or "easter", "easter+1", "easter-2"."""
    if isinstance(value, date):
        return Holiday(day=date(value.year, value.month, value.day))
    written = str(value).strip()
    try:
        if written.startswith("easter"):
            shift = int(written.removeprefix("easter") or 0)
            return Holiday(easter=round(number(shift, where, -80, 250)))
        if len(written) == len("MM-DD"):
            return Holiday(yearly=month_day(written, where))
        return Holiday(day=date.fromisoformat(written))
    except ValueError as error:
        remedy = 'Write "MM-DD", "YYYY-MM-DD", "easter", "easter+1" or "easter-2", in quotes.'
        raise Finding(where, f"{value!r} is no holiday", remedy) from error


def ascending(bounds: Sequence[float | None], where: str, key: str) -> None:
    """Refuses steps that do not rise to a last one without a bound."""
    if not bounds:
        raise Finding(
            where, "there are no steps", f"Give at least one, the last without {key}; or leave the entry out."
        )
    if bounds[-1] is not None:
        raise Finding(where, f"the last step has '{key}'", f"Add a last step without {key}, for all that is above.")
    given = bounds[:-1]
    low = 0.0
    for n, bound in enumerate(given):
        if bound is None or bound <= low:
            raise Finding(
                f"{where}[{n}]", f"'{key}' does not rise", f"Order the steps by {key}, each above the one before."
            )
        low = bound
