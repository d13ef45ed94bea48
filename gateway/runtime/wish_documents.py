"""Preferences as a stored document: an older one opens, what a later version added is left at its default."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from datetime import datetime, time
from typing import Any

from gateway.model.agreement import Agreement, DrPolicy, Shared
from gateway.model.preferences import (
    EVERY_DAY,
    ChargeGoal,
    ChargeMode,
    ChargingPreference,
    ComfortSpan,
    Departure,
    Preferences,
    Vehicle,
)

HOURS = ("quiet_from", "quiet_until")
INSTANTS = ("vacation_until", "storm_until", "storm_from")


def preferences_document(preferences: Preferences) -> dict[str, Any]:
    """Preferences as a JSON document."""
    document = asdict(preferences)
    document["dr_policy"] = preferences.dr_policy.value
    for key in INSTANTS:
        at = getattr(preferences, key)
        document[key] = at.isoformat() if at else None
    document |= {key: getattr(preferences, key).isoformat() for key in HOURS}
    document["charging"] = {charger: _charging_document(wish) for charger, wish in preferences.charging.items()}
    document["vehicles"] = [_vehicle_document(vehicle) for vehicle in preferences.vehicles]
    document["comfort_schedule"] = [_span_document(span) for span in preferences.comfort_schedule]
    document["agreements"] = {program: _agreement_document(word) for program, word in preferences.agreements.items()}
    return document


def preferences_from(document: dict[str, Any]) -> Preferences:
    """Preferences from their document; raises ValueError, TypeError or KeyError for what cannot be read."""
    values = _known(Preferences, document)
    values["dr_policy"] = DrPolicy(values.get("dr_policy", DrPolicy.JOIN))
    values |= {key: datetime.fromisoformat(values[key]) for key in INSTANTS if values.get(key)}
    values |= {key: time.fromisoformat(values[key]) for key in HOURS if key in values}
    values["charging"] = {charger: _charging_from(wish) for charger, wish in values.get("charging", {}).items()}
    values["vehicles"] = tuple(_vehicle_from(vehicle) for vehicle in values.get("vehicles", []))
    values["comfort_schedule"] = tuple(_span_from(span) for span in values.get("comfort_schedule", []))
    values["agreements"] = {program: _agreement_from(word) for program, word in values.get("agreements", {}).items()}
    return replace(Preferences(), **values)


def _agreement_document(word: Agreement) -> dict[str, Any]:
    return {
        "standing": word.standing,
        "policy": word.policy.value if word.policy else None,
        "share": [kind.value for kind in word.share],
        "until": word.until.isoformat() if word.until else None,
        "since": word.since.isoformat() if word.since else None,
    }


def _agreement_from(document: dict[str, Any]) -> Agreement:
    values = _known(Agreement, document)
    policy, share = values.get("policy"), values.get("share")
    values["policy"] = DrPolicy(policy) if policy else None
    if share is not None:
        values["share"] = tuple(Shared(kind) for kind in share if kind in set(Shared))
    for edge in ("until", "since"):
        values[edge] = datetime.fromisoformat(values[edge]) if values.get(edge) else None
    return replace(Agreement(), **values)


def _charging_document(wish: ChargingPreference) -> dict[str, Any]:
    document = asdict(wish)
    document |= {"mode": wish.mode.value, "goal": wish.goal.value, "ready_by": wish.ready_by.isoformat("minutes")}
    document["departures"] = [
        asdict(plan) | {"at": plan.at.isoformat("minutes"), "days": list(plan.days)} for plan in wish.departures
    ]
    return document


def _charging_from(document: dict[str, Any]) -> ChargingPreference:
    values = _known(ChargingPreference, document)
    values["mode"] = ChargeMode(values["mode"])
    values["ready_by"] = time.fromisoformat(values["ready_by"])
    values["target_wh"] = float(values["target_wh"])
    values["goal"] = ChargeGoal(values.get("goal", ChargeGoal.CHEAPEST))
    values["departures"] = tuple(_departure_from(plan) for plan in values.get("departures", []))
    return replace(ChargingPreference(), **values)


def _departure_from(document: dict[str, Any]) -> Departure:
    values = _known(Departure, document)
    values["at"] = time.fromisoformat(values["at"])
    values["days"] = tuple(int(day) for day in values.get("days", EVERY_DAY))
    return replace(Departure(), **values)


def _vehicle_document(vehicle: Vehicle) -> dict[str, Any]:
    return asdict(vehicle) | {"tags": list(vehicle.tags), "mode": vehicle.mode.value if vehicle.mode else None}


def _vehicle_from(document: dict[str, Any]) -> Vehicle:
    values = _known(Vehicle, document)
    values["tags"] = tuple(str(tag) for tag in values.get("tags", []))
    values["mode"] = ChargeMode(values["mode"]) if values.get("mode") else None
    return Vehicle(**values)


def _span_document(span: ComfortSpan) -> dict[str, Any]:
    edges = {"start": span.start.isoformat("minutes"), "end": span.end.isoformat("minutes")}
    return asdict(span) | edges | {"days": list(span.days)}


def _span_from(document: dict[str, Any]) -> ComfortSpan:
    values = _known(ComfortSpan, document)
    values |= {name: time.fromisoformat(values[name]) for name in ("start", "end")}
    values |= {name: float(values[name]) for name in ("low_c", "high_c")}
    values["days"] = tuple(int(day) for day in values.get("days", EVERY_DAY))
    return ComfortSpan(**values)


def _known(noun: Any, document: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(noun)}
    return {key: value for key, value in document.items() if key in names}
