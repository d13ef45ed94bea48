"""What the station answers to the central system's requests: OCPP 1.6 edition 2 section 5, security whitepaper."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from firmware_sim.ocpp16 import security
from firmware_sim.ocpp16.configuration import PASSWORD
from firmware_sim.ocpp16.profiles import matches, parse
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.acceptance import acceptable, fits_purpose, watts_only
from firmware_sim.ocppj.car import stamp
from firmware_sim.ocppj.connector import Connector, RemoteStart
from firmware_sim.ocppj.line import Payload, Refused

if TYPE_CHECKING:
    from firmware_sim.ocpp16.station import Station16


def answer(station: Station16, action: str, payload: Payload) -> Payload:
    """The payload of the CALLRESULT; raises Refused for a CALLERROR, Silent for no answer."""
    handler = HANDLERS.get(action)
    if handler is None:
        raise Refused("NotImplemented", f"{action} is not known here")
    return handler(station, payload)


def set_charging_profile(station: Station16, payload: Payload) -> Payload:
    """Section 5.16; a TxProfile outside a transaction is refused, as section 3.13.1 wants."""
    profile = parse(payload["connectorId"], payload["csChargingProfiles"], station.clock.now())
    fits = fits_purpose(station, profile) and acceptable(station, profile)
    if fits and quirks.LIE not in station.quirks:
        station.profiles.install(profile)
        station.soon(station.follow_limits)
    return _status("Accepted" if fits else "Rejected")


def clear_charging_profile(station: Station16, payload: Payload) -> Payload:
    """Section 5.5."""
    if quirks.LIE in station.quirks:
        return _status("Accepted")
    cleared = station.profiles.clear(lambda held: matches(payload, held))
    station.soon(station.follow_limits)
    return _status("Accepted" if cleared else "Unknown")


def get_composite_schedule(station: Station16, payload: Payload) -> Payload:
    """Section 5.7: what the profiles together allow from now on."""
    number = payload["connectorId"]
    place = station.places(number)
    if not place:
        return _status("Rejected")
    if quirks.COMPOSITE_NONSENSE in station.quirks:
        schedule = {"duration": 8_600_000_000_000, "chargingRateUnit": "W", "chargingSchedulePeriod": [NO_PERIOD]}
        return {"status": "Accepted", "connectorId": number, "chargingSchedule": schedule}
    unit = payload.get("chargingRateUnit") or ("W" if watts_only(station.options.quirks) else "A")
    now, supply, rating_a = station.clock.now(), place[0].car.supply(), station.options.max_current_a
    parts = station.profiles.composite(
        now, payload["duration"], station.session_of(number), supply, rating_a, place[0].number
    )
    per_amp = 1.0 if unit == "A" else supply.voltage_v * supply.phases
    schedule = {
        "duration": payload["duration"],
        "startSchedule": stamp(now),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [
            {"startPeriod": round(at_s), "limit": round(amps * per_amp, 1), "numberPhases": supply.phases}
            for at_s, amps in parts
        ],
    }
    return {"status": "Accepted", "connectorId": number, "scheduleStart": stamp(now), "chargingSchedule": schedule}


NO_PERIOD = {"startPeriod": 0, "limit": 0.0}


def change_configuration(station: Station16, payload: Payload) -> Payload:
    """Section 5.3; a new password counts from the next dial, which is soon."""
    status = station.config.change(payload["key"], payload["value"])
    if payload["key"] == PASSWORD and status == "Accepted":
        station.security.password = payload["value"]
        station.later(station.line.redial())
    if payload["key"] == "HeartbeatInterval" and status == "Accepted":
        station.heartbeat_s = float(payload["value"])
    if payload["key"] == "MeterValuesSampledData":
        station.measurand_changes += 1
        if quirks.REBOOTS_ON_PROBING in station.quirks and station.measurand_changes > 1:
            station.later(station.reboot(None))
    return _status(status)


def get_configuration(station: Station16, payload: Payload) -> Payload:
    """Section 5.8."""
    return station.config.report(list(payload.get("key") or []))


def remote_start(station: Station16, payload: Payload) -> Payload:
    """Section 5.11: starts at once with a car, else when one is plugged within ConnectionTimeOut."""
    number, raw = payload.get("connectorId"), payload.get("chargingProfile")
    place = station.connector(number) if number else _best(station.connectors)
    profile = parse(place.number if place else 0, raw, station.clock.now()) if raw else None
    if place is None or place.transaction or not (station.operative and place.operative) or place.broken or place.stuck:
        return _status("Rejected")
    if profile and not acceptable(station, profile):
        return _status("Rejected")
    place.remote_start = RemoteStart(payload["idTag"], station.clock.now(), profile)
    return _status("Accepted")


def _best(connectors: list[Connector]) -> Connector | None:
    """The free connector with a car, else the first free one."""
    free = [connector for connector in connectors if connector.transaction is None]
    return next((connector for connector in free if connector.car.plugged), free[0] if free else None)


def remote_stop(station: Station16, payload: Payload) -> Payload:
    """Section 5.12."""
    for connector in station.connectors:
        running = connector.transaction
        if running and payload["transactionId"] in (running.id, quirks.GARBAGE_ID):
            return _end(station, connector, "Remote", "Accepted")
    return _status("Rejected")


def change_availability(station: Station16, payload: Payload) -> Payload:
    """Section 5.2: Scheduled while a transaction runs."""
    places = station.places(payload["connectorId"])
    if quirks.AVAILABILITY_BREAKS in station.quirks:
        station.soon(lambda: station.break_down(places))
        return _status("Rejected")
    if not places:
        return _status("Rejected")
    delayed = station.set_operative(payload["connectorId"], payload["type"] == "Operative")
    return _status("Scheduled" if delayed or quirks.AVAILABILITY_SCHEDULED in station.quirks else "Accepted")


def reset(station: Station16, payload: Payload) -> Payload:
    """Section 5.14: the transaction is stopped, then the station restarts."""
    station.later(station.reboot(f"{payload['type']}Reset"))
    return _status("Accepted")


def trigger_message(station: Station16, payload: Payload) -> Payload:
    """Section 5.17, and ExtendedTriggerMessage of the security whitepaper."""
    number = payload.get("connectorId", 0)
    places = station.places(number)
    asked: dict[str, Callable[[], None]] = {
        "BootNotification": lambda: station.later(station.boot_again()),
        "Heartbeat": lambda: station.notice("Heartbeat", {}),
        "MeterValues": lambda: _each(places, lambda place: station.tell_values(place, "Trigger")),
        "StatusNotification": lambda: _each(places, station.tell_status) if number else station.report_status(),
        "DiagnosticsStatusNotification": lambda: station.notice("DiagnosticsStatusNotification", {"status": "Idle"}),
        "FirmwareStatusNotification": lambda: station.notice("FirmwareStatusNotification", {"status": "Idle"}),
        "LogStatusNotification": lambda: station.notice("LogStatusNotification", {"status": "Idle"}),
        "SignChargePointCertificate": lambda: security.sign(station),
    }
    wanted = payload["requestedMessage"]
    if (
        not places
        or (wanted == "BootNotification" and quirks.NO_BOOT in station.quirks)
        or (wanted == "MeterValues" and quirks.METER_SILENT in station.quirks)
    ):
        return _status("Rejected")
    station.triggered(asked[wanted])
    return _status("Accepted")


def unlock_connector(station: Station16, payload: Payload) -> Payload:
    """Section 5.18: an ongoing transaction is ended first."""
    place = station.connector(payload["connectorId"])
    if place is None:
        return _status("NotSupported")
    return _end(station, place, "UnlockCommand", "Unlocked")


def _each(places: list[Connector], act: Callable[[Connector], None]) -> None:
    for place in places:
        act(place)


def _end(station: Station16, connector: Connector, reason: str, status: str) -> Payload:
    station.soon(lambda: station.end(connector, reason))
    return _status(status)


def _status(status: str) -> Payload:
    return {"status": status}


HANDLERS: dict[str, Callable[[Station16, dict[str, Any]], Payload]] = {
    "CertificateSigned": security.certificate_signed,
    "ChangeAvailability": change_availability,
    "ChangeConfiguration": change_configuration,
    "ClearCache": lambda station, payload: _status("Accepted"),
    "ClearChargingProfile": clear_charging_profile,
    "DataTransfer": lambda station, payload: _status("UnknownVendorId"),
    "DeleteCertificate": security.delete_certificate,
    "ExtendedTriggerMessage": trigger_message,
    "GetCompositeSchedule": get_composite_schedule,
    "GetConfiguration": get_configuration,
    "GetDiagnostics": security.get_diagnostics,
    "GetInstalledCertificateIds": security.installed_certificates,
    "GetLocalListVersion": lambda station, payload: {"listVersion": -1},
    "GetLog": security.get_log,
    "InstallCertificate": security.install_certificate,
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "Reset": reset,
    "SetChargingProfile": set_charging_profile,
    "TriggerMessage": trigger_message,
    "UnlockConnector": unlock_connector,
}
