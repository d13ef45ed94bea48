"""What a meter counted, as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gateway.core.tariff.pieces import Floats, cut
from gateway.model.reading import Interval


@dataclass(frozen=True, slots=True)
class Metered:
    """Intervals in order of time: `start`, `end` s since 1970, energies in Wh (>= 0), NaN where nobody knows."""

    start: Floats
    end: Floats
    import_wh: Floats
    export_wh: Floats

    @property
    def missing_s(self) -> int:
        """The time of the intervals of which neither energy is known, s."""
        missing = np.isnan(self.import_wh) & np.isnan(self.export_wh)
        return round(float(np.sum((self.end - self.start)[missing])))

    def between(self, start: float, end: float) -> Metered:
        """What lies inside [start, end), s since 1970; an interval over an end is shared by time."""
        pieces = cut(self.start, self.end, np.array([start, end]))
        inside = (pieces.start >= start) & (pieces.end <= end)
        source = pieces.source[inside]
        share = pieces.seconds[inside] / (self.end - self.start)[source]
        return Metered(
            pieces.start[inside], pieces.end[inside], self.import_wh[source] * share, self.export_wh[source] * share
        )


def metered(intervals: Iterable[Interval]) -> Metered:
    """Intervals as arrays, sorted by start."""
    rows = [(i.start.timestamp(), i.duration_s, i.import_wh, i.export_wh) for i in intervals]
    table = np.array(rows, dtype=float).reshape(-1, 4)
    start, seconds, bought, sold = table[np.argsort(table[:, 0], kind="stable")].T
    return Metered(start, start + seconds, bought, sold)
