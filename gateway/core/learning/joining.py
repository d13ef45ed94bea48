"""How likely the home takes part in an event, from its own answers: a Beta distribution whose old answers fade.

prior Beta(1, 1)      as if it had joined once and declined once: 50 %, 80 % interval 10-90 %
each answer           adds its weight 0.5 ^ (age / 180 days) to "joined" or to "declined"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gateway.model.targeting import Joining

PRIOR = (1.0, 1.0)
PRIOR_WORDS = "as if it had joined one event and declined one"
HALF_LIFE_DAYS = 180.0
GRID = 4001


@dataclass(frozen=True, slots=True)
class Answer:
    """One event's answer by the home; `joined` is false also where the owner left by hand while it lasted."""

    at: datetime
    joined: bool


def joining(answers: Sequence[Answer], now: datetime) -> Joining:
    """The probability with its 80 % interval at `now`; answers after `now` count as new."""
    weights = [0.5 ** (max(0.0, (now - a.at).total_seconds()) / 86_400 / HALF_LIFE_DAYS) for a in answers]
    joined = sum(weight for weight, answer in zip(weights, answers, strict=True) if answer.joined)
    total = sum(weights)
    a, b = PRIOR[0] + joined, PRIOR[1] + total - joined
    low, high = _quantiles(a, b, (0.1, 0.9))
    return Joining(a / (a + b), low, high, joined, total, PRIOR_WORDS)


def _quantiles(a: float, b: float, levels: tuple[float, float]) -> tuple[float, float]:
    """Quantiles of Beta(a, b), a and b >= 1, by summing its density; right to 0.0005."""
    x = (np.arange(GRID) + 0.5) / GRID
    log = (a - 1) * np.log(x) + (b - 1) * np.log1p(-x)
    chance = np.cumsum(np.exp(log - log.max()))
    low, high = np.interp(np.array(levels) * chance[-1], chance, x + 0.5 / GRID)
    return float(low), float(high)
