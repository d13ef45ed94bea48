"""Forecasts: better than yesterday, honest about their band, calm about gaps, changed clocks and odd days."""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.learning.forecast import forecast_load, forecast_solar
from gateway.core.learning.sun import clear_sky_w_m2
from gateway.model.plan import Forecast
from gateway.model.reading import Interval, IntervalQuality

BRUSSELS = ZoneInfo("Europe/Brussels")
NOW = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
REAL_HOME = Path(__file__).parent.parent / "data" / "opengrid_og_3aa4_hourly_w.csv"


def history(power_w, days: int, now: datetime = NOW, device: str = "house") -> list[Interval]:
    """Intervals of `days` days before `now`; `power_w` is a function of the start."""
    starts = [now - timedelta(minutes=15 * n) for n in range(days * 96, 0, -1)]
    return [interval(device, start, power_w(start)) for start in starts]


def interval(device: str, start: datetime, power_w: float | None) -> Interval:
    if power_w is None:
        return Interval(device, start, 900, None, None, IntervalQuality.MISSING, "")
    wh = power_w / 4
    return Interval(device, start, 900, max(wh, 0.0), max(-wh, 0.0), IntervalQuality.VALID, "counter")


def evening(start: datetime) -> float:
    return 2000.0 if 18 <= start.astimezone(BRUSSELS).hour < 21 else 300.0


def sound(forecast: Forecast, slots: int) -> None:
    assert len(forecast.mean) == len(forecast.low) == len(forecast.high) == slots
    assert all(math.isfinite(x) for x in (*forecast.mean, *forecast.low, *forecast.high))
    assert all(a <= b + 1e-9 <= c + 2e-9 for a, b, c in zip(forecast.low, forecast.mean, forecast.high, strict=True))


@pytest.mark.parametrize("days", [1, 3, 9, 15, 40, 70])
def test_a_home_that_repeats_itself_is_foreseen(days):
    forecast = forecast_load(history(evening, days), NOW, BRUSSELS)
    sound(forecast, 192)
    assert forecast.start == NOW
    at_nine = forecast.at(datetime(2026, 5, 2, 9, 0, tzinfo=UTC))
    at_seven_pm = forecast.at(datetime(2026, 5, 2, 17, 30, tzinfo=UTC))
    assert at_nine == pytest.approx(300, abs=60) and at_seven_pm == pytest.approx(2000, abs=250)


def test_before_anything_was_measured_the_shipped_shape_is_used_with_a_wide_band():
    forecast = forecast_load([], NOW, BRUSSELS)
    sound(forecast, 192)
    assert forecast.method == "shipped shape"
    assert forecast.high[0] >= 5 * forecast.low[0] > 0


def test_the_quarter_hour_that_runs_is_the_first_slot():
    assert forecast_load([], NOW + timedelta(minutes=14, seconds=59), BRUSSELS).start == NOW


def test_across_the_change_of_the_clock_the_evening_stays_in_the_evening():
    now = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    forecast = forecast_load(history(evening, 40, now), now, BRUSSELS)
    sound(forecast, 192)
    # 19:30 local is 17:30 UTC before the change and 18:30 UTC after it.
    assert forecast.at(datetime(2026, 10, 24, 17, 30, tzinfo=UTC)) == pytest.approx(2000, abs=300)
    assert forecast.at(datetime(2026, 10, 25, 18, 30, tzinfo=UTC)) == pytest.approx(2000, abs=300)
    assert forecast.at(datetime(2026, 10, 25, 16, 30, tzinfo=UTC)) == pytest.approx(300, abs=300)


def test_one_mad_day_cannot_blow_the_forecast_up():
    mad = NOW - timedelta(days=1)
    forecast = forecast_load(history(lambda t: 30_000.0 if t >= mad else evening(t), 40), NOW, BRUSSELS)
    sound(forecast, 192)
    assert max(forecast.mean) <= 30_000
    assert np.mean(forecast.mean[96:]) < 10_000


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0, 0.95))
def test_any_history_with_any_gaps_gives_a_sound_forecast(seed, days, missing):
    draw = np.random.default_rng(seed)
    rows = history(lambda _: None if draw.random() < missing else float(draw.gamma(0.3, 1000)), days)
    known = [i.net_wh * 4 for i in rows if i.net_wh is not None]
    forecast = forecast_load(rows, NOW, BRUSSELS)
    sound(forecast, 192)
    assert not known or max(forecast.mean) <= max(known) + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("silence_days", [2, 10, 27, 60])
def test_one_day_of_old_history_and_nothing_since_gives_a_sound_forecast(silence_days):
    """Wrong before: no residual at all was an error, and learning stood still until a fourth day was measured."""
    past = history(evening, 1, NOW - timedelta(days=silence_days))
    sound(forecast_load(past, NOW, BRUSSELS), 192)


@pytest.mark.slow
def test_on_a_real_home_it_beats_the_same_as_yesterday_and_its_band_holds():
    hourly = [float(row["load_w"]) for row in csv.DictReader(_data_lines())]
    start = datetime(2015, 12, 31, 23, 0, tzinfo=UTC)
    rows = [interval("house", start + timedelta(minutes=15 * n), hourly[n // 4]) for n in range(len(hourly) * 4)]
    ours, yesterday, inside = [], [], []
    for day in range(63, len(hourly) // 24):
        now, truth = start + timedelta(days=day), np.repeat(hourly[24 * day : 24 * day + 24], 4)
        forecast = forecast_load(rows[: day * 96], now, BRUSSELS, hours=24)
        ours += ((np.array(forecast.mean) - truth) ** 2).tolist()
        yesterday += ((np.repeat(hourly[24 * day - 24 : 24 * day], 4) - truth) ** 2).tolist()
        inside += ((truth >= np.array(forecast.low)) & (truth <= np.array(forecast.high))).tolist()
    assert np.sqrt(np.mean(ours) / np.mean(yesterday)) < 0.85
    assert 0.65 < np.mean(inside) < 0.92


def _data_lines() -> list[str]:
    return [line for line in REAL_HOME.read_text().splitlines() if not line.startswith("#")]


def sunny(factor: float = 1.0, west: bool = False):
    def power(start: datetime) -> float:
        at = start.timestamp() + 450 - (7200 if west else 0)
        return -4.0 * factor * float(clear_sky_w_m2(np.array([at]), 50.85, 4.35)[0])

    return power


def test_the_clear_sky_is_dark_at_night_and_brightest_at_solar_noon():
    day = datetime(2026, 6, 21, tzinfo=UTC).timestamp() + np.arange(96) * 900.0
    sky = clear_sky_w_m2(day, 50.85, 4.35)
    assert sky[:12].max() == 0
    assert 850 < sky.max() < 1000
    # Solar noon in Brussels in June: 11:44 UTC.
    assert abs(int(sky.argmax()) - 47) <= 1
    winter = clear_sky_w_m2(datetime(2026, 12, 21, 11, 40, tzinfo=UTC).timestamp() + np.zeros(1), 50.85, 4.35)
    assert 200 < winter[0] < 330


@pytest.mark.parametrize("west", [False, True])
def test_clear_days_promise_a_clear_day_whatever_the_roofs_direction(west):
    forecast = forecast_solar(history(sunny(west=west), 20, device="solar"), NOW, BRUSSELS, 50.85, 4.35)
    sound(forecast, 192)
    truth = np.array([sunny(west=west)(NOW + timedelta(minutes=15 * n)) for n in range(192)])
    mean = np.array(forecast.mean)
    assert mean.max() <= 0.0
    assert abs(mean - truth).mean() < 0.06 * abs(truth).mean() + 20


def test_changing_weather_widens_the_band_and_low_is_much_sun():
    def weather(start: datetime) -> float:
        return sunny(0.2 if start.toordinal() % 2 else 1.0)(start)

    forecast = forecast_solar(history(weather, 20, device="solar"), NOW, BRUSSELS, 50.85, 4.35)
    sound(forecast, 192)
    noon = 96 + 6
    assert forecast.low[noon] < 1.3 * forecast.mean[noon] < 0
    assert forecast.high[noon] > 0.6 * forecast.mean[noon]


@pytest.mark.parametrize("rows", [[], history(lambda _: 0.0, 5), history(lambda _: None, 5)])
def test_without_solar_history_nothing_is_promised(rows):
    forecast = forecast_solar(rows, NOW, BRUSSELS, 50.85, 4.35)
    sound(forecast, 192)
    assert set(forecast.mean) == {0.0}
