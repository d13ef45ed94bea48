"""Validation of single readings: range, spike, stuck, counter and time rules; nothing is ever invented."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.core.metering.counters import MAX_POWER_W, UNKNOWN_S, counter_step
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity
from gateway.model.reading import Quality, Reading, Rule

FUTURE = timedelta(seconds=60)
"""How far a device's clock may be ahead."""
CLOCK_JITTER = timedelta(seconds=2)
"""What is remembered from later than this after now was stamped before our own clock was set back."""
STEPS = {"reset": Rule.COUNTER_RESET, "jump": Rule.COUNTER_JUMP, "roll-over": Rule.ROLL_OVER}
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
    Q.CURRENT_OFFERED: (0.0, 400.0), Q.GRID_PRESENT: (0.0, 1.0),
    Q.DIMMED: (0.0, 1.0), Q.IMPORT_LIMIT: (0.0, 1e6), Q.EXPORT_LIMIT: (0.0, 1e6),
}  # fmt: skip
"""Physical bounds in the quantity's unit, far outside what a home does; counters have their own rule."""
MAX_COUNTER_WH = 1e13
TINY: dict[Quantity, float] = dict.fromkeys((*CURRENTS, *VOLTAGES), 1e-9) | dict.fromkeys((Q.POWER, *POWERS), 1e-20)
"""Words or bytes in the wrong order make such numbers; what is left of adding up powers is larger."""

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


Doubt = tuple[Rule, str]
"""A rule and what it says in words."""


def check(
    reading: Reading, memory: SeriesMemory, now: datetime, max_power_w: float = MAX_POWER_W
) -> tuple[Reading, SeriesMemory]:
    """The reading with its quality, rule and reason, and the memory for the next one; pure.

    A counter that rises faster than `max_power_w`, W, is doubted.
    """
    if reading.quality is not Quality.VALID:
        rule = Rule.MISSING if reading.quality is Quality.MISSING else Rule.SOURCE
        return (reading if reading.rule else replace(reading, rule=rule)), memory
    if reading.value is None or not math.isfinite(reading.value):
        words = "no number"
        return replace(reading, value=None, quality=Quality.MISSING, reason=words, rule=Rule.MISSING), memory
    memory = _after_step_back(memory, reading.time, now)
    doubt = _time_rule(reading, memory, now) or _range_rule(reading.quantity, reading.value)
    if doubt:
        return _suspect(reading, doubt), memory
    return _against_past(reading, reading.value, memory, max_power_w)


def _after_step_back(memory: SeriesMemory, time: datetime, now: datetime) -> SeriesMemory:
    """What is remembered, when our own clock was set back: the values stay, their times were wrong."""
    if memory.time is None or memory.time <= time or memory.time <= now + CLOCK_JITTER:
        return memory
    since = time - timedelta(seconds=UNKNOWN_S)
    return replace(memory, time=since, same_since=None, same_count=0, doubt=None, doubts=0)


def _time_rule(reading: Reading, memory: SeriesMemory, now: datetime) -> Doubt | None:
    if reading.time > now + FUTURE:
        return Rule.TIME_FUTURE, f"time {(reading.time - now).total_seconds():.0f} s in the future"
    if memory.time is not None and reading.time < memory.time:
        late = (memory.time - reading.time).total_seconds()
        return Rule.TIME_LATE, f"late: {late:.0f} s older than the one before"
    return None


def _range_rule(quantity: Quantity, value: float) -> Doubt | None:
    low, high = (0.0, MAX_COUNTER_WH) if quantity.is_counter else RANGES[quantity]
    if value and abs(value) < TINY.get(quantity, 0.0):
        return Rule.WORD_ORDER, f"no meter measures {value:g} {quantity.unit}"
    if low <= value <= high:
        return None
    return Rule.RANGE, f"out of range: {value:g} {quantity.unit}, believed between {low:g} and {high:g}"


def _against_past(
    reading: Reading, value: float, memory: SeriesMemory, max_power_w: float
) -> tuple[Reading, SeriesMemory]:
    elapsed = _elapsed(memory.time, reading.time)
    doubt = _step_rule(reading.quantity, memory.value, value, elapsed, max_power_w)
    if doubt is None or doubt[0] is Rule.ROLL_OVER:
        noted = replace(reading, rule=Rule.ROLL_OVER) if doubt else reading
        return _stuck_rule(noted, value, _believe(value, reading.time, memory))
    again = memory.doubt is not None and not _step_rule(
        reading.quantity, memory.doubt, value, _elapsed(memory.doubt_time, reading.time), max_power_w
    )
    doubts = memory.doubts + 1 if again else 1
    if doubts >= CONFIRM:
        return reading, SeriesMemory(value, reading.time, reading.time, 1)
    return _suspect(reading, doubt), replace(memory, doubt=value, doubts=doubts, doubt_time=reading.time)


def _step_rule(
    quantity: Quantity, before: float | None, value: float, elapsed_s: float, max_power_w: float
) -> Doubt | None:
    if before is None:
        return None
    if quantity.is_counter:
        kind = counter_step(before, value, elapsed_s, max_power_w).kind
        return None if kind == "normal" else (STEPS[kind], f"counter {kind}: from {before:.0f} to {value:.0f} Wh")
    most = SPIKES.get(quantity)
    if most is None or elapsed_s > SPIKE_WITHIN_S or abs(value - before) <= most:
        return None
    return Rule.SPIKE, f"spike: from {before:g} to {value:g} {quantity.unit} within {elapsed_s:.0f} s"


def _believe(value: float, time: datetime, memory: SeriesMemory) -> SeriesMemory:
    same = memory.value == value and memory.same_since is not None
    since, count = (memory.same_since, memory.same_count + 1) if same else (time, 1)
    return SeriesMemory(value, time, since, count)


def _stuck_rule(reading: Reading, value: float, memory: SeriesMemory) -> tuple[Reading, SeriesMemory]:
    limit = STUCK_S.get(reading.quantity)
    stood = _elapsed(memory.same_since, reading.time)
    if limit is None or value.is_integer() or memory.same_count < STUCK_MIN_READINGS or stood <= limit:
        return reading, memory
    words = f"stuck: {value:g} {reading.quantity.unit} unchanged for {stood / 60:.0f} min"
    return _suspect(reading, (Rule.STUCK, words)), memory


def _elapsed(before: datetime | None, time: datetime) -> float:
    return 0.0 if before is None else (time - before).total_seconds()


def _suspect(reading: Reading, doubt: Doubt) -> Reading:
    return replace(reading, quality=Quality.SUSPECT, rule=doubt[0], reason=doubt[1])
