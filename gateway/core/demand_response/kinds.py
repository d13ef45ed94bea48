"""The payload types of events, what their values must be, and their units: OpenADR 3.1 enumerations, event payloads."""

from __future__ import annotations

from collections.abc import Sequence

Value = float | str | bool

PRICES = frozenset({"PRICE", "EXPORT_PRICE"})
CAPACITY = frozenset({"IMPORT_CAPACITY_LIMIT", "EXPORT_CAPACITY_LIMIT"})
CONTRACTED = frozenset(
    f"{way}_CAPACITY_{what}" for way in ("IMPORT", "EXPORT") for what in ("SUBSCRIPTION", "RESERVATION")
)
ENVELOPES = CAPACITY | CONTRACTED
"""What bounds the connection itself."""
OFFERED = frozenset(
    f"{way}_CAPACITY_{what}"
    for way in ("IMPORT", "EXPORT")
    for what in ("RESERVATION_FEE", "AVAILABLE", "AVAILABLE_PRICE")
)
INFORMATION = PRICES | OFFERED | {"PRICE_ALTERNATE", "GHG"}
SETPOINTS = frozenset({"CONTROL_SETPOINT", "DISPATCH_SETPOINT", "DISPATCH_SETPOINT_RELATIVE"})
CHARGE_STATE = "CHARGE_STATE_SETPOINT"
OFFSET, OFFSET_SHARE = "CONTROL_LEVEL_OFFSET", "CONTROL_LEVEL_OFFSET_PERCENT"
OFFSETS = frozenset({OFFSET, OFFSET_SHARE})
RECORDED = frozenset({"CURVE", "OLS", "DISPATCH_INSTRUCTION", "CTA2045_REBOOT", "CTA2045_SET_OVERRIDE_STATUS"})
"""Kept with the event, for no device here takes it."""
MOST_OFFSET = 10
KWH_PER = {"KWH": 1.0, "MWH": 1000.0, "WH": 0.001}
_WATTS = {"W": 1.0, "KW": 1000.0, "MW": 1e6}


def is_usable(kind: str, values: Sequence[Value], unit: str) -> bool:
    """Whether the home can act on such a payload, or count with it; news and alerts need no value.

    SIMPLE is 0-3, a capacity W >= 0 (kW without a unit), a setpoint W, a charge state 0-100 % or kWh, an offset a whole
    number from -10 to 10 or a share from -1 to 1, a price money per energy.
    """
    if kind == "SIMPLE":
        return level_of(values) is not None
    if kind in ENVELOPES:
        watts = watts_of(values, unit or "KW")
        return watts is not None and watts >= 0
    if kind in SETPOINTS:
        return watts_of(values, unit) is not None
    if kind == CHARGE_STATE:
        return charge_of(values, unit, 1.0) is not None
    if kind in OFFSETS:
        return offset_of(kind, values) is not None
    if kind in PRICES:
        return unit.upper() in KWH_PER and any(number(value) is not None for value in values)
    return kind in INFORMATION or kind.startswith("ALERT_")


def level_of(values: Sequence[Value]) -> int | None:
    """The level of a SIMPLE payload, 0-3; anything else is left out, never clamped."""
    value = number(values[0]) if values else None
    return int(value) if value in (0, 1, 2, 3) else None


def offset_of(kind: str, values: Sequence[Value]) -> float | None:
    """A level offset from -10 (use much more) to 10 (use much less).

    Interpretation: CONTROL_LEVEL_OFFSET_PERCENT is a share of the way to the least (1.0) or greatest (-1.0) operation.
    The enumeration's own words contradict each other ("the lower the percentage the less load", "negative values indicate
    higher load"); the direction of CONTROL_LEVEL_OFFSET is taken for both.
    """
    value = number(values[0]) if values else None
    if value is None:
        return None
    if kind == OFFSET_SHARE:
        return value * MOST_OFFSET if -1 <= value <= 1 else None
    return value if value == int(value) and abs(value) <= MOST_OFFSET else None


def charge_of(values: Sequence[Value], unit: str, capacity_wh: float) -> float | None:
    """A state of charge, percent: as told, or told in kWh and divided by the capacity."""
    value = number(values[0]) if values else None
    if value is None or value < 0:
        return None
    if unit.upper() in ("", "PERCENT"):
        return value if value <= 100 else None
    per_kwh = KWH_PER.get(unit.upper())
    return None if per_kwh is None or capacity_wh <= 0 else min(100.0, value * per_kwh * 1000 / capacity_wh * 100)


def watts_of(values: Sequence[Value], unit: str) -> float | None:
    """A power, W; None without a number or with a unit that is no power."""
    factor = _WATTS.get(unit.upper())
    value = number(values[0]) if values else None
    return None if factor is None or value is None else value * factor


def number(value: object) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if value == value and abs(value) < 1e12 else None
