"""What the planner is asked. Light to import: no numpy, no solver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.model.dr import PricePoint
from gateway.model.learned import DrawPattern, ThermalModel
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
    peak_so_far_w: float = 0.0
    """The highest quarter hour of import of the year so far, W: up to there the plan may go without being a new peak."""
    can_curtail: bool = False
    """Whether the plan's cut of the sun is carried out; else what is not used is sold, at whatever price."""
    thermal: Mapping[str, ThermalModel] = field(default_factory=dict)
    """What was learned of the heat of each pump's home, by device id; else the site file's values."""
    irradiance: Series | None = None
    """Global horizontal irradiance, W/m2: the sun of homes whose heat was learned by it."""
    draws: Mapping[str, DrawPattern] = field(default_factory=dict)
    """What was learned of each tank's hot water, by device id; else a usual day's."""
