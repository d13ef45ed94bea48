"""What of a home's rating a utility may be told: a label and a score for each kind of program, and nothing it rests on."""

from __future__ import annotations

from datetime import date
from typing import Any

from gateway.model.targeting import Targeting


def rating_document(found: Targeting, day: date) -> dict[str, Any] | None:
    """A JSON document without powers, hours, devices, habits or answers; `day` is the local day it holds for.

    A program that is not known yet is not in it. None while there is such a one and no other rests on measured days:
    an unmeasured home is not an inflexible one.
    """
    known = [each for each in found.suitability if each.score is not None]
    if len(known) < len(found.suitability) and not any(each.amount and each.amount.days for each in known):
        return None
    ratings = [{"program": s.program.value, "label": s.label, "score": s.score} for s in known]
    return {"kind": "demand_response_suitability", "version": 1, "day": day.isoformat(), "ratings": ratings}
