"""What is known of one connector now: its phase and its last samples; replayed history never counts."""

from __future__ import annotations

from datetime import datetime, timedelta

from adapters.ocpp.samples import Sample
from gateway.model.quantity import CURRENTS, VOLTAGES, Quantity
from gateway.model.reading import Reading
from gateway.model.snapshot import ChargePhase
from gateway.ports import Clock

LATE_S = 60.0
"""A sample older than this (and than three sampling intervals) is history, s of home time."""
STALE_INTERVALS = 3
REAL_FLOOR_S = 2.0
"""Ages below this many seconds of the world never count, however fast home time runs."""


class Freshness:
    """Tells live samples from replayed ones by the charger's own timestamps, even when its clock is wrong.

    A charger whose clock is off still sends samples as far apart as they arrive; a replayed queue arrives in a burst.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._skew = timedelta(0)
        self._previous: tuple[datetime, float] | None = None

    def is_live(self, time: datetime | None, interval_s: float) -> bool:
        """Whether a sample stamped `time`, arriving now, tells of now."""
        if time is None:
            return True
        late = timedelta(seconds=max(LATE_S, STALE_INTERVALS * interval_s, REAL_FLOOR_S * self._clock.speed))
        age = self._clock.now() - time
        if self._streams(time):
            self._skew = age if abs(age) > late else timedelta(0)
        self._previous = (time, self._clock.monotonic())
        return abs(age) <= late or abs(age - self._skew) <= late

    def stamp(self, time: datetime | None) -> datetime:
        """The home time of a live sample: its own when the charger's clock is right, else now."""
        now = self._clock.now()
        return time if time is not None and not self._skew and time <= now else now

    def _streams(self, time: datetime) -> bool:
        if self._previous is None:
            return False
        stamped = (time - self._previous[0]).total_seconds()
        arrived = self._clock.monotonic() - self._previous[1]
        return arrived >= 1.0 and abs(stamped - arrived) <= max(1.0, 0.2 * arrived)


class LiveState:
    """Status and values of one connector; `interval_s` is the sampling interval it agreed to."""

    def __init__(self, device: str, phases: tuple[int, ...], clock: Clock, interval_s: float) -> None:
        self._device = device
        self._phases = phases
        self._clock = clock
        self._freshness = Freshness(clock)
        self._values: dict[Quantity, tuple[float, float, datetime | None]] = {}
        self._told: datetime | None = None
        self.phase: ChargePhase | None = None
        """Where the connector stands; None before the first word about it."""
        self.interval_s = interval_s
        self.error = ""

    # ---- status

    def take_status(self, phase: ChargePhase, time: datetime | None) -> bool:
        """One status with the charger's own time; False when it is history, older than what is held."""
        if self._told and time and time < self._told and self._clock.now() - time > timedelta(seconds=LATE_S):
            return False
        self.phase, self._told = phase, time or self._told
        return True

    def is_later(self, time: datetime | None) -> bool:
        """Whether a status of this time comes after the one that is held."""
        return time is None or self._told is None or time > self._told

    def assume(self, phase: ChargePhase) -> None:
        """What a transaction message or a power implies for chargers that send no status."""
        self.phase = phase

    def reboot(self) -> None:
        """The charger started anew: its clock may have been set."""
        self._freshness = Freshness(self._clock)
        self._told = None

    # ---- values

    def take_sample(self, sample: Sample) -> list[Reading]:
        """Keep a live sample and return its readings; nothing for a replayed one or one without values."""
        if not self._freshness.is_live(sample.time, self.interval_s):
            return []
        time, arrived = self._freshness.stamp(sample.time), self._clock.monotonic()
        readings = [
            Reading(self._device, quantity, value, time)
            for quantity, value in sample.values.items()
            if self._is_newest(quantity, sample.time)
        ]
        for reading in readings:
            if reading.value is not None:
                self._values[reading.quantity] = (reading.value, arrived, sample.time)
        return readings

    def _is_newest(self, quantity: Quantity, time: datetime | None) -> bool:
        """By the charger's own stamps, except where its clock was just set back."""
        held = self._values.get(quantity, (0.0, 0.0, None))[2]
        if held is None or time is None or time >= held:
            return True
        return abs(self._clock.now() - time) <= timedelta(seconds=self.interval_s)

    def idle(self) -> list[Reading]:
        """Readings of a charger whose contactor is open: no power, no current; truth as long as the line lives."""
        zero = Sample(None, dict.fromkeys((Quantity.POWER, *(CURRENTS[phase - 1] for phase in self._phases)), 0.0))
        return self.take_sample(zero)

    def value(self, quantity: Quantity) -> float | None:
        """The last value while it is fresh, else None: a stale value is unknown, never 0."""
        held = self._values.get(quantity)
        return held[0] if held and self._clock.monotonic() - held[1] <= self._stale_after_s() else None

    def age_s(self) -> float | None:
        """Seconds of home time since the last power or current value; None when there was none."""
        times = [held[1] for quantity in (Quantity.POWER, *CURRENTS) if (held := self._values.get(quantity))]
        return self._clock.monotonic() - max(times) if times else None

    def voltage_v(self, default: float) -> float:
        """Mean of the fresh phase voltages, V, or `default`."""
        known = [value for quantity in VOLTAGES if (value := self.value(quantity)) and 100.0 < value < 300.0]
        return sum(known) / len(known) if known else default

    def active_phases(self, threshold_a: float = 1.0) -> int | None:
        """How many phases the car draws on; None while it draws nothing that is known."""
        drawing = [value for quantity in CURRENTS if (value := self.value(quantity)) and value >= threshold_a]
        return len(drawing) or None

    def _stale_after_s(self) -> float:
        return max(STALE_INTERVALS * self.interval_s, REAL_FLOOR_S * self._clock.speed)
