"""A battery that cannot follow the meter: the tick follows it for the battery, with few writes.

A correction is worth a write once what it missed adds up; the fewer writes are left of the day, the more must add up:

    wanted  ___/~~~~\\___/~~~~~~~~~~~~      missed energy since the last write, charging while the home
    set     ______/~~~~~~~~~~~~~~~~~~      imports (or the reverse) counting three times

A bucket of writes fills slowly and holds few, so that no 24 hours see more than `MOST_A_DAY`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gateway.core.control.wish import Wish

MOST_A_DAY = 60
BUCKET, REFILL_S = 10.0, 2_700.0
"""Ten writes at most saved up, one more every 45 min: 42 changes in 24 h, the rest is left for keeping alive."""
MISSED_WH = 10.0
"""So much energy on the wrong side of the meter is worth a write while the bucket is full, Wh."""
DEAD_W = 75.0
"""A difference smaller than this counts nothing."""
STEP_W = 50.0
WRONG_WAY = 3.0
LONGEST_GAP_S = 5.0


@dataclass(frozen=True, slots=True)
class Steering:
    """What one battery was set to, W (charging positive), and what that has missed since; times monotonic home s."""

    power_w: float
    at: float
    missed_wh: float = 0.0
    writes: float = BUCKET
    """What is left in the bucket."""

    def threshold_wh(self) -> float:
        """So much must be missed for the next write: twice as much for each that is gone, up to the last."""
        return MISSED_WH * 2.0 ** (BUCKET - max(1.0, self.writes)) if self.writes >= 1.0 else math.inf


def steer(wish: Wish, target_w: float, before: Steering | None, mono: float) -> tuple[Wish, Steering]:
    """The wish as one power, and what to remember.

    `target_w` is what would bring the meter to zero, W, charging positive. Leaving the wish's band is no matter of
    patience: a battery outside of it is set at once, whatever is left of the day's writes.
    """
    wanted = max(wish.low, min(wish.value, target_w))
    if before is None:
        return _as_power(wish, _rounded(wanted, wish)), Steering(_rounded(wanted, wish), mono)
    gap_s = max(0.0, mono - before.at)
    now = replace(before, at=mono, writes=min(BUCKET, before.writes + gap_s / REFILL_S))
    if not wish.low - 1.0 <= before.power_w <= wish.value + 1.0:
        return _set(wish, wanted, now)
    now = replace(now, missed_wh=_missed(now, wanted, min(gap_s, LONGEST_GAP_S)))
    if now.missed_wh >= now.threshold_wh() and _rounded(wanted, wish) != now.power_w:
        return _set(wish, wanted, now)
    return _as_power(wish, now.power_w), now


def _missed(now: Steering, wanted_w: float, gap_s: float) -> float:
    """The missed energy with this moment's share; it fades while all is well, so that old errors cause no write."""
    error_w = abs(wanted_w - now.power_w)
    if error_w < DEAD_W:
        return now.missed_wh * math.exp(-gap_s / 300.0)
    weight = WRONG_WAY if now.power_w * wanted_w <= 0 and abs(now.power_w) > STEP_W else 1.0
    return now.missed_wh + weight * error_w * gap_s / 3600


def _set(wish: Wish, wanted_w: float, now: Steering) -> tuple[Wish, Steering]:
    power = _rounded(wanted_w, wish)
    return _as_power(wish, power), replace(now, power_w=power, missed_wh=0.0, writes=max(0.0, now.writes - 1.0))


def _rounded(power_w: float, wish: Wish) -> float:
    return max(wish.low, min(wish.value, STEP_W * round(power_w / STEP_W)))


def _as_power(wish: Wish, power_w: float) -> Wish:
    return replace(wish, low=power_w, value=power_w)
