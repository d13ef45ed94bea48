"""What one sweep over a device says of itself: all its values together, whatever block they came in.

    witnesses  voltages and frequency: when they cannot be, nothing that came with them is believed
    gone       panels that gave power a moment ago, by day, and now tell of no voltage
    stuck      nothing at all has changed for two minutes, though some of it has decimals

The verdict is about the whole device, its currents and counters included: a meter that says nothing new counts as
silent, and the fuse is guarded as without a meter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.core.metering.plausible import METERS, near
from gateway.core.metering.vee import RANGES, Doubt
from gateway.model.quantity import POWERS, VOLTAGES, Quantity
from gateway.model.reading import Quality, Reading, Rule
from gateway.model.site import Device, Role

Q = Quantity
WITNESSES = frozenset((*VOLTAGES, Q.FREQUENCY))
PANELS = (Role.PV, Role.HYBRID_INVERTER)
REFUSED = (Rule.RANGE, Rule.WORD_ORDER)
"""An adapter left the value out because it cannot be."""
GHOST_V = 0.001
"""Lines without voltage pick up more, or the meter says 0."""
AT_WORK_W = 50.0
"""A device that gives or takes less may be asleep: its values may stand still, or be gone."""
GAVE_W, GAVE_WITHIN = 200.0, timedelta(minutes=5)
"""A breaker that fell by day looks the same as an answer of zeros; after so long it is believed."""
STUCK, STUCK_SWEEPS, STUCK_DECIMALS = timedelta(seconds=120), 60, 2


@dataclass(slots=True)
class SweepMemory:
    """What is remembered of one device's sweeps."""

    device: Device
    nominal_v: float
    doubt: Doubt | None = None
    """Why its last voltages made no sense; it stands until voltages that do are read."""
    _meter: bool = field(init=False)
    _panels: bool = field(init=False)
    _sane: set[Quantity] = field(default_factory=set)
    """Voltages and frequency that could be, once."""
    _gave_at: datetime | None = None
    _values: dict[Quantity, float] = field(default_factory=dict)
    _same_since: datetime | None = None
    _same_count: int = 0

    def __post_init__(self) -> None:
        self._meter, self._panels = self.device.role in METERS, self.device.role in PANELS

    def judge(self, sweep: Sequence[Reading], sun_up: bool | None, *, asked: bool) -> Doubt | None:
        """Why nothing of a sweep can be believed, None when it can.

        `asked` says that the device was asked and tells what it measures now: one that speaks when it wants may repeat
        itself for as long as it likes.
        """
        told: dict[Quantity, float] = {}
        witnesses: list[Reading] = []
        for reading in sweep:
            quantity, value = reading.quantity, reading.value
            if quantity in WITNESSES:
                witnesses.append(reading)
            if value is not None and reading.quality is Quality.VALID and math.isfinite(value):
                told[quantity] = value
        at = sweep[0].time
        if witnesses:
            self._hear(witnesses, told, at, sun_up)
        if self.doubt is None and asked:
            return self._stuck(told, at)
        return self.doubt

    def _hear(
        self, witnesses: Sequence[Reading], told: Mapping[Quantity, float], at: datetime, sun_up: bool | None
    ) -> None:
        """What voltages and frequency say; those that are only missing say nothing, except of panels by day."""
        heard = [r for r in witnesses if r.quantity in told or r.rule in REFUSED]
        live = [r for r in heard if told.get(r.quantity) != 0]
        if not any(reading.quantity in VOLTAGES for reading in live):
            live = []  # a frequency alone may be one that the device does not measure
        if live:
            asleep = self._panels and sun_up is not True and not _at_work(told)
            self.doubt = None if asleep else self._odd(live)
        elif self._panels:
            self.doubt = self._gone(told, at) if sun_up and any(r.quantity in VOLTAGES for r in witnesses) else None
        elif heard:
            dead = self._meter and (told.get(Q.FREQUENCY) == 0 or any(r.quantity in VOLTAGES for r in heard))
            self.doubt = (Rule.ALL_ZERO, "the meter answers and tells of no voltage") if dead else None
        if self.doubt is None and live:
            self._sane.update(reading.quantity for reading in live if not _impossible(reading))
            if self._panels and min(told.get(Q.POWER, 0.0), told.get(Q.PV_POWER, 0.0)) < -GAVE_W:
                self._gave_at = at

    def _gone(self, told: Mapping[Quantity, float], at: datetime) -> Doubt | None:
        """The doubt when panels tell by day that they give nothing and have no voltage, right after they gave."""
        if self._gave_at is None or at - self._gave_at > GAVE_WITHIN or _at_work(told) or Q.POWER not in told:
            return None
        ago = (at - self._gave_at).total_seconds()
        return Rule.ALL_ZERO, f"it tells of no voltage by day, {ago:.0f} s after it gave power"

    def _odd(self, live: Sequence[Reading]) -> Doubt | None:
        """The doubt when no voltage of a meter is near, or two witnesses cannot be that could be before, or all."""
        volts = [reading for reading in live if reading.quantity in VOLTAGES]
        if self._meter and not any(r.value is not None and near(r.value, self.nominal_v) for r in volts):
            return Rule.WORD_ORDER, f"no voltage is near {self.nominal_v:g} V: {_listed(volts)}"
        odd = [reading for reading in live if _impossible(reading)]
        if not odd:
            return None
        # What never made sense, as of phases that are not connected, is no witness beside others that did.
        known = [reading for reading in live if reading.quantity in self._sane]
        against = sum(reading.quantity in self._sane for reading in odd)
        if against >= min(2, len(known)) if known else len(odd) == len(live) > 1:
            return Rule.WORD_ORDER, f"outside of what a grid has: {_listed(odd)}"
        return None

    def _stuck(self, told: Mapping[Quantity, float], at: datetime) -> Doubt | None:
        values, same = self._values, True
        for quantity, value in told.items():
            if values.get(quantity) != value:
                values[quantity], same = value, False
        moves = self._moves(told)
        if not same or self._same_since is None:
            self._same_since, self._same_count = (at, 1) if moves else (None, 0)
            return None
        self._same_count += moves
        if self._same_count < STUCK_SWEEPS or at - self._same_since < STUCK:
            return None
        return Rule.STUCK, f"stuck: nothing it tells has changed for {(at - self._same_since).total_seconds():.0f} s"

    def _moves(self, told: Mapping[Quantity, float]) -> bool:
        """Whether something of this must move: a voltage or the frequency with decimals, of a device at work."""
        decimals = [quantity for quantity, value in told.items() if not value.is_integer()]
        if len(decimals) < STUCK_DECIMALS or WITNESSES.isdisjoint(decimals):
            return False
        return self._meter or _at_work(told)


def _impossible(reading: Reading) -> bool:
    """Whether no grid has such a voltage or frequency, however badly it fares."""
    quantity, value = reading.quantity, reading.value
    if value is None:
        return True
    low, high = RANGES[quantity]
    return not max(low, GHOST_V) <= value <= high


def _listed(readings: Sequence[Reading]) -> str:
    return ", ".join(r.reason if r.value is None else f"{r.value:g} {r.quantity.unit}" for r in readings)


def _at_work(told: Mapping[Quantity, float]) -> bool:
    return any(abs(told.get(power, 0.0)) >= AT_WORK_W for power in (Q.POWER, *POWERS, Q.PV_POWER, Q.BATTERY_POWER))
