"""The page Savings and its API: losses as plain as gains, the baseline stated, what is not counted said."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta

import httpx
import pytest

from gateway.model.savings import BASELINE, Savings, SavingsDay, SavingsMonth
from gateway.model.site import BatterySpec, Device, Role
from gateway.web.app import create_app
from gateway.web.savings_words import month_sentence, picture
from gateway.web.settings import WebSettings
from tests.web.conftest import OWN, browser
from tests.web.fake_home import FakeHome

TODAY = date(2026, 11, 21)
FIRST = date(2026, 11, 1)


def day(number: int, saved: int, doubt: int = 100_000, month: int = 11) -> SavingsDay:
    return SavingsDay(date(2026, month, number), True, "", 3_000_000, 3_000_000 + saved, 0, doubt, 9_000.0, 9_500.0)


MISSING = SavingsDay(date(2026, 11, 9), False, "Main meter: 2 h without data.")
NOTED = replace(day(5, 700_000), notes=("4 quarter hours of Main meter are estimated.",))
DAYS = (day(3, 1_500_000), NOTED, day(8, -1_500_000), MISSING, day(12, 0))


class FakeSavings:
    def __init__(self, *days: SavingsDay, months: tuple[SavingsMonth, ...] = ()) -> None:
        self.days, self.months = days, months

    def today(self) -> date:
        return TODAY

    async def between(self, first: date, last: date) -> Savings:
        return Savings(tuple(d for d in self.days if first <= d.day <= last), self.months)


def client_of(savings: FakeSavings) -> httpx.AsyncClient:
    home = FakeHome()
    home.savings = savings  # type: ignore[assignment]
    app = create_app(home, settings=WebSettings(demo_login=True))
    return browser(app, headers={"origin": OWN})  # type: ignore[return-value]


@pytest.fixture
async def owner() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(FakeSavings(*DAYS)) as client:
        yield client


async def test_the_page_states_sum_doubt_loss_and_the_baseline(owner: httpx.AsyncClient) -> None:
    text = (await owner.get("/savings")).text
    assert "In November so far Hearth saved €0.70, give or take €0.40; on 1 of 4 days it lost." in text
    assert BASELINE in text and "what events earned is not counted" in text
    assert "not counted" in text and "Main meter: 2 h without data." in text
    assert "4 quarter hours of Main meter are estimated." in text


async def test_a_loss_is_drawn_as_large_as_a_gain_of_the_same_size() -> None:
    drawn = picture(Savings(DAYS), FIRST, "EUR")
    by_kind = {bar.words[:10]: bar for bar in drawn.bars}
    up, down = by_kind["Tue 3 Nov:"], by_kind["Sun 8 Nov:"]
    assert (up.kind, down.kind) == ("up", "down")
    assert (up.height, up.width) == (down.height, down.width) and up.height > 60
    assert up.y + up.height == pytest.approx(drawn.zero, abs=0.2) and down.y == pytest.approx(drawn.zero, abs=0.2)
    assert by_kind["Mon 9 Nov:"].kind == "none"
    assert all(bar.y >= 0 and bar.y + bar.height <= 220 for bar in drawn.bars)


async def test_the_api_tells_days_sum_and_baseline(owner: httpx.AsyncClient) -> None:
    found = (await owner.get("/api/v1/savings?from=2026-11-01&to=2026-11-21")).json()
    assert (found["saved_micro"], found["days_counted"], found["days_lost"]) == (700_000, 4, 1)
    assert found["baseline"] == BASELINE and len(found["days"]) == 5
    assert sum(each["saved_micro"] for each in found["days"]) == found["saved_micro"]
    assert (await owner.get("/api/v1/savings")).json()["first"] == "2026-11-01"


async def test_what_peaks_add_is_in_the_sum_and_said() -> None:
    months = (SavingsMonth(FIRST, 20_000_000, 32_000_000),)
    async with client_of(FakeSavings(*DAYS, months=months)) as client:
        text = (await client.get("/savings")).text
        assert "saved €12.70" in text and "by peaks and tiers" in text and "€12.00" in text


@pytest.mark.parametrize(
    "query", ["", "month=2026-11", "month=2024-02", "month=9999-12", "month=0001-01", "month=x", "month=²026-01", "month=2026-13"]
)  # fmt: skip
async def test_any_address_shows_a_page(owner: httpx.AsyncClient, query: str) -> None:
    assert (await owner.get(f"/savings?{query}")).status_code == 200


@pytest.mark.parametrize("query", ["from=1900-01-01", "to=9999-01-01", "from=x", "from=2026-11-10&to=0001-01-01"])
async def test_the_api_refuses_impossible_days(owner: httpx.AsyncClient, query: str) -> None:
    answer = await owner.get(f"/api/v1/savings?{query}")
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"


async def test_a_home_that_was_not_counted_yet_says_when_it_will_be() -> None:
    async with client_of(FakeSavings()) as client:
        text = (await client.get("/savings")).text
        assert "no day could be counted yet" in text and "on the morning after it" in text


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([day(1, 2_000_000, 0)], "In November 2026 Hearth saved €2.00, on 1 day."),
        ([day(1, -2_000_000, 0)], "In November 2026 Hearth cost €2.00 more than the baseline; on 1 of 1 day it lost."),
        ([day(1, 1_000, 0), day(2, 2_000, 0)], "In November 2026 Hearth saved nothing, on 2 days."),
        ([MISSING], "In November 2026 no day could be counted yet."),
    ],
)
def test_the_month_in_a_sentence(days: list[SavingsDay], words: str) -> None:
    assert month_sentence(Savings(tuple(days)), FIRST, "EUR", running=False) == words


@pytest.mark.parametrize("saved", [0, 1, -1, 10**9, -(10**9)])
def test_any_month_can_be_drawn(saved: int) -> None:
    days = tuple(day(1 + i, saved) for i in range(28))
    drawn = picture(Savings(days), date(2026, 11, 1), "EUR")
    assert len(drawn.bars) == 28 and not re.search("nan|inf", str(drawn))
    assert drawn.bars[27].x + drawn.bars[27].width < 620
    assert day(28, saved).day + timedelta(days=1) > days[-1].day


@pytest.mark.parametrize(
    ("cost", "wear", "words"),
    [
        (50.0, (800_000, 500_000), "€0.80, €0.30 more than in the baseline"),
        (50.0, (200_000, 500_000), "€0.20, €0.30 less than in the baseline"),
        (50.0, (500_000, 500_000), "€0.50, as in the baseline"),
        (0.0, (0, 0), "states no wear for the battery"),
    ],
)
async def test_wear_is_told_beside_the_sum_and_not_taken_off(cost: float, wear: tuple[int, int], words: str) -> None:
    kept = replace(day(3, 1_000_000), wear_micro=wear[0], baseline_wear_micro=wear[1])
    home = FakeHome()
    battery = Device("battery", "Battery", Role.BATTERY, BatterySpec(10_000, 5_000, 5_000, wear_cost_micro_per_wh=cost))
    home.site = replace(home.site, devices=(*home.site.devices, battery))
    home.savings = FakeSavings(kept)  # type: ignore[assignment]
    async with browser(create_app(home, settings=WebSettings(demo_login=True)), headers={"origin": OWN}) as client:
        text = (await client.get("/savings")).text
        said = (await client.get("/api/v1/savings")).json()
    assert words in text and "saved €1.00" in text
    assert said["saved_micro"] == 1_000_000 and said["more_wear_micro"] == wear[0] - wear[1]
    assert said["days"][0]["wear_micro"] == wear[0]


async def test_a_month_in_which_no_day_could_be_counted_says_why_once_and_draws_nothing() -> None:
    """Wrong before: a sum of €0.00 stood over an empty picture and twenty lines of the same words."""
    missing = [replace(MISSING, day=date(2026, 11, n), why="Battery: 24 h without data.") for n in range(2, 9)]
    async with client_of(FakeSavings(*missing, MISSING)) as client:
        text = (await client.get("/savings")).text
    assert "7 days: Battery: 24 h without data." in text and "1 day: Main meter: 2 h without data." in text
    assert "<svg class" not in text.partition("<main")[2] and "€0.00" not in text
