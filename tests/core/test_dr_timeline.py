"""The timeline: every event of the User Guide's kinds gives the signals its text describes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.demand_response.timeline import build_timeline, draw_shifts, phase_of
from gateway.model.authority import Authority
from gateway.model.dr import (
    DrEvent,
    DrInterval,
    DrProgram,
    Duration,
    EventPhase,
    EventRecord,
    IntervalPeriod,
    OptState,
    Payload,
)

T0 = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
HOUR = Duration(seconds=3600)
FOREVER = Duration(infinite=True)
BRUSSELS = ZoneInfo("Europe/Brussels")


def h(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def at(start: datetime | None = T0, duration: Duration | None = HOUR, **more) -> IntervalPeriod:
    return IntervalPeriod(start=start, duration=duration, **more)


NOW_START = IntervalPeriod(start_now=True, duration=FOREVER)


def step(number: int, *values, kind: str = "PRICE", period: IntervalPeriod | None = None) -> DrInterval:
    return DrInterval(number, (Payload(kind, values),), period)


def event(*intervals: DrInterval, name: str = "e", **more) -> DrEvent:
    return DrEvent(name, "vtn", "p", name, intervals, **more)


def record(found: DrEvent, **more) -> EventRecord:
    return EventRecord(found, **{"first_seen": h(6), "opt": OptState.JOINED, **more})


def rows(*records: EventRecord, now: datetime = T0, **more) -> list[tuple]:
    """(kind, value, start h, end h) of each signal."""
    built = build_timeline(records, {}, now, **more)
    hours = lambda when: None if when is None else round((when - T0).total_seconds() / 3600, 6)  # noqa: E731
    return [(s.kind, s.values[0], hours(s.start), hours(s.end)) for s in built.signals]


TABLE = {
    "two prices, one hour each": (event(step(0, 0.17), step(1, 0.2), period=at()), [(0.17, 0, 1), (0.2, 1, 2)]),
    "own duration, rest inherited (7.4-1)": (
        event(step(0, 1), step(1, 2, period=at(None, Duration(seconds=7200))), step(2, 3), period=at()),
        [(1, 0, 1), (2, 1, 3), (3, 3, 4)],
    ),
    "three values share three hours (7.3-1)": (
        event(step(0, 0.17, 0.03, 0.11, period=at(T0, Duration(seconds=10800)))),
        [(0.17, 0, 1), (0.03, 1, 2), (0.11, 2, 3)],
    ),
    "do it now, for ever": (event(step(0, 5), period=NOW_START), [(5, 6, None)]),
    "now without any period": (event(step(0, 5)), [(5, 6, None)]),
    "a gap between absolute starts": (
        event(step(0, 1, period=at(h(1))), step(1, 2, period=at(h(4)))), [(1, 1, 2), (2, 4, 5)],
    ),
    "a later start inside an earlier interval wins": (
        event(step(0, 1, period=at(T0, Duration(seconds=4 * 3600))), step(1, 2, period=at(h(1)))),
        [(1, 0, 1), (2, 1, 2), (1, 2, 4)],
    ),
    "interval sentinel follows the previous": (
        event(step(0, 1), step(1, 2, period=IntervalPeriod(start_now=True)), period=at()), [(1, 0, 1), (2, 1, 2)],
    ),
    "event.duration truncates": (
        event(step(0, 1), step(1, 2), period=at(), duration=Duration(seconds=5400)), [(1, 0, 1), (2, 1, 1.5)],
    ),
    "event.duration of the default PT0S is not stated": (
        event(step(0, 1), period=at(), duration=Duration()), [(1, 0, 1)],
    ),
    "event.duration loops": (
        event(step(0, 1), step(1, 2), period=at(), duration=Duration(seconds=3 * 3600)),
        [(1, 0, 1), (2, 1, 2), (1, 2, 3)],
    ),
    "an endless interval ends with the event": (
        event(step(0, 1, period=at(T0, FOREVER)), duration=Duration(seconds=7200)), [(1, 0, 2)],
    ),
    "an interval after an endless one never comes": (
        event(step(0, 1, period=at(T0, FOREVER)), step(1, 2, period=at(None, HOUR))), [(1, 0, None)],
    ),
    "cancelled by its form": (event(step(0, 1), period=IntervalPeriod(start_now=True, duration=Duration())), []),
    "report only: no intervals": (event(period=at()), []),
    "report only: empty payloads": (event(DrInterval(0, ()), period=at()), []),
    "an interval of no length": (event(step(0, 1, period=at(T0, Duration())), step(1, 2), period=at()), [(2, 0, 1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_signals_of(name):
    found, expected = TABLE[name]
    assert [row[1:] for row in rows(record(found))] == expected


def test_a_daily_loop_begun_years_ago_is_not_unrolled_beyond_the_horizon():
    daily = event(*(step(i, i) for i in range(24)), period=at(h(-24 * 3000)), duration=FOREVER)
    found = rows(record(daily), now=h(6.5), horizon_s=86_400, past_s=0)
    assert found[0] == ("PRICE", 6, 6, 7)
    assert 24 <= len(found) <= 48 and found[-1][3] <= 48


def test_a_monthly_loop_follows_the_calendar():
    start = datetime(2026, 1, 30, 23, 0, tzinfo=UTC)  # 31 January in Brussels
    monthly = event(step(0, 1), step(1, 2), period=at(start, Duration(months=1)), duration=FOREVER)
    built = build_timeline([record(monthly)], {}, datetime(2026, 11, 10, tzinfo=UTC), timezone=BRUSSELS)
    assert built.signals[0].start.astimezone(BRUSSELS) == datetime(2026, 10, 31, tzinfo=BRUSSELS)
    assert built.signals[0].values == (2,)


@pytest.mark.parametrize(
    ("duration", "length_h"), [(Duration(days=1), 25), (Duration(seconds=86_400), 24)], ids=["P1D", "PT24H"]
)
def test_a_day_across_the_end_of_summer_time(duration, length_h):
    start = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    built = build_timeline([record(event(step(0, 1), period=at(start, duration)))], {}, start, timezone=BRUSSELS)
    assert (built.signals[0].end - start).total_seconds() == length_h * 3600


def simple(name: str, level: int, start: float, end: float, **more) -> DrEvent:
    return event(step(0, level, kind="SIMPLE", period=at(h(start), Duration(seconds=(end - start) * 3600))),
                 name=name, **more)  # fmt: skip


def test_the_higher_priority_displaces_and_the_lower_resumes():
    low, high = simple("a", 1, 0, 6, priority=5), simple("b", 2, 2, 3, priority=1)
    assert [r[1:] for r in rows(record(low), record(high))] == [(1, 0, 2), (2, 2, 3), (1, 3, 6)]


def test_no_priority_is_the_lowest_and_among_equals_the_stricter_holds():
    assert [r[1] for r in rows(record(simple("a", 3, 0, 1)), record(simple("b", 1, 0, 1, priority=9)))] == [1]
    assert [r[1] for r in rows(record(simple("a", 1, 0, 1)), record(simple("b", 2, 0, 1)))] == [2]


def test_a_voluntary_event_never_displaces_a_binding_one():
    binding = record(simple("a", 3, 0, 2), opt=OptState.BINDING)
    found = build_timeline([binding, record(simple("b", 0, 0, 1, priority=0))], {}, T0)
    assert [(s.event, s.authority) for s in found.signals] == [("vtn:a", Authority.BINDING_LIMIT)]


def test_different_kinds_hold_together():
    assert len(rows(record(simple("a", 1, 0, 1)), record(event(step(0, 1), name="b", period=at())))) == 2


@pytest.mark.parametrize(
    "change",
    [{"opt": OptState.SKIPPED}, {"opt": OptState.UNDECIDED}, {"cancelled_at": T0}],
    ids=["skipped", "undecided", "cancelled"],
)
def test_only_what_the_home_takes_part_in_counts(change):
    assert rows(record(simple("a", 1, 0, 1), **change)) == []


def test_the_units_of_the_program_fill_in():
    program = DrProgram("p", "vtn", "P", units={"PRICE": "KWH"}, currencies={"PRICE": "EUR"})
    signal = build_timeline([record(event(step(0, 1), period=at()))], {"vtn:p": program}, T0).signals[0]
    assert (signal.unit, signal.currency) == ("KWH", "EUR")


RANDOM = Duration(seconds=600)


def test_a_draw_is_the_same_after_a_restart_and_differs_between_homes():
    found = event(*(step(i, 1) for i in range(3)), period=at(randomize_start=RANDOM))
    first = draw_shifts(found, "home", T0)
    assert first == draw_shifts(found, "home", T0)
    assert first != draw_shifts(found, "other", T0)
    assert first[0] == first[1] == first[2] != 0


def test_draws_lie_within_both_sides_of_the_bound():
    found = event(step(0, 1), period=at(randomize_start=RANDOM))
    shifts = [draw_shifts(found, f"home{i}", T0)[0] for i in range(400)]
    assert -600 <= min(shifts) < -500 and 500 < max(shifts) <= 600
    assert abs(sum(shifts) / 400) < 60


def test_an_interval_with_its_own_bound_draws_anew_and_leaves_no_gap():
    found = event(step(0, 1), step(1, 2, period=IntervalPeriod(randomize_start=RANDOM)), step(2, 3), period=at())
    shifts = draw_shifts(found, "home", T0)
    assert shifts[0] == 0 and shifts[1] == shifts[2] != 0
    signals = build_timeline([record(found, shifts_s=shifts)], {}, T0).signals
    assert signals[0].end == signals[1].start == h(1) + timedelta(seconds=shifts[1])


def test_a_shift_moves_start_and_end():
    shifted = record(simple("a", 1, 1, 2), shifts_s=(360.0,))
    assert [r[2:] for r in rows(shifted)] == [(1.1, 2.1)]


def test_a_capacity_limit_keeps_its_hard_end():
    limit = event(step(0, 4, kind="IMPORT_CAPACITY_LIMIT"), step(1, 2, kind="IMPORT_CAPACITY_LIMIT"), period=at())
    assert [r[2:] for r in rows(record(limit, shifts_s=(360.0, 360.0)))] == [(0.1, 1), (1, 2)]
    assert [r[2:] for r in rows(record(limit, shifts_s=(-360.0, -360.0)))] == [(-0.1, 1), (1, 2)]


def test_the_phase_of_an_event():
    found = record(simple("a", 1, 1, 2))
    phases = [phase_of(found, h(x)) for x in (0, 1, 2)]
    assert phases == [EventPhase.UPCOMING, EventPhase.ACTIVE, EventPhase.ENDED]
    assert phase_of(replace(found, cancelled_at=T0), T0) is EventPhase.CANCELLED


events = st.builds(
    lambda name, level, start, length, priority, shift, loops, kind: record(
        event(
            step(0, level, kind=kind), step(1, level, kind=kind), name=str(name), priority=priority,
            period=at(h(start), Duration(seconds=length * 600)),
            duration=Duration(seconds=86_400) if loops else None,
        ),
        shifts_s=(shift, shift),
    ),
    st.integers(0, 10**6), st.integers(0, 3), st.floats(-10, 10), st.integers(1, 30),
    st.none() | st.integers(0, 3), st.floats(-300, 300), st.booleans(), st.sampled_from(["SIMPLE", "PRICE"]),
)  # fmt: skip


@pytest.mark.slow
@given(st.lists(events, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_timeline_never_overlaps_within_a_kind(records):
    signals = build_timeline(records, {}, T0).signals
    for kind in ("SIMPLE", "PRICE"):
        mine = [s for s in signals if s.kind == kind]
        assert all(a.end is not None and a.end <= b.start for a, b in pairwise(mine))


@pytest.mark.slow
@given(st.lists(events, max_size=8), st.floats(0, 20))
@settings(max_examples=40, deadline=None)
def test_what_holds_now_does_not_depend_on_when_the_timeline_was_built(records, later):
    early, late = build_timeline(records, {}, T0), build_timeline(records, {}, h(later))
    assert {s.event for s in early.at(h(later))} == {s.event for s in late.at(h(later))}
