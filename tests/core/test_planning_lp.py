"""The linear program: what the solver answers, and when it is asked again."""

from __future__ import annotations

from typing import Any

import highspy
import pytest

from gateway.core.planning.lp import LinearProgram


class Rough:
    """HiGHS whose first answer is one it cannot judge."""

    def __init__(self, solver: Any) -> None:
        self._solver, self._is_rough = solver, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._solver, name)

    def getModelStatus(self) -> Any:
        return highspy.HighsModelStatus.kUnknown if self._is_rough else self._solver.getModelStatus()

    def clearSolver(self) -> None:
        self._is_rough = False
        self._solver.clearSolver()


def test_an_optimum_that_the_solver_cannot_judge_is_sought_once_more_from_nothing() -> None:
    """Wrong before: one home in thousands was planned by rules, as its optimum was rough after many steps."""
    lp = LinearProgram()
    power = lp.columns(2, 0.0, 5.0, [1.0, 2.0])
    lp.total((6.0, 6.0), (power, 1.0))
    assert lp.solve(1.0) == pytest.approx([5.0, 1.0])
    lp.solver = Rough(lp.solver)
    assert lp.solve(1.0) == pytest.approx([5.0, 1.0])


def test_a_program_without_a_solution_has_none() -> None:
    lp = LinearProgram()
    power = lp.columns(2, 0.0, 5.0, 1.0)
    lp.total((11.0, 11.0), (power, 1.0))
    assert lp.solve(1.0) is None
