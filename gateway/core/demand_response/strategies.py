"""Strategy tables: what each kind of device does at each level. Data that an installer edits (config/dr)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

CHOICES = {
    "ev": ("normal", "minimum", "pause"),
    "battery": ("normal", "discharge", "export", "charge"),
    "water_heater": ("normal", "shed", "shed_all", "load_up"),
    "pool_pump": ("normal", "pause"),
    "appliance": ("normal", "pause"),
}
NUMBERS = {"thermostat_k": (-5.0, 5.0), "pv_percent": (0.0, 100.0)}
RESERVE = "reserve"
"""What an alert may mean besides a level: the battery is filled and kept."""
MOST_KW = 1000.0
MOST_PAY = 1000.0
MOST_RETURN_S, MOST_AFTER_S = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Strategy:
    """One row: what each role does; the defaults change nothing. `thermostat_k` in K, `pv_percent` 0-100."""

    ev: str = "normal"
    battery: str = "normal"
    water_heater: str = "normal"
    pool_pump: str = "normal"
    appliance: str = "normal"
    thermostat_k: float = 0.0
    pv_percent: float = 100.0


@dataclass(frozen=True, slots=True)
class Safe:
    """What holds at the connection while a program's server is silent for `after_s`, W; None: nothing."""

    import_w: float | None = None
    export_w: float | None = None
    after_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Pay:
    """What a program pays, in the site's currency; None: the utility does not say."""

    per_kwh: float | None = None
    per_event: float | None = None


Levels = Mapping[int, Strategy]


@dataclass(frozen=True, slots=True)
class Strategies:
    """The tables of a site: `levels` for every program, `programs` for single ones by id, `alerts` as levels.

    `more` is the row for offsets below zero, `offsets` says from which offset on which level is meant, `reserves` names
    the alerts at which the battery is filled, and devices return within `return_s` s after an event.
    """

    levels: Levels = field(default_factory=dict)
    programs: Mapping[str, Levels] = field(default_factory=dict)
    alerts: Mapping[str, int] = field(default_factory=dict)
    description: str = ""
    more: Strategy = field(default_factory=Strategy)
    offsets: Mapping[int, int] = field(default_factory=lambda: {1: 1, 4: 2, 7: 3})
    reserves: frozenset[str] = frozenset()
    return_s: float = 300.0
    safe: Mapping[str, Safe] = field(default_factory=dict)
    pays: Mapping[str, Pay] = field(default_factory=dict)

    def at(self, level: int, program: str = "") -> Strategy:
        """The row for a level of a program (its key; the table may name it by its id); one that changes nothing when there is none."""
        return (_of(self.programs, program) or self.levels).get(level, Strategy())

    def offset_level(self, offset: float) -> int:
        """The level that an offset above zero means; 0 below the first step."""
        return max((level for step, level in self.offsets.items() if offset >= step), default=0)

    def safe_of(self, program: str) -> Safe | None:
        """The safe value of a program (key), if the table states one."""
        found: Safe | None = _of(self.safe, program)
        return found

    def pay_of(self, program: str) -> Pay | None:
        """What a program (key) pays, if the table states it."""
        found: Pay | None = _of(self.pays, program)
        return found


def _of(table: Mapping[str, Any], program: str) -> Any:
    """An entry by a program's key, or by its id at its server."""
    return table.get(program) or table.get(program.partition(":")[2])


def parse_strategies(document: Mapping[str, Any]) -> Strategies:
    """Strategies from a parsed YAML document; raises ValueError naming the place, what is wrong and what is allowed."""
    _known(
        document, ("description", "levels", "more", "offsets", "alerts", "return_s", "programs", "proof"), "the table"
    )
    programs = {str(name): _mapping(rows, f"programs.{name}") for name, rows in _items(document, "programs")}
    alerts = dict(_items(document, "alerts"))
    values: dict[str, Any] = {}
    if document.get("offsets") is not None:
        values["offsets"] = {
            _step(step): _level(level, f"offsets.{step}") for step, level in _items(document, "offsets")
        }
    return Strategies(
        levels=_levels(document.get("levels"), "levels"),
        programs={
            name: levels for name, rows in programs.items() if (levels := _levels(_rows(rows), f"programs.{name}"))
        },
        alerts={str(kind): _level(level, f"alerts.{kind}") for kind, level in alerts.items() if level != RESERVE},
        reserves=frozenset(str(kind) for kind, level in alerts.items() if level == RESERVE),
        description=str(document.get("description") or ""),
        more=_strategy(_mapping(document.get("more"), "more"), "more"),
        return_s=_number(document.get("return_s", 300.0), "return_s", 0.0, MOST_RETURN_S),
        safe={name: _safe(rows["safe"], f"programs.{name}.safe") for name, rows in programs.items() if "safe" in rows},
        pays={name: _pay(rows["pays"], f"programs.{name}.pays") for name, rows in programs.items() if "pays" in rows},
        **values,
    )


def _items(document: Mapping[str, Any], key: str) -> list[tuple[Any, Any]]:
    return list(_mapping(document.get(key), key).items())


def _rows(program: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in program.items() if key not in ("safe", "pays")}


def _safe(value: object, where: str) -> Safe:
    row = _mapping(value, where)
    _known(row, ("import_kw", "export_kw", "after_s"), where)
    watts = {
        name: None
        if row.get(f"{name}_kw") is None
        else 1000 * _number(row[f"{name}_kw"], f"{where}.{name}_kw", 0, MOST_KW)
        for name in ("import", "export")
    }
    if watts["import"] is None and watts["export"] is None:
        raise ValueError(f"{where}: says neither import_kw nor export_kw")
    after = _number(row.get("after_s", 900.0), f"{where}.after_s", 0.0, MOST_AFTER_S)
    return Safe(watts["import"], watts["export"], after)


def _pay(value: object, where: str) -> Pay:
    row = _mapping(value, where)
    _known(row, ("per_kwh", "per_event"), where)
    return Pay(**{key: _number(amount, f"{where}.{key}", 0.0, MOST_PAY) for key, amount in row.items()})


def _levels(rows: object, where: str) -> dict[int, Strategy]:
    return {
        _level(level, where): _strategy(_mapping(row, f"{where}.{level}"), f"{where}.{level}")
        for level, row in _mapping(rows, where).items()
    }


def _level(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 3:
        more = f", or {RESERVE}" if where.startswith("alerts.") else ""
        raise ValueError(f"{where}: {value!r} is not a level; use 1, 2 or 3{more}")
    return value


def _step(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10:
        raise ValueError(f"offsets: {value!r} is not an offset; use whole numbers from 1 to 10")
    return value


def _strategy(row: Mapping[Any, Any], where: str) -> Strategy:
    _known(row, [f.name for f in fields(Strategy)], where)
    return Strategy(**{key: _setting(key, value, f"{where}.{key}") for key, value in row.items()})


def _setting(key: str, value: object, where: str) -> Any:
    if key in NUMBERS:
        return _number(value, where, *NUMBERS[key])
    if value not in CHOICES[key]:
        raise ValueError(f"{where}: {value!r} is not known; use one of {', '.join(CHOICES[key])}")
    return value


def _number(value: object, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{where}: {value!r} is not a number from {low:g} to {high:g}")
    return float(value)


def _mapping(value: object, where: str) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected a table of keys and values")
    return value


def _known(row: Mapping[Any, Any], allowed: list[str] | tuple[str, ...], where: str) -> None:
    for key in row:
        if key not in allowed:
            raise ValueError(f"{where}: unknown key {key!r}; allowed are {', '.join(allowed)}")
