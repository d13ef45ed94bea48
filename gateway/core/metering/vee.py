"""Validation of single readings: range, spike, stuck, counter and time rules; nothing is ever invented."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.core.metering.counters import counter_step
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading

FUTURE = timedelta(seconds=60)
"""How far a device's clock may be ahead."""
CONFIRM = 3
"""So many readings in a row that agree with each other overrule the past (a replaced meter, a true step)."""
STUCK_MIN_READINGS = 300

Q = Quantity
_POWER, _CURRENT, _VOLTAGE = (-200_000.0, 200_000.0), (-400.0, 400.0), (0.0, 500.0)
RANGES: dict[Quantity, tuple[float, float]] = {
    Q.POWER: _POWER, Q.POWER_L1: _POWER, Q.POWER_L2: _POWER, Q.POWER_L3: _POWER,
    Q.CURRENT_L1: _CURRENT, Q.CURRENT_L2: _CURRENT, Q.CURRENT_L3: _CURRENT,
    Q.VOLTAGE_L1: _VOLTAGE, Q.VOLTAGE_L2: _VOLTAGE, Q.VOLTAGE_L3: _VOLTAGE,
    Q.FREQUENCY: (40.0, 70.0), Q.PV_POWER: (-200_000.0, 50.0), Q.BATTERY_POWER: _POWER,
    Q.SOC: (0.0, 100.0), Q.TEMPERATURE: (-40.0, 110.0), Q.TARGET_TEMPERATURE: (-40.0, 110.0),
    Q.OUTDOOR_TEMPERATURE: (-60.0, 60.0), Q.IRRADIANCE: (-10.0, 1600.0), Q.ON: (0.0, 1.0),
    Q.CURRENT_OFFERED: (0.0, 400.0),
}  # fmt: skip
"""Physical bounds in the quantity's unit, far outside what a home does; counters have their own rule."""
MAX_COUNTER_WH = 1e13

SPIKES: dict[Quantity, float] = {
    Q.POWER: 60_000.0, Q.POWER_L1: 25_000.0, Q.POWER_L2: 25_000.0, Q.POWER_L3: 25_000.0,
    Q.CURRENT_L1: 100.0, Q.CURRENT_L2: 100.0, Q.CURRENT_L3: 100.0,
    Q.FREQUENCY: 3.0, Q.SOC: 20.0, Q.TEMPERATURE: 10.0, Q.OUTDOOR_TEMPERATURE: 10.0,
}  # fmt: skip
"""A step larger than this within a minute needs to be seen again. Overloads of a home fuse stay below: they are
believed at once."""
SPIKE_WITHIN_S = 60.0

STUCK_S: dict[Quantity, float] = {
    Q.VOLTAGE_L1: 3600.0, Q.VOLTAGE_L2: 3600.0, Q.VOLTAGE_L3: 3600.0, Q.FREQUENCY: 3600.0,
    Q.POWER: 21_600.0, Q.POWER_L1: 21_600.0, Q.POWER_L2: 21_600.0, Q.POWER_L3: 21_600.0,
}  # fmt: skip
"""A value with decimals that repeats to the last digit for so long is a frozen meter. Whole numbers do repeat."""


@dataclass(frozen=True, slots=True)
class SeriesMemory:
    """What validation remembers of one series (a device's quantity)."""

    value: float | None = None
    """The last believed value."""
    time: datetime | None = None
    same_since: datetime | None = None
    same_count: int = 0
    doubt: float | None = None
    """The last doubted value, and how many in a row agreed with it."""
    doubts: int = 0
    doubt_time: datetime | None = None


def check(reading: Reading, memory: SeriesMemory, now: datetime) -> tuple[Reading, SeriesMemory]:
    """The reading with its quality and the reason, and the memory for the next one; pure."""
    if reading.quality is not Quality.VALID:
        return reading, memory
    if reading.value is None or not math.isfinite(reading.value):
        return replace(reading, value=None, quality=Quality.MISSING, reason="no number"), memory
    if memory.time is not None and memory.time > now + FUTURE:
        # Our own clock stepped back: what was remembered lies in the future and cannot judge.
        memory = SeriesMemory()
    reason = _time_rule(reading, memory, now) or _range_rule(reading.quantity, reading.value)
    if reason:
        return _suspect(reading, reason), memory
    return _against_past(reading, reading.value, memory)


def _time_rule(reading: Reading, memory: SeriesMemory, now: datetime) -> str:
    if reading.time > now + FUTURE:
        return f"time {(reading.time - now).total_seconds():.0f} s in the future"
    if memory.time is not None and reading.time < memory.time:
        return f"late: {(memory.time - reading.time).total_seconds():.0f} s older than the one before"
    return ""


def _range_rule(quantity: Quantity, value: float) -> str:
    low, high = (0.0, MAX_COUNTER_WH) if quantity.is_counter else RANGES[quantity]
    if low <= value <= high:
        return ""
    return f"out of range: {value:g} {quantity.unit}, believed between {low:g} and {high:g}"


def _against_past(reading: Reading, value: float, memory: SeriesMemory) -> tuple[Reading, SeriesMemory]:
    reason = _step_rule(reading.quantity, memory.value, value, _elapsed(memory.time, reading.time))
    if not reason:
        return _stuck_rule(reading, value, _believe(value, reading.time, memory))
    again = memory.doubt is not None and not _step_rule(
        reading.quantity, memory.doubt, value, _elapsed(memory.doubt_time, reading.time)
    )
    doubts = memory.doubts + 1 if again else 1
    if doubts >= CONFIRM:
        return reading, SeriesMemory(value, reading.time, reading.time, 1)
    return _suspect(reading, reason), replace(memory, doubt=value, doubts=doubts, doubt_time=reading.time)


def _step_rule(quantity: Quantity, before: float | None, value: float, elapsed_s: float) -> str:
    if before is None:
        return ""
    if quantity.is_counter:
        kind = counter_step(before, value, elapsed_s).kind
        return "" if kind in ("normal", "roll-over") else f"counter {kind}: from {before:.0f} to {value:.0f} Wh"
    most = SPIKES.get(quantity)
    if most is None or elapsed_s > SPIKE_WITHIN_S or abs(value - before) <= most:
        return ""
    return f"spike: from {before:g} to {value:g} {quantity.unit} within {elapsed_s:.0f} s"


def _believe(value: float, time: datetime, memory: SeriesMemory) -> SeriesMemory:
    same = memory.value == value and memory.same_since is not None
    since, count = (memory.same_since, memory.same_count + 1) if same else (time, 1)
    return SeriesMemory(value, time, since, count)


def _stuck_rule(reading: Reading, value: float, memory: SeriesMemory) -> tuple[Reading, SeriesMemory]:
    limit = STUCK_S.get(reading.quantity)
    stood = _elapsed(memory.same_since, reading.time)
    if limit is None or value.is_integer() or memory.same_count < STUCK_MIN_READINGS or stood <= limit:
        return reading, memory
    return _suspect(reading, f"stuck: {value:g} {reading.quantity.unit} unchanged for {stood / 60:.0f} min"), memory


def _elapsed(before: datetime | None, time: datetime) -> float:
    return 0.0 if before is None else (time - before).total_seconds()


def _suspect(reading: Reading, reason: str) -> Reading:
    return replace(reading, quality=Quality.SUSPECT, reason=reason)
