"""What the signals of all events mean: limits of the site and its devices, prices, and words for the owner.

timeline   |-- SIMPLE 1 (whole home) --------------|     |-- IMPORT_CAPACITY_LIMIT 4 kW --|
                  |-- SIMPLE 3 (target "car") --|
car        |min.  |========= pause =============|min.|return|
tank       |============ no reheating ==============|return|
site                                                       |======= import <= 4000 W =======|
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.core.demand_response.capacity import capacity_limits
from gateway.core.demand_response.device_limits import ACTING, device_limits
from gateway.core.demand_response.kinds import KWH_PER, PRICES, number
from gateway.core.demand_response.returning import STEP, returns
from gateway.core.demand_response.strategies import Strategies
from gateway.model.dr import PricePoint, Signal, Timeline
from gateway.model.setpoint import Limit
from gateway.model.site import Site


def to_limits(timeline: Timeline, now: datetime, strategies: Strategies, *, site: Site) -> list[Limit]:
    """The limits in force at `now` and later, in order of start, without overlap within a kind and device.

    A signal whose targets name devices of the site (by id or name) binds those only; other targets are groups of the
    utility's and mean the whole home. Levels outside 0-3 and values without a usable unit are left out, never clamped.
    """
    over = now - timedelta(seconds=strategies.return_s) - STEP
    signals = [s for s in timeline.signals if s.end is None or s.end > over]
    limits = list(capacity_limits(signals, site, now))
    for device in site.of_role(*ACTING):
        limits += device_limits(signals, device, strategies, site, now)
    limits += list(returns(limits, site, strategies.return_s))
    held = [limit for limit in limits if limit.end > now]
    return sorted(held, key=lambda limit: (limit.start, limit.kind, limit.device))


def prices(timeline: Timeline, currency: str = "") -> list[PricePoint]:
    """Prices in micro-units per kWh and GHG in g/kWh, in order of start.

    A price without units of energy, or in another currency than `currency` (when both are known), is left out.
    """
    points: list[PricePoint] = []
    for signal in timeline.signals:
        value = number(signal.values[0]) if signal.values else None
        if value is None:
            continue
        if signal.kind in PRICES:
            points += _price(signal, value, currency)
        elif signal.kind == "GHG" and signal.unit.upper() in ("", "GHG", "G/KWH"):
            points.append(PricePoint("GHG", value, signal.start, signal.end, "", signal.event))
    return points


def _price(signal: Signal, value: float, currency: str) -> list[PricePoint]:
    per_kwh = KWH_PER.get(signal.unit.upper())
    foreign = bool(currency and signal.currency and signal.currency.upper() != currency.upper())
    if per_kwh is None or foreign:
        return []
    micro = float(round(value / per_kwh * 1e6))
    return [PricePoint(signal.kind, micro, signal.start, signal.end, signal.currency or currency, signal.event)]


def alerts(timeline: Timeline, now: datetime) -> list[tuple[str, str]]:
    """The utility's alerts in force as (text, level); the level is "warning", or "alarm" for an emergency."""
    found = []
    for signal in timeline.at(now):
        if signal.kind.startswith("ALERT_"):
            title = signal.kind.removeprefix("ALERT_").replace("_", " ").lower()
            words = ". ".join(str(value) for value in signal.values if value)
            urgent = signal.kind in ("ALERT_GRID_EMERGENCY", "ALERT_BLACK_START")
            text = f"{'Test: ' if signal.test else ''}Alert of the utility, {title}{': ' + words if words else ''}"
            found.append((text, "alarm" if urgent else "warning"))
    return found
