"""The page Charging: modes, departures, cars, guests and limits; readable without scripts, errors in their place."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import Any

import pytest

from gateway.model.authority import Authority
from gateway.model.charging import ChargingNeeds
from gateway.model.preferences import ChargeGoal, ChargeMode, ChargingPreference, Departure, Preferences, Vehicle
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ChargerSpec
from gateway.model.snapshot import ChargePhase
from gateway.web.charging import days_words
from tests.web.fake_home import FakeHome
from tests.web.scene import NOW, at

ZOE = Vehicle("Zoe", ("04A1B2",), 52_000.0, 1, 32.0, 90.0, 80.0)


def wish(home: FakeHome) -> ChargingPreference:
    return home.preferences().charging_of("charger")


def given(home: FakeHome, *, vehicles: tuple[Vehicle, ...] = (), **wishes: Any) -> None:
    home._preferences = Preferences(charging={"charger": ChargingPreference(**wishes)}, vehicles=vehicles)


def car_says(home: FakeHome, **change: Any) -> None:
    before = home.snapshot
    status = before().chargers["charger"]
    home.snapshot = lambda: replace(before(), chargers={"charger": replace(status, **change)})  # type: ignore[method-assign]


async def post(client: Any, form: str, **fields: str) -> Any:
    return await client.post(f"/do/{form}", data={"charger": "charger"} | fields)


@pytest.mark.slow
async def test_the_settings_a_form_sends_are_kept_and_the_others_stay(demo, home):
    await post(demo, "charging", max_price="0,25", max_co2="", guest_current="8", priority="-2",
               boxes="trust_car unknown_tag_is_guest", unknown_tag_is_guest="yes")  # fmt: skip
    await post(demo, "charging", goal="greenest", target_soc="80", target_kwh="12.5", ready_by="06:15")
    assert wish(home) == ChargingPreference(
        ready_by=time(6, 15), target_wh=12_500.0, target_soc_percent=80.0, goal=ChargeGoal.GREENEST,
        max_price_micro_per_kwh=250_000, priority=-2, trust_car=False, guest_current_a=8.0, unknown_tag_is_guest=True,
    )  # fmt: skip
    page = (await demo.get("/charging")).text
    assert "charges when power is cleanest, 12.5 kWh by 06:15" in page


async def test_a_mode_button_says_which_mode_holds(demo, home):
    await post(demo, "charging", mode="solar")
    page = (await demo.get("/charging")).text
    assert 'value="solar" aria-pressed="true"' in page and 'value="smart" aria-pressed="false"' in page
    assert "charges from surplus sun only" in page


@pytest.mark.parametrize(
    ("form", "fields", "control"),
    [
        ("charging", {"target_kwh": "12"}, '<button class="strong" autofocus>Keep</button>\n  </form>\n  <p class="said"'),
        ("charging", {"mode": "solar"}, 'value="solar" aria-pressed="true" autofocus>'),
        ("charging", {"priority": "2", "boxes": "trust_car"}, "autofocus>Keep</button>"),
        ("departure", {"at": "06:30", "day0": "yes"}, "<summary autofocus>Add a departure"),
        ("vehicle", {"name": "Zoe", "battery_kwh": "52"}, 'autofocus>Keep</button>'),
        ("vehicle", {"was": "Old", "remove": "yes"}, "<summary autofocus>Add a car"),
    ],
    ids=["wishes", "mode", "limits", "departure", "car", "car removed"],
)  # fmt: skip
async def test_after_a_form_the_focus_is_where_it_was_and_what_came_of_it_stands_there(
    demo, home, form, fields, control
):
    """Wrong before: who works by the keyboard was thrown back to the top of the page."""
    given(home, vehicles=(replace(ZOE, name="Old"),))
    answer = await post(demo, form, **fields)
    page = (await demo.get(answer.headers["location"])).text
    assert control in page
    assert page.count("autofocus") == 1 and page.count('role="status"') == 1


async def test_a_control_that_is_not_there_gets_no_focus(demo, home):
    await post(demo, "charging", target_kwh="12")
    page = (await demo.get("/charging", params={"kept": "charging nobody"})).text
    assert "autofocus" not in page and page.count('role="status"') == 1


async def test_charge_at_once_tells_what_keeps_it_from_it(demo, home):
    """Wrong before: "charges at once" stood above "Paused until 22:00"."""
    car_says(home, phase=ChargePhase.PLUGGED, power_w=0.0)
    pause = Setpoint("charger", SetpointKind.CURRENT, 0.0, NOW, Authority.DEMAND_RESPONSE, "The utility asks to wait.")
    home.setpoints = lambda: {"charger": pause}  # type: ignore[method-assign]
    await post(demo, "charging", mode="now")
    page = (await demo.get("/charging")).text
    assert "waits for now, and charges at once after that. The utility asks to wait." in page
    assert "as fast as it may" not in page


WEEKDAYS = {f"day{day}": "yes" for day in range(5)}


async def test_departures_are_added_replaced_and_removed(demo, home):
    await post(demo, "departure", at="06:30", **WEEKDAYS)
    await post(demo, "departure", at="10:00", day5="yes", target_kwh="8", target_soc="60")
    await post(demo, "departure", at="06:30", target_soc="90", **WEEKDAYS)
    saturday = Departure(time(10), (5,), 8_000.0, 60.0)
    assert wish(home).departures == (Departure(time(6, 30), (0, 1, 2, 3, 4), None, 90.0), saturday)
    page = (await demo.get("/charging")).text
    assert "06:30 Mon–Fri" in page and "8 kWh or 60 %" in page and "Ready by, each day" not in page
    await post(demo, "departure", remove="0")
    assert wish(home).departures == (saturday,)


@pytest.mark.parametrize(
    ("days", "words"),
    [((0, 1, 2, 3, 4, 5, 6), "every day"), ((0, 1, 2, 3, 4), "Mon–Fri"), ((5, 6), "Sat, Sun"), ((0, 2), "Mon, Wed")],
)
def test_days_are_told_as_a_person_would(days: tuple[int, ...], words: str) -> None:
    assert days_words(days) == words


@pytest.mark.parametrize(
    ("form", "fields", "words"),
    [
        ("departure", {"at": "06:45"}, "at least one day of the week"),
        ("departure", {"at": "soon", "day1": "yes"}, "could not be read"),
        ("departure", {"at": "06:45", "day1": "yes", "target_soc": "130"}, "less than or equal to 100"),
        ("charging", {"target_kwh": "lots"}, "could not be read"),
        ("charging", {"target_kwh": "nan"}, "could not be read"),
        ("charging", {"max_price": "cheap", "boxes": "trust_car"}, "could not be read"),
        ("charging", {"mode": "moonlight"}, "could not be read"),
        ("vehicle", {"was": "", "name": "", "battery_kwh": "50"}, "needs a name"),
        ("vehicle", {"was": "", "name": "Big", "battery_kwh": "x"}, "could not be read"),
    ],
)
async def test_what_cannot_be_is_refused_in_its_place_and_nothing_changes(demo, home, form, fields, words):
    answer = await post(demo, form, **fields)
    assert answer.status_code == 422 and home.wishes == []
    assert words in answer.text


@pytest.mark.parametrize("form", ["charging", "departure", "guest"])
async def test_a_form_of_a_charger_that_is_gone_is_told_on_top_of_the_page(demo, home, form):
    assert (await post(demo, form, charger="boiler", mode="now", remove="0", guest="yes")).status_code == 303
    assert "There is no such charger. Reload the page." in (await demo.get("/charging")).text and home.wishes == []


async def test_what_was_typed_into_a_refused_form_stays_there(demo, home):
    page = (await post(demo, "departure", at="06:45", target_soc="13o", day2="yes")).text
    part = page.split('id="departures-1"')[1]
    alert, form = part.index('role="alert"'), part.index("Add a departure")
    assert alert < form and "<details open>" in part[:form]
    assert 'value="06:45"' in part and 'value="13o"' in part
    assert 'name="day2" value="yes" checked' in part and 'name="day1" value="yes" checked' not in part
    assert (await demo.get("/do/departure")).headers["location"] == "/charging"


async def test_a_car_of_the_house_is_added_changed_and_removed(demo, home):
    form = {"name": "Zoe", "tags": "04A1B2, 77", "battery_kwh": "52", "phases": "1", "max_current": "32",
            "efficiency": "88,5", "target_soc": "80", "mode": "solar"}  # fmt: skip
    await post(demo, "vehicle", was="", **form)
    known = Vehicle("Zoe", ("04A1B2", "77"), 52_000.0, 1, 32.0, 88.5, 80.0, ChargeMode.SOLAR)
    assert home.preferences().vehicles == (known,)
    await post(demo, "charging", default_vehicle="Zoe")
    await post(demo, "vehicle", was="Zoe", **(form | {"name": "Zoë", "mode": ""}))
    assert home.preferences().vehicles == (replace(known, name="Zoë", mode=None),)
    assert wish(home).default_vehicle == "Zoë"
    page = (await demo.get("/charging")).text
    assert "52 kWh · 32 A on 1 phase · to 80 % · 2 tags" in page
    await post(demo, "vehicle", was="Zoë", remove="yes")
    assert home.preferences().vehicles == () and wish(home).default_vehicle == ""


async def test_the_guest_button_is_for_the_session_that_is_open(demo, home):
    await post(demo, "guest", guest="yes")
    assert wish(home).guest_session == "41"
    page = (await demo.get("/charging")).text
    assert "A guest&#39;s car" in page and "Not a guest" in page
    await post(demo, "guest", guest="")
    assert wish(home).guest_session == ""


async def test_a_guest_without_a_session_is_told_what_to_do(demo, home):
    car_says(home, transaction="")
    answer = await post(demo, "guest", guest="yes")
    assert answer.status_code == 422 and "Plug the guest&#39;s car in first" in answer.text


async def test_the_page_tells_whose_car_it_is_and_what_it_says_itself(demo, home):
    given(home, vehicles=(ZOE,))
    car_says(home, tag="04a1b2", soc_percent=None, needs=ChargingNeeds(NOW, at(31.5), 18_000.0))
    page = (await demo.get("/charging")).text
    assert "· Zoe" in page and "The car itself says: leaves Sun 07:30 and wants 18.0 kWh." in page
    assert "says the car" in page and "13.8 kWh" in page
    given(home, vehicles=(ZOE,), trust_car=False)
    page = (await demo.get("/charging")).text
    assert "wants 18.0 kWh. Your own plan holds." in page and "says the car" not in page


@pytest.mark.parametrize(
    ("safe_a", "rung", "words"),
    [
        (6.0, "TxProfile Absolute, stack 0, A", "for later, the plan held to the safe current of 6 A"),
        (
            0.0,
            "TxProfile Absolute, stack 0, A",
            "told the current of the moment only: the charger&#39;s safe current is 0",
        ),
        (6.0, "TxDefaultProfile Absolute, stack 0, A", "It is told the current of the moment only."),
    ],
)
async def test_the_page_says_what_a_car_with_needs_is_told_meanwhile(demo, home, safe_a, rung, words):
    spec = ChargerSpec(safe_current_a=safe_a)
    devices = tuple(replace(d, spec=spec) if d.id == "charger" else d for d in home.site.devices)
    home.site = replace(home.site, devices=devices)
    assert "told the current of the moment" not in (await demo.get("/charging")).text
    car_says(home, needs=ChargingNeeds(NOW, at(31.5), 18_000.0), rung=rung)
    assert words in (await demo.get("/charging")).text


async def test_a_car_on_sun_only_is_promised_neither_an_hour_nor_a_departure(demo, home):
    given(home, mode=ChargeMode.SOLAR)
    car_says(home, phase=ChargePhase.PLUGGED)
    words = "Waiting for enough surplus sun."
    held = Setpoint("charger", SetpointKind.CURRENT, 0.0, at(0.03), Authority.PLAN, words)
    home.setpoints = lambda: {"charger": held}
    card = (await demo.get("/charging")).text.split('class="card waiting"')[1].split("</section>")[0]
    assert ">Waiting</h2>" in card and words in card
    assert "Paused until" not in card and "Still planned" not in card


async def test_a_mode_of_the_vehicle_is_told_beside_the_buttons(demo, home):
    given(home, vehicles=(replace(ZOE, mode=ChargeMode.SOLAR),))
    car_says(home, tag="04A1B2")
    assert "Zoe has a mode of its own: Sun only." in (await demo.get("/charging")).text


async def test_the_plan_is_a_bar_with_its_reasons_and_the_departure(demo, home):
    page = (await demo.get("/charging")).text
    bar = page.split('class="planbar"')[1].split("</svg>")[0]
    assert 'aria-label="Car: 32.4 kWh planned in the next 24 hours"' in bar
    assert bar.count('class="on"') == 1 and 'class="leaves"' in bar
    reasons = page.split('class="planbar"')[1].split("</dl>")[0]
    assert "now – 22:00" in reasons and "Cheapest hours before 07:00; the car will be full by 02:30." in reasons


async def test_on_vacation_the_page_says_when_the_car_is_ready_again(demo, home):
    home._preferences = Preferences(vacation_until=at(24 * 5))
    assert (
        "You are away: the car takes surplus sun when there is any, and is ready again for"
        in (await demo.get("/charging")).text
    )


async def test_names_of_cars_cannot_become_markup(demo, home):
    given(home, vehicles=(replace(ZOE, name="<script>alert(1)</script>"),), default_vehicle="<script>alert(1)</script>")
    assert "<script>alert" not in (await demo.get("/charging")).text


async def test_a_reader_may_look_but_not_wish(reader, home):
    assert (await reader.get("/charging")).status_code == 200
    for form in ("charging", "departure", "guest", "vehicle"):
        assert (await post(reader, form, mode="now")).status_code in (303, 401, 403)
    assert home.wishes == []


# ---- the same through the API


OLD_BODY = {
    "charging": {"charger": {"mode": "smart", "ready_by": "06:30", "target_wh": 9000, "target_soc_percent": 80}},
    "battery_reserve_percent": 10, "comfort_low_c": 19, "comfort_high_c": 22, "water_min_c": 45, "dr_policy": "join",
    "consents": {}, "vacation_until": None, "carbon_weight_micro_per_kg": 0, "battery_to_car": False,
}  # fmt: skip


async def test_a_body_of_the_last_version_is_still_a_whole_one(demo, home):
    assert (await demo.put("/api/v1/preferences", json=OLD_BODY)).status_code == 200
    assert wish(home) == ChargingPreference(ready_by=time(6, 30), target_wh=9_000.0, target_soc_percent=80.0)


@pytest.mark.slow
async def test_what_the_api_tells_it_takes_back_unchanged(demo, home):
    plans = (Departure(time(6, 30), (0, 4), 5_000.0),)
    given(home, vehicles=(ZOE,), departures=plans, goal=ChargeGoal.GREENEST, default_vehicle="Zoe", priority=3)
    before = home.preferences()
    body = (await demo.get("/api/v1/preferences")).json()
    assert body["charging"]["charger"]["departures"] == [
        {"at": "06:30:00", "days": [0, 4], "target_wh": 5000.0, "target_soc_percent": None}
    ]
    assert (await demo.put("/api/v1/preferences", json=body)).status_code == 200
    assert home.preferences() == before


@pytest.mark.parametrize(
    "change",
    [
        {"departures": [{"at": "06:30", "days": []}]},
        {"departures": [{"at": "06:30", "days": [7]}]},
        {"priority": 99},
        {"guest_current_a": 3},
        {"goal": "fastest"},
    ],
)
async def test_the_api_refuses_what_cannot_be(demo, home, change):
    body = OLD_BODY | {"charging": {"charger": change}}
    assert (await demo.put("/api/v1/preferences", json=body)).status_code == 422 and home.wishes == []


async def test_the_api_tells_whose_car_stands_there_and_what_it_needs_by_when(demo, home):
    given(home, vehicles=(ZOE,))
    car_says(home, tag="04A1B2", needs=ChargingNeeds(NOW, at(31.5), 18_000.0))
    (told,) = (await demo.get("/api/v1/chargers")).json()
    assert (told["vehicle"], told["guest"], told["departure"]) == ("Zoe", False, "2026-11-22T06:30:00Z")
    assert told["needed_wh"] == 13_800.0
