"""The house connection: voltages, currents, counters and the peaks a test wants to know."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sin

NOMINAL_V = 232.0
LINE_OHM = 0.12
SWING_V = ((1.4, 830.0), (0.5, 97.0), (0.2, 13.0))
"""A street's voltage is never still: (amplitude V, period s) of what its other homes do to it."""
THRESHOLDS_A = (16, 20, 25, 32, 35)


class Grid:
    """Three phases; counters net over the phases, as a Ferraris-like utility meter counts."""

    def __init__(self, import_wh: float, export_wh: float) -> None:
        self.import_wh, self.export_wh = import_wh, export_wh
        self.phase_import_wh, self.phase_export_wh = [import_wh / 3] * 3, [export_wh / 3] * 3
        self.elapsed_s = 0.0
        self.power_w = [0.0, 0.0, 0.0]
        self.voltage_v = [NOMINAL_V] * 3
        self.current_a = [0.0, 0.0, 0.0]
        self.highest_a = [0.0, 0.0, 0.0]
        self.longest_s = {limit: [0.0, 0.0, 0.0] for limit in THRESHOLDS_A}
        self._run_s = {limit: [0.0, 0.0, 0.0] for limit in THRESHOLDS_A}

    def step(self, power_w: Sequence[float], dt_s: float) -> None:
        """Carry `power_w` per phase (import positive) for `dt_s`."""
        self.power_w = list(power_w)
        self.elapsed_s += dt_s
        self.voltage_v = [self._street_v(phase) - LINE_OHM * power / NOMINAL_V for phase, power in enumerate(power_w)]
        self.current_a = [abs(power) / volts for power, volts in zip(power_w, self.voltage_v, strict=True)]
        energy = sum(power_w) * dt_s / 3600
        self.import_wh += max(energy, 0.0)
        self.export_wh += max(-energy, 0.0)
        for phase, power in enumerate(power_w):
            self.phase_import_wh[phase] += max(power, 0.0) * dt_s / 3600
            self.phase_export_wh[phase] += max(-power, 0.0) * dt_s / 3600
            self._watch(phase, dt_s)

    def _street_v(self, phase: int) -> float:
        swing = (volts * sin(2 * pi * self.elapsed_s / period + 2 * phase) for volts, period in SWING_V)
        return NOMINAL_V + sum(swing)

    def _watch(self, phase: int, dt_s: float) -> None:
        current = self.current_a[phase]
        self.highest_a[phase] = max(self.highest_a[phase], current)
        for limit in THRESHOLDS_A:
            run = self._run_s[limit][phase] + dt_s if current > limit else 0.0
            self._run_s[limit][phase] = run
            self.longest_s[limit][phase] = max(self.longest_s[limit][phase], run)
