"""What of a home's rating a utility may be told: a label and a score for each kind of program, and nothing it rests on."""

from __future__ import annotations

from datetime import date
from typing import Any

from gateway.model.targeting import Targeting


def rating_document(found: Targeting, day: date) -> dict[str, Any]:
    """A JSON document without powers, hours, devices, habits or answers; `day` is the local day it holds for."""
    ratings = [{"program": s.program.value, "label": s.label, "score": s.score} for s in found.suitability]
    return {"kind": "demand_response_suitability", "version": 1, "day": day.isoformat(), "ratings": ratings}
