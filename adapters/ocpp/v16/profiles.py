"""Charging profiles of OCPP 1.6 (section 3.13, 5.16, 7.8): the encoding of the ways of limiting; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.ocpp.rungs import COMPOSITE_S, Composite, Occasion, Request, Rung, profile, profile_id, sane_composite
from adapters.ocpp.wire import to_text


class Profiles16:
    """Limits as OCPP 1.6 says them."""

    purposes: tuple[tuple[str, str], ...] = (
        ("TxProfile", "Absolute"),
        ("TxProfile", "Relative"),
        ("TxDefaultProfile", "Absolute"),
        ("TxDefaultProfile", "Relative"),
        ("ChargePointMaxProfile", "Absolute"),
    )

    def limit(self, rung: Rung, current_a: float, until: datetime | None, at: Occasion) -> Request:
        """SetChargingProfile (section 5.16)."""
        fields, schedule = profile(rung, current_a, until, at)
        for holder, key in ((schedule, "startSchedule"), (fields, "validTo")):
            if key in holder:
                holder[key] = to_text(holder[key])
        if rung.is_transactional and at.transaction is not None:
            fields["transactionId"] = at.transaction
        whole = {"chargingProfileId": profile_id(rung, at.slot), **fields, "chargingSchedule": schedule}
        connector = 0 if rung.is_for_station else at.connector
        return "SetChargingProfile", {"connectorId": connector, "csChargingProfiles": whole}

    def clear(self, rung: Rung, at: Occasion) -> Request:
        """ClearChargingProfile by id (section 5.5)."""
        return "ClearChargingProfile", {"id": profile_id(rung, at.slot)}

    def clear_all(self, purpose: str, at: Occasion) -> Request:
        """ClearChargingProfile by purpose (section 5.5)."""
        return "ClearChargingProfile", {"connectorId": at.connector, "chargingProfilePurpose": purpose}

    def start(self, tag: str, profile: Request | None, at: Occasion) -> Request:
        """RemoteStartTransaction (section 5.11)."""
        payload: dict[str, Any] = {"idTag": tag, "connectorId": at.connector}
        if profile is not None:
            payload["chargingProfile"] = profile[1]["csChargingProfiles"]
        return "RemoteStartTransaction", payload

    def stop(self, at: Occasion) -> Request | None:
        """RemoteStopTransaction (section 5.12)."""
        return None if at.transaction is None else ("RemoteStopTransaction", {"transactionId": at.transaction})

    def availability(self, operative: bool, at: Occasion) -> Request:
        """ChangeAvailability (section 5.2)."""
        kind = "Operative" if operative else "Inoperative"
        return "ChangeAvailability", {"connectorId": at.connector, "type": kind}

    def composite(self, unit: str, at: Occasion) -> Request:
        """GetCompositeSchedule (section 5.7)."""
        payload = {"connectorId": at.connector, "duration": COMPOSITE_S, "chargingRateUnit": unit}
        return "GetCompositeSchedule", payload

    def read_composite(self, answer: Mapping[str, Any]) -> Composite | None:
        """The combined limit of now; None where the answer makes no sense."""
        schedule = answer.get("chargingSchedule")
        if answer.get("status") != "Accepted" or not isinstance(schedule, Mapping):
            return None
        return sane_composite(schedule, schedule.get("duration"))
