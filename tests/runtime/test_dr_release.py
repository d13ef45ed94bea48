"""The end of an event in its record: at its end, by skip, override or withdrawal; once, whatever is restarted."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from gateway.model.agreement import DrPolicy
from gateway.model.preferences import Preferences
from gateway.runtime.event_chain import EventChain
from tests.fakes import START, FakeStore
from tests.runtime.test_demand_response import Utility, event
from tests.runtime.test_dr_kill import Signer


def home(store: FakeStore | None = None, preferences: Preferences | None = None) -> Utility:
    made = Utility(store, preferences)
    made.dr.chain = EventChain(made.clock, made.store, Signer())
    return made


async def steps(made: Utility, *wanted: str) -> list[tuple[str, dict[str, object]]]:
    assert made.dr.chain is not None
    proof = await made.dr.chain.proof("utility:e1")
    assert proof is not None
    return [(entry.step, dict(entry.facts)) for entry in proof.entries if entry.step in wanted]


async def live(made: Utility, hours: float) -> None:
    task = asyncio.create_task(made.dr.follow())
    await made.clock.advance(hours * 3600)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


OVER = ("released", {"reason": "the event is over"})


async def test_an_event_is_released_at_its_end_and_what_it_delivered_is_a_step_of_its_own() -> None:
    """Wrong before: nothing was released until the energy was known, and never where it stayed unknown."""
    made = home()
    await made.look(event())
    await live(made, 1.4)
    assert await steps(made, "released") == []
    await live(made, 0.2)
    assert await steps(made, "released") == [OVER]
    await made.dr.update("utility:e1", delivered_wh=3_000.0, delivered_low_wh=2_500.0, delivered_high_wh=3_500.0)
    told = {"delivered_wh": 3_000, "low_wh": 2_500, "high_wh": 3_500}
    assert await steps(made, "released", "delivered") == [OVER, ("delivered", told)]


async def test_an_end_that_was_slept_through_is_recorded_after_the_restart_once() -> None:
    made = home()
    await made.look(event())
    await made.clock.advance(2 * 3600)
    for _ in range(3):
        again = home(made.store)
        await again.clock.advance(2 * 3600)
        await again.dr.resume()
        await live(again, 0.1)
        assert await steps(again, "released") == [OVER]


async def test_an_event_nobody_took_part_in_is_not_released_at_its_end() -> None:
    made = home(preferences=Preferences(dr_policy=DrPolicy.NEVER))
    await made.look(event())
    await live(made, 3)
    assert await steps(made, "released") == []


async def test_the_owners_skip_releases_each_time_and_the_end_then_adds_nothing() -> None:
    made = home()
    await made.look(event(START))
    await made.dr.opt("e1", "skip", "owner")
    await made.dr.opt("e1", "skip", "owner")
    await made.dr.opt("e1", "join", "owner")
    await made.dr.opt("e1", "skip", "owner")
    await live(made, 2)
    assert await steps(made, "released") == [("released", {"reason": "owner chose to skip"})] * 2


async def test_setting_an_event_aside_releases_the_device_and_following_again_lets_it_be_released_again() -> None:
    made = home()
    await made.look(event(START))
    await made.dr.overridden("utility:e1", "car")
    await made.dr.followed("utility:e1", "car")
    await made.dr.overridden("utility:e1", "car")
    car = ("released", {"subject": "car", "reason": "overridden by the owner"})
    assert await steps(made, "released") == [car, car]
    await live(made, 2)
    assert await steps(made, "released") == [car, car, OVER]


async def test_a_withdrawn_event_is_released_with_the_reason_and_again_after_it_was_announced_again() -> None:
    made = home()
    for _ in range(2):
        await made.look(event(START + timedelta(minutes=5)))
        await made.look()
    assert [step for step, _ in await steps(made, "received", "released")] == ["received", "released"] * 2
