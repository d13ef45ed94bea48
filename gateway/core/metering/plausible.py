"""Cross-checks between the values of one device that carry one timestamp; a contradiction is doubted, never mended.

    total      = sum of the phase powers, within 2 % or 30 W
    |phase|   <= voltage x current, within 10 % and 50 W
    voltages   near the nominal one, and not all of them zero while the meter answers
    panels     give nothing in the dark and take nothing ever; a heater gives nothing

Which value is doubted depends on what the others say of it; currents that fit the phase powers stay, so that the fuse
is guarded while a total is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.core.metering.vee import Doubt
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity
from gateway.model.reading import Rule
from gateway.model.site import BatterySpec, Device, Role

SUM_PART, SUM_W = 0.02, 30.0
APPARENT_PART, APPARENT_W = 1.1, 50.0
VOLTAGE_LOW, VOLTAGE_HIGH = 0.45, 1.8
"""Believed voltages as parts of the nominal one: 120 V in a home of 230 V and 400 V between phases are."""
DARK_W = -50.0
PANELS_TAKE_W = 200.0
GIVES_W = -150.0
EMPTY_GIVES_W = -500.0
BATTERY_TIMES, BATTERY_MORE_W = 2.0, 1000.0

Q = Quantity
Values = Mapping[Quantity, float]
Doubts = dict[Quantity, Doubt]
METERS = (Role.MAIN_METER, Role.SUB_METER)
TAKERS = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP, Role.APPLIANCE)
"""Devices that never give power to the home."""


def cross_check(values: Values, device: Device, nominal_v: float, sun_up: bool | None) -> Doubts:
    """The quantities of one instant that cannot be believed beside the others, each with its rule and words.

    `values` are powers in W, currents in A, voltages in V, signs ours; `sun_up` is None when nobody knows.
    """
    odd = {
        quantity: (Rule.WORD_ORDER, f"{volts:g} V, far from the nominal {nominal_v:g} V")
        for quantity in VOLTAGES
        if (volts := values.get(quantity)) and not near(volts, nominal_v)
    }
    if Q.POWER_L1 in values or Q.CURRENT_L1 in values:
        odd |= phase_sums(values, nominal_v)
    return odd | _direction(values, device, sun_up)


def near(volts: float, nominal_v: float) -> bool:
    """Whether a voltage, V, may be one of a grid of the nominal one."""
    return VOLTAGE_LOW * nominal_v <= volts <= VOLTAGE_HIGH * nominal_v


def phase_sums(values: Values, nominal_v: float) -> Doubts:
    """Which powers and currents contradict each other: total against phases, phases against voltage and current."""
    beyond = [index for index in range(3) if _beyond_apparent(values, index, nominal_v)]
    total, phases = values.get(Q.POWER), [values[power] for power in POWERS if power in values]
    if total is None or len(phases) < 3:
        return _each(values, beyond, powers=True, currents=True)
    whole = sum(phases)
    gross = sum(map(abs, phases))
    if abs(total - whole) <= max(SUM_PART * gross, SUM_PART * abs(total), SUM_W):
        # The powers agree with each other: it is the current that is too small.
        return _each(values, beyond, powers=False, currents=True)
    if beyond:
        return _each(values, beyond, powers=True, currents=False) | _total_alone(values, nominal_v)
    doubt = (Rule.SUM_CHECK, f"sum of phases {whole:.0f} W, total {total:.0f} W")
    sane = all(current in values for current in CURRENTS)
    return dict.fromkeys([Q.POWER] if sane else [Q.POWER, *POWERS], doubt)


def _beyond_apparent(values: Values, index: int, nominal_v: float) -> bool:
    power, current = values.get(POWERS[index]), values.get(CURRENTS[index])
    return power is not None and current is not None and abs(power) > _apparent(values, index, current, nominal_v)


def _apparent(values: Values, index: int, current: float, nominal_v: float) -> float:
    """The most a phase can draw by its voltage and current, W; whole amperes are rounded ones."""
    volts = values.get(VOLTAGES[index], nominal_v)
    if not near(volts, nominal_v):
        volts = nominal_v
    amps = abs(current) + (1.0 if current.is_integer() else 0.0)
    return APPARENT_PART * volts * amps + APPARENT_W


def _total_alone(values: Values, nominal_v: float) -> Doubts:
    """Whether the total is beyond what the currents of all phases carry."""
    most = sum(_apparent(values, i, values.get(current, 0.0), nominal_v) for i, current in enumerate(CURRENTS))
    if abs(values[Q.POWER]) <= most:
        return {}
    return {Q.POWER: (Rule.WORD_ORDER, f"{values[Q.POWER]:.0f} W, the currents carry at most {most:.0f} W")}


def _each(values: Values, phases: Iterable[int], *, powers: bool, currents: bool) -> Doubts:
    doubts: Doubts = {}
    for index in phases:
        power, current = POWERS[index], CURRENTS[index]
        doubt = (Rule.WORD_ORDER, f"{values[power]:.0f} W does not fit {values[current]:g} A")
        doubts |= dict.fromkeys([power] * powers + [current] * currents, doubt)
    return doubts


def _direction(values: Values, device: Device, sun_up: bool | None) -> Doubts:
    role, power = device.role, values.get(Q.POWER)
    if role is Role.MAIN_METER or role is Role.SUB_METER:
        return {}
    if role is Role.PV and power is not None:
        doubts = _panels(Q.POWER, power, sun_up)
        doubt = doubts.get(Q.POWER)
        if doubt and doubt[0] is Rule.NIGHT_PRODUCTION:
            # The currents tell of the same power.
            doubts |= {quantity: doubt for quantity in (*POWERS, *CURRENTS) if values.get(quantity)}
        return doubts
    if role is Role.HYBRID_INVERTER:
        panels = _panels(Q.PV_POWER, values[Q.PV_POWER], sun_up) if Q.PV_POWER in values else {}
        return panels | _battery(Q.BATTERY_POWER, values, device)
    if role is Role.BATTERY:
        return _battery(Q.POWER, values, device)
    if role in TAKERS and power is not None and power < GIVES_W:
        return {Q.POWER: (Rule.REVERSE, f"gives {-power:.0f} W, which it cannot: turned current transformer?")}
    return {}


def _panels(quantity: Quantity, power: float, sun_up: bool | None) -> Doubts:
    if power > PANELS_TAKE_W:
        return {quantity: (Rule.REVERSE, f"panels take {power:.0f} W: turned sign or current transformer?")}
    if sun_up is False and power < DARK_W:
        return {quantity: (Rule.NIGHT_PRODUCTION, f"panels give {-power:.0f} W in the dark")}
    return {}


def _battery(quantity: Quantity, values: Values, device: Device) -> Doubts:
    power, spec = values.get(quantity), device.spec
    if power is None:
        return {}
    if isinstance(spec, BatterySpec):
        most = BATTERY_TIMES * max(spec.max_charge_w, spec.max_discharge_w) + BATTERY_MORE_W
        if abs(power) > most:
            return {quantity: (Rule.BATTERY, f"{power:.0f} W, at most {most:.0f} W is believed of this battery")}
    if values.get(Q.SOC) == 0 and power < EMPTY_GIVES_W:
        return {Q.SOC: (Rule.BATTERY, f"empty and gives {-power:.0f} W")}
    return {}
