"""Wiring mistakes put right: a meter turned round, its inputs on other phases, single current transformers turned."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from adapters.modbus.settings import ModbusDeviceSettings
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity
from gateway.model.reading import Quality, Reading

SWAPPED = {
    Quantity.ENERGY_IMPORT: Quantity.ENERGY_EXPORT,
    Quantity.ENERGY_EXPORT: Quantity.ENERGY_IMPORT,
}
SIGNED = frozenset({*POWERS, Quantity.POWER, Quantity.PV_POWER, Quantity.BATTERY_POWER})
IN_ORDER = (1, 2, 3)
COUNTERS_WRONG = "the counters of a meter with a turned current transformer are wrong"
TOTAL_UNKNOWN = "a current transformer is turned, and the power of its phase is not known"


def correct(readings: Sequence[Reading], settings: ModbusDeviceSettings) -> list[Reading]:
    """What a rightly wired meter would have read, from one sweep of a meter wired as `settings` says.

    With a turned current transformer the total power is that of the phases, and the meter's energy counters are
    missing: they added up the wrong way for as long as it has been there, so energy comes from power instead.
    """
    found = [invert(reading) for reading in readings] if settings.invert else list(readings)
    if settings.phases != IN_ORDER:
        found = [move(reading, settings.phases) for reading in found]
    if not settings.invert_phases:
        return found
    return turn(found, settings.invert_phases)


def invert(reading: Reading) -> Reading:
    """The reading of a device wired the wrong way round, turned right: powers change sign, counters their name."""
    quantity = SWAPPED.get(reading.quantity, reading.quantity)
    return _negated(reading) if quantity in SIGNED else replace(reading, quantity=quantity)


def move(reading: Reading, phases: tuple[int, int, int]) -> Reading:
    """The reading of input n under the name of the grid phase `phases[n - 1]`; other readings as they are."""
    quantity = _moved(reading.quantity, phases)
    return reading if quantity is reading.quantity else replace(reading, quantity=quantity)


def turn(readings: Sequence[Reading], phases: Sequence[int]) -> list[Reading]:
    """The sweep with the current transformers of the grid `phases` turned right: their powers, and the total.

    Their currents lose the sign that some meters give them: from one value nobody can tell whether the meter does.
    """
    powers = [POWERS[phase - 1] for phase in phases]
    currents = [CURRENTS[phase - 1] for phase in phases]
    found = {reading.quantity: _turned(reading, powers, currents) for reading in readings}
    total = found.get(Quantity.POWER)
    if total is not None:
        found[Quantity.POWER] = _total(total, found, powers)
    return list(found.values())


def _turned(reading: Reading, powers: Collection[Quantity], currents: Collection[Quantity]) -> Reading:
    if reading.quantity in SWAPPED:
        return replace(reading, value=None, quality=Quality.MISSING, reason=COUNTERS_WRONG)
    if reading.quantity in currents and reading.value is not None:
        return replace(reading, value=abs(reading.value))
    return _negated(reading) if reading.quantity in powers else reading


def _total(total: Reading, found: dict[Quantity, Reading], turned: Sequence[Quantity]) -> Reading:
    """The phases' sum; of a meter without three of them its own total, in which the turned ones counted negative."""
    powers = {quantity: found[quantity].value for quantity in POWERS if quantity in found}
    known = [value for value in powers.values() if value is not None]
    if len(known) == len(POWERS):
        return replace(total, value=sum(known), quality=Quality.VALID, reason="")
    right = [powers.get(quantity) for quantity in turned]
    if total.value is None or None in right:
        return replace(total, value=None, quality=Quality.MISSING, reason=total.reason or TOTAL_UNKNOWN)
    return replace(total, value=total.value + 2 * sum(value for value in right if value is not None))


def _moved(quantity: Quantity, phases: tuple[int, int, int]) -> Quantity:
    for family in (POWERS, CURRENTS, VOLTAGES):
        if quantity in family:
            return family[phases[family.index(quantity)] - 1]
    return quantity


def _negated(reading: Reading) -> Reading:
    return reading if reading.value is None else replace(reading, value=-reading.value + 0.0)
