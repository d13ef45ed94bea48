"""A relay's slots exchanged one by one while that makes the whole plan cheaper, each exchange judged by the program.

    slots    |##|__|##|__|__|          what one more W costs in each slot is told by the last optimum;
    try      |##|__|__|##|__|          the most promising exchange is solved, and kept if the plan costs less

Dynamic programming places a relay at the prices of one solution; what it takes there moves those prices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np

from gateway.core.planning.home import Heat
from gateway.core.planning.limits import Mask
from gateway.core.planning.lp import Index
from gateway.core.planning.program import Model
from gateway.core.planning.rounding import NEAR_H
from gateway.core.planning.settle import bind_batteries, free_batteries
from gateway.core.planning.slots import Array

TRIES = 40
"""Programs solved for one relay at most."""
PATIENCE = 16
"""So many in a row that gained nothing are enough."""
FINE = 300
"""With more slots than this one slot more or less hardly counts."""
WORTH = 5_000.0
"""Micro-units that an exchange must gain: it may switch once more."""
PROMISING = 1_000.0
BEST = 3
"""Of the slots that are on and of those that are off, so many are paired."""

Move = tuple[int, ...]
"""Which of the relay's slots are switched over."""


@dataclass(slots=True)
class Failed:
    """Moves that gained nothing since the last one that did; what such a move switched last waits until no other is left."""

    moves: set[Move] = field(default_factory=set)
    slots: set[int] = field(default_factory=set)


def exchanged(model: Model, x: Array, driving: Mask) -> Array | None:
    """The solution `x` with each relay's slots exchanged as long as that gains; the program holds what it found.

    Batteries may turn round meanwhile; `driving` are the slots in which a car charges.
    """
    if model.home.slots.count > FINE or not model.home.tanks:
        return x
    free_batteries(model)
    for tank in model.home.tanks:
        x = _exchange(model, tank, x)
    bind_batteries(model, x, driving)
    return model.lp.solve(model.home.request.time_limit_s)


def _exchange(model: Model, tank: Heat, x: Array) -> Array:
    home, lp, cost = model.home, model.lp, np.concatenate(model.lp.cost)
    able = np.flatnonzero((home.slots.ahead_h < NEAR_H) & (tank.cap_w >= tank.power_w))
    own = model.power[tank.device.id][able]
    on, failed, worth = x[own] > 1.0, Failed(), lp.reduced(own)
    for _ in range(TRIES if len(own) else 0):
        move = _promising(on, worth * tank.power_w, failed)
        if move is None or len(failed.moves) >= PATIENCE:
            break
        other = on.copy()
        other[list(move)] ^= True
        found = _solved(model, own, other, tank)
        if found is not None and cost @ found < cost @ x - WORTH and not _too_hot(model, tank, found):
            x, on, failed, worth = found, other, Failed(), lp.reduced(own)
        else:
            failed.moves.add(move)
            failed.slots.add(move[-1])
    found = _solved(model, own, on, tank)
    return x if found is None else found


def _promising(on: Mask, gain: Array, failed: Failed) -> Move | None:
    """The move that should save most by the prices of the last optimum; None when none should."""
    change = np.where(on, -gain, gain)
    order = np.argsort(change, kind="stable")
    for tired in (failed.slots, set[int]()):
        fresh = [int(slot) for slot in order if int(slot) not in tired]
        offs, ons = [slot for slot in fresh if on[slot]][:BEST], [slot for slot in fresh if not on[slot]][:BEST]
        moves: list[Move] = [*((slot,) for slot in (*offs[:1], *ons[:1])), *product(offs, ons)]
        left = [(float(change[list(move)].sum()), move) for move in moves if move not in failed.moves]
        best = min(left, default=(0.0, ()))
        if best[0] < -PROMISING:
            return best[1]
        failed.slots.clear()
    return None


def _solved(model: Model, own: Index, on: Mask, tank: Heat) -> Array | None:
    power = np.where(on, tank.power_w, 0.0)
    model.lp.bound(own, power, power)
    return model.lp.solve(model.home.request.time_limit_s)


def _too_hot(model: Model, tank: Heat, x: Array) -> bool:
    near = model.home.slots.ahead_h < NEAR_H
    return bool((x[model.state[tank.device.id]] > tank.high_c + 1e-6)[near].any())
