"""csChargingProfiles of OCPP 1.6 (section 7.8) as the station's own profiles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from firmware_sim.ocppj.profiles import ALL_PHASES, Profile, received


def parse(connector: int, raw: dict[str, Any], now: datetime) -> Profile:
    """A csChargingProfiles object that fits its shape."""
    schedule = raw["chargingSchedule"]
    periods = tuple(
        (float(part["startPeriod"]), float(part["limit"]), int(part.get("numberPhases", ALL_PHASES)))
        for part in schedule["chargingSchedulePeriod"]
    )
    return received(connector, raw["chargingProfileId"], raw, schedule, periods, now)


def matches(wanted: dict[str, Any], held: Profile) -> bool:
    """Whether a ClearChargingProfile request means this profile (section 5.5)."""
    if wanted.get("id") is not None:
        return bool(held.id == wanted["id"])
    connector, purpose, level = (
        wanted.get("connectorId"),
        wanted.get("chargingProfilePurpose"),
        wanted.get("stackLevel"),
    )
    return (
        (connector is None or held.connector == connector)
        and (purpose is None or held.purpose == purpose)
        and (level is None or held.stack_level == level)
    )
