"""Charging profiles of OCPP 2.0.1 and 2.1 (use cases K01, K05, K08, K10): the encoding of the ways of limiting; pure.

What 2.1 added is absent: a limit on charging needs none of it, and 2.0.1 chargers would refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.ocpp.rungs import COMPOSITE_S, Composite, Occasion, Request, Rung, profile, profile_id, sane_composite
from adapters.ocpp.wire import to_text

LARGEST_ID = 2**31 - 1


class Profiles2:
    """Limits as OCPP 2.0.1 and 2.1 say them; a connector is an EVSE here."""

    purposes: tuple[tuple[str, str], ...] = (
        ("TxProfile", "Absolute"),
        ("TxProfile", "Relative"),
        ("TxDefaultProfile", "Absolute"),
        ("TxDefaultProfile", "Relative"),
        ("ChargingStationMaxProfile", "Absolute"),
    )

    def limit(self, rung: Rung, current_a: float, until: datetime | None, at: Occasion) -> Request:
        """SetChargingProfile (K01)."""
        fields, schedule = profile(rung, current_a, until, at)
        for holder, key in ((schedule, "startSchedule"), (fields, "validTo")):
            if key in holder:
                holder[key] = to_text(holder[key])
        if at.phases_told == 1:
            # Without phaseToUse the charger would choose, and the guard would not know which fuse it loads (K01.FR.19).
            for period in schedule["chargingSchedulePeriod"]:
                period["phaseToUse"] = 1
        if rung.is_transactional and at.their_id:
            fields["transactionId"] = at.their_id
        number = profile_id(rung, at.slot)
        whole = {"id": number, **fields, "chargingSchedule": [{"id": number, **schedule}]}
        return "SetChargingProfile", {"evseId": 0 if rung.is_for_station else at.connector, "chargingProfile": whole}

    def clear(self, rung: Rung, at: Occasion) -> Request:
        """ClearChargingProfile by id (K10)."""
        return "ClearChargingProfile", {"chargingProfileId": profile_id(rung, at.slot)}

    def clear_all(self, purpose: str, at: Occasion) -> Request:
        """ClearChargingProfile by criteria (K10)."""
        criteria = {"evseId": at.connector, "chargingProfilePurpose": purpose}
        return "ClearChargingProfile", {"chargingProfileCriteria": criteria}

    def start(self, tag: str, profile: Request | None, at: Occasion) -> Request:
        """RequestStartTransaction (F01, F02; the profile inside: K05)."""
        payload: dict[str, Any] = {
            "remoteStartId": int(at.now.timestamp()) % LARGEST_ID,
            "idToken": {"idToken": tag, "type": "Central"},
            "evseId": at.connector,
        }
        if profile is not None:
            payload["chargingProfile"] = profile[1]["chargingProfile"]
        return "RequestStartTransaction", payload

    def stop(self, at: Occasion) -> Request | None:
        """RequestStopTransaction (F03)."""
        return ("RequestStopTransaction", {"transactionId": at.their_id}) if at.their_id else None

    def availability(self, operative: bool, at: Occasion) -> Request:
        """ChangeAvailability of the EVSE (G03)."""
        status = "Operative" if operative else "Inoperative"
        return "ChangeAvailability", {"operationalStatus": status, "evse": {"id": at.connector}}

    def composite(self, unit: str, at: Occasion) -> Request:
        """GetCompositeSchedule (K08)."""
        payload = {"evseId": at.connector, "duration": COMPOSITE_S, "chargingRateUnit": unit}
        return "GetCompositeSchedule", payload

    def read_composite(self, answer: Mapping[str, Any]) -> Composite | None:
        """The combined limit of now; None where the answer makes no sense."""
        schedule = answer.get("schedule")
        if answer.get("status") != "Accepted" or not isinstance(schedule, Mapping):
            return None
        return sane_composite(schedule, schedule.get("duration"))
