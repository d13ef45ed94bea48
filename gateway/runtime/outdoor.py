"""The outdoor temperature of the hours to come: as the weather service tells it, else the home's own last day."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.model.plan import Forecast
from gateway.model.series import Series

STEP_S = 3600


def told_outdoor(told: Series | None, own: Forecast, now: datetime) -> Forecast:
    """The forecast of degC per hour from `now` on, with `own` (from `now`, hourly) in the hours that nobody tells."""
    if told is None:
        return own
    hours = [now + timedelta(seconds=STEP_S * hour) for hour in range(len(own.mean))]
    middles = [told.at(hour + timedelta(seconds=STEP_S / 2)) for hour in hours]
    if all(value is None for value in middles):
        return own
    mean = tuple(own_c if value is None else value for value, own_c in zip(middles, own.mean, strict=True))
    return Forecast("outdoor", now, STEP_S, mean, unit=own.unit, method=f"told by {told.source}")
