"""Random houses: whatever chargers, cars, loads and meters do, nothing is commanded that a fuse or a limit cannot carry."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from tests.core.charging_check import Tally, adventures, longest_overload_s
from tests.core.charging_world import random_world

MOST_EXCUSED = 0.30
"""Of the checks with something told; 23 to 28 % of them are, the rest are made in full."""


def told_above(houses: Iterable[int]) -> tuple[list[str], Tally]:
    """What went above a fuse or limit in these houses, in words, and what was checked."""
    tally = Tally()
    found = [words for seed in houses for words in adventures(seed, tally)]
    return found, tally


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1000], ids=["houses from 0", "houses from 1000"])
def test_ten_thousand_random_steps_never_command_above_a_fuse_phase_or_a_power_limit(first: int) -> None:
    found, tally = told_above(range(first, first + 25))
    assert found == []
    assert tally.steps == 5000 and tally.excused_share <= MOST_EXCUSED, tally
    assert tally.real >= 5000 and tally.power >= 100 and tally.silent >= 100, tally


@pytest.mark.slow
def test_a_few_random_houses_are_never_commanded_above_a_fuse_phase() -> None:
    found, tally = told_above(range(500, 502))
    assert found == [] and tally.real > 0


def a_house(seed: int) -> tuple[int, int | None]:
    return 2000 + seed, random.Random(seed).randrange(1, 4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_no_phase_of_any_fuse_stays_overloaded_while_cars_can_give_way(seed: int) -> None:
    number, circuits = a_house(seed)
    seconds, where = longest_overload_s(random_world(number, circuits=circuits), 300, every_s=20)
    assert seconds <= 8, where


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_nor_where_one_jump_of_the_load_follows_the_other_at_random(seed: int) -> None:
    """Wrong before: a car cut every few seconds counted with what it drew before the first cut, for up to 13 s."""
    number, circuits = a_house(seed)
    seconds, where = longest_overload_s(random_world(number, circuits=circuits), 300, chance=0.1)
    assert seconds <= 8, where
