"""The effect of an event: two plans compared, one in which the home takes part and one in which it does not."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.core.demand_response.flexibility import OTHER
from gateway.model.effect import Beside, CarEffect, EventEffect
from gateway.model.plan import Plan, PlanSlot
from gateway.model.site import Role, Site

NEARLY_WH = 100.0
"""A car that lacks no more than this has what it gets."""


def effect_of(
    event: str,
    joined: Plan,
    without: Plan,
    change: Beside,
    start: datetime,
    end: datetime | None,
    site: Site,
    co2_g_per_kwh: float,
) -> EventEffect:
    """What taking part changes; `start` and `end` are the event's, None for an open end.

    `change` is `joined` beside `without`: cost and CO2 count what is left stored at the plan's end.
    """
    last = joined.slots[-1].start + timedelta(seconds=joined.slots[-1].duration_s)
    until = end or last
    shifted = _energy(without, start, until) - _energy(joined, start, until)
    drawn = sum(_wh(slot, "grid") for slot in joined.slots) - sum(_wh(slot, "grid") for slot in without.slots)
    return EventEffect(
        event=event,
        made_at=joined.made_at,
        shifted_wh=round(shifted, 1),
        cost_micro=round(change.cost_micro),
        co2_g=round((drawn - change.stored_wh) / 1000 * co2_g_per_kwh, 1),
        room_c=_lowest([slot.room_c for slot in joined.slots]),
        room_without_c=_lowest([slot.room_c for slot in without.slots]),
        tank_c=_lowest([slot.tank_c for slot in joined.slots]),
        tank_without_c=_lowest([slot.tank_c for slot in without.slots]),
        cars=tuple(
            _car(device.id, joined, without) for device in site.of_role(Role.EV_CHARGER) if _has(joined, device.id)
        ),
        relaxed=tuple(words for words in joined.relaxed if words not in without.relaxed),
    )


def _has(plan: Plan, device: str) -> bool:
    return device not in OTHER and any(slot.power_w.get(device, 0.0) > 0 for slot in plan.slots)


def _car(device: str, joined: Plan, without: Plan) -> CarEffect:
    return CarEffect(device, _full_at(joined, device), _full_at(without, device))


def _full_at(plan: Plan, device: str) -> datetime | None:
    """The end of the slot in which a device has all but 100 Wh of what the plan gives it."""
    total = sum(_wh(slot, device) for slot in plan.slots)
    given = 0.0
    for slot in plan.slots:
        given += _wh(slot, device)
        if total > NEARLY_WH and given >= total - NEARLY_WH:
            return slot.start + timedelta(seconds=slot.duration_s)
    return None


def _wh(slot: PlanSlot, name: str) -> float:
    return slot.power_w.get(name, 0.0) * slot.duration_s / 3600


def _energy(plan: Plan, start: datetime, end: datetime) -> float:
    """Grid energy of [start, end), Wh, import positive."""
    found = 0.0
    for slot in plan.slots:
        until = slot.start + timedelta(seconds=slot.duration_s)
        seconds = (min(end, until) - max(start, slot.start)).total_seconds()
        found += slot.power_w.get("grid", 0.0) * max(0.0, seconds) / 3600
    return found


def _lowest(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(min(known), 1) if known else None
