"""Bodies of OpenADR events, written short, and their timelines, written as words, for tests.

A row reads "KIND values start/end", UTC, with the date where it is not 21 November 2026; an open end is "...". The home
first saw each event at 06:00 that day and builds the timeline at noon, unless the case says otherwise.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from adapters.openadr.wire import parse_event
from gateway.core.demand_response.timeline import build_timeline
from gateway.model.dr import EventRecord, OptState

DAY = "2026-11-21"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SEEN = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def t(clock: str) -> str:
    """A start on the day: "10:00" -> RFC 3339."""
    return f"{DAY}T{clock}:00Z"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text if "T" in text else f"{DAY}T{text}:00").replace(tzinfo=UTC)


def period(start: str | None, length: str | None, jitter: str | None) -> dict | None:
    found = {"start": start, "duration": length, "randomizeStart": jitter}
    kept = {key: value for key, value in found.items() if value is not None}
    return kept or None


def step(*levels, start=None, length=None, jitter=None, **kinds) -> dict:
    """One interval: SIMPLE levels, or kinds by name."""
    kinds = kinds or {"SIMPLE": list(levels)}
    payloads = [{"type": kind, "values": values} for kind, values in kinds.items()]
    return {"payloads": payloads, "intervalPeriod": period(start, length, jitter)}


def ev(*steps: dict, start=None, length=None, jitter=None, id="e", **more) -> dict:  # noqa: A002
    intervals = [{"id": number, **found} for number, found in enumerate(steps)]
    return {"id": id, "programID": "p", "intervalPeriod": period(start, length, jitter), "intervals": intervals, **more}


def lasting(level: int, start: str, length: str, **more) -> dict:
    return ev(step(level), start=t(start), length=length, **more)


def cap(watts: float, start: str, length: str, unit: str = "KW", **more) -> dict:
    descriptors = [{"payloadType": "IMPORT_CAPACITY_LIMIT", "units": unit}]
    return ev(
        step(IMPORT_CAPACITY_LIMIT=[watts]), start=t(start), length=length, payloadDescriptors=descriptors, **more
    )


class Known(NamedTuple):
    """A body and what the home knows of the event besides."""

    body: dict
    record: dict
    server: str = "vtn"


def known(body: dict, server: str = "vtn", **record) -> Known:
    return Known(body, record, server)


class Case(NamedTuple):
    events: tuple[dict | Known, ...]
    rows: list[str]
    now: datetime = NOON
    zone: ZoneInfo | None = None
    build: dict = {}


def case(*events, rows, **more) -> Case:
    return Case(events, rows, **more)


def record_of(found: dict | Known) -> EventRecord:
    body, changes, server = found if isinstance(found, Known) else (found, {}, "vtn")
    return EventRecord(parse_event(body, server), **{"first_seen": SEEN, "opt": OptState.JOINED, **changes})


def words(when: datetime | None) -> str:
    if when is None:
        return "..."
    clock = f"{when:%H:%M:%S}" if when.second else f"{when:%H:%M}"
    return clock if when.date().isoformat() == DAY else f"{when:%Y-%m-%dT}{clock}"


def rows(found: Case) -> list[str]:
    records = [record_of(each) for each in found.events]
    built = build_timeline(records, {}, found.now, timezone=found.zone or UTC, **found.build)
    return [
        f"{s.kind} {','.join(map(str, s.values))} {words(s.start)}/{words(s.end)}".replace("  ", " ")
        for s in built.signals
    ]


NOW = "0001-01-01"
