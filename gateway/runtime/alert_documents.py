"""Alerts as documents of the store, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gateway.model.alert import Alert, AlertKind, Answer, Evidence

TIMES = ("begun", "told", "ended", "answered")


def document_of(alert: Alert) -> dict[str, Any]:
    """A plain document; times as ISO 8601."""
    found = asdict(alert)
    found["evidence"]["start"] = alert.evidence.start.isoformat()
    return found | {name: value.isoformat() if (value := found[name]) is not None else None for name in TIMES}


def alert_from(document: Mapping[str, Any]) -> Alert | None:
    """What was kept; None for what cannot be read: it costs itself only."""
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
        return Alert(**kept | {"kind": AlertKind(kept["kind"]), "answer": Answer(kept["answer"])})
    except (KeyError, TypeError, ValueError):
        return None
