"""How figures look to a person: units always, unknown is a dash, generation is positive with a word."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.model.site import Role
from gateway.runtime.words import local_time

DASH = "–"
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}
ROLE_WORDS = {
    Role.MAIN_METER: "Main meter",
    Role.SUB_METER: "Sub-meter",
    Role.PV: "Solar panels",
    Role.BATTERY: "Battery",
    Role.HYBRID_INVERTER: "Solar and battery",
    Role.EV_CHARGER: "Car charger",
    Role.WATER_HEATER: "Hot water",
    Role.HEAT_PUMP: "Heating",
    Role.POOL_PUMP: "Pool pump",
    Role.APPLIANCE: "Appliance",
    Role.GRID_LIMIT: "Grid operator's limit",
}
INTENT_WORDS = {
    "zero_grid": "Self-consumption",
    "surplus_only": "Surplus sun only",
    "charge_at": "Charge",
    "discharge_at": "Discharge",
    "hold": "Wait",
    "run": "Run",
    "idle": "Rest",
}
MODE_WORDS = {"off": "Off", "solar": "Sun only", "min_solar": "Min + sun", "smart": "Smart", "now": "Now"}


def watts(value: float | None) -> str:
    """A power magnitude: "420 W", "3.6 kW"; a dash when unknown."""
    if value is None:
        return DASH
    return f"{abs(value):.0f} W" if abs(value) < 995 else f"{abs(value) / 1000:.1f} kW"


def watt_hours(value: float | None) -> str:
    """An energy magnitude: "420 Wh", "3.6 kWh"; a dash when unknown."""
    if value is None:
        return DASH
    return f"{abs(value):.0f} Wh" if abs(value) < 995 else f"{abs(value) / 1000:.1f} kWh"


def money(micro: float | None, currency: str, digits: int = 2) -> str:
    """Micro-units of a currency: "€1.20", "−€0.30", "CHF 2.00"."""
    if micro is None:
        return DASH
    symbol = SYMBOLS.get(currency, f"{currency} ")
    text = f"{abs(micro) / 1e6:.{digits}f}"
    sign = "−" if micro < 0 and float(text) else ""
    return f"{sign}{symbol}{text}"


def co2(grams: float | None) -> str:
    """A mass of CO2: "420 g CO₂", "1.2 kg CO₂"."""
    if grams is None:
        return DASH
    return f"{grams:.0f} g CO₂" if abs(grams) < 995 else f"{grams / 1000:.1f} kg CO₂"


def age(seconds: float | None) -> str:
    """How long ago: "12 s", "4 min", "3 h", "2 days"; "never heard" when it never spoke."""
    if seconds is None:
        return "never heard"
    for limit, size, word in ((90, 1, "s"), (5400, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {word} old"
    return f"{seconds / 86400:.0f} days old"


def span(start: datetime, end: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    """A half-open span of time in local words: "18:00–21:00", "Sun 02:00–06:00"."""
    first = local_time(start, now, zone)
    if end is None:
        return f"from {first}, no end stated"
    days = (end.astimezone(zone).date() - start.astimezone(zone).date()).days
    # Midnight ends the day it closes.
    closes = days == 1 and f"{end.astimezone(zone):%H:%M}" == "00:00"
    return f"{first}–{end.astimezone(zone):%H:%M}" if days == 0 or closes else f"{first}–{local_time(end, now, zone)}"


def day_words(when: datetime, now: datetime, zone: ZoneInfo) -> str:
    """The local day of an instant: "Today", "Tomorrow, Sunday", "Monday"."""
    day, today = when.astimezone(zone).date(), now.astimezone(zone).date()
    if day == today:
        return "Today"
    return f"Tomorrow, {day:%A}" if (day - today).days == 1 else f"{day:%A}"


def countdown(seconds: float) -> str:
    """Time to go: "in 42 s", "in 12 min", "in 2 h 05 min"."""
    left = max(0, round(seconds))
    if left < 90:
        return f"in {left} s"
    minutes = left // 60
    return f"in {minutes} min" if minutes < 60 else f"in {minutes // 60} h {minutes % 60:02d} min"


def saving(micro: int | None, grams: float | None, currency: str) -> str:
    """ "saves €1.20 and 2.4 kg CO₂"; costs said as costs; empty when nothing is known or it is next to nothing."""
    parts: dict[str, list[str]] = {"saves": [], "costs": []}
    if micro is not None and abs(micro) >= 5000:
        parts["saves" if micro > 0 else "costs"].append(money(abs(micro), currency))
    if grams is not None and abs(grams) >= 5:
        parts["saves" if grams > 0 else "costs"].append(co2(abs(grams)))
    return ", but ".join(f"{verb} {' and '.join(what)}" for verb, what in parts.items() if what)
