"""Programs, agreements and servers in words for a person."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.model.agreement import Agreement, DrPolicy, Shared
from gateway.model.authority import Authority
from gateway.runtime.dr_desk import ProgramState, ServerState
from gateway.runtime.words import local_time
from gateway.web.words import age, money

SHARED_WORDS = {
    Shared.STATE: ("Whether the home takes part", "and its level and operating state"),
    Shared.USAGE: ("What the whole home uses", "energy and power, the baseline and what was delivered"),
    Shared.DEVICES: ("The same of single devices", "and their names"),
    Shared.STORAGE: ("The battery", "its charge and power"),
    Shared.FORECAST: ("What the home expects to use", "the forecast of the hours to come"),
    Shared.FLEXIBILITY: ("What the home could shift", "and at what cost, so that the utility can ask for it"),
}
STANDINGS = (
    ("usual", "As usual", "what the preferences say for every program"),
    ("never", "Never", "the home takes no part"),
    ("ask", "Ask me", "nothing happens until I join an event"),
    ("join", "Join unless I skip", "each event can be skipped, and my comfort and departure hold"),
    ("binding", "Binding", "its events cannot be skipped"),
)
POLICY_WORDS = {DrPolicy.ASK: "ask me", DrPolicy.JOIN: "join unless I skip", DrPolicy.NEVER: "never"}
YIELDING = [a.words for a in Authority if Authority.BINDING_LIMIT < a < Authority.DEMAND_RESPONSE]
"""What gives way under a binding event, by the one order of authority."""


def standing_of(word: Agreement) -> str:
    """Which of STANDINGS an agreement is."""
    if word.standing in ("none", "binding"):
        return {"none": "never"}.get(word.standing, word.standing)
    if word.policy is not None:
        return {DrPolicy.NEVER: "never", DrPolicy.ASK: "ask", DrPolicy.JOIN: "join"}[word.policy]
    return "join" if word.standing == "voluntary" else "usual"


def agreement_from(standing: str, share: tuple[Shared, ...], until: datetime | None) -> Agreement:
    """The agreement that one of STANDINGS means; raises ValueError for another word."""
    meant = {
        "usual": ("", None),
        "never": ("none", None),
        "ask": ("voluntary", DrPolicy.ASK),
        "join": ("voluntary", DrPolicy.JOIN),
        "binding": ("binding", None),
    }
    if standing not in meant:
        raise ValueError(standing)
    name, policy = meant[standing]
    return Agreement(name, policy, share, until)


def binding_warning() -> str:
    """What the owner consents to, before consenting."""
    return (
        f"Binding means: while an event lasts, these give way: {'; '.join(YIELDING)}. Only electrical safety stands above "
        "it, and what a device guards by itself. You cannot skip an event; you can change this at any time."
    )


def pays_words(state: ProgramState, currency: str) -> str:
    """What a program pays; empty where it is not known."""
    parts = []
    if state.pays.per_kwh is not None:
        parts.append(f"{money(state.pays.per_kwh * 1e6, currency)} per kWh delivered")
    if state.pays.per_event is not None:
        parts.append(f"{money(state.pays.per_event * 1e6, currency)} per event")
    return " and ".join(parts)


def server_sentence(state: ServerState, now: datetime, zone: ZoneInfo) -> str:
    """How a server fares, in one or two sentences."""
    if not state.ok:
        since = f" since {local_time(state.silent_since, now, zone)}" if state.silent_since else ""
        why = f": {state.error.removeprefix(f'{state.name}: ').rstrip('.')}" if state.error else ""
        return f"Cannot be used{since}{why}. What was agreed stays in force." if since or why else "Not looked at yet."
    facts = state.facts
    heard = f"Heard {age((now - state.heard).total_seconds()).removesuffix(' old')} ago" if state.heard else "Answers"
    parts = [heard, f"OpenADR {facts.version}" if facts.version else ""]
    if facts.events is not None:
        parts.append(f"{facts.events} event{'' if facts.events == 1 else 's'} for this home")
    if facts.clock_skew_s is not None and abs(facts.clock_skew_s) >= 2:
        parts.append(f"its clock differs by {abs(facts.clock_skew_s):.0f} s")
    return f"{', '.join(part for part in parts if part)}."
