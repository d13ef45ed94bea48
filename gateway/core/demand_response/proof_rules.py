"""What a program demands of the proof: its baseline method, and how its startInterval is meant. Data of the installer.

proof:
  programs:
    summer-peaks: {baseline: 5-in-10, start_interval: covered}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.core.demand_response.baseline.methods import AUTO, METHODS

READINGS = ("generated", "covered")


@dataclass(frozen=True, slots=True)
class ProofRule:
    """`baseline` is a method's name or "auto" (what fits the home); `covered`: startInterval is the first covered."""

    baseline: str = AUTO
    covered: bool = False


@dataclass(frozen=True, slots=True)
class ProofRules:
    """The rules of single programs, by key or id; "auto" for all others."""

    programs: Mapping[str, ProofRule] = field(default_factory=dict)

    def of(self, program_key: str) -> ProofRule:
        """The rule of a program, by its key ("server:id")."""
        found = self.programs.get(program_key) or self.programs.get(program_key.partition(":")[2])
        return found or ProofRule()


def parse_proof(document: Mapping[str, Any] | None) -> ProofRules:
    """The rules of a parsed "proof" table; raises ValueError naming the place, what is wrong and what is allowed."""
    table = document or {}
    _known(table, ("programs",), "proof")
    programs = table.get("programs") or {}
    if not isinstance(programs, Mapping):
        raise ValueError("proof.programs: expected a table of programs")
    return ProofRules({str(name): _rule(row, f"proof.programs.{name}") for name, row in programs.items()})


def _rule(row: object, where: str) -> ProofRule:
    if not isinstance(row, Mapping):
        raise ValueError(f"{where}: expected a table of keys and values")
    _known(row, ("baseline", "start_interval"), where)
    method = _one_of(row.get("baseline", AUTO), (AUTO, *METHODS), f"{where}.baseline")
    meant = _one_of(row.get("start_interval", READINGS[0]), READINGS, f"{where}.start_interval")
    return ProofRule(method, meant == "covered")


def _one_of(value: object, allowed: tuple[str, ...], where: str) -> str:
    if value not in allowed:
        raise ValueError(f"{where}: {value!r} is not known; use one of {', '.join(allowed)}")
    return str(value)


def _known(row: Mapping[Any, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in row:
        if key not in allowed:
            raise ValueError(f"{where}: unknown key {key!r}; allowed are {', '.join(allowed)}")
