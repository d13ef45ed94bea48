"""How the home keeps its heat: found in two weeks, told with its error, and never invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.learning.thermal import CAPACITANCE_WH_PER_K, RESISTANCE_K_PER_W, fit_thermal
from gateway.model.learned import NotLearned, ThermalModel
from tests.core.heated_home import COP, LOSS_W_PER_K, PEOPLE_W, SUN_M2, WH_PER_K, live


def fitted(home: dict[str, np.ndarray], *, sun: bool = True, cop: float = COP) -> ThermalModel:
    light = home["sun"] if sun else None
    model = fit_thermal(home["room"], home["outdoor"], home["power"], cop, light, "irradiance")
    assert isinstance(model, ThermalModel), model
    return model


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_two_weeks_with_a_noisy_sensor_show_resistance_and_capacity_within_a_tenth(seed):
    model = fitted(live(14, seed))
    assert model.resistance_k_per_w == pytest.approx(1 / LOSS_W_PER_K, rel=0.1)
    assert model.capacitance_wh_per_k == pytest.approx(WH_PER_K, rel=0.1)
    assert model.gains_w == pytest.approx(PEOPLE_W, abs=100)
    assert model.sun_gain == pytest.approx(SUN_M2, rel=0.15)
    assert model.days == 14


@pytest.mark.slow
def test_a_day_ahead_the_error_it_tells_is_the_one_it_makes():
    model = fitted(live(14, 1))
    fresh = live(10, 99, noise_k=0.0)
    keep = np.exp(-0.25 / model.time_constant_h)
    errors = []
    for day in range(10):
        rows = slice(day * 96, day * 96 + 96)
        room, out, watt, light = (fresh[name][rows] for name in ("room", "outdoor", "power", "sun"))
        foreseen = float(room[0])
        for index in range(95):
            heat = model.cop * watt[index : index + 2].mean() + model.gains_w + model.sun_gain * light[index]
            goal = out[index] + model.resistance_k_per_w * heat
            foreseen = keep * foreseen + (1 - keep) * goal
        errors.append(foreseen - room[95])
    made = float(np.sqrt(np.mean(np.square(errors))))
    assert made < 0.3 and model.error_k < 0.3


@pytest.mark.slow
def test_without_the_sun_the_model_says_so_and_its_gains_hold_the_mean_of_it():
    model = fitted(live(21, 2), sun=False)
    assert model.sun_from == "" and model.sun_gain == model.sun_w == 0.0
    assert model.gains_w > PEOPLE_W
    assert model.resistance_k_per_w == pytest.approx(1 / LOSS_W_PER_K, rel=0.15)


@pytest.mark.slow
def test_with_another_cop_what_the_plan_needs_stays_the_same():
    """Electricity alone shows R * COP and C / COP: the plan multiplies them back."""
    home = live(10, 3)
    right, wrong = fitted(home), fitted(home, cop=4.0)
    assert wrong.resistance_k_per_w * 4.0 == pytest.approx(right.resistance_k_per_w * COP, rel=1e-6)
    assert wrong.time_constant_h == pytest.approx(right.time_constant_h)
    assert wrong.cop == 4.0 and "site file" in wrong.method


@pytest.mark.slow
def test_a_window_left_open_on_one_day_moves_nothing_much():
    home = live(14, 4)
    home["room"][5 * 96 + 40 : 5 * 96 + 52] -= 4.0
    model = fitted(home)
    assert model.resistance_k_per_w == pytest.approx(1 / LOSS_W_PER_K, rel=0.1)
    assert model.capacitance_wh_per_k == pytest.approx(WH_PER_K, rel=0.12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda home: {name: rows[: 5 * 96] for name, rows in home.items()}, "5 of 7 days"),
        (lambda home: home | {"power": np.zeros_like(home["power"])}, "hardly ran"),
        (lambda home: home | {"outdoor": np.full_like(home["outdoor"], np.nan)}, "0 of 7 days"),
        (lambda home: home | {"room": 40.0 - home["room"]}, "does not fit a home"),
    ],
    ids=["five days", "summer", "no outdoor sensor", "the colder the more it heats"],
)
def test_where_the_days_show_nothing_it_says_why(change, words):
    home = change(live(8, 0))
    found = fit_thermal(home["room"], home["outdoor"], home["power"], COP)
    assert isinstance(found, NotLearned) and words in found.reason


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.5), st.sampled_from([0.0, 1.0, 30.0, 1e4]))
def test_garbage_never_gives_a_home_outside_physical_bounds(seed, missing, wild):
    dice = np.random.default_rng(seed)
    room, outdoor, power = dice.normal(20, wild, 960), dice.normal(5, wild, 960), np.abs(dice.normal(0, 2000, 960))
    for rows in (room, outdoor, power):
        rows[dice.random(960) < missing] = np.nan
        rows[dice.random(960) < 0.01] = np.inf
    found = fit_thermal(room, outdoor, power, COP, np.abs(room) * 10, "irradiance")
    if isinstance(found, ThermalModel):
        assert RESISTANCE_K_PER_W[0] <= found.resistance_k_per_w <= RESISTANCE_K_PER_W[1]
        assert CAPACITANCE_WH_PER_K[0] <= found.capacitance_wh_per_k <= CAPACITANCE_WH_PER_K[1]
        assert np.isfinite(found.error_k)


@pytest.mark.slow
def test_gaps_of_the_sensor_are_borne():
    home = live(10, 5)
    dice = np.random.default_rng(5)
    home["room"][dice.random(960) < 0.08] = np.nan
    home["power"][300:304] = np.nan
    model = fitted(home)
    assert model.resistance_k_per_w == pytest.approx(1 / LOSS_W_PER_K, rel=0.12)
