"""Counter against power: over five minutes and more, the register has to rise as the measured power says.

Only the net is compared: three-phase meters differ in whether import on one phase cancels export on another.

    marks, one a minute   |  |  |  |  |  |  |  |  |
    all is well           <-------------->  five minutes, judged anew each minute
    in doubt                             <-> the last minute by itself: agrees, and the doubt ends
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.core.metering.counters import CounterStep, counter_step, resolution_wh
from gateway.core.metering.vee import Doubt
from gateway.model.quantity import Quantity
from gateway.model.reading import Rule

WINDOW_S = 300.0
STEP_S = 60.0
"""How often a window is judged; also the shortest that a doubt is judged by."""
HOLE_S = 60.0
"""Power values further apart say nothing of the time between; the window begins anew."""
MIN_SAMPLES, MIN_SAMPLES_STEP = 20, 4
APART, APART_WH = 0.2, 50.0
"""How far counters and power may be apart over WINDOW_S; the second shrinks with a shorter window."""
AGAINST_WH = 30.0
"""So much import while exporting (or the other way) is a turned direction rather than a wrong number."""
FINE_WH = 10.0
"""A register coarser than this says nothing about a minute: its doubts are judged by whole windows."""
FOR_LONG = 3

Q = Quantity
COUNTERS = (Q.ENERGY_IMPORT, Q.ENERGY_EXPORT)
Registers = tuple[float | None, float | None]


class _Mark(NamedTuple):
    """What stood at one time: registers, and import and export by the power since the beginning, Wh."""

    at: float
    registers: Registers
    taken: float
    given: float
    samples: int


@dataclass(slots=True)
class CounterWatch:
    """What one device's counters and power said lately; `doubt` stands until they agree again."""

    doubt: Doubt | None = None
    _disagreed: int = 0
    """Windows in a row."""
    _marks: deque[_Mark] = field(default_factory=lambda: deque(maxlen=64))
    _read: list[tuple[float, float] | None] = field(default_factory=lambda: [None, None])
    """When each register was last read, and its value."""
    _last: tuple[float, float] | None = None
    _integrated: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _samples: int = 0

    @property
    def for_long(self) -> bool:
        """Whether three windows in a row disagreed: no single odd step of a counter, something is wrong."""
        return self._disagreed >= FOR_LONG

    def power(self, at: float, value: float) -> None:
        """Take a power, W, at seconds since 1970."""
        before, self._last = self._last, (at, value)
        if before is None or not 0 < at - before[0] <= HOLE_S:
            self._marks.clear()
            return
        energy = (before[1] + value) / 2 * (at - before[0]) / 3600
        self._integrated[energy < 0] += energy
        self._samples += 1

    def counters(self, at: float, imported: float | None, exported: float | None) -> None:
        """Take registers, Wh, None where not read now; judges once a minute."""
        for side, value in enumerate((imported, exported)):
            if value is not None:
                self._read[side] = (at, value)
        marks = self._marks
        if self._last is None or abs(at - self._last[0]) > HOLE_S:
            marks.clear()
        elif not marks or at - marks[-1].at >= STEP_S:
            now = _Mark(at, self._now(at), self._integrated[0], self._integrated[1], self._samples)
            if marks and _known(now) != _known(marks[-1]):
                marks.clear()
            self._judge(now)
            marks.append(now)

    def _now(self, at: float) -> Registers:
        """Both registers, where read not long ago: they may stand in different blocks of the device."""
        taken, given = (None if r is None or at - r[0] > 2 * HOLE_S else r[1] for r in self._read)
        return taken, given

    def _judge(self, now: _Mark) -> None:
        begin = self._begin(now, WINDOW_S, MIN_SAMPLES)
        fine = self._is_fine(now) if self.doubt else False
        lately = self._begin(now, STEP_S, MIN_SAMPLES_STEP) if fine else begin
        if lately is None:
            return
        if _began_anew(lately, now):
            # A register that began anew says nothing of this window.
            self._marks.clear()
            return
        found = _apart(lately, now)
        if found is None:
            self.doubt, self._disagreed = None, 0
            if lately is not begin:
                self._forget_before(lately)
            return
        self._disagreed += 1
        # The whole window has the better words, as long as it still shows the same.
        self.doubt = (_apart(begin, now) if begin and not _began_anew(begin, now) else None) or self.doubt or found
        if not self._is_fine(now):
            self._marks.clear()

    def _is_fine(self, now: _Mark) -> bool:
        values = [value for mark in (*self._marks, now) for value in mark.registers if value is not None]
        return resolution_wh(*values) <= FINE_WH

    def _begin(self, now: _Mark, seconds: float, samples: int) -> _Mark | None:
        """The latest mark that is far enough from now."""
        marks = reversed(self._marks)
        return next((m for m in marks if now.at - m.at >= seconds and now.samples - m.samples >= samples), None)

    def _forget_before(self, begin: _Mark) -> None:
        """What was wrong before they agreed again is not held against them once more."""
        while self._marks[0] is not begin:
            self._marks.popleft()


def _known(mark: _Mark) -> tuple[bool, bool]:
    return mark.registers[0] is not None, mark.registers[1] is not None


def _began_anew(begin: _Mark, now: _Mark) -> bool:
    return any(step is not None and step.kind in ("reset", "jump") for step in _steps(begin, now))


def _steps(begin: _Mark, now: _Mark) -> list[CounterStep | None]:
    elapsed = now.at - begin.at
    return [
        None if before is None or after is None else counter_step(before, after, elapsed)
        for before, after in zip(begin.registers, now.registers, strict=True)
    ]


def _apart(begin: _Mark, now: _Mark) -> Doubt | None:
    """What counters and power say against each other between two marks; None when they agree."""
    elapsed = now.at - begin.at
    imported, exported = (None if step is None else step.energy_wh for step in _steps(begin, now))
    taken = 0.0 if imported is None else now.taken - begin.taken
    given = 0.0 if exported is None else now.given - begin.given
    counted, said = (imported or 0.0) - (exported or 0.0), taken + given
    coarse = resolution_wh(*(value for mark in (begin, now) for value in mark.registers if value is not None))
    part = min(1.0, elapsed / WINDOW_S)
    if abs(counted - said) <= APART * max(abs(counted), taken - given) + APART_WH * part + coarse:
        return None
    words = f"the counters moved by {counted:.0f} Wh in {elapsed / 60:.0f} min, the power says {said:.0f} Wh"
    turned = counted * said < 0 and min(abs(counted), abs(said)) > AGAINST_WH * part
    return Rule.REVERSE if turned else Rule.COUNTER_AGAINST_POWER, words
