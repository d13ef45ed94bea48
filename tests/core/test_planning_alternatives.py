"""What another way would cost: solved on from the plan's own program, and equal to a program built anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count, islice

import numpy as np
import pytest

from gateway.core.planning.explain import Story
from gateway.core.planning.home import Home
from gateway.core.planning.optimiser import solved
from gateway.core.planning.program import Model, build
from gateway.core.planning.schedule import Schedule
from gateway.core.planning.scheduler import bent, counterfactual, difference, frozen, make_plan, other_way, work_out
from gateway.core.planning.settle import by_rule
from gateway.model.authority import Authority
from gateway.model.plan import Block
from gateway.model.setpoint import Limit, LimitKind
from tests.core.fuzz_requests import random_request
from tests.core.test_planning_properties import at, request

NOW = at("2026-11-18 16:00")


def random_blocks(*, heating: bool = False) -> Iterator[tuple[Home, Schedule, Model, Block]]:
    for seed in count():
        home, _ = frozen(random_request(seed, time_limit_s=9.0))
        found = solved(home)
        if found is not None:
            heats = [heat.device.id for heat in (*home.tanks, *home.pumps)]
            blocks = [block for block in Story(home, found[0]).blocks() if block.alternative]
            blocks = [block for block in blocks if block.device in heats] if heating else blocks
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


def test_what_cannot_be_done_is_no_alternative() -> None:
    """Wrong before: "heat now" was told to cost about the same where the device may not and nothing changed."""
    end = NOW + timedelta(hours=60)
    limit = Limit(LimitKind.DEVICE_POWER, 0.0, NOW, end, Authority.BINDING_LIMIT, "event", "Not now.", "tank")
    asked = request(NOW, limits=(limit,))
    worked = work_out(asked)
    plan = make_plan(asked, alternatives=False, worked=worked)
    block = replace(next(b for b in plan.blocks if b.device == "tank"), alternative="heat now")
    # on demand, and in the plan itself
    assert counterfactual(asked, plan, block, worked) == (None, None)
    told = next(b for b in make_plan(asked, worked=worked).blocks if b.device == "tank")
    assert (told.alternative, told.alternative_cost_micro) == ("", None)


@pytest.mark.slow
@pytest.mark.parametrize("changed", [{}, {"room_c": 19.6, "tank_c": 46.0}], ids=str)
def test_heat_now_heats_no_further_than_somebody_would(changed: dict[str, float]) -> None:
    """Wrong before: the room went to 27 °C and 1.5 K below its minimum, the tank to its maximum in every "heat now"."""
    asked = request(NOW, **changed)
    worked, told = work_out(asked), 0
    plan = make_plan(asked, alternatives=False, worked=worked)
    low, high = asked.preferences.comfort_low_c, asked.preferences.comfort_high_c
    for block in plan.blocks:
        way = worked.home, worked.schedule, worked.model, block
        if block.device not in ("tank", "pump") or not block.alternative or difference(*way)[0] is None:
            continue
        state, told = other_way(*way).state, told + 1
        room, water = state["pump"], state["tank"]
        words = f"{block.device} {block.start}: {block.alternative}"
        assert low - 0.3 <= room.min() and room.max() <= max(high, changed.get("room_c", 0.0)) + 0.3, words
        assert water.min() >= 44.5 and water.max() <= 65.1, words
        if block.alternative == "heat now":
            # As hot as the next heating makes it, or a quarter of an hour of its power, which is some 2.2 K.
            own, now = worked.schedule.state[block.device], worked.home.slots.touched(block.start, block.end)
            assert state[block.device][now].max() <= own[np.argmax(now) :].max() + 2.5, words
    assert told > 8


@pytest.mark.slow
def test_the_alternative_of_no_heating_leaves_a_band_further_than_the_plan_does() -> None:
    """Wrong before: what the alternative itself relaxed was thrown away, and the page told its price."""
    told = 0
    for home, schedule, model, block in islice(random_blocks(heating=True), 24):
        if difference(home, schedule, model, block)[0] is None:
            continue
        told, other = told + 1, other_way(home, schedule, model, block)
        for heat in (*home.tanks, *home.pumps):
            over = [float((s.state[heat.device.id] - heat.high_c).max()) for s in (schedule, other)]
            assert over[1] <= max(0.0, over[0]) + 0.3, f"{block.device} {block.start}: {block.alternative}"
    assert told > 4
