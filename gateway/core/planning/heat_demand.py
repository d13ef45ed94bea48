"""What rooms and tanks lose and gain whatever is planned: walls, people, sun, hot water; as learned, else as stated."""

from __future__ import annotations

import numpy as np

from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots, mean_of, sample
from gateway.model.learned import ThermalModel
from gateway.model.site import Device, HeatPumpSpec, WaterHeaterSpec

DRAW_WH_PER_L = 20.0
"""Hot water drawn a day per litre of tank, Wh: 4 kWh for 200 l."""
DRAW_BY_HOUR = {6: 10, 7: 20, 8: 10, 12: 6, 13: 6, 18: 8, 19: 12, 20: 12, 21: 10, 22: 6}
"""Percent of the day's hot water by local hour."""
GAINS_W = 300.0
"""People and appliances warm a home by about this much, W of heat; without it a plan heats too much."""
WH_PER_L_K = 1.163
DRAWN_H = 1.0
"""A tank is kept warm enough for the water that may be drawn within so long, h."""
SHORT_K = 0.5
"""The tank is asked for so much less than all its power could reach: a plan is not the water, K."""


def heat_of(
    request: PlanRequest, slots: Slots, device: Device, spec: HeatPumpSpec
) -> tuple[float, float, float, Array]:
    """Resistance K/W, capacity Wh/K, COP and gains in W of heat: as learned, else as the site file states them."""
    learned = request.thermal.get(device.id)
    if learned is None:
        resistance, mass = max(1e-4, spec.resistance_k_per_w), max(1.0, spec.capacitance_wh_per_k)
        return resistance, mass, max(0.5, spec.cop), np.full(slots.count, GAINS_W)
    gains = learned.gains_w + _sun_w(request, slots, learned)
    return learned.resistance_k_per_w, learned.capacitance_wh_per_k, learned.cop, gains


def _sun_w(request: PlanRequest, slots: Slots, learned: ThermalModel) -> Array:
    """Heat of the sun, W: by what it was learned of; its mean where that tells nothing of a slot."""
    usual = np.full(slots.count, learned.sun_w)
    if learned.sun_from == "panels":
        return np.asarray(learned.sun_gain * np.maximum(0.0, -sample(request.solar, slots, 0.0)))
    if learned.sun_from == "irradiance" and request.irradiance is not None:
        told = mean_of(request.irradiance, slots)
        return np.where(np.isfinite(told), learned.sun_gain * np.maximum(0.0, told), usual)
    return usual


def water_w(request: PlanRequest, slots: Slots, device: Device, spec: WaterHeaterSpec) -> Array:
    """Hot water drawn, W of heat, by the local hour as learned, else a usual day's; none while the owners are away."""
    zone, learned = request.site.timezone, request.draws.get(device.id)
    day_wh, result = DRAW_WH_PER_L * spec.volume_l, np.zeros(slots.count)
    for index in _at_home(request, slots):
        local = slots.start(index).astimezone(zone)
        usual = day_wh * DRAW_BY_HOUR.get(local.hour, 0) / 100
        result[index] = usual if learned is None else learned.at(local)
    return result


def water_margin_k(request: PlanRequest, slots: Slots, device: Device, spec: WaterHeaterSpec) -> Array:
    """How much warmer than its least the water is kept at the end of each slot, K, so that a heavy hour after it is met.

    A heavy hour is the 90 % quantile as learned; on a usual one nothing of it is used. Nothing is known before.
    """
    zone, learned = request.site.timezone, request.draws.get(device.id)
    if learned is None:
        return np.zeros(slots.count)
    more_w = np.zeros(slots.count)
    for index in _at_home(request, slots):
        local = slots.start(index).astimezone(zone)
        more_w[index] = max(0.0, learned.high_at(local) - learned.at(local))
    ends = np.concatenate(([0.0], np.cumsum(slots.hours)))
    more_wh = np.concatenate(([0.0], np.cumsum(more_w * slots.hours)))
    coming = np.interp(ends[1:] + DRAWN_H, ends, more_wh) - more_wh[1:]
    return np.asarray(coming / (max(1.0, spec.volume_l) * WH_PER_L_K))


def warm_enough(low_c: Array, margin_k: Array, start_c: float, keep: Array, drive_c: Array, most_c: Array) -> Array:
    """The least temperature with its margin, as far as all the tank's power reaches it; `drive_c` is where that leads to.

    T' = keep T + (1 - keep) drive, never above `most_c`; degC, by slot.
    """
    reached, now = np.zeros(len(keep)), start_c
    for index in range(len(keep)):
        now = reached[index] = min(float(most_c[index]), keep[index] * now + (1 - keep[index]) * drive_c[index])
    return np.maximum(low_c, np.minimum(low_c + margin_k, reached - SHORT_K))


def _at_home(request: PlanRequest, slots: Slots) -> list[int]:
    away = request.preferences.vacation_until
    return [index for index in range(slots.count) if away is None or slots.start(index) >= away]
