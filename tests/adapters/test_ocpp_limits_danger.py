"""A charger that obeys nothing while a fuse is in danger, one whose word proves nothing, and how often it is asked."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.ocpp.rungs import CHANGE_AVAILABILITY, REMOTE_STOP
from gateway.model.errors import CommandRefused
from gateway.model.quantity import CURRENTS
from tests.adapters.limit_boxes import Box, Drive, Quirk

VERSIONS = ("1.6", "2.0.1", "2.1")
STOPS = ("RemoteStopTransaction", "RequestStopTransaction")


async def draws_16_a(version: str = "1.6", quirk: Quirk | None = None, **more: object) -> Box:
    """A session at 16 A under a limit of 6 A that it ignores."""
    box = Box(version, quirk or Quirk(ignores_all=True, starts_by_itself=False), **more)  # type: ignore[arg-type]
    with suppress(CommandRefused):
        await box.limiter.set_safe_default()
    await box.begin()
    await wish(box, 6.0)
    return box


async def wish(box: Box, amps: float) -> None:
    await box.limiter.apply(amps, box.clock.now() + timedelta(seconds=120))


async def in_danger(box: Box, amps: float = 0.0) -> str:
    """What the product does when the fuse is above its rating: the next way at once, and the wish twice."""
    rung = await box.limiter.next_rung(at_once=True)
    await wish(box, amps)
    await wish(box, amps)
    return rung.words


@pytest.mark.parametrize("version", VERSIONS)
async def test_in_danger_it_is_stopped_at_once_and_the_stop_is_said_once(version: str) -> None:
    """Wrong before: seven profiles were tried first; then RemoteStop went out twice in the same instant."""
    box = await draws_16_a(version)
    writes = box.count("SetChargingProfile")
    assert await in_danger(box) == "RemoteStop"
    assert max(box.currents()) == 0.0
    assert sum(box.count(stop) for stop in STOPS) == 1 and box.count("SetChargingProfile") == writes


@pytest.mark.parametrize("version", VERSIONS)
async def test_where_the_stop_is_refused_it_is_taken_out_of_service_in_the_same_breath(version: str) -> None:
    box = await draws_16_a(version, Quirk(ignores_all=True, refuses_actions=STOPS))
    assert await in_danger(box) == "RemoteStop"
    assert box.count("ChangeAvailability") == 1 and box.limiter.rung == CHANGE_AVAILABILITY


async def test_a_stop_that_was_agreed_to_and_not_done_is_asked_for_ever_more_seldom() -> None:
    box = await draws_16_a("1.6", Quirk(ignores_all=True, ignores_stop=True))
    await in_danger(box)
    for _ in range(300):
        await wish(box, 0.0)
        await box.clock.advance(1)
    assert 3 <= box.count("RemoteStopTransaction") <= 10
    assert await in_danger(box) == "ChangeAvailability"
    with pytest.raises(CommandRefused, match="breaker"):
        await box.limiter.next_rung(at_once=True)


async def test_once_calm_the_next_way_is_tried_which_was_spared() -> None:
    quirk = Quirk(ignores=lambda p: p.unit != "W", starts_by_itself=False)
    box = await draws_16_a("1.6", quirk)
    await in_danger(box)
    with suppress(CommandRefused):
        await wish(box, 8.0)
    assert max(box.currents()) == 0.0, "not yet"
    await box.clock.advance(301)
    for _ in range(3):
        await wish(box, 8.0)
    await box.clock.advance(1)
    assert box.limiter.rung.unit == "W" and max(box.currents()) == pytest.approx(8.0, abs=0.1)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_stop_is_no_proof_of_the_limit_before_it(version: str) -> None:
    """Wrong before: the fall to 0 A after RemoteStop made the last profile "seen working", kept for the make."""
    box = await draws_16_a(version)
    box.show()
    await box.clock.advance(20)
    box.show()
    while await in_danger(box) != REMOTE_STOP.words:
        pass
    for _ in range(4):
        await box.clock.advance(10)
        box.show()
        await wish(box, 0.0)
    assert max(box.currents()) == 0.0
    assert box.facts.get("rung") is None and not box.limiter.seen_working


async def test_a_combined_schedule_alone_is_not_seen_working() -> None:
    """Wrong before: its word that it holds the limit was kept for the make, while the car stood at 0 A."""
    box = Box("1.6", Quirk(composite="right", offers=False), car_a=0.0)
    await box.limiter.set_safe_default()
    await Drive(box).run(10.0, 60)
    assert box.count("GetCompositeSchedule") and box.facts.get("rung") is None and not box.limiter.seen_working


async def test_a_car_that_stands_where_it_stood_before_proves_nothing_until_it_follows_another_limit() -> None:
    box = Box("1.6", Quirk(offers=False, ignores_all=True), car_a=10.0)
    await box.limiter.set_safe_default()
    await box.begin()
    for amps, learned in ((10.0, False), (8.0, True)):
        box.quirk = replace(box.quirk, ignores_all=not learned)
        for _ in range(4):
            await wish(box, amps)
            await box.clock.advance(10)
            box.show()
        assert box.limiter.seen_working is learned, "its car takes 10 A by itself"


async def test_a_charger_whose_word_was_disproved_is_never_seen_working_by_it() -> None:
    box = await draws_16_a("1.6", Quirk(offers=False))
    for _ in range(3):
        for _ in range(4):
            await box.clock.advance(10)
            box.show()
            await wish(box, 6.0)
        with suppress(CommandRefused):
            await box.limiter.next_rung()
        await wish(box, 9.0)
    assert max(box.currents()) == 9.0, "by its own samples it obeys"
    assert box.facts.get("rung") is None and not box.limiter.seen_working


async def test_what_a_liars_own_word_proved_is_unlearned_with_it() -> None:
    """Wrong before: it told of 0 A while it drew 16 A, and its make was remembered as one that takes no 0 A."""
    box = await draws_16_a("1.6", Quirk(offers=False))
    for amps in (10.0, 6.0, 0.0):
        for _ in range(4):
            await box.clock.advance(10)
            box.show()
            await wish(box, amps)
    assert box.facts.get("rung") is not None, "by its own samples it obeys"
    with suppress(CommandRefused):
        await box.limiter.next_rung()
    assert box.facts.get("rung") is None and box.facts.get("never_zero") is None
    assert not box.limiter.seen_working


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_other_unit_is_tried_early(version: str) -> None:
    """Wrong before: watts stood behind all ways in amperes, and the charger was stopped before."""
    box = Box(version, Quirk(ignores=lambda p: p.unit != "W", offers=False))
    drive = Drive(box)
    await drive.run(8.0, 100)
    assert max(box.currents()) == pytest.approx(8.0, abs=0.1) and box.limiter.rung.unit == "W"


async def test_a_charger_that_refuses_zero_is_not_asked_for_it_by_every_way_again_and_again() -> None:
    """Wrong before: 86 profiles in 8 minutes, most of them refused."""
    box = Box("1.6", Quirk(refuses=lambda p: p.periods[0][1] < 6, offers=False))
    drive = Drive(box)
    for _ in range(4):
        await drive.run(10.0, 60)
        await drive.run(0.0, 60)
    zeros = [p for p in box.told_profiles() if p["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 0]
    assert len(zeros) <= 6, len(zeros)
    assert max(box.currents()) == 0.0


async def test_one_that_ignores_every_limit_is_not_said_to_be_paused_for_refusing_zero(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    box = await draws_16_a()
    await in_danger(box)
    assert "takes no 0 A" not in caplog.text
    assert {box.live.value(quantity) for quantity in CURRENTS} == {0.0}
