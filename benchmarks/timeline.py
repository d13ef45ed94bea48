"""The timeline of 1,000 events, CPU time: laid out from nothing, and rebuilt after one event changed.

    .venv/bin/python benchmarks/timeline.py

The mix: of every ten events two shed loads once, two are a day of hourly prices, one is a tariff of 24 hours that
repeats for ever, one a capacity envelope of 48 half hours, one packs 24 prices into one interval, one is an alert, one
asks for reports only, and one is over. They start on different days of the last week and the next, at all priorities.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.table import Row, p95, spread
from gateway.core.demand_response.timeline import Laid, build_timeline, draw_shifts
from gateway.model.dr import DrEvent, DrInterval, Duration, EventRecord, IntervalPeriod, OptState, Payload

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Brussels")
HOUR = Duration(seconds=3600.0)
EVENTS = 1000


def interval(number: int, kind: str, *values: float | str) -> DrInterval:
    return DrInterval(number, (Payload(kind, values),))


def event(number: int) -> DrEvent:
    start = NOW.replace(hour=0) + timedelta(days=number // 10 % 14 - 7)
    period = IntervalPeriod(start, duration=HOUR)
    late = start + timedelta(hours=number % 24)
    simple = (interval(0, "SIMPLE", 1 + number % 3),)
    kinds: tuple[tuple[tuple[DrInterval, ...], IntervalPeriod, Duration | None], ...] = (
        (simple, IntervalPeriod(late, duration=HOUR, randomize_start=Duration(seconds=300)), None),
        (simple, IntervalPeriod(late, duration=Duration(seconds=7200)), None),
        (tuple(interval(h, "PRICE", 0.1 + h / 100) for h in range(24)), period, None),
        (tuple(interval(h, "EXPORT_PRICE", 0.1 + h / 100) for h in range(24)), period, None),
        (tuple(interval(h, "PRICE", 0.2 + h / 100) for h in range(24)), period, Duration(infinite=True)),
        (
            tuple(interval(h, "IMPORT_CAPACITY_LIMIT", 4 + h % 7) for h in range(48)),
            replace(period, duration=Duration(seconds=1800)),
            None,
        ),
        ((interval(0, "GHG", *(200 + h for h in range(24))),), replace(period, duration=Duration(days=1)), None),
        ((interval(0, "ALERT_FLEX_ALERT", "Please save"),), IntervalPeriod(late, duration=HOUR), None),
        ((), period, None),
        (simple, IntervalPeriod(start - timedelta(days=30), duration=HOUR), None),
    )
    intervals, when, duration = kinds[number % 10]
    name, priority = f"e{number}", None if number % 5 == 0 else number % 7
    return DrEvent(name, f"vtn{number % 2}", "p", name, intervals, when, duration, priority)


def records(count: int) -> list[EventRecord]:
    events = [event(number) for number in range(count)]
    return [EventRecord(e, NOW, draw_shifts(e, "home", NOW), OptState.JOINED) for e in events]


def changed(record: EventRecord, number: int) -> EventRecord:
    """The record after the utility moved the event to another priority."""
    return replace(record, event=replace(record.event, priority=number % 5, fingerprint=str(number)))


def timed(found: list[EventRecord], now: datetime, laid: Laid) -> float:
    """CPU time of one rebuild, ms."""
    began = time.process_time()
    build_timeline(found, {}, now, timezone=ZONE, laid=laid)
    return (time.process_time() - began) * 1000


def measure(changes: int) -> tuple[list[float], list[float], list[float]]:
    """CPU times, ms: from nothing; after single changes of all kinds of events; each hour later."""
    found = records(EVENTS)
    cold = [timed(found, NOW, Laid()) for _ in range(5)]
    laid = Laid()
    timed(found, NOW, laid)
    warm = []
    for number in range(changes):
        found[number * 7 % EVENTS] = changed(found[number * 7 % EVENTS], number)
        warm.append(timed(found, NOW + timedelta(seconds=10 * number), laid))
    hours = [timed(found, NOW + timedelta(hours=hour), laid) for hour in range(2, 14)]
    return cold, warm, hours


def rows(quick: bool) -> list[Row]:
    """The promise, and what the two other ways to rebuild cost."""
    cold, warm, hours = measure(30 if quick else 300)
    signals = len(build_timeline(records(EVENTS), {}, NOW, timezone=ZONE).signals)
    return [
        Row(
            "timeline of 1,000 events rebuilt",
            "<= 20 ms CPU",
            f"p50 {statistics.median(warm):.1f} ms, p95 {p95(warm):.1f} ms after a change; an hour after the last"
            f" {spread(hours, 'ms')}; from nothing {spread(cold, 'ms', 0)}",
            f"{EVENTS} mixed events, {signals} signals; {len(warm)} single changes of all kinds of events, CPU time",
        )
    ]


if __name__ == "__main__":
    for row in rows(False):
        print(row.line())
