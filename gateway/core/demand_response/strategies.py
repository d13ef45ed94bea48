"""Strategy tables: what each kind of device does at each level. Data that an installer edits (config/dr)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

CHOICES = {
    "ev": ("normal", "minimum", "pause"),
    "battery": ("normal", "discharge", "export"),
    "water_heater": ("normal", "shed", "shed_all", "load_up"),
    "pool_pump": ("normal", "pause"),
    "appliance": ("normal", "pause"),
}
NUMBERS = {"thermostat_k": (-5.0, 5.0), "pv_percent": (0.0, 100.0)}


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


Levels = Mapping[int, Strategy]


@dataclass(frozen=True, slots=True)
class Strategies:
    """The tables of a site: `levels` for every program, `programs` for single ones by id, `alerts` as levels."""

    levels: Levels = field(default_factory=dict)
    programs: Mapping[str, Levels] = field(default_factory=dict)
    alerts: Mapping[str, int] = field(default_factory=dict)
    description: str = ""

    def at(self, level: int, program: str = "") -> Strategy:
        """The row for a level of a program (its key; the table may name it by its id); one that changes nothing when there is none."""
        named = self.programs.get(program) or self.programs.get(program.partition(":")[2])
        return (named or self.levels).get(level, Strategy())


def parse_strategies(document: Mapping[str, Any]) -> Strategies:
    """Strategies from a parsed YAML document; raises ValueError naming the place, what is wrong and what is allowed."""
    _known(document, ("description", "levels", "alerts", "programs"), "the table")
    programs = _mapping(document.get("programs"), "programs")
    alerts = _mapping(document.get("alerts"), "alerts")
    return Strategies(
        levels=_levels(document.get("levels"), "levels"),
        programs={str(name): _levels(rows, f"programs.{name}") for name, rows in programs.items()},
        alerts={str(kind): _level(level, f"alerts.{kind}") for kind, level in alerts.items()},
        description=str(document.get("description") or ""),
    )


def _levels(rows: object, where: str) -> dict[int, Strategy]:
    return {
        _level(level, where): _strategy(_mapping(row, f"{where}.{level}"), f"{where}.{level}")
        for level, row in _mapping(rows, where).items()
    }


def _level(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 3:
        raise ValueError(f"{where}: {value!r} is not a level; use 1, 2 or 3")
    return value


def _strategy(row: Mapping[Any, Any], where: str) -> Strategy:
    _known(row, [f.name for f in fields(Strategy)], where)
    return Strategy(**{key: _setting(key, value, f"{where}.{key}") for key, value in row.items()})


def _setting(key: str, value: object, where: str) -> Any:
    if key in NUMBERS:
        low, high = NUMBERS[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{where}: {value!r} is not a number from {low:g} to {high:g}")
        return float(value)
    if value not in CHOICES[key]:
        raise ValueError(f"{where}: {value!r} is not known; use one of {', '.join(CHOICES[key])}")
    return value


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
