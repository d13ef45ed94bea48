"""Green Button: what a reader of ESPI finds in our feed, the day with 25 hours included."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.core.metering.green_button import Source, green_button
from gateway.core.metering.local_time import NO_RULE, local_time_of
from gateway.model.reading import Interval, IntervalQuality

Q = IntervalQuality
BRUSSELS = ZoneInfo("Europe/Brussels")
ATOM, ESPI = "{http://www.w3.org/2005/Atom}", "{http://naesb.org/espi}"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 10, 24, 22, tzinfo=UTC)
"""Begin of 25 October 2026 in Brussels, which has 25 hours."""
SOURCE = Source("Willow & Sons <4>", BRUSSELS, "meter", "Main meter")

# The order of elements in each type of espi.xsd (NAESB REQ.21, version 4.0; the ones we write).
ORDER = {
    "UsagePoint": ["roleFlags", "ServiceCategory", "status"],
    "LocalTimeParameters": ["dstEndRule", "dstOffset", "dstStartRule", "tzOffset"],
    "MeterReading": [],
    "ReadingType": [
        "accumulationBehaviour", "commodity", "consumptionTier", "currency", "dataQualifier", "defaultQuality",
        "flowDirection", "intervalLength", "kind", "phase", "powerOfTenMultiplier", "timeAttribute", "tou", "uom",
    ],
    "IntervalBlock": ["interval", "IntervalReading"],
    "IntervalReading": ["cost", "ReadingQuality", "timePeriod", "value"],
    "interval": ["duration", "start"],
    "timePeriod": ["duration", "start"],
}  # fmt: skip


def row(index: int, taken: float | None, given: float | None = 0.0, quality: Q = Q.VALID, method: str = "counter"):
    return Interval("meter", MIDNIGHT + timedelta(minutes=15 * index), 900, taken, given, quality, method)


def feed(rows: list[Interval], source: Source = SOURCE) -> ET.Element:
    return ET.fromstring("".join(green_button(source, rows, NOW)))


def contents(root: ET.Element, kind: str) -> list[ET.Element]:
    return list(root.iter(f"{ESPI}{kind}"))


def number(element: ET.Element, path: str) -> int:
    text = element.findtext("/".join(f"{ESPI}{part}" for part in path.split("/")))
    assert text is not None
    return int(text)


def test_every_element_stands_where_the_schema_wants_it():
    root = feed([row(i, 100.0, 5.0) for i in range(8)])
    for kind, order in ORDER.items():
        found = contents(root, kind)
        assert found, kind
        for element in found:
            places = [order.index(child.tag.removeprefix(ESPI)) for child in element]
            assert places == sorted(places), kind


def test_delivered_and_received_energy_are_two_meter_readings_with_their_own_type():
    root = feed([row(0, 100.0, 5.0), row(1, 100.0, 0.0)])
    types = [(number(t, "flowDirection"), number(t, "uom"), number(t, "intervalLength")) for t in contents(root, "ReadingType")]  # fmt: skip
    assert types == [(1, 72, 900), (19, 72, 900)]


def test_a_consumer_has_no_received_energy():
    assert len(contents(feed([row(0, 100.0, 0.0)]), "MeterReading")) == 1


def test_a_day_of_25_hours_is_one_block_of_100_readings():
    root = feed([row(i, 1.0) for i in range(104)])
    first, second = contents(root, "IntervalBlock")
    assert (number(first, "interval/start"), number(first, "interval/duration")) == (MIDNIGHT.timestamp(), 90_000)
    assert [len(block.findall(f"{ESPI}IntervalReading")) for block in (first, second)] == [100, 4]


@pytest.mark.parametrize(
    ("quality", "method", "code"),
    [
        (Q.VALID, "counter", 0),
        (Q.EDITED, "edited by owner: swapped", 7),
        (Q.ESTIMATED, "counter spread by measured power", 8),
        (Q.ESTIMATED, "counter spread evenly", 9),
        (Q.VALID, "imported", 14),
        (Q.VALID, "counter, imported", 14),
        (Q.EDITED, "edited by owner: imported, wrongly", 7),
    ],
)
def test_quality_is_told_in_the_codes_of_espi(quality, method, code):
    assert [number(q, "quality") for q in contents(feed([row(0, 1.0, 0.0, quality, method)]), "ReadingQuality")] == [
        code
    ]


def test_what_is_derived_says_so():
    rows = [Interval("house", MIDNIGHT, 900, 10.0, 0.0, Q.VALID, "grid minus parts")]
    root = feed(rows, Source("Home", BRUSSELS, "house", "House"))
    assert [number(q, "quality") for q in contents(root, "ReadingQuality")] == [11]


def test_what_came_from_a_file_is_raw_whatever_it_is_of():
    rows = [Interval("house", MIDNIGHT, 900, 10.0, 0.0, Q.VALID, "imported")]
    root = feed(rows, Source("Home", BRUSSELS, "house", "House"))
    assert [number(q, "quality") for q in contents(root, "ReadingQuality")] == [14]


def test_what_is_missing_is_left_out_and_never_zero():
    root = feed([row(0, 1.0), row(1, None, None, Q.MISSING, "nothing measured"), row(2, 3.0)])
    starts = [number(reading, "timePeriod/start") for reading in contents(root, "IntervalReading")]
    assert starts == [MIDNIGHT.timestamp(), MIDNIGHT.timestamp() + 1800]


@pytest.mark.slow
def test_the_sum_of_a_year_is_the_sum_of_its_intervals_to_a_thousandth_of_a_wh():
    rows = [row(i, 100.12345) for i in range(35_040)]
    told = sum(number(reading, "value") for reading in contents(feed(rows), "IntervalReading"))
    assert told == pytest.approx(1000 * sum(r.import_wh or 0.0 for r in rows), abs=1)


def test_every_entry_is_found_from_the_one_above():
    root = feed([row(0, 1.0, 1.0)])
    links = [(link.get("rel"), link.get("href")) for link in root.iter(f"{ATOM}link")]
    related = {href for rel, href in links if rel == "related"}
    for entry in root.iter(f"{ATOM}entry"):
        own = {link.get("rel"): link.get("href") for link in entry.iter(f"{ATOM}link")}
        is_top = entry.find(f"{ATOM}content/{ESPI}UsagePoint") is not None
        assert is_top or own["self"] in related or own["up"] in related


def test_ids_are_the_same_in_every_export_and_differ_between_devices():
    def ids(source: Source) -> list[str | None]:
        return [e.text for e in feed([row(0, 1.0, 1.0)], source).iter(f"{ATOM}id")]

    other = ids(Source("Willow & Sons <4>", BRUSSELS, "boiler", "Main meter"))
    assert ids(SOURCE) == ids(SOURCE)
    assert len(set(ids(SOURCE))) == len(ids(SOURCE))
    assert not set(ids(SOURCE)) & set(other)


def test_names_cannot_become_markup():
    assert feed([row(0, 1.0)]).findtext(f"{ATOM}title") == "Willow & Sons <4>: Main meter"


@pytest.mark.parametrize(
    ("zone", "start", "end", "offset_s", "dst_s"),
    [
        # 360E2000/B40E2000 are the values that North American utilities publish.
        ("America/New_York", 0x360E2000, 0xB40E2000, -18_000, 3600),
        ("Europe/Brussels", 0x3E0E2000, 0xAE0E3000, 3600, 3600),
        ("Europe/London", 0x3E0E1000, 0xAE0E2000, 0, 3600),
        ("Australia/Sydney", 0xA40E2000, 0x440E3000, 36_000, 3600),
        ("Asia/Tokyo", NO_RULE, NO_RULE, 32_400, 0),
        ("Africa/Casablanca", NO_RULE, NO_RULE, 3600, 0),
    ],
)
def test_daylight_saving_rules_are_told_in_the_bits_of_the_standard(zone, start, end, offset_s, dst_s):
    local = local_time_of(ZoneInfo(zone), 2026)
    assert (f"{local.start_rule:08X}", f"{local.end_rule:08X}") == (f"{start:08X}", f"{end:08X}")
    assert (local.offset_s, local.dst_offset_s) == (offset_s, dst_s)


@pytest.mark.slow
def test_the_published_schema_accepts_the_feed():
    """Runs where lxml and openleadr 0.5 are installed: the latter carries the published Atom and ESPI schemas."""
    etree = pytest.importorskip("lxml.etree")
    folder = Path(pytest.importorskip("openleadr").__file__).parent / "schema"
    both = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
        '<xs:import namespace="http://www.w3.org/2005/Atom" schemaLocation="oadr_atom.xsd"/>'
        '<xs:import namespace="http://naesb.org/espi" schemaLocation="oadr_greenbutton.xsd"/></xs:schema>'
    )
    schema = etree.XMLSchema(etree.fromstring(both, base_url=f"{folder}/both.xsd"))
    rows = [row(i, 100.0 + i, 5.0, list(Q)[i % 3], "counter spread by measured power") for i in range(200)]
    schema.assertValid(etree.fromstring("".join(green_button(SOURCE, rows, NOW)).encode()))
