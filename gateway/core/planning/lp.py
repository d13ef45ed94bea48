"""A linear program in arrays, solved by HiGHS; the solver is imported only when one is solved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int32]


@dataclass(slots=True)
class LinearProgram:
    """Minimise cost @ x with low <= x <= high and row_low <= A x <= row_high; blocks of columns and rows at a time."""

    low: list[Array] = field(default_factory=list)
    high: list[Array] = field(default_factory=list)
    cost: list[Array] = field(default_factory=list)
    row_low: list[Array] = field(default_factory=list)
    row_high: list[Array] = field(default_factory=list)
    entries: list[tuple[Index, Index, Array]] = field(default_factory=list)
    width: int = 0
    height: int = 0
    solver: Any = None

    def columns(self, count: int, low: float | Array, high: float | Array, cost: float | Array) -> Index:
        """New variables; returns their indices."""
        self.low.append(np.broadcast_to(np.asarray(low, dtype=float), count))
        self.high.append(np.broadcast_to(np.asarray(high, dtype=float), count))
        self.cost.append(np.broadcast_to(np.asarray(cost, dtype=float), count))
        self.width += count
        return np.arange(self.width - count, self.width, dtype=np.int32)

    def rows(self, low: float | Array, high: float | Array, *terms: tuple[Index, float | Array]) -> Index:
        """One row per element: low[i] <= sum of coefficient[i] * x[index[i]] <= high[i]; returns the rows' indices."""
        count = len(terms[0][0])
        rows = np.arange(self.height, self.height + count, dtype=np.int32)
        self.row_low.append(np.broadcast_to(np.asarray(low, dtype=float), count))
        self.row_high.append(np.broadcast_to(np.asarray(high, dtype=float), count))
        for index, coefficient in terms:
            self.entries.append((rows, index, np.broadcast_to(np.asarray(coefficient, dtype=float), count)))
        self.height += count
        return rows

    def total(self, value: float, *terms: tuple[Index, float | Array]) -> None:
        """One row: the sum over all terms equals `value`."""
        for index, coefficient in terms:
            row = np.full(len(index), self.height, dtype=np.int32)
            self.entries.append((row, index, np.broadcast_to(np.asarray(coefficient, dtype=float), len(index))))
        self.row_low.append(np.array([value]))
        self.row_high.append(np.array([value]))
        self.height += 1

    def solve(self, time_limit_s: float) -> Array | None:
        """The optimum, or None when there is none in time; raises ImportError without the solver."""
        import highspy

        if self.solver is None:
            solver: Any = highspy.Highs  # the bindings have no types
            self.solver = solver()
            self.solver.setOptionValue("output_flag", False)
            self.solver.setOptionValue("threads", 1)
            self.solver.passModel(self._model(highspy))
        self.solver.setOptionValue("time_limit", self.solver.getRunTime() + time_limit_s)
        self.solver.run()
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return np.array(self.solver.getSolution().col_value)

    def bound(self, index: Index, low: Array, high: Array) -> None:
        """Change the bounds of variables before the next solution."""
        self.solver.changeColsBounds(len(index), index, np.ascontiguousarray(low), np.ascontiguousarray(high))

    def bound_rows(self, rows: Index, low: Array, high: Array) -> None:
        """Change the bounds of rows before the next solution."""
        for row, least, most in zip(rows.tolist(), low.tolist(), high.tolist(), strict=True):
            self.solver.changeRowBounds(row, least, most)

    @property
    def seconds(self) -> float:
        """Time spent in the solver, s of the world."""
        return float(self.solver.getRunTime()) if self.solver is not None else 0.0

    def _model(self, highspy: Any) -> Any:
        row = np.concatenate([entry[0] for entry in self.entries])
        column = np.concatenate([entry[1] for entry in self.entries])
        value = np.concatenate([entry[2] for entry in self.entries])
        order = np.lexsort((row, column))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self.width, self.height
        model.col_cost_, model.col_lower_ = np.concatenate(self.cost), np.concatenate(self.low)
        model.col_upper_ = np.concatenate(self.high)
        model.row_lower_, model.row_upper_ = np.concatenate(self.row_low), np.concatenate(self.row_high)
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.searchsorted(column[order], np.arange(self.width + 1)).astype(np.int32)
        model.a_matrix_.index_ = row[order]
        model.a_matrix_.value_ = value[order]
        return model
