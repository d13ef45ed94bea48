"""The outdoor temperature of past days: the home's own sensors, else what was told."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.local_hours import STEP_S, LocalHours
from gateway.core.learning.quarters import means
from gateway.core.learning.told import Told
from gateway.model.quantity import Quantity
from gateway.model.site import Site
from gateway.ports import ReadingStore

Array = NDArray[np.float64]
PART = 4 * 96
"""Minutes are many, and each question waits its turn at the store: four days at a time."""


async def outdoor_quarters(site: Site, store: ReadingStore, days: LocalHours, told: Told) -> Array:
    """degC by quarter hour of some days; NaN where nobody knows it. Raises StoreError."""
    own = []
    for first in range(0, days.count, PART):
        begin, size = days.start + timedelta(seconds=STEP_S * first), min(PART, days.count - first)
        end = begin + timedelta(seconds=STEP_S * size)
        sensed = [
            means(await store.rollups(device.id, Quantity.OUTDOOR_TEMPERATURE.value, begin, end), begin, size)
            for device in site.devices
        ]
        table = np.array(sensed).reshape(-1, size)
        seen = np.isfinite(table).sum(axis=0)
        own.append(np.where(seen > 0, np.nansum(table, axis=0) / np.maximum(seen, 1), np.nan))
    measured = np.concatenate(own)
    result: Array = np.where(np.isnan(measured), told.quarters(days.start, days.count), measured)
    return result
