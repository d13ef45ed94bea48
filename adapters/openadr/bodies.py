"""What we send: request bodies exactly as the OpenAPI file of 3.1.0 wants them."""

from __future__ import annotations

from typing import Any

from adapters.openadr.dialect import Body, Dialect
from adapters.openadr.iso import format_duration, format_time
from gateway.model.dr import DrReport, DrResource, ReportRow


def report_body(report: DrReport, client_name: str) -> Body:
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


def ven_body(ven_name: str) -> Body:
    """VenVenRequest: a VEN names itself; targets are the utility's to grant."""
    return {"objectType": "VEN_VEN_REQUEST", "venName": ven_name}


def resource_body(resource: DrResource, ven_id: str) -> Body:
    """VenResourceRequest: one device; its targets, too, are the utility's to grant."""
    return {
        "objectType": "VEN_RESOURCE_REQUEST",
        "resourceName": resource.name[:128],
        "venID": ven_id,
        "attributes": attributes(resource),
    }


def attributes(resource: DrResource) -> list[dict[str, Any]]:
    """What a device can take or give, kW, as the enumeration of VEN and resource attributes names it."""
    stated = (("MAX_POWER_CONSUMPTION", resource.consumes_w), ("MAX_POWER_EXPORT", resource.produces_w))
    powers = [{"type": kind, "values": [watts / 1000.0]} for kind, watts in stated if watts is not None]
    return [{"type": "DESCRIPTION", "values": [resource.role]}, *powers] if resource.role else powers


def subscription_body(client_name: str, callback_url: str, bearer_token: str, program: str = "") -> Body:
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


V310 = Dialect(
    version="3.1.0",
    report=report_body,
    ven=ven_body,
    resource=resource_body,
    resources_path=lambda ven_id: "/resources",
    resources_query=lambda ven_id: {"venID": ven_id},
    asks_by_target=True,
    subscription=subscription_body,
    subscribes_by_program=False,
)
