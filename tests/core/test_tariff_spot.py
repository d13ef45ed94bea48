"""Prices that follow a spot series: added, taxed, cut at its points, and stood in for where nobody tells."""

from __future__ import annotations

from datetime import UTC, timedelta
from itertools import pairwise

import pytest

from gateway.core.tariff.bill import bill
from gateway.core.tariff.rates import price_at, price_edges, prices
from gateway.model.tariff import BillKind
from tests.core.tariff_world import FLAT, local, make, run, spot

DYNAMIC = {"name": "dynamic", "import": 0.10, "spot_factor": 1.5, "export": -0.01, "export_spot_factor": 0.9,
           "spot_typical": 0.08}  # fmt: skip
NOON = local("2026-11-21 12:00")
TARIFF = make(rates=[DYNAMIC], vat_percent=20)


def test_the_spot_price_is_added_and_taxed_on_what_is_bought_only() -> None:
    rate = price_at(TARIFF, NOON, spot(NOON, [0.20]))
    assert rate.import_micro_per_kwh == round((0.10 + 1.5 * 0.20) * 1.2 * 1e6)
    assert rate.export_micro_per_kwh == round((-0.01 + 0.9 * 0.20) * 1e6)
    assert (rate.spot_factor, rate.export_spot_factor) == (0, 0)


@pytest.mark.parametrize(
    "told",
    [None, spot(NOON, [None, 0.5]), spot(NOON, [0.5], currency="USD"), spot(NOON, [float("nan")])],
    ids=["no series", "a gap", "another currency", "not a number"],
)
def test_where_nobody_tells_the_spot_price_the_typical_one_stands_in(told: object) -> None:
    assert price_at(TARIFF, NOON, told).import_micro_per_kwh == round((0.10 + 1.5 * 0.08) * 1.2 * 1e6)  # type: ignore[arg-type]
    assert prices(TARIFF, [NOON], [900], told)[0][0] == pytest.approx((0.10 + 1.5 * 0.08) * 1.2 * 1e6)  # type: ignore[arg-type]


def test_a_tariff_that_follows_no_spot_price_does_not_mind_one() -> None:
    flat = make()
    assert price_at(flat, NOON, spot(NOON, [9.0])) == flat.rates[0]
    assert price_edges(flat, NOON, NOON + timedelta(hours=3), spot(NOON, [1, 2, 3])) == []


def test_slots_are_the_mean_over_time_of_the_quarter_hours_in_them() -> None:
    series = spot(NOON, [0.0, 0.1, 0.2, 0.3], seconds=900)
    bought, sold = prices(TARIFF, [NOON, NOON + timedelta(minutes=5)], [3600, 600], series)
    assert bought.tolist() == pytest.approx([(0.10 + 1.5 * 0.15) * 1.2e6, (0.10 + 0.0) * 1.2e6])
    assert sold.tolist() == pytest.approx([(-0.01 + 0.9 * 0.15) * 1e6, -0.01e6])


def test_between_two_edges_a_spot_price_never_changes() -> None:
    tariff = make(rates=[{**DYNAMIC, "name": "night", "from": "22:00", "to": "06:00", "import": 0.05}, DYNAMIC])
    series = spot(NOON, [0.1, None, -0.2, 0.3, None, None, 0.1])
    end = NOON + timedelta(hours=30)
    cuts = [NOON, *price_edges(tariff, NOON, end, series), end]
    for low, high in pairwise(cuts):
        assert low < high
        last = high - timedelta(seconds=1)
        assert price_at(tariff, low, series) == price_at(tariff, last, series)


def test_a_bill_pays_for_import_at_a_negative_price_and_charges_for_export() -> None:
    # given 2 kWh bought at -0.30 (0.10 + 1.5 x -0.2667) and 1 kWh sold at a negative price
    series = spot(NOON, [-0.4])
    found = bill(TARIFF, run(NOON, [2000.0, 2000.0, 2000.0, 2000.0]), series)
    assert found.of(BillKind.IMPORT) == round(2 * (0.10 - 0.6) * 1e6)
    assert found.micro == round(2 * (0.10 - 0.6) * 1.2 * 1e6)
    sold = bill(TARIFF, run(NOON, [-1000.0] * 4), series)
    assert sold.micro == sold.of(BillKind.EXPORT) == round((0.01 + 0.36) * 1e6)


def test_an_hour_of_the_meter_is_shared_by_the_quarter_hours_of_the_market() -> None:
    series = spot(NOON, [0.0, 0.0, 0.0, 0.4], seconds=900)
    found = bill(make(rates=[{**DYNAMIC, "spot_factor": 1.0}]), run(NOON, [4000.0], seconds=3600), series)
    assert found.micro == round(4 * 0.10 * 1e6 + 0.4 * 1e6)


def test_prices_of_each_instant_and_of_arrays_are_the_same() -> None:
    tariff = make(
        rates=[{**DYNAMIC, "name": "evening", "from": "17:00", "to": "21:00", "import": 0.2}, DYNAMIC, FLAT][:2]
    )
    series = spot(NOON, [0.1, 0.2, None, -0.1] * 8)
    starts = [NOON.astimezone(UTC) + timedelta(minutes=15 * n) for n in range(128)]
    bought, sold = prices(tariff, starts, [900.0] * 128, series)
    rates = [price_at(tariff, start, series) for start in starts]
    assert bought.tolist() == pytest.approx([rate.import_micro_per_kwh for rate in rates], abs=1)
    assert sold.tolist() == pytest.approx([rate.export_micro_per_kwh for rate in rates], abs=1)
