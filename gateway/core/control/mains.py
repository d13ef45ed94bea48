"""What a meter of the installation tells the guard: currents per phase, and whether it is silent."""

from __future__ import annotations

from gateway.core.control.timing import ControlTiming
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity
from gateway.model.site import Site
from gateway.model.snapshot import DeviceState

WORDS_MISSED, MOST_PATIENCE_S = 2.5, 30.0
"""A meter that speaks every 10 s is waited for 25 s: the fuse is then guarded no sooner either."""


def patience_s(meter: DeviceState, timing: ControlTiming) -> float:
    """How old a meter's word may be before it counts as silent, s: two missed words of one that speaks seldom."""
    usual_s = 0.0 if meter.pace_s is None else meter.pace_s
    return max(timing.meter_stale_s, min(WORDS_MISSED * usual_s, MOST_PATIENCE_S))


def speaks(meter: DeviceState | None, timing: ControlTiming) -> bool:
    """Whether the meter tells of a fresh power or current: what took all of it back is as good as silent."""
    if meter is None or meter.age_s is None or meter.age_s > patience_s(meter, timing):
        return False
    return any(quantity in meter.values for quantity in (Quantity.POWER, *POWERS, *CURRENTS))


def phase_currents(meter: DeviceState, site: Site) -> list[float]:
    """Signed current per phase, A, import positive; from power and voltage when the meter gives no current.

    Most meters tell currents without a sign, some with one: the phase's power, where known, says which way it flows.
    A phase nobody measured takes its share of the total power.
    """
    result = []
    total = meter.get(Quantity.POWER) or 0.0
    for index in range(3):
        power, current = meter.get(POWERS[index]), meter.get(CURRENTS[index])
        voltage = meter.get(VOLTAGES[index]) or site.nominal_voltage_v
        if current is not None:
            result.append(current if power is None else abs(current) * (-1 if power < 0 else 1))
        elif power is not None:
            result.append(power / voltage)
        else:
            result.append(total / site.phases / voltage if index < site.phases else 0.0)
    return result


def total_w(meter: DeviceState, site: Site) -> float:
    """Power through the meter, W, import positive; from its currents when it tells no total."""
    power = meter.get(Quantity.POWER)
    return power if power is not None else sum(phase_currents(meter, site)) * site.nominal_voltage_v


def meter_words(meter: DeviceState | None) -> str:
    """Why the main meter counts as silent, and what follows, for a person."""
    if meter is None:
        return "No main meter is configured: cars charge at their safe current only."
    age = "has not answered yet" if meter.age_s is None else f"is silent for {meter.age_s:.0f} s"
    if meter.age_s is not None and not any(q in meter.values for q in (Quantity.POWER, *POWERS, *CURRENTS)):
        age = "tells of no power and no current"
    return f"The main meter {age}: cars charge at their safe current and the battery rests until it is back."
