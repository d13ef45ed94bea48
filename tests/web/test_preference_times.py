"""Times at the doors of the preferences: local and within the calendar, or refused with what to write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.model.errors import WishRefused
from gateway.model.preferences import ComfortSpan
from gateway.web.comfort_text import schedule_from, schedule_lines
from gateway.web.wire_preferences import ComfortSpanModel, PreferencesModel

SPAN: dict[str, Any] = {"start": "22:00", "end": "06:00", "low_c": 17, "high_c": 20}
LAST = "9999-12-31T23:59:59-12:00"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"comfort_schedule": [SPAN | {"start": "22:00Z"}]}, "names a time zone"),
        ({"comfort_schedule": [SPAN | {"end": "06:00+01:00"}]}, "names a time zone"),
        ({"comfort_schedule": [SPAN | {"start": 8}]}, "HH:MM"),
        ({"comfort_schedule": [SPAN | {"start": "8"}]}, "HH:MM"),
        ({"charging": {"charger": {"ready_by": "07:00Z"}}}, "names a time zone"),
        ({"charging": {"charger": {"departures": [{"at": "08:00Z"}]}}}, "names a time zone"),
        ({"vacation_until": LAST}, "between the years"),
        ({"storm_until": LAST}, "between the years"),
        ({"vacation_until": "0001-01-01T00:00:00+12:00"}, "between the years"),
    ],
)  # fmt: skip
async def test_a_time_with_a_zone_or_out_of_the_calendar_is_refused_with_what_to_write(demo, home, change, words):
    answer = await demo.put("/api/v1/preferences", json=change)
    assert answer.status_code == 422 and words in answer.json()["detail"]
    assert home.wishes == []


async def test_times_as_the_api_gives_them_out_are_taken_back(demo, home):
    wish = {"comfort_schedule": [SPAN], "charging": {"charger": {"ready_by": "06:30"}}}
    assert (await demo.put("/api/v1/preferences", json=wish)).status_code == 200
    given = (await demo.get("/api/v1/preferences")).json()
    assert given["charging"]["charger"]["ready_by"] == "06:30:00"
    assert (await demo.put("/api/v1/preferences", json=given)).status_code == 200


@pytest.mark.parametrize(("key", "typed"), [("vacation_until", "9999-12-31"), ("storm_until", "9999-12-31T23:59")])
async def test_a_form_that_asks_for_the_end_of_the_calendar_is_refused_and_kept(demo, home, key, typed):
    answer = await demo.post("/preferences", data={key: typed, "carbon_per_kg": "0"})
    assert answer.status_code == 422 and f'value="{typed}"' in answer.text
    assert home.wishes == []


@pytest.mark.parametrize("line", ["22:00Z-06:00 17 20", "22:00-06:00+01:00 17 20", "8-16 17 20"])
def test_a_line_of_the_schedule_with_a_zone_or_without_minutes_is_named(line: str) -> None:
    with pytest.raises(WishRefused, match=r"Write it like"):
        schedule_from(line)


@pytest.mark.parametrize(
    ("line", "shown", "holds", "rests"),
    [
        ("Mon,Tue 22:00-24:00 17,5 18", "Mon,Tue 22:00-24:00 17.5 18", (0, 23), (0, 21)),
        ("Sat,Sun 00:00-24:00 17 18", "Sat,Sun 00:00-24:00 17 18", (6, 0), (0, 0)),
        ("Sat 0:00-24:00 17 18", "Sat 00:00-24:00 17 18", (5, 23), (6, 0)),
    ],
)
def test_24_00_ends_the_day_it_begins_on(line: str, shown: str, holds: tuple[int, int], rests: tuple[int, int]) -> None:
    [entry] = schedule_from(line)
    span = ComfortSpanModel.model_validate(entry).to_model()
    assert schedule_lines([span]) == shown
    assert [held(span, *when) for when in (holds, rests)] == [True, False]
    assert PreferencesModel(comfort_schedule=[ComfortSpanModel.model_validate(entry)]).to_model().comfort_schedule == (
        span,
    )


def held(span: ComfortSpan, day: int, hour: int) -> bool:
    return span.holds(datetime(2026, 11, 23 + day, hour, 30, tzinfo=UTC))
