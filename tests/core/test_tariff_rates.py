"""Tariffs: the right price at each local hour, also on days of 23 and 25 hours; bills that add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.tariff.rates import bill, parse_tariff, price_at, price_edges, prices
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.tariff import BillKind, Tariff

FOLDER = Path(__file__).parent.parent.parent / "config" / "tariffs"
BRUSSELS = ZoneInfo("Europe/Brussels")


def tariff(name: str = "demo_tou") -> Tariff:
    return parse_tariff(yaml.safe_load((FOLDER / f"{name}.yaml").read_text()))


def interval(start: datetime, wh: float | None, out: float | None = 0.0, seconds: int = 900) -> Interval:
    return Interval("meter", start, seconds, wh, out, IntervalQuality.VALID, "counter")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_tariff_is_read_and_says_where_its_figures_come_from(path: Path) -> None:
    parsed = parse_tariff(yaml.safe_load(path.read_text()))
    assert parsed.id == path.stem
    assert parsed.source


@pytest.mark.parametrize(
    ("local", "name"),
    [
        ("2026-11-21 16:59", "day"),
        ("2026-11-21 17:00", "peak"),
        ("2026-11-21 21:59", "peak"),
        ("2026-11-21 22:00", "night"),
        ("2026-11-22 00:00", "night"),
        ("2026-11-22 06:59", "night"),
        ("2026-11-22 07:00", "day"),
    ],
)
def test_the_demo_tariff_by_the_hour(local: str, name: str) -> None:
    when = datetime.fromisoformat(local).replace(tzinfo=BRUSSELS)
    assert price_at(tariff(), when.astimezone(UTC)).name == name


def test_a_night_that_began_on_friday_is_still_fridays_after_midnight() -> None:
    friday_night = parse_tariff(
        {
            "id": "x", "name": "x", "currency": "EUR", "timezone": "Europe/Brussels",
            "rates": [
                {"name": "friday night", "import": 0.1, "from": "22:00", "to": "06:00", "days": ["fri"]},
                {"name": "rest", "import": 0.3},
            ],
        }
    )  # fmt: skip
    assert price_at(friday_night, datetime(2026, 11, 21, 2, 0, tzinfo=BRUSSELS)).name == "friday night"
    assert price_at(friday_night, datetime(2026, 11, 20, 2, 0, tzinfo=BRUSSELS)).name == "rest"


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-21", 24)])
def test_the_hours_of_a_day_are_all_priced_when_the_clocks_change(day: str, hours: int) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=BRUSSELS).astimezone(UTC)
    starts = [start + timedelta(hours=n) for n in range(hours)]
    bought, _ = prices(tariff(), starts, [3600.0] * hours)
    assert int((bought == 420_000).sum()) == 5
    assert int((bought == 290_000).sum()) == 10
    assert int((bought == 190_000).sum()) == hours - 15


@pytest.mark.slow
@given(
    st.integers(0, 364 * 86_400),
    st.integers(60, 4 * 86_400),
    st.sampled_from(sorted(path.stem for path in FOLDER.glob("*.yaml"))),
)
@settings(max_examples=40, deadline=None)
def test_between_two_edges_the_price_never_changes(at_s: int, seconds: int, name: str) -> None:
    rates = tariff(name)
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)
    end = start + timedelta(seconds=seconds)
    cuts = [start, *price_edges(rates, start, end), end]
    assert cuts == sorted(cuts)
    for low, high in pairwise(cuts):
        middle, last = low + (high - low) / 2, high - timedelta(microseconds=1)
        assert price_at(rates, low) == price_at(rates, middle) == price_at(rates, last)


def test_a_bill_adds_energy_by_rate_and_pays_for_export() -> None:
    start = datetime(2026, 11, 21, 21, 0, tzinfo=BRUSSELS).astimezone(UTC)
    result = bill(tariff(), [interval(start + timedelta(minutes=15 * n), 500.0, 100.0) for n in range(8)])
    # given 2 kWh in the peak and 2 kWh at night, 0.8 kWh exported over two local days' start: one day
    assert result.micro == 250_000 + 2 * 420_000 + 2 * 190_000 - round(0.8 * 50_000)
    assert {line.name: line.wh for line in result.lines if line.kind is BillKind.IMPORT} == {
        "peak": 2000.0,
        "night": 2000.0,
    }
    assert (result.import_wh, result.export_wh) == (4000.0, pytest.approx(800.0))


def test_an_interval_over_a_price_edge_is_shared_by_time() -> None:
    start = datetime(2026, 11, 21, 21, 45, tzinfo=BRUSSELS).astimezone(UTC)
    result = bill(tariff(), [interval(start, 1000.0, seconds=1800)])
    assert result.micro - result.fixed_micro == (420_000 + 190_000) // 2


def test_missing_data_is_told_and_billed_as_nothing() -> None:
    start = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    result = bill(tariff(), [interval(start, None, None)])
    assert (result.micro - result.fixed_micro, result.missing_s) == (0, 900)
