"""An event over time: modified while it runs, drawn once, its phase; and one that cannot be read beside one that can."""

from __future__ import annotations

import pytest

from adapters.openadr.wire import parse_event, parse_events
from gateway.core.demand_response.timeline import Laid, build_timeline, draw_shifts, phase_of
from gateway.model.dr import EventPhase
from tests.core.dr_bodies import NOON, NOW, SEEN, at, ev, lasting, record_of, step, t

RUNNING = ev(step(1), step(2), start=t("11:00"), length="PT1H")
CHANGES = {
    "started earlier": (ev(step(1), step(2), start=t("10:00"), length="PT1H"), None),
    "started later": (ev(step(1), step(2), start=t("11:30"), length="PT1H"), (1, "12:30")),
    "shortened": (ev(step(1), step(2), start=t("11:00"), length="PT1H", duration="PT75M"), (2, "12:15")),
    "ended": (ev(step(1), start=t("11:00"), length="PT1H"), None),
    "prolonged": (ev(step(1), step(2), start=t("11:00"), length="PT1H", duration="PT5H"), (2, "13:00")),
    "another level": (ev(step(1), step(3), start=t("11:00"), length="PT1H"), (3, "13:00")),
    "an interval more": (ev(step(1), step(0), step(2), start=t("11:00"), length="PT1H"), (0, "13:00")),
    "cancelled by its form": (ev(step(1), step(2), start=NOW, length="PT0S"), None),
    "put off to the next day": (ev(step(1), start="2026-11-22T11:00:00Z", length="PT1H"), None),
    "now a report only": (ev(start=t("11:00"), length="PT1H"), None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_running_event_that_is_modified_takes_over_at_once(change):
    """B6, at 12:10 in the second hour of the event: what holds then, and until when."""
    now, laid = at("12:10"), Laid()
    before = build_timeline([record_of(RUNNING)], {}, now, laid=laid)
    assert [(s.values[0], s.end) for s in before.at(now)] == [(2, at("13:00"))]
    body, expected = CHANGES[change]
    after = build_timeline([record_of(body)], {}, now, laid=laid).at(now)
    assert [(s.values[0], s.end) for s in after] == ([] if expected is None else [(expected[0], at(expected[1]))])


def test_a_modification_keeps_the_draw_and_a_new_bound_draws_within_it():
    first = parse_event(lasting(1, "10:00", "PT1H", jitter="PT10M"), "vtn")
    longer = parse_event(lasting(2, "10:00", "PT3H", jitter="PT10M"), "vtn")
    wider = parse_event(lasting(1, "10:00", "PT1H", jitter="PT20M"), "vtn")
    drawn = draw_shifts(first, "home", SEEN)
    assert drawn == draw_shifts(longer, "home", SEEN) and drawn[0] != 0
    assert draw_shifts(wider, "home", SEEN) == pytest.approx((2 * drawn[0],))


@pytest.mark.parametrize(
    ("body", "draws"),
    [
        (ev(step(1), step(2), start=t("10:00"), length="PT1H", jitter="PT10M"), "xx"),
        (ev(step(1), step(2, jitter="PT10M"), step(3), start=t("10:00"), length="PT1H"), "0xx"),
        (ev(step(1, jitter="PT10M"), step(2, jitter="PT10M"), start=t("10:00"), length="PT1H"), "xy"),
        (ev(step(1, jitter="PT0S"), step(2), start=t("10:00"), length="PT1H", jitter="PT10M"), "00"),
        (ev(step(1), step(2), start=t("10:00"), length="PT1H", jitter="-PT10M"), "xx"),
        (ev(step(1), start=t("10:00"), length="PT1H"), "0"),
    ],
    ids=["the event's", "a later interval's", "two of their own", "none of its own", "a negative bound", "none"],
)
def test_who_draws_and_who_follows(body, draws):
    """C10: equal letters are one draw, 0 is none."""
    found = draw_shifts(parse_event(body, "vtn"), "home", SEEN)
    assert len(found) == len(draws) and all(abs(shift) <= 600 for shift in found)
    assert [shift == 0 for shift in found] == [letter == "0" for letter in draws]
    pairs = [(one, other) for one in range(len(draws)) for other in range(one)]
    assert all((found[a] == found[b]) == (draws[a] == draws[b]) for a, b in pairs)


@pytest.mark.parametrize(
    "change",
    [
        {"intervalPeriod": {"start": t("10:00"), "duration": "-PT1H"}},
        {"intervalPeriod": {"start": "tomorrow", "duration": "PT1H"}},
        {"intervalPeriod": {"start": t("10:00"), "duration": "one hour"}},
        {"duration": "P1.5M"},
        {"programID": None},
        {"intervals": ["x"]},
    ],
    ids=["a negative duration", "a start in words", "a duration in words", "half a month", "no program", "no interval"],
)
def test_one_event_that_cannot_be_read_hides_no_other(change):
    """C9, B10: it makes no signals, the others do."""
    parsed = parse_events([{**lasting(1, "10:00", "PT1H"), **change}, lasting(2, "10:00", "PT1H", id="b")], "vtn")
    assert [event.id for event in parsed.good] == ["b"] and [name for name, _ in parsed.bad] == ["e"]


def test_a_loop_of_seconds_that_began_a_year_ago_holds_now_and_is_not_unrolled():
    """C6, C14: 31 million rounds ago; the pieces laid out are bounded and reach past now."""
    body = ev(step(1), step(2), start="2025-11-21T00:00:00Z", length="PT1S", duration="P9999Y")
    built = build_timeline([record_of(body)], {}, NOON)
    assert [s.values for s in built.at(NOON)] == [(1,)]
    assert len(built.signals) <= 2002 and (built.signals[-1].start - NOON).total_seconds() > 600


@pytest.mark.parametrize(
    ("body", "phases"),
    [
        (lasting(1, "10:00", "PT1H"), "upcoming active ended"),
        (ev(step(1), start=t("10:00"), length="PT30M", duration="P9999Y"), "upcoming active active"),
        (ev(step(1), start=t("10:00"), length="PT30M", duration="PT1H"), "upcoming active ended"),
        (ev(step(1), start=NOW, length="PT0S"), "cancelled cancelled cancelled"),
        (ev(step(1, start=NOW, length="PT0S")), "cancelled cancelled cancelled"),
        (ev(start=t("10:00"), length="PT1H"), "ended ended ended"),
        (ev(step(1), start=t("10:00"), length="PT0S", duration="P9999Y"), "upcoming ended ended"),
        (
            ev(step(1, length="PT0S"), step(2, length="PT30M"), start=t("10:00"), duration="PT1H"),
            "upcoming active ended",
        ),
    ],
    ids=[
        "once",
        "for ever",
        "a loop cut",
        "cancelled by its form",
        "cancelled in the interval",
        "a report only",
        "a loop of nothing",
        "a loop that begins with nothing",
    ],
)
def test_the_phase_before_during_and_after(body, phases):
    found = [phase_of(record_of(body), at(when)) for when in ("09:59", "10:59", "11:00")]
    assert found == [EventPhase(name) for name in phases.split()]
