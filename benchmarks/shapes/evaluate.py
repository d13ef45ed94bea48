"""Figures of load shapes from their definitions, numpy alone; tests/test_shape_metrics.py works each by hand."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.shapes.homes import Event, Home

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GRACE = {
    "spike": timedelta(hours=3),
    "left_on": timedelta(hours=24),
    "always_on": timedelta(days=14),
    "pv_low": timedelta(days=14),
}
"""How long after its event an alert still counts as about it: what is seen after the fact is still worth telling."""
IMPOSSIBLE_W = 1e5
"""No home passes this at its meter: such a slot is a meter reset and does not count as read."""


def adjusted_rand_index(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Agreement of two labellings, whatever the names: 1 equal, about 0 by chance (Hubert, Arabie 1985).

    (index - expected) / (maximum - expected), the index being the pairs that are together in both. Two labellings
    that are both one single group, or both all singles, are equal: 1. Raises ValueError for unequal lengths.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} labels against {len(other)}")
    table = np.zeros((len(set(one)), len(set(other))))
    np.add.at(table, (_codes(one), _codes(other)), 1)
    together, rows, columns = _pairs(table), _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    all_pairs = len(one) * (len(one) - 1) / 2
    expected = rows * columns / all_pairs if all_pairs else 0.0
    most = (rows + columns) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def _pairs(counts: Floats) -> float:
    return float((counts * (counts - 1) / 2).sum())


def _codes(labels: Sequence[Hashable]) -> Ints:
    names: dict[Hashable, int] = {}
    return np.array([names.setdefault(label, len(names)) for label in labels], dtype=np.int64)


def top_k(chances: Floats, truth: Ints, k: int) -> float:
    """Share of rows whose true class is among the k most likely; of equal chances the lower class goes first."""
    order = np.argsort(-chances, axis=1, kind="stable")[:, :k]
    return float((order == truth[:, None]).any(axis=1).mean())


def log_loss_bits(chances: Floats, truth: Ints, floor: float = 1e-6) -> float:
    """Mean of -log2 of the chance given to what came true; a chance below the floor counts as the floor."""
    given = np.maximum(chances[np.arange(len(truth)), truth], floor)
    return float(-np.log2(given).mean())


def calibration_error(chances: Floats, truth: Ints, bins: int = 10) -> float:
    """Expected calibration error: rows in equal bins of their highest chance (lower edge excluded), and over the bins
    the mean of |share right - mean chance|, weighted by the rows in them (Naeini, Cooper, Hauskrecht 2015)."""
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    at = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    gaps = [abs(float(right[at == b].mean() - sure[at == b].mean())) * int((at == b).sum()) for b in np.unique(at)]
    return sum(gaps) / len(truth)


def pinball(actual: Floats, quantiles: Floats, levels: Floats) -> float:
    """Mean quantile loss in the unit of actual; quantiles are slots x levels; slots without an actual are left out.

    level x (actual - quantile) if the actual is above, (1 - level) x (quantile - actual) below (Koenker, Bassett 1978).
    """
    known = np.isfinite(actual)
    over = actual[known, None] - quantiles[known]
    return float(np.maximum(levels * over, (levels - 1) * over).mean())


def coverage(actual: Floats, low: Floats, high: Floats) -> float:
    """Share of the actual values within [low, high]; what was not read is left out."""
    known = np.isfinite(actual)
    return float(((actual >= low) & (actual <= high))[known].mean())


class Alerts(NamedTuple):
    """How alerts met events: found and events per kind; repeats are second alerts about an event already found."""

    found: dict[str, int]
    events: dict[str, int]
    true: int
    repeats: int
    false: int

    @property
    def precision(self) -> float:
        """True alerts over all alerts, a repeat being one too many; nan without alerts."""
        told = self.true + self.repeats + self.false
        return self.true / told if told else float("nan")

    def recall(self, kind: str) -> float:
        """Share of the events of a kind that were told; nan without such events."""
        return self.found[kind] / self.events[kind] if self.events.get(kind) else float("nan")

    def false_per_month(self, days: float) -> float:
        """False alerts and repeats per 30.4 days."""
        return (self.false + self.repeats) / days * 30.4


def match_alerts(
    alerts: Iterable[tuple[str, datetime]], events: Sequence[Event], grace: Mapping[str, timedelta] = GRACE
) -> Alerts:
    """Alerts (kind, when it was raised) of one home against its events, in order of time.

    An alert is true if it stands within [start, end + grace of the kind] of an event of its kind that no alert has told
    yet (the earliest such); a repeat if all such events were told; else false. Kinds without grace are left out.
    """
    open_ = sorted((e for e in events if e.kind in grace), key=lambda e: e.start)
    told: set[int] = set()
    repeats = false = 0
    for kind, when in sorted(alerts, key=lambda a: a[1]):
        about = [i for i, e in enumerate(open_) if e.kind == kind and e.start <= when <= e.end + grace[kind]]
        fresh = [i for i in about if i not in told]
        told.update(fresh[:1])
        repeats += bool(about) and not fresh
        false += not about
    kinds = {e.kind: 0 for e in open_}
    found = {k: sum(open_[i].kind == k for i in told) for k in kinds}
    return Alerts(found, {k: sum(e.kind == k for e in open_) for k in kinds}, len(told), repeats, false)


def total(parts: Iterable[Alerts]) -> Alerts:
    """Many homes as one."""
    rows = list(parts)
    kinds = sorted({k for row in rows for k in row.events})
    return Alerts(
        {k: sum(row.found.get(k, 0) for row in rows) for k in kinds},
        {k: sum(row.events.get(k, 0) for row in rows) for k in kinds},
        sum(row.true for row in rows),
        sum(row.repeats for row in rows),
        sum(row.false for row in rows),
    )


def judged_days(home: Home, share: float = 0.8) -> list[int]:
    """Local days of which at least this share of slots was read; only these count."""
    read = np.isfinite(home.watts) & (np.abs(np.nan_to_num(home.watts)) < IMPOSSIBLE_W)
    kept = np.add.reduceat(read, home.bounds[:-1], dtype=np.int64) / np.diff(home.bounds)
    return [int(d) for d in np.flatnonzero(kept >= share)]


class DayScore(NamedTuple):
    """Per-day labels against the truth: agreement, share right by name, days judged, days given no label among them."""

    ari: float
    right: float
    days: int
    unnamed: int


def score_days(homes: Iterable[Home], classify: Callable[[Home], Sequence[str | None]]) -> DayScore:
    """classify gives a label, or None, per local day of a home; None is a group of its own and never right."""
    truth: list[str] = []
    said: list[str | None] = []
    for home in homes:
        labels = classify(home)
        days = judged_days(home)
        truth += [home.day_labels[d] for d in days]
        said += [labels[d] for d in days]
    right = float(np.mean([a == b for a, b in zip(truth, said, strict=True)]))
    return DayScore(adjusted_rand_index(truth, said), right, len(truth), said.count(None))
