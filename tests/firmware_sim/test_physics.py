"""The simulated home: energy is conserved, the replay is faithful, the parts obey."""

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.history import rows
from firmware_sim.physics.home import Home
from firmware_sim.physics.replay import HomeData, Replay, load_data

EVENING = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
NOON_IN_JUNE = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)


@cache
def data() -> HomeData:
    return load_data()


def home_at(start: datetime, seed: int = 1) -> Home:
    return Home(start, seed, Replay(seed, data()))


def run(home: Home, seconds: float, step_s: float = 1.0) -> list[dict]:
    states = []
    for _ in range(round(seconds / step_s)):
        home.advance(home.now + timedelta(seconds=step_s))
        states.append(home.state())
    return states


COMMANDS = st.one_of(
    st.builds(lambda a: {"ev_offer_a": a}, st.one_of(st.just(0), st.floats(3, 32))),
    st.builds(lambda on: {"relay_on": on}, st.booleans()),
    st.builds(lambda c: {"hp_target_c": c}, st.floats(15, 24)),
    st.builds(
        lambda low, span: {"battery_low_w": low, "battery_high_w": low + span},
        st.floats(-6000, 6000),
        st.floats(0, 9000),
    ),
    st.builds(lambda p: {"pv_limit_percent": p}, st.floats(0, 100)),
    st.builds(lambda p, g: {"battery_reserve_percent": p, "grid_charge": g}, st.floats(0, 60), st.booleans()),
)
STEPS = st.lists(st.tuples(COMMANDS, st.floats(0.05, 5400)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 5), st.sampled_from([EVENING, NOON_IN_JUNE]))
@pytest.mark.slow
def test_whatever_is_commanded_the_grid_is_the_sum_of_all_parts_and_no_energy_is_lost_or_made(steps, seed, start):
    home = home_at(start, seed)
    for command, seconds in steps:
        home.set(command)
        home.advance(home.now + timedelta(seconds=seconds))
        state = home.state()
        assert sum(state["grid_w"]) == pytest.approx(
            sum(state["house_w"])
            + sum(state["inverter_w"])
            + state["tank_w"]
            + state["hp_w"]
            + state["ev"]["power_w"]
            + state["pool_w"]
            + state["dishwasher_w"],
            abs=1e-6,
        )
        assert -0.0000001 <= state["soc_percent"] <= 100.0000001
        assert state["ev"]["soc_percent"] <= 100.0000001
    assert_balanced(home.report())


def assert_balanced(report: dict) -> None:
    stored = report["stored_wh"]
    assert report["grid_import_wh"] - report["grid_export_wh"] + report["pv_dc_wh"] == pytest.approx(
        report["house_wh"]
        + report["ev_wh"]
        + report["tank_wh"]
        + report["hp_wh"]
        + report["pool_wh"]
        + report["dishwasher_wh"]
        + stored["battery"]
        + report["losses_wh"],
        abs=0.01,
    )
    assert report["tank_wh"] == pytest.approx(
        stored["tank"] + report["tank_drawn_wh"] + report["tank_loss_wh"], abs=0.01
    )
    assert report["hp_wh"] + report["hp_ambient_wh"] + report["room_gain_wh"] == pytest.approx(
        stored["room"] + report["room_loss_wh"], abs=0.01
    )
    assert report["ev_wh"] == pytest.approx(stored["ev"] + report["ev_loss_wh"] + report["driven_wh"], abs=0.01)


def test_the_step_size_does_not_change_what_the_house_used_and_the_sun_gave():
    coarse, fine = home_at(NOON_IN_JUNE), home_at(NOON_IN_JUNE)
    run(coarse, 3600, 900)
    run(fine, 3600, 7.3)
    fine.advance(coarse.now)
    coarse.advance(fine.now)
    for key in ("house_wh", "pv_dc_wh"):
        assert coarse.report()[key] == pytest.approx(fine.report()[key], abs=0.01)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_minutes_of_an_hour_have_the_mean_of_the_shipped_series(seed):
    replay, shipped = Replay(seed, data()), data()
    for day in range(0, 366, 30):
        hour = shipped.start.replace(year=2016, month=1, day=2, hour=0) + timedelta(days=day, hours=day % 24)
        place = (hour - shipped.start) // timedelta(hours=1)
        minutes = [hour + timedelta(minutes=minute) for minute in range(60)]
        assert sum(sum(replay.load_w(at)) for at in minutes) / 60 == pytest.approx(shipped.load_w[place])
        assert sum(replay.irradiance_w_m2(at) for at in minutes) / 60 == pytest.approx(shipped.irradiance_w_m2[place])


@pytest.mark.parametrize("year", [2015, 2024, 2026, 2028, 2031])
def test_the_replay_knows_every_hour_of_any_year_on_its_weekday(year):
    replay, hour = Replay(1, data()), datetime(year, 1, 1, tzinfo=UTC)
    while hour.year == year:
        shipped = data().start + timedelta(hours=replay._index(hour))
        assert (shipped.weekday(), shipped.hour) == (hour.weekday(), hour.hour)
        hour += timedelta(hours=25)


def test_the_same_seed_is_the_same_home_and_another_seed_another():
    same = [home_at(EVENING, seed).state()["house_w"] for seed in (7, 7, 8)]
    assert same[0] == same[1] != same[2]


@pytest.mark.slow
def test_the_car_is_at_home_at_half_past_five_takes_what_it_is_offered_and_is_full_by_seven():
    home = home_at(EVENING)
    assert home.state()["ev"]["plugged"]
    assert 55 < home.state()["ev"]["soc_percent"] < 70
    home.set({"ev_offer_a": 16})
    run(home, 3600 * 5, 15)
    assert home.state()["ev"]["soc_percent"] > 99.9
    run(home, 3600 * 9, 60)
    assert not home.state()["ev"]["plugged"]
    run(home, 3600 * 10, 60)
    assert home.state()["ev"]["plugged"]


def test_the_car_follows_within_one_to_five_seconds_and_never_draws_between_0_and_6_a():
    home = home_at(EVENING)
    for offer, reached in ((16, 16), (10, 10), (4, 0), (7, 7), (0, 0)):
        home.set({"ev_offer_a": offer})
        states = run(home, 12, 0.25)
        currents = [state["ev"]["current_a"][0] for state in states]
        assert len(set(currents[:3])) == 1, "nothing moves in the first 0.75 s"
        assert currents[int(5.5 / 0.25)] == pytest.approx(reached), "IEC 61851-1: 5 s, the ramp included"
        assert all(current == 0 or current >= 6 for current in currents)


@pytest.mark.parametrize(
    ("low", "high", "battery_w"), [(0, 0, 0), (2000, 2000, 2000), (-2000, -2000, -2000), (-5000, 5000, None)]
)
def test_the_battery_stays_in_its_band_and_zeroes_the_grid_when_left_alone(low, high, battery_w):
    home = home_at(EVENING)
    home.set({"battery_low_w": low, "battery_high_w": high})
    state = run(home, 30)[-1]
    if battery_w is None:
        assert sum(state["grid_w"]) == pytest.approx(0, abs=60)
    else:
        assert state["battery_w"] == pytest.approx(battery_w, rel=0.04, abs=3)


def test_a_pv_limit_throttles_the_panels_and_a_panel_only_battery_takes_nothing_from_the_grid():
    home = home_at(NOON_IN_JUNE)
    home.set({"pv_limit_percent": 5, "battery_low_w": 0, "battery_high_w": 0})
    assert -sum(run(home, 30)[-1]["inverter_w"]) <= 400.001
    night = home_at(EVENING)
    night.set({"battery_low_w": 3000, "battery_high_w": 3000, "grid_charge": False})
    assert run(night, 30)[-1]["battery_w"] == 0


def test_the_tank_heats_when_switched_on_and_its_thermostat_ends_it_at_65():
    home = home_at(EVENING)
    home.set({"relay_on": True})
    states = run(home, 3 * 3600, 60)
    assert states[0]["tank_w"] == 2000
    assert max(state["tank_c"] for state in states) < 65.3
    assert min(state["tank_w"] for state in states) == 0


def test_the_longest_run_above_a_current_is_counted_per_phase():
    home = home_at(EVENING)
    home.set({"battery_low_w": 0, "battery_high_w": 0})
    home.extra_w = (6500.0, 0.0, 0.0)
    run(home, 10)
    home.extra_w = (0.0, 0.0, 0.0)
    run(home, 10)
    report = home.report()
    assert report["longest_s_above_a"]["25"][0] == pytest.approx(10, abs=1.1)
    assert report["longest_s_above_a"]["35"] == [0, 0, 0]
    assert report["highest_a"][0] > 27


def test_the_history_is_what_the_house_would_have_counted():
    start = NOON_IN_JUNE
    home = home_at(start)
    run(home, 3600, 60)
    table = list(rows(Replay(1, data()), start, start + timedelta(hours=1)))
    used = sum(float(row[2]) for row in table if row[1] == "house")
    made = sum(float(row[3]) for row in table if row[1] == "solar")
    assert used == pytest.approx(home.report()["house_wh"], abs=1)
    assert made == pytest.approx(home.report()["pv_dc_wh"] * 0.97, abs=1)


def test_a_wish_that_is_no_number_is_refused_and_changes_nothing():
    home = home_at(EVENING)
    with pytest.raises(ValueError, match="battery_low_w"):
        home.set({"battery_low_w": float("nan")})
    assert home.inverter.orders.low_w == -5000
