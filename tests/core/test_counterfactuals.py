"""The alternative of any block, exact on demand: 50 random ones of random homes equal a solution from scratch."""

from __future__ import annotations

import random
from functools import cache

import pytest

from gateway.core.planning.home import Home
from gateway.core.planning.optimiser import solved
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.schedule import Schedule, bill_micro, carbon_g, stored_micro
from gateway.core.planning.scheduler import SAME_WH, Worked, bent, counterfactual, frozen, make_plan, work_out
from gateway.model.plan import Block, Plan
from tests.core.fuzz_requests import random_request

CENT = 10_000
"""Micro-units."""
BLOCKS = 50


@cache
def drawn() -> tuple[tuple[PlanRequest, Plan, Block], ...]:
    """Two blocks at most of each random home, each with an alternative, until there are enough."""
    dice, found = random.Random(20261121), list[tuple[PlanRequest, Plan, Block]]()
    seed = 0
    while len(found) < BLOCKS:
        seed += 1
        request = random_request(seed, time_limit_s=20.0)
        plan = make_plan(request, alternatives=False)
        known = [block for block in plan.blocks if block.alternative]
        found += [(request, plan, block) for block in dice.sample(known, min(2, len(known)))]
    return tuple(found[:BLOCKS])


@cache
def worked(first: int) -> Worked:
    """What the plan in force was made of; all alternatives of a home are solved on from the same one."""
    return work_out(drawn()[first][0])


def from_scratch(home: Home) -> Schedule:
    """A schedule of which nothing was solved before."""
    found = solved(home)
    assert found is not None
    return found[0]


def net(request: PlanRequest, schedule: Schedule) -> tuple[float, float]:
    """What a schedule costs with what is stored at its end, and its carbon."""
    home, _ = frozen(request)
    grid = schedule.grid_w(home)
    return bill_micro(home, grid) - stored_micro(home, schedule), carbon_g(home, grid)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(BLOCKS))
def test_a_blocks_alternative_costs_what_a_solution_from_scratch_says(number: int) -> None:
    request, plan, block = drawn()[number]
    told_micro, told_g = counterfactual(request, plan, block)
    same = next(index for index, (other, _, _) in enumerate(drawn()) if other is request)
    kept_micro, kept_g = counterfactual(request, plan, block, worked(same))
    home, _ = frozen(request)
    planned = from_scratch(home)
    instead = from_scratch(bent(home, planned, block))
    first, second = net(request, planned), net(request, instead)
    if told_micro is None:
        # It cannot be done: nothing of the device changes within the block.
        span = home.slots.touched(block.start, block.end)
        moved = (instead.power_w[block.device] - planned.power_w[block.device])[span] @ home.slots.hours[span]
        assert kept_micro is None and told_g is None and abs(moved) < SAME_WH
        return
    assert told_micro == pytest.approx(second[0] - first[0], abs=CENT), (block.device, block.kind, block.alternative)
    assert kept_micro == pytest.approx(second[0] - first[0], abs=CENT), (block.device, block.kind, block.alternative)
    assert kept_g == pytest.approx(second[1] - first[1], abs=1_000)
    assert told_g == pytest.approx(second[1] - first[1], abs=1_000)


@pytest.mark.slow
def test_the_random_blocks_are_of_many_kinds() -> None:
    kinds = {(block.kind, block.alternative) for _, _, block in drawn()}
    assert len(kinds) >= 6


@pytest.mark.slow
def test_every_block_of_every_random_home_has_a_reason_a_person_can_read() -> None:
    for seed in range(1, 31):
        for block in make_plan(random_request(seed, time_limit_s=20.0), alternatives=False).blocks:
            told = f"{seed} {block.device} {block.kind}: {block.reason}"
            assert block.reason.endswith(".") and block.reason[0].isupper(), told
            assert not any(word in block.reason for word in ("nan", "inf ", "None", "{", "_")), told
            assert 10 < len(block.reason) < 220, told
