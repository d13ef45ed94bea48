"""Demand-response events as pages and API show them: when, who, what, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model.dr import DrEvent, Duration, EventPhase, EventRecord, IntervalPeriod, Signal
from gateway.web.view import HomeView
from gateway.web.wire import DrEventOut, DrSignalOut

INFORMATION = frozenset({"PRICE", "EXPORT_PRICE", "PRICE_ALTERNATE", "GHG"})
CAPACITY_LIMITS = frozenset({"IMPORT_CAPACITY_LIMIT", "EXPORT_CAPACITY_LIMIT"})
SETPOINTS = frozenset({"CONTROL_SETPOINT", "DISPATCH_SETPOINT"})
GHG_WORDS = "grid power emits "
SIMPLE_WORDS = {0: "back to normal", 1: "use a little less", 2: "use much less", 3: "use as little as possible"}


@dataclass(frozen=True, slots=True)
class EventTime:
    """When an event is and where it stands; None where the utility did not say."""

    start: datetime | None
    end: datetime | None
    phase: EventPhase


def event_time(home: HomeView, record: EventRecord) -> EventTime:
    """From the resolved timeline while it holds the event, else from what the event itself states."""
    now = home.clock.now()
    start, end = home.timeline().span(record.key) or stated_span(record)
    return EventTime(start, end, _phase(record, start, end, now))


def is_information(record: EventRecord) -> bool:
    """Whether the event only tells (prices, carbon) and asks nothing: there is nothing to join or skip."""
    kinds = {payload.type for interval in record.event.intervals for payload in interval.payloads}
    return bool(kinds) and kinds <= INFORMATION


def is_understood(record: EventRecord) -> bool:
    """Whether the home can act on any of the event, as far as its kinds and values tell; else nothing may be promised."""
    payloads = [payload for interval in record.event.intervals for payload in interval.payloads]
    return not payloads or any(_is_understood(payload.type, payload.values) for payload in payloads)


def _is_understood(kind: str, values: tuple[float | str | bool, ...]) -> bool:
    value = values[0] if values and not isinstance(values[0], bool | str) else None
    if kind == "SIMPLE":
        return value in SIMPLE_WORDS
    if kind in CAPACITY_LIMITS | SETPOINTS:
        return value is not None
    return kind in INFORMATION or kind.startswith("ALERT_")


def _phase(record: EventRecord, start: datetime | None, end: datetime | None, now: datetime) -> EventPhase:
    if record.cancelled_at is not None:
        return EventPhase.CANCELLED
    if start is None or now < start:
        return EventPhase.UPCOMING
    return EventPhase.ACTIVE if end is None or now < end else EventPhase.ENDED


def stated_span(record: EventRecord) -> tuple[datetime | None, datetime | None]:
    """Start and end as the event states them."""
    event = record.event
    periods = [period for period in (event.period, *(i.period for i in event.intervals)) if period is not None]
    start = next((s for period in periods if (s := _start(period, record)) is not None), None)
    if start is None:
        return None, None
    return start, _end(event, start)


def _start(period: IntervalPeriod, record: EventRecord) -> datetime | None:
    return record.first_seen if period.start_now else period.start


def _end(event: DrEvent, start: datetime) -> datetime | None:
    whole = event.duration or (event.period.duration if event.period else None)
    each = [i.period.duration for i in event.intervals if i.period and i.period.duration]
    durations = [whole] if whole else each
    if not durations or any(d.infinite for d in durations):
        return None
    return start + sum((_length(d) for d in durations), timedelta())


def _length(duration: Duration) -> timedelta:
    return timedelta(days=duration.days + 30 * duration.months, seconds=duration.seconds)


def ask_words(kind: str, values: tuple[float | str | bool, ...], unit: str, currency: str) -> str:
    """What one signal asks, for a person; an unknown kind is named as it came."""
    value = values[0] if values else None
    number = float(value) if isinstance(value, int | float) else None
    if kind == "SIMPLE" and number is not None:
        return SIMPLE_WORDS[int(number)] if number in SIMPLE_WORDS else f"level {number:g}, which is not known"
    if kind in ("PRICE", "EXPORT_PRICE") and number is None:
        return f"{'feed-in ' if kind != 'PRICE' else ''}price without a value"
    if kind in ("PRICE", "EXPORT_PRICE") and not unit:
        return f"{'feed-in ' if kind != 'PRICE' else ''}price {number:g} without a unit"
    if kind in ("PRICE", "EXPORT_PRICE"):
        return f"{'feed-in ' if kind != 'PRICE' else ''}price {number:.3f} {currency} per kWh"
    if kind == "GHG" and number is not None:
        return f"{GHG_WORDS}{number:.0f} g CO₂ per kWh"
    if kind.endswith("CAPACITY_LIMIT") and number is not None:
        way = "feed in" if kind.startswith("EXPORT") else "draw"
        return f"{way} at most {number:g} {unit.replace('KW', 'kW') or 'kW'}"
    shown = ", ".join(str(v) for v in values)
    return f"{kind.replace('_', ' ').lower()} {shown}".strip()


def asks(home: HomeView, record: EventRecord) -> str:
    """What the event asks of the home, all kinds in one line."""
    signals = signals_of(home, record)
    found = [ask_words(s.kind, s.values, s.unit, s.currency or home.site.currency) for s in signals]
    if not found:
        found = [
            ask_words(payload.type, payload.values, record.event.units.get(payload.type, ""), home.site.currency)
            for interval in record.event.intervals
            for payload in interval.payloads
        ]
    unique = list(dict.fromkeys(found))
    if len(unique) > 1 and all(words.startswith(GHG_WORDS) for words in unique):
        unique = [unique[0], *(words.removeprefix(GHG_WORDS) for words in unique[1:])]
    shown = ", then ".join(unique[:3]) + (f", and {len(unique) - 3} more steps" if len(unique) > 3 else "")
    return shown[:1].upper() + shown[1:] or "Nothing this home understands"


def signals_of(home: HomeView, record: EventRecord) -> list[Signal]:
    """The event's signals as resolved, in order."""
    return [signal for signal in home.timeline().signals if signal.event == record.key]


def event_out(home: HomeView, record: EventRecord) -> DrEventOut:
    """One event for the API."""
    event, when = record.event, event_time(home, record)
    signals = [
        DrSignalOut(kind=s.kind, values=list(s.values), unit=s.unit, start=s.start, end=s.end)
        for s in signals_of(home, record)
    ]
    return DrEventOut(
        id=event.id,
        key=record.key,
        name=event.name,
        program=home.program_name(event.program_key),
        server=event.server,
        phase=when.phase.value,
        start=when.start,
        end=when.end,
        opt=record.opt.value,
        opt_reason=record.opt_reason,
        priority=event.priority,
        test=event.test,
        signals=signals,
        first_seen=record.first_seen,
        delivered_wh=record.delivered_wh,
        delivered_low_wh=record.delivered_low_wh,
        delivered_high_wh=record.delivered_high_wh,
        home_delivered_wh=record.home_delivered_wh,
        home_delivered_low_wh=record.home_delivered_low_wh,
        home_delivered_high_wh=record.home_delivered_high_wh,
        earned_micro=record.earned_micro,
    )
