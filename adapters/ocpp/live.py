"""What is known of one connector now: its phase and its last samples; replayed history never counts."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from adapters.ocpp.drawn import Told, told
from adapters.ocpp.samples import NOMINAL_V, Sample
from gateway.model.quantity import CURRENTS, VOLTAGES, Quantity
from gateway.model.reading import Reading
from gateway.model.snapshot import ChargePhase
from gateway.ports import Clock

LATE_S = 60.0
"""A sample older than this (and than three sampling intervals) is history, s of home time; so is a status."""
PROMPT_S = 5.0
"""A sample no older than this by its charger's clock is in time, s of home time."""
SAME_S = 5.0
"""Skews so close to each other are the same, s of home time."""
STALE_INTERVALS = 3
REAL_FLOOR_S = 2.0
"""Ages below this many seconds of the world never count, however fast home time runs."""
RISES_KEPT = 200
MOST_W = 60_000.0
"""More power than this is a register that jumped."""
_DRAW = (Quantity.POWER, *CURRENTS)


class Freshness:
    """Tells live samples from replayed ones, and how old they are, by the charger's own stamps, even of a wrong clock.

    A charger whose clock is off still sends samples as far apart as they arrive; a replayed queue arrives in a burst,
    and is history however young it is: nobody knows what else waited in it. So is what a charger sends after it was
    away, until it is in time again. A single late sample is live, but as old as its stamp says.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.skew_s = 0.0
        """How far the charger's clock is behind ours, s; negative: ahead; 0 where it is in time, or not known."""
        self.in_time = 0
        """How many samples in a row came as far apart as they were stamped, and told this skew."""
        self._previous: tuple[datetime, float] | None = None
        self._was_away = False

    def reboot(self) -> None:
        """Its clock may have been set."""
        self.skew_s, self.in_time, self._previous = 0.0, 0, None

    def line_changed(self) -> None:
        """The line was, or is, interrupted: what was measured meanwhile comes first."""
        self._was_away = self._was_away or self._previous is not None

    def age_s(self, time: datetime | None, interval_s: float) -> float | None:
        """How old a sample stamped `time` is that arrives now, s of home time; None when it is history."""
        if time is None:
            return 0.0
        floor_s = REAL_FLOOR_S * self._clock.speed
        prompt_s, late_s = max(PROMPT_S, floor_s), max(LATE_S, STALE_INTERVALS * interval_s, floor_s)
        age_s, stamped_s, arrived_s = (self._clock.now() - time).total_seconds(), *self._steps(time)
        near_s = max(1.0, 0.2 * arrived_s)
        if arrived_s >= 1.0 and abs(stamped_s - arrived_s) <= near_s:
            skew_s = age_s if abs(age_s) > prompt_s else 0.0
            is_same = self.in_time >= 2 and abs(skew_s - self.skew_s) <= SAME_S
            self.skew_s, self.in_time = skew_s, self.in_time + 1 if is_same else 2
        else:
            self.in_time = 1
        self._previous = (time, self._clock.monotonic())
        age_s -= self.skew_s
        is_prompt = abs(age_s) <= prompt_s
        self._was_away = self._was_away and not is_prompt
        is_single = not self._was_away and abs(age_s) <= late_s and stamped_s - arrived_s <= near_s
        return max(0.0, age_s) if is_prompt or is_single else None

    def _steps(self, time: datetime) -> tuple[float, float]:
        """How far from the sample before it was stamped, and it arrived, s."""
        if self._previous is None:
            return 0.0, 0.0
        return (time - self._previous[0]).total_seconds(), self._clock.monotonic() - self._previous[1]


class LiveState:
    """Status and values of one connector; `interval_s` is the sampling interval it agreed to."""

    def __init__(self, device: str, phases: tuple[int, ...], clock: Clock, interval_s: float) -> None:
        self._device = device
        self._clock = clock
        self._freshness = Freshness(clock)
        self._values: dict[Quantity, tuple[float, float, datetime | None]] = {}
        self._told: datetime | None = None
        self._idle_draw = (Quantity.POWER, *(CURRENTS[phase - 1] for phase in phases))
        self._resting = False
        """Whether power and currents are zeros that were concluded, not measured."""
        self._registers: deque[tuple[float, float]] = deque(maxlen=RISES_KEPT)
        """(monotonic home s, Wh) of the last live registers, rising."""
        self._power_of = 0
        """Of how many phases the power held was told, one by one; 0: of the whole."""
        self._sampled_at: float | None = None
        """When the last power or current was sampled, monotonic home s."""
        self.idle_told = False
        """Whether nothing is plugged in, or the charger says itself that it does not charge."""
        self.phase: ChargePhase | None = None
        """Where the connector stands; None before the first word about it."""
        self.interval_s = interval_s
        self.stamps_late = False
        """Whether its clock is known to be right, though its samples are stamped well before they come."""
        self.error = ""

    # ---- status

    def take_status(self, phase: ChargePhase, time: datetime | None, *, idle: bool = False) -> bool:
        """One status with the charger's own time; False when it is history, older than what is held.

        `idle`: it says itself that it does not charge. "Occupied" of OCPP 2.x says no such thing, and unsays none.
        """
        if self._told and time and time < self._told and self._clock.now() - time > timedelta(seconds=LATE_S):
            return False
        still = self.idle_told and self.phase is ChargePhase.PLUGGED
        self.assume(phase, idle=idle or still)
        self._told = time or self._told
        return True

    def is_later(self, time: datetime | None) -> bool:
        """Whether a status of this time comes after the one that is held."""
        return time is None or self._told is None or time > self._told

    def assume(self, phase: ChargePhase, *, idle: bool = False) -> None:
        """What a transaction message or a power implies for chargers that send no status; `idle` as told by it."""
        self.phase = phase
        self.idle_told = phase is ChargePhase.AVAILABLE or (phase is ChargePhase.PLUGGED and idle)
        self._resting &= self.idle_told

    def reboot(self) -> None:
        """The charger started anew: its clock may have been set."""
        self._freshness.reboot()
        self._told, self.stamps_late = None, False

    def line_changed(self) -> None:
        """The connection ended or is a new one: a plugged car may have begun to charge meanwhile."""
        self._resting = False
        self._freshness.line_changed()
        if self.phase is ChargePhase.PLUGGED:
            self.assume(ChargePhase.PLUGGED)

    @property
    def skew_s(self) -> float:
        """How far the charger's clock is behind ours by the stamps of its samples, s; negative: ahead."""
        return self._freshness.skew_s

    @property
    def samples_in_time(self) -> int:
        """How many samples in a row told that skew."""
        return self._freshness.in_time

    # ---- values

    def take_sample(self, sample: Sample) -> list[Reading]:
        """Keep a live sample and return its readings; nothing for a replayed one or one without values."""
        age_s = self._freshness.age_s(sample.time, self.interval_s)
        if age_s is None:
            return []
        arrived = self._clock.monotonic()
        time, taken = self._clock.now() - timedelta(seconds=age_s), arrived - age_s
        if not sample.values.keys().isdisjoint(_DRAW):
            self._resting = False
            self._sampled_at = max(taken, self._sampled_at or taken)
        readings = [
            Reading(self._device, quantity, value, time)
            for quantity, value in sample.values.items()
            if self._is_newest(quantity, sample.time, age_s)
        ]
        for reading in readings:
            if reading.value is not None:
                self._values[reading.quantity] = (reading.value, arrived, sample.time)
            if reading.quantity is Quantity.POWER:
                self._power_of = sample.power_of
            if reading.quantity is Quantity.ENERGY_IMPORT and reading.value is not None:
                self._take_register(reading.value, taken)
        return readings

    def _take_register(self, register_wh: float, at: float) -> None:
        held = self._registers
        if held and register_wh < held[-1][1]:
            held.clear()
        if held and at - held[-1][0] < 1.0:
            held.pop()  # two of the same second tell no power
        held.append((at, register_wh))
        # No longer than a limit may take to be seen working: a car that follows is never shown as one that does not.
        while len(held) > 2 and at - held[0][0] > STALE_INTERVALS * self.interval_s:
            held.popleft()

    def _is_newest(self, quantity: Quantity, time: datetime | None, age_s: float) -> bool:
        """By the charger's own stamps, except where its clock was just set back."""
        held = self._values.get(quantity, (0.0, 0.0, None))[2]
        if held is None or time is None or time >= held:
            return True
        return age_s <= self.interval_s

    def idle(self) -> list[Reading]:
        """Readings of a charger whose contactor is open: no power, no current; concluded, so no sample (see `resting`)."""
        self._resting = True
        self._registers.clear()
        for quantity in _DRAW:
            self._values.pop(quantity, None)
        now = self._clock.now()
        return [Reading(self._device, quantity, 0.0, now) for quantity in self._idle_draw]

    @property
    def resting(self) -> bool:
        """Whether power and currents are zeros that were concluded, not measured: they prove nothing of a limit."""
        return self._resting

    def power_w(self) -> float | None:
        """What the car draws, W: as told, else derived from fresh currents and voltages, else from the register's rise.

        None while none of them is known; a derived power is shown and accounted, never given on as a reading.
        """
        told = self.value(Quantity.POWER)
        if told is not None and not self._resting:
            return told
        derived = None if self._resting else self._by_current_w()
        if derived is None:
            derived = self._by_register_w()
        return told if derived is None else derived

    def measured(self) -> Told | None:
        """The fresh power as told, else by the currents; None where neither is, never by the register."""
        power_w, wired = self.value(Quantity.POWER), len(self._idle_draw) - 1
        if power_w is not None:
            return told(power_w, self._power_of, wired)
        power_w = self._by_current_w()
        known = sum(self.value(quantity) is not None for quantity in CURRENTS)
        return None if power_w is None else told(power_w, known, wired)

    def measured_then(self, sample: Sample) -> Told | None:
        """The power that a sample of another time told; None where it told none."""
        power_w = sample.values.get(Quantity.POWER)
        return None if power_w is None else told(power_w, sample.power_of, len(self._idle_draw) - 1)

    def _by_current_w(self) -> float | None:
        default = self.voltage_v(NOMINAL_V)
        volts = {phase: value for phase, q in enumerate(VOLTAGES) if (value := self.value(q)) and 100.0 < value < 300.0}
        known = [(phase, amps) for phase, q in enumerate(CURRENTS) if (amps := self.value(q)) is not None]
        return sum(amps * volts.get(phase, default) for phase, amps in known) if known else None

    def _by_register_w(self) -> float | None:
        if len(self._registers) < 2 or self.value(Quantity.ENERGY_IMPORT) is None:
            return None
        (began, first), (at, last) = self._registers[0], self._registers[-1]
        power = (last - first) * 3600 / (at - began)
        # A pause of the samples in between says nothing of now.
        return power if at - began <= 2 * self._stale_after_s() and power <= MOST_W else None

    def value(self, quantity: Quantity) -> float | None:
        """The last value while it is fresh, else None: a stale value is unknown, never 0; see `resting`."""
        if self._resting and quantity in self._idle_draw:
            return 0.0
        held = self._values.get(quantity)
        return held[0] if held and self._clock.monotonic() - held[1] <= self._stale_after_s() else None

    def age_s(self) -> float | None:
        """Seconds of home time since the last power or current was sampled; None when none was."""
        return None if self._sampled_at is None else self._clock.monotonic() - self._sampled_at

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
