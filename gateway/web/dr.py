"""Demand-response events as pages and API show them: when, who, what, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.dr import EventPhase, EventRecord, Signal
from gateway.model.effect import EventEffect
from gateway.web.ask_words import signal_words
from gateway.web.dr_view import DrHome
from gateway.web.effect_words import effect_lines, pays_micro
from gateway.web.wire_dr import CarEffectOut, DrEventOut, DrSignalOut, EffectOut

GHG_WORDS = "grid power emits "
SIMPLE_WORDS = {0: "back to normal", 1: "use a little less", 2: "use much less", 3: "use as little as possible"}


@dataclass(frozen=True, slots=True)
class EventTime:
    """When an event is and where it stands; None where the utility did not say."""

    start: datetime | None
    end: datetime | None
    phase: EventPhase


def event_time(home: DrHome, record: EventRecord) -> EventTime:
    """As the timeline lays it out, joined or not."""
    start, end = home.desk.span(record) or (None, None)
    return EventTime(start, end, _phase(record, start, end, home.clock.now()))


def is_information(home: DrHome, record: EventRecord) -> bool:
    """Whether the event only tells (prices, carbon, news) and asks nothing: there is nothing to join or skip."""
    return any(interval.payloads for interval in record.event.intervals) and not home.desk.asks(record)


def _phase(record: EventRecord, start: datetime | None, end: datetime | None, now: datetime) -> EventPhase:
    if record.cancelled_at is not None:
        return EventPhase.CANCELLED
    if start is None or now < start:
        return EventPhase.UPCOMING
    return EventPhase.ACTIVE if end is None or now < end else EventPhase.ENDED


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
    return signal_words(kind, values, unit)


def asks(home: DrHome, record: EventRecord) -> str:
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


def signals_of(home: DrHome, record: EventRecord) -> list[Signal]:
    """The event's signals as resolved, in order."""
    return [signal for signal in home.timeline().signals if signal.event == record.key]


def answered(record: EventRecord) -> str:
    """What the server was told last of this version of an event; empty where it was told nothing."""
    version, _, told = record.answered.rpartition(" ")
    return told if version == record.event.fingerprint else ""


def event_out(home: DrHome, record: EventRecord) -> DrEventOut:
    """One event for the API."""
    event, when = record.event, event_time(home, record)
    signals = [
        DrSignalOut(kind=s.kind, values=list(s.values), unit=s.unit, start=s.start, end=s.end)
        for s in signals_of(home, record)
    ]
    effect = home.desk.known_effect(record)
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
        chosen=record.chosen,
        answered=answered(record),
        effect=effect_out(home, record, effect) if effect is not None else None,
        kept_back=home.desk.kept_back(record),
        overridden_devices=list(record.overridden_devices),
        delivered_wh=record.delivered_wh,
        delivered_low_wh=record.delivered_low_wh,
        delivered_high_wh=record.delivered_high_wh,
        home_delivered_wh=record.home_delivered_wh,
        home_delivered_low_wh=record.home_delivered_low_wh,
        home_delivered_high_wh=record.home_delivered_high_wh,
        baseline_method=record.baseline_method,
        baseline_words=home.desk.method_words(record),
        baseline_error_percent=record.baseline_error_percent,
        baseline_placebos=record.baseline_placebos,
        earned_micro=record.earned_micro,
    )


def effect_out(home: DrHome, record: EventRecord, effect: EventEffect) -> EffectOut:
    """The effect of one event for the API."""
    return EffectOut(
        event=effect.event,
        made_at=effect.made_at,
        shifted_wh=effect.shifted_wh,
        cost_micro=effect.cost_micro,
        pays_micro=pays_micro(home, record, effect),
        currency=home.site.currency,
        co2_g=effect.co2_g,
        room_c=effect.room_c,
        room_without_c=effect.room_without_c,
        tank_c=effect.tank_c,
        tank_without_c=effect.tank_without_c,
        cars=[CarEffectOut.model_validate(car) for car in effect.cars],
        relaxed=list(effect.relaxed),
        words=effect_lines(home, record, effect),
    )
