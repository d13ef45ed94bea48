"""How the home's panels lie, learned of its own clear moments, and what a clear sky sends onto them.

Horizontal light says little of a tilted roof: in winter a clear sky gives a steep one several times as much, in spring
the share falls within weeks, and no fault is in it. Some hundred planes are tried; the one that explains the most clear
moments by one and the same ratio is taken, and none where too few agree (several roofs, shade): then nothing is judged.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gateway.core.learning.alerts.usual import Floats
from gateway.core.learning.sky import clear_sky_w_m2
from gateway.core.metering.sun import sun_vector

LEAST_SKY_W_M2 = 250.0
"""Below this horizontal clear-sky light the sun is so low that the air and the horizon decide."""
DIFFUSE = 0.15
"""The share of a clear sky's light that comes from all directions."""
STRETCH, SMOOTH = 8, 0.03
"""Quarters in which the power follows a parabola so closely, as a share of its mean: no cloud passed."""
TILTS, TURNS = range(10, 91, 10), range(0, 360, 15)
MOST_MOMENTS = 600
LEAST_MOMENTS, LEAST_DAYS = 40, 8
NEAR = 0.06
"""Moments within so much of one ratio agree."""
LEAST_AGREE = 0.7
"""So many of the moments that are no even cloud must agree."""
CLEAR_FROM, LEAST_CLEAR = 0.7, 0.25
"""A moment below so much of the ratio is an even layer of cloud; at least so many of all smooth moments are clear."""


def smooth_moments(made_w: Floats) -> Floats:
    """The power in the middle of each smooth stretch, days x 96 W, nan elsewhere; `made_w` >= 0."""
    windows = sliding_window_view(made_w, STRETCH, axis=1)
    basis = np.vander(np.arange(STRETCH) - (STRETCH - 1) / 2, 3)
    off = np.abs(windows @ (np.eye(STRETCH) - basis @ np.linalg.pinv(basis))).max(axis=2)
    mean = windows.mean(axis=2)
    with np.errstate(invalid="ignore"):
        smooth = (mean > 0) & (off <= SMOOTH * mean)
    found = np.full_like(made_w, np.nan)
    middle = found[:, STRETCH // 2 : STRETCH // 2 + smooth.shape[1]]
    middle[smooth] = windows[:, :, STRETCH // 2][smooth]
    return found


def on_roof(made_w: Floats, at_s: Floats, latitude: float, longitude: float, learn_days: int) -> Floats | None:
    """W/m2 that a clear sky sends onto the panels, days x 96 as `made_w`, 0 for a low sun; None where it is not known.

    `at_s` is the middle of each quarter in seconds since 1970, nan where the day has none. The plane is learned of the
    first `learn_days` days, so that what is to be judged has no part in it.
    """
    sky = np.nan_to_num(clear_sky_w_m2(at_s, latitude, longitude))
    sun = np.nan_to_num(np.stack(sun_vector(at_s, latitude, longitude)))
    high = sky >= LEAST_SKY_W_M2
    seen = smooth_moments(made_w[:learn_days])
    use = np.isfinite(seen) & high[:learn_days]
    if use.any(axis=1).sum() < LEAST_DAYS or use.sum() < LEAST_MOMENTS:
        return None
    pick = np.flatnonzero(use)[:: max(1, int(use.sum()) // MOST_MOMENTS)]
    power, there = seen.ravel()[pick], _planes(sky.ravel()[pick], sun.reshape(3, -1)[:, pick])
    ratio = np.where(there >= LEAST_SKY_W_M2 / 2, power / np.maximum(there, 1.0), np.nan)
    best, level = _agreement(ratio)
    clear = (ratio[best] >= CLEAR_FROM * level) & np.isfinite(ratio[best])
    near = np.abs(ratio[best] - level) <= 2 * NEAR * level
    if clear.sum() < max(LEAST_MOMENTS / 2, LEAST_CLEAR * pick.size) or near[clear].mean() < LEAST_AGREE:
        return None
    light = _planes(sky.ravel(), sun.reshape(3, -1), best).reshape(sky.shape)
    return np.where(high, light, 0.0)


def _planes(sky: Floats, sun: Floats, only: int | None = None) -> Floats:
    """Clear-sky light on each plane tried (or one), planes x moments; `sun` is east, north, up x moments."""
    lies = [(0.0, 0.0)] + [(np.radians(tilt), np.radians(turn)) for tilt in TILTS for turn in TURNS]
    normal = np.array([(np.sin(t) * np.sin(a), np.sin(t) * np.cos(a), np.cos(t)) for t, a in lies])
    normal = normal if only is None else normal[only : only + 1]
    beam = np.maximum(normal @ sun, 0.0) / np.maximum(sun[2], 0.05)
    return np.asarray(sky * ((1 - DIFFUSE) * beam + DIFFUSE * (1 + normal[:, 2:]) / 2))


def _agreement(ratio: Floats) -> tuple[int, float]:
    """The plane, and its ratio in W per W/m2, to which most moments agree; planes x moments, nan: too little light."""
    top = np.nanquantile(np.where(np.isfinite(ratio).any(axis=1, keepdims=True), ratio, 0.0), 0.9, axis=1)
    levels = top[:, None] * np.linspace(0.5, 1.1, 31)
    count = [np.sum(np.abs(ratio - level[:, None]) <= NEAR * level[:, None], axis=1) for level in levels.T]
    plane, at = np.unravel_index(int(np.argmax(np.array(count).T)), levels.shape)
    return int(plane), float(levels[plane, at])
