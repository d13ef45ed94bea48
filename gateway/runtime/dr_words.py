"""What a person is told when the utility announces an event, or changes what it asks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from gateway.core.demand_response.ask import asks_more, same_ask
from gateway.core.demand_response.kinds import level_of
from gateway.core.demand_response.opt import asked_kinds, asks_action, kinds_of, unit_of
from gateway.core.demand_response.schedule import event_span
from gateway.model.dr import DrEvent, EventRecord, OptState
from gateway.runtime.words import local_time

if TYPE_CHECKING:
    from gateway.runtime.demand_response import DemandResponse

TAKING_PART = (OptState.JOINED, OptState.BINDING)


def announced(record: EventRecord) -> str:
    """That there is such an event, and where the home stands on it."""
    test = "test event " if record.event.test else ""
    return f"The utility announced {test}'{record.event.name or record.event.id}'. {record.opt_reason}"


def is_news(event: DrEvent) -> bool:
    """Whether an event is news for a person: a price or carbon table is none."""
    return asks_action(event) or any(kind.startswith("ALERT_") for kind in kinds_of(event))


async def tell_change(dr: DemandResponse, before: EventRecord, after: EventRecord) -> None:
    """Tell the owner of a change that is decided anew, or that asks more of a home that takes part."""
    cause, name = f"event {after.key} changed", after.event.name or after.event.id
    if after.chosen and after.opt is OptState.SKIPPED and not same_ask(before.event, after.event):
        words = f"The utility changed '{name}': {_asked(dr, after)}. You skipped it, and it stays skipped."
    elif after.opt is not before.opt or not same_ask(before.event, after.event):
        words = f"The utility changed '{name}', so it is decided anew: {_asked(dr, after)}. {after.opt_reason}"
    elif after.opt in TAKING_PART and asks_more(
        before, after, dr.programs, dr.device_names(), dr.clock.now(), dr.site.timezone
    ):
        words = f"The utility changed '{name}' and asks more: now {_asked(dr, after)}, before {_asked(dr, before)}."
    else:
        return
    if is_news(before.event) or is_news(after.event):
        await dr.notices.raise_(cause, "warning" if after.opt is OptState.UNDECIDED else "info", words)


def until(end: datetime | None, dr: DemandResponse) -> str:
    """ " until 18:00", or that there is no end."""
    return f" until {local_time(end, dr.clock.now(), dr.site.timezone)}" if end is not None else " until further notice"


def _asked(dr: DemandResponse, record: EventRecord) -> str:
    """The strongest of each kind and its time, e.g. "level 3, 18:00 until 19:00"."""
    event, kinds = record.event, asked_kinds(record.event)
    payloads = [p for interval in event.intervals for p in interval.payloads if p.type in kinds]
    levels = [level for p in payloads if p.type == "SIMPLE" and (level := level_of(p.values)) is not None]
    parts = [f"level {max(levels)}"] if levels else []
    for kind in sorted(kinds - {"SIMPLE"}):
        values = sorted({" ".join(str(v) for v in p.values)[:40] for p in payloads if p.type == kind})
        unit = unit_of(event, dr.programs.get(event.program_key), kind)
        parts.append(f"{kind.replace('_', ' ').lower()} {' / '.join(values[:3])} {unit}".strip())
    span = event_span(record, dr.site.timezone)
    when = f", {local_time(span[0], dr.clock.now(), dr.site.timezone)}{until(span[1], dr)}" if span is not None else ""
    return f"{', '.join(parts) or 'nothing of the home'}{when}"
