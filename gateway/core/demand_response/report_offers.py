"""Offers of flexibility as rows of reports: what the home could do in each span, were it called there.

    offers      17:00 1 h 2 kW |####|          17:00 2 h 1.5 kW |########|       17:15 1 h 1.8 kW  |####|
    rows        17:00 2 kW |#|  17:15 1.8 kW |####|

Interpretations: of several offers from one start the shortest counts, as a report tells what each interval could give
by itself. Up regulation is more generation or less load (what the home calls down); LOAD_SHED_DELTA_AVAILABLE is a
magnitude (User Guide 8.7 shows 30.0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import zip_longest

from gateway.core.demand_response.baseline.rows import BaselineRow
from gateway.model.flex import Direction, FlexOffer

TYPES: Mapping[Direction, tuple[str, ...]] = {
    Direction.DOWN: ("LOAD_SHED_DELTA_AVAILABLE", "UP_REGULATION_AVAILABLE"),
    Direction.UP: ("DOWN_REGULATION_AVAILABLE",),
}


def offers_ahead(offers: Sequence[FlexOffer]) -> dict[str, tuple[BaselineRow, ...]]:
    """By payload type, the energy on offer as rows without overlap, Wh, a magnitude."""
    found: dict[str, tuple[BaselineRow, ...]] = {}
    for direction, types in TYPES.items():
        rows = _rows([offer for offer in offers if offer.direction is direction])
        found |= dict.fromkeys(types, rows)
    return found


def _rows(offers: Sequence[FlexOffer]) -> tuple[BaselineRow, ...]:
    by_start: dict[datetime, FlexOffer] = {}
    for offer in sorted(offers, key=lambda offer: (offer.start, offer.duration_s)):
        by_start.setdefault(offer.start, offer)
    chosen = list(by_start.values())
    rows = []
    for offer, after in zip_longest(chosen, chosen[1:]):
        gap_s = (after.start - offer.start).total_seconds() if after is not None else offer.duration_s
        length_s = min(offer.duration_s, gap_s)
        rows.append(BaselineRow(offer.start, length_s, offer.power_w * length_s / 3600))
    return tuple(rows)
