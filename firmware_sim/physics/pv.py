"""Six kilowatt-peak on the roof."""

from __future__ import annotations

PEAK_W = 6_000.0
PERFORMANCE = 0.92
PER_DEGREE = -0.004


def dc_available_w(irradiance_w_m2: float, outdoor_c: float) -> float:
    """DC power the panels could give, W >= 0 (the sign is turned where parts are summed)."""
    cell_c = outdoor_c + irradiance_w_m2 * 0.03
    factor = 1 + PER_DEGREE * (cell_c - 25)
    return max(0.0, PEAK_W * irradiance_w_m2 / 1000 * PERFORMANCE * factor)
