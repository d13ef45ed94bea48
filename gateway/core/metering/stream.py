"""One stream of interval data: a source's counters and power, gathered into slots and handed out when they are over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.core.metering.counters import UNKNOWN_S, counter_step, resolution_wh
from gateway.core.metering.exact import divide, exact
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rule

COUNTER_HOLE_S = 300.0
"""Counter values further apart than this leave the split between intervals estimated (their sum stays exact)."""
POWER_HOLE_S = 120.0
"""Power values further apart than this say nothing about the time between."""
KEEP_S = 31 * 86400
"""Open intervals of a silent counter are kept this long for its energy to be spread by the measured power."""
RELIVE_S = 26 * 3600
"""Intervals are kept this long after their end: when our clock was set back, they are lived through again."""
SET_BACK_S = 60.0
"""A value older than the last by less is late or was said twice; by more, our clock was set back."""
ENOUGH = 0.9
SOME = 0.5
APART = 0.2
APART_WH = 50.0
"""Counter and power of one interval may differ by this part of the energy, and by so much besides."""

Typical = Callable[[str, datetime], tuple[float, float] | None]
"""What a series usually does at that time of day: (taken, given) in W, both >= 0; None when not known."""
Note = tuple[str, Rule, datetime, str]
"""A rule that spoke about an interval: series, rule, start of the interval, words."""
Point = tuple[float, float]
"""(seconds since 1970, value)"""
TAKEN, GIVEN = 0, 1
RESTART_WORDS = "counter, its edge estimated over a restart"
CLOCK_WORDS = "counter, the clock was set back"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one stream's energy comes from; `suffix` is added to the device's id."""

    suffix: str
    taken: Quantity | None
    given: Quantity
    power: Quantity


@dataclass(slots=True)
class _Amount:
    """One direction of one interval: energy in Wh and the seconds it covers, from the counter and from power."""

    counter_wh: float = 0.0
    counter_s: float = 0.0
    spread: str = ""
    power_wh: float = 0.0


def _two_amounts() -> tuple[_Amount, _Amount]:
    return _Amount(), _Amount()


@dataclass(slots=True)
class _Slot:
    """One open interval."""

    sides: tuple[_Amount, _Amount] = field(default_factory=_two_amounts)
    power_s: float = 0.0


@dataclass(slots=True)
class _Register:
    """One direction's counter: its last believed value, and how much power was integrated until then."""

    at: float
    value: float
    power_wh: float
    power_s: float
    rough: bool
    """Its time is only known to the minute."""


@dataclass(slots=True)
class Stream:
    """The intervals of one source."""

    device: str
    source: Source
    interval_s: int
    max_power_w: float
    typical: Typical | None = None
    slots: dict[int, _Slot] = field(default_factory=dict)
    registers: dict[int, _Register] = field(default_factory=dict)
    power: Point | None = None
    emitted: int | None = None
    """Intervals before this one were handed out."""
    again: set[int] = field(default_factory=set)
    """Intervals handed out whose energy became known since."""
    edges: dict[int, Point] = field(default_factory=dict)
    """Each register's value at the start of the interval under way: what a restart goes on from."""
    notes: list[Note] = field(default_factory=list)
    _integrated: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """Power integrated since the start: taken and given in Wh, and the seconds it covers."""

    def add(self, quantity: Quantity, at: float, value: float, *, rough: bool = False) -> list[Interval]:
        """Take one believed value; returns intervals that are complete now, and earlier ones better known now.

        A `rough` one was read up to a minute before `at`: an interval's edge that lies beside it is an estimate.
        """
        if self.emitted is None:
            self.emitted = self._floor(at)
        if quantity is self.source.power:
            self._add_power(at, value)
        else:
            self._add_counter(TAKEN if quantity is self.source.taken else GIVEN, at, exact(value), rough)
        return self._emit(self._floor(self._heard()))

    def close(self, until: float) -> list[Interval]:
        """Hand out every interval that ended by `until`."""
        return [] if self.emitted is None else self._emit(self._floor(until))

    def _add_power(self, at: float, value: float) -> None:
        before, self.power = self.power, (at, value)
        if before is None or not 0 < at - before[0] <= POWER_HOLE_S:
            return
        for start, begin, end in self._pieces(before[0], at):
            slot = self._slot(start)
            slot.power_s += end - begin
            self._integrated[2] += end - begin
            sides = _trapezoid(_along(before, (at, value), begin), _along(before, (at, value), end), end - begin)
            for side, energy in enumerate(sides):
                slot.sides[side].power_wh += energy
                self._integrated[side] += energy

    def _add_counter(self, side: int, at: float, value: float, rough: bool) -> None:
        before = self.registers.get(side)
        if before is not None and before.at - SET_BACK_S <= at <= before.at:
            return
        self.registers[side] = _Register(at, value, self._integrated[side], self._integrated[2], rough)
        if before is None:
            return
        if at < before.at:
            self._relive(side, before, at, value)
        else:
            self._rise(side, before, self.registers[side])

    def _relive(self, side: int, before: _Register, at: float, value: float) -> None:
        """Our clock was set back: the rise belongs to now, and the intervals from here on are added to."""
        amount = self._slot(self._floor(at)).sides[side]
        amount.counter_wh += exact(counter_step(before.value, value, UNKNOWN_S, self.max_power_w).energy_wh)
        amount.spread = CLOCK_WORDS

    def _rise(self, side: int, before: _Register, now: _Register) -> None:
        elapsed = now.at - before.at
        step = counter_step(before.value, now.value, elapsed, self.max_power_w)
        pieces = self._pieces(before.at, now.at)
        spread, weights = self._weights(side, pieces, elapsed)
        if any(point.rough and (len(pieces) > 1 or point.at % self.interval_s == 0) for point in (before, now)):
            spread = spread or RESTART_WORDS
        energy = exact(step.energy_wh)
        if step.kind in ("reset", "jump"):
            energy, spread = self._unread(side, before, now.at, f"counter {step.kind}")
        parts = divide(energy, weights)
        for (start, begin, end), part in zip(pieces, parts, strict=True):
            amount = self._slot(start).sides[side]
            amount.counter_wh += part
            amount.counter_s += end - begin
            amount.spread = spread or amount.spread
        if len(pieces) > 1 or now.at == pieces[0][0] + self.interval_s:
            self._mark_edge(side, now, pieces[-1], parts[-1])

    def _mark_edge(self, side: int, now: _Register, last: tuple[int, float, float], part: float) -> None:
        if now.at == last[0] + self.interval_s:
            self.edges[side] = (now.at, now.value)
        elif not now.rough:
            self.edges[side] = (float(last[0]), now.value - part)

    def _unread(self, side: int, before: _Register, at: float, words: str) -> tuple[float, str]:
        """What a register that began anew did not count: what the measured power says, or nothing."""
        covered = self._integrated[2] - before.power_s
        if covered < SOME * (at - before.at):
            return 0.0, words
        energy = (self._integrated[side] - before.power_wh) * (at - before.at) / covered
        return exact(energy), f"{words}, bridged by power"

    def _weights(self, side: int, pieces: list[tuple[int, float, float]], elapsed: float) -> tuple[str, list[float]]:
        """How a counter's rise divides over the intervals it spans, and in which words when that is an estimate."""
        even = [end - begin for _, begin, end in pieces]
        if len(pieces) == 1 or elapsed <= COUNTER_HOLE_S:
            return "", even
        slots = [self.slots.get(start) or _Slot() for start, _, _ in pieces]
        weights = [max(0.0, slot.sides[side].power_wh - slot.sides[side].counter_wh) for slot in slots]
        measured = all(s.power_s >= ENOUGH * (end - begin) for s, (_, begin, end) in zip(slots, pieces, strict=True))
        if measured and sum(weights) > 0:
            return "counter spread by measured power", weights
        usual = self._usual(side, pieces)
        return ("counter spread by typical profile", usual) if sum(usual) > 0 else ("counter spread evenly", even)

    def _usual(self, side: int, pieces: list[tuple[int, float, float]]) -> list[float]:
        if self.typical is None:
            return []
        usual = [self.typical(self._name, datetime.fromtimestamp(start, UTC)) for start, _, _ in pieces]
        known = [power[side] for power in usual if power is not None]
        mean = sum(known) / len(known) if known else 0.0
        powers = [mean if power is None else power[side] for power in usual]
        return [power * (end - begin) for power, (_, begin, end) in zip(powers, pieces, strict=True)]

    @property
    def _name(self) -> str:
        return self.device + self.source.suffix

    def _slot(self, start: int) -> _Slot:
        if self.emitted is not None and start < self.emitted:
            self.again.add(start)
        slot = self.slots.get(start)
        if slot is None:
            slot = self.slots[start] = _Slot()
        return slot

    def _heard(self) -> float:
        """Up to when every series heard so far has spoken."""
        times = [register.at for register in self.registers.values()]
        return min(times if self.power is None else [*times, self.power[0]])

    def _emit(self, edge: int) -> list[Interval]:
        emitted = self.emitted or 0
        if not self.again and edge <= emitted:
            return []
        # An interval that is lived through again is told when it is over, not at each value.
        starts = sorted(start for start in self.again if start < min(edge, emitted))
        self.again.difference_update(starts)
        starts += range(emitted, edge, self.interval_s)
        self.emitted = max(emitted, edge)
        result = [self._interval(start) for start in starts]
        self._forget(self.emitted)
        return result

    def _forget(self, emitted: int) -> None:
        heard = [register.at for register in self.registers.values()] + ([self.power[0]] if self.power else [])
        oldest = max(min(*heard, emitted) - RELIVE_S, max(heard) - KEEP_S)
        for start in [start for start in self.slots if start < oldest]:
            del self.slots[start]

    def _interval(self, start: int) -> Interval:
        slot = self.slots.get(start) or _Slot()
        taken, taken_how = self._energy(TAKEN, slot)
        given, given_how = self._energy(GIVEN, slot)
        words = list(dict.fromkeys(how for how in (taken_how, given_how) if how))
        exactly = all(how in ("counter", "power") for how in words)
        quality = IntervalQuality.VALID if exactly else IntervalQuality.ESTIMATED
        if taken is None and given is None:
            quality = IntervalQuality.MISSING
        method = " and ".join(words) or "nothing measured"
        when = datetime.fromtimestamp(start, UTC)
        if quality is IntervalQuality.VALID and (against := self._against_power(slot)):
            quality, method = IntervalQuality.ESTIMATED, f"{method}, {against}"
            self.notes.append((self._name, Rule.COUNTER_AGAINST_POWER, when, against))
        return Interval(self._name, when, self.interval_s, taken, given, quality, method)

    def _energy(self, side: int, slot: _Slot) -> tuple[float | None, str]:
        """One direction's energy in Wh and how it came about; (None, "") when nothing is known."""
        amount = slot.sides[side]
        covered, powered = amount.counter_s / self.interval_s, slot.power_s / self.interval_s
        if side in self.registers and covered > 0 and not self._power_knows_more(amount, covered, powered):
            if covered > 1 + 1e-6:
                return amount.counter_wh, CLOCK_WORDS
            whole = covered > 1 - 1e-9
            return amount.counter_wh, amount.spread or ("counter" if whole else "counter, part of the interval")
        if powered > 1 + 1e-6:
            return amount.power_wh, "power, the clock was set back"
        if powered >= ENOUGH:
            return amount.power_wh / powered, "power"
        if powered >= SOME:
            return amount.power_wh / powered, "power, scaled to the interval"
        return None, ""

    def _power_knows_more(self, amount: _Amount, covered: float, powered: float) -> bool:
        """Whether an interval is better told by its power: it saw clearly more of it, and no less energy.

        Counter and power that come as two messages begin and end some seconds apart: then the counter tells.
        """
        if covered >= ENOUGH or powered < SOME or powered - covered <= 1 - ENOUGH:
            return False
        return amount.power_wh / min(powered, 1.0) >= amount.counter_wh

    def _against_power(self, slot: _Slot) -> str:
        """What the power says, in words, when it contradicts the counters; only the net is compared.

        Three-phase meters differ in whether import on one phase cancels export on another.
        """
        whole = all(slot.sides[side].counter_s >= ENOUGH * self.interval_s for side in self.registers)
        if not self.registers or not whole or slot.power_s < ENOUGH * self.interval_s:
            return ""
        sides = [TAKEN, GIVEN] if len(self.registers) == 2 or self.source.taken is None else list(self.registers)
        counted = slot.sides[TAKEN].counter_wh - slot.sides[GIVEN].counter_wh
        powers = [slot.sides[side].power_wh if side in sides else 0.0 for side in (TAKEN, GIVEN)]
        coarse = resolution_wh(*(register.value for register in self.registers.values()))
        if abs(counted - (powers[0] - powers[1])) <= APART * max(abs(counted), sum(powers)) + APART_WH + coarse:
            return ""
        return f"power says {powers[0] - powers[1]:.0f} Wh"

    def _floor(self, at: float) -> int:
        return int(at // self.interval_s) * self.interval_s

    def _pieces(self, begin: float, end: float) -> list[tuple[int, float, float]]:
        """The interval starts that [begin, end) touches, each with the part inside it."""
        step, first = self.interval_s, self._floor(begin)
        if end <= first + step:
            return [(first, begin, end)]
        starts = range(first, self._floor(end) + step, step)
        pieces = [(start, max(begin, start), min(end, start + step)) for start in starts]
        return [piece for piece in pieces if piece[2] > piece[1]]


def _along(a: Point, b: Point, at: float) -> float:
    return a[1] + (b[1] - a[1]) * (at - a[0]) / (b[0] - a[0])


def _trapezoid(first_w: float, last_w: float, span_s: float) -> tuple[float, float]:
    """Energy above and below zero (both >= 0, Wh) of a power that changes linearly."""
    if first_w * last_w >= 0:
        energy = (first_w + last_w) / 2 * span_s / 3600
        return max(energy, 0.0), max(0.0, -energy)
    crossing = first_w / (first_w - last_w)
    head, tail = first_w * crossing / 2 * span_s / 3600, last_w * (1 - crossing) / 2 * span_s / 3600
    return max(head, tail), -min(head, tail)
