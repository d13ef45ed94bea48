"""The page and the API of events: the effect before the decision, what was kept back, told, delivered and earned."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.demand_response.strategies import Pay, Strategies
from gateway.model.authority import Authority
from gateway.model.dr import DrInterval, EventRecord, OptState, Payload, Signal, Timeline
from gateway.model.effect import CarEffect, EventEffect
from gateway.web.effect_words import effect_lines
from tests.web.conftest import browser, only_read
from tests.web.fake_home import FakeHome
from tests.web.scene import NOW, at

EFFECT = EventEffect(
    "utility:ev-now", NOW, 6_100.0, -420_000, -1_400.0, 19.5, 20.1, 52.0, 52.0,
    (CarEffect("charger", at(27.17), at(19.67)),), ("Hot water at least 45 °C",),
)  # fmt: skip


def changed(home: FakeHome, name: str, **more: object) -> EventRecord:
    """Replace one record of the fake home."""
    at_index = next(i for i, r in enumerate(home._records) if r.event.id == name)
    home._records[at_index] = replace(home._records[at_index], **more)  # type: ignore[arg-type]
    return home._records[at_index]


def waiting(home: FakeHome) -> EventRecord:
    """An event tomorrow morning that asks for less and waits for the owner."""
    record = next(r for r in home._records if r.event.id == "ev-next")
    event = replace(record.event, intervals=(DrInterval(0, (Payload("SIMPLE", (2.0,)),)),))
    return changed(home, "ev-next", event=event, opt=OptState.UNDECIDED, opt_reason="It waits for your answer.")


async def test_the_effect_stands_before_the_buttons_in_words_and_figures(demo, home: FakeHome) -> None:
    record = waiting(home)
    home.dr.strategies = Strategies(pays={"evening": Pay(per_kwh=0.2)})
    home.effects.known[record.key] = replace(EFFECT, event=record.key)
    page = (await demo.get("/events")).text
    group = page.split("Waiting for your answer</h2>")[1].split("</section>")[0]
    lines = [
        "The car has what it needs at Sun 03:10 instead of 19:40.",
        "The rooms get 0.6 K cooler at the coolest moment (19.5 °C).",
        "6.1 kWh less from the grid while it lasts.",
        "Avoids 1.4 kg CO₂.",
        "Saves €0.42 on the bill.",
        "The program pays about €1.22.",
        "Gives way: Hot water at least 45 °C",
    ]
    assert re.findall(r"<li>(.*?)</li>", group) == lines
    assert group.index("The car has") < group.index('value="join"') < group.index('value="skip"')
    assert "hot water gets" not in group  # 52 °C with and without


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"cost_micro": 1_200_000}, "Costs €1.20 on the bill."),
        ({"shifted_wh": -800.0}, "800 Wh more from the grid while it lasts."),
        ({"co2_g": 300.0}, "Emits 300 g CO₂ more."),
        ({"tank_c": 47.0}, "The hot water gets 5.0 K cooler at the coolest moment (47.0 °C)."),
        ({"room_c": 20.6}, "The rooms get 0.5 K warmer at the coolest moment (20.6 °C)."),
        ({"cars": (CarEffect("charger", None, at(19.5)),)},
         "The car is not charged by the end of the plan, instead of at 19:30."),
        ({"cars": (CarEffect("charger", at(19.6), at(19.5)),)},
         "The car has what it needs at 19:36, as without the event."),
    ],
)  # fmt: skip
def test_each_way_an_event_can_turn_out_has_its_sentence(home: FakeHome, change: dict[str, object], line: str) -> None:
    effect = replace(EFFECT, **change)  # type: ignore[arg-type]
    assert line in effect_lines(home, home._records[1], effect)


def test_an_event_that_changes_nothing_says_so(home: FakeHome) -> None:
    none = EventEffect("utility:ev-now", NOW, 0.0, 0, 0.0, None, None, None, None)
    assert effect_lines(home, home._records[1], none) == ["Nothing that can be noticed changes."]


async def test_before_it_is_worked_out_the_card_says_so(demo, home: FakeHome) -> None:
    waiting(home)
    assert "Being worked out" in (await demo.get("/events")).text.split("Waiting for your answer</h2>")[1]


async def test_the_api_works_the_effect_out_on_demand(demo, home: FakeHome) -> None:
    home.effects.known["utility:ev-now"] = EFFECT
    for name in ("utility:ev-now", "ev-now"):
        found = (await demo.get(f"/api/v1/dr/events/{name}/effect")).json()
        assert (found["shifted_wh"], found["cost_micro"], found["pays_micro"]) == (6100.0, -420_000, None)
        assert found["cars"][0]["full_at"] and "6.1 kWh less from the grid while it lasts." in found["words"]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("ghost", 404, "GET /api/v1/dr/events"),
        ("ev-past", 409, "The event is over"),
        ("ev-now", 409, "no plan yet"),
        ("carbon", 409, "asks nothing"),
    ],
)
async def test_where_there_is_nothing_to_compare_the_api_says_why(demo, home, name, status, words) -> None:
    record = home._records[1]
    told = replace(record.event, id="carbon", intervals=(DrInterval(0, (Payload("GHG", (310.0,)),)),))
    home._records.append(replace(record, event=told))
    answer = await demo.get(f"/api/v1/dr/events/{name}/effect")
    assert answer.status_code == status and words in answer.json()["detail"]


async def test_the_api_tells_who_decided_what_was_told_kept_back_and_how_it_was_measured(demo, home) -> None:
    event = replace(home._records[1].event, fingerprint="v2")
    changed(home, "ev-now", event=event, chosen=True, answered="v2 joined", overridden_devices=("charger",))
    changed(
        home, "ev-past", baseline_method="mean", baseline_error_percent=11.6, baseline_placebos=14, answered="v1 joined"
    )
    home.kept_back["utility:ev-now"] = ["Not told, because you do not share the battery: STORAGE_CHARGE_LEVEL."]
    home.effects.known["utility:ev-now"] = EFFECT
    events = {event["id"]: event for event in (await demo.get("/api/v1/dr/events")).json()}
    now, past = events["ev-now"], events["ev-past"]
    assert (now["chosen"], now["answered"], now["overridden_devices"]) == (True, "joined", ["charger"])
    assert now["effect"]["shifted_wh"] == 6100.0 and now["kept_back"] == home.kept_back["utility:ev-now"]
    assert past["answered"] == "", "what was told of another version is not told of this one"
    assert (past["baseline_method"], past["baseline_error_percent"], past["baseline_placebos"]) == ("mean", 11.6, 14)
    assert past["baseline_words"] == "mean of regression and 10-in-10 ±40 %" and past["effect"] is None
    page = (await demo.get("/events")).text
    assert "That the home takes part" in page and "you do not share the battery" in page
    assert "mean of regression and 10-in-10 ±40 %, 12 % off on 14 days without an event." in page
    assert "Set aside by you</dt><dd>Car" in page and "€1.25" in page


async def test_each_event_leads_to_its_signed_record_and_the_page_tells_the_key(demo, home: FakeHome) -> None:
    await home.chain.add("utility:ev-past", "received", fingerprint="5f1d")
    assert "This hub signs its records" not in (await demo.get("/events")).text
    await home.chain.sign()
    page = (await demo.get("/events")).text
    assert f"<code>{'00' * 32}</code>" in page, "the key stands on the same page, to be noted"
    card = page.split(">Cold evening</h2>")[1].split("</section>")[0]
    link = re.search(r'href="(/api/v1/dr/events/[^"]+/record)"', card)
    assert link is not None and (await demo.get(link[1])).status_code == 200


async def test_a_binding_event_says_what_gives_way_and_offers_no_skip(demo, home: FakeHome) -> None:
    changed(home, "ev-now", opt=OptState.BINDING, opt_reason="You consented to this program as binding.")
    card = (await demo.get("/events")).text.split(">Evening peak</h2>")[1].split("</section>")[0]
    assert "your override; your comfort and departure" in card and 'value="skip"' not in card


async def test_the_next_48_hours_are_drawn_and_said_in_words(demo, home: FakeHome) -> None:
    def signal(kind: str, value: float, start: float, hours: float, unit: str = "") -> Signal:
        end = at(start) + timedelta(hours=hours)
        return Signal(
            kind,
            (value,),
            unit,
            at(start),
            end,
            "utility:ev-now",
            "utility:evening",
            0,
            None,
            Authority.DEMAND_RESPONSE,
        )

    told = (
        signal("SIMPLE", 2.0, 18, 3), signal("PRICE", 0.42, 18, 6, "KWH"), signal("PRICE", 0.2, 24, 6, "KWH"),
        signal("IMPORT_CAPACITY_LIMIT", 4.2, 31, 2, "KW"), signal("GHG", 300.0, 80, 6), signal("PRICE", 9.0, 2, 3, "KWH"),
    )  # fmt: skip
    home.timeline = lambda: Timeline(told)  # type: ignore[method-assign]
    page = (await demo.get("/events")).text
    drawing = page.split('class="lanes"')[1].split("</svg>")[0]
    assert re.findall(r'class="name"[^>]*>([^<]+)<', drawing) == [
        "Level 2",
        "Draw at most 4.2 kW",
        "Price 0.200 to 0.420",
    ]
    assert drawing.count('<rect class="price"') == 2, "what is over is not drawn"
    heights = [float(h) for h in re.findall(r'<rect class="price"[^>]*height="([\d.]+)"', drawing)]
    assert heights[0] == 40.0 and heights[1] == pytest.approx(0.2 / 0.42 * 40, abs=0.1)
    words = page.split("In words</summary>")[1].split("</ul>")[0]
    assert "price 0.420 EUR per kWh" in words and "use much less" in words
    assert "Sun 07:00–09:00: draw at most 4.2 kW" in words


async def test_a_short_event_is_drawn_four_pixels_wide_at_least(demo, home: FakeHome) -> None:
    def level(start: float, minutes: float) -> Signal:
        end = at(start) + timedelta(minutes=minutes)
        return Signal(
            "SIMPLE", (2.0,), "", at(start), end, "utility:e", "utility:p", 0, None, Authority.DEMAND_RESPONSE
        )

    home.timeline = lambda: Timeline((level(20, 20), level(24, 180), level(30, 15), level(30.25, 60)))  # type: ignore[method-assign]
    drawing = (await demo.get("/events")).text.split('class="lanes"')[1].split("</svg>")[0]
    bars = [re.findall(r'width="([^"]+)"', bar) for bar in re.findall("<g>(.*?)</g>", drawing)]
    assert bars == [["0.69%", "4"], ["6.25%"], ["0.52%"], ["2.08%"]], (
        "one over the other in one group, so that none looks darker"
    )


async def test_a_home_told_nothing_draws_nothing() -> None:
    async with browser(only_read(empty=True)[1]) as client:
        page = (await client.get("/events")).text
    assert 'class="lanes"' not in page and "No event has been announced." in page
