"""The plan's blocks on the page: each with its reason, the cost of the other way, and the plan that cost belongs to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta


def priced(home, **change):
    plan = home.plan()
    blocks = (replace(plan.blocks[0], **change), *plan.blocks[1:])
    home.plan = lambda: replace(plan, blocks=blocks)


async def test_the_cost_of_the_other_way_says_of_which_plan_it_is(demo, home):
    now = home.clock.now()
    priced(home, priced_at=now - timedelta(minutes=20))
    at = (now - timedelta(minutes=20)).astimezone(home.site.timezone)
    assert f"Otherwise, Charge now: €1.73 and 2.4 kg CO₂ more, as of {at:%H:%M}." in (await demo.get("/plan")).text
    told = (await demo.get("/api/v1/plan/blocks")).json()[0]
    assert told["priced_at"] is not None and told["cools"] is False


async def test_a_block_whose_other_way_is_not_priced_yet_says_how_to_ask(demo, home):
    """Wrong before: it showed nothing, as if there were no other way."""
    priced(home, alternative="wait", alternative_cost_micro=None, alternative_co2_g=None)
    assert "Touch to see what it would cost to wait instead." in (await demo.get("/plan")).text


async def test_a_block_without_another_way_offers_none(demo, home):
    priced(home, alternative="", alternative_cost_micro=None, alternative_co2_g=None)
    text = (await demo.get("/plan")).text
    assert "Touch to see" not in text and "Charge now" not in text
