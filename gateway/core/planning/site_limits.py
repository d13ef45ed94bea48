"""What the connection, its contract and events leave of import, export and sun in each slot."""

from __future__ import annotations

import math

import numpy as np

from gateway.core.planning.limits import is_joined, limits_of
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots
from gateway.core.tariff.limits import import_limit_w
from gateway.model.setpoint import LimitKind


def limited_sun(request: PlanRequest, slots: Slots, pv: Array) -> Array:
    """PV_PERCENT limits cap the sun; the inverter's rating is taken as the highest power forecast."""
    rated = float(-pv.min(initial=0.0))
    for limit in request.limits:
        if limit.kind is LimitKind.PV_PERCENT and math.isfinite(limit.value):
            least = -rated * min(100.0, max(0.0, limit.value)) / 100
            pv = np.where(slots.touched(limit.start, limit.end), np.maximum(pv, least), pv)
    return pv


def site_import(request: PlanRequest, slots: Slots) -> tuple[Array, Array]:
    """Hard and soft limit of import, W; only joined events are soft."""
    site = request.site
    most = site.main_fuse_a * site.phases * site.nominal_voltage_v
    if site.import_limit_w is not None:
        most = min(most, site.import_limit_w)
    hard, soft = np.full(slots.count, max(0.0, most)), np.full(slots.count, math.inf)
    for limit in limits_of(request, LimitKind.SITE_IMPORT):
        series = soft if is_joined(limit) else hard
        held = slots.touched(limit.start, limit.end)
        series[held] = np.minimum(series[held], max(0.0, limit.value))
    return np.minimum(hard, _contracted(request, slots)), soft


def _contracted(request: PlanRequest, slots: Slots) -> Array:
    """What the contract with the grid allows at each time, W."""
    if not request.tariff.contracted:
        return np.full(slots.count, math.inf)
    held = (import_limit_w(request.tariff, slots.start(index)) for index in range(slots.count))
    return np.array([math.inf if watts is None else max(0.0, watts) for watts in held])


def site_export(request: PlanRequest, slots: Slots) -> Array:
    """The limit of export, W, positive."""
    site = request.site
    most = site.main_fuse_a * site.phases * site.nominal_voltage_v
    result = np.full(slots.count, most if site.export_limit_w is None else min(most, max(0.0, site.export_limit_w)))
    for limit in limits_of(request, LimitKind.SITE_EXPORT):
        held = slots.touched(limit.start, limit.end)
        result[held] = np.minimum(result[held], max(0.0, limit.value))
    return result
