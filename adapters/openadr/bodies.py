"""What we send: request bodies exactly as the OpenAPI file of 3.1.0 wants them."""

from __future__ import annotations

from typing import Any

from adapters.openadr.iso import format_duration, format_time
from gateway.model.dr import DrReport, ReportRow


def report_body(report: DrReport, client_name: str) -> dict[str, Any]:
    """reportRequest: one resource, the event's interval ids, DATA_QUALITY beside each value."""
    descriptor = {
        "objectType": "REPORT_PAYLOAD_DESCRIPTOR",
        "payloadType": report.payload_type,
        "readingType": report.reading_type or "DIRECT_READ",
    }
    if report.unit:
        descriptor["units"] = report.unit
    resource = {"resourceName": report.resource[:128], "intervals": [_row(report.payload_type, x) for x in report.rows]}
    return {
        "eventID": report.event,
        "clientName": client_name,
        "reportName": report.name or report.key,
        "payloadDescriptors": [descriptor],
        "resources": [resource],
    }


def ven_body(ven_name: str) -> dict[str, Any]:
    """VenVenRequest: a VEN names itself; targets are the utility's to grant."""
    return {"objectType": "VEN_VEN_REQUEST", "venName": ven_name}


def subscription_body(client_name: str, callback_url: str, bearer_token: str, program: str = "") -> dict[str, Any]:
    """subscriptionRequest for every change of programs and events."""
    operation = {
        "objects": ["PROGRAM", "EVENT"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "callbackUrl": callback_url,
        "bearerToken": bearer_token,
    }
    body: dict[str, Any] = {"clientName": client_name, "objectOperations": [operation]}
    return {**body, "programID": program} if program else body


def _row(kind: str, row: ReportRow) -> dict[str, Any]:
    quality = {"type": "DATA_QUALITY", "values": [row.quality]}
    value = [] if row.value is None else [{"type": kind, "values": [row.value]}]
    period = {"start": format_time(row.start), "duration": format_duration(row.duration_s)}
    return {"id": row.interval, "intervalPeriod": period, "payloads": [*value, quality]}
