"""A linear program in arrays, solved by HiGHS; the solver is imported only when one is solved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int32]

DEVEX = 1
DUAL, PRIMAL = 1, 4


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
    basis: Any = None
    """Of the first optimum: what differs only in bounds and costs is solved from there in a few steps."""
    steps: int = 0
    """Of the simplex so far; those of another program's first optimum are taken over with it."""
    first_steps: int = 0
    spent_s: float = 0.0
    """What the solver had spent before this program."""

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

    def total(self, value: float | tuple[float, float], *terms: tuple[Index, float | Array]) -> None:
        """One row: the sum over all terms equals `value`, or lies between its two."""
        for index, coefficient in terms:
            row = np.full(len(index), self.height, dtype=np.int32)
            self.entries.append((row, index, np.broadcast_to(np.asarray(coefficient, dtype=float), len(index))))
        least, most = value if isinstance(value, tuple) else (value, value)
        self.row_low.append(np.array([least]))
        self.row_high.append(np.array([most]))
        self.height += 1

    def solve(self, time_limit_s: float, *, primal: bool = False) -> Array | None:
        """The optimum, or None when there is none in time; raises ImportError without the solver.

        `primal`: by the primal simplex, for bounds that were only widened.
        """
        import highspy

        self._open(highspy)
        self.solver.setOptionValue("time_limit", self.solver.getRunTime() + time_limit_s)
        self.solver.setOptionValue("simplex_strategy", PRIMAL if primal else DUAL)
        self._run()
        if self.solver.getModelStatus() == highspy.HighsModelStatus.kUnknown:
            # Many steps on from other bounds, an optimum can end too rough to be judged one: once more from nothing.
            self.solver.clearSolver()
            self._run()
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        if self.basis is None:
            self.basis, self.first_steps = self.solver.getBasis(), self.steps
        return np.array(self.solver.getSolution().col_value)

    def solve_near(self, index: Index, values: Array, time_limit_s: float) -> None:
        """Solve it once with some variables held at `values`: near the optimum, the way to it is shorter from there."""
        import highspy

        self._open(highspy)
        low, high = (np.concatenate(bounds)[index] for bounds in (self.low, self.high))
        self.bound(index, values, values)
        self.solve(time_limit_s)
        self.bound(index, low, high)
        self.basis = None

    def resume(self, other: LinearProgram) -> bool:
        """Go on from the first optimum of another program with the same rows and columns; False when it has others.

        The other one's solver is taken over, and may be taken over again.
        """
        if other.basis is None or not self._is_shaped_like(other):
            return False
        other.solver.clearSolver()  # what it solved in between must not show: the same way costs the same each time
        self.solver, self.spent_s = other.solver, float(other.solver.getRunTime())
        self.steps = other.first_steps
        columns, rows = np.arange(self.width, dtype=np.int32), np.arange(self.height, dtype=np.int32)
        self.solver.changeColsBounds(self.width, columns, np.concatenate(self.low), np.concatenate(self.high))
        self.solver.changeColsCost(self.width, columns, np.concatenate(self.cost))
        self.solver.changeRowsBounds(self.height, rows, np.concatenate(self.row_low), np.concatenate(self.row_high))
        self.solver.setBasis(other.basis)
        return True

    def _is_shaped_like(self, other: LinearProgram) -> bool:
        if (self.width, self.height, len(self.entries)) != (other.width, other.height, len(other.entries)):
            return False
        pairs = zip(self.entries, other.entries, strict=True)
        return all(
            np.array_equal(mine[0], theirs[0])
            and np.array_equal(mine[1], theirs[1])
            and np.array_equal(mine[2], theirs[2])
            for mine, theirs in pairs
        )

    def duals(self, rows: Index) -> Array:
        """What one more unit on both sides of each row costs, as of the last optimum."""
        return np.array(self.solver.getSolution().row_dual)[rows]

    def reduced(self, index: Index) -> Array:
        """What one more unit of each variable costs, as of the last optimum."""
        return np.array(self.solver.getSolution().col_dual)[index]

    def bound(self, index: Index, low: Array, high: Array) -> None:
        """Change the bounds of variables before the next solution."""
        self.solver.changeColsBounds(len(index), index, np.ascontiguousarray(low), np.ascontiguousarray(high))

    def bound_rows(self, rows: Index, low: Array, high: Array) -> None:
        """Change the bounds of rows before the next solution."""
        self.solver.changeRowsBounds(len(rows), rows, np.ascontiguousarray(low), np.ascontiguousarray(high))

    def value(self, x: Array) -> float:
        """What a solution costs."""
        if len(self.cost) > 1:
            self.cost = [np.concatenate(self.cost)]
        # Not as a product of matrices: that would wake a thread on every core, and have them spin.
        return float((self.cost[0] * x).sum())

    @property
    def seconds(self) -> float:
        """Time spent in the solver, s of the world."""
        return float(self.solver.getRunTime()) - self.spent_s if self.solver is not None else 0.0

    def _run(self) -> None:
        self.solver.run()
        self.steps += max(0, int(self.solver.getInfo().simplex_iteration_count))

    def _open(self, highspy: Any) -> None:
        if self.solver is None:
            solver: Any = highspy.Highs  # the bindings have no types
            self.solver = solver()
            self.solver.setOptionValue("output_flag", False)
            self.solver.setOptionValue("threads", 1)
            # Steepest edge weights would be computed anew for every start from a basis.
            self.solver.setOptionValue("simplex_dual_edge_weight_strategy", DEVEX)
            self.solver.passModel(self._model(highspy))

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
