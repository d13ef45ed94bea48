"""Planned against actual on the page and in the API, every block's alternative, and what charging now would cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta

import httpx
import pytest

from gateway.core.metering.resample import local_day
from gateway.model.archive import ArchivedDay, ArchivedQuarter, PlannedQuarter
from gateway.model.plan import Block, IntentKind
from gateway.web.app import create_app
from gateway.web.archive_words import day_sentence, error_sentences, pairs
from gateway.web.settings import WebSettings
from tests.web.conftest import OWN, browser
from tests.web.fake_home import FakeHome
from tests.web.scene import NOW, SITE, ZONE

YESTERDAY = date(2026, 11, 20)
STEP = timedelta(minutes=15)


def archived(day: date = YESTERDAY, *, planned: int = 96, measured: int = 96) -> ArchivedDay:
    """Planned 600 W from the grid, measured 625 W at day and 50 W given away in the last six hours."""
    start, end = local_day(day, ZONE)
    rows = []
    for index in range(96):
        at = start + STEP * index
        sun = -800.0 if 40 <= index < 56 else 0.0
        plan = PlannedQuarter(at, {"grid": 600.0, "house": 500.0, "pv": sun, "charger": 0.0}, 50.0, 300_000)
        was = {"grid": 625.0 if index < 72 else -50.0, "house": 480.0, "pv": 1.25 * sun, "charger": 10.0}
        rows.append(ArchivedQuarter(at, plan if index < planned else None, was if index < measured else {}, None))
    return ArchivedDay(day, start, end, tuple(rows))


class FakeArchive:
    async def day(self, day: date) -> ArchivedDay:
        return archived(day)


class FakePlans:
    def __init__(self, found: tuple[int, float] | None = (1_750_000, 2_400.0)) -> None:
        self.found, self.asked = found, list[str]()

    async def charge_now(self, device: str) -> tuple[int, float] | None:
        self.asked.append(device)
        return self.found


def client_of(home: FakeHome, plans: FakePlans | None = None) -> httpx.AsyncClient:
    home.archive, home.plans = FakeArchive(), plans or FakePlans()  # type: ignore[assignment]
    app = create_app(home, settings=WebSettings(demo_login=True))
    return browser(app, headers={"origin": OWN})  # type: ignore[return-value]


@pytest.fixture
async def owner(home: FakeHome) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(home) as client:
        yield client


async def test_the_page_says_in_words_how_far_the_plan_was_off(owner: httpx.AsyncClient) -> None:
    text = (await owner.get("/plan/archive")).text
    assert "Yesterday the plan expected 14.4 kWh from the grid; it was 11.2 kWh." in text
    assert "The house used 480 Wh less than planned. The sun gave 800 Wh more than planned." in text
    assert 'id="archive"' in text and 'class="plan"' in text and "06:00" in text


async def test_the_api_tells_each_quarter_hour_planned_and_measured(owner: httpx.AsyncClient) -> None:
    found = (await owner.get("/api/v1/plan/archive?day=2026-11-20")).json()
    assert len(found["quarters"]) == 96 and found["quarters"][0]["planned"]["power_w"]["grid"] == 600
    (grid,) = [miss for miss in found["misses"] if miss["name"] == "grid"]
    assert (grid["planned_wh"], grid["measured_wh"]) == (14_400, 10_950)
    assert grid["mean_error_w"] == pytest.approx((72 * 25 + 24 * 650) / 96)
    assert found["words"].startswith("Yesterday the plan expected 14.4 kWh")


def test_hours_without_a_plan_are_said_and_in_no_figure() -> None:
    found = archived(planned=88)
    assert error_sentences(found)[-1] == "For 2 h no plan was kept; they are in no figure."
    assert "expected 13.2 kWh" in day_sentence(found, YESTERDAY + timedelta(days=1))


def test_figures_count_only_quarter_hours_that_were_planned_and_measured() -> None:
    """Wrong before: a plan of the evening alone stood beside the whole day's energy."""
    house = next(pair for pair in pairs(SITE, archived(planned=8)) if pair.name == "House")
    assert house.figures == "planned 1.0 kWh, was 960 Wh"


def test_a_day_without_meter_says_so_and_draws_what_was_planned() -> None:
    found = archived(measured=0)
    assert day_sentence(found, YESTERDAY) == "Today so far nothing was both planned and measured."
    assert {pair.name for pair in pairs(SITE, found)} == {"Grid", "House", "Sun"}
    assert all(not pair.was and pair.plan.startswith("M0.0 ") for pair in pairs(SITE, found))


@pytest.mark.parametrize("query", ["", "day=2026-11-20", "day=x", "day=0001-01-01", "day=9999-12-31", "day=%00"])
async def test_any_address_shows_a_page(owner: httpx.AsyncClient, query: str) -> None:
    assert (await owner.get(f"/plan/archive?{query}")).status_code == 200


@pytest.mark.parametrize("day", ["1900-01-01", "2026-11-22", "x"])
async def test_the_api_refuses_a_day_that_has_no_archive(owner: httpx.AsyncClient, day: str) -> None:
    assert (await owner.get(f"/api/v1/plan/archive?day={day}")).status_code == 422


# ---- blocks


async def test_every_block_of_the_plan_answers_for_itself(owner: httpx.AsyncClient, home: FakeHome) -> None:
    blocks = (await owner.get("/api/v1/plan/blocks")).json()
    assert len(blocks) == 6
    for block in blocks:
        answer = await owner.get(f"/api/v1/plan/blocks/{block['device']}", params={"start": block["start"]})
        found = answer.json()
        assert found["block"] == block and found["cost_micro"] == 1_730_000
        assert found["words"].startswith(block["reason"]) and "would cost 1.73 EUR more" in found["words"]
    only = (await owner.get("/api/v1/plan/blocks?device=boiler")).json()
    assert [block["device"] for block in only] == ["boiler"]


async def test_a_block_is_found_by_any_time_inside_it_and_now_when_none_is_said(owner: httpx.AsyncClient) -> None:
    now = (await owner.get("/api/v1/plan/blocks/charger")).json()["block"]
    assert now["kind"] == "hold"
    later = datetime.fromisoformat(now["end"]) + timedelta(minutes=7)
    found = await owner.get("/api/v1/plan/blocks/charger", params={"start": later.isoformat()})
    assert found.json()["block"]["kind"] == "charge_at"


async def test_a_block_without_another_way_says_so_and_invents_no_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    home = FakeHome()
    plan = home.plan()
    idle = Block("charger", IntentKind.IDLE, NOW, NOW + timedelta(hours=4), 0, 0, "The car has what it needs.")
    object.__setattr__(plan, "blocks", (idle,))
    monkeypatch.setattr(home, "plan", lambda: plan)
    async with client_of(home) as client:
        found = (await client.get("/api/v1/plan/blocks/charger")).json()
    assert found["cost_micro"] is None and found["words"].startswith("The car has what it needs. There is no other")


@pytest.mark.parametrize(
    "address", ["/api/v1/plan/blocks/nobody", "/api/v1/plan/blocks/boiler?start=2030-01-01T00:00:00Z"]
)
async def test_what_is_not_planned_is_not_found(owner: httpx.AsyncClient, address: str) -> None:
    answer = await owner.get(address)
    assert answer.status_code == 404 and "GET /api/v1/plan/blocks" in answer.json()["detail"]


async def test_before_the_first_plan_there_are_no_blocks() -> None:
    async with client_of(FakeHome.empty()) as client:
        assert (await client.get("/api/v1/plan/blocks")).status_code == 404


# ---- charging now


async def test_what_charging_now_would_cost_is_told_in_money_and_carbon(owner: httpx.AsyncClient) -> None:
    found = (await owner.get("/api/v1/chargers/charger/now-cost")).json()
    assert (found["more_micro"], found["more_co2_g"]) == (1_750_000, 2_400)
    words = "Charging Car now would cost €1.75 and 2.4 kg CO₂ more than the plan, which has until Sun 07:00."
    assert found["words"] == words
    assert words in (await owner.get("/charging/now-cost?charger=charger")).text


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((0, 0.0), "would cost as much as the plan"),
        ((-300_000, 900.0), "would cost €0.30 less, but 900 g CO₂ more than the plan"),
        (None, "There is no plan for Car yet"),
    ],
)
async def test_charging_now_in_other_words(
    home: FakeHome, found: tuple[int, float] | None, words: str
) -> None:  # fmt: skip
    async with client_of(home, FakePlans(found)) as client:
        assert words in (await client.get("/charging/now-cost?charger=charger")).text
        answer = await client.get("/api/v1/chargers/charger/now-cost")
        assert answer.status_code == (409 if found is None else 200)


async def test_without_a_car_nothing_is_solved() -> None:
    plans = FakePlans()
    async with client_of(FakeHome.empty(), plans) as client:
        answer = await client.get("/api/v1/chargers/charger/now-cost")
        assert answer.status_code == 409 and "No car is plugged in" in answer.json()["detail"]
        assert (await client.get("/api/v1/chargers/boiler/now-cost")).status_code == 404
        assert (await client.get("/charging/now-cost?charger=nobody")).status_code == 404
    assert plans.asked == []
