"""What a fuse takes from a battery's charge it gives back calmly: cuts at once, raises in steps and after a while.

    room      ~~~\\/~\\_/~~~\\/~~~~/~~~~~~~~~~
    allowed   ----|__|____________|---------
                 cut  cut          no less than this was there for a whole minute

Else the band would follow each flicker of the meter: a write to the inverter every few seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gateway.core.control.timing import ControlTiming

STEP_W = 200.0
"""It is held at multiples of this, W, and raised by no less."""


@dataclass(frozen=True, slots=True)
class Trim:
    """A charge held back: no more than `held_w` (infinite: as wished again) since `at`, monotonic home s."""

    held_w: float
    at: float
    wait_s: float
    """So long the room must be there before the next raise: longer after each raise that was taken back."""
    least_w: float = math.inf
    """The least that was allowed since `at`, once the last change had its time to be seen, W."""
    raised: bool = False


def trimmed(before: Trim | None, wish_w: float, most_w: float, timing: ControlTiming, mono: float) -> Trim | None:
    """What is held back of a charge of `wish_w` with no more than `most_w` left for it now, W; None: nothing."""
    held_w = wish_w if before is None else min(wish_w, before.held_w)
    if most_w < held_w:
        return _cut(before, most_w, timing, mono)
    if before is None:
        return None
    settled = mono - before.at >= timing.settle_s
    seen = replace(before, least_w=min(before.least_w, most_w)) if settled else before
    if mono - before.at < before.wait_s:
        return seen
    if math.isinf(before.held_w):
        return seen if mono - before.at < timing.retreat_most_s else None
    if seen.least_w < before.held_w + STEP_W or math.isinf(seen.least_w):
        return replace(before, at=mono, least_w=math.inf)
    raised_w = math.inf if seen.least_w >= wish_w else _step(seen.least_w)
    return Trim(raised_w, mono, before.wait_s, raised=True)


def _cut(before: Trim | None, most_w: float, timing: ControlTiming, mono: float) -> Trim:
    wait_s = timing.resume_pause_s if before is None else before.wait_s
    if before is not None and before.raised:
        wait_s = min(timing.retreat_most_s, 2 * wait_s)
    return Trim(_step(most_w), mono, wait_s)


def _step(power_w: float) -> float:
    return STEP_W * math.floor(max(0.0, power_w) / STEP_W)
