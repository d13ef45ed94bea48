"""The supervisor: a failing loop starts again, with a growing pause, and never disturbs the others."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import pytest

from gateway.model.errors import DeviceUnreachable
from gateway.runtime.supervisor import Supervisor
from tests.fakes import FakeClock


async def test_a_failing_loop_restarts_with_a_growing_pause() -> None:
    clock, starts = FakeClock(), []

    async def fails() -> None:
        starts.append(clock.monotonic())
        raise ValueError("broken")

    supervisor = Supervisor(clock)
    supervisor.start("bad", fails)
    await clock.advance(200)
    await supervisor.stop()
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert supervisor.health["bad"].failures == len(starts)
    assert supervisor.health["bad"].last_error == "ValueError: broken"


async def test_one_failing_loop_leaves_the_others_alone() -> None:
    clock, beats = FakeClock(), []

    async def fails() -> None:
        raise ValueError("broken")

    async def beats_on() -> None:
        while True:
            beats.append(clock.monotonic())
            await clock.sleep(1)

    supervisor = Supervisor(clock)
    supervisor.start("bad", fails)
    supervisor.start("good", beats_on)
    await clock.advance(10)
    assert beats == [float(second) for second in range(11)]
    assert supervisor.health["good"].running and not supervisor.health["good"].failures
    await supervisor.stop()
    assert not supervisor.health["good"].running


async def test_a_loop_that_ran_long_starts_with_the_short_pause_again() -> None:
    clock, starts = FakeClock(), []

    async def fails_hourly() -> None:
        starts.append(clock.monotonic())
        await clock.sleep(3600)
        raise ValueError("broken")

    supervisor = Supervisor(clock)
    supervisor.start("tick", fails_hourly)
    await clock.advance(4 * 3601)
    await supervisor.stop()
    pauses = [later - earlier - 3600 for earlier, later in pairwise(starts)]
    assert pauses == [1, 1, 1, 1]


async def test_the_same_failure_in_a_row_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()

    async def fails() -> None:
        raise ValueError("broken")

    supervisor = Supervisor(clock)
    with caplog.at_level(logging.ERROR):
        supervisor.start("bad", fails)
        await clock.advance(30)
    await supervisor.stop()
    assert [record.message for record in caplog.records] == ["bad failed and is started again: ValueError: broken"]


async def test_what_we_said_ourselves_is_told_in_words_and_the_unforeseen_with_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails(error: Exception) -> None:
        raise error

    clock = FakeClock()
    supervisor = Supervisor(clock)
    with caplog.at_level(logging.ERROR):
        supervisor.start(
            "pages", lambda: fails(DeviceUnreachable("pages", "listen", "port 8080 is taken", "Choose another"))
        )
        supervisor.start("mad", lambda: fails(KeyError("x")))
        await clock.advance(0.5)
    await supervisor.stop()
    told = {record.getMessage().split()[0]: record for record in caplog.records}
    assert "port 8080 is taken" in told["pages"].getMessage() and told["pages"].exc_info is None
    assert told["mad"].exc_info is not None


async def test_a_cancellation_that_escapes_a_library_does_not_end_the_loop() -> None:
    clock, starts = FakeClock(), []

    async def lets_it_escape() -> None:
        starts.append(clock.monotonic())
        inner = asyncio.ensure_future(asyncio.Event().wait())
        inner.cancel()
        await inner

    supervisor = Supervisor(clock)
    supervisor.start("bus", lets_it_escape)
    await clock.advance(4)
    await supervisor.stop()
    assert len(starts) == 3


async def test_stop_ends_every_loop_also_one_that_is_pausing() -> None:
    clock = FakeClock()

    async def fails() -> None:
        raise ValueError("broken")

    async def waits() -> None:
        await asyncio.Event().wait()

    supervisor = Supervisor(clock)
    tasks = [supervisor.start("bad", fails), supervisor.start("good", waits)]
    await clock.settle()
    assert supervisor.tasks("good") == [tasks[1]]
    await supervisor.stop()
    assert all(task.done() for task in tasks)


async def test_a_loop_that_returns_is_finished() -> None:
    clock, starts = FakeClock(), []

    async def once() -> None:
        starts.append(1)

    supervisor = Supervisor(clock)
    supervisor.start("once", once)
    await clock.advance(60)
    assert starts == [1] and not supervisor.health["once"].running
    await supervisor.stop()


@pytest.mark.slow
async def test_a_loop_that_loses_a_cancellation_ends_all_the_same() -> None:
    """Wrong before: a library turned the cancellation into its own error, the loop went on, and stop waited for ever."""
    clock = FakeClock()

    async def deaf_once() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    supervisor = Supervisor(clock)
    supervisor.start("deaf", deaf_once)
    await clock.settle()
    async with asyncio.timeout(3):
        await supervisor.stop()
