"""Alerts, their episodes and what answers taught as documents of the store, and back.

Versions before kept no device: such an alert is of the device its words name, and its episode and lesson follow it.
What cannot be read costs itself only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gateway.core.learning.alerts.episode import Episode
from gateway.model.alert import Alert, AlertKind, Answer, Cause, Evidence
from gateway.model.site import Device
from gateway.runtime.alert_lessons import Lesson

TIMES = ("begun", "told", "ended", "answered")
OF_DEVICES = (AlertKind.BATTERY_LOSS, AlertKind.HEAT_DRIFT, AlertKind.PUMP_DRIFT, AlertKind.METER)
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)


def document_of(alert: Alert) -> dict[str, Any]:
    """A plain document; times as ISO 8601."""
    found = asdict(alert)
    found["evidence"]["start"] = alert.evidence.start.isoformat()
    return found | {name: value.isoformat() if (value := found[name]) is not None else None for name in TIMES}


def episode_documents(episodes: Mapping[Cause, Episode]) -> list[dict[str, Any]]:
    """Those that have begun."""
    return [
        {
            "kind": cause.kind.value,
            "device": cause.device,
            "begun": each.begun.isoformat(),
            "last": each.last.isoformat(),
        }
        for cause, each in episodes.items()
        if each.begun is not None and each.last is not None
    ]


def lesson_documents(lessons: Mapping[Cause, Lesson]) -> dict[str, dict[str, Any]]:
    """By the cause's name."""
    return {
        cause.name: {
            "more_w": lesson.more_w,
            "muted_until": lesson.muted_until.isoformat() if lesson.muted_until else None,
        }
        for cause, lesson in lessons.items()
    }


def alerts_from(document: Mapping[str, Any], devices: Sequence[Device]) -> list[Alert]:
    """What was kept, in its order."""
    found = [_alert(entry, devices) for entry in document.get("alerts", [])]
    return [alert for alert in found if alert is not None]


def episodes_from(document: Mapping[str, Any], found: Iterable[Alert]) -> dict[Cause, Episode]:
    """One for each open alert and no other: a cause without an open alert can be told at once."""
    kept: dict[Cause, Episode] = {}
    for entry in document.get("episodes", []):
        try:
            kind, begun, last = AlertKind(entry["kind"]), entry["begun"], entry["last"]
            kept[Cause(kind, entry.get("device"))] = Episode(
                kind, datetime.fromisoformat(begun), datetime.fromisoformat(last)
            )
        except UNREADABLE:
            continue
    return {
        alert.cause: kept.get(alert.cause) or kept.get(Cause(alert.kind)) or Episode(alert.kind, alert.told, alert.told)
        for alert in found
        if alert.ended is None
    }


def lessons_from(document: Mapping[str, Any], found: Sequence[Alert]) -> dict[Cause, Lesson]:
    """By cause; one kept for a kind of devices without its device is of those whose alerts of that kind were answered."""
    lessons: dict[Cause, Lesson] = {}
    for name, entry in document.get("lessons", {}).items():
        try:
            word, _, device = name.partition(" ")
            kind, muted = AlertKind(word), entry["muted_until"]
            lesson = Lesson(float(entry["more_w"]), datetime.fromisoformat(muted) if muted else None)
        except UNREADABLE:
            continue
        causes = [Cause(kind, device or None)]
        if kind in OF_DEVICES and not device:
            causes = [alert.cause for alert in found if alert.kind is kind and alert.answer is not Answer.NONE]
        lessons |= dict.fromkeys(causes, lesson)
    return lessons


def _alert(document: Mapping[str, Any], devices: Sequence[Device]) -> Alert | None:
    try:
        kept = dict(document)
        kept |= {name: datetime.fromisoformat(value) if (value := kept[name]) else None for name in TIMES}
        evidence = kept["evidence"]
        kept["evidence"] = Evidence(
            datetime.fromisoformat(evidence["start"]),
            int(evidence["step_s"]),
            tuple(evidence["actual_w"]),
            tuple(evidence["usual_w"]),
            tuple(evidence["marked"]),
        )
        kept |= {"kind": AlertKind(kept["kind"]), "answer": Answer(kept["answer"])}
        if "device" not in kept and kept["kind"] in OF_DEVICES:
            kept["device"] = _named(kept["what"], devices)
        return Alert(**kept)
    except UNREADABLE:
        return None


def _named(what: str, devices: Sequence[Device]) -> str | None:
    """The device whose name stands first in the words, of several there the longest."""
    found = [(what.find(device.name), -len(device.name), device.id) for device in devices if device.name in what]
    return min(found)[2] if found else None
