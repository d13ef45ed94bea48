"""The load model: it learns a day at a time, keeps what it knows in a few KiB, and nothing odd throws it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.core.learning.blocks import Blocks, at_midnight, to_blocks
from gateway.core.learning.features import features
from gateway.core.learning.forecast import forecast_load
from gateway.core.learning.load_learning import fit, learn
from gateway.core.learning.load_model import SHIPPED, LoadModel
from gateway.model.reading import Interval, IntervalQuality

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


def blocks_of(power: np.ndarray) -> Blocks:
    """Rows of days that begin on a Monday."""
    weekend = np.repeat(((np.arange(len(power) + 1) % 7) >= 5)[:, None], 96, axis=1)
    return Blocks(MONDAY + timedelta(days=len(power)), power, weekend)


def restless(days: int, seed: int = 0) -> np.ndarray:
    """A home whose level wanders slowly and whose evening follows the evening before."""
    draw = np.random.default_rng(seed)
    level = 500 + 200 * np.sin(np.arange(days) / 9)[:, None]
    evening = np.where((np.arange(96) >= 72) & (np.arange(96) < 88), 1.0, 0.0)
    return np.maximum(50, level * (1 + evening) + draw.normal(0, 60, (days, 96)))


def grown(power: np.ndarray, from_day: int) -> LoadModel:
    first = MONDAY.toordinal()
    model = fit(blocks_of(power[:from_day]), first + from_day - 1)
    for day in range(from_day, len(power)):
        model = learn(model, blocks_of(power[: day + 1]), first + day)
    return model


def test_a_model_that_learned_nothing_has_the_shipped_weights():
    assert np.allclose(LoadModel().weights, SHIPPED)
    assert LoadModel().shares.sum() == pytest.approx(1.0)


def test_day_by_day_is_the_same_as_the_whole_history_at_once():
    power = restless(40)
    once, daily = fit(blocks_of(power), MONDAY.toordinal() + 39), grown(power, 12)
    assert np.allclose(once.gram, daily.gram) and np.allclose(once.right, daily.right)
    assert np.allclose(once.memory_w, daily.memory_w) and once.day == daily.day


def test_a_restart_between_two_days_changes_nothing_that_matters():
    power = restless(50)
    before = grown(power[:45], 20)
    kept = LoadModel.from_document(json.loads(json.dumps(before.to_document())))
    uninterrupted, restarted = before, kept
    for day in range(45, 50):
        uninterrupted, restarted = (
            learn(model, blocks_of(power[: day + 1]), MONDAY.toordinal() + day) for model in (uninterrupted, restarted)
        )
    assert np.allclose(restarted.weights, uninterrupted.weights, atol=1e-4)
    assert np.allclose(restarted.shares, uninterrupted.shares, atol=1e-3)
    assert restarted.tails == pytest.approx(uninterrupted.tails, abs=0.005)


def test_the_state_of_a_year_stays_below_16_kib():
    model = fit(blocks_of(restless(365)), MONDAY.toordinal() + 364)
    assert len(json.dumps(model.to_document())) < 16 * 1024


@pytest.mark.parametrize(
    "damage",
    [{"version": 0}, {"gram": "no base64!"}, {"right": "AAAA"}, {"tails": [0.1]}, {"judged": "much"}, {"memory": None}],
)
def test_a_damaged_document_is_nothing_learned(damage):
    document = grown(restless(20), 15).to_document() | damage
    assert LoadModel.from_document(document).day == 0
    assert LoadModel.from_document(None).day == 0


def test_the_expert_that_errs_less_gets_the_larger_share():
    power = restless(60)
    even = grown(power, 30)
    worse = LoadModel(errors=np.diag([4.0, 1.0, 4.0]), judged=20.0)
    better = LoadModel(errors=np.diag([1.0, 4.0, 4.0]), judged=20.0)
    assert worse.shares[1] > LoadModel().shares[1] > better.shares[1]
    assert even.judged > 10


def test_a_reset_meter_s_megawatts_teach_nothing():
    power = restless(40)
    odd = power.copy()
    odd[30, 50] = -4e7
    assert np.abs(grown(odd, 20).weights - grown(power, 20).weights).max() < 0.02


def test_a_day_that_nobody_measured_keeps_the_days_in_order():
    power = restless(30)
    power[28:] = np.nan
    model = grown(power, 20)
    assert model.day == MONDAY.toordinal() + 29 and len(model.memory_w) == 30
    assert np.isfinite(model.memory_w).all()


def test_features_of_a_day_know_nothing_of_that_day():
    power = restless(30)
    other = power.copy()
    other[20:] *= 3
    weekend = blocks_of(power).weekend
    here, there = (features(p, weekend, 20, 21) for p in (power, other))
    assert np.array_equal(here.values, there.values) and np.array_equal(here.usual_w, there.usual_w)


def test_features_are_the_same_alone_and_among_many():
    power, weekend = restless(150), blocks_of(restless(150)).weekend
    many, alone = features(power, weekend, 1, 151), features(power, weekend, 140, 141)
    assert np.allclose(many.values[139], alone.values[0])


@pytest.mark.parametrize("quarter", [1, 37, 95])
def test_cut_at_midnight_no_slot_moves(quarter):
    slots = np.arange(5 * 96, dtype=float)
    blocks = Blocks(MONDAY + timedelta(seconds=900 * quarter), slots.reshape(5, 96), np.zeros((7, 96), dtype=bool))
    cut = at_midnight(blocks, quarter)
    assert cut.start == MONDAY
    assert cut.power_w.ravel().tolist() == slots[96 - quarter :][: 4 * 96].tolist()


def test_at_any_hour_the_model_of_midnight_foresees_the_evening():
    rows = _intervals(restless(40))
    midnight = datetime(2026, 7, 10, 22, tzinfo=UTC)
    model = fit(to_blocks(rows, midnight, BERLIN, 1), date(2026, 7, 10).toordinal())
    for hour in (0, 5, 13):
        forecast = forecast_load(rows, midnight + timedelta(hours=hour), BERLIN, model=model)
        evening, morning = (forecast.at(datetime(2026, 7, 11, h, 30, tzinfo=UTC)) for h in (18, 14))
        assert evening is not None and morning is not None and evening > 1.5 * morning


def _intervals(power: np.ndarray) -> list[Interval]:
    """The rows as local days in Berlin from 1 June on."""
    start = datetime(2026, 5, 31, 22, tzinfo=UTC)
    return [
        Interval("house", start + timedelta(seconds=900 * i), 900, w / 4, 0.0, IntervalQuality.VALID, "counter")
        for i, w in enumerate(power.ravel().tolist())
    ]
