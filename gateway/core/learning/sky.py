"""The clear sky."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import Array
from gateway.core.metering.sun import sun_height


def clear_sky_w_m2(at_s: NDArray[np.floating[Any]], latitude: float, longitude: float) -> Array:
    """Global horizontal irradiance under a clear sky, W/m2, at times in seconds since 1970 (Haurwitz 1945)."""
    height = sun_height(at_s, latitude, longitude)
    up = np.maximum(height, 1e-6)
    result: Array = np.where(height > 0, 1098.0 * up * np.exp(-0.057 / up), 0.0)
    return result
