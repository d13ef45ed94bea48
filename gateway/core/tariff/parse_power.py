"""What a tariff says of power: demand charges and contracted power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from gateway.core.tariff import fields
from gateway.core.tariff.parse_window import WINDOW_KEYS, window
from gateway.model.errors import Finding
from gateway.model.tariff import Contracted, DemandCharge, PeakStep

_DEMAND_KEYS = WINDOW_KEYS | {"name", "per_kw_month", "steps", "window_minutes", "mean_of", "least_kw"}
_STEP_KEYS = frozenset({"up_to_kw", "per_month"})
_CONTRACTED_KEYS = WINDOW_KEYS | {"name", "kw", "per_kw_day"}
WINDOW_MINUTES = (5, 10, 15, 20, 30, 60)
"""The parts of an hour meters count in: windows then never cross a local midnight."""
MOST_KW = 10_000.0


def demand(value: Any, seasons: Sequence[str]) -> tuple[DemandCharge, ...]:
    """The demand charges; raises Finding."""
    rows = fields.a_list(value, "demand")
    charges = tuple(_charge(row, f"demand[{n}]", seasons) for n, row in enumerate(rows))
    _own_names([charge.name for charge in charges], "demand")
    return charges


def contracted(value: Any, seasons: Sequence[str]) -> tuple[Contracted, ...]:
    """The contracted powers; raises Finding."""
    rows = fields.a_list(value, "contracted")
    parts = tuple(_contract(row, f"contracted[{n}]", seasons) for n, row in enumerate(rows))
    _own_names([part.name for part in parts], "contracted")
    return parts


def _charge(value: Any, where: str, seasons: Sequence[str]) -> DemandCharge:
    entry = fields.a_map(value, where, _DEMAND_KEYS)
    if ("per_kw_month" in entry) == ("steps" in entry):
        raise Finding(where, "needs either per_kw_month or steps", "Give one of the two: a price per kW, or steps.")
    return DemandCharge(
        name=fields.text(entry, "name", where),
        micro_per_kw_month=_not_negative(entry.get("per_kw_month", 0), f"{where}.per_kw_month"),
        steps=_steps(entry["steps"], f"{where}.steps") if "steps" in entry else (),
        when=window(entry, where, seasons),
        window_s=60 * fields.choice(entry.get("window_minutes", 15), f"{where}.window_minutes", WINDOW_MINUTES),
        mean_of=fields.choice(entry.get("mean_of", 1), f"{where}.mean_of", tuple(range(1, 32))),
        least_w=fields.number(entry.get("least_kw", 0), f"{where}.least_kw", 0, MOST_KW) * 1000,
    )


def _steps(value: Any, where: str) -> tuple[PeakStep, ...]:
    steps = tuple(_step(step, f"{where}[{n}]") for n, step in enumerate(fields.a_list(value, where)))
    fields.ascending([step.up_to_w for step in steps], where, "up_to_kw")
    for n, (lower, higher) in enumerate(pairwise(steps), start=1):
        if higher.micro_per_month < lower.micro_per_month:
            what = "a higher peak costs less than the step below"
            raise Finding(f"{where}[{n}]", what, "Order the steps by up_to_kw and check their prices.")
    return steps


def _step(value: Any, where: str) -> PeakStep:
    entry = fields.a_map(value, where, _STEP_KEYS)
    if "per_month" not in entry:
        raise Finding(where, "'per_month' is missing", "Write what a month costs whose peak is in this step.")
    bound = entry.get("up_to_kw")
    up_to = None if bound is None else fields.number(bound, f"{where}.up_to_kw", 0, MOST_KW) * 1000
    return PeakStep(up_to, _not_negative(entry["per_month"], f"{where}.per_month"))


def _contract(value: Any, where: str, seasons: Sequence[str]) -> Contracted:
    entry = fields.a_map(value, where, _CONTRACTED_KEYS)
    if "kw" not in entry:
        raise Finding(where, "'kw' is missing", "Write the contracted power in kW.")
    return Contracted(
        name=fields.text(entry, "name", where),
        power_w=_power(entry, where),
        micro_per_kw_day=_not_negative(entry.get("per_kw_day", 0), f"{where}.per_kw_day"),
        when=window(entry, where, seasons),
    )


def _power(entry: Mapping[str, Any], where: str) -> float:
    power_w = fields.number(entry["kw"], f"{where}.kw", 0, MOST_KW) * 1000
    if power_w == 0:
        raise Finding(f"{where}.kw", "0 kW is no contracted power", "Write the power in kW, or leave the entry out.")
    return power_w


def _not_negative(value: Any, where: str) -> int:
    micro = fields.micro(value, where)
    if micro < 0:
        raise Finding(where, f"{value!r} is negative", "A peak or a contracted power never earns: write 0 or more.")
    return micro


def _own_names(names: Sequence[str], where: str) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Finding(where, f"two entries have the name '{twice}'", "Give each its own name: the bill shows it.")
