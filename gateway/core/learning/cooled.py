"""Days on which a heat pump that can also cool may have cooled: they teach nothing of how it heats."""

from __future__ import annotations

import numpy as np

from gateway.core.learning.blocks import SLOTS, Array

HEATING_LIMIT_C = 15.0
"""Mean outdoor temperature of a day above which homes are usually not heated (the heating limit of VDI 3807)."""


def may_cool(outdoor_c: Array) -> bool:
    """Whether a day with these outdoor temperatures (NaN unknown) may be one of cooling; so too when none is known."""
    known = outdoor_c[~np.isnan(outdoor_c)]
    return not known.size or float(known.mean()) > HEATING_LIMIT_C


def heating_only(power_w: Array, outdoor_c: Array) -> Array:
    """The power of whole days of quarter hours, NaN on the days on which it may have cooled."""
    days, outdoor = power_w.reshape(-1, SLOTS).copy(), outdoor_c.reshape(-1, SLOTS)
    days[[may_cool(day) for day in outdoor]] = np.nan
    return days.reshape(-1)
