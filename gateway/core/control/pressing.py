"""A fuse's seconds: which cars are told their minimum, whatever is believed of them, so that an overload ends in time.

A car may take 5 s to follow (IEC 61851-1) and an overload shall be over within 8 s. A cut that proves too small is
mended too late; so what is in doubt is taken at once:

    overload --- meter's 1st word --- 2nd --- 3rd ---        at each word the guard cuts what is measured too much
                 |                            |
                 |                            it still stands after `press_s`: down to the minimum, for no later cut
                 |                            would be followed in time if another load came on top
                 a car was raised and has not told since, the meter fell since it told, or it tells nothing: down to
                 the minimum, for a cut that counts on more than it draws is too small

No car is stopped here: what minimums cannot carry is decided by the guard's lanes, where a car in doubt counts in an
overload with what it certainly draws: it cannot give more. The price is some 10 s at the minimum, then the car is
raised again to what the fuse held, and to more with growing patience (see retreat).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.core.control.circuits import Branch, chargers_below, circuit_meter
from gateway.core.control.draws import TAKES_A, Draw
from gateway.core.control.timing import ControlTiming
from gateway.model.snapshot import Snapshot

SAME_WORD_S = 0.1
"""Two words of a meter less than this apart are one, s."""
Place = tuple[str, int]
"""A circuit and one of its phases, 1 to 3."""


@dataclass(frozen=True, slots=True)
class Over:
    """An overload of one phase of a fuse: the meter's first word of it and its last, monotonic home s."""

    since: float
    word: float


@dataclass(frozen=True, slots=True)
class Pressure:
    """The overloads that stand, and the chargers that get no more than their minimum for it."""

    over: Mapping[Place, Over]
    chargers: frozenset[str]


def pressure(
    branches: Iterable[Branch],
    snapshot: Snapshot,
    timing: ControlTiming,
    draws: Mapping[str, Draw],
    before: Mapping[Place, Over],
    mono: float,
) -> Pressure:
    """What follows from the meters' last words; `before`: the overloads of the last tick."""
    over: dict[Place, Over] = {}
    pressed: set[str] = set()
    for branch in branches:
        word = mono - _age_s(branch, snapshot)
        for phase, (amps, fuse) in enumerate(zip(branch.currents, branch.circuit.fuse_a or (), strict=False), start=1):
            if amps <= fuse:
                continue
            now = _told(before.get((branch.circuit.id, phase)), word)
            over[branch.circuit.id, phase] = now
            cars = [c.id for c in chargers_below(branch) if draws[c.id].heard and phase in draws[c.id].phases]
            doubt = amps > fuse + TAKES_A and any(_doubtful(draws[name], phase) for name in cars)
            if doubt or now.word - now.since >= timing.press_s - SAME_WORD_S:
                pressed |= set(cars)
    return Pressure(over, frozenset(pressed))


def _doubtful(drawn: Draw, phase: int) -> bool:
    """Whether it may draw less than it counts with: it was raised, or the meter fell since it told its draw."""
    return not drawn.sure or drawn.fallen[phase - 1] > TAKES_A


def _age_s(branch: Branch, snapshot: Snapshot) -> float:
    meter = circuit_meter(branch, snapshot)
    return 0.0 if meter is None or meter.age_s is None else meter.age_s


def _told(before: Over | None, word: float) -> Over:
    """The overload as of this word; a word told again is no new one."""
    if before is None:
        return Over(word, word)
    return before if word - before.word < SAME_WORD_S else Over(before.since, word)
