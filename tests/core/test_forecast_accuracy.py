"""How well a day was foretold, and forecasts in longer slots."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from gateway.core.learning.accuracy import day_accuracy
from gateway.model.foretold import ForetoldDay
from gateway.model.plan import Forecast

START = datetime(2026, 6, 1, tzinfo=UTC)
TOLD = ForetoldDay(date(2026, 6, 1), "load", START, (500.0,) * 96, (400.0,) * 96, (600.0,) * 96)


def test_errors_bias_coverage_and_skill_of_a_day():
    came = np.where(np.arange(96) < 48, 450.0, 250.0)
    found = day_accuracy(TOLD, came, np.full(96, 850.0))
    assert found is not None
    assert (found.quarters, found.mae_w, found.bias_w, found.coverage) == (96, 150.0, 150.0, 0.5)
    assert found.came_w == 350.0
    assert found.rmse_w == pytest.approx(np.sqrt((50**2 + 250**2) / 2))
    assert found.skill == pytest.approx(1 - found.rmse_w / np.sqrt((400**2 + 600**2) / 2))


def test_only_what_was_measured_counts_and_without_a_week_before_there_is_no_skill():
    came = np.full(96, np.nan)
    assert day_accuracy(TOLD, came, came) is None
    came[:4] = 500.0
    found = day_accuracy(TOLD, came, np.full(96, np.nan))
    assert found is not None and (found.quarters, found.mae_w, found.skill) == (4, 0.0, None)


def test_a_forecast_in_hours_has_the_means_of_its_quarters_and_leaves_a_rest_out():
    forecast = Forecast("load", START, 900, (1.0, 2.0, 3.0, 6.0, 9.0), (0.0,) * 5, (), "W")
    hours = forecast.by(3600)
    assert (hours.step_s, hours.mean, hours.low, hours.high) == (3600, (3.0,), (0.0,), ())
    assert forecast.by(900) == forecast
    with pytest.raises(ValueError, match="no multiple"):
        forecast.by(1000)
