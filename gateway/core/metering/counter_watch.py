"""Counter against power: over five minutes and more, the register has to rise as the measured power says.

Only the net is compared: three-phase meters differ in whether import on one phase cancels export on another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.core.metering.counters import CounterStep, counter_step, resolution_wh
from gateway.core.metering.vee import Doubt
from gateway.model.quantity import Quantity
from gateway.model.reading import Rule

WINDOW_S = 300.0
HOLE_S = 60.0
"""Power values further apart say nothing of the time between; the window begins anew."""
MIN_SAMPLES = 20
APART, APART_WH = 0.2, 50.0
AGAINST_WH = 30.0
"""So much import while exporting (or the other way) is a turned direction rather than a wrong number."""

Q = Quantity
COUNTERS = (Q.ENERGY_IMPORT, Q.ENERGY_EXPORT)
Registers = tuple[float | None, float | None]


@dataclass(slots=True)
class CounterWatch:
    """What one device's counters and power said since the window began; `doubt` stands until a window agrees."""

    doubt: Doubt | None = None
    _begin: float | None = None
    _registers: Registers = (None, None)
    _read: list[tuple[float, float] | None] = field(default_factory=lambda: [None, None])
    """When each register was last read, and its value."""
    _last: tuple[float, float] | None = None
    _integrated: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _samples: int = 0

    def power(self, at: float, value: float) -> None:
        """Take a power, W, at seconds since 1970."""
        before, self._last = self._last, (at, value)
        if before is None or not 0 < at - before[0] <= HOLE_S:
            self._begin = None
            return
        energy = (before[1] + value) / 2 * (at - before[0]) / 3600
        self._integrated[energy < 0] += energy
        self._samples += 1

    def counters(self, at: float, imported: float | None, exported: float | None) -> None:
        """Take registers, Wh, None where not read now; judges when the window is long enough."""
        for side, value in enumerate((imported, exported)):
            if value is not None:
                self._read[side] = (at, value)
        now = self._now(at)
        known = [value is not None for value in now]
        if self._last is None or abs(at - self._last[0]) > HOLE_S:
            self._begin = None
        elif self._begin is None or known != [value is not None for value in self._registers]:
            self._start(at, now)
        elif at - self._begin >= WINDOW_S and self._samples >= MIN_SAMPLES:
            self.doubt = self._judge(at - self._begin, now)
            self._start(at, now)

    def _now(self, at: float) -> Registers:
        """Both registers, where read not long ago: they may stand in different blocks of the device."""
        taken, given = (None if r is None or at - r[0] > 2 * HOLE_S else r[1] for r in self._read)
        return taken, given

    def _start(self, at: float, registers: Registers) -> None:
        self._begin, self._registers = at, registers
        self._integrated, self._samples = [0.0, 0.0], 0

    def _judge(self, elapsed: float, now: Registers) -> Doubt | None:
        pairs = list(zip(self._registers, now, strict=True))
        steps = [_step(before, after, elapsed) for before, after in pairs]
        if any(step is not None and step.kind in ("reset", "jump") for step in steps):
            # A register that began anew says nothing of this window.
            return self.doubt
        rises = [None if step is None else step.energy_wh for step in steps]
        taken, given = self._integrated
        if rises[0] is None:
            taken = 0.0
        if rises[1] is None:
            given = 0.0
        counted, said = (rises[0] or 0.0) - (rises[1] or 0.0), taken + given
        coarse = resolution_wh(*(value for pair in pairs for value in pair if value is not None))
        if abs(counted - said) <= APART * max(abs(counted), taken - given) + APART_WH + coarse:
            return None
        words = f"the counters moved by {counted:.0f} Wh in {elapsed / 60:.0f} min, the power says {said:.0f} Wh"
        turned = counted * said < 0 and min(abs(counted), abs(said)) > AGAINST_WH
        return Rule.REVERSE if turned else Rule.COUNTER_AGAINST_POWER, words


def _step(before: float | None, after: float | None, elapsed: float) -> CounterStep | None:
    return None if before is None or after is None else counter_step(before, after, elapsed)
