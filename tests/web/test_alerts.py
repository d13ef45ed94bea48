"""The page Alerts and its API: each alert with cause, time, power, cost, a picture, and two buttons that teach."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

from gateway.core.learning.alerts.week import WeekAgainstPast
from gateway.model.alert import Alert, AlertKind, Answer, Evidence
from gateway.runtime.wish_documents import preferences_document, preferences_from
from gateway.web.alerts import drawing, week_words
from tests.web.fake_home import NOW, ZONE

EVIDENCE = Evidence(NOW - timedelta(hours=4), 3600, (200.0, None, 1700.0, 1800.0), (200.0, 210.0, 220.0, 230.0), (False, False, True, True))  # fmt: skip
ALERT = Alert(
    "left_on-1", AlertKind.LEFT_ON, NOW - timedelta(hours=20), NOW, 1500.0, 30_000.0, 9_000_000, 3_900_000_000, "EUR",
    "Something of about 1.5 kW has been on without a break since Fri 22:05.", "Compared with 42 days.", "Look for a heater.",
    EVIDENCE,
)  # fmt: skip


async def test_the_page_tells_what_since_when_how_much_and_what_it_costs(demo, home):
    home.alerts.found = [ALERT]
    text = (await demo.get("/alerts")).text
    for words in (
        ALERT.what,
        "Something was left on",
        "1.5 kW",
        "30.0 kWh",
        "€9.00",
        "€3900",
        "Look for a heater.",
        "Dismiss",
    ):
        assert words in text
    assert text.count("<polyline") == 3, "the usual in one piece, the measured broken where nothing was read"


async def test_the_load_shape_page_points_to_what_is_going_on_and_not_to_what_is_over(demo, home):
    home.alerts.found = [ALERT, replace(ALERT, id="old", ended=NOW)]
    text = (await demo.get("/loadshape")).text
    assert "/alerts#left_on-1" in text and "/alerts#old" not in text


async def test_the_api_lists_them_with_their_evidence_and_takes_an_answer(demo, home):
    home.alerts.found = [ALERT]
    (found,) = (await demo.get("/api/v1/alerts")).json()
    assert (found["kind"], found["cost_micro"], found["evidence"]["actual_w"][1]) == ("left_on", 9_000_000, None)
    said = await demo.post("/api/v1/alerts/left_on-1/answer", json={"answer": "dismiss"})
    assert said.status_code == 200 and "750 W more" in said.json()["text"]
    assert home.alerts.found[0].answer is Answer.DISMISSED
    assert "Dismiss: this is usual" not in (await demo.get("/alerts")).text


async def test_page_and_api_name_the_device_it_is_about(demo, home):
    device = home.site.devices[0]
    about = replace(ALERT, id="meter-1", kind=AlertKind.METER, device=device.id)
    gone = replace(about, id="meter-2", device="gone")
    home.alerts.found = [about, gone, ALERT]
    assert [found["device"] for found in (await demo.get("/api/v1/alerts")).json()] == [device.id, "gone", None]
    text = (await demo.get("/alerts")).text
    assert text.count(f"The meters do not add up: {device.name} <") == 1
    assert "The meters do not add up <" in text and "Something was left on <" in text


async def test_a_form_without_scripts_does_the_same(demo, home):
    home.alerts.found = [ALERT]
    answer = await demo.post("/do/alert", data={"alert": "left_on-1", "answer": "accept", "back": "/alerts"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")
    assert home.alerts.found[0].answer is Answer.ACCEPTED
    assert "told again" in (await demo.get("/alerts")).text


async def test_unknown_alerts_odd_answers_and_visitors_are_refused(demo, reader, home):
    home.alerts.found = [ALERT]
    assert (await demo.post("/api/v1/alerts/none/answer", json={"answer": "accept"})).status_code == 404
    assert (await demo.post("/api/v1/alerts/left_on-1/answer", json={"answer": "later"})).status_code == 422
    refused = await reader.post("/api/v1/alerts/left_on-1/answer", json={"answer": "accept"})
    assert refused.status_code in (401, 403) and home.alerts.found[0].answer is Answer.NONE


async def test_quiet_hours_are_a_preference_of_page_and_api(demo, home):
    assert 'name="quiet_from" value="22:00"' in (await demo.get("/preferences")).text
    await demo.post("/preferences", data={"quiet_from": "23:30", "quiet_until": "06:15"})
    assert (home.preferences().quiet_from, home.preferences().quiet_until) == (time(23, 30), time(6, 15))
    whole = (await demo.get("/api/v1/preferences")).json()
    assert whole["quiet_from"].startswith("23:30")
    assert (await demo.put("/api/v1/preferences", json=whole | {"quiet_until": "08:00"})).status_code < 300
    assert home.preferences().quiet_until == time(8)
    assert (await demo.put("/api/v1/preferences", json=whole | {"quiet_until": "25:00"})).status_code == 422
    assert preferences_from(preferences_document(home.preferences())) == home.preferences(), "a restart keeps them"


async def test_a_young_home_is_told_what_is_missing(demo):
    text = (await demo.get("/alerts")).text
    assert "0 of 14 days" in text and "hearth import" in text


def test_the_week_is_said_in_words_with_its_doubt():
    assert "That is usual." in week_words(WeekAgainstPast(70_000, 72_000, 6_000, 900, 0, 50))
    assert "That is 18.0 kWh more." in week_words(WeekAgainstPast(90_000, 72_000, 6_000, 900, 0, 50))
    assert week_words(None) == ""


def test_what_began_weeks_ago_is_dated():
    weeks = replace(EVIDENCE, start=NOW - timedelta(days=40), step_s=86400)
    assert drawing(weeks, NOW, ZONE).first == f"{(NOW - timedelta(days=40)).astimezone(ZONE):%-d %b}"
    assert ":" in drawing(EVIDENCE, NOW, ZONE).first


def test_higher_stands_higher_in_the_drawing():
    found = drawing(EVIDENCE, NOW, ZONE)
    assert found.actual[1].split()[-1].endswith(",0.0"), "the highest value touches the top"
    assert len(found.marks) == 2 and found.marks[0][0] == 360.0
