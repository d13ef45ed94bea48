"""The pages: one sentence first, readable without scripts, honest about what is silent or unknown."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace

import pytest

from gateway.model.dr import DrInterval, OptState, Payload
from gateway.web.app import create_app
from gateway.web.chart import chart_document
from gateway.web.pages import STATIC
from gateway.web.settings import WebSettings
from tests.web.conftest import browser, only_read

PATHS = [
    "/",
    "/plan",
    "/energy",
    "/devices",
    "/charging",
    "/events",
    "/programs",
    "/loadshape",
    "/alerts",
    "/preferences",
    "/login",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("empty", [False, True], ids=["rich", "empty"])
async def test_every_page_renders_and_asks_nothing_of_the_outside(path, empty):
    async with browser(only_read(empty=empty)[1]) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)
    assert " style=" not in answer.text
    assert "<script>" not in answer.text


async def test_now_opens_with_the_sentence_and_a_button_to_refuse_the_next_change(demo):
    text = (await demo.get("/")).text
    assert "The car waits until 22:00 because" in text
    assert "in 3 h 55 min" in text
    assert "saves €1.73 and 2.4 kg CO₂" in text
    assert "Override: charge now" in text


async def test_a_silent_device_is_grey_with_its_age_and_no_figure(demo):
    text = (await demo.get("/")).text
    card = text.split('data-device="boiler">')[1][:120]
    assert card.startswith("–")
    assert "4 min old" in card


async def test_the_signature_card_says_until_when_why_what_it_saves_and_offers_override(demo):
    text = (await demo.get("/charging")).text
    for words in (
        "Paused until 22:00",
        "The utility asks for less",
        "saves €1.73 and 2.4 kg CO₂",
        "Override: charge now",
    ):
        assert words in text


async def test_override_works_without_scripts(demo, home):
    form = {"device": "charger", "action": "run", "minutes": "240", "event": "ev-now", "back": "/charging"}
    answer = await demo.post("/do/override", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/charging")
    assert home.wishes == [("override", "charger", "run", 240.0, "demo", "ev-now")]
    page = (await demo.get("/charging")).text
    assert "charger runs until 22:00, then follows the plan again." in page
    assert "charger runs until 22:00" not in (await demo.get("/charging")).text


async def test_a_form_never_leads_elsewhere(demo):
    answer = await demo.post("/do/override", data={"device": "x", "action": "run", "back": "//evil.example"})
    assert answer.headers["location"] == "/"


async def test_an_event_is_skipped_without_scripts(demo, home):
    await demo.post("/do/opt", data={"event": "ev-now", "choice": "skip", "back": "/events"})
    assert home.event_records()[1].opt is OptState.SKIPPED
    assert "Evening peak: skipped." in (await demo.get("/events")).text


async def test_events_tell_what_was_delivered_with_its_interval(demo):
    text = (await demo.get("/events")).text
    assert "3.1 kWh less than without the event by the controlled devices (2.5 to 3.7 kWh)" in text
    assert "Draw at most 4.2 kW" in text


async def test_the_mode_is_switched_and_the_rest_of_the_wish_stays(demo, home):
    await demo.post("/do/charging", data={"charger": "charger", "ready_by": "06:15", "target_kwh": "7,5"})
    await demo.post("/do/charging", data={"charger": "charger", "mode": "min_solar"})
    wish = home.preferences().charging_of("charger")
    assert (wish.mode.value, f"{wish.ready_by:%H:%M}", wish.target_wh) == ("min_solar", "06:15", 7500.0)


async def test_preferences_are_kept(demo, home):
    form = {"comfort_low_c": "18,5", "comfort_high_c": "21", "water_min_c": "48", "battery_reserve_percent": "20",
            "dr_policy": "ask", "carbon_per_kg": "0.1", "vacation_until": "2026-12-24"}  # fmt: skip
    assert (await demo.post("/preferences", data=form)).status_code == 303
    wish = home.preferences()
    assert (wish.comfort_low_c, wish.carbon_weight_micro_per_kg, wish.battery_to_car) == (18.5, 100_000, False)
    assert f"{wish.vacation_until:%Y-%m-%dT%H:%M}" == "2026-12-24T15:00"


@pytest.mark.parametrize("typed", ["warm", "99"])
async def test_a_refused_form_keeps_what_was_typed(demo, home, typed):
    answer = await demo.post("/preferences", data={"comfort_low_c": typed, "carbon_per_kg": "0"})
    assert answer.status_code == 422
    assert f'value="{typed}"' in answer.text
    assert home.wishes == []


async def test_a_touched_block_shows_its_reason_and_counterfactual(demo):
    link = re.search(r'href="(/plan\?device=charger[^"]*)"', (await demo.get("/plan")).text)
    assert link is not None
    text = (await demo.get(link[1].replace("&amp;", "&").replace("#why", ""))).text
    assert "Charge now would cost 1.73 EUR more and emit 2.4 kg CO2 more." in text


@pytest.mark.parametrize(
    ("path", "status", "words"), [("/no-such", 404, "There is no such page"), ("/", 500, "Try again")]
)
async def test_a_browser_gets_a_page_for_an_error_with_the_security_headers(demo, home, path, status, words):
    if status == 500:
        home.headline = lambda: 1 / 0
    answer = await demo.get(path, headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_an_address_in_an_error_page_cannot_become_markup(demo):
    answer = await demo.post("/<script>x", headers={"accept": "text/html"})
    assert "<script>x" not in answer.text


async def test_an_event_that_only_tells_can_neither_be_joined_nor_skipped(demo, home):
    record = home.event_records()[0]
    told = DrInterval(0, (Payload("GHG", (310.0,)),))
    event = replace(record.event, id="ghg", name="Carbon tonight", intervals=(told,))
    home._records.append(replace(record, event=event, cancelled_at=None))
    card = (await demo.get("/events")).text.split(">Carbon tonight</h2>")[1].split("</section>")[0]
    assert "Skip" not in card and "Join" not in card
    assert "Carbon tonight" not in (await demo.get("/")).text


@pytest.mark.parametrize(("kind", "value"), [("BANANA", 1), ("SIMPLE", "two"), ("SIMPLE", 99)])
@pytest.mark.parametrize("opt", [OptState.SKIPPED, OptState.JOINED])
async def test_an_event_the_home_cannot_act_on_promises_nothing(demo, home, kind, value, opt):
    record = next(r for r in home.event_records() if r.event.id == "ev-now")
    event = replace(record.event, id="odd", name="Odd one", intervals=(DrInterval(0, (Payload(kind, (value,)),)),))
    home._records.append(replace(record, event=event, opt=opt, opt_reason="Hearth does not understand this event."))
    card = (await demo.get("/events")).text.split(">Odd one</h2>")[1].split("</section>")[0]
    assert "Why not understood" in card and "Nothing changes in your home." in card
    assert "Joined" not in card and "comfort" not in card and 'value="join"' not in card


async def test_prices_without_a_unit_are_not_counted_with(demo, home):
    record = next(r for r in home.event_records() if r.event.id == "ev-now")
    event = replace(record.event, id="odd", name="Odd one", intervals=(DrInterval(0, (Payload("PRICE", (None,)),)),))
    reason = "For information; its prices cannot be used (no unit)."
    home._records.append(replace(record, event=event, opt_reason=reason))
    card = (await demo.get("/events")).text.split(">Odd one</h2>")[1].split("</section>")[0]
    assert reason in card and "the plan counts with it" not in card and "Price without a value" in card


async def test_the_chart_has_the_prices_of_the_past_too(home):
    document = await chart_document(home, home.plan())
    past = [p for t, p in zip(document["times"], document["price"], strict=True) if t < document["now"]]
    assert past and None not in past


@pytest.mark.slow
async def test_names_from_outside_cannot_become_markup(home):
    home.headline = lambda: "<script>alert(1)</script>"
    async with browser(create_app(home, settings=WebSettings())) as client:
        assert "<script>alert" not in (await client.get("/")).text


async def test_a_reader_is_told_how_to_log_in_and_can_change_nothing(reader):
    assert "Log in</a> to change anything" in (await reader.get("/")).text


async def test_the_first_view_is_small(demo):
    page = await demo.get("/")
    files = set(re.findall(r'(?:src|href)="/static/([^"?]+)', page.text))
    size = sum(len(gzip.compress((STATIC / name).read_bytes(), 6)) for name in files)
    assert size + len(gzip.compress(page.content, 6)) <= 80_000
    assert len(files) + 2 <= 10  # the page and its stream


async def test_static_files_are_kept_by_the_browser_and_the_pages_are_not(demo):
    page = await demo.get("/")
    link = re.search(r'href="(/static/hearth.css[^"]*)"', page.text)
    assert link is not None
    assert "immutable" in (await demo.get(link[1])).headers["cache-control"]
    assert page.headers["cache-control"] == "no-store"
