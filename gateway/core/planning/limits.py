"""Limits and overrides over the slots: what binds hard, what the owner's floors hold against."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots
from gateway.model.authority import Authority
from gateway.model.setpoint import Limit, LimitKind

Mask = NDArray[np.bool_]

JOINED_EVENT = 2_000.0
"""Micro-units per Wh that a joined event makes dearer: dearer than a new peak, cheaper than what the owner's floors ask."""


def is_joined(limit: Limit) -> bool:
    """Whether the owner's floors hold against this limit."""
    return limit.authority >= Authority.DEMAND_RESPONSE


def limits_of(request: PlanRequest, kind: LimitKind, device: str = "") -> Iterable[Limit]:
    """The limits of a kind that bind a device; overrides of the owner set joined ones aside."""
    for limit in request.limits:
        if limit.kind is kind and math.isfinite(limit.value) and limit.device in ("", device):
            yield limit


def overridden(request: PlanRequest, slots: Slots, device: str, action: str) -> Mask:
    """The slots in which the owner's override of a device holds."""
    held = np.zeros(slots.count, dtype=bool)
    for override in request.snapshot.overrides:
        if override.device == device and override.action == action:
            held |= slots.touched(override.start, override.end)
    return held


def caps(request: PlanRequest, slots: Slots, device: str, most: float) -> tuple[Array, Array]:
    """Hard and soft cap of a device's consumption, W."""
    run, pause = overridden(request, slots, device, "run"), overridden(request, slots, device, "pause")
    hard, soft = np.full(slots.count, most), np.full(slots.count, math.inf)
    for limit in limits_of(request, LimitKind.DEVICE_POWER, device):
        series = soft if is_joined(limit) else hard
        held = slots.touched(limit.start, limit.end)
        series[held] = np.minimum(series[held], max(0.0, limit.value))
    soft[run] = math.inf
    hard[pause] = 0.0
    return hard, soft
