"""Energy that does not add up over days: a meter that shows less than its parts, stands still, or falls silent.

None of this accuses anybody: a clamp that came off, a wire moved to another fuse or a generator that nobody listed
look alike from here. What single readings contradict is told by gateway/core/metering.
"""

from __future__ import annotations

import numpy as np

from gateway.core.learning.alerts.always_on import quiet_level
from gateway.core.learning.alerts.usual import QUARTERS, Floats

LOOK_DAYS, LEAST_DAYS = 4, 3
"""So many of the last days must show it."""
LEAST_WH, LEAST_SHARE = 500.0, 0.05
FLAT_QUARTERS, USUAL_FLAT = QUARTERS, 8
FLAT_WH = 0.01
DROP_DAYS, DROP_PAST, DROP_LEAST_PAST = 5, 60, 28
DROP_TO, DROP_LEAST_W = 0.35, 30.0


def short_of_parts(whole_wh: Floats, parts_wh: Floats) -> float:
    """Wh a day by which a meter shows less than its parts together, 0 where not on most of the last days.

    Both by day (nan: not known), newest last. It counts above LEAST_WH and LEAST_SHARE of the parts: two meters of one
    thing are never quite alike.
    """
    gap = (parts_wh - whole_wh)[-LOOK_DAYS:]
    least = np.maximum(LEAST_WH, LEAST_SHARE * np.abs(parts_wh[-LOOK_DAYS:]))
    with np.errstate(invalid="ignore"):
        seen = gap > least
    return float(np.median(gap[seen])) if seen.sum() >= LEAST_DAYS else 0.0


def flat_quarters(energy_wh: Floats) -> int:
    """How many of the newest quarters have the very same energy, 0 where that is usual or not yet a day long.

    `energy_wh` is net Wh by quarter, nan where not known, newest last; nan ends a stretch.
    """
    with np.errstate(invalid="ignore"):
        same = np.abs(np.diff(energy_wh)) < FLAT_WH
    lengths = _stretches(same)
    if not lengths or not same[-1]:
        return 0
    newest = lengths[-1] + 1
    usual = max(lengths[:-1], default=0) + 1
    return newest if newest >= FLAT_QUARTERS and usual <= USUAL_FLAT else 0


def quiet_drop(load_w: Floats) -> float:
    """By how many W the home's quiet level fell below all it was in months, 0 where it did not, or not for DROP_DAYS.

    `load_w` is days x 96, nan where not known, newest last. A home on vacation keeps its refrigerator.
    """
    levels = np.array([quiet_level(day) for day in load_w])
    now, past = levels[-DROP_DAYS:], levels[-DROP_DAYS - DROP_PAST : -DROP_DAYS]
    past = past[np.isfinite(past)]
    if not np.isfinite(now).all() or past.size < DROP_LEAST_PAST:
        return 0.0
    least = float(np.quantile(past, 0.05))
    fell = least - float(now.max())
    return (
        float(np.median(past)) - float(np.median(now)) if now.max() < DROP_TO * least and fell > DROP_LEAST_W else 0.0
    )


def _stretches(same: np.ndarray) -> list[int]:
    """Lengths of the runs of True, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    return [int(end - start) for start, end in edges.reshape(-1, 2)]
