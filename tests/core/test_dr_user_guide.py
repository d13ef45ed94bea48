"""Every event of the OpenADR 3.1.0 User Guide means what the text around it says.

tests/data/openadr/user_guide/events.json holds all example events of the guide (27 bodies: 24 different events, 7.2-4
and 8.13-5 read one of them back, 8.12-2 is 8.12-1 modified), by example number, as the specification prints them;
licence and source stand beside them. Requests carry no id: the test gives them their number.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from adapters.openadr.wire import parse_event
from gateway.core.demand_response.timeline import build_timeline, phase_of
from gateway.model.dr import DrEvent, EventPhase, EventRecord, OptState

EVENTS = Path(__file__).parents[1] / "data" / "openadr" / "user_guide" / "events.json"

FEB = "2023-02-10 "
MAR = "2025-03-14 "
NO_SIGNAL: list[tuple] = []
ALERT = "The grid is currently under emergency conditions"

TABLE = {
    "7.2-3": [("PRICE", (0.17,), FEB + "00:00", FEB + "01:00")],
    "7.2-4": [("PRICE", (0.17,), FEB + "00:00", FEB + "01:00")],
    # "an interval with 3 prices, each relevant for 1 hour"
    "7.3-1": [
        ("PRICE", (0.17,), "2025-06-25 00:00", "2025-06-25 01:00"),
        ("PRICE", (0.03,), "2025-06-25 01:00", "2025-06-25 02:00"),
        ("PRICE", (0.11,), "2025-06-25 02:00", "2025-06-25 03:00"),
    ],
    # "the same duration ... except the second interval which defines its own duration"
    "7.4-1": [
        ("PRICE", (0.17,), FEB + "00:00", FEB + "01:00"),
        ("PRICE", (0.22,), FEB + "01:00", FEB + "03:00"),
    ],
    "7.6-1": [
        ("GHG", (0.03,), FEB + "00:00", FEB + "01:00"),
        ("PRICE", (0.17,), FEB + "00:00", FEB + "01:00"),
    ],
    "7.7-1": [("PRICE", (0.17,), FEB + "00:00", FEB + "01:00")],
    "8.1-1": [("ALERT_GRID_EMERGENCY", (ALERT,), MAR + "00:00", MAR + "04:00")],
    # "a specific start time and a duration of 4 hours"
    "8.2-1": [("SIMPLE", (1,), MAR + "00:00", MAR + "04:00")],
    # "every interval spans 1 hour"
    "8.3-2": [
        ("PRICE", (0.17,), FEB + "00:00", FEB + "01:00"),
        ("PRICE", (0.03,), FEB + "01:00", FEB + "02:00"),
    ],
    # Points are kept as text: recorded, not acted on.
    "8.4-2": [("CURVE", ('{"x": 0.17, "y": 0.26}', '{"x": 0.19, "y": 0.28}'), MAR + "00:00", MAR + "01:00")],
    "8.5-1": [("DISPATCH_SETPOINT", (0,), MAR + "00:00", MAR + "04:00")],
    "8.6-1": NO_SIGNAL,  # report-only
    "8.7-1": NO_SIGNAL,  # report-only with implied intervals
    "8.8-1": NO_SIGNAL,
    "8.9.3-1": [("DISPATCH_SETPOINT", (0.5,), FEB + "00:00", None)],
    "8.9.3-2": [("CONTROL_SETPOINT", (-0.15,), FEB + "00:00", None)],
    "8.9.3-3": [("CONTROL_SETPOINT", (-0.15,), FEB + "00:00", None)],
    # "2 contiguous 30 minute intervals"
    "8.10.1-1": [
        ("EXPORT_CAPACITY_LIMIT", (4.0,), FEB + "00:00", FEB + "00:30"),
        ("IMPORT_CAPACITY_LIMIT", (10.0,), FEB + "00:00", FEB + "00:30"),
        ("EXPORT_CAPACITY_LIMIT", (6.0,), FEB + "00:30", FEB + "01:00"),
        ("IMPORT_CAPACITY_LIMIT", (8.0,), FEB + "00:30", FEB + "01:00"),
    ],
    "8.10.2-1": [("CAPACITY_SUBSCRIPTION", (240,), FEB + "00:00", None)],
    "8.10.2-2": NO_SIGNAL,  # report-only
    "8.10.2-4": NO_SIGNAL,  # now, for PT0H, in event and interval: of no duration (7.9)
    # The interval's own period takes precedence over the event's (7.3).
    "8.10.2-5": [
        ("CAPACITY_AVAILABLE", (242,), FEB + "00:00", FEB + "01:00"),
        ("CAPACITY_AVAILABLE_FEE", (0.11,), FEB + "00:00", FEB + "01:00"),
    ],
    "8.12-1": [
        ("DISPATCH_INSTRUCTION", ("load_reduction", "combustion_gen_standby"), "2025-02-13 19:00", "2025-02-13 21:00")
    ],
    # "continue ... until the end of the first hour, but extends the event by hour to three total hours"
    "8.12-2": [
        ("DISPATCH_INSTRUCTION", ("load_reduction", "combustion_gen_standby"), "2025-02-13 19:00", "2025-02-13 20:00"),
        ("DISPATCH_INSTRUCTION", ("load_reduction", "combustion_gen"), "2025-02-13 20:00", "2025-02-13 22:00"),
    ],
    "8.13-4": NO_SIGNAL,
    "8.13-5": NO_SIGNAL,
    "8.13-6": NO_SIGNAL,
}


@cache
def guide() -> dict[str, dict]:
    return json.loads(EVENTS.read_text())


def parsed(number: str) -> DrEvent:
    return parse_event({"id": number, **guide()[number]}, "vtn")


def day_of(number: str) -> datetime:
    first = TABLE[number][0][2] if TABLE[number] else FEB + "00:00"
    return datetime.fromisoformat(first).replace(tzinfo=UTC)


def record(number: str, **more) -> EventRecord:
    return EventRecord(parsed(number), **{"first_seen": day_of(number), "opt": OptState.JOINED, **more})


def rows(*records: EventRecord, now: datetime) -> list[tuple]:
    def words(when: datetime | None) -> str | None:
        return None if when is None else when.strftime("%Y-%m-%d %H:%M")

    return [(s.kind, s.values, words(s.start), words(s.end)) for s in build_timeline(records, {}, now).signals]


def test_the_table_holds_every_event_of_the_guide():
    assert set(TABLE) == set(guide()) and len(TABLE) == 27


@pytest.mark.parametrize("number", TABLE)
def test_the_signals_of_the_user_guides_event(number):
    assert rows(record(number), now=day_of(number)) == TABLE[number]


def test_a_client_that_reads_hourly_prices_at_six_skips_ahead_to_the_interval_of_six():
    """User Guide 7.3, 'do it now' event: 25 hourly prices from midnight, read at 6 am."""
    body = {**guide()["8.3-2"], "intervals": [
        {"id": hour, "payloads": [{"type": "PRICE", "values": [hour / 100]}]} for hour in range(25)
    ]}  # fmt: skip
    now = datetime(2023, 2, 10, 6, 0, tzinfo=UTC)
    found = EventRecord(parse_event({"id": "e", **body}, "vtn"), now, opt=OptState.JOINED)
    (signal,) = build_timeline([found], {}, now).at(now)
    assert (signal.interval, signal.values) == (6, (0.06,))


def test_an_alert_that_starts_at_the_beginning_of_time_holds_from_its_receipt_for_ever():
    """User Guide 7.3: a convenient 'do it now' alert starts at 0001-01-01 and lasts P9999Y."""
    body = {**guide()["8.1-1"], "intervalPeriod": {"start": "0001-01-01T00:00:00", "duration": "P9999Y"}}
    seen = datetime(2025, 3, 14, 9, 0, tzinfo=UTC)
    found = EventRecord(parse_event({"id": "e", **body}, "vtn"), seen, opt=OptState.JOINED)
    assert rows(found, now=seen) == [("ALERT_GRID_EMERGENCY", (ALERT,), "2025-03-14 09:00", None)]


@pytest.mark.parametrize(("duration", "last"), [("P7D", "2023-02-17 00:00"), ("PT1H", FEB + "01:00"), ("P9999Y", None)])
def test_the_duration_of_the_event_repeats_or_shortens_the_prices(duration, last):
    """User Guide 7.3, event.duration: repeats the prices for a week, omits the last ones, repeats indefinitely."""
    found = EventRecord(
        parse_event({"id": "e", **guide()["8.3-2"], "duration": duration}, "vtn"), day_of("8.3-2"), opt=OptState.JOINED
    )
    end = day_of("8.3-2") + timedelta(days=8)
    signals = build_timeline([found], {}, day_of("8.3-2"), horizon_s=8 * 86_400).signals
    assert [s.values[0] for s in signals[:2]] == [0.17, 0.03][: len(signals)]
    reached = max(s.end for s in signals)
    assert reached >= end if last is None else reached == datetime.fromisoformat(last).replace(tzinfo=UTC)


def test_an_updated_event_takes_over_in_its_second_hour():
    """User Guide 8.12: the second body modifies the first while it runs."""
    at = datetime(2025, 2, 13, 20, 30, tzinfo=UTC)
    before, after = (build_timeline([record(number)], {}, at).at(at)[0] for number in ("8.12-1", "8.12-2"))
    assert (before.values[1], after.values[1]) == ("combustion_gen_standby", "combustion_gen")


@pytest.mark.parametrize(
    ("number", "phase"), [("8.2-1", EventPhase.ACTIVE), ("8.10.2-4", EventPhase.CANCELLED), ("8.6-1", EventPhase.ENDED)]
)
def test_the_phase_of_an_event_of_the_guide(number, phase):
    assert phase_of(record(number), day_of(number)) is phase
