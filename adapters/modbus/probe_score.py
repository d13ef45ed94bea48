"""How well a profile explains what a unit answered: pure, and the same rules for every maker."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from adapters.modbus.decode import Decoded
from adapters.modbus.planner import Register
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity

VOLTS = (80.0, 300.0)
HERTZ = (45.0, 65.0)
MOST_WH = 1e9
SMALL_W = 30.0
"""Less power than this proves nothing."""
TINY = 1e-30
"""What whole numbers look like when they are read as a float."""
SATURATION = 4.0

Read = Callable[[Register], Decoded | None]
"""A register's value; None when the device refused it or was not asked."""


@dataclass(slots=True)
class Score:
    """Evidence for and against a profile; `values` are those that could be decoded, in our units and signs."""

    support: float = 0.0
    against: float = 0.0
    plausible: int = 0
    registers: int = 0
    values: dict[Quantity, float] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    proven: bool = False
    """Whether anything speaks for it that mere numbers cannot: volts, hertz, phases that add up, its name."""

    def confidence(self, most: float) -> int:
        """How sure, in percent; `most` is the support of the best explanation of the same unit."""
        if self.support <= 0:
            return 0
        share = self.support / (self.support + self.against)
        enough = 1 - math.exp(-self.support / SATURATION)
        explains = 0.6 + 0.4 * min(1.0, self.support / most)
        return min(99, round(100 * share * enough * explains * (1.0 if self.proven else 0.5)))

    def reason(self) -> str:
        """The reasons in words: what speaks for it, then what against."""
        head = f"{self.plausible} of {self.registers} registers plausible"
        text = ": ".join([head, ", ".join(self.words)]) if self.words else head
        return text + (f"; but {', '.join(self.wrong[:3])}" if self.wrong else "")


def judge(registers: Iterable[Register], read: Read) -> Score:
    """The score of one table of registers against what a unit answered."""
    score = Score()
    for register in registers:
        _take(score, register, read(replace(register, low=None, high=None)))
    _judge_grid(score)
    _judge_powers(score)
    return score


def _take(score: Score, register: Register, read: Decoded | None) -> None:
    score.registers += 1
    if read is None:
        score.registers -= register.optional
        score.against += 0.0 if register.optional else 0.7
        return
    if read.value is None:  # a marker of "not available" proves nothing
        return
    why = _nonsense(register, read.value)
    if why:
        score.against += 2
        score.wrong.append(why)
        return
    score.plausible += 1
    score.values[register.quantity] = score.values.get(register.quantity, 0.0) + read.value
    if read.value and register.quantity not in (*VOLTAGES, Quantity.FREQUENCY):
        score.support += 0.5


def _nonsense(register: Register, value: float) -> str:
    shown = f"{register.quantity.value} {value:.4g}"
    if register.type.startswith("float") and 0 < abs(value) < TINY:
        return shown
    low, high = register.low, register.high
    if (low is not None and value < low) or (high is not None and value > high):
        return shown
    if register.quantity is Quantity.FREQUENCY and value and not HERTZ[0] <= value <= HERTZ[1]:
        return shown
    if register.quantity.is_counter and not 0 <= value <= MOST_WH:
        return shown
    if register.quantity is Quantity.SOC and not 0 <= value <= 100:
        return shown
    return shown if register.quantity in VOLTAGES and value and not VOLTS[0] <= value <= VOLTS[1] else ""


def _judge_grid(score: Score) -> None:
    volts = [score.values[q] for q in VOLTAGES if q in score.values]
    live = [volt for volt in volts if volt]
    score.support += 3.0 * len(live)
    if live:
        score.proven = True
        score.words.append(f"{', '.join(f'{volt:.0f}' for volt in live)} V")
    if len(live) < len(volts):
        score.against += 1.5 * (len(volts) - len(live))
        score.wrong.append(f"{len(volts) - len(live)} of {len(volts)} voltages are 0")
    hertz = score.values.get(Quantity.FREQUENCY)
    if hertz:
        score.proven = True
        score.support += 3
        score.words.append(f"{hertz:.1f} Hz")
    elif hertz == 0:
        score.against += 1
        score.wrong.append("0 Hz")


def _judge_powers(score: Score) -> None:
    values = score.values
    for power, volt, amps in zip(POWERS, VOLTAGES, CURRENTS, strict=True):
        if power not in values or values.get(volt) is None or values.get(amps) is None:
            continue
        _weigh(
            score, power.value, values[power], abs(values[power]) <= 1.1 * values[volt] * abs(values[amps]) + SMALL_W
        )
    phases = [values[power] for power in POWERS if power in values]
    total = values.get(Quantity.POWER)
    if len(phases) > 1 and total is not None:
        close = abs(sum(phases) - total) <= max(2 * SMALL_W, 0.06 * sum(abs(phase) for phase in phases))
        _weigh(score, "the sum of the phases", total if abs(total) >= SMALL_W else max(phases, key=abs), close)
        if close and abs(total) >= SMALL_W:
            score.proven = True
            score.words.append("phases add up")
    elif total is not None and values.get(VOLTAGES[0]) and CURRENTS[0] in values and not phases:
        most = 1.1 * sum(values.get(v, 0.0) * abs(values.get(a, 0.0)) for v, a in zip(VOLTAGES, CURRENTS, strict=True))
        if abs(total) <= most + SMALL_W:  # else it may be of three phases, of which the profile reads one
            _weigh(score, "power", total, True)
    if total is not None and abs(total) >= SMALL_W:
        score.words.append(f"{total:.0f} W")


def _weigh(score: Score, name: str, watts: float, fits: bool) -> None:
    if not fits:
        score.against += 2.5
        score.wrong.append(f"{name} does not fit voltage and current" if "sum" not in name else f"{name} is not total")
    elif abs(watts) >= SMALL_W:
        score.support += 2


def same_values(one: Mapping[Quantity, float], other: Mapping[Quantity, float]) -> bool:
    """Whether two tables of the same unit say the same of what both know: nobody can tell them apart."""
    both = one.keys() & other.keys()
    return len(both) >= 2 and all(one[q] == other[q] for q in both)
