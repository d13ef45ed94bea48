"""The clear sky over Belgium: enough astronomy to shape an hour of sun."""

from __future__ import annotations

import math
from datetime import datetime

LATITUDE, LONGITUDE = math.radians(50.85), 4.35


def clear_sky_w_m2(at: datetime) -> float:
    """Global horizontal irradiance of a clear sky, W/m2 (Haurwitz 1945), 0 when the sun is down."""
    day = at.timetuple().tm_yday
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (day + 10) / 365.25)
    b = 2 * math.pi * (day - 81) / 364
    equation_min = 9.87 * math.sin(2 * b) - 7.53 * math.cos(b) - 1.5 * math.sin(b)
    solar_hour = at.hour + at.minute / 60 + at.second / 3600 + LONGITUDE / 15 + equation_min / 60
    angle = math.radians(15 * (solar_hour - 12))
    height = math.sin(LATITUDE) * math.sin(declination) + math.cos(LATITUDE) * math.cos(declination) * math.cos(angle)
    return 1098 * height * math.exp(-0.057 / height) if height > 0.005 else 0.0
