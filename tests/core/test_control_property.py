"""Random houses: whatever chargers, cars, loads and meters do, nothing is commanded that a fuse cannot carry."""

from __future__ import annotations

import random

import pytest

from tests.core.charging_world import World, commanded_above, random_world

STEPS_PER_HOUSE = 200


def adventures(houses: range, each: float = 0.1) -> list[str]:
    """What went above a fuse in these houses, in words."""
    found = []
    for seed in houses:
        world = random_world(seed)
        for second in range(STEPS_PER_HOUSE):
            if world.dice.random() < each:
                world.misadventure()
            snapshot, decision = world.step()
            found += [f"house {seed}, second {second}: {words}" for words in commanded_above(world, snapshot, decision)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1000], ids=["houses from 0", "houses from 1000"])
def test_ten_thousand_random_steps_never_command_above_a_fuse_phase(first: int) -> None:
    assert adventures(range(first, first + 25)) == []


def test_a_few_random_houses_are_never_commanded_above_a_fuse_phase() -> None:
    assert adventures(range(500, 502)) == []


def longest_overload_s(world: World, seconds: int) -> tuple[int, str]:
    """For how long a fuse was overloaded while obedient online cars there drew above their safe minimum, s."""
    counts: dict[tuple[str, int], int] = {}
    worst = (0, "")
    for second in range(seconds):
        if second % 20 == 0:  # one overload at a time: each has its own seconds
            branch = world.dice.choice(list(world.base))
            fuse = world.fuses().get(branch, (16.0,) * 3)[0]
            one, two, three = (world.dice.uniform(0, 0.8 * fuse) for _ in range(3))
            world.base[branch] = world.known_only(branch, (one, two, three))
        world.step()
        for circuit, fuses in world.fuses().items():
            boxes = [b for b in world.boxes.values() if b.device.circuit in world.below(circuit)]
            for phase in (1, 2, 3):
                moving = any(b.loads(phase, b.draws_a) > b.spec.min_current_a for b in boxes)
                over = world.flows(circuit)[phase - 1] > fuses[phase - 1] and moving
                counts[circuit, phase] = counts.get((circuit, phase), 0) + 1 if over else 0
                worst = max(worst, (counts[circuit, phase], f"{circuit or 'main'} L{phase}"))
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_no_phase_of_any_fuse_stays_overloaded_while_cars_can_give_way(seed: int) -> None:
    world = random_world(2000 + seed, circuits=random.Random(seed).randrange(1, 4))
    seconds, where = longest_overload_s(world, 300)
    assert seconds <= 8, where
