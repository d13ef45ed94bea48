"""Tariffs as data: what a kWh costs, when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Rate:
    """A price for some local hours of some weekdays of some months.

    `import_micro_per_kwh` and `export_micro_per_kwh` are micro-units of the currency per kWh, taxes included; a
    negative import price pays the consumer. `start` = `end` means the whole day; `start` > `end` passes midnight.
    Empty weekdays (0 = Monday) or months (1-12) mean all of them.
    """

    name: str
    import_micro_per_kwh: int
    export_micro_per_kwh: int
    start: time = time(0)
    end: time = time(0)
    weekdays: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates tried in order, the first that fits an instant holds; the last must fit always."""

    id: str
    name: str
    currency: str
    timezone: ZoneInfo
    rates: tuple[Rate, ...]
    fixed_micro_per_day: int = 0
    source: str = ""
    """Where the figures come from, with their date."""
