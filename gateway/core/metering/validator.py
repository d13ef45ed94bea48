"""Validation of all readings of a home: each by its own past, then beside the others of its device and instant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.core.metering.counter_watch import COUNTERS, CounterWatch
from gateway.core.metering.plausible import Doubts, cross_check, phase_sums
from gateway.core.metering.sweep import SweepMemory
from gateway.core.metering.usage import OVER_SPEC, connection_w
from gateway.core.metering.vee import Doubt, SeriesMemory, check
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity
from gateway.model.reading import Quality, Reading, Rule
from gateway.model.site import Device, Role, Site

_NEW = SeriesMemory()
_EVIDENCE = (*VOLTAGES, Quantity.FREQUENCY)
"""Also a voltage that is out of range says something about the numbers beside it."""
_ACROSS = frozenset((Quantity.POWER, *POWERS))
AGAIN = 3
_UNWATCHED = (Role.HYBRID_INVERTER, Role.EV_CHARGER)
"""Their counters and their power may be of different sides or different times."""


@dataclass(slots=True)
class Validator:
    """Turns readings into readings with quality, rule and reason; remembers what the rules need, and nothing else."""

    site: Site
    _memory: dict[tuple[str, Quantity], SeriesMemory] = field(default_factory=dict)
    _watches: dict[str, CounterWatch] = field(default_factory=dict)
    _vouched: set[str] = field(default_factory=set)
    """Devices whose currents, or the sum of whose phases, say the same as their power."""
    _sweeps: dict[str, SweepMemory] = field(init=False)
    _apart: dict[str, int] = field(default_factory=dict)
    """How many sweeps in a row total and phases of different blocks disagreed."""
    _devices: dict[str, Device] = field(init=False)
    _max_power_w: float = field(init=False)

    def __post_init__(self) -> None:
        self._devices = {device.id: device for device in self.site.devices}
        volts = self.site.nominal_voltage_v
        self._sweeps = {device.id: SweepMemory(device, volts) for device in self.site.devices}
        self._max_power_w = OVER_SPEC * connection_w(self.site)

    def check(
        self, readings: Iterable[Reading], now: datetime, sun_up: bool | None, *, asked: bool = True
    ) -> list[Reading]:
        """The readings as far as they can be believed at `now`; `sun_up` is None when nobody knows.

        `asked` is False for readings of a device that speaks by itself, and may repeat what it said.
        """
        sweeps: dict[str, list[Reading]] = {}
        for reading in readings:
            sweeps.setdefault(reading.device, []).append(reading)
        return [
            checked for name, sweep in sweeps.items() for checked in self._sweep(name, sweep, now, sun_up, asked=asked)
        ]

    def _sweep(
        self, name: str, sweep: Sequence[Reading], now: datetime, sun_up: bool | None, *, asked: bool
    ) -> list[Reading]:
        device = self._devices.get(name)
        if device is None:
            return [self._alone(reading, now) for reading in sweep]
        doubt = self._sweeps[name].judge(sweep, sun_up, asked=asked)
        if doubt is not None:
            # Nothing is remembered of it either.
            return [self._aside(reading, doubt, now) for reading in sweep]
        groups: dict[datetime, list[Reading]] = {}
        for reading in sweep:
            groups.setdefault(reading.time, []).append(reading)
        found = [checked for group in groups.values() for checked in self._group(device, group, now, sun_up)]
        return self._sums_over_blocks(name, found) if len(groups) > 1 else found

    def _aside(self, reading: Reading, doubt: Doubt, now: datetime) -> Reading:
        checked, _ = check(reading, self._memory.get((reading.device, reading.quantity), _NEW), now)
        return _doubted(checked, doubt) if checked.quality is Quality.VALID else checked

    def _sums_over_blocks(self, name: str, found: list[Reading]) -> list[Reading]:
        """Total and phases that were not read at one instant have to disagree again and again before it counts."""
        values = {r.quantity: r.value for r in found if r.quality is Quality.VALID and r.value is not None}
        doubts = phase_sums(values, self.site.nominal_voltage_v) if values.keys() >= _ACROSS else {}
        self._apart[name] = self._apart.get(name, 0) + 1 if doubts else 0
        if self._apart[name] < AGAIN:
            return found
        return [_doubted(r, doubts[r.quantity]) if r.quantity in doubts and r.quality is Quality.VALID else r
                for r in found]  # fmt: skip

    def _group(self, device: Device, group: Sequence[Reading], now: datetime, sun_up: bool | None) -> list[Reading]:
        before = [self._memory.get((reading.device, reading.quantity), _NEW) for reading in group]
        found = [self._alone(reading, now) for reading in group]
        doubts = self._beside(device, group, found, sun_up)
        if not doubts:
            return found
        for index, reading in enumerate(found):
            doubt = doubts.get(reading.quantity)
            if doubt is not None and reading.quality is Quality.VALID:
                found[index] = _doubted(reading, doubt)
                if doubt[0] not in (Rule.COUNTER_AGAINST_POWER, Rule.REVERSE):
                    # What was not believed must not judge the next one.
                    self._memory[reading.device, reading.quantity] = before[index]
        return found

    def _alone(self, reading: Reading, now: datetime) -> Reading:
        key = (reading.device, reading.quantity)
        checked, self._memory[key] = check(reading, self._memory.get(key, _NEW), now, self._max_power_w)
        return checked

    def _beside(
        self, device: Device, group: Sequence[Reading], found: Sequence[Reading], sun_up: bool | None
    ) -> Doubts:
        values = {
            checked.quantity: reading.value
            for reading, checked in zip(group, found, strict=True)
            if reading.value is not None
            and (checked.quality is Quality.VALID or _evidence(reading))
        }  # fmt: skip
        if not values:
            return {}
        doubts = cross_check(values, device, self.site.nominal_voltage_v, sun_up)
        if device.role in _UNWATCHED:
            return doubts
        return self._watched(device.id, values, group[0].time.timestamp(), doubts) | doubts

    def _watched(self, device: str, values: dict[Quantity, float], at: float, doubts: Doubts) -> Doubts:
        """What follows from counter and power over the last minutes, which are not read at one instant."""
        watch = self._watches.get(device)
        if watch is None:
            watch = self._watches[device] = CounterWatch()
        if Quantity.POWER in values and Quantity.POWER not in doubts:
            watch.power(at, values[Quantity.POWER])
        if Quantity.ENERGY_IMPORT in values or Quantity.ENERGY_EXPORT in values:
            watch.counters(at, *(values.get(counter) for counter in COUNTERS))
        if device not in self._vouched and _vouch(values, doubts):
            self._vouched.add(device)
        if watch.doubt is None:
            return {}
        # A single odd step is the counter's. Currents and phases vouch for the amount of power, not for its direction.
        vouched = device in self._vouched and watch.doubt[0] is not Rule.REVERSE
        if vouched or not watch.for_long:
            return dict.fromkeys(COUNTERS, watch.doubt)
        return dict.fromkeys((*COUNTERS, Quantity.POWER, *POWERS), watch.doubt)


def _vouch(values: dict[Quantity, float], doubts: Doubts) -> bool:
    """Whether currents, or three phases and their total, were found to fit the power."""
    if any(current in values and current not in doubts for current in CURRENTS):
        return True
    return values.keys() >= _ACROSS and not doubts.keys() & _ACROSS


def _doubted(reading: Reading, doubt: Doubt) -> Reading:
    return replace(reading, quality=Quality.SUSPECT, rule=doubt[0], reason=doubt[1])


def _evidence(reading: Reading) -> bool:
    return (
        reading.quantity in _EVIDENCE
        and reading.quality is Quality.VALID
        and reading.value is not None
        and math.isfinite(reading.value)
    )
