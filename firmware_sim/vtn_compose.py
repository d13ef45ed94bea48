"""A program or an event made of plain words, as the page's form and the command line give them.

kind=level         values=2        start=now    duration=4h
kind=import-limit  values=3,4.5    start=18:00  duration=30m      two intervals of half an hour, kW
kind=price         values=0.31,0.28  start=+10  duration=1h       in ten minutes, per kWh
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from firmware_sim.vtn_store import Object
from firmware_sim.vtn_time import duration as checked

KINDS: dict[str, tuple[str, str | None]] = {
    "level": ("SIMPLE", None),
    "import-limit": ("IMPORT_CAPACITY_LIMIT", "KW"),
    "export-limit": ("EXPORT_CAPACITY_LIMIT", "KW"),
    "price": ("PRICE", "KWH"),
    "export-price": ("EXPORT_PRICE", "KWH"),
    "ghg": ("GHG", "GHG"),
    "dispatch": ("DISPATCH_SETPOINT", "KW"),
    "charge-state": ("CHARGE_STATE_SETPOINT", "PERCENT"),
    "offset": ("CONTROL_LEVEL_OFFSET", None),
    "emergency": ("ALERT_GRID_EMERGENCY", None),
}
"""Kind of event -> payloadType and units."""
REPORTS: dict[str, Object] = {
    "usage": {"payloadType": "USAGE", "readingType": "DIRECT_READ", "units": "KWH"},
    "demand": {"payloadType": "DEMAND", "readingType": "MEAN", "units": "KW"},
    "baseline": {"payloadType": "BASELINE", "readingType": "ESTIMATED", "units": "KWH"},
    "forecast": {"payloadType": "USAGE_FORECAST", "readingType": "FORECAST", "units": "KWH", "historical": False},
    "state": {"payloadType": "OPERATING_STATE", "readingType": "DIRECT_READ"},
    "storage": {"payloadType": "STORAGE_CHARGE_LEVEL", "readingType": "DIRECT_READ", "units": "PERCENT"},
}
FIELDS = ("program", "name", "kind", "values", "start", "duration", "randomize", "priority", "targets", "reports",
          "currency")  # fmt: skip
SHORT = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
FOR_EVER = "P9999Y"


def program(words: Mapping[str, str]) -> Object:
    """A program from name, description and binding (yes); ValueError says what is missing."""
    unknown = sorted(words.keys() - {"name", "description", "binding"})
    if unknown:
        raise ValueError(f"a program has no {', '.join(unknown)}; it has name, description and binding")
    if not words.get("name", "").strip():
        raise ValueError("name: a program needs one")
    body: Object = {"programName": words["name"].strip()}
    if words.get("description"):
        body["programDescriptions"] = [{"URL": words["description"]}]
    if words.get("binding"):
        body["attributes"] = [{"type": "BINDING_EVENTS", "values": [True]}]
    return body


def event(words: Mapping[str, str], program_id: str, now: datetime, zone: ZoneInfo, *, grouped: bool = False) -> Object:
    """An event from FIELDS; `grouped` writes targets as 3.0.1 does. ValueError names the field that is wrong."""
    unknown = sorted(words.keys() - set(FIELDS))
    if unknown:
        raise ValueError(f"an event has no {', '.join(unknown)}; it has {', '.join(FIELDS)}")
    said = {key: value.strip() for key, value in words.items() if value.strip()}
    kind, units = _kind(said.get("kind", "level"))
    descriptor: Object = {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": kind}
    if units:
        descriptor["units"] = units
    if kind.endswith("PRICE"):
        descriptor["currency"] = said.get("currency", "EUR").upper()
    body: Object = {
        "programID": program_id,
        "eventName": said.get("name", f"{said.get('kind', 'level')} {said.get('values', '')}".strip()),
        "payloadDescriptors": [descriptor],
        "intervalPeriod": _period(said, now, zone),
        "intervals": [
            {"id": number, "payloads": [{"type": kind, "values": [value]}]}
            for number, value in enumerate(_values(kind, said.get("values", "")))
        ],
    }
    return body | _choices(said, grouped)


def moved(held: Object, words: Mapping[str, str], now: datetime, zone: ZoneInfo, *, grouped: bool = False) -> Object:
    """An event with only the given words changed; ValueError names the field that is wrong."""
    kind = next((name for name, (wire, _) in KINDS.items() if wire == _wire_kind(held)), "level")
    fresh = event({"kind": kind, "values": "0", **words}, held["programID"], now, zone, grouped=grouped)
    period = dict(held.get("intervalPeriod") or {})
    for word, key in (("start", "start"), ("duration", "duration"), ("randomize", "randomizeStart")):
        if words.get(word):
            period[key] = fresh["intervalPeriod"][key]
    changed = {"name": ("eventName",), "priority": ("priority",), "targets": ("targets",),
               "reports": ("reportDescriptors",), "kind": ("payloadDescriptors", "intervals"),
               "values": ("payloadDescriptors", "intervals")}  # fmt: skip
    return (
        _given(held)
        | {"intervalPeriod": period}
        | {key: fresh[key] for word, keys in changed.items() if words.get(word) for key in keys}
    )


def cancelled(held: Object) -> Object:
    """An event cancelled in place: start 0001-01-01 and PT0S (User Guide 3.1.0, 7.9)."""
    return _given(held) | {"intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT0S"}}


def _given(held: Object) -> Object:
    """An object as its owner gave it, without what the server adds."""
    return {
        key: value for key, value in held.items() if not key.endswith("DateTime") and key not in ("id", "objectType")
    }


def _wire_kind(held: Object) -> str:
    payloads = [part for interval in held.get("intervals") or [] for part in interval.get("payloads") or []]
    return str(payloads[0].get("type")) if payloads else ""


def _kind(word: str) -> tuple[str, str | None]:
    if word not in KINDS:
        raise ValueError(f"kind: {word!r} is none of {', '.join(KINDS)}")
    return KINDS[word]


def _values(kind: str, text: str) -> list[Any]:
    if kind.startswith("ALERT"):
        return [text or "Grid emergency"]
    if not text:
        raise ValueError("values: say one value, or one for each interval with commas between")
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"values: {text!r} is not a list of numbers with commas between") from None
    if kind == "SIMPLE" and any(number not in (0, 1, 2, 3) for number in numbers):
        raise ValueError(f"values: a level is 0, 1, 2 or 3, not {text}")
    if kind == "CHARGE_STATE_SETPOINT":
        if any(not 0 <= number <= 100 for number in numbers):
            raise ValueError(f"values: a charge is 0 to 100 %, not {text}")
        return [number / 100 for number in numbers]  # PERCENT is a fraction on the wire (enumeration of units)
    return [int(number) if number.is_integer() else number for number in numbers]


def _period(said: Mapping[str, str], now: datetime, zone: ZoneInfo) -> Object:
    period: Object = {"start": _start(said.get("start", "now"), now, zone)}
    period["duration"] = _length("duration", said.get("duration", "1h"))
    if "randomize" in said:
        period["randomizeStart"] = _length("randomize", said["randomize"])
    return period


def _start(text: str, now: datetime, zone: ZoneInfo) -> str:
    if text == "now":
        return _stamp(now)
    if text.startswith("+"):
        later = SHORT.fullmatch(text[1:] if text[-1].isalpha() else f"{text[1:]}m")
        if later is None:
            raise ValueError(f"start: {text!r} is not like +10 (minutes), +90s or +2h")
        return _stamp(now + _span(later))
    clock = CLOCK.fullmatch(text)
    if clock:
        return _stamp(_next(clock, now, zone))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"start: {text!r} is not now, +10, 18:00 or 2026-11-21T18:00") from None
    return _stamp(at if at.tzinfo else at.replace(tzinfo=zone))


def _next(clock: re.Match[str], now: datetime, zone: ZoneInfo) -> datetime:
    """The next time the clock shows so."""
    hour, minute, second = (int(part or 0) for part in clock.groups())
    try:
        today = now.astimezone(zone).replace(hour=hour, minute=minute, second=second, microsecond=0)
    except ValueError:
        raise ValueError(f"start: {clock[0]} is no time of day") from None
    return today if today > now else today + timedelta(days=1)


def _span(match: re.Match[str]) -> timedelta:
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]
    return timedelta(**{unit: float(match[1])})


def _length(field: str, text: str) -> str:
    """An ISO 8601 duration from one, or from 30m, 4h, 90s, 1d; open: without an end."""
    if text == "open":
        return FOR_EVER
    short = SHORT.fullmatch(text)
    if short:
        return f"PT{_span(short).total_seconds():.0f}S"
    try:
        checked(text)
    except ValueError:
        raise ValueError(f"{field}: {text!r} is not like 30m, 4h, open or PT4H") from None
    return text


def _choices(said: Mapping[str, str], grouped: bool) -> Object:
    found: Object = {}
    if "priority" in said:
        if not said["priority"].isdigit():
            raise ValueError(f"priority: {said['priority']!r} is not a whole number from 0, the highest")
        found["priority"] = int(said["priority"])
    if "targets" in said:
        names = _listed(said["targets"])
        found["targets"] = [{"type": "GROUP", "values": names}] if grouped else names
    if "reports" in said:
        unknown = [name for name in _listed(said["reports"]) if name not in REPORTS]
        if unknown:
            raise ValueError(f"reports: {', '.join(unknown)} is none of {', '.join(REPORTS)}")
        found["reportDescriptors"] = [REPORTS[name] for name in _listed(said["reports"])]
    return found


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
