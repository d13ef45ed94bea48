"""A tariff from a plain mapping (config/tariffs/*.yaml), with findings that say where and how to mend."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from gateway.model.errors import Finding
from gateway.model.tariff import Rate, Tariff

_DAYS = {name: index for index, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
_KEYS = frozenset({"id", "name", "currency", "timezone", "rates", "fixed_per_day", "source"})
_RATE_KEYS = frozenset({"name", "import", "export", "from", "to", "days", "months"})


def parse_tariff(mapping: Mapping[str, Any]) -> Tariff:
    """A Tariff from a mapping with prices in currency per kWh; raises Finding with place and remedy."""
    _known(mapping, _KEYS, "tariff")
    rates = mapping.get("rates")
    if not isinstance(rates, list) or not rates:
        raise Finding("rates", "is not a list of rates", "Give at least one, the last for all remaining hours.")
    parsed = tuple(_rate(rate, f"rates[{index}]") for index, rate in enumerate(rates))
    last = parsed[-1]
    if last.start != last.end or last.weekdays or last.months:
        raise Finding(
            f"rates[{len(parsed) - 1}]",
            "the last rate does not hold always",
            "Add a last rate without from, to, days and months.",
        )
    names = [rate.name for rate in parsed]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Finding("rates", f"two rates have the name '{twice}'", "Give each rate its own name.")
    return Tariff(
        id=_text(mapping, "id"),
        name=_text(mapping, "name"),
        currency=_currency(mapping),
        timezone=_zone(mapping),
        rates=parsed,
        fixed_micro_per_day=_micro(mapping.get("fixed_per_day", 0), "fixed_per_day"),
        source=str(mapping.get("source", "")),
    )


def _rate(value: Any, where: str) -> Rate:
    if not isinstance(value, Mapping):
        raise Finding(where, "is not a map", "Write name, import, export and, where needed, from, to, days, months.")
    _known(value, _RATE_KEYS, where)
    if "import" not in value:
        raise Finding(where, "the import price is missing", "Add 'import', in currency per kWh, taxes included.")
    if ("from" in value) != ("to" in value):
        raise Finding(where, "'from' and 'to' belong together", "Give both, or none for the whole day.")
    return Rate(
        name=_text(value, "name", where),
        import_micro_per_kwh=_micro(value["import"], f"{where}.import"),
        export_micro_per_kwh=_micro(value.get("export", 0), f"{where}.export"),
        start=_time(value.get("from", "00:00"), f"{where}.from"),
        end=_time(value.get("to", "00:00"), f"{where}.to"),
        weekdays=_weekdays(value.get("days", []), f"{where}.days"),
        months=_months(value.get("months", []), f"{where}.months"),
    )


def _known(mapping: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    unknown = next((key for key in mapping if key not in keys), None)
    if unknown is not None:
        raise Finding(where, f"unknown key '{unknown}'", f"Known: {', '.join(sorted(keys))}.")


def _text(mapping: Mapping[str, Any], key: str, where: str = "") -> str:
    value = mapping.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Finding(f"{where}.{key}" if where else key, "is missing or not text", f"Give a {key}.")
    return value


def _currency(mapping: Mapping[str, Any]) -> str:
    value = _text(mapping, "currency")
    if len(value) != 3 or not (value.isascii() and value.isalpha() and value.isupper()):
        raise Finding("currency", f"'{value}' is no currency code", "Use three capital letters, e.g. EUR.")
    return value


def _zone(mapping: Mapping[str, Any]) -> ZoneInfo:
    name = _text(mapping, "timezone")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Finding("timezone", f"'{name}' is not known", "Use a name like Europe/Brussels.") from error


def _micro(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1000:
        raise Finding(where, f"{value!r} is no price", "Write a number in currency, e.g. 0.285 for 28.5 cents.")
    return round(value * 1_000_000)


def _time(value: Any, where: str) -> time:
    text = str(value)
    # YAML 1.1 reads an unquoted 17:00 as the sexagesimal number 1020.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1440:
        text = f"{value // 60 % 24:02d}:{value % 60:02d}"
    try:
        return time(0) if text == "24:00" else time.fromisoformat(text)
    except ValueError as error:
        raise Finding(where, f"'{value}' is no time of day", 'Write "HH:MM" in quotes.') from error


def _weekdays(value: Any, where: str) -> frozenset[int]:
    days = value if isinstance(value, list) else [value]
    if wrong := [day for day in days if day not in _DAYS]:
        raise Finding(where, f"{wrong[0]!r} is no weekday", f"Use {', '.join(_DAYS)}.")
    return frozenset(_DAYS[day] for day in days)


def _months(value: Any, where: str) -> frozenset[int]:
    months = value if isinstance(value, list) else [value]
    if wrong := [month for month in months if month not in range(1, 13)]:
        raise Finding(where, f"{wrong[0]!r} is no month", "Use numbers from 1 to 12.")
    return frozenset(months)
