"""The value of each payload type over an interval, with its quality (3.1.0 enumerations: report-payloads).

Interpretations: BASELINE is an energy or a mean power, as its unit says. USAGE and DEMAND have no negative values (the
schema's minimum), so they tell what was imported; a USAGE forecast of an exporting home is 0, a USAGE_FORECAST is not.
A value that is read now and told of an interval that ended more than a quarter hour ago is ESTIMATED. A state or level
is the one longest in force in its interval; so is a SETPOINT without a unit, while one in kW is the mean over the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from gateway.core.demand_response.baseline.rows import BaselineRow, rows_energy
from gateway.core.demand_response.kinds import is_usable
from gateway.core.demand_response.report_data import ReportData
from gateway.core.demand_response.report_windows import AHEAD, Cell, ahead
from gateway.core.demand_response.standing import is_in, opted_out, stand_at, stands
from gateway.model.dr import EventRecord, ReportDescriptor, Timeline
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality

RUNNING_W = 100.0
"""Mean power from which the home counts as "significant energy consumption"."""
_ENERGY = {"KWH": 0.001, "WH": 1.0, "MWH": 1e-6}
_POWER = {"KW": 0.001, "W": 1.0, "MW": 1e-6}
_BOTH = (*_ENERGY, *_POWER)
UNITS: Mapping[str, tuple[str, ...]] = {
    "USAGE": _BOTH,
    "DELTA_USAGE": _BOTH,
    "BASELINE": _BOTH,
    "READING": tuple(_ENERGY),
    "DEMAND": tuple(_POWER),
    "USAGE_FORECAST": _BOTH,
    "STORAGE_CHARGE_LEVEL": ("PERCENT",),
    "STORAGE_USABLE_CAPACITY": tuple(_ENERGY),
    "STORAGE_MAX_CHARGE_POWER": tuple(_POWER),
    "STORAGE_MAX_DISCHARGE_POWER": tuple(_POWER),
    "STORAGE_DISPATCH_FORECAST": tuple(_ENERGY),
    "OPERATING_STATE": ("",),
    "SIMPLE_LEVEL": ("",),
    "SETPOINT": ("", "KW", "W"),
    **dict.fromkeys(AHEAD, (*_POWER, *_ENERGY)),
}
"""The types offered and the units each can be told in; the first is used when the descriptor names no usable one."""
_READ = ("DIRECT_READ", "SUMMED", "ESTIMATED", "MEAN", "AVERAGE")
Value = tuple[float | str | None, str]
T = TypeVar("T")
MISSING: Value = (None, "MISSING")


@dataclass(frozen=True, slots=True)
class Source:
    """What one resource of a report is made of; `devices` are the device ids summed, none for the whole site."""

    name: str
    devices: tuple[str, ...]
    intervals: Sequence[Interval]
    data: ReportData

    @property
    def forecast(self) -> Sequence[BaselineRow]:
        """What the plan expects of it."""
        told = self.data.device_forecasts
        return [row for name in self.devices for row in told.get(name, ())] if self.devices else self.data.forecast

    @property
    def baseline(self) -> Sequence[BaselineRow]:
        """What it would have used without the event."""
        told = self.data.device_baselines
        return [row for name in self.devices for row in told.get(name, ())] if self.devices else self.data.baseline


def unit_of(descriptor: ReportDescriptor) -> str:
    """The unit a report is told in."""
    known = UNITS[descriptor.payload_type]
    return descriptor.units.upper() if descriptor.units.upper() in known else known[0]


def reading_type(descriptor: ReportDescriptor, source: Source) -> str:
    """How the values came about: as asked where that is what was done, else what was done."""
    kind, asked = descriptor.payload_type, descriptor.reading_type
    if ahead(descriptor):
        return "FORECAST"
    if kind in ("BASELINE", "DELTA_USAGE"):
        return asked if asked in _READ else "ESTIMATED"
    if asked == "PEAK" and unit_of(descriptor) in _POWER:
        return "PEAK"
    if asked in _READ:
        return asked
    summed = len(source.devices) > 1
    return "SUMMED" if summed else "MEAN" if kind == "DEMAND" else "DIRECT_READ"


def value_of(
    record: EventRecord, timeline: Timeline, descriptor: ReportDescriptor, source: Source, cell: Cell, now: datetime
) -> Value:
    """One value and its quality (OK, ESTIMATED, MISSING)."""
    kind = descriptor.payload_type
    if kind in ("SIMPLE_LEVEL", "OPERATING_STATE"):
        return _state_value(kind, record, timeline, source, cell)
    if kind.startswith("STORAGE_") and kind != "STORAGE_DISPATCH_FORECAST":
        return _aged(_storage(kind, source, unit_of(descriptor)), cell, now)
    if kind == "SETPOINT":
        return _setpoint(source, unit_of(descriptor), cell)
    if kind == "READING":
        return _aged(_rounded(_register(source), _ENERGY[unit_of(descriptor)]), cell, now)
    if kind == "STORAGE_DISPATCH_FORECAST":
        found = [row.energy_wh for row in source.data.stored_wh if row.start <= cell.start < row.end]
        return _rounded(found[0] if found else None, _ENERGY[unit_of(descriptor)], "ESTIMATED")
    energy, quality = _energy(descriptor, source, cell)
    return _in_unit(energy, quality, unit_of(descriptor), cell)


def _energy(descriptor: ReportDescriptor, source: Source, cell: Cell) -> tuple[float | None, str]:
    """Energy over the cell, Wh."""
    kind = descriptor.payload_type
    if kind in AHEAD:
        # Offers and reservations are the whole home's.
        rows = () if source.devices else source.data.ahead.get(kind, ())
        return rows_energy(rows, cell.start, cell.end), "ESTIMATED"
    if kind == "BASELINE":
        return _sum(source.baseline, cell), "ESTIMATED"
    if ahead(descriptor):
        expected = _sum(source.forecast, cell)
        floor = kind in ("USAGE", "DEMAND") and expected is not None
        return (max(0.0, expected or 0.0) if floor else expected), "ESTIMATED"
    if kind == "DEMAND" and descriptor.reading_type == "PEAK":
        return _peak(source, cell)
    if kind == "DELTA_USAGE":
        used, expected = _net(source.intervals, cell), _sum(source.baseline, cell)
        return (None if used is None or expected is None else used - expected), "ESTIMATED"
    return measured(source.intervals, cell.start, cell.end)


def _sum(rows: Sequence[BaselineRow], cell: Cell) -> float | None:
    """Rows of one or several devices over the cell, Wh; several rows of one time add up."""
    groups: dict[datetime, BaselineRow] = {}
    for row in rows:
        before = groups.get(row.start)
        energy = row.energy_wh + (before.energy_wh if before is not None else 0.0)
        groups[row.start] = BaselineRow(row.start, row.duration_s, energy)
    return rows_energy(list(groups.values()), cell.start, cell.end)


def _peak(source: Source, cell: Cell) -> tuple[float | None, str]:
    """The highest minute, told as the energy it would make of the cell; else the highest quarter hour."""
    hours = (cell.end - cell.start).total_seconds() / 3600
    found = [p.power_w for p in source.data.peaks if cell.start.timestamp() <= p.start_s < cell.end.timestamp()]
    if found and not source.devices:
        return max([0.0, *found]) * hours, "OK"
    used, quality = measured(source.intervals, cell.start, cell.end)
    sums: dict[datetime, float] = {}
    for x in source.intervals:
        if cell.start <= x.start and x.end <= cell.end and x.import_wh is not None:
            sums[x.start] = sums.get(x.start, 0.0) + x.import_wh * 3600 / x.duration_s
    return (None, "MISSING") if used is None or not sums else (max(sums.values()) * hours, quality)


def measured(intervals: Sequence[Interval], start: datetime, end: datetime) -> tuple[float | None, str]:
    """Energy taken over [start, end), Wh >= 0 (USAGE has no negative values), with its quality."""
    energy, estimated = 0.0, False
    covered: dict[str, float] = {}
    for interval in intervals:
        overlap = (min(end, interval.end) - max(start, interval.start)).total_seconds()
        if overlap <= 0:
            continue
        covered.setdefault(interval.device, 0.0)
        if interval.import_wh is None or interval.quality is IntervalQuality.MISSING:
            continue
        energy += interval.import_wh * overlap / interval.duration_s
        covered[interval.device] += overlap
        # Intervals are cut to whole seconds: less than one says nothing.
        cut = overlap <= interval.duration_s - 1
        estimated |= overlap >= 1 and (cut or interval.quality is IntervalQuality.ESTIMATED)
    length = (end - start).total_seconds()
    if not covered or length <= 0 or min(covered.values()) < max(length - 1, 1e-9):
        return None, "MISSING"
    return energy, "ESTIMATED" if estimated else "OK"


def _net(intervals: Sequence[Interval], cell: Cell) -> float | None:
    """Net energy over the cell, Wh: what the baseline is told in."""
    by_device: dict[str, list[BaselineRow]] = {}
    for x in intervals:
        if x.net_wh is not None:
            by_device.setdefault(x.device, []).append(BaselineRow(x.start, x.duration_s, x.net_wh))
    parts = [rows_energy(rows, cell.start, cell.end) for rows in by_device.values()]
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _in_unit(energy: float | None, quality: str, unit: str, cell: Cell) -> Value:
    if unit in _ENERGY:
        return _rounded(energy, _ENERGY[unit], quality)
    seconds = (cell.end - cell.start).total_seconds()
    power = None if energy is None or seconds <= 0 else energy * 3600 / seconds
    return _rounded(power, _POWER[unit], quality)


def _storage(kind: str, source: Source, unit: str) -> Value:
    stores = [x for name, x in source.data.storage.items() if not source.devices or name in source.devices]
    if kind == "STORAGE_CHARGE_LEVEL":
        return _rounded(_level_of(stores, source), 0.01)
    if not stores:
        return MISSING
    if kind == "STORAGE_USABLE_CAPACITY":
        return _rounded(sum(x.usable_wh for x in stores), _ENERGY[unit])
    charge = kind == "STORAGE_MAX_CHARGE_POWER"
    return _rounded(sum(x.charge_w if charge else x.discharge_w for x in stores), _POWER[unit])


def _level_of(stores: Sequence[object], source: Source) -> float | None:
    """Percent of all usable energy that is stored; one battery's own, where its energy is not known."""
    known = [x for name, x in source.data.storage.items() if not source.devices or name in source.devices]
    told = [(x.soc_percent, x.usable_wh) for x in known if x.soc_percent is not None]
    if not stores or len(told) < len(known):
        return None if source.devices else source.data.soc_percent
    whole = sum(wh for _, wh in told)
    return sum(soc * wh for soc, wh in told) / whole if whole > 0 else source.data.soc_percent


def _setpoint(source: Source, unit: str, cell: Cell) -> Value:
    """What one device was told over the cell; missing where part of it is not known, or a power is asked of no power."""
    end = max(cell.end, cell.start + timedelta(seconds=1))
    named = [told for name, told in source.data.setpoints.items() if name in source.devices]
    told = named[0] if len(named) == 1 else ()
    parts = [((min(end, x.end) - max(cell.start, x.start)).total_seconds(), x) for x in told]
    parts = [(seconds, x) for seconds, x in parts if seconds > 0]
    length = sum(seconds for seconds, _ in parts)
    if not parts or length < (end - cell.start).total_seconds() - 1:
        return MISSING
    if unit not in _POWER:
        return _rounded(_longest([(seconds, x.value) for seconds, x in parts]), 1.0)
    powers = [(seconds, x.power_w) for seconds, x in parts if x.power_w is not None]
    known = sum(seconds * power for seconds, power in powers) / length if len(powers) == len(parts) else None
    return _rounded(known, _POWER[unit])


def _register(source: Source) -> float | None:
    if not source.devices:
        return source.data.register_wh
    found = [source.data.registers_wh.get(name) for name in source.devices]
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(found) else None


def _state_value(kind: str, record: EventRecord, timeline: Timeline, source: Source, cell: Cell) -> Value:
    if kind == "SIMPLE_LEVEL":
        return _longest([(s, _level(record, timeline, source, at)) for at, s in _changes(record, timeline, cell)]), "OK"
    used, quality = measured(source.intervals, cell.start, cell.end)
    hours = (cell.end - cell.start).total_seconds() / 3600
    running = used is not None and hours > 0 and used / hours > RUNNING_W
    return _longest(
        [(s, _state(record, timeline, source, at, running)) for at, s in _changes(record, timeline, cell)]
    ), quality


def _changes(record: EventRecord, timeline: Timeline, cell: Cell) -> list[tuple[datetime, float]]:
    """The instants of the cell from which something else may hold, each with its length in s."""
    told = [edge for signal in timeline.signals for edge in (signal.start, signal.end)] + [x.at for x in stands(record)]
    edges = sorted({cell.start, *(edge for edge in told if edge is not None and cell.start < edge < cell.end)})
    return [(a, (b - a).total_seconds()) for a, b in pairwise([*edges, cell.end])]


def _longest(parts: Sequence[tuple[float, T]]) -> T:
    """What held for the most seconds, the earlier among equals."""
    held: dict[T, float] = {}
    for seconds, value in parts:
        held[value] = held.get(value, 0.0) + seconds
    return max(held, key=lambda value: held[value])


def _level(record: EventRecord, timeline: Timeline, source: Source, when: datetime) -> float:
    """The level followed then: 0 where the home took no part, or the owner had set the event aside."""
    if not is_in(stand_at(record, when)) or _opted_out(record, source, when):
        return 0.0
    for signal in timeline.at(when):
        if signal.kind == "SIMPLE" and signal.event == record.key:
            return float(signal.values[0]) if is_usable("SIMPLE", signal.values, "") else 0.0
    return 0.0


def _state(record: EventRecord, timeline: Timeline, source: Source, when: datetime, running: bool) -> str:
    prefix = "RUNNING" if running else "IDLE"
    if _opted_out(record, source, when):
        return f"{prefix}_OPTED_OUT"
    followed = is_in(stand_at(record, when)) and any(
        s.event == record.key and is_usable(s.kind, s.values, s.unit) for s in timeline.at(when)
    )
    return f"{prefix}_CURTAILED" if followed else f"{prefix}_NORMAL"


def _opted_out(record: EventRecord, source: Source, when: datetime) -> bool:
    return opted_out(record, when, source.devices or source.data.acts_on or source.data.devices)


def _aged(value: Value, cell: Cell, now: datetime) -> Value:
    late = value[0] is not None and (now - cell.end).total_seconds() > INTERVAL_S
    return (value[0], "ESTIMATED") if late else value


def _rounded(value: float | None, factor: float, quality: str = "OK") -> Value:
    return MISSING if value is None else (round(value * factor, 6), quality)
