"""Corrections of interval data: totals kept exactly, history never rewritten, undone step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.metering.edit import Correction, Spread, before_last_edit, check_correction, corrected
from gateway.model.errors import WishRefused
from gateway.model.reading import Interval, IntervalQuality

Q = IntervalQuality
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW = START + timedelta(days=1)
STEP = timedelta(minutes=15)


def correction(quarters: int = 4, taken: float | None = 1000.0, given: float | None = None, **kwargs) -> Correction:
    values = {"reason": "The meter was swapped", "spread": Spread.PROPORTIONALLY} | kwargs
    return Correction("meter", START, START + quarters * STEP, taken, given, **values)


def rows(*energies: float | None) -> dict[datetime, Interval]:
    found = [Interval("meter", START + i * STEP, 900, e, 1.0, Q.VALID, "counter") for i, e in enumerate(energies)]
    return {r.start: r for r in found}


def test_a_total_is_spread_in_the_proportions_there_are():
    edited = corrected(correction(), rows(100, 300, 0, 400), "owner")
    assert [r.import_wh for r in edited] == [125.0, 375.0, 0.0, 500.0]


def test_a_total_is_spread_evenly_when_asked_or_when_nothing_was_there():
    evenly = corrected(correction(spread=Spread.EVENLY), rows(100, 300, 0, 400), "owner")
    nothing = corrected(correction(), {}, "owner")
    assert [r.import_wh for r in evenly] == [r.import_wh for r in nothing] == [250.0] * 4


def test_what_was_not_measured_counts_like_the_mean_of_the_others_and_never_as_nothing():
    edited = corrected(correction(), rows(100, None, 300, None), "owner")
    assert [r.import_wh for r in edited] == [125.0, 250.0, 375.0, 250.0]
    without_row = {start: row for start, row in rows(100, 100, 300).items() if row.import_wh != 300}
    assert [r.import_wh for r in corrected(correction(), without_row, "owner")] == [250.0] * 4


def test_where_others_used_nothing_a_total_is_spread_evenly():
    assert [r.import_wh for r in corrected(correction(), rows(0, None, 0, None), "owner")] == [250.0] * 4


def test_a_direction_without_a_total_stays_as_it_is():
    assert [r.export_wh for r in corrected(correction(), rows(1, 1, 1, 1), "owner")] == [1.0] * 4


def test_an_edited_row_says_who_and_why():
    (edited,) = corrected(correction(1), rows(5), "owner")
    assert (edited.quality, edited.method) == (Q.EDITED, "edited by owner: The meter was swapped")


@pytest.mark.slow
@given(st.floats(0, 1e5), st.lists(st.floats(0, 5e4), min_size=1, max_size=40), st.sampled_from(Spread))
def test_the_sum_is_the_total_whatever_was_there(total, before, spread):
    edited = corrected(correction(len(before), total, spread=spread), rows(*before), "owner")
    parts = [r.import_wh for r in edited]
    assert sum(p for p in parts if p is not None) == pytest.approx(total, abs=1e-3)
    assert all(p is not None and p >= 0 for p in parts)


REFUSED = {
    "off the quarter": replace(correction(), start=START + timedelta(minutes=1)),
    "end before start": replace(correction(), end=START),
    "longer than a month": replace(correction(), end=START + timedelta(days=32)),
    "not ended yet": replace(correction(), start=NOW - 2 * STEP, end=NOW),
    "no reason": correction(reason="  "),
    "reason of two lines": correction(reason="a\nb"),
    "reason too long": correction(reason="x" * 201),
    "no energy": correction(taken=None),
    "negative": correction(taken=-1.0),
    "not a number": correction(taken=float("nan")),
    "more than a home can": correction(1, 60_000.0),
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED)
def test_a_correction_that_cannot_be_is_refused_with_words(wrong):
    with pytest.raises(WishRefused):
        check_correction(wrong, NOW)


def test_a_correction_of_an_hour_that_has_ended_is_granted():
    check_correction(correction(), NOW)


A = Interval("meter", START, 900, 250.0, 0.0, Q.VALID, "counter")
B = replace(A, import_wh=260.0, method="counter spread evenly", quality=Q.ESTIMATED)
E1 = replace(A, import_wh=300.0, quality=Q.EDITED, method="edited by owner: one")
E2 = replace(A, import_wh=310.0, quality=Q.EDITED, method="edited by owner: two")
HISTORIES = {
    "measured, nothing to undo": ([A], None),
    "edited": ([A, E1], A),
    "measured anew, then edited": ([A, B, E1], B),
    "edited twice": ([A, E1, E2], E1),
    "edited twice, undone once": ([A, E1, E2, E1], A),
    "edited twice, undone twice": ([A, E1, E2, E1, A], None),
    "undone, then edited again": ([A, E1, A, E2], A),
    "what was measured was thinned away": ([E1, E2], E1),
}


@pytest.mark.parametrize(("history", "back"), HISTORIES.values(), ids=HISTORIES)
def test_undoing_goes_back_one_edit_at_a_time(history, back):
    assert before_last_edit(history) == back


def test_undoing_the_correction_of_a_gap_brings_the_gap_back():
    back = before_last_edit([E1])
    assert back is not None
    assert (back.quality, back.import_wh, back.export_wh) == (Q.MISSING, None, None)
