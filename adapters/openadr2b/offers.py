"""What this home can report, as METADATA reports say it (oadrRegisterReport).

Each point has an rID, which a request names; `kind` is the payload type our reports answer it with. Values are taken
by the quarter hour, so that is the shortest period on offer; a week of them is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.openadr2b.markup import Tag, tag
from adapters.openadr2b.times import format_seconds, format_time

LEAST_S = 900.0
MOST_S = 86_400.0
HISTORY_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Point:
    """One point: `kind` and `unit` of our reports, and reportType, item and readingType of the wire."""

    id: str
    specifier: str
    kind: str
    unit: str
    form: str
    item: str
    reading: str
    resource: str = ""
    """The device it is of; empty: the whole home."""


POINTS = {
    point.id: point
    for point in (
        Point("usage", "telemetry-usage", "USAGE", "KWH", "usage", "energy", "Direct Read"),
        Point("demand", "telemetry-usage", "DEMAND", "KW", "demand", "power", "Mean"),
        Point("baseline", "telemetry-usage", "BASELINE", "KWH", "baseline", "energy", "Estimated"),
        Point("delta", "telemetry-usage", "DELTA_USAGE", "KWH", "deltaUsage", "energy", "Derived"),
        Point("status", "telemetry-status", "OPERATING_STATE", "", "x-resourceStatus", "", "x-notApplicable"),
        Point("history", "history-usage", "USAGE", "KWH", "usage", "energy", "Direct Read"),
    )
}
NAMES = {
    "telemetry-usage": "TELEMETRY_USAGE",
    "telemetry-status": "TELEMETRY_STATUS",
    "history-usage": "HISTORY_USAGE",
}


OF_DEVICES = ("usage", "demand")
"""The points each device has as well, as "car:usage"."""


def point_of(name: str) -> Point | None:
    """The point of an rID, of the home ("usage") or of a device ("car:usage"); None for another."""
    resource, _, base = name.rpartition(":")
    point = POINTS.get(base)
    if point is None or not resource:
        return point
    return replace(point, id=name, resource=resource) if base in OF_DEVICES else None


def metadata(
    ven: str, now: datetime, voltage_v: float, frequency_hz: float, resources: Iterable[str] = ()
) -> list[Tag]:
    """The METADATA reports of all points; reportRequestID is 0 in them (conformance rule 311)."""
    named = [point_of(f"{resource}:{base}") for resource in resources for base in OF_DEVICES]
    points = [*POINTS.values(), *(point for point in named if point is not None)]
    return [
        tag(
            "oadr:oadrReport",
            tag("xcal:duration", tag("xcal:duration", format_seconds(HISTORY_S))),
            *(_description(point, ven, voltage_v, frequency_hz) for point in points if point.specifier == specifier),
            tag("ei:reportRequestID", "0"),
            tag("ei:reportSpecifierID", specifier),
            tag("ei:reportName", f"METADATA_{name}"),
            tag("ei:createdDateTime", format_time(now)),
        )
        for specifier, name in NAMES.items()
    ]


def _description(point: Point, ven: str, voltage_v: float, frequency_hz: float) -> Tag:
    return tag(
        "oadr:oadrReportDescription",
        tag("ei:rID", point.id),
        tag("ei:reportDataSource", tag("ei:resourceID", point.resource or ven)),
        tag("ei:reportType", point.form),
        _item(point.item, voltage_v, frequency_hz),
        tag("ei:readingType", point.reading),
        tag(
            "oadr:oadrSamplingRate",
            tag("oadr:oadrMinPeriod", format_seconds(LEAST_S)),
            tag("oadr:oadrMaxPeriod", format_seconds(MOST_S)),
            tag("oadr:oadrOnChange", "false"),
        ),
    )


def _item(item: str, voltage_v: float, frequency_hz: float) -> Tag | None:
    """kWh, or kW with the attributes the schema wants (power:PowerRealType)."""
    if item == "energy":
        units = (tag("power:itemDescription", "RealEnergy"), tag("power:itemUnits", "Wh"))
        return tag("power:energyReal", *units, tag("scale:siScaleCode", "k"))
    if item == "power":
        attributes = tag(
            "power:powerAttributes",
            tag("power:hertz", f"{frequency_hz:g}"),
            tag("power:voltage", f"{voltage_v:g}"),
            tag("power:ac", "true"),
        )
        units = (tag("power:itemDescription", "RealPower"), tag("power:itemUnits", "W"))
        return tag("power:powerReal", *units, tag("scale:siScaleCode", "k"), attributes)
    return None
