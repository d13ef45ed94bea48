"""The page Load shape and its API: yesterday, the home, tomorrow, and how the last forecast held."""

from __future__ import annotations

import html
import math
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from gateway.model.foretold import DayAccuracy, ForetoldDay
from gateway.model.shapes import DriftKind, HomeShape, ShapeChances, ShapeDrift
from gateway.web.foretold import against, error_rows, pieces, told_day
from gateway.web.loadshape import chance_bars, home_kind
from gateway.web.shapes import day_curves
from tests.web.conftest import browser, only_read
from tests.web.scene import ZONE, day_shapes, typical

EV = ShapeDrift(
    DriftKind.NEW_EV, date(2026, 11, 17), date(2026, 11, 19), "Since 17 November there is a block at night."
)


async def test_the_api_tells_the_home_its_drift_and_tomorrows_chances(demo, home):
    home.drift = EV
    found = (await demo.get("/api/v1/loadshape")).json()
    known, tomorrow = found["home"], found["tomorrow"]
    assert (known["shape"], known["share"], known["days"]) == ("evening peak", 0.75, 28)
    assert known["counts"][0] == {"shape": "evening peak", "days": 21}
    assert (known["entropy_bits"], known["entropy_most_bits"]) == (1.19, pytest.approx(math.log2(5)))
    assert (known["drift"]["kind"], known["drift"]["since"]) == ("new EV", "2026-11-17")
    assert tomorrow["day"] == "2026-11-22" and tomorrow["chances"][0] == {"shape": "evening peak", "chance": 0.7}
    assert tomorrow["why"] and found["days"][-1]["alternatives"][0] == {"shape": "double peak", "chance": 0.12}


async def test_a_home_of_which_nothing_is_known_says_so():
    async with browser(only_read(empty=True)[1]) as client:
        found = (await client.get("/api/v1/loadshape")).json()
    assert (found["home"], found["days"]) == (None, [])


async def test_the_page_tells_the_home_tomorrow_and_the_change(demo, home):
    home.drift = EV
    text = html.unescape((await demo.get("/loadshape")).text)
    for words in (
        "Why “evening peak”: Most was used",
        "An “evening peak” home: 75 % of its days, of 28",
        "varied: 1.2 of at most 2.3 bits",
        "Changed since Tuesday 17 November (seen on 19 November). Since 17 November there is a block at night.",
        "Tomorrow, Sunday 22 November",
        "Weighed most: yesterday",
        'width="70.0"',
    ):
        assert words in text
    assert "no change has been seen" not in text


async def test_before_the_first_kept_midnight_the_page_says_why_there_is_nothing_to_compare():
    async with browser(only_read(empty=True)[1]) as client:
        text = (await client.get("/loadshape")).text
    assert "No forecast of Friday 20 November was kept" in text and "it takes a first whole day" in text
    assert "How far off it was" not in text


def test_only_the_day_its_class_and_the_usual_shape_are_drawn():
    day = next(d for d in reversed(day_shapes()) if d.shape != "flat")
    assert [(c.kind, c.name) for c in day_curves(typical(), day, "flat")[0]][:2] == [
        ("usual", "flat"),
        ("class", day.shape),
    ]
    assert [c.kind for c in day_curves(typical(), day, day.shape)[0]] == ["class", "own"]
    assert [c.kind for c in day_curves(typical(), None, "flat")[0]] == ["usual"]
    assert day_curves(typical(), None, "")[0] == []


def test_a_shape_that_is_hardly_possible_is_told_with_the_rest():
    found = chance_bars(ShapeChances(date(2026, 11, 22), (("flat", 0.96), ("away", 0.015), ("night", 0.025)), ""))
    assert [(bar.name, bar.words) for bar in found] == [("flat", "96 %"), ("night", "2 %"), ("any other", "2 %")]


@pytest.mark.parametrize(("bits", "words"), [(0.0, "nearly all alike"), (1.0, "mostly alike"), (3.17, "very varied")])
def test_variety_in_words(bits, words):
    kind = home_kind(HomeShape("flat", 1.0, bits, 9, (("flat", 9),), (), None), 9)
    assert kind.variety.startswith(words) and "no change" in kind.change


def test_while_the_usual_is_not_known_no_change_is_neither_told_nor_denied():
    kind = home_kind(HomeShape("flat", 1.0, 0.5, 9, (("flat", 9),), (), None, 12), 9)
    assert "in 12 measured days" in kind.change and "as they were" not in kind.change
    assert "in one measured day." in home_kind(HomeShape("flat", 1.0, 0.5, 20, (("flat", 20),), (), None, 1), 9).change


async def test_yesterday_is_drawn_over_what_was_told_and_gaps_break_the_line(home):
    start = datetime(2026, 11, 20, tzinfo=ZONE).astimezone(UTC)
    told = ForetoldDay(date(2026, 11, 20), "load", start, (300.0,) * 96, (200.0,) * 48 + (350.0,) * 48, (500.0,) * 96)

    async def all_at(watts):
        async def foretold(day, name):
            return told, tuple(math.nan if 10 <= i < 20 else watts for i in range(96))

        home.foretold = foretold
        return await told_day(home, told.day)

    found = await all_at(400.0)
    assert len(found.came) == 2
    assert found.sentence.startswith("6.5 kWh were expected, 8.6 kWh came. 86 of 86")
    found = await all_at(240.0)
    assert "38 of 86 measured quarter hours (44 %)" in found.sentence
    assert found.rows[0] == ("00:00", "300 W", "200 W to 500 W", "240 W") and found.rows[3][3] == "–"


async def test_the_days_before_tell_how_far_off_the_forecast_was(home):
    day = DayAccuracy(date(2026, 11, 20), "load", 96, 120.0, 180.0, -15.0, 0.81, 0.25, 300.0)

    async def accuracy(first, last, name):
        return [replace(day, day=first, bias_w=15.0, skill=None), day]

    home.forecast_accuracy = accuracy
    last, first = await error_rows(home, day.day)
    assert (last.day, last.energy, last.quarter, last.inside, last.against) == (
        "Fri 20",
        "−360 Wh, 5\N{NO-BREAK SPACE}%",
        "120 W",
        "81 %",
        "25 % smaller",
    )
    assert (first.day, first.energy, first.against) == ("Sat 07", "+360 Wh, 5\N{NO-BREAK SPACE}%", "–")


def test_an_error_like_that_of_last_week_is_called_the_same():
    assert (against(0.01), against(-0.3)) == ("the same", "30 % larger")


def test_a_day_of_gaps_alone_has_no_line():
    assert pieces([math.nan] * 4, 1.0) == ()
