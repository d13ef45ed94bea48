"""The comfort schedule as lines of text, as the form shows and takes it: "Mon-Fri 22:00-06:00 17 20"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import time
from typing import Any

from gateway.model.errors import WishRefused
from gateway.model.preferences import EVERY_DAY, ComfortSpan

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EXAMPLE = "Mon-Fri 22:00-06:00 17 20"
_LINE = re.compile(
    r"(?:(?P<days>[A-Za-z,-]+)\s+)?(?P<start>\d{1,2}:\d\d)\s*-\s*(?P<end>\d{1,2}:\d\d)\s+(?P<low>[\d.,]+)\s+(?P<high>[\d.,]+)"
)


def schedule_lines(spans: Iterable[ComfortSpan]) -> str:
    """One line for each entry."""
    return "\n".join(
        f"{_day_words(span.days)}{span.start:%H:%M}-{_end(span)} {span.low_c:g} {span.high_c:g}" for span in spans
    )


def _end(span: ComfortSpan) -> str:
    return "24:00" if span.end == time(0) else f"{span.end:%H:%M}"


def schedule_from(text: str) -> list[dict[str, Any]]:
    """The entries of some lines, as the API takes them; raises WishRefused naming the line that cannot be read."""
    return [_entry(line.strip()) for line in text.splitlines() if line.strip()]


def _entry(line: str) -> dict[str, Any]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise WishRefused(f"'{line[:60]}' is no entry of the comfort schedule. Write it like {EXAMPLE}.")
    hour, low, high = found["start"], found["low"].replace(",", "."), found["high"].replace(",", ".")
    return {
        "start": hour.zfill(5),
        "end": found["end"].zfill(5),
        "low_c": low,
        "high_c": high,
        "days": _days(found["days"] or "", line),
    }


def _days(words: str, line: str) -> list[int]:
    """ "Mon-Fri", "Sat,Sun", "Fri-Mon" or nothing (every day)."""
    if not words:
        return list(EVERY_DAY)
    result: list[int] = []
    for part in words.split(","):
        first, _, last = part.partition("-")
        a, b = _day(first, line), _day(last or first, line)
        result += [(a + step) % 7 for step in range((b - a) % 7 + 1)]
    return sorted(set(result))


def _day(word: str, line: str) -> int:
    names = [day.lower() for day in DAYS]
    if len(word) < 2 or (match := next((d for d in names if d.startswith(word.lower()[:3])), None)) is None:
        raise WishRefused(f"'{word[:20]}' in '{line[:60]}' is no day. Write Mon, Tue, Wed, Thu, Fri, Sat or Sun.")
    return names.index(match)


def _day_words(days: tuple[int, ...]) -> str:
    if set(days) == set(EVERY_DAY):
        return ""
    first, last = days[0], days[-1]
    if len(days) > 2 and days == tuple(range(first, last + 1)):
        return f"{DAYS[first]}-{DAYS[last]} "
    return ",".join(DAYS[day] for day in days) + " "
