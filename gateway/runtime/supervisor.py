"""The supervisor: every loop a named task that is started again when it fails; one mad part never stops the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.model.errors import HearthError
from gateway.ports import Clock

log = logging.getLogger(__name__)

RESTART_S = 1.0
RESTART_MAX_S = 30.0
CANCEL_AGAIN_S = 0.5
"""At the end, a loop that goes on in spite of its cancellation is cancelled again after so long (real s)."""
SOUND_S = 60.0
"""A loop that ran this long was sound: its next failure is a new story, with a short pause and a line in the log."""


@dataclass(slots=True)
class TaskHealth:
    """How one loop fares."""

    failures: int = 0
    last_error: str = ""
    running: bool = False


@dataclass(slots=True)
class Supervisor:
    """Runs loops until cancelled; a loop that raises is logged once per cause and restarted with a growing pause."""

    clock: Clock
    health: dict[str, TaskHealth] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Start a loop under a name; it runs until `stop`."""
        self.health[name] = TaskHealth()
        task = asyncio.create_task(self._keep(name, loop), name=name)
        self._tasks.append(task)
        return task

    async def _keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        health, pause = self.health[name], RESTART_S
        while True:
            health.running = True
            started = self.clock.monotonic()
            try:
                await loop()
                return
            except (Exception, asyncio.CancelledError) as error:
                # A library may let the cancellation of its own inner task escape: only ours ends the loop.
                if isinstance(error, asyncio.CancelledError) and _being_cancelled():
                    raise
                if self.clock.monotonic() - started > SOUND_S * self.clock.speed:
                    pause, health.last_error = RESTART_S, ""
                self._note(name, error)
            finally:
                health.running = False
            await self.clock.sleep(pause, real_floor=pause)
            pause = min(2 * pause, RESTART_MAX_S)

    def _note(self, name: str, error: BaseException) -> None:
        health = self.health[name]
        health.failures += 1
        words = f"{type(error).__name__}: {error}"
        if words != health.last_error:
            # What we said ourselves names cause and remedy; anything else needs the place where it happened.
            place = None if isinstance(error, HearthError) else error
            log.error("%s failed and is started again: %s", name, error if place is None else words, exc_info=place)
        health.last_error = words

    def tasks(self, name: str) -> list[asyncio.Task[None]]:
        """The running tasks of this name."""
        return [task for task in self._tasks if task.get_name() == name]

    async def stop(self) -> None:
        """Cancel all loops and wait for them to finish.

        A library may turn a cancellation into an error of its own, which its caller mends and goes on: it is told again.
        """
        left = set(self._tasks)
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
        self._tasks.clear()


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
