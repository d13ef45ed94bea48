"""Tariffs and meter data for the tests of the bill engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from gateway.core.tariff.parse import parse_tariff
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.tariff import Tariff

FOLDER = Path(__file__).parent.parent.parent / "config" / "tariffs"
BRUSSELS = ZoneInfo("Europe/Brussels")
FLAT: dict[str, Any] = {"name": "flat", "import": 0.30, "export": 0.05}


def make(**parts: Any) -> Tariff:
    """A tariff of Brussels with one flat rate, and what is given."""
    basis = {"id": "t", "name": "T", "currency": "EUR", "timezone": "Europe/Brussels", "rates": [FLAT]}
    return parse_tariff({**basis, **parts})


def shipped(name: str) -> Tariff:
    """A tariff of config/tariffs."""
    return parse_tariff(yaml.safe_load((FOLDER / f"{name}.yaml").read_text()))


def local(text: str, zone: ZoneInfo = BRUSSELS) -> datetime:
    """A local time, aware."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def run(start: datetime, powers_w: Sequence[float | None], seconds: int = 900) -> list[Interval]:
    """Intervals in a row with this mean import; negative is export, None missing."""
    at = start.astimezone(UTC)
    return [
        Interval(
            "grid",
            at + timedelta(seconds=seconds * n),
            seconds,
            None if power is None else max(power, 0.0) * seconds / 3600,
            None if power is None else max(-power, 0.0) * seconds / 3600,
            IntervalQuality.VALID,
            "counter",
        )
        for n, power in enumerate(powers_w)
    ]


def spot(start: datetime, prices: Sequence[float | None], seconds: int = 3600, currency: str = "EUR") -> Series:
    """Spot prices in a row, currency per kWh; None leaves a gap."""
    at = start.astimezone(UTC)
    step = timedelta(seconds=seconds)
    points = tuple(
        Point(at + n * step, at + (n + 1) * step, price * 1e6) for n, price in enumerate(prices) if price is not None
    )
    return Series(SeriesKind.SPOT, points, "test", at, currency)
