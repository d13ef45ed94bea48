"""chargingProfile of OCPP 2.x (part 2 section 2.10) as the station's own profiles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from firmware_sim.ocppj.profiles import ALL_PHASES, EXTERNAL, Profile, received


def parse(evse: int, raw: dict[str, Any], now: datetime) -> Profile:
    """A chargingProfile object that fits its shape; the first of its schedules counts.

    Interpretation: several schedules are offers to a car with ISO 15118, and ours takes the first.
    """
    schedule = raw["chargingSchedule"][0]
    periods = tuple(
        (
            float(part["startPeriod"]),
            float(part.get("limit", part.get("setpoint", 0.0))),
            int(part.get("numberPhases", ALL_PHASES)),
        )
        for part in schedule["chargingSchedulePeriod"]
    )
    return received(evse, raw["id"], raw, schedule, periods, now)


def broken_rule(evse: int, raw: dict[str, Any], remote_start: bool = False) -> str | None:
    """The rule of block K the message breaks though its shape is right, None for none."""
    kind, purpose = raw["chargingProfileKind"], raw["chargingProfilePurpose"]
    schedule = raw["chargingSchedule"][0]
    if schedule["chargingSchedulePeriod"][0]["startPeriod"] != 0:
        return "the first period does not start at 0 (K01.FR.31)"
    if kind in ("Absolute", "Recurring") and "startSchedule" not in schedule:
        return f"{kind} without startSchedule (K01.FR.40)"
    if kind == "Relative" and "startSchedule" in schedule:
        return "Relative with startSchedule (K01.FR.41)"
    if purpose == "TxProfile" and "transactionId" not in raw and not remote_start:
        return "TxProfile without transactionId (K01.FR.03)"
    if purpose == "TxProfile" and evse == 0 and not remote_start:
        return "TxProfile on evse 0 (K01.FR.16)"
    if kind == "Relative" and purpose == "ChargingStationMaxProfile":
        return "Relative ceiling (K01.FR.38)"
    return None


def matches(wanted: dict[str, Any], held: Profile) -> bool:
    """Whether a ClearChargingProfile request means this profile (K10); external constraints stay (K10.FR.06)."""
    if held.purpose == EXTERNAL:
        return False
    if wanted.get("chargingProfileId") is not None:
        return bool(held.id == wanted["chargingProfileId"])
    return _meant(wanted.get("chargingProfileCriteria") or {}, held)


def asked(wanted: dict[str, Any], evse: int | None, held: Profile) -> bool:
    """Whether a GetChargingProfiles request means this profile (K09)."""
    ids = wanted.get("chargingProfileId")
    if ids:
        return held.id in ids
    return _meant({**wanted, **({} if evse is None else {"evseId": evse})}, held)


def _meant(wanted: dict[str, Any], held: Profile) -> bool:
    return (
        wanted.get("evseId") in (None, held.connector)
        and wanted.get("chargingProfilePurpose") in (None, held.purpose)
        and wanted.get("stackLevel") in (None, held.stack_level)
    )
