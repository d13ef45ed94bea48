"""What the station answers to the central system's requests: OCPP 1.6 edition 2, section 5."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from firmware_sim.ocpp16 import quirks
from firmware_sim.ocpp16.car import stamp
from firmware_sim.ocpp16.line import Payload, Refused
from firmware_sim.ocpp16.profiles import DEFAULT_PURPOSE, MAX_PURPOSE, TX_PURPOSE, Profile, parse
from firmware_sim.ocpp16.station import Station

CONNECTORS = (0, 1)


def answer(station: Station, action: str, payload: Payload) -> Payload:
    """The payload of the CALLRESULT; raises Refused for a CALLERROR, KeyError, TypeError, ValueError if malformed."""
    handler = HANDLERS.get(action)
    if handler is None:
        raise Refused("NotImplemented", f"{action} is not known here")
    return handler(station, payload)


def set_charging_profile(station: Station, payload: Payload) -> Payload:
    """Section 5.16; a TxProfile outside a transaction is refused, as section 3.13.1 wants."""
    connector = int(payload["connectorId"])
    profile = parse(connector, payload["csChargingProfiles"], station.clock.now())
    fits = connector in CONNECTORS and _fits_purpose(station, profile) and acceptable(station, profile)
    if fits and quirks.LIE not in station.quirks:
        station.profiles.install(profile)
        station.later(_do(station.follow_limit))
    return _status("Accepted" if fits else "Rejected")


def acceptable(station: Station, profile: Profile) -> bool:
    """False where this firmware's limits or quirks refuse the profile."""
    refused = {
        quirks.REJECT_ABSOLUTE: profile.kind == "Absolute",
        quirks.STACK0_ONLY: profile.stack_level > 0,
        quirks.WATTS_ONLY: profile.unit != "W",
        quirks.NO_ZERO: any(limit == 0 for _, limit, _ in profile.periods),
        quirks.REJECT_TX: profile.purpose == TX_PURPOSE,
    }
    if any(refused.get(quirk, False) for quirk in station.quirks):
        return False
    held = [other for other in station.profiles.profiles if other.id != profile.id]
    return (
        profile.stack_level <= station.config.number("ChargeProfileMaxStackLevel")
        and len(profile.periods) <= station.config.number("ChargingScheduleMaxPeriods")
        and len(held) < station.config.number("MaxChargingProfilesInstalled")
    )


def _fits_purpose(station: Station, profile: Profile) -> bool:
    if profile.purpose == MAX_PURPOSE:
        return profile.connector == 0
    if profile.purpose == DEFAULT_PURPOSE:
        return True
    running = station.transaction
    same = running is not None and profile.transaction_id in (None, running.id, quirks.GARBAGE_ID)
    return same and profile.connector == 1


def clear_charging_profile(station: Station, payload: Payload) -> Payload:
    """Section 5.5."""
    if quirks.LIE in station.quirks:
        return _status("Accepted")
    return _status("Accepted" if station.profiles.clear(payload) else "Unknown")


def get_composite_schedule(station: Station, payload: Payload) -> Payload:
    """Section 5.7: what the profiles together allow from now on."""
    unit = payload.get("chargingRateUnit") or ("W" if quirks.WATTS_ONLY in station.quirks else "A")
    if int(payload["connectorId"]) not in CONNECTORS or unit not in ("A", "W"):
        return _status("Rejected")
    now, supply, duration_s = station.clock.now(), station.car.supply(), int(payload["duration"])
    parts = station.profiles.composite(now, duration_s, station.session(), supply, station.options.max_current_a)
    per_amp = 1.0 if unit == "A" else supply.voltage_v * supply.phases
    periods = [
        {"startPeriod": round(at_s), "limit": round(amps * per_amp, 1), "numberPhases": supply.phases}
        for at_s, amps in parts
    ]
    schedule = {
        "duration": duration_s,
        "startSchedule": stamp(now),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }
    where = {"connectorId": payload["connectorId"], "scheduleStart": stamp(now)}
    return {"status": "Accepted", **where, "chargingSchedule": schedule}


def change_configuration(station: Station, payload: Payload) -> Payload:
    """Section 5.3."""
    return _status(station.config.change(payload["key"], str(payload["value"])))


def get_configuration(station: Station, payload: Payload) -> Payload:
    """Section 5.8."""
    return station.config.report(list(payload.get("key") or []))


def remote_start(station: Station, payload: Payload) -> Payload:
    """Section 5.11: starts at once with a car, else when one is plugged within ConnectionTimeOut."""
    tag, raw = payload["idTag"], payload.get("chargingProfile")
    profile = parse(1, raw, station.clock.now()) if raw else None
    busy = station.transaction is not None or not station.operative or payload.get("connectorId") not in (None, 1)
    if busy or (profile and not acceptable(station, profile)):
        return _status("Rejected")
    station.remote_start = (tag, profile, station.clock.now())
    return _status("Accepted")


def remote_stop(station: Station, payload: Payload) -> Payload:
    """Section 5.12."""
    running = station.transaction
    if running is None or payload["transactionId"] not in (running.id, quirks.GARBAGE_ID):
        return _status("Rejected")
    station.later(_end(station, "Remote"))
    return _status("Accepted")


def change_availability(station: Station, payload: Payload) -> Payload:
    """Section 5.2: Scheduled while a transaction runs."""
    if int(payload["connectorId"]) not in CONNECTORS or payload["type"] not in ("Operative", "Inoperative"):
        return _status("Rejected")
    station.operative = payload["type"] == "Operative"
    return _status("Scheduled" if station.transaction and not station.operative else "Accepted")


def reset(station: Station, payload: Payload) -> Payload:
    """Section 5.14: the transaction is stopped, then the station restarts."""
    if payload["type"] not in ("Hard", "Soft"):
        return _status("Rejected")
    station.later(station.reboot(f"{payload['type']}Reset"))
    return _status("Accepted")


def trigger_message(station: Station, payload: Payload) -> Payload:
    """Section 5.17."""
    asked: dict[str, Callable[[], None]] = {
        "BootNotification": lambda: station.later(station.boot()),
        "Heartbeat": lambda: station.notice("Heartbeat", {}),
        "MeterValues": lambda: station.send_meter_values("Trigger", "MeterValuesSampledData"),
        "StatusNotification": station.report_status,
        "DiagnosticsStatusNotification": lambda: station.notice("DiagnosticsStatusNotification", {"status": "Idle"}),
        "FirmwareStatusNotification": lambda: station.notice("FirmwareStatusNotification", {"status": "Idle"}),
    }
    wanted = payload["requestedMessage"]
    if wanted not in asked:
        return _status("NotImplemented")
    if wanted == "BootNotification" and quirks.NO_BOOT in station.quirks:
        return _status("Rejected")
    station.later(_do(asked[wanted]))
    return _status("Accepted")


def unlock_connector(station: Station, payload: Payload) -> Payload:
    """Section 5.18: an ongoing transaction is ended first."""
    if int(payload["connectorId"]) != 1:
        return _status("NotSupported")
    station.later(_end(station, "UnlockCommand"))
    return _status("Unlocked")


def _status(status: str) -> Payload:
    return {"status": status}


async def _end(station: Station, reason: str) -> None:
    station.end(reason)


async def _do(act: Callable[[], None]) -> None:
    await asyncio.sleep(0)
    act()


HANDLERS: dict[str, Callable[[Station, dict[str, Any]], Payload]] = {
    "ChangeAvailability": change_availability,
    "ChangeConfiguration": change_configuration,
    "ClearCache": lambda station, payload: _status("Accepted"),
    "ClearChargingProfile": clear_charging_profile,
    "DataTransfer": lambda station, payload: _status("UnknownVendorId"),
    "GetCompositeSchedule": get_composite_schedule,
    "GetConfiguration": get_configuration,
    # Section 5.9: no file name means there is nothing to upload.
    "GetDiagnostics": lambda station, payload: {},
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "Reset": reset,
    "SetChargingProfile": set_charging_profile,
    "TriggerMessage": trigger_message,
    "UnlockConnector": unlock_connector,
}
