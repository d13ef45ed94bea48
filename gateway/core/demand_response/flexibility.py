"""What the home could shift: the plan made once more as if the utility asked, and compared.

    plan              |~~~~~~~~~~~~~|~~~~~~~~~~~|~~~~~~~~~~~~~~~|      grid power
    asked for less    |~~~~~~~~~~~~~|...........|~~~~~~~~~~~~~~~~~~|   the window at as little as comfort and cars allow
                                    |<- window->|
    offer             the difference in the window; its cost is the difference of the whole horizon, with what is
                      left in battery, tank, rooms and cars at its end counted at the planner's own value

Only what joined events may take is taken: comfort, departure, reserve and the usual peak hold; where one of them would give
way nothing is offered. A car that is not plugged in and a house that
cannot be steered offer nothing. Interpretation: the interval is the home's own record of offers against what was delivered,
and until there are such records a stated prior of +-30 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.core.planning.request import PlanRequest
from gateway.model.authority import Authority
from gateway.model.dr import PricePoint
from gateway.model.effect import Beside
from gateway.model.flex import Direction, FlexOffer
from gateway.model.plan import Plan, PlanSlot
from gateway.model.setpoint import Limit, LimitKind

SOURCE = "flexibility offer"
STARTS_H = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
WINDOW = timedelta(hours=1)
GIFT_MICRO = 500_000.0
"""So far below nothing power is told to cost in a window that asks for more, micro-units per kWh: beyond any difference of
prices, but not worth a peak above the usual one, nor cutting the sun (`program.py`)."""
PRIOR_SPREAD, LEAST_RECORDS, COVERAGE = 0.3, 5, 0.8
LEAST_WH = 50.0
OTHER = frozenset({"grid", "house", "pv"})


def windows(now: datetime) -> list[tuple[datetime, datetime]]:
    """The hours for which offers are made: from the next quarter hour, and at some hours of the coming day."""
    first = now + timedelta(seconds=900 - now.timestamp() % 900)
    return [(first + timedelta(hours=after), first + timedelta(hours=after) + WINDOW) for after in STARTS_H]


def asked(request: PlanRequest, direction: Direction, start: datetime, end: datetime) -> PlanRequest:
    """The request as it would be if the utility asked for less, or more, in [start, end)."""
    if direction is Direction.DOWN:
        words = "The utility asks how little is possible."
        limit = Limit(LimitKind.SITE_IMPORT, 0.0, start, end, Authority.DEMAND_RESPONSE, SOURCE, words)
        return replace(request, limits=(*request.limits, limit), cause=SOURCE)
    gift = PricePoint("PRICE", -GIFT_MICRO, start, end, request.site.currency, SOURCE)
    return replace(request, price_signals=(*request.price_signals, gift), cause=SOURCE)


def offer(
    plan: Plan,
    other: Plan,
    change: Beside,
    direction: Direction,
    start: datetime,
    end: datetime,
    spread: float,
    co2_g_per_kwh: float,
) -> FlexOffer | None:
    """What `other`, planned for the window, would do differently; `change` is what that means over the whole horizon.

    None for less than 50 Wh, where a wish of the owner gives way for it, and for plans of other slots.
    """
    if change.gives_way or [slot.start for slot in plan.slots] != [slot.start for slot in other.slots]:
        return None
    sign = -1.0 if direction is Direction.DOWN else 1.0
    moved = sign * sum(_within(b, start, end, "grid") - _within(a, start, end, "grid") for a, b in _pairs(plan, other))
    if not math.isfinite(moved) or moved < LEAST_WH:
        return None
    devices = {
        name: sign * sum(_within(b, start, end, name) - _within(a, start, end, name) for a, b in _pairs(plan, other))
        for name in plan.slots[0].power_w
        if name not in OTHER
    }
    drawn = sum(_wh(b, "grid") - _wh(a, "grid") for a, b in _pairs(plan, other)) - change.stored_wh
    per_device = {name: round(energy, 1) for name, energy in devices.items() if energy >= LEAST_WH / 5}
    return FlexOffer(
        direction, start, (end - start).total_seconds(), round(moved, 1), round(moved * (1 - spread), 1),
        round(moved * (1 + spread), 1), round(change.cost_micro), round(drawn / 1000 * co2_g_per_kwh, 1), per_device, plan.made_at,
    )  # fmt: skip


def spread_of(ratios: Sequence[float]) -> float:
    """The half width of the interval as a share: what covers 80 % of |delivered / offered - 1| of the home's own past."""
    known = sorted(abs(ratio - 1.0) for ratio in ratios if math.isfinite(ratio))
    if len(known) < LEAST_RECORDS:
        return PRIOR_SPREAD
    return min(1.0, max(0.05, known[min(len(known), math.ceil(COVERAGE * (len(known) + 1))) - 1]))


def _pairs(plan: Plan, other: Plan) -> list[tuple[PlanSlot, PlanSlot]]:
    return list(zip(plan.slots, other.slots, strict=True))


def _within(slot: PlanSlot, start: datetime, end: datetime, name: str) -> float:
    """Energy of the part of a slot that lies in the window, Wh."""
    until = slot.start + timedelta(seconds=slot.duration_s)
    seconds = (min(end, until) - max(start, slot.start)).total_seconds()
    return slot.power_w.get(name, 0.0) * max(0.0, seconds) / 3600


def _wh(slot: PlanSlot, name: str) -> float:
    return slot.power_w.get(name, 0.0) * slot.duration_s / 3600
