"""Which of a device's Home Assistant entities are which of our quantities. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapters.mqtt.decode import State
from adapters.mqtt.ha_entity import Entity
from gateway.model.quantity import Quantity
from gateway.model.site import Role

_FACTORS: dict[str, Mapping[str, float]] = {
    "W": {"mW": 0.001, "W": 1, "kW": 1000, "MW": 1e6},
    "Wh": {"Wh": 1, "kWh": 1000, "MWh": 1e6},
    "A": {"mA": 0.001, "A": 1},
    "V": {"mV": 0.001, "V": 1},
    "Hz": {"Hz": 1, "kHz": 1000},
    "°C": {"°C": 1, "°F": 5 / 9},
    "%": {"%": 1},
    "W/m²": {"W/m²": 1},
}
"""Our unit -> the units that become it, and the factor."""
_FAHRENHEIT = -32 * 5 / 9
_STORES = (Role.BATTERY, Role.HYBRID_INVERTER, Role.EV_CHARGER)
_RANGES = {"W": 1e6, "Wh": 1e12, "A": 1e4, "V": 1e4, "Hz": 1e3, "°C": 500.0, "%": 100.0, "W/m²": 2000.0}
"""The largest value to be believed, by unit; the device says nothing of its own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is read, from which entity, and what could not be settled, in words."""

    states: tuple[State, ...]
    entities: tuple[Entity, ...]
    findings: tuple[str, ...]


def choose(entities: Iterable[Entity], wanted: Mapping[Quantity, str], role: Role) -> Choice:
    """The entities named in `wanted`, or those that can be meant by class and unit; never a guess between two."""
    known = sorted(entities, key=lambda entity: entity.key)
    found, findings = _named(known, wanted) if wanted else _obvious(known, role)
    states = []
    for quantity, (entity, sign) in found.items():
        try:
            states.append(_state(entity, quantity, sign, role))
        except ValueError as error:
            findings.append(f"{quantity}: {entity.key}: {error}.")
    chosen = {state.quantity for state in states}
    used = tuple(entity for quantity, (entity, _) in found.items() if quantity in chosen)
    return Choice(tuple(states), used, tuple(findings))


_Found = dict[Quantity, tuple[Entity, int]]


def _named(known: list[Entity], wanted: Mapping[Quantity, str]) -> tuple[_Found, list[str]]:
    found: _Found = {}
    findings = []
    for quantity, name in wanted.items():
        plain = name.removeprefix("-")
        match = [entity for entity in known if plain in entity.ids or name in entity.ids]
        if len(match) == 1:
            found[quantity] = (match[0], -1 if match[0].ids.isdisjoint({name}) else 1)
        else:
            what = "is no entity of this device" if not match else "is more than one entity"
            findings.append(f"{quantity}: {plain} {what}; it has {_names(known)}.")
    return found, findings


def _obvious(known: list[Entity], role: Role) -> tuple[_Found, list[str]]:
    candidates: dict[Quantity, list[Entity]] = {}
    for entity in known:
        if (quantity := _meant(entity, role)) is not None:
            candidates.setdefault(quantity, []).append(entity)
    found: _Found = {}
    findings = []
    for quantity, several in candidates.items():
        if len(several) == 1:
            found[quantity] = (several[0], 1)
        else:
            findings.append(f"{quantity}: it may be {_names(several)}; say which under entities.")
    return found, findings


def _meant(entity: Entity, role: Role) -> Quantity | None:
    """The quantity an entity's class and unit can mean for a device of this role; None when they mean none of ours."""
    if entity.platform != "sensor":
        is_relay = entity.platform == "switch" or entity.device_class in ("power", "running")
        return Quantity.ON if is_relay and not entity.refused else None
    if entity.device_class == "energy":
        counts = entity.state_class == "total_increasing"
        return (Quantity.ENERGY_EXPORT if role is Role.PV else Quantity.ENERGY_IMPORT) if counts else None
    if entity.device_class == "battery":
        return Quantity.SOC if role in _STORES else None
    return {
        "power": Quantity.POWER, "current": Quantity.CURRENT_L1, "voltage": Quantity.VOLTAGE_L1,
        "frequency": Quantity.FREQUENCY, "temperature": Quantity.TEMPERATURE, "irradiance": Quantity.IRRADIANCE,
    }.get(entity.device_class)  # fmt: skip


def _state(entity: Entity, quantity: Quantity, sign: int, role: Role) -> State:
    """How the entity is read as the quantity; production is positive in Home Assistant and negative here."""
    if entity.refused:
        raise ValueError(entity.refused)
    factor, offset = _conversion(entity, quantity)
    turned = role is Role.PV and quantity in (Quantity.POWER, Quantity.PV_POWER)
    sign = -sign if turned else sign
    unit = quantity.unit
    highest = _RANGES.get(unit)
    lowest = 0.0 if quantity.is_counter or unit == "%" else -highest if highest else None
    return State(
        entity.topic, quantity, entity.shape.path, entity.shape.scale * factor * sign, entity.words or None,
        lowest, highest, offset=offset * sign, expire_s=entity.expire_s,
    )  # fmt: skip


def _conversion(entity: Entity, quantity: Quantity) -> tuple[float, float]:
    unit = quantity.unit
    if not unit:
        return 1.0, 0.0
    factors = _FACTORS[unit]
    if entity.unit not in factors:
        raise ValueError(f"its unit {entity.unit!r} is none of {', '.join(factors)}")
    if quantity.is_counter and entity.state_class not in ("total_increasing", "total"):
        raise ValueError("it is no counter: its state class is neither total_increasing nor total")
    return factors[entity.unit], _FAHRENHEIT if entity.unit == "°F" else 0.0


def _names(entities: Iterable[Entity]) -> str:
    names = [entity.key for entity in entities]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "none"
