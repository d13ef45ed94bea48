"""An electric car on a charger of its own, without a house: battery with taper, phases, start delay, moods.

offered --- start delay ---> ramp 4 A/s ---> as offered, as the car can, as the battery takes ---> full
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

RAMP_A_PER_S = 4.0
LOSS = 0.08
LONGEST_STEP_S = 5.0
FULL_WITHIN_WH = 1.0
VOLTS = (230.0, 230.0, 230.0)


@dataclass(frozen=True)
class Kind:
    """How the car was built: Wh, A, s, percent."""

    battery_wh: float = 60_000.0
    phases: int = 3
    least_a: float = 6.0
    most_a: float = 16.0
    start_delay_s: float = 3.0
    """From the first offer to the first current."""
    reaction_s: float = 1.0
    """From a changed offer to a changed current (IEC 61851-1 allows 5 s)."""
    wakes: bool = True
    """False: after a pause it sleeps until it is plugged in again."""
    taper_from_percent: float = 90.0


@dataclass
class Ev:
    """One car at one connector; the register is the charger's own and counts for its whole life, Wh."""

    kind: Kind = field(default_factory=Kind)
    stored_wh: float = 30_000.0
    plugged: bool = False
    register_wh: float = 0.0
    current_a: float = 0.0
    using_phases: int = 3
    asleep: bool = False
    _offer: tuple[float, int] = (0.0, 3)
    _obeyed: tuple[float, int] = (0.0, 3)
    _obeys_at: datetime | None = None
    _drew: bool = False
    _at: datetime | None = None

    @property
    def soc_percent(self) -> float:
        """State of charge."""
        return min(100.0, 100 * self.stored_wh / self.kind.battery_wh)

    @property
    def currents_a(self) -> tuple[float, float, float]:
        """A on L1, L2 and L3; a one-phase car sits on L1."""
        used = min(self.kind.phases, self.using_phases)
        return tuple(self.current_a if phase < used else 0.0 for phase in range(3))  # type: ignore[return-value]

    @property
    def power_w(self) -> float:
        """W at the plug."""
        return sum(amps * volts for amps, volts in zip(self.currents_a, VOLTS, strict=True))

    def plug(self, soc_percent: float | None = None) -> None:
        """Arrive, with the battery as it is or at `soc_percent`."""
        if soc_percent is not None:
            self.stored_wh = self.kind.battery_wh * soc_percent / 100
        self.plugged = True

    def unplug(self) -> None:
        """Depart."""
        self.plugged, self.current_a, self.asleep, self._drew = False, 0.0, False, False
        self._offer = self._obeyed = (0.0, 3)
        self._obeys_at = None

    def offer(self, amps: float, phases: int, now: datetime) -> None:
        """The charger offers `amps` per phase on 1 or 3 phases from `now` on; 0 cuts the power at once."""
        self.advance(now)
        self._offer = (amps, phases)
        if amps < self.kind.least_a:
            self.asleep = self.asleep or (self._drew and not self.kind.wakes)
        delay = self.kind.reaction_s if self._drew else self.kind.start_delay_s
        self._obeys_at = datetime.fromtimestamp(now.timestamp() + delay, now.tzinfo)

    def advance(self, now: datetime) -> None:
        """Integrate from where it stood."""
        if self._at is None:
            self._at = now
        left_s = (now - self._at).total_seconds()
        while left_s > 0:
            step_s = min(left_s, LONGEST_STEP_S if self._settled() else 0.5)
            self._at = datetime.fromtimestamp(self._at.timestamp() + step_s, now.tzinfo)
            self._step(self._at, step_s)
            left_s -= step_s
        self._at = now

    def _settled(self) -> bool:
        return self._obeys_at is None and abs(self.current_a - self._wanted_a()) < 0.01

    def _step(self, now: datetime, step_s: float) -> None:
        if self._obeys_at is not None and now >= self._obeys_at:
            self._obeyed, self._obeys_at = self._offer, None
        wanted, reach = self._wanted_a(), RAMP_A_PER_S * step_s
        current = min(max(wanted, self.current_a - reach), self.current_a + reach)
        self.current_a = 0.0 if wanted == 0 else max(current, self.kind.least_a)
        self.using_phases = self._obeyed[1]
        self._drew = self._drew or self.current_a > 0
        energy_wh = self.power_w * step_s / 3600
        self.register_wh += energy_wh
        self.stored_wh = min(self.kind.battery_wh, self.stored_wh + energy_wh * (1 - LOSS))

    def _wanted_a(self) -> float:
        amps, kind = self._obeyed[0], self.kind
        full = kind.battery_wh - self.stored_wh < FULL_WITHIN_WH
        if not self.plugged or self.asleep or full or amps < kind.least_a:
            return 0.0
        return min(amps, kind.most_a, self._taper_a())

    def _taper_a(self) -> float:
        kind = self.kind
        over = max(0.0, self.soc_percent - kind.taper_from_percent) / (100 - kind.taper_from_percent)
        return kind.most_a - (kind.most_a - kind.least_a) * min(1.0, over)
