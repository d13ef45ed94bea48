"""How a car comes back after a fuse took a raise back: at once to what held, and to more with growing patience.

    limit  16 |~~|        |~|              |~|
           13 |  |~~~~~~~~| |~~~~~~~~~~~~~~| |~~~~~~~~~~~~~~~~~~ ...      what the fuse held beside the load
              cut   20 s    cut    40 s      cut      80 s               up to ten minutes, forgotten after a calm hour

An oven that pulses would else raise and cut its car for ever, and press it to its minimum each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.core.control.timing import ControlTiming

LOWERED_A = 0.05
"""A limit lowered by less than this is none, A."""


@dataclass(frozen=True, slots=True)
class Retreat:
    """The last time a fuse took a car's raise back; times in monotonic home s."""

    at: float
    level_a: float
    """What the fuse held for it then, A per phase; below its minimum it was stopped."""
    pause_s: float
    """It is raised above that no sooner, s."""
    times: int = 0
    """How often in a row, after the first."""

    def most_a(self, mono: float) -> float | None:
        """Up to where it is raised now, A per phase; None: as far as there is room."""
        return self.level_a if mono - self.at < self.pause_s else None

    def rest_s(self, timing: ControlTiming) -> float:
        """How long it rests once it was stopped, s."""
        return min(timing.retreat_most_s, timing.resume_pause_s * 2.0**self.times)


def retreats(
    before: Mapping[str, Retreat], cuts: Mapping[str, float], timing: ControlTiming, mono: float
) -> dict[str, Retreat]:
    """The memory after a tick in which an overloaded fuse left the cars in `cuts` so many A per phase."""
    kept = {name: one for name, one in before.items() if mono - one.at < timing.retreat_calm_s}
    return kept | {name: _after(kept.get(name), level_a, timing, mono) for name, level_a in cuts.items()}


def _after(before: Retreat | None, level_a: float, timing: ControlTiming, mono: float) -> Retreat:
    if before is None:
        return Retreat(mono, level_a, timing.raise_pause_s)
    if mono - before.at < timing.raise_pause_s:
        # The same overload: each of its ticks may cut further.
        return replace(before, at=mono, level_a=min(level_a, before.level_a))
    times = before.times + 1
    return Retreat(mono, level_a, min(timing.retreat_most_s, timing.raise_pause_s * 2.0**times), times)
