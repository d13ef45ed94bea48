"""A month of a home in simulated time: true powers and registers, all that goes wrong with meters, and the product's intake."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Interval, IntervalQuality, Reading
from gateway.model.site import Device, Role, Site, WaterHeaterSpec
from gateway.ports import Store
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.meters import Intake
from gateway.runtime.notices import Notices

ZONE = ZoneInfo("Europe/Brussels")
SITE = Site(
    "Month", ZONE, 50.85, 4.35, "EUR", 3, 40.0,
    (
        Device("meter", "Main meter", Role.MAIN_METER),
        Device("pv", "Sun", Role.PV),
        Device("boiler", "Boiler", Role.WATER_HEATER, WaterHeaterSpec(2_000, 200)),
    ),
)  # fmt: skip
SAMPLES = (0, 30)
"""Seconds of each minute at which powers are read; counters are read at the first."""
FLUSH_MIN = 5


class MonthClock:
    """True time plus the error of the gateway's wall clock."""

    speed = 1.0

    def __init__(self, start: datetime) -> None:
        self.start, self.elapsed_s, self.error_s = start, 0.0, 0.0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed_s + self.error_s)

    def monotonic(self) -> float:
        return self.elapsed_s

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        raise AssertionError("nothing sleeps here: the month drives the intake")


@dataclass(slots=True)
class Register:
    """One counter of one device: `true_wh` since the start, shown with 1 Wh resolution, less `offset_wh`."""

    device: str
    quantity: Q
    begins_at: float = 0.0
    modulus: float = 1e12
    true_wh: float = 0.0
    sums: list[float] = field(default_factory=lambda: [0.0])
    """True energy up to the end of each minute, Wh."""

    def count(self, watts: float) -> None:
        self.true_wh += watts / 60
        self.sums.append(self.true_wh)

    def shown(self) -> float:
        return float(math.floor(self.begins_at + self.true_wh) % self.modulus)

    def start_again(self, value: float) -> None:
        """Reset, or another meter: the register goes on from `value`."""
        self.begins_at = value - self.true_wh


@dataclass(frozen=True)
class Trouble:
    """What happens to the home's meters; instants in minutes since the start."""

    silences: tuple[tuple[str, int, int], ...] = ()
    """(device, from, how many minutes)"""
    kills: tuple[tuple[int, int], ...] = ()
    """(at, how many minutes until the gateway runs again)"""
    restarts_register: tuple[tuple[str, int, float], ...] = ()
    """(device, at, new register value): a reset or a swapped meter"""
    clock_steps: tuple[tuple[int, float], ...] = ()
    """(at, s): our wall clock jumps"""
    repeats: frozenset[int] = frozenset()
    """Minutes whose readings come twice"""
    delays: frozenset[int] = frozenset()
    """Minutes whose readings come again, two minutes late"""
    spikes: tuple[tuple[str, int, float], ...] = ()
    """(device, at, Wh): one counter reading so much too high (or, negative, too low)"""


def local_days(first: datetime, days: int) -> list[datetime]:
    """The local midnights of `days` days from `first`, one more at the end, in UTC."""
    utc = ZoneInfo("UTC")
    day = first.date()
    return [
        datetime.combine(day + timedelta(days=n), datetime.min.time(), ZONE).astimezone(utc) for n in range(days + 1)
    ]


class Month:
    """Drives the intake minute by minute, and knows what was true."""

    def __init__(self, store: Store, first: datetime, days: int, trouble: Trouble, seed: int = 1) -> None:
        self.days = local_days(first, days)
        self.start, self.minutes = self.days[0], int((self.days[-1] - self.days[0]).total_seconds()) // 60
        self.clock, self.store, self.trouble = MonthClock(self.start), store, trouble
        self.random = random.Random(seed)
        self.registers = (
            Register("meter", Q.ENERGY_IMPORT, 8_123_456.0),
            Register("meter", Q.ENERGY_EXPORT, 2_345_678.0),
            Register("pv", Q.ENERGY_EXPORT, 5_000_000.0),
            Register("boiler", Q.ENERGY_IMPORT, 998_000.0, modulus=1e6),
        )
        self.house_sums = [0.0]
        self.intake: Intake | None = None
        self._late: list[Reading] = []

    async def run(self) -> None:
        """The whole month, and two quiet hours after it."""
        intake = await self._started()
        down_until = 0
        for minute in range(self.minutes + 120):
            watts = self._watts(minute)
            self._trouble_at(minute)
            back = next((minute + down for at, down in self.trouble.kills if at == minute), None)
            if back is not None:
                down_until, self.intake = back, None
            if self.intake is None and minute >= down_until:
                intake = await self._started()
            if self.intake is not None:
                self._read(intake, minute, watts)
                if minute % FLUSH_MIN == 0:
                    await intake.flush()
            self._pass_minute(watts)
        await intake.flush(final=True)

    async def _started(self) -> Intake:
        state = HomeState(SITE, self.clock)
        intake = self.intake = Intake(state, self.clock, self.store, Notices(self.store, self.clock, Changes()))
        await intake.resume()
        return intake

    def _watts(self, minute: int) -> dict[str, float]:
        """True powers of one minute, W: constant within it."""
        hour = minute / 60 % 24
        sun = max(0.0, math.sin((hour - 5) / 13 * math.pi)) if 5 < hour < 18 else 0.0
        pv = -round(4_000 * sun * self.random.uniform(0.3, 1.0))
        boiler = 2_000.0 if 3 <= hour < 4.5 or self.random.random() < 0.02 else 0.0
        house = round(300 + 900 * self.random.random() ** 4 + 500 * (17 < hour < 21))
        return {"house": float(house), "boiler": boiler, "pv": float(pv), "meter": house + boiler + pv}

    def _pass_minute(self, watts: dict[str, float]) -> None:
        imports, export = max(watts["meter"], 0.0), max(-watts["meter"], 0.0)
        for register, power in zip(self.registers, (imports, export, -watts["pv"], watts["boiler"]), strict=True):
            register.count(power)
        self.house_sums.append(self.house_sums[-1] + watts["house"] / 60)
        self.clock.elapsed_s = 60.0 * len(self.house_sums) - 60.0

    def _trouble_at(self, minute: int) -> None:
        for device, at, value in self.trouble.restarts_register:
            if at == minute:
                for register in self.registers:
                    if register.device == device:
                        register.start_again(value)
        for at, seconds in self.trouble.clock_steps:
            if at == minute:
                self.clock.error_s += seconds

    def _read(self, intake: Intake, minute: int, watts: dict[str, float]) -> None:
        silent = {name for name, at, long in self.trouble.silences if at <= minute < at + long}
        base = self.clock.elapsed_s
        for second in SAMPLES:
            self.clock.elapsed_s = base + second
            now = self.clock.now()
            readings = [Reading(name, Q.POWER, watts[name], now) for name in ("meter", "pv", "boiler")]
            if second == 0:
                readings += [Reading(r.device, r.quantity, self._told(r, minute), now) for r in self.registers]
            readings = [reading for reading in readings if reading.device not in silent]
            intake.take(readings)
            self._say_again(intake, minute, readings)
        self.clock.elapsed_s = base

    def _told(self, register: Register, minute: int) -> float:
        for device, at, wh in self.trouble.spikes:
            if (device, at) == (register.device, minute):
                return max(0.0, register.shown() + wh)
        return register.shown()

    def _say_again(self, intake: Intake, minute: int, readings: list[Reading]) -> None:
        if minute in self.trouble.repeats:
            intake.take(readings)
        if minute in self.trouble.delays:
            self._late += readings
        elif minute - 2 in self.trouble.delays and self._late:
            late, self._late = self._late, []
            intake.take(late)

    # What is to be believed ---------------------------------------------------------------------------------------

    def true_wh(self, register: Register, begin: datetime, end: datetime) -> float:
        return register.sums[self._minute(end)] - register.sums[self._minute(begin)]

    def true_house_wh(self, begin: datetime, end: datetime) -> float:
        return self.house_sums[self._minute(end)] - self.house_sums[self._minute(begin)]

    def _minute(self, when: datetime) -> int:
        return int((when - self.start).total_seconds()) // 60

    async def intervals(self, device: str) -> list[Interval]:
        return await self.store.intervals(device, self.days[0], self.days[-1])

    def unknown_wh(self, register: Register, begin: datetime, end: datetime) -> float:
        """Energy that no register value can tell: around a reset or a swap, until the new register is believed."""
        total = 0.0
        for device, at, _ in self.trouble.restarts_register:
            if device == register.device:
                low, high = max(at - 2, self._minute(begin)), min(at + 6, self._minute(end))
                total += register.sums[high] - register.sums[low] if high > low else 0.0
        return total


def amount(register: Register, interval: Interval) -> float | None:
    return interval.import_wh if register.quantity is Q.ENERGY_IMPORT else interval.export_wh


def by_day(month: Month, intervals: list[Interval]) -> Iterator[tuple[datetime, datetime, list[Interval]]]:
    for begin, end in zip(month.days, month.days[1:], strict=False):
        yield begin, end, [row for row in intervals if begin <= row.start < end]


def is_exact(interval: Interval) -> bool:
    return interval.quality is IntervalQuality.VALID


def with_more(trouble: Trouble, **more: object) -> Trouble:
    return replace(trouble, **more)  # type: ignore[arg-type]
