"""Tiers: what a kWh costs more by how much was imported in the local day or month so far."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from gateway.core.tariff.rates import vat_factor
from gateway.core.tariff.windows import midnight
from gateway.model.tariff import Period, Tariff, Tiers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def marginal_tier_micro(tariff: Tariff, so_far_wh: float, when: datetime) -> float:
    """What the next kWh costs more at `when`, micro-units with VAT, after `so_far_wh` in the running period."""
    for up_to_wh, add in tier_steps(tariff, when):
        if up_to_wh is None or so_far_wh < up_to_wh:
            return add
    return 0.0


def tier_steps(tariff: Tariff, when: datetime) -> list[tuple[float | None, float]]:
    """(up to Wh or None, micro-units per kWh with VAT) of the period that holds `when`; empty without tiers."""
    tariff = tariff.at(when)
    if tariff.tiers is None:
        return []
    day = when.astimezone(tariff.timezone).date()
    scale = vat_factor(tariff)
    bounds = thresholds(tariff.tiers, day)
    return [(bound, step.add_micro_per_kwh * scale) for bound, step in zip(bounds, tariff.tiers.steps, strict=True)]


def thresholds(tiers: Tiers, day: date) -> list[float | None]:
    """Up to how many Wh each step holds in the period of a local day; None: all above."""
    factor = monthrange(day.year, day.month)[1] if tiers.per_day else 1
    return [None if step.up_to_wh is None else step.up_to_wh * factor for step in tiers.steps]


def tier_period(tariff: Tariff, when: datetime) -> tuple[datetime, datetime]:
    """Start and end, aware UTC, of the local day or month over which tiers count; a month without tiers."""
    tariff = tariff.at(when)
    day = when.astimezone(tariff.timezone).date()
    if tariff.tiers is not None and tariff.tiers.period is Period.DAY:
        return midnight(tariff, day), midnight(tariff, day + timedelta(days=1))
    first = day.replace(day=1)
    return midnight(tariff, first), midnight(tariff, (first + timedelta(days=31)).replace(day=1))


def tier_index(tariff: Tariff, starts: Sequence[datetime]) -> NDArray[np.int64]:
    """The number of the tier period each slot starts in, 0 = that of the first slot."""
    import numpy as np

    from gateway.core.tariff.pieces import local_days, stamps

    days = local_days(tariff, stamps(starts))
    if tariff.tiers is None or tariff.tiers.period is not Period.DAY:
        days = days.astype("datetime64[M]")
    numbers = days.astype(np.int64)
    return np.asarray(numbers - numbers[:1]) if len(numbers) else numbers
