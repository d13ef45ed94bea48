"""Sharing: what the lanes leave is divided among the cars, so that each tick tells all of them at once.

    1. seats   in order of rank each car gets its minimum, or it waits its turn
    2. levels  all that have a seat rise together until they have what they want or a lane of theirs is full
    3. cuts    what a car has and its share does not hold is taken at once where a lane needs it
    4. raises  in order of rank, into what is surely free while everybody stands at what he was last told

Reductions come one tick before the raises they make room for: a car is raised only into what was seen or is known free.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core.control.circuits import Lane

TRANSFER_A = 1.0
"""Where nothing is too much and nobody waits, a car is lowered for another's sake by no less, A: fewer commands."""
NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Claim:
    """What one charger would have of its lanes; currents in A per phase."""

    charger: str
    wish_a: float
    """What it would get alone."""
    now_a: float
    """The limit it stands at."""
    counts_a: float
    """What it counts with while others are raised: its limit, or its maximum where it accepted none."""
    min_a: float
    rank: tuple[float, ...] = ()
    """The lowest is served first."""
    level: tuple[float, ...] = ()
    """Those of the lowest level are filled up before the next."""
    may_raise: bool = True
    fixed_a: float | None = None
    """Where it does not obey: what it counts with whatever it is told."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What each charger gets, A per phase, and which lane keeps it from more; none where only patience does."""

    amps: Mapping[str, float]
    stopped: Mapping[str, Lane] = field(default_factory=dict)
    seated: Collection[str] = ()
    """Those whose share is at least their minimum, whether they have it already or not."""


def share(claims: Sequence[Claim], lanes: Sequence[Lane]) -> Shares:
    """The limits of this tick for all chargers at once: cuts where they must be, raises where they surely may be."""
    used = [lane for lane in lanes if lane.weights]
    by_lane = {c.charger: [lane for lane in used if c.charger in lane.weights] for c in claims}
    order = sorted(claims, key=lambda claim: claim.rank)
    target, stopped = _targets(order, by_lane)
    kept = _kept(order, by_lane, target)
    amps = _raised(order, by_lane, target, kept, stopped)
    seated = {claim.charger for claim in claims if target[claim.charger] >= claim.min_a}
    return Shares(amps, stopped, seated)


def _targets(order: Sequence[Claim], by_lane: Mapping[str, list[Lane]]) -> tuple[dict[str, float], dict[str, Lane]]:
    """What each should have of what there is, and the lane that keeps it from all it wishes."""
    taken = {claim.charger: claim.fixed_a or 0.0 for claim in order}
    free = _Free(by_lane, taken, lambda lane: lane.most)
    stopped: dict[str, Lane] = {}
    seated: list[Claim] = []
    for claim in order:
        if claim.fixed_a is not None or claim.wish_a < claim.min_a:
            continue
        narrow = free.narrowest(claim.charger)
        if narrow is not None and narrow[0] < claim.min_a - NOTHING:
            stopped[claim.charger] = narrow[1]
            continue
        free.take(claim.charger, claim.min_a)
        seated.append(claim)
    for level in sorted({claim.level for claim in seated}):
        _rise_together([claim for claim in seated if claim.level == level], free, stopped)
    for claim in order:
        if claim.fixed_a is not None:
            free.taken[claim.charger] = _told(claim, free, stopped)
    return free.taken, stopped


def _told(claim: Claim, free: _Free, stopped: dict[str, Lane]) -> float:
    """What a charger that does not obey is told: what is left for it once the others have theirs."""
    narrow = free.narrowest(claim.charger)
    if narrow is None or claim.fixed_a is None:
        return claim.wish_a
    most = max(0.0, claim.fixed_a + narrow[0])
    if most >= claim.wish_a:
        return claim.wish_a
    stopped[claim.charger] = narrow[1]
    return most if most >= claim.min_a else 0.0


def _rise_together(level: list[Claim], free: _Free, stopped: dict[str, Lane]) -> None:
    """Raise all of a level alike, A per phase, each until its wish or until a lane of its is full."""
    rising = {claim.charger: claim for claim in level if claim.wish_a > free.taken[claim.charger] + NOTHING}
    while rising:
        step = min(claim.wish_a - free.taken[name] for name, claim in rising.items())
        room, narrow = free.common_rise(rising)
        step = max(0.0, min(step, room))
        for name in rising:
            free.take(name, step)
        full = [name for name in rising if narrow is not None and room <= step + NOTHING and name in narrow.weights]
        for name in full:
            if narrow is not None:
                stopped[name] = narrow
        rising = {
            name: claim
            for name, claim in rising.items()
            if name not in full and claim.wish_a > free.taken[name] + NOTHING
        }


def _kept(order: Sequence[Claim], by_lane: Mapping[str, list[Lane]], target: Mapping[str, float]) -> dict[str, float]:
    """What each keeps of the limit it has: no more than its share where a lane is too full or a car is to begin."""
    keep = {claim.charger: _allowed(min(claim.now_a, claim.wish_a), claim.min_a) for claim in order}
    counted = {c.charger: c.fixed_a if c.fixed_a is not None else keep[c.charger] for c in order}
    lanes = {id(lane): lane for own in by_lane.values() for lane in own}
    strict = {
        key for key, lane in lanes.items() if sum(counted[n] * w for n, w in lane.weights.items()) > lane.most + NOTHING
    }
    for claim in order:
        if claim.now_a < claim.min_a <= target[claim.charger]:
            strict |= {id(lane) for lane in by_lane[claim.charger]}
    for claim in order:
        name, own = claim.charger, {id(lane) for lane in by_lane[claim.charger]}
        if own & strict or keep[name] - target[name] >= TRANSFER_A:
            keep[name] = min(keep[name], target[name])
    return keep


def _raised(
    order: Sequence[Claim],
    by_lane: Mapping[str, list[Lane]],
    target: Mapping[str, float],
    kept: Mapping[str, float],
    stopped: dict[str, Lane],
) -> dict[str, float]:
    counted = {c.charger: c.fixed_a if c.fixed_a is not None else max(kept[c.charger], c.counts_a) for c in order}
    free = _Free(by_lane, counted, lambda lane: lane.least)
    amps = dict(kept)
    for claim in order:
        name = claim.charger
        if target[name] <= kept[name] or not claim.may_raise:
            continue
        narrow = free.narrowest(name)
        most = target[name] if narrow is None else min(target[name], free.taken[name] + narrow[0])
        if narrow is not None and most < target[name]:
            stopped.setdefault(name, narrow[1])
        if most >= claim.min_a and most > kept[name]:
            amps[name] = most
            free.take(name, max(0.0, most - free.taken[name]))
    return amps


def _allowed(amps: float, least: float) -> float:
    return amps if amps >= least else 0.0


class _Free:
    """What is left of each lane while chargers take of it."""

    def __init__(
        self, by_lane: Mapping[str, list[Lane]], taken: Mapping[str, float], capacity: Callable[[Lane], float]
    ) -> None:
        self.taken = dict(taken)
        self._by_lane = by_lane
        self._lanes = {id(lane): lane for own in by_lane.values() for lane in own}
        self._left = {
            key: capacity(lane) - sum(self.taken[n] * w for n, w in lane.weights.items())
            for key, lane in self._lanes.items()
        }

    def narrowest(self, charger: str) -> tuple[float, Lane] | None:
        """How much more this charger could have, A (negative: too much is taken), and which lane says so."""
        found = [(self._left[id(lane)] / lane.weights[charger], lane) for lane in self._by_lane[charger]]
        return min(found, key=lambda each: each[0]) if found else None

    def take(self, charger: str, amps: float) -> None:
        """Give a charger so much more, A."""
        self.taken[charger] += amps
        for lane in self._by_lane[charger]:
            self._left[id(lane)] -= amps * lane.weights[charger]

    def common_rise(self, chargers: Collection[str]) -> tuple[float, Lane | None]:
        """By how much all of these could rise alike, A, and which lane says so."""
        best: tuple[float, Lane | None] = (float("inf"), None)
        for key, lane in self._lanes.items():
            weight = sum(w for name, w in lane.weights.items() if name in chargers)
            if weight and self._left[key] / weight < best[0]:
                best = (self._left[key] / weight, lane)
        return best
