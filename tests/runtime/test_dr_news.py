"""What the owner hears of an event over its life: one notification, whose words follow it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.demand_response.strategies import parse_strategies
from gateway.model.agreement import Agreement, DrPolicy
from gateway.model.preferences import Preferences
from gateway.runtime.dr_news import DrNews
from tests.fakes import START
from tests.runtime.test_demand_response import Utility, event

CAUSE = "event utility:e1"


class Told:
    """A home whose news are read once a minute."""

    def __init__(self, **preferences: object) -> None:
        self.home = Utility(preferences=Preferences(**preferences))  # type: ignore[arg-type]
        self.news = DrNews(self.home.clock, self.home.dr, self.home.notices)

    async def to(self, minutes: float) -> str:
        """The words at so many minutes after the start; "" for none."""
        await self.home.clock.advance((START + timedelta(minutes=minutes) - self.home.clock.now()).total_seconds())
        self.home.dr.rebuild()
        await self.news.once()
        found = self.home.notices.open.get(CAUSE)
        return found.text if found is not None else ""


async def test_the_words_follow_an_event_from_its_announcement_to_what_it_earned() -> None:
    told = Told()
    told.home.dr.strategies = parse_strategies(
        {"levels": {2: {"ev": "pause"}}, "programs": {"p1": {"pays": {"per_kwh": 0.5}}}}
    )
    await told.home.look(event())
    assert "announced 'Peak relief'" in await told.to(5)
    assert "'Peak relief' starts 18:00 until 19:00" in await told.to(20)
    assert await told.to(31) == "'Peak relief' is on until 19:00."
    assert "is known once" in await told.to(91)
    await told.home.dr.update("utility:e1", delivered_wh=3_000.0, delivered_low_wh=2_500.0, delivered_high_wh=3_500.0)
    assert await told.to(95) == "'Peak relief' is over: 3.0 kWh delivered (2.5 to 3.5), earned 1.50 EUR."
    assert told.home.dr.records["utility:e1"].earned_micro == 1_500_000
    assert await told.to(60 * 14) == ""


@pytest.mark.parametrize(("energy_wh", "words"), [(36.0, "0.04 kWh (-0.20 to 1.5)"), (-1.0, "0.00 kWh (-0.20 to 1.5)")])
async def test_little_that_was_delivered_is_told_as_little_not_as_nothing(energy_wh: float, words: str) -> None:
    told = Told()
    await told.home.look(event())
    await told.to(31)
    await told.home.dr.update("utility:e1", delivered_wh=energy_wh, delivered_low_wh=-200.0, delivered_high_wh=1_500.0)
    assert await told.to(95) == f"'Peak relief' is over: {words.replace(' kWh', ' kWh delivered')}."


async def test_an_event_that_waits_for_an_answer_says_so_until_it_has_one() -> None:
    told = Told(dr_policy=DrPolicy.ASK)
    await told.home.look(event())
    assert "waits for your answer" in await told.to(1)
    assert told.home.notices.open[CAUSE].level == "warning"
    await told.home.dr.opt("e1", "join", "owner")
    assert "starts 18:00" in await told.to(20)


async def test_an_event_skipped_says_no_more_and_a_test_event_says_what_it_is() -> None:
    told = Told()
    await told.home.look(replace(event(), test=True))
    assert (await told.to(20)).startswith("Test: 'Peak relief' starts")
    await told.home.dr.opt("e1", "skip", "owner")
    await told.to(31)
    assert "is on" not in (await told.to(32))


async def test_a_withdrawn_event_is_told_and_forgotten_after_half_a_day() -> None:
    told = Told()
    await told.home.look(event())
    await told.to(20)
    await told.home.look()
    assert "over before its time: cancelled by the utility" in await told.to(25)
    assert await told.to(60 * 13) == ""


async def test_an_agreement_that_ends_tomorrow_is_told_before_and_after() -> None:
    until = START + timedelta(hours=30)
    told = Told(agreements={"p1": Agreement("voluntary", until=until)})
    await told.home.look(event())
    cause = "agreement utility:p1"
    await told.to(60)
    assert cause not in told.home.notices.open
    await told.to(60 * 10)
    assert "ends" in told.home.notices.open[cause].text
    await told.to(60 * 31)
    assert "ended" in told.home.notices.open[cause].text
    await told.to(60 * 60)
    assert cause not in told.home.notices.open
    await asyncio.sleep(0)
