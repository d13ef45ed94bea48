"""The pages Energy and Devices and the API behind them: honest about what was estimated, safe to correct."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.model.reading import Interval, IntervalQuality
from gateway.web.app import create_app
from gateway.web.settings import WebSettings
from tests.web.conftest import browser, only_read
from tests.web.fake_home import FakeHome
from tests.web.scene import NOW, at

ATOM = "{http://www.w3.org/2005/Atom}"


def stamp(hour: float) -> str:
    return f"{at(hour).isoformat().replace('+00:00', 'Z')}"


EDIT = {"device": "meter", "start": stamp(7), "end": stamp(8), "import_wh": 1234, "reason": "The meter was swapped"}


async def test_the_page_says_what_the_home_used_and_where_it_came_from(demo):
    text = (await demo.get("/energy")).text
    assert re.search(r"<h1>Today the home has used [\d.]+ kWh: \d+\s% from the sun", text)
    assert "House, not measured by itself" in text and "Fed into the grid" in text
    assert "quarter hours so far, 2 estimated." in text


async def test_every_bar_is_as_long_as_its_words(demo):
    day = (await demo.get("/api/v1/attribution")).json()
    for consumer in day["consumers"]:
        parts = sum(consumer[f"{source}_wh"] for source in ("solar", "battery", "grid", "unknown"))
        assert parts == pytest.approx(consumer["energy_wh"])
    widths = re.findall(r'<rect class="k-\w+" x="[\d.]+" width="([\d.]+)"', (await demo.get("/energy")).text)
    assert all(0 < float(width) <= 100 for width in widths)


async def test_the_remainder_is_a_consumer_of_its_own(demo):
    day = (await demo.get("/api/v1/attribution?day=2026-11-21")).json()
    assert {c["device"] for c in day["consumers"]} >= {"house", "charger", "heatpump", "battery", "grid"}


async def test_a_day_without_data_says_so(demo):
    text = (await demo.get("/energy?day=2026-11-01")).text
    assert "Nothing is known of Sunday 01 November 2026 yet." in text
    assert "There is no interval data of this day" in text


@pytest.mark.parametrize(
    "query",
    ["day=banana", "day=9999-01-01", "device=<script>", "minutes=7", "minutes=%00", "start=x", "day=0001-01-01"],
)
async def test_an_address_nobody_meant_still_shows_a_page(looking, query):
    answer = await looking.get(f"/energy?{query}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text


async def test_the_days_lead_to_each_other_and_not_past_today(demo):
    text = (await demo.get("/energy?day=2026-11-20&device=house&minutes=60")).text
    assert 'href="/energy?day=2026-11-19&amp;device=house&amp;minutes=60"' in text
    assert 'href="/energy?day=2026-11-21&amp;device=house&amp;minutes=60"' in text
    assert 'rel="next"' not in (await demo.get("/energy")).text


async def test_quality_is_told_in_words_and_colour(demo):
    text = (await demo.get("/energy")).text
    assert '<span class="chip q-estimated">estimated</span> <small>counter spread evenly</small>' in text


async def test_the_hour_that_comes_twice_is_told_apart():
    home = FakeHome()
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    home.keep(
        Interval("meter", start + timedelta(minutes=15 * i), 900, 10.0, 0.0, IntervalQuality.VALID, "counter")
        for i in range(100)
    )
    async with browser(create_app(home, settings=WebSettings())) as client:
        text = (await client.get("/energy?day=2026-10-25")).text
    assert text.count('<th scope="row">02:15</th>') == text.count('<th scope="row">02:15 again</th>') == 1


async def test_a_correction_is_made_shown_and_undone_without_scripts(demo, home):
    form = {"device": "meter", "start": stamp(7), "end": stamp(8), "import_wh": "1234,5", "export_wh": "",
            "spread": "evenly", "reason": "Swapped <b>"}  # fmt: skip
    answer = await demo.post("/do/correct", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/energy?day=2026-11-21&device=meter#data")
    text = (await demo.get("/energy?day=2026-11-21&device=meter")).text
    assert "4 intervals from 21 Nov 2026 07:00 to 21 Nov 2026 08:00: taken 1234 Wh" in text
    assert text.count("q-edited") == 4 and text.count(">Undo<") == 4
    assert "edited by demo: Swapped &lt;b&gt;" in text and "Swapped <b>" not in text
    await demo.post("/do/undo", data={"device": "meter", "start": stamp(7), "end": stamp(8)})
    assert "q-edited" not in (await demo.get("/energy")).text
    assert [wish[0] for wish in home.wishes] == ["correct", "undo"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"reason": ""}, "reason"),
        ({"import_wh": ""}, "nothing was stated"),
        ({"import_wh": "lots"}, "import wh"),
        ({"import_wh": "nan"}, "import wh"),
        ({"device": "house"}, "correct the one that is wrong"),
        ({"start": "yesterday"}, "start"),
        ({"end": stamp(6)}, "start first"),
        ({"end": stamp(20)}, "after its end"),
    ],
)
async def test_a_correction_that_cannot_be_is_refused_with_the_reason(demo, home, changed, words):
    answer = await demo.post("/do/correct", data={key: str(value) for key, value in (EDIT | changed).items()})
    assert answer.status_code == 303
    assert words in (await demo.get(answer.headers["location"])).text
    assert home.wishes == [] and home.store.audit_rows == []


async def test_a_visitor_sees_the_data_and_is_told_to_log_in_to_correct(reader):
    text = (await reader.get("/energy")).text
    assert "Log in</a> to correct interval data" in text
    assert "/do/correct" not in text and "/do/undo" not in text


async def test_what_is_derived_cannot_be_corrected_on_its_page(demo):
    assert "/do/correct" not in (await demo.get("/energy?device=house")).text


async def test_the_api_corrects_and_tells_the_history(demo):
    answer = await demo.post("/api/v1/intervals/edits", json=EDIT)
    assert answer.status_code == 200 and "before" in answer.json()["text"]
    rows = (await demo.get(f"/api/v1/intervals/history?device=meter&start={stamp(7)}")).json()["intervals"]
    assert [row["quality"] for row in rows] == ["valid", "edited"]
    undo = {key: EDIT[key] for key in ("device", "start", "end")}
    assert (await demo.post("/api/v1/intervals/edits/undo", json=undo)).status_code == 200
    assert (await demo.post("/api/v1/intervals/edits/undo", json=undo)).status_code == 409


@pytest.mark.parametrize(
    ("change", "status"),
    [({"import_wh": -1}, 422), ({"reason": "x"}, 422), ({"extra": 1}, 422), ({"start": "2026-11-21T07:00:00"}, 422),
     ({"device": "house"}, 409), ({"import_wh": 1e9}, 409)],
)  # fmt: skip
async def test_the_api_refuses_what_cannot_be(looking, change, status):
    answer = await looking.post("/api/v1/intervals/edits", json=EDIT | change)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert only_read()[0].wishes == []


@pytest.mark.parametrize(("length", "count"), [(300, 216), (900, 72), (1800, 36), (3600, 18), (86_400, 1)])
async def test_every_length_tells_the_same_energy(looking, length, count):
    query = f"device=heatpump&start={stamp(0)}&end={stamp(18)}"
    rows = (await looking.get(f"/api/v1/intervals?{query}&resolution_s={length}")).json()["intervals"]
    assert len(rows) == count
    assert sum(row["import_wh"] for row in rows) == pytest.approx(125.0 * 72)


async def test_a_length_that_is_not_kept_is_refused(demo):
    assert (await demo.get("/api/v1/intervals?device=meter&resolution_s=60")).status_code == 422


async def test_the_table_has_quality_and_method_and_starts_no_formula(demo, home):
    home.keep([replace(home.day_of("meter")[0], method="=HYPERLINK(1)")])
    text = (await demo.get(f"/api/v1/intervals.csv?device=meter&start={stamp(0)}&end={stamp(18)}")).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 72
    assert (rows[0]["method"], rows[0]["quality"], rows[0]["duration_s"]) == ("'=HYPERLINK(1)", "valid", "900")
    assert rows[0]["local_start"] == "2026-11-21T00:00:00+01:00"


async def test_green_button_is_an_atom_feed_of_the_home(demo):
    answer = await demo.get(f"/api/v1/intervals.xml?device=meter&start={stamp(0)}&end={stamp(18)}&resolution_s=3600")
    assert answer.headers["content-type"] == "application/atom+xml"
    assert answer.headers["content-disposition"] == 'attachment; filename="meter-20261120.xml"'
    root = ET.fromstring(answer.text)
    assert root.findtext(f"{ATOM}title") == "Willow Street 4: Main meter"
    lengths = {e.text for e in root.iter("{http://naesb.org/espi}intervalLength")}
    assert lengths == {"3600"}


@pytest.mark.parametrize("path", ["intervals.xml", "intervals.csv", "intervals"])
async def test_an_unknown_device_is_a_problem_in_every_form(demo, path):
    assert (await demo.get(f"/api/v1/{path}?device=ghost")).status_code == 404


async def test_files_on_the_page_lead_to_the_same_data(demo):
    text = (await demo.get("/energy")).text
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(/api/v1/intervals\.[^"]+)"', text)]
    assert len(links) == 4
    for link in links:
        assert (await demo.get(link)).status_code == 200


async def test_devices_are_shown_with_doubts_rules_profile_and_pace(demo):
    text = (await demo.get("/devices")).text
    assert "Hot water is silent; readings of Heat pump are doubted." in text
    assert "<b>Outdoor temperature</b> is doubted: range: 812.0 °C is not possible &lt;here&gt;" in text
    assert "profile eastron-sdm630" in text and "The bus needs 1.4 s" in text
    assert re.search(r"range<small>812.0 °C is not possible</small></th><td>12</td><td>17:54", text)
    assert "1.4 kW given" in text


async def test_the_api_tells_doubts_and_rule_counts_of_each_device(demo):
    devices = {device["id"]: device for device in (await demo.get("/api/v1/devices")).json()}
    assert list(devices["heatpump"]["doubts"]) == ["outdoor_temperature_c"]
    assert [(row["rule"], row["count"]) for row in devices["heatpump"]["vee"]] == [("range", 12), ("stuck", 1)]
    assert devices["meter"]["profile"] == "eastron-sdm630" and devices["meter"]["warning"]


async def test_nothing_newer_than_now_can_be_chosen(demo):
    text = (await demo.get("/energy")).text
    starts = re.findall(r'<option value="(2026[^"]+)"', text)
    assert starts and all(datetime.fromisoformat(start) <= NOW for start in starts)
