"""One event at the edges of the specification: its timeline, written by hand. The names begin with the item of
docs/conformance/openadr.md; rows are explained in dr_bodies.py."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.core.dr_bodies import NOW, Case, at, case, ev, lasting, rows, step, t, words

BRUSSELS, NEW_YORK, LORD_HOWE = (
    ZoneInfo(name) for name in ("Europe/Brussels", "America/New_York", "Australia/Lord_Howe")
)

START = {
    "C1 now as a date": case(ev(step(1), start=NOW, length="PT8H"), rows=["SIMPLE 1 06:00/14:00"]),
    "C1 now with a time": case(ev(step(1), start="0001-01-01T00:00:00", length="PT8H"), rows=["SIMPLE 1 06:00/14:00"]),
    "C1 now with a zone": case(ev(step(1), start="0001-01-01T00:00:00Z", length="PT8H"), rows=["SIMPLE 1 06:00/14:00"]),
    "C1 now on the first interval is the event's start": case(
        ev(step(1, start=NOW), step(2), start=t("10:00"), length="PT1H"),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 11:00/12:00"],
    ),
    "C1 now on the first interval alone is its receipt": case(
        ev(step(1, start=NOW, length="PT1H"), step(2, start=NOW, length="PT2H")),
        rows=["SIMPLE 1 06:00/07:00", "SIMPLE 2 07:00/09:00"],
    ),
    "C1 now on a later interval follows the one before": case(
        ev(step(1, length="PT3H"), step(2, start="0001-01-01T00:00:00Z"), start=t("10:00"), length="PT1H"),
        rows=["SIMPLE 1 10:00/13:00", "SIMPLE 2 13:00/14:00"],
    ),
    "C1 no start anywhere is its receipt, no duration lasts": case(ev(step(1)), rows=["SIMPLE 1 06:00/..."]),
    "C1 a start without a duration lasts": case(ev(step(1), start=t("10:00")), rows=["SIMPLE 1 10:00/..."]),
    "C1 now in the event, an absolute interval": case(
        ev(step(1, start=t("15:00")), step(2), start=NOW, length="PT1H"),
        rows=["SIMPLE 1 15:00/16:00", "SIMPLE 2 16:00/17:00"],
    ),
    "C1 an endless interval ends where a later one starts, and resumes": case(
        ev(step(1), step(2, start=t("15:00"), length="PT1H")),
        rows=["SIMPLE 1 06:00/15:00", "SIMPLE 2 15:00/16:00", "SIMPLE 1 16:00/..."],
    ),
    "C2 P9999Y": case(ev(step(1), start=t("10:00"), length="P9999Y"), rows=["SIMPLE 1 10:00/..."]),
    "C2 P9999Y by value": case(ev(step(1), start=t("10:00"), length="P9999Y0M0DT0H0M0S"), rows=["SIMPLE 1 10:00/..."]),
    "C2 zeros of older senders are now": case(
        ev(step(1), start="0000-00-00", length="PT8H"), rows=["SIMPLE 1 06:00/14:00"]
    ),
    "C2 a duration beyond the calendar is endless": case(
        ev(step(1), start=t("10:00"), length="PT99999999H"), rows=["SIMPLE 1 10:00/..."]
    ),
    "C2 what follows an endless interval never comes": case(
        ev(step(1, length="P9999Y"), step(2), start=t("10:00"), length="PT1H"), rows=["SIMPLE 1 10:00/..."]
    ),
    "C3 starts are sums": case(
        ev(step(1), step(2), step(3), start=t("10:00"), length="PT20M"),
        rows=["SIMPLE 1 10:00/10:20", "SIMPLE 2 10:20/10:40", "SIMPLE 3 10:40/11:00"],
    ),
    "C4 a duration of its own, the start inherited": case(
        ev(step(1), step(2, length="PT2H"), step(3), start=t("10:00"), length="PT1H"),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 11:00/13:00", "SIMPLE 3 13:00/14:00"],
    ),
    "C4 a start of its own, the duration inherited": case(
        ev(step(1), step(2, start=t("15:00")), start=t("10:00"), length="PT1H"),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 15:00/16:00"],
    ),
    "C4 intervals in another order than time": case(
        ev(step(1, start=t("15:00")), step(2, start=t("13:00")), length="PT1H"),
        rows=["SIMPLE 2 13:00/14:00", "SIMPLE 1 15:00/16:00"],
    ),
    "C7 joined in mid-event": case(
        ev(*(step(level) for level in (0, 1, 2, 3)), start=t("11:00"), length="PT1H"),
        rows=["SIMPLE 0 11:00/12:00", "SIMPLE 1 12:00/13:00", "SIMPLE 2 13:00/14:00", "SIMPLE 3 14:00/15:00"],
        now=at("13:30"),
    ),
    "C7 intervals that ended long ago are left out": case(
        ev(step(1), step(2), step(3), start=t("10:00"), length="PT1H"),
        rows=["SIMPLE 3 12:00/13:00"],
        build={"past_s": 0.0},
    ),
    "C7 an event of last week": case(ev(step(1), start="2026-11-14T10:00:00Z", length="PT1H"), rows=[]),
    "C8 an offset of half an hour": case(
        ev(step(1), start="2026-11-21T15:30:00+05:30", length="PT1H"), rows=["SIMPLE 1 10:00/11:00"]
    ),
    "C8 no offset is UTC": case(ev(step(1), start="2026-11-21T10:00:00", length="PT1H"), rows=["SIMPLE 1 10:00/11:00"]),
    "C8 a space instead of the T": case(
        ev(step(1), start="2026-11-21 10:00:00.000Z", length="PT1H"), rows=["SIMPLE 1 10:00/11:00"]
    ),
    "C9 half an hour as a fraction": case(lasting(1, "10:00", "PT0.5H"), rows=["SIMPLE 1 10:00/10:30"]),
    "C9 a week": case(lasting(1, "10:00", "P1W"), rows=["SIMPLE 1 10:00/2026-11-28T10:00"]),
    "C9 everything at once": case(lasting(1, "10:00", "P1DT1H1M30S"), rows=["SIMPLE 1 10:00/2026-11-22T11:01:30"]),
    "C9 no length is nothing": case(ev(step(1, length="PT0S"), step(2), start=t("10:00"), length="PT1H"),
                                    rows=["SIMPLE 2 10:00/11:00"]),
}  # fmt: skip


def on(date: str, length: str, zone: ZoneInfo, *, end: str, steps: int = 1) -> Case:
    """From a wall time of the zone, SIMPLE 1: to `end`, UTC."""
    start = datetime.fromisoformat(date).replace(tzinfo=zone)
    body = ev(*(step(1 + number) for number in range(steps)), start=start.isoformat(), length=length)
    first = start.astimezone(UTC)
    return case(body, rows=[f"SIMPLE 1 {words(first)}/{end}"], now=first, zone=zone)


CALENDAR = {
    "C8 a day of 23 hours, Brussels": on("2026-03-29T00:00", "P1D", BRUSSELS, end="2026-03-29T22:00"),
    "C8 a day of 25 hours, Brussels": on("2026-10-25T00:00", "P1D", BRUSSELS, end="2026-10-25T23:00"),
    "C8 a day of 23 hours, New York": on("2026-03-08T00:00", "P1D", NEW_YORK, end="2026-03-09T04:00"),
    "C8 a day of 25 hours, New York": on("2026-11-01T00:00", "P1D", NEW_YORK, end="2026-11-02T05:00"),
    "C8 PT24H from midnight in spring, Brussels": on("2026-03-29T00:00", "PT24H", BRUSSELS, end="2026-03-29T23:00"),
    "C8 PT24H from midnight in autumn, New York": on("2026-11-01T00:00", "PT24H", NEW_YORK, end="2026-11-02T04:00"),
    "C8 a change of half an hour, Lord Howe": on("2026-10-04T00:00", "P1D", LORD_HOWE, end="2026-10-04T13:00"),
    "C8 a day to a wall time that is skipped": on("2026-03-28T02:30", "P1D", BRUSSELS, end="2026-03-29T01:30"),
    "C8 a day to a wall time that comes twice": on("2026-10-24T02:30", "P1D", BRUSSELS, end="2026-10-25T00:30"),
    "C8 a week over the change": on("2026-10-20T00:00", "P7D", BRUSSELS, end="2026-10-26T23:00"),
    "C9 a month from 31 January": on("2026-01-31T00:00", "P1M", BRUSSELS, end="2026-02-27T23:00"),
    "C9 a month over the change": on("2026-03-15T00:00", "P1M", BRUSSELS, end="2026-04-14T22:00"),
    "C9 a day before the leap day": on("2028-02-28T00:00", "P1D", BRUSSELS, end="2028-02-28T23:00"),
    "C9 a year from the leap day": on("2028-02-29T00:00", "P1Y", BRUSSELS, end="2029-02-27T23:00"),
    "C8 a day after four hours over the change": case(
        ev(step(1, length="PT4H"), step(2, length="P1D"), start="2026-10-24T22:00:00Z"),
        rows=["SIMPLE 1 2026-10-24T22:00/2026-10-25T02:00", "SIMPLE 2 2026-10-25T02:00/2026-10-26T02:00"],
        now=datetime(2026, 10, 25, tzinfo=UTC), zone=BRUSSELS,
    ),
    "C8 four hours after a day over the change": case(
        ev(step(1, length="P1D"), step(2, length="PT4H"), start="2026-10-24T22:00:00Z"),
        rows=["SIMPLE 1 2026-10-24T22:00/2026-10-25T23:00", "SIMPLE 2 2026-10-25T23:00/2026-10-26T03:00"],
        now=datetime(2026, 10, 25, tzinfo=UTC), zone=BRUSSELS,
    ),
    "C9 months count from the first start": case(
        ev(step(1), step(2), step(3), start="2026-01-31T00:00:00Z", length="P1M"),
        rows=["SIMPLE 1 2026-01-31T00:00/2026-02-28T00:00", "SIMPLE 2 2026-02-28T00:00/2026-03-31T00:00",
              "SIMPLE 3 2026-03-31T00:00/2026-04-30T00:00"],
        now=datetime(2026, 1, 31, tzinfo=UTC),
    ),
}  # fmt: skip

VALUES = {
    "C5 four prices in an hour": case(
        ev(step(PRICE=[1, 2, 3, 4]), start=t("10:00"), length="PT1H"),
        rows=["PRICE 1 10:00/10:15", "PRICE 2 10:15/10:30", "PRICE 3 10:30/10:45", "PRICE 4 10:45/11:00"],
    ),
    "C5 export prices and carbon share as well": case(
        ev(step(EXPORT_PRICE=[1, 2], GHG=[7, 8, 9]), start=t("10:00"), length="PT3H"),
        rows=["EXPORT_PRICE 1 10:00/11:30", "GHG 7 10:00/11:00", "GHG 8 11:00/12:00",
              "EXPORT_PRICE 2 11:30/13:00", "GHG 9 12:00/13:00"],
    ),
    "C5 cut in the middle, values keep their length": case(
        ev(step(PRICE=[1, 2, 3]), start=t("10:00"), length="PT3H", duration="PT90M"),
        rows=["PRICE 1 10:00/11:00", "PRICE 2 11:00/11:30"],
    ),
    "C5 endless cannot be shared: the first value": case(
        ev(step(PRICE=[1, 2]), start=t("10:00"), length="P9999Y"), rows=["PRICE 1 10:00/..."]
    ),
    "C5 endless cut by the event is still the first value": case(
        ev(step(PRICE=[1, 2]), start=t("10:00"), length="P9999Y", duration="PT2H"), rows=["PRICE 1 10:00/12:00"]
    ),
    "C5 no duration but the event's: shared over the event": case(
        ev(step(PRICE=[1, 2]), start=t("10:00"), duration="PT2H"), rows=["PRICE 1 10:00/11:00", "PRICE 2 11:00/12:00"]
    ),
    "C5 shared over a day of 25 hours": case(
        ev(step(PRICE=[1, 2]), start="2026-10-24T22:00:00Z", length="P1D"),
        rows=["PRICE 1 2026-10-24T22:00/2026-10-25T10:30", "PRICE 2 2026-10-25T10:30/2026-10-25T23:00"],
        zone=BRUSSELS, now=at("2026-10-25T00:00:00"),
    ),
    "C5 shared in each round of a loop": case(
        ev(step(PRICE=[1, 2]), start=t("10:00"), length="PT2H", duration="PT3H"),
        rows=["PRICE 1 10:00/11:00", "PRICE 2 11:00/12:00", "PRICE 1 12:00/13:00"],
    ),
    "C5 a level is never shared": case(ev(step(1, 2), start=t("10:00"), length="PT1H"), rows=["SIMPLE 1,2 10:00/11:00"]),
    "C5 points of a curve are recorded": case(
        ev(step(CURVE=[{"x": 1, "y": 2}]), start=t("10:00"), length="PT1H"), rows=['CURVE {"x": 1, "y": 2} 10:00/11:00']
    ),
    "C5 a load shape over the event's intervals": case(
        ev(step(OLS=[0.2]), step(OLS=[0.8]), start=t("10:00"), length="PT1H"),
        rows=["OLS 0.2 10:00/11:00", "OLS 0.8 11:00/12:00"],
    ),
    "C5 an unknown kind is recorded": case(
        ev(step(X_UTILITY=["a", True]), start=t("10:00"), length="PT1H"), rows=["X_UTILITY a,True 10:00/11:00"]
    ),
    "C13 no intervals": case(ev(start=t("10:00"), length="PT1H"), rows=[]),
    "C13 no payloads": case(ev({"payloads": []}, start=t("10:00"), length="PT1H", priority=0), lasting(1, "10:00", "PT1H", id="b"),
                            rows=["SIMPLE 1 10:00/11:00"]),
    "C13 null intervals": case({"id": "e", "programID": "p", "intervals": None}, rows=[]),
    "C13 an alert without words still holds": case(
        ev(step(ALERT_FIRE=[]), start=t("10:00"), length="PT1H"), rows=["ALERT_FIRE 10:00/11:00"]
    ),
}  # fmt: skip

DURATION = {
    "C6 cut in the middle of an interval": case(
        ev(step(1), step(2), start=t("10:00"), length="PT1H", duration="PT90M"),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 11:00/11:30"],
    ),
    "C6 cut before an interval": case(
        ev(step(1), step(2), start=t("10:00"), length="PT1H", duration="PT1H"), rows=["SIMPLE 1 10:00/11:00"]
    ),
    "C6 cut within a gap": case(
        ev(step(1, start=t("10:00")), step(2, start=t("15:00")), length="PT1H", duration="PT3H"),
        rows=["SIMPLE 1 10:00/11:00"],
    ),
    "C6 PT0S is the default: not stated": case(
        ev(step(1), start=t("10:00"), length="PT1H", duration="PT0S"), rows=["SIMPLE 1 10:00/11:00"]
    ),
    "C6 exactly the sum is one round": case(
        ev(step(1), step(2), start=t("10:00"), length="PT1H", duration="PT2H"),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 11:00/12:00"],
    ),
    "C6 a loop cut in the middle of its second round": case(
        ev(step(1), step(2), start=t("10:00"), length="PT1H", duration="PT3H30M"),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 11:00/12:00", "SIMPLE 1 12:00/13:00", "SIMPLE 2 13:00/13:30"],
    ),
    "C6 a loop begun ten years ago": case(
        ev(step(1, length="PT10H"), step(2, length="PT14H"), start="2016-11-21T00:00:00Z", duration="P9999Y"),
        rows=["SIMPLE 2 10:00/2026-11-22T00:00"],
        build={"past_s": 0.0, "horizon_s": 3600.0},
    ),
    "C6 a loop with a gap repeats the gap": case(
        ev(step(1, start=t("10:00")), step(2, start=t("12:00")), length="PT1H", duration="PT5H"),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 12:00/13:00", "SIMPLE 1 13:00/14:00"],
    ),
    "C6 a loop of intervals in another order than time": case(
        ev(step(1, start=t("11:00")), step(2, start=t("10:00")), length="PT1H", duration="PT3H"),
        rows=["SIMPLE 2 10:00/11:00", "SIMPLE 1 11:00/12:00", "SIMPLE 2 12:00/13:00"],
    ),
    "C6 a loop of days keeps its wall time over the change": case(
        ev(step(1, length="P1D"), start="2026-10-23T22:00:00Z", duration="P3D"),
        rows=["SIMPLE 1 2026-10-23T22:00/2026-10-24T22:00", "SIMPLE 1 2026-10-24T22:00/2026-10-25T23:00",
              "SIMPLE 1 2026-10-25T23:00/2026-10-26T23:00"],
        zone=BRUSSELS, now=at("2026-10-24T00:00:00"),
    ),
    "C6 a loop of PT24H keeps its hours over the change": case(
        ev(step(1, length="PT24H"), start="2026-10-23T22:00:00Z", duration="PT72H"),
        rows=["SIMPLE 1 2026-10-23T22:00/2026-10-24T22:00", "SIMPLE 1 2026-10-24T22:00/2026-10-25T22:00",
              "SIMPLE 1 2026-10-25T22:00/2026-10-26T22:00"],
        zone=BRUSSELS, now=at("2026-10-24T00:00:00"),
    ),
    "C6 a loop of months ends each on the month's last day": case(
        ev(step(1), start="2026-01-31T00:00:00Z", length="P1M", duration="P3M"),
        rows=["SIMPLE 1 2026-01-31T00:00/2026-02-28T00:00", "SIMPLE 1 2026-02-28T00:00/2026-03-31T00:00",
              "SIMPLE 1 2026-03-31T00:00/2026-04-30T00:00"],
        now=at("2026-01-31T00:00:00"), build={"horizon_s": 100 * 86_400.0},
    ),
    "C6 a calendar month cuts a loop": case(
        ev(step(1), start="2026-02-01T00:00:00Z", length="P16D", duration="P1M"),
        rows=["SIMPLE 1 2026-02-01T00:00/2026-02-17T00:00", "SIMPLE 1 2026-02-17T00:00/2026-03-01T00:00"],
        now=at("2026-02-01T00:00:00"), build={"horizon_s": 100 * 86_400.0},
    ),
    "C6 an endless interval cannot loop": case(
        ev(step(1), start=t("10:00"), length="P9999Y", duration="P9999Y"), rows=["SIMPLE 1 10:00/..."]
    ),
    "C6 a loop of no length is nothing": case(
        ev(step(1), start=t("10:00"), length="PT0S", duration="P9999Y"), rows=[]
    ),
    "C6 a whole loop is stated however far ahead it begins": case(
        ev(step(1), start="2027-01-01T00:00:00Z", length="PT1H", duration="P9999Y"),
        rows=["SIMPLE 1 2027-01-01T00:00/2027-01-01T01:00"],
    ),
}  # fmt: skip

TABLE = {**START, **CALENDAR, **VALUES, **DURATION}


@pytest.mark.parametrize("name", TABLE)
def test_the_timeline_of(name):
    assert rows(TABLE[name]) == TABLE[name].rows
