"""The outdoor forecast: the weather service's where it tells, the home's own last day elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.model.plan import Forecast
from gateway.model.series import Point, Series, SeriesKind
from gateway.runtime.outdoor import told_outdoor

NOW = datetime(2026, 11, 21, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
OWN = Forecast("outdoor", NOW, 3600, (8.0, 8.0, 8.0, 8.0), unit="°C", method="the last day again")


def told(*points: Point) -> Series:
    return Series(SeriesKind.TEMPERATURE, points, "sky", NOW)


def test_each_hour_has_the_value_of_its_middle_and_hours_nobody_tells_keep_the_homes_own() -> None:
    noon = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
    forecast = told_outdoor(told(Point(noon, noon + HOUR, 4.0), Point(noon + HOUR, noon + 2 * HOUR, -1.5)), OWN, NOW)
    assert forecast.mean == (4.0, -1.5, 8.0, 8.0)
    assert (forecast.start, forecast.step_s, forecast.unit, forecast.method) == (NOW, 3600, "°C", "told by sky")


def test_without_a_word_about_these_hours_the_homes_own_forecast_holds() -> None:
    assert told_outdoor(None, OWN, NOW) is OWN
    assert told_outdoor(told(Point(NOW - 3 * HOUR, NOW - HOUR, 4.0)), OWN, NOW) is OWN
