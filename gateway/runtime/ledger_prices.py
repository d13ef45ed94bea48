"""What a kWh costs and emits when, for the ledger: the utility's signals where there are any, else the tariff."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.core.demand_response.response import prices as signalled
from gateway.core.tariff.ledger import Prices
from gateway.core.tariff.rates import price_at, price_edges
from gateway.model.dr import PricePoint, Timeline
from gateway.model.series import Series
from gateway.model.site import Site
from gateway.model.tariff import Tariff


@dataclass(frozen=True, slots=True)
class LedgerPrices:
    """Prices in micro-units and g CO2 per kWh; `timeline` gives the resolved signals, `spot` the spot prices of now."""

    site: Site
    tariff: Tariff
    timeline: Callable[[], Timeline]
    spot: Callable[[], Series | None] = lambda: None
    carbon: Callable[[], Series | None] = lambda: None

    def at(self, when: datetime) -> Prices:
        """The prices in force at an instant; past ones too, as far as the tariff and the timeline still tell."""
        rate, told = price_at(self.tariff, when, self.spot()), self._told(when)
        return Prices(
            round(told.get("PRICE", rate.import_micro_per_kwh)),
            round(told.get("EXPORT_PRICE", rate.export_micro_per_kwh)),
            told.get("GHG", self._carbon(when)),
        )

    def _carbon(self, when: datetime) -> float:
        series = self.carbon()
        told = series.at(when) if series is not None else None
        return self.site.co2_g_per_kwh if told is None else max(0.0, told)

    def edges(self, start: datetime, end: datetime) -> list[datetime]:
        """The instants inside (start, end) at which another price may begin, sorted."""
        marks = {edge for point in self._points() for edge in (point.start, point.end) if edge is not None}
        edges = price_edges(self.tariff, start, end, self.spot())
        return sorted({*edges, *(mark for mark in marks if start < mark < end)})

    def _points(self) -> list[PricePoint]:
        return signalled(self.timeline(), self.site.currency)

    def _told(self, when: datetime) -> dict[str, float]:
        return {
            point.kind: point.value
            for point in self._points()
            if point.start <= when and (point.end is None or when < point.end)
        }
