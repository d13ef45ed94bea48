"""A home's days in a row: what it is like, what tomorrow will be, what has changed, and a restart in between."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.learning.home_shapes import OWN_REACH, SURER, HomeShapes
from gateway.model.shapes import DriftKind
from tests.core.plain_shapes import PlainHome
from tests.core.shape_days import AWAY, BOTH, BY_NAME, CAR, DAYTIME, EVENING, MONDAY, SUNNY, live, shipped

WEEK = [EVENING] * 5 + [DAYTIME] * 2


def lived(*days, **options) -> HomeShapes:
    state = HomeShapes(shipped())
    live(state, MONDAY, *days, **options)
    return state


def test_a_home_of_one_kind_of_day_is_that_after_a_week_and_hardly_varied():
    home = lived(*[EVENING] * 7).home()
    assert (home.shape, home.days) == ("evening peak", 7)
    assert home.counts == (("evening peak", 7),) and home.entropy_bits < 0.7
    assert lived().home() is None


def test_a_varied_home_has_more_entropy_up_to_the_number_of_shapes():
    varied = lived(*[list(BY_NAME.values())[i % 9] for i in range(45)]).home()
    assert varied.entropy_bits > lived(*WEEK * 6).home().entropy_bits > lived(*[EVENING] * 42).home().entropy_bits
    assert varied.entropy_bits <= np.log2(9)


def test_tomorrow_follows_the_week():
    state = lived(*WEEK * 8)
    monday, saturday = MONDAY + timedelta(days=56), MONDAY + timedelta(days=61)
    assert state.chances(monday).chances[0][0] == "evening peak"
    assert state.chances(saturday).chances[0][0] == "daytime"
    assert sum(p for _, p in state.chances(monday).chances) == pytest.approx(1.0)


def test_tomorrow_follows_what_came_after_such_a_day():
    state = lived(*[EVENING, EVENING, EVENING, CAR] * 20)
    chance = dict(state.chances(MONDAY + timedelta(days=80)).chances)
    live(state, MONDAY + timedelta(days=80), EVENING, EVENING)
    assert chance["EV night"] < 0.1 < dict(state.chances(MONDAY + timedelta(days=82)).chances)["EV night"]
    found = {(a, b): p for a, b, p in state.home().transitions}
    assert found["EV night", "evening peak"] > 0.8 > 0.5 > found["evening peak", "EV night"]


def test_a_new_home_is_told_to_be_like_others():
    told = lived().chances(MONDAY)
    assert told.why == "Nothing is known of this home yet; so do homes in general."
    assert max(p for _, p in told.chances) < 0.5


@pytest.mark.parametrize(
    ("kind", "then", "within"),
    [
        (DriftKind.VACATION, [AWAY] * 7, 3),
        (DriftKind.NEW_EV, [CAR, BOTH, CAR, BOTH, BOTH, CAR, BOTH], 4),
        (DriftKind.NEW_PV, [SUNNY] * 7, 3),
        (DriftKind.CHANGED, [[wh + 700 for wh in BOTH]] * 7, 6),
        (DriftKind.CHANGED, [BY_NAME["double"]] * 14, 12),
    ],
)
def test_a_change_is_told_with_its_kind_within_days(kind, then, within):
    state = lived(*[BOTH] * 40)
    assert state.drift.told is None
    first = MONDAY + timedelta(days=40)
    seen = []
    for number, hours in enumerate(then):
        live(state, first + timedelta(days=number), hours)
        seen.append(state.drift.told and state.drift.told.kind)
    told = [number + 1 for number, found in enumerate(seen) if found is kind]
    assert told and told[0] <= within, seen
    assert set(seen) == {None, kind}


@pytest.mark.parametrize("hours", [EVENING, SUNNY, [0.0, *CAR[1:]]], ids=["evening", "sunny", "an hour of nothing"])
def test_a_change_is_looked_for_in_the_dark_hours_the_extremes_and_the_night(hours):
    state = HomeShapes(shipped())
    state.step(MONDAY, hours)
    [(seen, _)] = state.drift.week
    night = sorted(wh for hour, wh in enumerate(hours) if hour >= 22 or hour < 6)
    dark = sum(max(wh, 0) for hour, wh in enumerate(hours) if not 9 <= hour < 17)
    assert seen == pytest.approx((dark, max(hours), min(hours), night[1], night[-1]))


def test_the_usual_is_known_after_three_weeks_and_only_then_a_change_is_told():
    assert [lived(*[BOTH] * days).home().usual_in_days for days in (1, 20, 21, 40)] == [20, 1, 0, 0]
    assert lived(*[BOTH] * 17, *[AWAY] * 4).home().drift is None
    assert lived(*[BOTH] * 21, *[AWAY] * 4).home().drift is not None


def nights(count: int) -> list[DriftKind | None]:
    """What is told on each of 30 days after 40 usual ones; the first so many have 500 W more."""
    state, first = lived(*[BOTH] * 40), MONDAY + timedelta(days=40)
    seen = []
    for number in range(30):
        live(state, first + timedelta(days=number), [wh + (500 if number < count else 0) for wh in BOTH])
        seen.append(state.drift.told and state.drift.told.kind)
    return seen


def test_ten_hot_nights_are_a_change_and_no_heat_pump():
    seen = nights(10)
    assert set(seen) == {None, DriftKind.CHANGED}


def test_what_runs_all_night_for_a_fortnight_seems_to_be_a_heat_pump():
    seen = nights(30)
    first = seen.index(DriftKind.NEW_HEAT_PUMP)
    assert 10 < first <= 14 and set(seen[:first]) == {None, DriftKind.CHANGED}


def test_a_vacation_ends_when_the_people_are_back():
    state = lived(*[EVENING] * 30, *[AWAY] * 10)
    assert state.home().drift.kind is DriftKind.VACATION
    assert state.home().drift.since == MONDAY + timedelta(days=30)
    live(state, MONDAY + timedelta(days=40), EVENING)
    assert state.home().drift is None


def test_a_week_of_less_use_with_its_evenings_is_no_vacation():
    state = lived(*[EVENING] * 30, *[[wh * 0.35 for wh in EVENING]] * 7)
    assert state.home().drift is None


@pytest.mark.parametrize("seed", range(5))
def test_weekends_chance_and_a_cold_spell_are_no_change(seed):
    colder = [[wh * (1 + 0.3 * np.sin(day / 14)) for wh in WEEK[day % 7]] for day in range(98)]
    state = HomeShapes(shipped())
    for number, hours in enumerate(colder):
        live(state, MONDAY + timedelta(days=number), hours, seed=seed)
        assert state.drift.told is None, (number, state.drift.told)


def test_the_home_s_own_days_move_a_shape_only_so_far_and_make_them_surer():
    later = [(a + b * 0.35) for a, b in zip(EVENING, [*EVENING[-2:], *EVENING[:-2]], strict=True)]
    state = HomeShapes(shipped())
    told = live(state, MONDAY, *[later] * 60)
    assert told[-1].shape == told[0].shape
    assert told[-1].confidence > told[0].confidence
    moved = state._centres - state.dictionary.prototypes
    assert 0 < np.sqrt((moved**2).sum(axis=1)).max() <= OWN_REACH + 1e-9


@pytest.mark.parametrize("home", range(10))
def test_two_thousand_days_have_the_chances_of_the_formulas_written_out(home):
    dice = np.random.default_rng(home)
    state, plain = HomeShapes(shipped()), PlainHome(shipped())
    kinds, apart = list(BY_NAME.values()), 0.0
    for number in range(200):
        one, other = dice.choice(9, 2, p=np.array([9, 1, 1, 1, 1, 1, 1, 1, 4]) / 20)
        mixed = np.array(kinds[one]) + 0.4 * float(dice.random()) * np.array(kinds[other])
        hours = (mixed * dice.lognormal(0, 0.3, 24)).tolist()
        day = MONDAY + timedelta(days=number)
        told = dict(state.chances(day).chances)
        shape = state.step(day, hours)
        chances = plain.step(day.weekday(), hours)
        assert shape.shape == shipped().names[int(chances.argmax())]
        said = plain.said**SURER if number else plain.said
        apart = max(apart, np.abs(state.before - chances).max(), abs(shape.confidence - chances.max()))
        apart = max(apart, *(abs(told[name] - x) for name, x in zip(shipped().names, said / said.sum(), strict=True)))
    assert apart < 1e-9


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 59), st.lists(st.sampled_from(sorted(BY_NAME)), min_size=60, max_size=60))
def test_a_restart_from_the_document_tells_the_same_as_no_restart(cut, names):
    days = [BY_NAME[name] for name in names]
    one = lived(*days)
    other = HomeShapes(shipped())
    for number, hours in enumerate(days):
        if number == cut:
            other = HomeShapes.from_document(json.loads(json.dumps(other.to_document())), shipped())
        live(other, MONDAY + timedelta(days=number), hours)
    one = HomeShapes(shipped())
    for number, hours in enumerate(days):
        live(one, MONDAY + timedelta(days=number), hours)
    assert other.home().shape == one.home().shape and other.home().drift == one.home().drift
    assert other.home().entropy_bits == pytest.approx(one.home().entropy_bits)
    day = MONDAY + timedelta(days=60)
    assert dict(other.chances(day).chances) == pytest.approx(dict(one.chances(day).chances))


def test_a_year_s_state_is_a_few_kib():
    state = lived(*[list(BY_NAME.values())[i % 9] for i in range(365)])
    assert len(json.dumps(state.to_document(), separators=(",", ":"))) <= 16 * 1024


def test_a_document_stays_what_it_was_while_the_home_lives_on():
    state = lived(*WEEK * 4)
    document = state.to_document()
    text = json.dumps(document)
    live(state, MONDAY + timedelta(days=28), *WEEK)
    assert json.dumps(document) == text != json.dumps(state.to_document())


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"kind": "something"},
        {"names": ["a", "b"]},
        {"own": [[1.0]]},
        {"counts": None},
        {"before": [float("nan")] * 9},
        {"last": "yesterday"},
    ],
)
def test_a_document_that_does_not_fit_is_refused(broken):
    whole = lived(*[EVENING] * 3).to_document()
    with pytest.raises(ValueError):
        HomeShapes.from_document({**whole, **broken} if broken else {}, shipped())
