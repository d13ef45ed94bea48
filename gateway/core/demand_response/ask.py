"""What an event asks of the home: whether a change of it asks something else, or more of the same.

what was answered    |-- level 1 --|             program P, SIMPLE
more of the same   |------- level 3 -------|     the owner's answer holds, and the owner is told
something else       |-- 4 kW limit --|          another kind or program: decided anew, as a new event is

A skip by hand holds for something else too, unless that binds or asks the owner again: no policy joins what was skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from gateway.core.demand_response.kinds import ENVELOPES, level_of, watts_of
from gateway.core.demand_response.opt import asked_kinds, unit_of
from gateway.core.demand_response.schedule import event_span, schedule
from gateway.model.dr import DrEvent, DrProgram, EventRecord, Payload

AHEAD = timedelta(days=30)
"""How far ahead two versions are compared."""


@dataclass(slots=True)
class _Demand:
    """From when an event asks, and per kind the most at once and that times seconds; greater asks more."""

    start: datetime | None
    peak: dict[str, float] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=dict)


def same_ask(before: DrEvent, after: DrEvent) -> bool:
    """Whether both versions ask the same kinds of things under the same program, so that one answer fits both."""
    return before.program_key == after.program_key and asked_kinds(before) == asked_kinds(after)


def asks_more(
    before: EventRecord,
    after: EventRecord,
    programs: Mapping[str, DrProgram],
    devices: Mapping[str, str],
    now: datetime,
    zone: tzinfo,
) -> bool:
    """Whether what is left of an event from `now` on starts earlier, lasts longer, or asks more or of more devices.

    `devices` maps each name that a target may use to a device. A setpoint, charge state or offset that differs counts as
    more, for neither direction is the lesser one; so does a test that became real.
    """
    if (before.event.test and not after.event.test) or not _within(after.event, before.event, devices):
        return True
    try:
        old, new = _demand(before, programs, now, zone), _demand(after, programs, now, zone)
    except (ArithmeticError, ValueError):  # beyond all calendars: it cannot be laid out and changes nothing
        return False
    earlier = new.start is not None and (old.start is None or max(new.start, now) < max(old.start, now))
    higher = any(value > old.peak.get(kind, 0.0) for kind, value in new.peak.items())
    longer = any(value > old.total.get(kind, 0.0) * (1 + 1e-9) for kind, value in new.total.items())
    return bool(new.peak) and (earlier or higher or longer)


def _within(after: DrEvent, before: DrEvent, devices: Mapping[str, str]) -> bool:
    old, new = ({devices[name] for name in event.targets if name in devices} for event in (before, after))
    return not old or (bool(new) and new <= old)


def _demand(record: EventRecord, programs: Mapping[str, DrProgram], now: datetime, zone: tzinfo) -> _Demand:
    span, program = event_span(record, zone), programs.get(record.event.program_key)
    found, last = _Demand(span[0] if span is not None else None), now + AHEAD
    for piece in schedule(record, zone, since=now, until=last):
        seconds = max(0.0, (min(piece.end or last, last) - max(piece.start, now)).total_seconds())
        for payload in piece.interval.payloads:
            kind, strength = _strength(payload, unit_of(record.event, program, payload.type))
            if payload.type in asked_kinds(record.event) and strength > 0:
                found.peak[kind] = max(found.peak.get(kind, 0.0), strength)
                found.total[kind] = found.total.get(kind, 0.0) + strength * seconds
    return found


def _strength(payload: Payload, unit: str) -> tuple[str, float]:
    """What is compared with what, and how much it asks: a level as it is, of limits the lower is more; 0: unusable."""
    if payload.type == "SIMPLE":
        return payload.type, float(level_of(payload.values) or 0)
    if payload.type in ENVELOPES:
        watts = watts_of(payload.values, unit or "KW")
        return payload.type, 0.0 if watts is None or watts < 0 else 1 / (1 + watts)
    return f"{payload.type} {payload.values}", 1.0
