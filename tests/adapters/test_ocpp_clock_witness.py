"""The witness with a wrong clock on the real CSMS: the gateway dies, and the car falls to the safe current."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from firmware_sim.clock import SimClock
from tests.adapters.test_ocpp_quirks import SLACK_A, SPEED, START, WANTED_A, World

OURS = ("Csms.run", "Tick.run")
SAFE_A = 6.0
ENDS_S = 200.0
"""A wish lives two minutes, back-dated by one; s of home time."""


async def _comes_to(world: World, amps: float, home_s: float) -> bool:
    end = time.monotonic() + home_s / SPEED
    while abs(world.sims["a"].current_a - amps) > SLACK_A and time.monotonic() < end:
        await asyncio.sleep(0.1)
    return abs(world.sims["a"].current_a - amps) <= SLACK_A


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize("hours", [-5.0, 2.0])
async def test_without_the_gateway_a_charger_with_a_wrong_clock_falls_to_its_safe_current(
    hours: float, version: str
) -> None:
    """Wrong before: by a slow clock it charged on at what it was last told; by a fast one it never left 6 A."""
    world = World({"a": ()}, version)
    world.sim_clock = SimClock(START + timedelta(hours=hours), world.sim_clock.real_epoch, SPEED)
    async with world.living():
        assert await _comes_to(world, WANTED_A, 120.0)
        await asyncio.sleep(30.0 / SPEED)
        assert await _comes_to(world, WANTED_A, 1.0)
        for task in asyncio.all_tasks():
            if task.get_coro().__qualname__ in OURS:  # type: ignore[union-attr]
                task.cancel()
        assert await _comes_to(world, SAFE_A, ENDS_S)
