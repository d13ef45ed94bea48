"""What a kWh costs for the ledger: the utility's signal while it holds, else the tariff."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gateway.core.tariff.ledger import Prices
from gateway.model.authority import Authority
from gateway.model.dr import Signal, Timeline
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.tariff import Rate, Tariff
from gateway.runtime.ledger_prices import LedgerPrices
from tests.core.homes import SITE
from tests.fakes import START

TARIFF = Tariff("t", "T", "EUR", SITE.timezone, (Rate("flat", 300_000, 80_000),))
HOUR = timedelta(hours=1)
PRICE = Signal(
    "PRICE", (0.12,), "KWH", START + HOUR, START + 2 * HOUR, "e", "p", 0, None, Authority.PLAN, currency="EUR"
)
GHG = replace(PRICE, kind="GHG", values=(90.0,), unit="GHG", end=None, currency="")


def test_a_signal_replaces_the_tariffs_price_while_it_holds_and_its_edges_cut_slices() -> None:
    told = LedgerPrices(SITE, TARIFF, lambda: Timeline((PRICE, GHG)))
    assert told.at(START) == Prices(300_000, 80_000, SITE.co2_g_per_kwh)
    assert told.at(START + HOUR) == Prices(120_000, 80_000, 90.0)
    assert told.at(START + 2 * HOUR) == Prices(300_000, 80_000, 90.0)
    assert {START + HOUR, START + 2 * HOUR} <= set(told.edges(START, START + 3 * HOUR))


def test_the_spot_price_of_now_is_in_the_price_and_its_points_cut_slices() -> None:
    dynamic = replace(TARIFF, rates=(Rate("dynamic", 100_000, 0, spot_factor=1.0, export_spot_factor=1.0),))
    points = (Point(START, START + HOUR, 50_000.0), Point(START + HOUR, START + 2 * HOUR, -20_000.0))
    series = Series(SeriesKind.SPOT, points, "market", START, "EUR")
    told = LedgerPrices(SITE, dynamic, lambda: Timeline(()), lambda: series)
    assert told.at(START) == Prices(150_000, 50_000, SITE.co2_g_per_kwh)
    assert told.at(START + HOUR) == Prices(80_000, -20_000, SITE.co2_g_per_kwh)
    assert {START + HOUR, START + 2 * HOUR} <= set(told.edges(START, START + 3 * HOUR))
