"""What Hearth learned of the home, for its owner: how it keeps its heat, how much hot water it needs, how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.learned import DrawPattern, Learned, ThermalModel
from gateway.model.site import Device, HeatPumpSpec, Site, WaterHeaterSpec
from gateway.web.words import watt_hours, watts

HOURS = 24


@dataclass(frozen=True, slots=True)
class LearnedPart:
    """One device's: a sentence, figures with their names, and how they came about or what is missing."""

    name: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    note: str


def learned_parts(site: Site, learned: Learned) -> list[LearnedPart]:
    """One part per heat pump and water heater, in the order of the site file."""
    return [part for device in site.devices if (part := _part(device, learned)) is not None]


def _part(device: Device, learned: Learned) -> LearnedPart | None:
    spec = device.spec
    if isinstance(spec, HeatPumpSpec):
        model = learned.thermal.get(device.id)
        return _heat(device, model, spec) if model is not None else _missing(device, learned)
    if isinstance(spec, WaterHeaterSpec):
        pattern = learned.draws.get(device.id)
        return _water(device, pattern) if pattern is not None else _missing(device, learned)
    return None


def _heat(device: Device, model: ThermalModel, spec: HeatPumpSpec) -> LearnedPart:
    sentence = (
        f"Your home loses {watts(model.loss_w_per_k)} of heat per degree that it is warmer than outdoors. "
        f"Unheated, it takes {model.time_constant_h:.0f} h to cool two thirds of the way."
    )
    facts = (
        ("Loses", f"{watts(model.loss_w_per_k)} per K"),
        ("The site file says", f"{watts(1 / spec.resistance_k_per_w)} per K"),
        ("Holds", f"{watt_hours(model.capacitance_wh_per_k)} per K"),
        ("Time constant", f"{model.time_constant_h:.0f} h"),
        ("Warmed by people and sun", watts(max(0.0, model.gains_w + model.sun_w))),
        ("Error a day ahead", f"{model.error_k:.1f} K"),
    )
    note = f"Learned from {model.days} days; a heat pump that gives {model.cop:g} times its electricity is taken for granted."
    return LearnedPart(device.name, sentence, facts, note)


def _water(device: Device, pattern: DrawPattern) -> LearnedPart:
    hour = max(range(HOURS), key=lambda h: 5 * pattern.workday_w[h] + 2 * pattern.weekend_w[h])
    sentence = f"You draw about {watt_hours(pattern.day_wh)} of hot water a day, most of it around {hour:02d}:30."
    facts = (
        ("Working day", watt_hours(sum(pattern.workday_w))),
        ("Weekend day", watt_hours(sum(pattern.weekend_w))),
        ("A day differs by", f"± {watt_hours(pattern.error_wh)}"),
    )
    return LearnedPart(device.name, sentence, facts, f"Learned from {pattern.days} days of the tank's energy balance.")


def _missing(device: Device, learned: Learned) -> LearnedPart:
    why = learned.why.get(device.id, "It is learned after the next midnight.")
    return LearnedPart(device.name, "Not learned yet: the plan counts with usual values.", (), why)
