"""Quarter hours cut at the edges of events, by their minutes; the parts sum to the whole to the last bit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.metering.cut import cut_at
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup

T0 = datetime(2026, 11, 21, 17, tzinfo=UTC)
VALID, ESTIMATED = IntervalQuality.VALID, IntervalQuality.ESTIMATED


def after(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def quarter(taken: float | None = 300.0, given: float | None = 0.0, quality: IntervalQuality = VALID) -> Interval:
    return Interval("meter", T0, 900, taken, given, quality, "counter")


def minutes(*watts: float) -> list[Rollup]:
    return [Rollup("meter", Quantity.POWER, after(i), w, w, w, w, 60) for i, w in enumerate(watts)]


CASES = {
    "the minutes say when": ([5], minutes(*[0.0] * 5, *[1800.0] * 10), [0, 300], VALID),
    "a minute is cut by its seconds": ([0.5, 1], minutes(18_000.0, *[0.0] * 14), [150, 150, 0], VALID),
    "no minutes: in proportion": ([5], [], [100, 200], ESTIMATED),
    "too few minutes: in proportion": ([5], minutes(*[1800.0] * 13), [100, 200], ESTIMATED),
    "one minute may lack": ([5], minutes(*[1200.0] * 14), [100, 200], VALID),
    "minutes without the energy: in proportion": ([5], minutes(*[0.0] * 15), [100, 200], ESTIMATED),
    "no edge inside": ([0, 15, 40], [], [300], VALID),
}


@pytest.mark.parametrize("name", CASES)
def test_a_quarter_hour_of_300_wh_is_cut_at(name: str) -> None:
    edges, power, expected, quality = CASES[name]
    found = cut_at([quarter()], [after(edge) for edge in edges], power)
    assert [part.import_wh for part in found] == pytest.approx(expected, abs=0.01)
    assert sum(part.import_wh or 0.0 for part in found) == 300.0
    assert {part.quality for part in found} == {quality}
    assert found[0].start == T0 and found[-1].end == after(15)


def test_a_minute_in_which_the_power_changed_makes_its_parts_estimates() -> None:
    power = minutes(*[1200.0] * 15)
    power[5] = Rollup("meter", Quantity.POWER, after(5), 1200.0, 0.0, 2400.0, 0.0, 60)
    for edge, quality in ((5.0, VALID), (5.5, ESTIMATED), (6.5, VALID)):
        assert {part.quality for part in cut_at([quarter()], [after(edge)], power)} == {quality}


def test_both_directions_have_their_own_minutes() -> None:
    power = minutes(*[-1200.0] * 5, *[600.0] * 10)
    first, second = cut_at([quarter(100.0, 100.0)], [after(5)], power)
    assert (first.net_wh, second.net_wh) == (-100.0, 100.0)


def test_a_missing_quarter_hour_stays_missing_and_nothing_is_nothing_in_every_part() -> None:
    missing = cut_at([quarter(None, None, IntervalQuality.MISSING)], [after(5)])
    assert [(x.net_wh, x.quality) for x in missing] == [(None, IntervalQuality.MISSING)] * 2
    assert [(x.net_wh, x.quality) for x in cut_at([quarter(0.0)], [after(5)])] == [(0.0, VALID)] * 2


def test_edges_are_rounded_to_whole_seconds() -> None:
    first, second = cut_at([quarter()], [after(5) + timedelta(seconds=0.6)])
    assert (first.duration_s, second.duration_s) == (301, 599)
