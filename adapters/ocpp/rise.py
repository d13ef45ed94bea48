"""How far an energy register can rise: a register that rose beyond its charger's power did not count."""

from __future__ import annotations

from datetime import datetime

MOST_W = 25_000.0
"""Hardly a charger of a home gives more: a register that rose faster did not count. One that may has its own bound."""
ABOVE_RATING = 1.25
"""Registers and ratings are not of one meter: so much above its rating a charger is believed."""
NOMINAL_V = 230.0
SLACK_WH = 2_000.0
"""What a register may rise beyond that: clocks that differ."""
CAR_WH = 200_000.0
"""What it may rise at once (a car's battery) where no stamps tell how much time lies between, or after it stood still."""
JITTER_WH = 1.0
"""A register that rounds may seem to go back by so much."""
NO_METER_WH = 1e12
"""No register of a home shows so much."""


def most_w(phases: int, current_a: float) -> float:
    """How fast the register of a charger of this rating can rise, W."""
    return max(MOST_W, rated_w(phases, current_a))


def follows(
    held_wh: float,
    held_at: datetime,
    register_wh: float,
    at: datetime,
    slack_wh: float = SLACK_WH,
    *,
    most_w: float = MOST_W,
) -> bool:
    """Whether a register in Wh can have come from `held_wh` at `held_at` to `register_wh` at `at`."""
    hours = max(0.0, (at - held_at).total_seconds()) / 3600
    return held_wh - JITTER_WH <= register_wh <= held_wh + slack_wh + most_w * hours


def rated_w(phases: int, current_a: float) -> float:
    """What a charger of this rating gives at most, W."""
    return ABOVE_RATING * phases * current_a * NOMINAL_V


def caught_up(held_wh: float, register_wh: float, drawn_wh: float) -> bool:
    """Whether a register in Wh that stood at `held_wh` while at most `drawn_wh` was drawn can have come so far.

    There are chargers whose samples repeat a register that is seldom read: it stands for long and then rises by all that
    was drawn meanwhile, though by no more than fills a car.
    """
    return held_wh - JITTER_WH <= register_wh <= held_wh + min(CAR_WH, SLACK_WH + drawn_wh)


def sane(register_wh: float | None) -> float | None:
    """A register as a charger told it, Wh; None for one that no meter shows."""
    return register_wh if register_wh is not None and 0.0 <= register_wh < NO_METER_WH else None
