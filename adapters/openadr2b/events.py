"""oadrDistributeEvent as our events: one that cannot be read never hides the others (conformance rule 19).

dtstart      |<- startafter ->|         priority 1 (highest) .. n, 0 = none     ->  0 .. n - 1, None
             |------- duration -------|     duration 0: no end (rule 47)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from xml.etree.ElementTree import Element

from adapters.http.manners import shown
from adapters.openadr2b.markup import text
from adapters.openadr2b.signals import Row, read_signals
from adapters.openadr2b.times import parse_seconds, parse_time
from gateway.model.dr import DrEvent, Duration, IntervalPeriod

CANCELLED, COMPLETED = "cancelled", "completed"
INVALID_DATA, TARGET_MISMATCH = "454", "462"
"""Response codes of 2.0b."""
LONGEST_ID = 256
LARGEST_PRIORITY, LARGEST_NUMBER = 2**31, 2**63
"""Far beyond what is counted one by one; a modification number may be a time."""
MOST_DIGITS = 100


@dataclass(frozen=True, slots=True)
class Stated:
    """One event as distributed; `event` is None when it is cancelled, not for us, or cannot be read (`code`, `why`)."""

    id: str
    number: int
    """modificationNumber."""
    status: str
    answer_wanted: bool
    event: DrEvent | None = None
    code: str = ""
    why: str = ""
    starts: datetime | None = None
    ends: datetime | None = None
    """None: no end, or not known."""
    spread_s: float = 0.0
    """startafter: how much later the start, and the end of a cancelled one, may be drawn, s."""
    notice_s: float = 0.0
    """x-eiNotification: how long before the start the event should have been received, s."""
    ramp_up_s: float = 0.0
    """x-eiRampUp: how long before (negative) or after the start the load may take to move, s."""
    recovery_s: float = 0.0
    """x-eiRecovery: the same of the end, s."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """All events that count for us: one that is missing is cancelled (rule 61)."""

    request: str
    vtn: str
    events: tuple[Stated, ...]
    nameless: int = 0
    """Events without an id, or with one beyond all use, which cannot even be refused."""


def read_distribution(payload: Element, server: str, ven: str, resources: Collection[str] = ()) -> Distribution:
    """An oadrDistributeEvent; `ven` is our venID, `resources` our devices as the utility may name them."""
    found = [_stated(item, server, ven, resources) for item in payload.findall("oadrEvent")]
    known = tuple(each for each in found if each is not None)
    return Distribution(text(payload, "requestID"), text(payload, "vtnID"), known, len(found) - len(known))


def _stated(item: Element, server: str, ven: str, resources: Collection[str]) -> Stated | None:
    event = item.find("eiEvent")
    descriptor = event.find("eventDescriptor") if event is not None else None
    name = text(descriptor, "eventID")
    if event is None or descriptor is None or not 0 < len(name) <= LONGEST_ID:
        return None
    status = text(descriptor, "eventStatus")
    answer = text(item, "oadrResponseRequired") != "never"
    plain = Stated(name, 0, status, answer)
    try:
        plain = replace(plain, number=_count(text(descriptor, "modificationNumber"), LARGEST_NUMBER))
    except ValueError as error:
        return _refused(plain, INVALID_DATA, str(error))
    if status == CANCELLED:
        return plain
    if not _is_ours(event, ven, resources):
        return _refused(plain, TARGET_MISMATCH, "the event is meant for another VEN")
    try:
        return _read(event, descriptor, plain, server, ven)
    except (ValueError, OverflowError) as error:
        return _refused(plain, INVALID_DATA, str(error))


def _refused(plain: Stated, code: str, why: str) -> Stated:
    return replace(plain, code=code, why=shown(why))


def _count(written: str, most: int) -> int:
    """A whole number, 0 for what is none; raises ValueError beyond `most`."""
    number = int(written[:MOST_DIGITS]) if written.isdecimal() else 0
    if number > most or len(written) > MOST_DIGITS:
        raise ValueError(f"the number {shown(written, 20)} is beyond its range")
    return number


def _is_ours(event: Element, ven: str, resources: Collection[str]) -> bool:
    """The criteria of a target are alternatives; an event without any is for its recipient (rule 22).

    Interpretation: groups, parties and places are the utility's own sorting, which we cannot know, and are trusted.
    """
    target = event.find("eiTarget")
    criteria = list(target) if target is not None else []
    if any(part.tag not in ("venID", "resourceID") for part in criteria) or not criteria:
        return True
    named = {text(part) for part in criteria}
    others = {text(part) for part in criteria if part.tag == "resourceID"}
    return ven in named or bool(others & set(resources)) or (bool(others) and not resources)


def _read(event: Element, descriptor: Element, plain: Stated, server: str, ven: str) -> Stated:
    period = event.find("eiActivePeriod/properties")
    start = parse_time(text(period, "dtstart/date-time"))
    length_s = parse_seconds(text(period, "duration/duration"), start) or math.inf
    spread = text(period, "tolerance/tolerate/startafter")
    spread_s = parse_seconds(spread, start) if spread else 0.0
    row = read_signals(event, start, length_s)
    return Stated(
        plain.id,
        plain.number,
        plain.status,
        plain.answer_wanted,
        _event(event, descriptor, plain, row, _period(start, spread_s), server, ven),
        starts=start,
        ends=None if math.isinf(length_s) else start + timedelta(seconds=length_s),
        spread_s=spread_s,
        notice_s=_aside(period, "x-eiNotification", start),
        ramp_up_s=_aside(period, "x-eiRampUp", start),
        recovery_s=_aside(period, "x-eiRecovery", start),
    )


def _event(
    event: Element, descriptor: Element, plain: Stated, row: Row, period: IntervalPeriod, server: str, ven: str
) -> DrEvent:
    market = text(descriptor, "eiMarketContext/marketContext")
    resources = [text(part) for part in event.findall("eiTarget/resourceID")]
    priority = _count(text(descriptor, "priority"), LARGEST_PRIORITY)
    test = text(descriptor, "testEvent")
    targets = tuple(dict.fromkeys([*(name for name in resources if name and name != ven), *row.classes]))
    comment = text(descriptor, "vtnComment")
    content = (plain.number, market, row, period, text(descriptor, "priority"), targets, test.lower(), comment)
    return DrEvent(
        id=plain.id,
        server=server,
        program=market or "none",
        name=shown(comment, 120),
        intervals=row.intervals,
        period=period,
        priority=priority - 1 if priority else None,
        targets=targets,
        units=row.units,
        currencies=row.currencies,
        test=bool(test) and test.lower() != "false",
        modified=shown(text(descriptor, "modificationDateTime")),
        fingerprint=hashlib.sha256(repr(content).encode()).hexdigest(),
    )


def _period(start: datetime, spread_s: float) -> IntervalPeriod:
    """The start is drawn in [dtstart, dtstart + startafter] (rule 30): our draws are +- about the middle of it."""
    if not spread_s:
        return IntervalPeriod(start=start)
    return IntervalPeriod(start + timedelta(seconds=spread_s / 2), randomize_start=Duration(seconds=spread_s / 2))


def _aside(period: Element | None, name: str, start: datetime) -> float:
    """A period whose misspelling would not make the event unusable."""
    written = text(period, f"{name}/duration")
    try:
        return parse_seconds(written, start, signed=True) if written else 0.0
    except ValueError:
        return 0.0
