"""OpenADR 3 JSON to our nouns: lenient in reading, one malformed object never hides the others.

Unknown fields, payload types and enum strings are kept or passed over; explicit nulls count as absent. What could be
acted on wrongly (no id, no program, a time, duration or target that cannot be read) makes the one event malformed, and
so does what is far beyond any use.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from adapters.http.manners import shown
from adapters.openadr.iso import is_now, parse_duration, parse_time
from adapters.openadr.v301 import for_everybody, lift_event, lift_program, targets
from gateway.model.dr import (
    DrEvent,
    DrInterval,
    DrProgram,
    Duration,
    IntervalPeriod,
    Payload,
    ReportDescriptor,
)

T = TypeVar("T")
DEEPEST = 20
"""Levels of nesting of one object; a point in a payload of an event stands at level 7."""
LONGEST_ID = 256
MOST_INTERVALS, MOST_PAYLOADS, MOST_VALUES = 5000, 50, 2000
"""Of an event, of an interval, of a payload."""
LARGEST = 2**31
"""Beyond all numbers of the format int32."""
REPORT_INTERVALS = ("INTERVALS", "SUB_INTERVALS", "OPEN_INTERVALS")


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """What could be read of a listing; `bad` names each object that could not be, as (its id or "", why).

    The id is bounded, but as it came: `shown` makes it fit to be told.
    """

    good: tuple[T, ...]
    bad: tuple[tuple[str, str], ...]


def parse_events(objects: Sequence[object], server: str) -> Parsed[DrEvent]:
    """All events of a listing, each on its own."""
    return _each(objects, lambda found: parse_event(found, server))


def parse_programs(objects: Sequence[object], server: str) -> Parsed[DrProgram]:
    """All programs of a listing, each on its own."""
    return _each(objects, lambda found: parse_program(found, server))


def parse_event(found: object, server: str) -> DrEvent:
    """One event; raises ValueError when it cannot be used."""
    _aimed(_object(found, "event"))
    event = lift_event(_object(found, "event"))
    stated = _few(_list(event.get("intervals")), MOST_INTERVALS, "intervals")
    intervals = [_interval(item, index) for index, item in enumerate(stated)]
    read = DrEvent(
        id=_id(event, "id"),
        server=server,
        program=_id(event, "programID"),
        name=shown(str(event.get("eventName") or "")),
        intervals=tuple(intervals),
        period=_period(event.get("intervalPeriod")),
        duration=_duration(event.get("duration")),
        priority=_priority(event.get("priority")),
        targets=_texts(event.get("targets")),
        units=_descriptions(event, "units"),
        currencies=_descriptions(event, "currency"),
        reports=tuple(_reports(event.get("reportDescriptors"))),
        modified=shown(str(event.get("modificationDateTime") or "")),
    )
    return replace(read, fingerprint=fingerprint(read))


def parse_program(found: object, server: str) -> DrProgram:
    """One program; raises ValueError when it has no id."""
    program = lift_program(_object(found, "program"))
    return DrProgram(
        id=_id(program, "id"),
        server=server,
        name=_name(program),
        binding=_binding(program),
        units=_descriptions(program, "units"),
        currencies=_descriptions(program, "currency"),
    )


def fingerprint(event: DrEvent) -> str:
    """A hash of what an event says to us: neither the server's book-keeping nor what we do not know changes it."""
    content = (
        event.name, event.program, event.intervals, event.period, event.duration, event.priority, sorted(event.targets),
        sorted(event.units.items()), sorted(event.currencies.items()), event.reports,
    )  # fmt: skip
    return hashlib.sha256(repr(content).encode()).hexdigest()


def identity(item: object) -> str:
    """The id of an object, "" for one without."""
    name = item.get("id") if isinstance(item, dict) else None
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else ""


def keys(objects: Sequence[object]) -> list[str]:
    """What tells each object of a page: its id, or all of it for one without."""
    return [identity(item) or f"\0{hashlib.sha256(repr(item).encode()).hexdigest()}" for item in objects]


def merged(objects: Sequence[object]) -> list[object]:
    """Each object once, the last listed of its id, with the targets of all; in order of first sight."""
    found: dict[str, Any] = {}
    for item, key in zip(objects, keys(objects), strict=True):
        found[key] = _with_targets(item, found.get(key))
    return list(found.values())


def _with_targets(item: Any, earlier: Any) -> Any:
    """An object with the targets of its earlier listing, too; where both show some."""
    if not isinstance(item, dict):
        return item
    before, now = _list((earlier or {}).get("targets")), _list(item.get("targets"))
    if not before or now == before:
        return item
    both = [*before, *(target for target in now if target not in before)]
    return {**item, "targets": sorted(both, key=str)}


def _each(objects: Sequence[object], parse: Callable[[object], T]) -> Parsed[T]:
    good: list[T] = []
    bad: list[tuple[str, str]] = []
    for found in objects:
        try:
            _bounded(found)
            good.append(parse(found))
        except (ValueError, TypeError, OverflowError) as error:
            bad.append((identity(found)[: LONGEST_ID + 1], shown(str(error))))
    return Parsed(tuple(good), tuple(bad))


def _bounded(found: object) -> None:
    """Refuse what would hurt further inside: deep nesting, and texts that are no Unicode. Raises ValueError."""
    level: list[object] = [found]
    for _ in range(DEEPEST):
        if not level:
            return
        for text in level:
            if isinstance(text, str) and not text.isascii():
                text.encode()
        inner = [list(item.values()) if isinstance(item, dict) else item for item in level]
        level = [each for items in inner if isinstance(items, list) for each in items]
    raise ValueError(f"it is nested deeper than {DEEPEST} levels")


def _interval(found: object, index: int) -> DrInterval:
    interval = _object(found, f"interval {index}")
    stated = _few(_list(interval.get("payloads")), MOST_PAYLOADS, "payloads in one interval")
    payloads = [_payload(item) for item in stated]
    return DrInterval(
        id=_whole(interval.get("id"), index),
        payloads=tuple(payload for payload in payloads if payload is not None),
        period=_period(interval.get("intervalPeriod")),
    )


def _payload(found: object) -> Payload | None:
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        return None
    values = found.get("values")
    several = _few(values if isinstance(values, list) else [values], MOST_VALUES, "values in one payload")
    return Payload(found["type"], tuple(_scalar(value) for value in several if value is not None))


def _scalar(value: object) -> float | str | bool:
    """Points and other structures are kept as their JSON text: recorded, not acted on."""
    if isinstance(value, int | float) and not math.isfinite(value):
        raise ValueError("a value is beyond all numbers")
    return value if isinstance(value, bool | int | float | str) else json.dumps(value, sort_keys=True)


def _period(found: object) -> IntervalPeriod | None:
    if found is None:
        return None
    period = _object(found, "intervalPeriod")
    start = period.get("start")
    sentinel = isinstance(start, str) and is_now(start)
    return IntervalPeriod(
        start=None if start is None or sentinel else parse_time(_text(start)),
        start_now=sentinel,
        duration=_duration(period.get("duration")),
        randomize_start=_duration(period.get("randomizeStart"), absolute=True),
    )


def _duration(found: object, *, absolute: bool = False) -> Duration | None:
    return None if found is None or found == "" else parse_duration(_text(found), absolute=absolute)


def _priority(found: object) -> int | None:
    """0 is the highest in 3.x; what is no whole number, or below 0, counts as none, the lowest. Raises ValueError beyond its range."""
    number = _number(found)
    if number is not None and number > LARGEST:
        raise ValueError("the priority is beyond its range")
    return None if number is not None and number < 0 else number


def _reports(found: object) -> list[ReportDescriptor]:
    known = [item for item in _list(found) if isinstance(item, dict) and isinstance(item.get("payloadType"), str)]
    return [_report(item) for item in known]


def _report(item: dict[str, Any]) -> ReportDescriptor:
    historical = item.get("historical")
    return ReportDescriptor(
        payload_type=item["payloadType"],
        reading_type=str(item.get("readingType") or ""),
        units=str(item.get("units") or ""),
        aggregate=item.get("aggregate") is True,
        start_interval=_whole(item.get("startInterval"), -1),
        num_intervals=_whole(item.get("numIntervals"), -1),
        historical=historical if isinstance(historical, bool) else True,
        frequency=_whole(item.get("frequency"), -1),
        repeat=_whole(item.get("repeat"), 1),
        targets=_texts(item.get("targets")),
        report_intervals=stated if (stated := item.get("reportIntervals")) in REPORT_INTERVALS else "INTERVALS",
    )


def _descriptions(found: dict[str, Any], field: str) -> dict[str, str]:
    known = [item for item in _list(found.get("payloadDescriptors")) if isinstance(item, dict)]
    return {
        item["payloadType"]: item[field]
        for item in known
        if isinstance(item.get("payloadType"), str) and isinstance(item.get(field), str) and item[field]
    }


def _binding(program: dict[str, Any]) -> bool:
    """The attribute BINDING_EVENTS (program-attributes enumeration)."""
    for item in _list(program.get("attributes")):
        if isinstance(item, dict) and item.get("type") == "BINDING_EVENTS":
            return any(value is True or str(value).lower() == "true" for value in _list(item.get("values")))
    return False


def _object(found: object, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{what} is not an object")
    return found


def _id(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{key} is missing")
    _unicode(str(value), key)
    if len(str(value)) > LONGEST_ID:
        raise ValueError(f"{key} is longer than {LONGEST_ID} characters")
    return str(value)


def _name(program: dict[str, Any]) -> str:
    """What a program is called; the site file may follow it by that."""
    name = str(program.get("programName") or program["id"])
    _unicode(name, "programName")
    return shown(name)


def _unicode(text: str, key: str) -> None:
    if "\ufffd" in text:
        raise ValueError(f"{key} is no Unicode text")


def _list(found: object) -> list[Any]:
    return found if isinstance(found, list) else []


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise ValueError(f"{shown(repr(found), 60)} is not a text")
    return found


def _texts(found: object) -> tuple[str, ...]:
    return tuple(item for item in _list(found) if isinstance(item, str))


def _aimed(event: dict[str, Any]) -> None:
    """Who is meant must be readable, or an event for others would be for everybody. Raises ValueError."""
    stated = event.get("targets")
    if not targets(stated) and not for_everybody(stated):
        raise ValueError("its targets cannot be read")


def _few(found: list[Any], most: int, what: str) -> list[Any]:
    if len(found) > most:
        raise ValueError(f"it has {len(found)} {what}, more than {most}")
    return found


def _number(found: object) -> int | None:
    """A whole number, also one written 1.0."""
    if isinstance(found, float):
        return int(found) if found.is_integer() else LARGEST + 1 if math.isinf(found) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _whole(found: object, default: int) -> int:
    number = _number(found)
    return number if number is not None and abs(number) <= LARGEST else default
