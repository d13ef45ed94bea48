"""What a home is good for in demand response: flexible power, temperature response, the chance of joining, the scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from gateway.core.demand_response.rating import rating_document
from gateway.core.learning.flexible import DeviceDays, amount, less_over, more_over, movable
from gateway.core.learning.joining import HALF_LIFE_DAYS, Answer, joining
from gateway.core.learning.targeting import TargetingInput, habit_of, target
from gateway.core.learning.temperature_response import temperature_response
from gateway.model.learned import DayShape
from gateway.model.site import BatterySpec, Role
from gateway.model.targeting import ProgramKind

NOW = datetime(2026, 11, 1, 0, 5, tzinfo=UTC)
DAYS = 28


def car(watts: float = 7000.0, hours: tuple[int, ...] = (18, 19), days: int = DAYS, **more) -> DeviceDays:
    load = np.zeros((days, 24))
    load[:, list(hours)] = watts
    return DeviceDays("car", "Car", Role.EV_CHARGER, 7400.0, load, **more)


def shape(day: int, name: str = "evening peak") -> DayShape:
    profile = tuple(0.1 if 17 <= hour < 21 else 0.03 for hour in range(24))
    return DayShape(date(2026, 10, 1) + timedelta(day), name, 0.9, 9000.0, profile, "")


def given(*devices: DeviceDays, **more) -> TargetingInput:
    size = devices[0].load_w.shape if devices else (DAYS, 24)
    return TargetingInput(
        devices, more.pop("grid_w", np.full(size, 3000.0)), shapes=[shape(i) for i in range(DAYS)], **more
    )


def score(found, kind: ProgramKind):
    return next(each for each in found.suitability if each.program is kind)


# ---- flexible power


def test_what_a_device_drew_in_an_hour_is_what_could_wait_there():
    found = movable([car()], np.zeros((DAYS, 24)))
    assert found.less_w[3, 18] == 7000 and found.less_w[3, 12] == 0


def test_more_is_the_energy_of_the_next_day_at_most_the_rating_and_only_while_the_car_is_there():
    there = np.zeros((DAYS, 24))
    there[:, 12] = 0.5
    found = movable([car(watts=2000, ready=there)], np.zeros((DAYS, 24)))
    assert found.more_w[0, 12] == pytest.approx(2000)  # of the 4 kWh to come, half an hour is there
    assert found.more_w[0, 11] == 0
    free = movable([car(watts=7000)], np.zeros((DAYS, 24)))
    assert free.more_w[0, 12] == pytest.approx(7400)  # its rating, not the 14 kWh
    assert free.more_w[0, 20] == pytest.approx(7400)
    assert free.more_w[-1, 20] == 0  # nothing known of what follows


@pytest.mark.parametrize(("export", "less"), [(False, 1000), (True, 3000)])
def test_a_battery_that_must_not_feed_in_gives_no_more_than_the_home_draws(export, less):
    spec = BatterySpec(10_000, 3000, 3000, 1.0, 1.0, grid_export=export)
    battery = DeviceDays(
        "b", "B", Role.BATTERY, 3000, np.zeros((DAYS, 24)), battery=spec,
        soc_percent=np.full((DAYS, 24), 50.0), reserve_percent=10.0,
    )  # fmt: skip
    assert movable([battery], np.full((DAYS, 24), 1000.0)).less_w[0, 18] == pytest.approx(less)
    low = replace(battery, soc_percent=np.full((DAYS, 24), 15.0))
    assert movable([low], np.full((DAYS, 24), 9000.0)).less_w[0, 18] == pytest.approx(500)  # down to the reserve
    full = replace(battery, soc_percent=np.full((DAYS, 24), 99.0))
    assert movable([full], np.zeros((DAYS, 24))).more_w[0, 12] == pytest.approx(100)


def test_the_battery_does_not_give_again_what_the_car_leaves_off():
    spec = BatterySpec(10_000, 3000, 3000, 1.0, 1.0)
    battery = DeviceDays(
        "b", "B", Role.BATTERY, 3000, np.zeros((DAYS, 24)), battery=spec, soc_percent=np.full((DAYS, 24), 90.0)
    )
    found = movable([car(), battery], np.full((DAYS, 24), 7400.0))
    assert found.less_w[0, 18] == pytest.approx(7400)


@pytest.mark.parametrize("days", [9, 20, 28])
def test_the_interval_holds_eighty_percent_of_the_days_to_come_whatever_their_distribution(days):
    dice = np.random.default_rng(5)
    hits = 0
    for _ in range(2000):
        drawn = dice.lognormal(0, 1, days + 1)
        found = amount(drawn[:-1], 100.0)
        hits += found.low_w <= drawn[-1] <= found.high_w
    assert 0.77 <= hits / 2000 <= 0.83


def test_with_few_days_the_interval_is_all_that_is_possible():
    found = amount(np.array([500.0, 700.0, np.nan]), 2000.0)
    assert (found.mean_w, found.low_w, found.high_w, found.days) == (600, 0, 2000, 2)


def test_over_several_hours_the_same_energy_is_counted_once():
    found = movable([car(watts=2000)], np.zeros((DAYS, 24)))
    assert found.more_w[0, 10:15].sum() == pytest.approx(20_000)  # each hour by itself could have all 4 kWh
    assert more_over(list(found.parts.values()), range(10, 15))[0] == pytest.approx(800)  # 4 kWh in 5 h
    spec = BatterySpec(10_000, 3000, 3000, 1.0, 1.0, grid_export=True)
    battery = DeviceDays(
        "b",
        "B",
        Role.BATTERY,
        3000,
        np.zeros((DAYS, 24)),
        battery=spec,
        soc_percent=np.full((DAYS, 24), 50.0),
        reserve_percent=10.0,
    )
    stored = movable([battery], np.zeros((DAYS, 24)))
    assert less_over(list(stored.parts.values()), range(17, 21))[0] == pytest.approx(1000)  # 4 kWh in 4 h


# ---- temperature response


def days_of(heating: float, cooling: float, noise: float, seed: int = 3):
    dice = np.random.default_rng(seed)
    air = 12 + 12 * np.sin(np.arange(365) / 365 * 2 * np.pi) + dice.normal(0, 3, 365)
    need = heating * np.maximum(15 - air, 0) + cooling * np.maximum(air - 20, 0)
    return 8000 + need + dice.normal(0, noise, 365), air


def test_the_slopes_lie_within_eighty_percent_of_their_intervals():
    found = [temperature_response(*days_of(900, 600, 1500, seed)) for seed in range(40)]
    assert 0.7 <= np.mean([each.heating_low <= 900 <= each.heating_high for each in found]) <= 0.95
    assert 0.7 <= np.mean([each.cooling_low <= 600 <= each.cooling_high for each in found]) <= 0.95


def test_the_response_finds_the_change_points():
    found = temperature_response(*days_of(900, 600, 1500))
    assert abs(found.heat_below_c - 15) <= 2 and abs(found.cool_above_c - 20) <= 2
    assert found.base_wh == pytest.approx(8000, rel=0.1)


def test_a_home_that_does_not_follow_the_weather_has_no_response():
    for seed in range(20):
        found = temperature_response(*days_of(0, 0, 2000, seed))
        assert found.heating_wh_per_k is None and found.cooling_wh_per_k is None


def test_less_in_the_cold_is_no_heating():
    energy, air = days_of(-300, 0, 500)
    assert temperature_response(energy, air).heating_wh_per_k is None


def test_too_few_days_or_one_temperature_say_nothing():
    energy, air = days_of(900, 0, 100)
    assert temperature_response(energy[:20], air[:20]) is None
    assert temperature_response(energy, np.full(365, 9.0)) is None
    assert temperature_response(np.full(365, np.nan), air) is None


# ---- joining


def said(*joined: bool, age_days: float = 0) -> list[Answer]:
    return [Answer(NOW - timedelta(days=age_days), word) for word in joined]


def test_without_answers_the_prior_counts_and_says_so():
    found = joining([], NOW)
    assert found.probability == 0.5 and found.low == pytest.approx(0.1, abs=2e-3)
    assert found.high == pytest.approx(0.9, abs=2e-3) and found.prior


def test_answers_move_it_and_narrow_its_interval():
    some, many = joining(said(*[True] * 4), NOW), joining(said(*[True] * 40), NOW)
    assert 0.5 < some.probability < many.probability
    assert many.high - many.low < some.high - some.low
    assert joining(said(*[False] * 4), NOW).probability == pytest.approx(1 - some.probability)


def test_beta_quantiles_are_those_of_the_closed_form():
    found = joining(said(*[True] * 4), NOW)  # Beta(5, 1): its distribution is p ** 5
    assert (found.low**5, found.high**5) == (pytest.approx(0.1, abs=2e-3), pytest.approx(0.9, abs=2e-3))


def test_an_old_answer_counts_half_after_its_half_life():
    assert joining(said(True, age_days=HALF_LIFE_DAYS), NOW).answers == pytest.approx(0.5)


def test_the_interval_holds_the_truth_for_eighty_percent_of_homes_drawn_from_the_prior():
    dice = np.random.default_rng(8)
    hits = 0
    for truth in dice.random(1500):
        found = joining(said(*(dice.random(12) < truth)), NOW)
        hits += found.low <= truth <= found.high
    assert 0.77 <= hits / 1500 <= 0.83


# ---- scores


def test_a_car_that_charges_in_the_evening_suits_shifting_and_one_of_the_night_does_not():
    evening, night = target(given(car()), NOW), target(given(car(hours=(1, 2))), NOW)
    assert score(evening, ProgramKind.EV_SHIFT).score > 40 and score(night, ProgramKind.EV_SHIFT).score == 0
    assert "could wait between 16 and 22 h" in score(evening, ProgramKind.EV_SHIFT).reasons[0]


def test_an_offline_or_forbidden_device_is_never_counted_and_the_reason_is_told():
    found = target(given(car(), excluded={"car": "Car is not reached."}), NOW)
    assert all(hour.less.mean_w == hour.more.mean_w == 0 for hour in found.hours)
    assert [each.score for each in found.suitability] == [0, 0, 0, 0]
    assert "not reached" in score(found, ProgramKind.EV_SHIFT).reasons[0] and found.counted == ()


def test_who_declines_scores_less_and_who_joins_more():
    base = target(given(car()), NOW)
    yes = target(given(car(), answers=said(*[True] * 8)), NOW)
    no = target(given(car(), answers=said(*[False] * 8)), NOW)
    kinds = ProgramKind.EVENING_SHED
    assert score(no, kinds).score < score(base, kinds).score < score(yes, kinds).score


def test_changing_days_lower_the_score_and_the_entropy_is_in_bits():
    mixed = [shape(i, name) for i, name in enumerate(["flat", "night", "evening peak", "away"] * 7)]
    habit = habit_of(mixed, 9)
    assert habit.entropy_bits == pytest.approx(2.0) and habit.share == 0.25
    steady, unsteady = given(car()), replace(given(car()), shapes=[replace(s, profile=shape(0).profile) for s in mixed])
    kind = ProgramKind.EVENING_SHED
    assert score(target(unsteady, NOW), kind).score < score(target(steady, NOW), kind).score


def test_a_heat_pump_in_a_house_that_holds_its_heat_suits_pre_conditioning_better():
    pump = replace(car(watts=1500), device="hp", role=Role.HEAT_PUMP, rated_w=2500)
    scores = [
        score(target(given(pump, time_constant_h=hours, gap_k=15.0), NOW), ProgramKind.PRE_CONDITION).score
        for hours in (5, 15, 60)
    ]
    assert scores[0] < scores[1] < scores[2]
    assert score(target(given(car()), NOW), ProgramKind.PRE_CONDITION).score == 0


def test_a_home_without_devices_claims_nothing():
    found = target(given(), NOW)
    assert [each.label for each in found.suitability] == ["none"] * 4
    assert all(hour.less.high_w == 0 for hour in found.hours)


# ---- not known


def unmeasured(device: str, role: Role) -> DeviceDays:
    return DeviceDays(device, device.capitalize(), role, 7400.0, np.full((DAYS, 24), np.nan))


def test_a_home_whose_devices_are_not_measured_yet_is_not_known_instead_of_inflexible():
    found = target(given(unmeasured("car", Role.EV_CHARGER)), NOW)
    assert all(hour.less is None and hour.more is None for hour in found.hours)
    assert found.left_out == {"car": "Car has not been measured yet."}
    for kind in (ProgramKind.EVENING_SHED, ProgramKind.EV_SHIFT, ProgramKind.MIDDAY_SOAK):
        assert (score(found, kind).score, score(found, kind).label) == (None, "unknown")
        assert score(found, kind).reasons == ("Not known yet: Car has not been measured yet.",)
    assert score(found, ProgramKind.PRE_CONDITION).score == 0, "it has no heat pump"
    assert rating_document(found, NOW.date()) is None


@pytest.mark.parametrize(
    ("days", "words"),
    [(1, "Not known yet: measured on 1 day, 9 are needed."), (8, "Not known yet: measured on 8 days, 9 are needed.")],
)
def test_with_fewer_days_than_an_interval_needs_there_is_no_score_and_nothing_to_share(days: int, words: str):
    load = np.full((DAYS, 24), np.nan)
    load[-days:] = 7000.0
    found = target(given(replace(car(), load_w=load)), NOW)
    assert found.hours[18].less.days == days and found.hours[18].less.low_w == 0
    evening = score(found, ProgramKind.EVENING_SHED)
    assert (evening.score, evening.reasons[0]) == (None, words)
    assert rating_document(found, NOW.date()) is None


def test_from_nine_days_on_it_is_rated_and_what_is_not_known_stays_out_of_the_paper():
    load = np.full((DAYS, 24), np.nan)
    load[-9:] = 7000.0
    found = target(given(replace(car(), load_w=load), unmeasured("pump", Role.HEAT_PUMP)), NOW)
    assert score(found, ProgramKind.EV_SHIFT).score > 0
    paper = rating_document(found, NOW.date())
    assert paper is not None and "pre_condition" not in [row["program"] for row in paper["ratings"]]


def test_a_device_that_is_unmeasured_and_forbidden_tells_the_owner_s_word():
    off = given(unmeasured("car", Role.EV_CHARGER), excluded={"car": "Charging is switched off at Car."})
    found = target(off, NOW)
    assert score(found, ProgramKind.EV_SHIFT).score == 0 and "switched off" in found.left_out["car"]
