"""Heat pumps and pumps that need more than they did: daily energy against their own past, a heat pump's at the same weather."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.learning.alerts.usual import Floats
from gateway.core.learning.alerts.week import SPREADS, against_past

RECENT_DAYS = 14
HEAT_LEAST_SHARE, PUMP_LEAST_SHARE = 0.2, 0.15
SURE = 3.0
"""So many spreads beyond what is expected."""
LEAST_WH = 300.0
"""A day of less is standby."""
PUMP_LEAST_PAST = 21


@dataclass(frozen=True, slots=True)
class Drift:
    """Wh a day now and as its past lets expect; hours a day and W while it runs, now and before, nan where not known."""

    now_wh: float
    expected_wh: float
    hours: tuple[float, float] = (float("nan"), float("nan"))
    running_w: tuple[float, float] = (float("nan"), float("nan"))

    @property
    def extra_wh(self) -> float:
        """Wh a day beyond the expected."""
        return self.now_wh - self.expected_wh

    @property
    def longer(self) -> bool:
        """Whether it runs longer rather than draws more while it runs."""
        (hours, before), (watts, usual) = self.hours, self.running_w
        return bool(hours / before >= watts / usual) if before > 0 and usual > 0 else True


def heat_drift(energy_wh: Floats, air_c: Floats) -> Drift | None:
    """From a heat pump's daily energy and the day's mean air (nan: not known), newest last; None where not proven.

    Days colder than nearly all before are not judged: a heat pump's efficiency falls with the cold.
    """
    found = against_past(energy_wh, air_c, RECENT_DAYS)
    if found is None:
        return None
    recent, past = air_c[-RECENT_DAYS:], air_c[:-RECENT_DAYS][np.isfinite(energy_wh[:-RECENT_DAYS])]
    low, high = np.nanquantile(past, (0.1, 0.9))
    if not low <= np.nanmedian(recent) <= high:
        return None
    count = int((np.isfinite(energy_wh[-RECENT_DAYS:]) & np.isfinite(recent)).sum())
    now, expected = found.used_wh / count, found.expected_wh / count
    beyond = found.used_wh - found.expected_wh
    if expected < LEAST_WH or now < (1 + HEAT_LEAST_SHARE) * expected or beyond < SURE / SPREADS * found.within_wh:
        return None
    return Drift(now, expected)


def pump_drift(days_w: Floats) -> Drift | None:
    """From days x 96 mean W of a pump's quarters (nan: not known), newest last; None where not proven.

    Proven: the middle of the last days' energy lies PUMP_LEAST_SHARE and SURE spreads above the middle of those before,
    and three quarters of them above three quarters of those.
    """
    energy = day_energy(days_w)
    now, past = energy[-RECENT_DAYS:], energy[:-RECENT_DAYS]
    now, past = now[np.isfinite(now)], past[np.isfinite(past)]
    if now.size < 0.7 * RECENT_DAYS or past.size < PUMP_LEAST_PAST:
        return None
    middle, level = float(np.median(past)), float(np.median(now))
    spread = 1.48 * float(np.median(np.abs(past - middle)))
    apart = np.quantile(now, 0.25) > np.quantile(past, 0.75)
    if middle < LEAST_WH or level - middle <= max(PUMP_LEAST_SHARE * middle, SURE * spread) or not apart:
        return None
    runs, ran = _running(days_w[-RECENT_DAYS:]), _running(days_w[:-RECENT_DAYS])
    return Drift(level, middle, (runs[0], ran[0]), (runs[1], ran[1]))


def day_energy(days_w: Floats) -> Floats:
    """Wh of each day of quarters, nan where more than 5 % is not known."""
    known = np.isfinite(days_w)
    count = known.sum(axis=1)
    mean = np.where(known, days_w, 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count > 0.95 * days_w.shape[1], 24 * mean, np.nan)


def _running(days_w: Floats) -> tuple[float, float]:
    """Hours a day and W while it runs: quarters above half of its usual highest."""
    known = np.isfinite(days_w)
    top = float(np.quantile(days_w[known], 0.98)) if known.any() else 0.0
    runs = known & (np.where(known, days_w, 0.0) > top / 2)
    if top <= 0 or not runs.any():
        return float("nan"), float("nan")
    return 24 * float(runs.sum() / known.sum()), float(np.median(days_w[runs]))
