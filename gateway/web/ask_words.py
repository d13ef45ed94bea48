"""The less usual signals of an event in plain words, with their unit."""

from __future__ import annotations

MOST_OFFSET = 10
_UNITS = {"KW": "kW", "MW": "MW", "W": "W", "KWH": "kWh", "MWH": "MWh", "WH": "Wh", "PERCENT": "%"}
_SETPOINTS = ("CONTROL_SETPOINT", "DISPATCH_SETPOINT")


def signal_words(kind: str, values: tuple[float | str | bool, ...], unit: str) -> str:
    """What a setpoint, an offset, a subscription or an alert says; anything else by its own name, with its unit."""
    first = values[0] if values else None
    number = float(first) if isinstance(first, int | float) and not isinstance(first, bool) else None
    if number is not None:
        if kind in _SETPOINTS:
            return f"{'give' if number < 0 else 'take'} {_amount(abs(number), unit)}"
        if kind == "DISPATCH_SETPOINT_RELATIVE":
            return f"take {_amount(abs(number), unit)} {'less' if number < 0 else 'more'} than usual"
        if kind == "CHARGE_STATE_SETPOINT":
            return f"bring the battery to {_amount(number, unit or 'PERCENT')}"
        if kind == "CONTROL_LEVEL_OFFSET":
            return _offset(number, f"step {abs(number):g} of {MOST_OFFSET}")
        if kind == "CONTROL_LEVEL_OFFSET_PERCENT":
            return _offset(number, f"{100 * abs(number):.0f} % of what is possible")
        if kind.endswith(("CAPACITY_SUBSCRIPTION", "CAPACITY_RESERVATION")):
            way = "feed in" if kind.startswith("EXPORT") else "draw"
            return f"contracted to {way} up to {_amount(number, unit or 'KW')}"
    if kind.startswith("ALERT_"):
        told = next((value for value in values if isinstance(value, str) and value), "")
        words = f"alert: {kind.removeprefix('ALERT_').replace('_', ' ').lower()}"
        return f"{words} ({told})" if told else words
    shown = ", ".join(str(v) for v in values)
    return f"{kind.replace('_', ' ').lower()} {shown} {_UNITS.get(unit.upper(), unit)}".strip()


def _amount(number: float, unit: str) -> str:
    return f"{number:g} {_UNITS.get(unit.upper(), unit)}" if unit else f"{number:g} (without a unit)"


def _offset(number: float, far: str) -> str:
    """Above zero is less: the direction of the enumeration's own example."""
    if number == 0:
        return "back to normal"
    return f"use {'less' if number > 0 else 'more'} ({far})"
