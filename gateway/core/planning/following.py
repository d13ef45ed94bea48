"""A battery in its own mode: it follows the meter, stores what would be exported and feeds what is used."""

from __future__ import annotations

from gateway.model.site import BatterySpec


def followed_w(
    spec: BatterySpec, inside_wh: float, span_wh: tuple[float, float], net_w: float, served_w: float, hours: float
) -> float:
    """Its power over `hours`, W, charging positive, at what is in it and within (least, full) Wh.

    `net_w` is what the meter would show without it, `served_w` the load it may feed of that.
    """
    now = spec.at(100 * inside_wh / spec.capacity_wh)
    least, full = span_wh
    if net_w < 0:
        room = max(0.0, full - inside_wh) / hours / spec.charge_efficiency
        return min(-net_w, now.max_charge_w, room)
    stock = max(0.0, inside_wh - least) / hours * spec.discharge_efficiency
    return -min(max(0.0, served_w), net_w, now.max_discharge_w, stock)


def stored_wh(spec: BatterySpec, power_w: float, hours: float) -> float:
    """What a power puts into a battery over `hours`, Wh inside; negative where it takes out."""
    gain = spec.charge_efficiency if power_w > 0 else 1 / spec.discharge_efficiency
    return power_w * hours * gain
