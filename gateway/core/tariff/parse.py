"""A tariff from a plain mapping (config/tariffs/*.yaml), with findings that say where and how to mend.

id, name, currency, timezone, source      what it is
rates                                     what a kWh costs when            (always)
tiers, demand, contracted                 what amount, peaks and contracted power cost
fixed_per_day, fixed_per_month, vat_percent, seasons, holidays
valid_from                                the first day on which it holds, where the home has had others
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.tariff import fields
from gateway.core.tariff.parse_power import contracted, demand
from gateway.core.tariff.parse_window import WINDOW_KEYS, window
from gateway.model.errors import Finding
from gateway.model.tariff import Period, Rate, Season, Tariff, Tiers, TierStep

_KEYS = frozenset(
    {
        "id", "name", "currency", "timezone", "rates", "fixed_per_day", "source", "fixed_per_month", "vat_percent",
        "seasons", "holidays", "tiers", "demand", "contracted", "valid_from",
    }
)  # fmt: skip
_RATE_KEYS = WINDOW_KEYS | {"name", "import", "export", "spot_factor", "export_spot_factor", "spot_typical"}
_TIER_KEYS = frozenset({"period", "per_day", "steps"})
_STEP_KEYS = frozenset({"up_to_kwh", "add"})
_SEASON_KEYS = frozenset({"from", "to"})
MOST_FACTOR = 10.0
MOST_KWH = 1_000_000.0


def parse_tariff(mapping: Mapping[str, Any]) -> Tariff:
    """A Tariff from a mapping with prices in currency per kWh; raises Finding with place and remedy."""
    fields.known(mapping, _KEYS, "tariff")
    seasons = _seasons(mapping.get("seasons"))
    names = [season.name for season in seasons]
    return Tariff(
        id=fields.text(mapping, "id"),
        name=fields.text(mapping, "name"),
        currency=fields.currency(mapping),
        timezone=fields.zone(mapping),
        rates=_rates(mapping.get("rates"), names),
        fixed_micro_per_day=fields.micro(mapping.get("fixed_per_day", 0), "fixed_per_day"),
        source=str(mapping.get("source", "")),
        fixed_micro_per_month=fields.micro(mapping.get("fixed_per_month", 0), "fixed_per_month"),
        vat_percent=_vat(mapping.get("vat_percent", 0)),
        seasons=seasons,
        holidays=tuple(
            fields.holiday(value, f"holidays[{n}]")
            for n, value in enumerate(fields.a_list(mapping.get("holidays"), "holidays"))
        ),
        tiers=_tiers(mapping["tiers"]) if mapping.get("tiers") is not None else None,
        demand=demand(mapping.get("demand"), names),
        contracted=contracted(mapping.get("contracted"), names),
        valid_from=fields.day(mapping["valid_from"], "valid_from") if mapping.get("valid_from") is not None else None,
    )


def _vat(value: Any) -> float:
    percent = fields.number(value, "vat_percent", 0, 100)
    if 0 < percent < 1:
        what = f"{percent:g} % is less than any VAT: it looks like a fraction"
        raise Finding("vat_percent", what, f"Write percent, e.g. {100 * percent:g}.")
    return percent


def _rates(value: Any, seasons: Sequence[str]) -> tuple[Rate, ...]:
    if not isinstance(value, list) or not value:
        raise Finding("rates", "is not a list of rates", "Give at least one, the last for all remaining hours.")
    parsed = tuple(_rate(rate, f"rates[{index}]", seasons) for index, rate in enumerate(value))
    last = parsed[-1]
    if last.start != last.end or last.weekdays or last.months or last.season:
        raise Finding(
            f"rates[{len(parsed) - 1}]",
            "the last rate does not hold always",
            "Add a last rate without from, to, days, months and season.",
        )
    names = [rate.name for rate in parsed]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Finding("rates", f"two rates have the name '{twice}'", "Give each rate its own name.")
    return parsed


def _rate(value: Any, where: str, seasons: Sequence[str]) -> Rate:
    if not isinstance(value, Mapping):
        raise Finding(where, "is not a map", "Write name, import, export and, where needed, from, to, days, months.")
    fields.known(value, _RATE_KEYS, where)
    if "import" not in value:
        raise Finding(where, "the import price is missing", "Add 'import', in currency per kWh, taxes included.")
    when = window(value, where, seasons)
    factors = {
        key: fields.number(value.get(key, 0), f"{where}.{key}", -MOST_FACTOR, MOST_FACTOR)
        for key in ("spot_factor", "export_spot_factor")
    }
    if any(factors.values()) and value.get("spot_typical") is None:
        raise Finding(
            f"{where}.spot_typical",
            "is missing in a rate that follows the spot price",
            "Add a usual spot price per kWh, e.g. 0.08: it is counted with while no price is known.",
        )
    return Rate(
        name=fields.text(value, "name", where),
        import_micro_per_kwh=fields.micro(value["import"], f"{where}.import"),
        export_micro_per_kwh=fields.micro(value.get("export", 0), f"{where}.export"),
        start=when.start,
        end=when.end,
        weekdays=when.weekdays,
        months=when.months,
        season=when.season,
        spot_factor=factors["spot_factor"],
        export_spot_factor=factors["export_spot_factor"],
        spot_typical_micro_per_kwh=fields.micro(value.get("spot_typical", 0), f"{where}.spot_typical"),
    )


def _seasons(value: Any) -> tuple[Season, ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise Finding("seasons", "is not a map", 'Write each as name: {from: "04-01", to: "09-30"}.')
    return tuple(_season(str(name), entry) for name, entry in value.items())


def _season(name: str, value: Any) -> Season:
    where = f"seasons.{name}"
    entry = fields.a_map(value, where, _SEASON_KEYS)
    if missing := next((key for key in ("from", "to") if key not in entry), None):
        raise Finding(
            where, f"'{missing}' is missing", 'Write the first and the last day, e.g. {from: "04-01", to: "09-30"}.'
        )
    return Season(name, fields.month_day(entry["from"], f"{where}.from"), fields.month_day(entry["to"], f"{where}.to"))


def _tiers(value: Any) -> Tiers:
    entry = fields.a_map(value, "tiers", _TIER_KEYS)
    period = entry.get("period", "month")
    if period not in tuple(Period):
        raise Finding("tiers.period", f"{period!r} is no period", "Use month or day.")
    per_day = fields.flag(entry.get("per_day", False), "tiers.per_day")
    if per_day and period == Period.DAY:
        raise Finding(
            "tiers.per_day", "belongs to a month", "With period: day the energies are per day already; remove it."
        )
    steps = [
        _step(step, f"tiers.steps[{n}]") for n, step in enumerate(fields.a_list(entry.get("steps"), "tiers.steps"))
    ]
    fields.ascending([step.up_to_wh for step in steps], "tiers.steps", "up_to_kwh")
    return Tiers(Period(period), tuple(steps), per_day)


def _step(value: Any, where: str) -> TierStep:
    entry = fields.a_map(value, where, _STEP_KEYS)
    if "add" not in entry:
        raise Finding(
            where, "'add' is missing", "Write what a kWh of this step costs more, in currency; 0 for nothing."
        )
    bound = entry.get("up_to_kwh")
    up_to = None if bound is None else fields.number(bound, f"{where}.up_to_kwh", 0, MOST_KWH) * 1000
    return TierStep(up_to, fields.micro(entry["add"], f"{where}.add"))
