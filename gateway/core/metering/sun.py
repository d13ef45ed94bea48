"""Where the sun stands: enough to say whether panels can produce, and for the solar forecast's clear sky."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TWILIGHT_DEG = -6.0
"""Until the end of civil twilight panels may still give a few watts."""


def sun_vector(at_s: NDArray[np.floating[Any]], latitude: float, longitude: float) -> tuple[Array, Array, Array]:
    """The unit vector to the sun, east, north and up, at times in seconds since 1970, for degrees north and east.

    Cooper's declination and Spencer's equation of time: good to a degree, which is plenty here.
    """
    day = (at_s / 86400.0 - 0.5) % 365.2422
    angle = 2 * np.pi * day / 365.2422
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + day + 1) / 365.2422)
    minutes = 229.18 * (
        0.000075 + 0.001868 * np.cos(angle) - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle) - 0.040849 * np.sin(2 * angle)
    )  # fmt: skip
    solar_hour = (at_s / 3600.0 + longitude / 15.0 + minutes / 60.0) % 24.0
    turn = np.radians(15.0 * (solar_hour - 12.0))
    phi = np.radians(latitude)
    east: Array = -np.cos(declination) * np.sin(turn)
    north: Array = np.cos(phi) * np.sin(declination) - np.sin(phi) * np.cos(declination) * np.cos(turn)
    up: Array = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(turn)
    return east, north, up


def sun_height(at_s: NDArray[np.floating[Any]], latitude: float, longitude: float) -> Array:
    """The sine of the sun's elevation, as `sun_vector`."""
    return sun_vector(at_s, latitude, longitude)[2]


def sun_up(when: datetime, latitude: float, longitude: float) -> bool:
    """Whether panels can give anything at `when`: the sun stands above the end of civil twilight."""
    height = sun_height(np.array([when.timestamp()]), latitude, longitude)[0]
    return bool(height > math.sin(math.radians(TWILIGHT_DEG)))
