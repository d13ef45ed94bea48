"""What the planner is asked. Light to import: no numpy, no solver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.dr import PricePoint
from gateway.model.plan import Forecast
from gateway.model.preferences import Preferences
from gateway.model.series import Series
from gateway.model.setpoint import Limit
from gateway.model.site import Site
from gateway.model.snapshot import Snapshot
from gateway.model.tariff import Tariff, ToDate

NOTHING_YET = ToDate()
UNEVEN_STEPS = ((3.0, 300), (24.0, 900), (48.0, 3600))
"""Up to 3 h ahead in steps of 5 min, to 24 h of 15 min, to 48 h of 60 min: about 150 slots."""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Everything a plan is made of; the same request always gives the same plan.

    `load` is the uncontrolled house in W (>= 0), `solar` the panels' production in W, zero or negative by the sign
    rule (positive values count as no sun), `outdoor` degC. `price_signals` carry prices ("PRICE", "EXPORT_PRICE") that
    replace the tariff's, and carbon intensities ("GHG", g/kWh) that replace `co2_g_per_kwh`.
    """

    site: Site
    snapshot: Snapshot
    load: Forecast
    solar: Forecast
    outdoor: Forecast | None
    tariff: Tariff
    preferences: Preferences
    limits: tuple[Limit, ...]
    price_signals: tuple[PricePoint, ...]
    co2_g_per_kwh: float
    now: datetime
    cause: str
    time_limit_s: float = 2.0
    """For each solution of the optimiser, s of the world's time."""
    steps: tuple[tuple[float, int], ...] = UNEVEN_STEPS
    """(up to this many hours ahead, step in s), ascending; the last one is the horizon."""
    spot: Series | None = None
    """Spot prices, where the tariff follows them; where it says nothing the tariff's own typical price stands in."""
    carbon: Series | None = None
    """Carbon intensity of the grid, g/kWh; a utility's signal comes before it."""
    to_date: ToDate = NOTHING_YET
    """What tiers and demand charges have counted of the running month so far."""
