"""Each figure of benchmarks/shapes/evaluate.py against a case worked by hand in the comment beside it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks.shapes.evaluate import (
    GRACE,
    adjusted_rand_index,
    calibration_error,
    coverage,
    log_loss_bits,
    match_alerts,
    pinball,
    top_k,
    total,
)
from benchmarks.shapes.homes import Event

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("aabb", "xxyy", 1.0),
        ("aabb", "yyxx", 1.0),
        ("aaaa", "xxxx", 1.0),
        ("abcd", "wxyz", 1.0),
        # pairs together in both 0; rows 2, columns 2 of 6 pairs: expected 4/6, most 2: (0 - 2/3) / (2 - 2/3) = -1/2
        ("aabb", "xyxy", -0.5),
        # table a: x2 y1, b: y3: index 1+3=4; rows 3+3=6; columns 1+6=7; of 15: expected 42/15=2.8; most 6.5: 1.2/3.7
        ("aaabbb", "xxyyyy", 1.2 / 3.7),
        # one group tells nothing: index 2, rows 2, columns 6 of 6: expected 2, most 4: 0
        ("aabb", "xxxx", 0.0),
    ],
)
def test_the_adjusted_rand_index_is_as_counted_by_hand(one, other, expected):
    assert adjusted_rand_index(one, other) == pytest.approx(expected)
    assert adjusted_rand_index(other, one) == pytest.approx(expected)


def test_labellings_of_different_length_are_refused():
    with pytest.raises(ValueError, match="2 labels against 3"):
        adjusted_rand_index("ab", "abc")


def test_top_k_counts_rows_whose_truth_is_among_the_likeliest():
    chances = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.4, 0.4, 0.2]])
    truth = np.array([0, 1, 1])
    # row 1 right at once; row 2 second; row 3 has a tie that the lower class wins, so second
    assert top_k(chances, truth, 1) == pytest.approx(1 / 3)
    assert top_k(chances, truth, 2) == pytest.approx(1.0)


def test_log_loss_is_the_mean_surprise_in_bits():
    chances = np.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [1.0, 0.0, 0.0]])
    # 1 bit, 2 bits, and nothing to be surprised about
    assert log_loss_bits(chances, np.array([0, 1, 0])) == pytest.approx(1.0)
    # the impossible costs the floor, 2^-10 here: (1 + 2 + 10) / 3
    assert log_loss_bits(chances, np.array([0, 1, 1]), floor=2**-10) == pytest.approx(13 / 3)


def test_calibration_error_is_the_gap_between_sureness_and_being_right():
    # four rows sure to 0.75, two right: gap 0.25 with weight 4/5; one row sure to 1.0 and right: gap 0
    chances = np.array([[0.75, 0.25]] * 4 + [[1.0, 0.0]])
    assert calibration_error(chances, np.array([0, 0, 1, 1, 0])) == pytest.approx(0.2)


def test_errors_of_both_signs_in_one_bin_cancel_and_in_two_bins_do_not():
    chances = np.array([[0.55, 0.45], [0.95, 0.05]])
    # bin (0.5, 0.6]: right, gap 0.45; bin (0.9, 1]: wrong, gap 0.95; mean 0.7
    assert calibration_error(chances, np.array([0, 1])) == pytest.approx(0.7)
    # in one bin: mean sureness 0.75 against 0.5 right
    assert calibration_error(chances, np.array([0, 1]), bins=1) == pytest.approx(0.25)


def test_pinball_weighs_the_side_and_leaves_out_what_was_not_read():
    actual = np.array([10.0, np.nan, 2.0])
    quantiles = np.array([[6.0, 12.0], [0.0, 0.0], [4.0, 1.0]])
    # level 0.1: 0.1 x 4 = 0.4 and 0.9 x 2 = 1.8; level 0.8: 0.2 x 2 = 0.4 and 0.8 x 1 = 0.8; mean of four
    assert pinball(actual, quantiles, np.array([0.1, 0.8])) == pytest.approx(0.85)


def test_coverage_counts_the_edges_and_leaves_out_what_was_not_read():
    actual = np.array([1.0, 2.0, 3.0, np.nan, 5.0])
    assert coverage(actual, np.full(5, 2.0), np.full(5, 3.0)) == pytest.approx(0.5)


SPIKE = Event("spike", NOON, NOON + hours(3), 2000.0)
LEFT_ON = Event("left_on", NOON, NOON + hours(48), 300.0)


@pytest.mark.parametrize(
    ("name", "alerts", "expected"),
    [
        ("nothing told", [], (0, 0, 0)),
        ("told as it begins", [("spike", NOON)], (1, 0, 0)),
        ("told within the grace", [("spike", NOON + hours(6))], (1, 0, 0)),
        ("told too late", [("spike", NOON + hours(6.1))], (0, 0, 1)),
        ("told before it began", [("spike", NOON - hours(0.1))], (0, 0, 1)),
        ("told twice", [("spike", NOON), ("spike", NOON + hours(1))], (1, 1, 0)),
        ("told as something else", [("always_on", NOON)], (0, 0, 1)),
        ("both told", [("left_on", NOON + hours(20)), ("spike", NOON + hours(1))], (2, 0, 0)),
    ],
)
def test_alerts_meet_events_of_their_kind_in_their_time_and_once(name, alerts, expected):
    met = match_alerts(alerts, [LEFT_ON, SPIKE])
    assert (met.true, met.repeats, met.false) == expected


def test_two_events_under_one_alert_time_are_told_by_two_alerts():
    # given two spikes whose graces overlap, when two alerts fall into both, then each tells one
    later = Event("spike", NOON + hours(4), NOON + hours(6), 1800.0)
    met = match_alerts([("spike", NOON + hours(5)), ("spike", NOON + hours(5.5))], [later, SPIKE])
    assert (met.true, met.repeats, met.false) == (2, 0, 0)


def test_events_that_are_no_anomalies_ask_for_no_alert():
    met = match_alerts([], [Event("vacation", NOON, NOON + hours(99), 200.0)])
    assert met.events == {}
    assert set(GRACE) == {"spike", "left_on", "always_on", "pv_low"}


def test_recall_precision_and_false_alarms_add_up_over_homes():
    # given two homes: one spike told, then told again; one left-on missed and a false alarm
    one = match_alerts([("spike", NOON), ("spike", NOON)], [SPIKE])
    two = match_alerts([("spike", NOON)], [LEFT_ON])
    both = total([one, two])
    # then 1 of 3 alerts was worth telling, and two in 60.8 days were not: one a month
    assert both.recall("spike") == 1.0
    assert both.recall("left_on") == 0.0
    assert both.precision == pytest.approx(1 / 3)
    assert both.false_per_month(60.8) == pytest.approx(1.0)
    assert np.isnan(both.recall("pv_low"))
    assert np.isnan(match_alerts([], []).precision)
