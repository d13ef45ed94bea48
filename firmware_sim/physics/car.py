"""The electric car: leaves in the morning, comes home in the evening, follows the charge point's offer.

17:20 arrives, needs about 22 kWh ------ 07:10 leaves (Europe/Brussels, every day)
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, time
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Europe/Brussels")
ARRIVES, LEAVES = time(17, 20), time(7, 10)
LEAST_A, MOST_A = 6.0, 16.0
RAMP_A_PER_S = 4.0
TAPER_FROM_PERCENT = 90.0
EFFICIENCY = 0.92
PHASES = 3


def at_home(local: datetime) -> bool:
    """Whether the plan of every day has the car at home."""
    return local.time() >= ARRIVES or local.time() < LEAVES


@dataclass
class Car:
    """60 kWh, three phases, 16 A."""

    seed: int
    battery_wh: float = 60_000.0
    stored_wh: float = 54_000.0
    plugged: bool = False
    current_a: float = 0.0
    _scheduled: bool | None = None
    _offer_a: float = 0.0
    _obeyed_a: float = 0.0
    _pending: list[tuple[datetime, float]] = field(default_factory=list)
    _changes: int = 0

    @property
    def soc_percent(self) -> float:
        return 100 * self.stored_wh / self.battery_wh

    def live(self, now: datetime) -> float:
        """Follow the plan of the day; returns the energy the battery lost on the road (on arrival), Wh."""
        local = now.astimezone(LOCAL)
        planned = at_home(local)
        if planned == self._scheduled:
            return 0.0
        self._scheduled = planned
        if not planned:
            self.unplug()
            return 0.0
        return self._arrive(local)

    def move(self, *, plugged: bool | None = None, soc_percent: float | None = None) -> None:
        """Move the car by hand, until the next arrival or departure of the plan."""
        if soc_percent is not None:
            self.stored_wh = self.battery_wh * min(100.0, max(0.0, soc_percent)) / 100
        if plugged is not None and plugged != self.plugged:
            self.unplug()
            self.plugged = plugged

    def unplug(self) -> None:
        self.plugged, self.current_a = False, 0.0

    def offer(self, amps: float, now: datetime) -> None:
        """The charge point offers `amps` per phase (0: none); the car has followed 1-5 s later, its ramp included.

        IEC 61851-1 gives a car 5 s to bring its current below a lowered limit.
        """
        if amps == self._offer_a:
            return
        self._offer_a = amps
        self._changes += 1
        arrives = random.Random(f"{self.seed} reaction {self._changes}").uniform(1.0, 5.0)
        ramp = abs(amps - self.current_a) / RAMP_A_PER_S if amps >= LEAST_A else 0.0
        delay = max(1.0, arrives - ramp)
        self._pending.append((datetime.fromtimestamp(now.timestamp() + delay, now.tzinfo), amps))

    @property
    def moving(self) -> bool:
        """Whether the current is about to change: short steps are worth it."""
        return bool(self._pending) or (self.plugged and self.current_a != self._wanted_a())

    def drive_current(self, now: datetime, dt_s: float) -> None:
        """Ramp the current towards the offer in force over `dt_s`; never between 0 and 6 A."""
        while self._pending and self._pending[0][0] <= now:
            self._obeyed_a = self._pending.pop(0)[1]
        wanted = self._wanted_a()
        reach = RAMP_A_PER_S * dt_s
        current = min(max(wanted, self.current_a - reach), self.current_a + reach)
        if wanted == 0:
            current = 0.0
        elif current < LEAST_A:
            current = LEAST_A
        self.current_a = current

    def charge(self, ac_w: float, dt_s: float) -> float:
        """Take `ac_w` for `dt_s`; returns the energy lost in the on-board charger, Wh."""
        energy = ac_w * dt_s / 3600
        self.stored_wh += energy * EFFICIENCY
        return energy * (1 - EFFICIENCY)

    def most_w(self, dt_s: float) -> float:
        """Power that fills the battery exactly within `dt_s`, W."""
        return max(0.0, self.battery_wh - self.stored_wh) / EFFICIENCY / (dt_s / 3600)

    def _wanted_a(self) -> float:
        # a Wh short of full counts as full: the last one would keep the car asking for ever
        if not self.plugged or self._obeyed_a < LEAST_A or self.battery_wh - self.stored_wh < 1:
            return 0.0
        return min(self._obeyed_a, MOST_A, self._taper_a())

    def _taper_a(self) -> float:
        over = max(0.0, self.soc_percent - TAPER_FROM_PERCENT) / (100 - TAPER_FROM_PERCENT)
        return MOST_A - (MOST_A - LEAST_A) * min(1.0, over)

    def _arrive(self, local: datetime) -> float:
        needs = random.Random(f"{self.seed} road {local.date().isoformat()}").uniform(20_500, 23_500)
        before = self.stored_wh
        self.stored_wh = min(before, self.battery_wh - needs)
        self.plugged = True
        return before - self.stored_wh
