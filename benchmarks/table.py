"""One row of the table of promises, and what the parts of the benchmark share."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Row(NamedTuple):
    """What was promised, what was measured, and how."""

    promise: str
    target: str
    measured: str
    how: str

    def line(self) -> str:
        return f"| {self.promise} | {self.target} | {self.measured} | {self.how} |"


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def spread(values: Sequence[float], unit: str, digits: int = 1) -> str:
    """Median and range in words."""
    return f"{statistics.median(values):.{digits}f} {unit} (median of {len(values)}, worst {max(values):.{digits}f})"


def cpu_s(pid: int) -> float:
    """Processor time of a process since its start, s."""
    parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / 100
