"""Whether the home takes part in an event, and why, in words."""

from __future__ import annotations

from gateway.core.demand_response.kinds import (
    CHARGE_STATE,
    ENVELOPES,
    INFORMATION,
    OFFSETS,
    PRICES,
    RECORDED,
    SETPOINTS,
    is_usable,
)
from gateway.model.agreement import Agreement, DrPolicy
from gateway.model.dr import DrEvent, DrProgram, OptState, Payload
from gateway.model.preferences import Preferences

ACTING_ALERTS = frozenset({"ALERT_FLEX_ALERT", "ALERT_GRID_EMERGENCY", "ALERT_BLACK_START", "ALERT_POSSIBLE_OUTAGE"})


def decide_opt(
    event: DrEvent, program: DrProgram | None, preferences: Preferences, agreement: Agreement | None = None
) -> tuple[OptState, str]:
    """Where the home stands on a new event, with the reason in words; what was agreed comes before the policy.

    `agreement` is what counts now; left out, what the preferences hold. Capacity limits are conditions of the connection,
    so they bind unless the owner takes no part in the program.
    """
    agreed = agreement or agreement_of(event, program, preferences)
    policy = agreed.policy or preferences.dr_policy
    if agreed.standing == "none":
        return OptState.SKIPPED, "You do not take part in this program."
    unused = not_understood(event, program)
    if unused and {p.type for i in event.intervals for p in i.payloads} <= RECORDED:
        return (
            OptState.SKIPPED,
            f"No device here takes this ({', '.join(unused)}): it is recorded, and nothing changes.",
        )
    if unused:
        return OptState.SKIPPED, f"Hearth does not understand this event ({', '.join(unused)}), so it changes nothing."
    if agreed.standing == "binding":
        return OptState.BINDING, "You consented to this program as binding."
    if kinds_of(event) & ENVELOPES:
        return OptState.BINDING, "A capacity limit of your connection is binding."
    if not asks_action(event):
        return OptState.JOINED, _information(event, program)
    if agreed.standing == "voluntary" and agreed.policy is None:
        return OptState.JOINED, "You take part in this program; you can skip any event."
    if policy is DrPolicy.JOIN:
        return OptState.JOINED, "You join events unless you skip them."
    if policy is DrPolicy.NEVER:
        return OptState.SKIPPED, "You chose never to take part."
    return OptState.UNDECIDED, "It waits for your answer."


def agreement_of(event: DrEvent, program: DrProgram | None, preferences: Preferences) -> Agreement:
    """What the owner agreed about an event's program, by its key, id or name."""
    return preferences.agreement(event.program_key, event.program, program.name if program is not None else "")


def asks_action(event: DrEvent) -> bool:
    """Whether an event asks the home to do something, and so can deliver; prices, carbon and news do not."""
    return bool(asked_kinds(event))


def asked_kinds(event: DrEvent) -> set[str]:
    """The payload types of an event by which the home is asked to do something."""
    return {kind for kind in kinds_of(event) if _asks(kind)}


def kinds_of(event: DrEvent) -> set[str]:
    """The payload types of an event."""
    return {payload.type for interval in event.intervals for payload in interval.payloads}


def not_understood(event: DrEvent, program: DrProgram | None = None) -> list[str]:
    """What the event asks, in words, when it asks something and the home can act on nothing of it; else empty."""
    asked = [payload for interval in event.intervals for payload in interval.payloads if _asks(payload.type)]
    if any(is_usable(payload.type, payload.values, unit_of(event, program, payload.type)) for payload in asked):
        return []
    found = dict.fromkeys(_words(payload, unit_of(event, program, payload.type)) for payload in asked)
    return list(found)[:3]


def _words(payload: Payload, unit: str) -> str:
    known = payload.type in {"SIMPLE", CHARGE_STATE} | ENVELOPES | SETPOINTS | OFFSETS
    shown = " ".join(str(value)[:20] for value in payload.values[:1])
    return f"{payload.type} {shown or 'without a value'} {unit}".strip() if known else payload.type


def _information(event: DrEvent, program: DrProgram | None) -> str:
    payloads = [payload for interval in event.intervals for payload in interval.payloads]
    told = [(p.type, p.values, unit_of(event, program, p.type)) for p in payloads]
    if not told or not {kind for kind, _, _ in told} <= PRICES or any(is_usable(*each) for each in told):
        return "For information: it asks nothing of you."
    why = "no unit" if any(not unit for _, _, unit in told) else "no number in a known unit"
    return f"For information; its prices cannot be used ({why})."


def unit_of(event: DrEvent, program: DrProgram | None, kind: str) -> str:
    """The unit of a payload type: the event's own, else its program's; empty where neither states one."""
    return event.units.get(kind) or (program.units.get(kind, "") if program else "")


def _asks(kind: str) -> bool:
    return kind in ACTING_ALERTS or (kind not in INFORMATION and not kind.startswith("ALERT_"))
