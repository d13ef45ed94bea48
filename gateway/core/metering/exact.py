"""Sums of energy without rounding: amounts are whole multiples of 1/65536 Wh, which binary numbers add exactly."""

from __future__ import annotations

from collections.abc import Sequence

STEPS_PER_WH = 65536.0
"""Finer than any register, and a power of two: sums below 2^37 Wh stay exact."""


def exact(energy_wh: float) -> float:
    """The amount or register value, Wh, to the nearest 1/65536 Wh."""
    return round(energy_wh * STEPS_PER_WH) / STEPS_PER_WH


def divide(energy_wh: float, weights: Sequence[float]) -> list[float]:
    """An amount >= 0 in parts by weight (>= 0, not all 0), none negative, that sum to it exactly.

    What rounding leaves over goes to the heaviest part.
    """
    whole = sum(weights)
    amount = exact(energy_wh)
    parts = [int(amount * weight / whole * STEPS_PER_WH) / STEPS_PER_WH for weight in weights]
    heaviest = max(range(len(parts)), key=lambda index: weights[index])
    parts[heaviest] += amount - sum(parts) + (energy_wh - amount)
    return parts
