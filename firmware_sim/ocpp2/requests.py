"""What the station answers to the central system's requests: OCPP 2.0.1 part 2, blocks B to N, and 2.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from firmware_sim.ocpp2 import charging, security
from firmware_sim.ocpp2.device_model import ITEMS_PER_MESSAGE, REPORT_ROWS
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.car import stamp
from firmware_sim.ocppj.connector import Connector
from firmware_sim.ocppj.line import UNREACHABLE, Payload, Refused

if TYPE_CHECKING:
    from firmware_sim.ocpp2.station import Station2


def answer(station: Station2, action: str, payload: Payload) -> Payload:
    """The payload of the CALLRESULT; raises Refused for a CALLERROR, Silent for no answer."""
    handler = HANDLERS.get(action)
    if handler is None:
        raise Refused("NotImplemented", f"{action} is not known here")
    return handler(station, payload)


def get_variables(station: Station2, payload: Payload) -> Payload:
    """B06."""
    asked = payload["getVariableData"]
    _not_too_many(station, "GetVariables", asked)
    return {"getVariableResult": [station.model.read(one) for one in asked]}


def set_variables(station: Station2, payload: Payload) -> Payload:
    """B05; a new password counts from the next dial, which is soon (A01)."""
    asked = payload["setVariableData"]
    _not_too_many(station, "SetVariables", asked)
    results = [station.model.write(one) for one in asked]
    for one, result in zip(asked, results, strict=True):
        if result["attributeStatus"] in ("Accepted", "RebootRequired"):
            _take_up(station, one["variable"]["name"], one["attributeValue"])
    return {"setVariableResult": results}


def _take_up(station: Station2, name: str, value: str) -> None:
    if name == "BasicAuthPassword":
        station.security.password = value
        station.later(station.line.redial())
    elif name == "HeartbeatInterval":
        station.heartbeat_s = float(value)
    elif name == "TxUpdatedMeasurands":
        station.measurand_changes += 1
        if quirks.REBOOTS_ON_PROBING in station.quirks and station.measurand_changes > 1:
            station.later(station.reboot(None))


def _not_too_many(station: Station2, action: str, asked: list[Any]) -> None:
    if len(asked) > ITEMS_PER_MESSAGE:
        station.line.wire_errors.append(f"{action}: {len(asked)} items, {ITEMS_PER_MESSAGE} announced (B05, B06)")
        raise Refused("OccurrenceConstraintViolation", f"at most {ITEMS_PER_MESSAGE} items")


def get_base_report(station: Station2, payload: Payload) -> Payload:
    """B07."""
    rows = station.model.report(payload["reportBase"], station.quirks)
    station.later(_report(station, payload["requestId"], rows))
    return _status("Accepted")


def get_report(station: Station2, payload: Payload) -> Payload:
    """B08."""
    rows = station.model.rows_of(payload.get("componentVariable", []))
    if not rows:
        return _status("EmptyResultSet")
    station.later(_report(station, payload["requestId"], rows))
    return _status("Accepted")


async def _report(station: Station2, request_id: int, rows: list[dict[str, Any]]) -> None:
    parts = [rows[at : at + REPORT_ROWS] for at in range(0, len(rows), REPORT_ROWS)]
    for number, part in enumerate(parts):
        message = {
            "requestId": request_id,
            "generatedAt": stamp(station.clock.now()),
            "seqNo": number,
            "tbc": number < len(parts) - 1,
            "reportData": part,
        }
        try:
            await station.line.call("NotifyReport", message)
        except UNREACHABLE:
            return


def change_availability(station: Station2, payload: Payload) -> Payload:
    """G03, G04: Scheduled while a transaction runs."""
    number = payload.get("evse", {}).get("id", 0)
    places = station.places(number)
    if quirks.AVAILABILITY_BREAKS in station.quirks:
        station.soon(lambda: station.break_down(places))
        return _status("Rejected")
    if not places:
        return _status("Rejected")
    delayed = station.set_operative(number, payload["operationalStatus"] == "Operative")
    return _status("Scheduled" if delayed or quirks.AVAILABILITY_SCHEDULED in station.quirks else "Accepted")


def reset(station: Station2, payload: Payload) -> Payload:
    """B11, B12: OnIdle waits for the transaction."""
    running = any(connector.transaction for connector in station.connectors)
    if payload.get("evseId"):
        return _status("Rejected")  # this station restarts as a whole only
    if payload["type"] == "OnIdle" and running:
        station.reset_when_idle = True
        return _status("Scheduled")
    station.later(station.reboot("ImmediateReset"))
    return _status("Accepted")


def trigger_message(station: Station2, payload: Payload) -> Payload:
    """F06."""
    number = payload.get("evse", {}).get("id", 0)
    places = station.places(number)
    running = [place for place in places if place.transaction]
    asked: dict[str, Callable[[], None]] = {
        "BootNotification": lambda: _boot_again(station),
        "Heartbeat": lambda: station.notice("Heartbeat", {}),
        "MeterValues": lambda: _each(places, lambda place: _meter_values(station, place)),
        "TransactionEvent": lambda: _each(running, lambda place: station.tell_values(place, "Trigger")),
        "StatusNotification": lambda: _each(places, station.tell_status) if number else station.report_status(),
        "FirmwareStatusNotification": lambda: station.notice("FirmwareStatusNotification", {"status": "Idle"}),
        "LogStatusNotification": lambda: station.notice("LogStatusNotification", {"status": "Idle"}),
        "SignChargingStationCertificate": lambda: security.sign(station),
    }
    wanted = payload["requestedMessage"]
    if wanted not in asked:
        return _status("NotImplemented")
    metered = wanted in ("MeterValues", "TransactionEvent")
    if (
        not places
        or (wanted == "BootNotification" and quirks.NO_BOOT in station.quirks)
        or (metered and quirks.METER_SILENT in station.quirks)
        or (wanted == "TransactionEvent" and not running)
    ):
        return _status("Rejected")
    station.triggered(asked[wanted])
    return _status("Accepted")


def _boot_again(station: Station2) -> None:
    station.boot_reason = "Triggered"
    station.later(station.boot_again())


def _meter_values(station: Station2, place: Connector) -> None:
    value = station.values(place, "Trigger")
    station.notice("MeterValues", {"evseId": place.number, "meterValue": [value]})


def unlock_connector(station: Station2, payload: Payload) -> Payload:
    """F05: never while an authorised transaction runs."""
    place = station.connector(payload["evseId"])
    if place is None or payload["connectorId"] != 1:
        return _status("UnknownConnector")
    return _status("OngoingAuthorizedTransaction" if place.transaction else "Unlocked")


def transaction_status(station: Station2, payload: Payload) -> Payload:
    """E14."""
    running = [place.transaction.id for place in station.connectors if place.transaction]
    asked = payload.get("transactionId")
    waiting = {"messagesInQueue": station.line.waiting > 0}
    return waiting if asked is None else {"ongoingIndicator": asked in running, **waiting}


def _each(places: list[Connector], act: Callable[[Connector], None]) -> None:
    for place in places:
        act(place)


def _status(status: str) -> Payload:
    return {"status": status}


HANDLERS: dict[str, Callable[[Station2, dict[str, Any]], Payload]] = {
    "CertificateSigned": security.certificate_signed,
    "ChangeAvailability": change_availability,
    "ClearCache": lambda station, payload: _status("Accepted"),
    "ClearChargingProfile": charging.clear_charging_profile,
    "DataTransfer": lambda station, payload: _status("UnknownVendorId"),
    "DeleteCertificate": security.delete_certificate,
    "GetBaseReport": get_base_report,
    "GetChargingProfiles": charging.get_charging_profiles,
    "GetCompositeSchedule": charging.get_composite_schedule,
    "GetInstalledCertificateIds": security.installed_certificates,
    "GetLocalListVersion": lambda station, payload: {"versionNumber": 0},
    "GetLog": security.get_log,
    "GetReport": get_report,
    "GetTransactionStatus": transaction_status,
    "GetVariables": get_variables,
    "InstallCertificate": security.install_certificate,
    "RequestStartTransaction": charging.request_start,
    "RequestStopTransaction": charging.request_stop,
    "Reset": reset,
    "SetChargingProfile": charging.set_charging_profile,
    "SetVariables": set_variables,
    "TriggerMessage": trigger_message,
    "UnlockConnector": unlock_connector,
}
