"""What the car says it needs (ISO 15118, NotifyEVChargingNeeds; 2.0.1 use cases K15 to K17, 2.1 also Q), decoded; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.ocpp.wire import to_number, to_time
from gateway.model.charging import ChargingNeeds

_PHASES = {"AC_single_phase": 1, "AC_two_phase": 2, "AC_three_phase": 3}


def to_needs(payload: Mapping[str, Any], received: datetime) -> ChargingNeeds:
    """The needs of a request; energies Wh, currents A per phase, power W; what the car left out is None."""
    needs = _part(payload, "chargingNeeds")
    ac, dc, v2x = (_part(needs, f"{kind}ChargingParameters") for kind in ("ac", "dc", "v2x"))
    return ChargingNeeds(
        received=received,
        departure=to_time(needs.get("departureTime")),
        energy_wh=_first(
            ac.get("energyAmount"), v2x.get("evTargetEnergyRequest"), dc.get("energyAmount"), _missing(dc)
        ),
        min_current_a=_first(ac.get("evMinCurrent"), v2x.get("minChargeCurrent")),
        max_current_a=_first(ac.get("evMaxCurrent"), v2x.get("maxChargeCurrent")),
        phases=_PHASES.get(str(needs.get("requestedEnergyTransfer"))),
        max_power_w=_first(dc.get("evMaxPower"), _sum(v2x, "maxChargePower")),
    )


def to_soc(payload: Mapping[str, Any]) -> float | None:
    """The car's state of charge, percent; None when it did not tell."""
    soc = to_number(_part(_part(payload, "chargingNeeds"), "dcChargingParameters").get("stateOfCharge"))
    return soc if soc is not None and 0 <= soc <= 100 else None


def _missing(dc: Mapping[str, Any]) -> float | None:
    """Wh from the state of charge to full, where the car tells its capacity instead of an amount."""
    capacity, soc = to_number(dc.get("evEnergyCapacity")), to_number(dc.get("stateOfCharge"))
    full = to_number(dc.get("fullSoC"))
    if capacity is None or soc is None:
        return None
    return max(0.0, ((full if full is not None else 100.0) - soc) / 100 * capacity)


def _sum(v2x: Mapping[str, Any], name: str) -> float | None:
    """One value for all phases, or the sum of what is told per phase (2.1 section 2.86)."""
    told = [number for end in ("", "_L2", "_L3") if (number := to_number(v2x.get(name + end))) is not None]
    return sum(told) if told else None


def _part(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = payload.get(name)
    return part if isinstance(part, Mapping) else {}


def _first(*values: Any) -> float | None:
    known = (number for value in values if (number := to_number(value)) is not None)
    return next((number for number in known if number >= 0), None)
