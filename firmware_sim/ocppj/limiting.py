"""What a firmware offers under its profiles and habits: pure, asked with `now`; A per phase and phases."""

from __future__ import annotations

import math
from collections.abc import Set
from datetime import datetime

from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.connector import Connector
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.profiles import CEILINGS, Profile, ProfileStore

MIN_A = 6.0


def told(
    connector: Connector, profiles: ProfileStore, options: Options, habits: Set[str], now: datetime
) -> tuple[float, int]:
    """What it tells it offers: 0, or 6 A and more up to its rating."""
    most = options.max_current_a
    allowed = profiles.allowed(now, connector.session(), connector.car.supply(), connector.number)
    if allowed is None or quirks.LIE in habits:
        return most, 3
    switches = options.switches_phases and quirks.PHASES_IGNORED not in habits
    phases = 1 if allowed.phases == 1 and switches else 3
    step = 1.0 if quirks.WHOLE_AMPS in habits else 10.0
    amps = math.floor(min(allowed.amps, most) * step + 1e-6) / step
    if amps < MIN_A:
        return (MIN_A if quirks.ZERO_IGNORED in habits else 0.0), phases
    return amps, phases


def really(amps: float, options: Options, habits: Set[str]) -> float:
    """What the car may take while `amps` are told."""
    if quirks.OFFERED_LIES in habits:
        return options.max_current_a
    return amps + 2.0 if quirks.OVER_BY_2 in habits and amps > 0 else amps


def heeds(profile: Profile, habits: Set[str]) -> bool:
    """Whether the firmware looks at an accepted profile at all."""
    if quirks.STACK0_HONOURED in habits and profile.stack_level > 0:
        return False
    return not (quirks.MAX_IGNORED in habits and profile.purpose in CEILINGS)
