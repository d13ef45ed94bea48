"""Appliances on the pages and in the API, and the comfort schedule on the page Preferences."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from gateway.model.errors import WishRefused
from gateway.model.plan import Block, IntentKind, Plan
from gateway.model.preferences import ComfortSpan
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ApplianceSpec, Device, Role
from gateway.model.snapshot import Snapshot
from gateway.runtime.appliance_wishes import ApplianceWishes
from gateway.web.app import create_app
from gateway.web.appliance_cards import appliance_cards
from gateway.web.appliances import appliance_routes, next_time
from gateway.web.comfort_text import schedule_from, schedule_lines
from gateway.web.login import Login
from gateway.web.pages import Pages
from gateway.web.settings import WebSettings
from tests.web.conftest import OWN, browser
from tests.web.fake_home import FakeHome
from tests.web.scene import NOW, SITE, ZONE

WASH = Device("wash", "Dishwasher", Role.APPLIANCE, ApplianceSpec((2_000, 100, 1_800, 100), 900))
SEVEN = datetime(2026, 11, 22, 6, tzinfo=UTC)


@pytest.fixture
def home() -> FakeHome:
    return FakeHome(site=replace(SITE, devices=(*SITE.devices, WASH)))


@pytest.fixture
def desk(home: FakeHome) -> ApplianceWishes:
    """The home's own desk, where it has one."""
    own = getattr(home, "appliances", None)
    return own or ApplianceWishes(home.site, home.clock, home.store, lambda what: None)


@pytest.fixture
def pages(home: FakeHome) -> Pages:
    return Pages(home, Login(home.facts, home.clock))


@pytest.fixture
async def owner(home: FakeHome, pages: Pages, desk: ApplianceWishes):
    """The demo's own visitor."""
    app = create_app(home, settings=WebSettings(demo_login=True))
    if not any(getattr(route, "path", "") == "/api/v1/appliances" for route in app.routes):
        app.include_router(appliance_routes(home, pages, desk))
    async with browser(app, headers={"origin": OWN}) as client:
        yield client


def begin(desk: ApplianceWishes) -> None:
    """Its relay closes now."""
    switch = Setpoint("wash", SetpointKind.SWITCH, 1.0, NOW + timedelta(hours=3), 7, "")  # type: ignore[arg-type]
    desk.observe(Snapshot(NOW, {}, {}, None, commanded={"wash": switch}), {"wash": switch})  # type: ignore[arg-type]


async def test_the_api_lists_asks_and_takes_back(owner, desk):
    [idle] = (await owner.get("/api/v1/appliances")).json()
    assert (idle["id"], idle["phase"], idle["lasts_s"]) == ("wash", "idle", 3_600)
    asked = await owner.post("/api/v1/appliances/wash/run", json={"done_by": SEVEN.isoformat()})
    assert asked.status_code == 200 and asked.json()["phase"] == "waiting"
    assert desk.runs["wash"].done_by == SEVEN
    gone = await owner.request("DELETE", "/api/v1/appliances/wash/run")
    assert gone.status_code == 200 and "has power again" in gone.json()["text"]
    assert desk.runs == {}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/appliances/boiler/run", {"done_by": SEVEN.isoformat()}, 404),
        ("/api/v1/appliances/wash/run", {"done_by": "2026-11-22T07:00"}, 422),
        ("/api/v1/appliances/wash/run", {"done_by": NOW.isoformat()}, 409),
        ("/api/v1/appliances/wash/run", {"done_by": SEVEN.isoformat(), "colour": "red"}, 422),
    ],
    ids=["no appliance", "no time zone", "too soon", "unknown field"],
)
async def test_what_cannot_be_asked_is_refused(owner, desk, path, body, status):
    assert (await owner.post(path, json=body)).status_code == status
    assert desk.runs == {}


async def test_a_running_machine_is_not_stopped_from_here(owner, desk):
    await desk.ask("wash", None, SEVEN, "owner")
    begin(desk)
    refused = await owner.request("DELETE", "/api/v1/appliances/wash/run")
    assert refused.status_code == 409 and "not interrupted" in refused.text
    assert desk.runs["wash"].started_at == NOW


@pytest.mark.parametrize(
    ("by", "after", "done", "start"),
    [
        ("07:00", "", "2026-11-22T07:00", "2026-11-21T18:05"),
        ("18:30", "", "2026-11-22T18:30", "2026-11-21T18:05"),
        ("20:00", "", "2026-11-21T20:00", "2026-11-21T18:05"),
        ("07:00", "01:00", "2026-11-22T07:00", "2026-11-22T01:00"),
        ("01:30", "01:00", "2026-11-23T01:30", "2026-11-22T01:00"),
    ],
    ids=["tomorrow", "too near: the day after", "tonight", "not before", "no room between: a day later"],
)
async def test_the_form_means_the_next_such_time(owner, desk, by, after, done, start):
    answer = await owner.post("/do/appliance", data={"device": "wash", "by": by, "after": after, "back": "/"})
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    run = desk.runs["wash"]
    local = [when.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M") for when in (run.done_by, run.not_before)]
    assert local == [done, start]


async def test_the_form_takes_a_wish_back_and_says_what_is_wrong(owner, desk):
    await desk.ask("wash", None, SEVEN, "owner")
    await owner.post("/do/appliance", data={"device": "wash", "by": "07:00", "action": "cancel", "back": "/"})
    assert desk.runs == {}
    answer = await owner.post("/do/appliance", data={"device": "wash", "by": "soon", "back": "/"})
    assert answer.status_code == 303 and desk.runs == {}


async def test_the_card_says_where_the_run_stands(home, desk, pages):
    assert "ask for a run here" in appliance_cards(home, desk)[0].words
    await desk.ask("wash", None, SEVEN, "owner")
    start = NOW + timedelta(hours=7)
    block = Block("wash", IntentKind.RUN, start, start + timedelta(hours=1), 1_000, 1_000, "cheap")
    home.plan = lambda: Plan(NOW, "test", "optimised", (), (block,), 0, 0, 0.0, 1.0)
    [card] = appliance_cards(home, desk)
    assert card.words == "Starts about Sun 01:05; done by Sun 07:00." and card.waits and card.may_ask
    begin(desk)
    [card] = appliance_cards(home, desk)
    assert card.words == "Running until about 19:05; it is not interrupted." and not card.may_ask
    shown = pages.templates.get_template("appliances.html").render(appliances=[card])
    assert "Dishwasher" in shown and "<form" not in shown


def test_a_wall_time_is_the_next_one_on_a_day_that_changes_the_clock(home):
    before = datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert next_time(home, time(7), before) == datetime(2026, 10, 25, 6, tzinfo=UTC)


# --- the comfort schedule as text

NIGHT = ComfortSpan(time(22), time(6), 17.0, 20.5, (0, 1, 2, 3, 4))


@pytest.mark.parametrize(
    ("text", "days", "low"),
    [
        ("Mon-Fri 22:00-06:00 17 20,5", [0, 1, 2, 3, 4], "17"),
        ("22:00-06:00 17 20.5", [0, 1, 2, 3, 4, 5, 6], "17"),
        ("sat,sun 9:00 - 11:00 18.5 21", [5, 6], "18.5"),
        ("Fri-Mon 22:00-06:00 17 20", [0, 4, 5, 6], "17"),
    ],
    ids=["weekdays", "every day", "list", "over the weekend"],
)
def test_a_line_of_the_schedule_is_read(text, days, low):
    [entry] = schedule_from(text)
    assert (entry["days"], entry["low_c"]) == (days, low)


@pytest.mark.parametrize(
    ("text", "words"),
    [("warm please", "no entry"), ("Mon-Foo 22:00-06:00 17 20", "no day"), ("22:00 17 20", "no entry")],
)
def test_a_line_that_cannot_be_read_is_named(text, words):
    with pytest.raises(WishRefused, match=words):
        schedule_from(text)


def test_what_is_shown_is_read_as_the_same():
    spans = (
        NIGHT,
        replace(NIGHT, days=(0, 1, 2, 3, 4, 5, 6)),
        replace(NIGHT, days=(5, 6)),
        replace(NIGHT, days=(0, 2)),
    )
    read = schedule_from(schedule_lines(spans))
    assert [tuple(entry["days"]) for entry in read] == [span.days for span in spans]
    assert schedule_lines(spans).splitlines()[0] == "Mon-Fri 22:00-06:00 17 20.5"


async def test_the_page_keeps_the_schedule_hygiene_and_the_rest(owner, home):
    form = {"comfort_schedule": "Mon-Fri 22:00-06:00 17 20,5", "hygiene_c": "65", "hygiene_days": "14", "carbon_per_kg": "0",
            "comfort_weight": "0.5", "accept_higher_peak": "yes"}  # fmt: skip
    assert (await owner.post("/preferences", data=form)).status_code == 303
    wish = home.preferences()
    assert wish.comfort_schedule == (NIGHT,) and (wish.hygiene_c, wish.hygiene_days) == (65.0, 14)
    assert wish.comfort_weight == 0.5 and wish.accept_higher_peak
    assert "Mon-Fri 22:00-06:00 17 20.5" in (await owner.get("/preferences")).text


async def test_a_line_that_cannot_be_read_stays_in_the_form(owner, home):
    answer = await owner.post("/preferences", data={"comfort_schedule": "warm please", "carbon_per_kg": "0"})
    assert answer.status_code == 422 and "warm please" in answer.text and "no entry" in answer.text
    assert home.preferences().comfort_schedule == ()


async def test_the_api_takes_the_schedule(owner, home):
    whole = (await owner.get("/api/v1/preferences")).json()
    whole["comfort_schedule"] = [
        {"start": "22:00", "end": "06:00", "low_c": 17, "high_c": 20.5, "days": [0, 1, 2, 3, 4]}
    ]
    assert (await owner.put("/api/v1/preferences", json=whole)).status_code == 200
    assert home.preferences().comfort_schedule == (NIGHT,)
