"""The bill against a second opinion that was written from the tariff file's description alone, to a hundredth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.core.tariff.bill import bills_by_month
from gateway.core.tariff.rates import bill, parse_tariff
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.tariff import Bill, BillKind
from tests.core.bill_cases import TARIFFS, load, real_home, spot
from tests.core.bill_oracle import Metered, OracleBill, SpotPoint, easter_sunday, oracle_bill
from tests.core.bill_random import random_data, random_tariff

FOLDER = Path(__file__).parent.parent.parent / "config" / "tariffs"
SHIPPED = sorted(path.stem for path in FOLDER.glob("*.yaml"))
HUNDREDTH = 10_000
"""0.01 of the currency in micro-units."""

SPANS: dict[str, dict[str, Any]] = {
    "a spring with the day of 23 hours": {"first": "2026-03-01", "days": 37, "minutes": 60, "gaps": 0.01},
    "an autumn with the day of 25 hours": {"first": "2026-10-20", "days": 16, "minutes": 15},
    "the turn of the year": {"first": "2026-12-18", "days": 18.5, "minutes": 30, "gaps": 0.1},
    "a leap day": {"first": "2028-02-25", "days": 9, "minutes": 15, "gaps": 0.03, "sun": 0.5},
    "Easter": {"first": "2026-04-01", "days": 9, "minutes": 15, "sun": 6.0},
    "an early summer": {"first": "2026-05-24", "days": 20, "minutes": 60},
}
MADE_UP = [(name, list(SPANS)[(i + j) % len(SPANS)]) for i, name in enumerate(TARIFFS) for j in range(3)]
OURS = [(name, list(SPANS)[(i + j) % len(SPANS)]) for i, name in enumerate(SHIPPED) for j in range(2)]
REAL = [
    ("b841", 2080, 40, "everything"),
    ("3aa4", 7200, 30, "demand_windows"),
    ("d209", 0, 60, "demand_hour_mean_of_3"),
    ("7863", 1300, 30, "demand_plain"),
    ("4d23", 8000, 31, "tiers_month"),
    ("d209", 6900, 16, "everything"),
    ("7863", 6900, 16, "demand_windows"),
    ("3aa4", 1400, 40, "spanish"),
    ("b841", 5500, 45, "dynamic"),
    ("4d23", 7250, 40, "everything"),
    ("b841", 0, 62, "australian"),
    ("3aa4", 3840, 50, "australian"),
]


def rows_of(metered: Sequence[Metered]) -> list[Interval]:
    return [
        Interval("grid", m.start, 60 * m.minutes, m.import_wh, m.export_wh, IntervalQuality.VALID, "test")
        for m in metered
    ]


def engine_bill(file: dict[str, Any], metered: Sequence[Metered], points: Sequence[SpotPoint]) -> Bill:
    told = tuple(Point(p.start, p.end, float(p.price * 10**6)) for p in points)
    series = Series(SeriesKind.SPOT, told, "test", metered[0].start, file["currency"]) if points else None
    return bill(parse_tariff(file), rows_of(metered), series)


def compare(file: dict[str, Any], metered: Sequence[Metered], points: Sequence[SpotPoint]) -> OracleBill:
    """The engine's bill is the oracle's, in money (the whole and each kind of line), energy and peaks."""
    expected, found = oracle_bill(file, metered, points), engine_bill(file, metered, points)
    assert abs(found.micro - 10**6 * expected.total) <= HUNDREDTH, (found, expected)
    for kind, amount in parts(expected).items():
        assert abs(found.of(kind) - 10**6 * amount) <= HUNDREDTH, (kind, found, expected)
    peaks = {(line.name, (line.month.year, line.month.month)): line.peak_w for line in found.lines if line.month}
    assert peaks == {key: pytest.approx(float(1000 * kw)) for key, kw in expected.peaks_kw.items()}
    assert found.import_wh == pytest.approx(float(expected.import_wh), abs=0.1)
    assert found.export_wh == pytest.approx(float(expected.export_wh), abs=0.1)
    assert found.missing_s == expected.missing_s
    return expected


def parts(expected: OracleBill) -> dict[BillKind, Fraction]:
    return {
        BillKind.IMPORT: expected.energy,
        BillKind.EXPORT: -expected.earned,
        BillKind.TIER: expected.tiers,
        BillKind.DEMAND: expected.demand,
        BillKind.CONTRACTED: expected.contracted,
        BillKind.FIXED: expected.fixed,
        BillKind.VAT: expected.vat,
    }


def made_up(file: dict[str, Any], span: str) -> tuple[list[Metered], list[SpotPoint]]:
    metered = load(file["timezone"], **SPANS[span], seed=len(file["id"]))
    return metered, spot(metered, 30 if "Easter" in span else 60, gaps=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "span"), MADE_UP)
def test_a_made_up_tariff_bills_what_the_second_opinion_bills(name: str, span: str) -> None:
    compare(TARIFFS[name], *made_up(TARIFFS[name], span))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "span"), OURS)
def test_a_shipped_tariff_bills_what_the_second_opinion_bills(name: str, span: str) -> None:
    file = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    compare(file, *made_up(file, span))


@pytest.mark.slow
@pytest.mark.parametrize(("home", "first", "days", "name"), REAL)
def test_a_real_home_is_billed_what_the_second_opinion_bills(home: str, first: int, days: int, name: str) -> None:
    metered = real_home(home, first, days)
    assert len(metered) == 24 * days
    compare(TARIFFS[name], metered, spot(metered, gaps=0.02))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_a_tariff_by_chance_bills_what_the_second_opinion_bills(seed: int) -> None:
    chance = random.Random(seed)
    file = random_tariff(chance)
    compare(file, *random_data(chance, file["timezone"]))


def test_two_days_of_everything_bill_what_the_second_opinion_bills() -> None:
    metered = load("Europe/Brussels", "2026-11-30", 2, gaps=0.05)
    compare(TARIFFS["everything"], metered, spot(metered, gaps=0.1))


@pytest.mark.parametrize("name", ["everything", "quarter_hour_zone", "tiers_day", "demand_windows"])
def test_the_bills_of_the_months_are_together_the_second_opinions_bill(name: str) -> None:
    # Kathmandu's midnight lies within an hour's interval.
    file = TARIFFS[name]
    metered = [
        Metered(datetime(2026, 10, 31, h % 24, tzinfo=UTC) + timedelta(days=h // 24), 60, 900.0, 50.0)
        for h in range(72)
    ]
    expected, months = oracle_bill(file, metered), bills_by_month(parse_tariff(file), rows_of(metered))
    assert list(months) == [date(2026, 10, 1), date(2026, 11, 1)]
    assert sum(month.micro for month in months.values()) == pytest.approx(float(10**6 * expected.total), abs=HUNDREDTH)


def test_the_dynamic_tariff_without_any_spot_price_bills_the_typical_one() -> None:
    metered, _ = made_up(TARIFFS["dynamic_half_hours"], "Easter")
    compare(TARIFFS["dynamic_half_hours"], metered, [])


# ---- the second opinion itself, by hand


def test_easter_sundays_are_those_of_the_almanac() -> None:
    # Astronomical Applications Department, US Naval Observatory: "The Date of Easter".
    known = ["2000-04-23", "2008-03-23", "2011-04-24", "2019-04-21", "2024-03-31", "2025-04-20", "2026-04-05"]
    known += ["2027-03-28", "2028-04-16", "2038-04-25"]
    assert [easter_sunday(date.fromisoformat(day).year).isoformat() for day in known] == known


def test_the_second_opinion_reckons_one_evening_as_by_hand() -> None:
    # 16:30-17:30 in Brussels, a Monday in November: 2 kWh, half of it before the peak begins at 17:00.
    metered = [Metered(datetime(2026, 11, 2, 15, 30, tzinfo=UTC), 60, 2000.0, 100.0)]
    file = TARIFFS["three_windows_past_midnight"] | {
        "vat_percent": 10,
        "fixed_per_month": 3.0,
        "tiers": {"period": "day", "steps": [{"up_to_kwh": 1.5, "add": 0.0}, {"add": 0.2}]},
        "demand": [{"name": "peak", "per_kw_month": 4.0, "least_kw": 2.5}],
    }
    found = oracle_bill(file, metered)
    assert found.energy == Fraction("0.71") and found.earned == Fraction("0.005") and found.tiers == Fraction("0.1")
    assert found.demand == 10 and found.fixed == Fraction("0.35")
    assert found.total == (Fraction("0.71") + Fraction("0.1") + 10 + Fraction("0.35")) * Fraction("1.1") - Fraction(
        "0.005"
    )


def test_in_the_second_opinion_half_an_interval_of_a_window_counts_over_the_whole_window() -> None:
    # 3 kWh in 30 minutes of an hour's window: 3 kW, not 6.
    metered = [Metered(datetime(2026, 11, 2, 12, 0, tzinfo=UTC), 30, 3000.0)]
    found = oracle_bill(TARIFFS["demand_hour_mean_of_3"], metered)
    assert found.peaks_kw == {("capacity", (2026, 11)): 3} and found.demand == 22
