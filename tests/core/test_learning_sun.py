"""The sun from what is told of it: learned against forecasts as they were told, honest about them, calm without them."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.core.learning.sun import forecast_solar
from gateway.core.learning.told import KEPT_H, SUN_LEAD_H, Told, hourly
from gateway.model.plan import Forecast
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.series import Point, Series, SeriesKind
from tests.core.heated_home import weather

ZONE, LAT, LON = ZoneInfo("Europe/Brussels"), 50.85, 4.35
NOW = datetime(2026, 3, 20, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS = 40


def truth(seed: int) -> list[float]:
    """Irradiance by the hour for DAYS days from 28 days before NOW on, W/m2."""
    _, quarters = weather(DAYS, seed)
    return [sum(quarters[4 * hour : 4 * hour + 4]) / 4 for hour in range(DAYS * 24)]


def told(values: list[float], fetched: datetime = NOW, source: str = "Sky") -> Series:
    first = NOW - timedelta(days=28)
    points = tuple(Point(first + HOUR * n, first + HOUR * (n + 1), value) for n, value in enumerate(values))
    return Series(SeriesKind.IRRADIANCE, points, source, fetched)


def made(light: list[float], until: datetime, watts_per: float = 5.0) -> list[Interval]:
    """What panels made of each hour, as quarter hours before `until`; the afternoon is shaded."""
    first, rows = NOW - timedelta(days=28), []
    for quarter in range(int((until - first).total_seconds() // 900)):
        start = first + timedelta(minutes=15 * quarter)
        wh = light[quarter // 4] * watts_per * (0.4 if start.hour >= 14 else 1.0) / 4
        rows.append(Interval("solar", start, 900, 0.0, wh, IntervalQuality.VALID, "counter"))
    return rows


def forecast(light: list[float], said: list[float], now: datetime = NOW) -> Forecast:
    kept = Told().noted(told(said), now, SUN_LEAD_H)
    return forecast_solar(made(light, now), now, ZONE, LAT, LON, told=told(said), kept=kept)


def rmse(found: Forecast, light: list[float], now: datetime = NOW) -> float:
    """Of the first day, in means of hours, W."""
    at = int((now - (NOW - timedelta(days=28))).total_seconds() // 3600)
    hours = -np.array(found.mean[:96]).reshape(24, 4).mean(axis=1)
    real = [light[at + n] * 5.0 * (0.4 if (now + HOUR * n).hour >= 14 else 1.0) for n in range(24)]
    return float(np.sqrt(np.mean((hours - np.array(real)) ** 2)))


def test_a_forecast_that_comes_true_is_followed_hour_by_hour_with_the_roof_s_own_shade():
    light = truth(1)
    found = forecast(light, light)
    assert "Sky" in found.method and max(found.mean) <= 0
    peak = 5.0 * max(light[28 * 24 : 29 * 24])
    assert rmse(found, light) < 0.1 * peak
    assert all(a <= b + 1e-9 <= c + 2e-9 for a, b, c in zip(found.low, found.mean, found.high, strict=True))


def test_it_knows_the_dull_day_that_the_clear_sky_does_not():
    light = truth(2)
    light[28 * 24 : 29 * 24] = [0.15 * value for value in light[28 * 24 : 29 * 24]]
    blind = forecast_solar(made(light, NOW), NOW, ZONE, LAT, LON)
    assert blind.method == "clear sky scaled by recent days"
    assert rmse(forecast(light, light), light) < 0.3 * rmse(blind, light)


def test_a_service_that_always_promises_too_much_is_scaled_down():
    light = truth(3)
    found = forecast(light, [1.5 * value for value in light])
    assert rmse(found, light) < 0.1 * 5.0 * max(light)


@pytest.mark.slow
def test_a_service_that_errs_gets_a_band_that_holds_four_days_of_five():
    light, dice = truth(4), random.Random(4)
    said = [value * min(3.0, math.exp(dice.gauss(0, 0.5))) for value in light]
    inside, count = 0, 0
    for day in range(10):
        now = NOW + timedelta(days=day)
        found = forecast(light, said, now)
        at = 28 * 24 + 24 * day
        for quarter in range(96):
            hour = (now + timedelta(minutes=15 * quarter)).hour
            real = -light[at + quarter // 4] * 5.0 * (0.4 if hour >= 14 else 1.0)
            if light[at + quarter // 4] > 40:
                inside += found.low[quarter] - 1e-9 <= real <= found.high[quarter] + 1e-9
                count += 1
    assert count > 100 and 0.72 <= inside / count <= 0.92


@pytest.mark.parametrize("said", [[], [300.0] * 24], ids=["nothing kept", "one day kept"])
def test_before_a_few_days_are_known_the_clear_sky_stands_in(said):
    light = truth(5)
    kept = Told().noted(told(said), NOW, SUN_LEAD_H)
    found = forecast_solar(made(light, NOW), NOW, ZONE, LAT, LON, told=told(light), kept=kept)
    assert found.method == "clear sky scaled by recent days"


def test_where_the_service_tells_only_tomorrow_the_day_after_follows_the_clear_sky():
    light = truth(6)
    short = told(light[: 29 * 24])
    kept = Told().noted(told(light), NOW, SUN_LEAD_H)
    both = forecast_solar(made(light, NOW), NOW, ZONE, LAT, LON, told=short, kept=kept)
    blind = forecast_solar(made(light, NOW), NOW, ZONE, LAT, LON)
    assert both.mean[96:] == blind.mean[96:] and both.mean[:96] != blind.mean[:96]


def test_each_hour_is_noted_once_as_it_was_told_half_a_day_before():
    first = Told().noted(told([100.0] * DAYS * 24), NOW, SUN_LEAD_H)
    later = first.noted(told([500.0] * DAYS * 24), NOW + 3 * HOUR, SUN_LEAD_H)
    assert later.values[:-3] == first.values[-len(later.values) + 3 :]
    assert later.values[-3:] == (500.0, 500.0, 500.0)
    assert later.end_hour == int((NOW + 15 * HOUR).timestamp()) // 3600


def test_what_is_kept_is_bounded_small_and_survives_a_restart():
    noted = Told()
    for week in range(12):
        noted = noted.noted(told([987.654] * DAYS * 24), NOW - timedelta(days=20) + timedelta(days=week), 12)
    assert len(noted.values) <= KEPT_H
    document = noted.to_document()
    assert Told.from_document(document) == noted
    assert len(str(document)) < 8_000


@pytest.mark.parametrize("document", [None, {}, {"values": ["x"]}, {"values": [1.0]}, {"first_hour": 1, "values": 3}])
def test_a_document_that_cannot_be_read_is_none(document):
    assert Told.from_document(document) == Told()


def test_an_hour_that_is_told_in_part_is_not_known():
    start = datetime(2026, 3, 20, 10, tzinfo=UTC)
    series = Series(SeriesKind.IRRADIANCE, (Point(start, start + timedelta(minutes=45), 400.0),), "Sky", NOW)
    assert hourly(series, int(start.timestamp()) // 3600) is None


@pytest.mark.parametrize("ahead_days", [1, 40, 3650])
def test_what_a_clock_that_was_ahead_noted_is_dropped(ahead_days: int):
    """Wrong before: after one look of a hub that woke in the future, nothing was noted until that time had come."""

    def at(hours: int) -> tuple[Series, datetime]:
        return told([5.0] * DAYS * 24), NOW - timedelta(days=20) + timedelta(hours=hours)

    kept = Told()
    for hour in range(0, 96, 6):
        kept = kept.noted(*at(hour), keep_days=True)
    woken = kept.noted(at(96)[0], at(96)[1] + timedelta(days=ahead_days), keep_days=True)
    for hour in range(96, 240, 6):
        woken = woken.noted(*at(hour), keep_days=True)
    start = at(96)[1]
    assert np.isfinite(woken.quarters(start, 138 * 4)).all() and woken.end_hour == int(at(234)[1].timestamp()) // 3600
    assert woken.first_day + len(woken.days) <= woken.end_hour // 24


@pytest.mark.parametrize("behind_days", [2, 40, 200])
def test_a_clock_that_is_behind_for_a_moment_costs_nothing_of_what_is_kept(behind_days: int):
    """A hub without a battery for its clock wakes at the date of its last save until the time is told."""
    kept = Told()
    for hour in range(0, 240, 6):
        kept = kept.noted(told([5.0] * DAYS * 24), NOW - timedelta(days=20) + HOUR * hour, keep_days=True)
    now = NOW - timedelta(days=20) + HOUR * 240
    woken = kept
    for minute in (0, 30, 300):
        at = now - timedelta(days=behind_days) + timedelta(minutes=minute)
        woken = woken.noted(told([5.0] * DAYS * 24), at, keep_days=True)
    assert (woken.values, woken.days) == (kept.values, kept.days)
    assert woken.noted(told([5.0] * DAYS * 24), now, keep_days=True) == kept.noted(
        told([5.0] * DAYS * 24), now, keep_days=True
    )
