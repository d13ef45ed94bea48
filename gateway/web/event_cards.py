"""The cards of events: when, who asks, what it means before one decides, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from gateway.model.dr import EventPhase, EventRecord, OptState
from gateway.model.effect import EventEffect
from gateway.runtime.words import local_time
from gateway.web.dr import answered, asks, event_time, is_information
from gateway.web.dr_view import DrHome
from gateway.web.effect_words import effect_lines
from gateway.web.program_words import YIELDING
from gateway.web.words import countdown, money, span, watt_hours


@dataclass(frozen=True, slots=True)
class EventCard:
    """One event: when, who asks, what, what it means, where the home stands, and what came of it."""

    id: str
    name: str
    who: str
    when: str
    countdown: str
    phase: str
    asks: str
    means: str
    opt: str
    opt_reason: str
    may_join: bool
    may_skip: bool
    information: bool
    test: bool
    waits: bool
    """Whether nothing happens without the owner's answer."""
    effect_title: str
    effect: tuple[str, ...]
    effect_made: str
    aside: str
    """Devices the owner took out of it."""
    told: str
    kept_back: tuple[str, ...]
    delivered: str
    measured: str
    """How the delivered energy was found, and how sure that is."""
    earned: str
    record: str
    """Where the signed record is."""


PHASE_ORDER = (EventPhase.ACTIVE, EventPhase.UPCOMING, EventPhase.ENDED, EventPhase.CANCELLED)
OPT_WORDS = {
    OptState.UNDECIDED: "Waits for you",
    OptState.JOINED: "Joined",
    OptState.SKIPPED: "Skipped",
    OptState.BINDING: "Binding",
}
MEANING = {
    OptState.UNDECIDED: "Nothing happens unless you join.",
    OptState.JOINED: "Your comfort band and the car's departure still hold.",
    OptState.SKIPPED: "The home carries on as planned without it.",
}
BINDING_MEANING = f"While it lasts, these give way: {'; '.join(YIELDING)}. Electrical safety always holds."
TOLD_WORDS = {
    OptState.JOINED: "that the home takes part",
    OptState.BINDING: "that the home takes part",
    OptState.SKIPPED: "that the home does not take part",
}
INFORMATION_MEANING = "It asks nothing of you; the plan counts with it."
UNUSED_MEANING = "Nothing changes in your home."
UNUSED_PRICES = "cannot be used"
"""What the reason says of prices without a unit or value."""


def event_cards(home: DrHome) -> list[EventCard]:
    """Active first, then what comes, then what was (newest first)."""
    timed = [(event_time(home, record), record) for record in home.event_records()]
    cards: list[EventCard] = []
    for phase in PHASE_ORDER:
        mine = [(t, r) for t, r in timed if t.phase is phase]
        mine.sort(key=lambda item: item[0].start or item[1].first_seen, reverse=phase is not EventPhase.UPCOMING)
        cards += [_event_card(home, record) for _, record in mine]
    return cards


def _event_card(home: DrHome, record: EventRecord) -> EventCard:
    when, now, opt = event_time(home, record), home.clock.now(), record.opt
    information = is_information(home, record)
    under_way = when.phase in (EventPhase.ACTIVE, EventPhase.UPCOMING)
    # Reports count what is not understood as not done, whatever was chosen; so there is nothing to choose.
    known = home.desk.understood(record)
    unused = not known or (information and UNUSED_PRICES in record.opt_reason)
    open_choice = under_way and opt is not OptState.BINDING and not information and known
    waits = open_choice and opt is OptState.UNDECIDED
    until = {EventPhase.UPCOMING: when.start, EventPhase.ACTIVE: when.end}.get(when.phase)
    word = "starts" if when.phase is EventPhase.UPCOMING else "ends"
    title, effect, made = _effect(home, record) if under_way and known and not information else ("", (), "")
    return EventCard(
        id=record.key,
        name=record.event.name or "Event without a name",
        who=home.program_name(record.event.program_key),
        when=span(when.start, when.end, now, home.site.timezone) if when.start else "no time stated",
        countdown=f"{word} {countdown((until - now).total_seconds())}" if until else "",
        phase=when.phase.value,
        asks=asks(home, record),
        means=_means(opt, information, unused) if under_way else "",
        opt="For information" if information else OPT_WORDS[opt] if known else "Not understood",
        opt_reason="" if waits or (information and not unused) else record.opt_reason,
        may_join=open_choice and opt is not OptState.JOINED,
        may_skip=open_choice and opt is not OptState.SKIPPED,
        information=information,
        test=record.event.test,
        waits=waits,
        effect_title=title,
        effect=effect,
        effect_made=made,
        aside=", ".join(_name(home, device) for device in record.overridden_devices),
        told=_told(record),
        kept_back=() if information else tuple(home.desk.kept_back(record)),
        delivered=delivered_words(record),
        measured=_measured(home, record),
        earned=money(record.earned_micro, home.site.currency) if record.earned_micro is not None else "",
        record="" if information else f"/api/v1/dr/events/{quote(record.key, safe='')}/record",
    )


def _means(opt: OptState, information: bool, unused: bool) -> str:
    if unused:
        return UNUSED_MEANING
    return INFORMATION_MEANING if information else MEANING.get(opt, BINDING_MEANING)


def _effect(home: DrHome, record: EventRecord) -> tuple[str, tuple[str, ...], str]:
    """Title, lines and the age of what taking part means."""
    part = record.opt in (OptState.JOINED, OptState.BINDING)
    title = "What it means" if part else "If you join"
    found: EventEffect | None = home.desk.known_effect(record)
    if found is None:
        return title, (), ""
    made = local_time(found.made_at, home.clock.now(), home.site.timezone)
    return title, tuple(effect_lines(home, record, found)), made


def _name(home: DrHome, device: str) -> str:
    found = home.site.device(device)
    return found.name if found else device


def _told(record: EventRecord) -> str:
    told = answered(record)
    return TOLD_WORDS.get(OptState(told), "") if told in set(OptState) else ""


def delivered_words(record: EventRecord) -> str:
    """What the controlled devices delivered with its error, and the whole home's figure with its 80 % interval."""
    if record.delivered_wh is None:
        return ""
    words = f"{watt_hours(record.delivered_wh)} {'less' if record.delivered_wh >= 0 else 'more'} than without the event"
    if record.delivered_low_wh is not None and record.delivered_high_wh is not None:
        words += f" by the controlled devices ({_kwh_range(record.delivered_low_wh, record.delivered_high_wh)})"
    low, high = record.home_delivered_low_wh, record.home_delivered_high_wh
    if record.home_delivered_wh is None or low is None or high is None:
        return words
    return f"{words}; {watt_hours(record.home_delivered_wh)} by the whole home (80 % sure: {_kwh_range(low, high)})"


def _measured(home: DrHome, record: EventRecord) -> str:
    method = home.desk.method_words(record)
    if record.delivered_wh is None or not method:
        return ""
    words = f"Against what the whole home would have used: {method}"
    if record.baseline_error_percent is None or not record.baseline_placebos:
        return f"{words}."
    days = f"{record.baseline_placebos} day{'' if record.baseline_placebos == 1 else 's'}"
    return f"{words}, {record.baseline_error_percent:.0f} % off on {days} without an event."


def _kwh_range(low_wh: float, high_wh: float) -> str:
    if max(abs(low_wh), abs(high_wh)) < 995:
        return f"{low_wh:.0f} to {high_wh:.0f} Wh"
    return f"{low_wh / 1000:.1f} to {high_wh / 1000:.1f} kWh"
