"""What another way would cost: solved on from the plan's own program, and equal to a program built anew."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

import numpy as np
import pytest

from gateway.core.planning.explain import Story
from gateway.core.planning.home import Home
from gateway.core.planning.optimiser import solved
from gateway.core.planning.program import Model, build
from gateway.core.planning.schedule import Schedule
from gateway.core.planning.scheduler import bent, difference, frozen
from gateway.core.planning.settle import by_rule
from gateway.model.plan import Block
from tests.core.fuzz_requests import random_request
from tests.core.test_planning_properties import at, request


def random_blocks() -> Iterator[tuple[Home, Schedule, Model, Block]]:
    for seed in count():
        home, _ = frozen(random_request(seed, time_limit_s=9.0))
        found = solved(home)
        if found is not None:
            blocks = [block for block in Story(home, found[0]).blocks() if block.alternative]
            yield from ((home, *found, block) for block in blocks[:3])


@pytest.mark.slow
def test_fifty_random_alternatives_cost_what_a_program_built_anew_says() -> None:
    for home, schedule, model, block in islice(random_blocks(), 50):
        warm, cold = difference(home, schedule, model, block)[0], difference(home, schedule, None, block)[0]
        assert warm == pytest.approx(cold, abs=10_000), f"{block.device}: {block.alternative}"


@pytest.mark.slow
def test_an_alternative_is_solved_from_the_plans_own_basis_in_a_few_steps() -> None:
    home, _ = frozen(request(at("2026-11-18 16:00")))
    found = solved(home)
    assert found is not None
    block = next(b for b in Story(home, found[0]).blocks() if b.device == "tank" and b.alternative)
    other = bent(home, found[0], block)
    afresh, on = (build(other, by_rule(other)) for _ in range(2))
    assert on.lp.resume(found[1].lp)
    x, y = afresh.lp.solve(9.0), on.lp.solve(9.0)
    assert x is not None and y is not None
    cost = np.concatenate(on.lp.cost)
    assert cost @ y == pytest.approx(cost @ x, rel=1e-6)
    steps = [program.lp.solver.getInfo().simplex_iteration_count for program in (afresh, on)]
    assert steps[1] < 0.3 * steps[0]


def test_a_program_of_another_shape_is_not_solved_on() -> None:
    small, large = (
        frozen(request(at("2026-11-18 16:00"), load_w=watts, soc=soc))[0]
        for watts, soc in ((500.0, 50.0), (500.0, None))
    )
    found = solved(small)
    assert found is not None
    assert not build(large, by_rule(large)).lp.resume(found[1].lp)
