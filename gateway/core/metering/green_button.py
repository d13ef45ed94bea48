"""Interval data as Green Button: an Atom feed of ESPI resources (NAESB REQ.21, namespace http://naesb.org/espi).

feed
├── UsagePoint            one device; related: its MeterReadings and the LocalTimeParameters
├── LocalTimeParameters   offset from UTC and the daylight-saving rules
├── MeterReading          one per direction; related: its ReadingType and IntervalBlocks
├── ReadingType           Wh, delivered (1) or received (19), length of the intervals
└── IntervalBlock         one per local day and direction, its readings in order
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from gateway.core.metering.csv_rows import IMPORTED
from gateway.core.metering.local_time import local_time_of
from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.model.reading import Interval, IntervalQuality

RESOURCE = "/espi/1_1/resource"
MILLI = -3
"""powerOfTenMultiplier of the values: a thousandth of a Wh, so that nothing is lost to whole numbers."""
VALID, EDITED, ESTIMATED_BY_PROFILE, ESTIMATED, DERIVED, RAW = 0, 7, 8, 9, 11, 14
"""QualityOfReading of ESPI; 14 is data that has not gone through the validation: we did not see it being measured."""
DELIVERED, RECEIVED = 1, 19
"""FlowDirectionType: to the home, from the home."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whose data it is: the site's name and zone, the device's id and name."""

    site: str
    zone: ZoneInfo
    device: str
    name: str


@dataclass(frozen=True, slots=True)
class _Direction:
    """One direction's meter reading: its number in the links, its code, a word, and each interval's energy in mWh."""

    number: int
    flow: int
    word: str
    readings: tuple[tuple[Interval, int], ...]


def green_button(source: Source, rows: Sequence[Interval], updated: datetime) -> Iterator[str]:
    """The feed in pieces of text, for intervals of one device and one length, in order; what is missing is left out.

    Values are thousandths of a Wh, times seconds since 1970 (UTC), blocks local days. The ids depend on site, device,
    direction and day only, so that a later export of the same day replaces it.
    """
    directions = _directions(rows)
    stamp = _stamp(updated)
    length = rows[0].duration_s if rows else 0
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
    yield f"<id>{_id(source, 'feed')}</id>\n<title>{escape(f'{source.site}: {source.name}')}</title>\n"
    yield f'<updated>{stamp}</updated>\n<link rel="self" href="{_point(source)}"/>\n'
    yield _usage_point(source, stamp)
    yield _local_time(source, rows, updated)
    for direction in directions:
        yield _meter_reading(source, direction, stamp)
        yield _reading_type(source, direction, length, stamp)
        yield from _blocks(source, direction, stamp)
    yield "</feed>\n"


def _directions(rows: Sequence[Interval]) -> list[_Direction]:
    """Delivered energy, and received where there ever was any: a consumer has no second meter reading."""
    given = [(row, row.export_wh) for row in rows if row.export_wh is not None]
    taken = [(row, row.import_wh) for row in rows if row.import_wh is not None]
    found = [_Direction(1, DELIVERED, "delivered", tuple(_whole(taken)))]
    if any(energy > 0 for _, energy in given):
        found.append(_Direction(2, RECEIVED, "received", tuple(_whole(given))))
    return [direction for direction in found if direction.readings]


def _whole(readings: Iterable[tuple[Interval, float]]) -> Iterator[tuple[Interval, int]]:
    """Whole thousandths of a Wh; what rounding leaves is carried to the next, so that any sum is right to one."""
    total, told = 0.0, 0
    for interval, energy in readings:
        total += energy * 10**-MILLI
        whole = round(total) - told
        told += whole
        yield interval, whole


def _usage_point(source: Source, stamp: str) -> str:
    point = _point(source)
    links = _links(point, f"{RESOURCE}/UsagePoint", f"{point}/MeterReading", f"{RESOURCE}/LocalTimeParameters/1")
    content = "<UsagePoint{ns}><ServiceCategory><kind>0</kind></ServiceCategory><status>1</status></UsagePoint>"
    return _entry(_id(source, "UsagePoint"), links, source.name, content, stamp)


def _local_time(source: Source, rows: Sequence[Interval], updated: datetime) -> str:
    year = (rows[-1].start if rows else updated).astimezone(source.zone).year
    local = local_time_of(source.zone, year)
    links = _links(f"{RESOURCE}/LocalTimeParameters/1", f"{RESOURCE}/LocalTimeParameters")
    content = (
        f"<LocalTimeParameters{{ns}}><dstEndRule>{local.end_rule:08X}</dstEndRule>"
        f"<dstOffset>{local.dst_offset_s}</dstOffset><dstStartRule>{local.start_rule:08X}</dstStartRule>"
        f"<tzOffset>{local.offset_s}</tzOffset></LocalTimeParameters>"
    )
    return _entry(_id(source, "LocalTimeParameters"), links, source.zone.key, content, _stamp(updated))


def _meter_reading(source: Source, direction: _Direction, stamp: str) -> str:
    reading = _reading(source, direction)
    kind = f"{RESOURCE}/ReadingType/{direction.number}"
    links = _links(reading, f"{_point(source)}/MeterReading", f"{reading}/IntervalBlock", kind)
    title = f"{source.name}: energy {direction.word}"
    return _entry(_id(source, "MeterReading", direction.word), links, title, "<MeterReading{ns}/>", stamp)


def _reading_type(source: Source, direction: _Direction, length_s: int, stamp: str) -> str:
    """Amounts per interval (deltaData) of electrical energy in Wh (uom 72), electricity at the secondary meter."""
    fields = {
        "accumulationBehaviour": 4,
        "commodity": 1,
        "dataQualifier": 12,
        "flowDirection": direction.flow,
        "intervalLength": length_s,
        "kind": 12,
        "phase": 0,
        "powerOfTenMultiplier": MILLI,
        "timeAttribute": 0,
        "uom": 72,
    }
    content = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    links = _links(f"{RESOURCE}/ReadingType/{direction.number}", f"{RESOURCE}/ReadingType")
    identity = _id(source, "ReadingType", direction.word, str(length_s))
    title = f"Energy {direction.word}, Wh per {length_s} s"
    return _entry(identity, links, title, f"<ReadingType{{ns}}>{content}</ReadingType>", stamp)


def _blocks(source: Source, direction: _Direction, stamp: str) -> Iterator[str]:
    days = groupby(direction.readings, lambda reading: reading[0].start.astimezone(source.zone).date())
    for day, group in days:
        readings = list(group)
        begin, end = readings[0][0].start, readings[-1][0].end
        up = f"{_reading(source, direction)}/IntervalBlock"
        inside = "".join(_interval_reading(interval, value) for interval, value in readings)
        content = f"<IntervalBlock{{ns}}>{_period('interval', begin, end)}{inside}</IntervalBlock>"
        identity = _id(source, "IntervalBlock", direction.word, day.isoformat())
        yield _entry(identity, _links(f"{up}/{day:%Y%m%d}", up), f"{source.name} {day}", content, stamp)


def _interval_reading(interval: Interval, value: int) -> str:
    quality = f"<ReadingQuality><quality>{_quality(interval)}</quality></ReadingQuality>"
    period = _period("timePeriod", interval.start, interval.end)
    return f"\n<IntervalReading>{quality}{period}<value>{value}</value></IntervalReading>"


def _quality(interval: Interval) -> int:
    if interval.quality is IntervalQuality.EDITED:
        return EDITED
    if interval.quality is IntervalQuality.ESTIMATED:
        return ESTIMATED_BY_PROFILE if "spread by" in interval.method else ESTIMATED
    if IMPORTED in interval.method.split(", "):
        return RAW
    return DERIVED if interval.device in (HOUSE, SOLAR) else VALID


def _period(name: str, start: datetime, end: datetime) -> str:
    seconds = int((end - start).total_seconds())
    return f"<{name}><duration>{seconds}</duration><start>{int(start.timestamp())}</start></{name}>"


def _entry(identity: str, links: str, title: str, content: str, stamp: str) -> str:
    inside = content.replace("{ns}", ' xmlns="http://naesb.org/espi"', 1)
    return (
        f"<entry>\n<id>{identity}</id>\n{links}<title>{escape(title)}</title>\n"
        f"<content>{inside}</content>\n<published>{stamp}</published>\n<updated>{stamp}</updated>\n</entry>\n"
    )


def _links(own: str, up: str, *related: str) -> str:
    found = [("self", own), ("up", up), *(("related", href) for href in related)]
    return "".join(f'<link rel="{rel}" href="{href}"/>\n' for rel, href in found)


def _point(source: Source) -> str:
    return f"{RESOURCE}/UsagePoint/{_uuid(source, 'UsagePoint')}"


def _reading(source: Source, direction: _Direction) -> str:
    return f"{_point(source)}/MeterReading/{direction.number}"


def _uuid(source: Source, *parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join(("hearth", source.site, source.device, *parts))))


def _id(source: Source, *parts: str) -> str:
    return f"urn:uuid:{_uuid(source, *parts)}"


def _stamp(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
