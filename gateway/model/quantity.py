"""Quantities, their units, and the one sign rule.

The sign rule: **positive is consumption, import, charging; production is negative**, everywhere inside and in
the API, so that grid = sum of all parts. Adapters turn signs, nobody else does; pages show generation as
positive, with a word.

Counters (total_increasing registers) and amounts are different quantities: `energy_import_wh` is a counter.
"""

from __future__ import annotations

from enum import StrEnum


class Quantity(StrEnum):
    """What a reading measures; the value's unit is in the name."""

    POWER = "power_w"
    """Active power of the whole device, all phases, W."""
    POWER_L1 = "power_l1_w"
    POWER_L2 = "power_l2_w"
    POWER_L3 = "power_l3_w"
    CURRENT_L1 = "current_l1_a"
    """RMS current, A, as the device tells it (most meters: without sign)."""
    CURRENT_L2 = "current_l2_a"
    CURRENT_L3 = "current_l3_a"
    VOLTAGE_L1 = "voltage_l1_v"
    VOLTAGE_L2 = "voltage_l2_v"
    VOLTAGE_L3 = "voltage_l3_v"
    FREQUENCY = "frequency_hz"
    ENERGY_IMPORT = "energy_import_wh"
    """Counter of energy taken from the grid (or consumed by the device), Wh, never falls."""
    ENERGY_EXPORT = "energy_export_wh"
    """Counter of energy given to the grid (or produced by the device), Wh, never falls."""
    PV_POWER = "pv_power_w"
    """DC power of a hybrid inverter's panels, W, zero or negative (production)."""
    BATTERY_POWER = "battery_power_w"
    """DC power of a hybrid inverter's battery, W, positive while charging."""
    PV_ENERGY = "pv_energy_wh"
    """Counter of a hybrid inverter's panel production, Wh (a counter counts up: the name says which way)."""
    BATTERY_CHARGED = "battery_charged_wh"
    BATTERY_DISCHARGED = "battery_discharged_wh"
    SOC = "soc_percent"
    TEMPERATURE = "temperature_c"
    """What the device heats: tank water, room air."""
    TARGET_TEMPERATURE = "target_temperature_c"
    OUTDOOR_TEMPERATURE = "outdoor_temperature_c"
    IRRADIANCE = "irradiance_w_m2"
    ON = "on"
    """1 when the device's relay is closed or its compressor runs, else 0."""
    GRID_PRESENT = "grid_present"
    """1 while the public grid is there, 0 while the home is an island, as an inverter or a contact tells it."""
    DIMMED = "dimmed"
    """1 while the grid operator asks for less by a contact or a bridge, else 0."""
    IMPORT_LIMIT = "import_limit_w"
    """The most that may be drawn while `dimmed`, W, as the grid operator tells it."""
    EXPORT_LIMIT = "export_limit_w"
    """The most that may be fed in while `dimmed`, W, a magnitude."""
    HEARTBEAT = "heartbeat"
    """A number that changes while the grid operator's side is alive."""
    CURRENT_OFFERED = "current_offered_a"
    """Current per phase the charger offers the car, A."""

    @property
    def unit(self) -> str:
        """The unit as shown: W, Wh, A, V, Hz, %, °C, W/m², or nothing."""
        return _UNITS[self]

    @property
    def is_counter(self) -> bool:
        """Whether the value only ever rises (a register), as against a momentary value."""
        return self.value.endswith("_wh")


def _unit_of(name: str) -> str:
    endings = {
        "_w_m2": "W/m²", "_wh": "Wh", "_w": "W", "_a": "A", "_v": "V", "_hz": "Hz", "_percent": "%", "_c": "°C",
    }  # fmt: skip
    return next((unit for ending, unit in endings.items() if name.endswith(ending)), "")


_UNITS = {quantity: _unit_of(quantity.value) for quantity in Quantity}

POWERS = (Quantity.POWER_L1, Quantity.POWER_L2, Quantity.POWER_L3)
CURRENTS = (Quantity.CURRENT_L1, Quantity.CURRENT_L2, Quantity.CURRENT_L3)
VOLTAGES = (Quantity.VOLTAGE_L1, Quantity.VOLTAGE_L2, Quantity.VOLTAGE_L3)
