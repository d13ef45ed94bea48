"""What is remembered of a way that worked, what spares the memory of a charger, and what proves a limit."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.ocpp.dispatch import NoAnswer
from adapters.ocpp.evidence import combines, seen_working, tells_apart
from adapters.ocpp.limits import Limiter
from adapters.ocpp.pace import DEFAULT_PACE, TX_PACE, Pace, paced
from adapters.ocpp.rungs import Composite, Rung
from adapters.ocpp.v16.profiles import Profiles16
from gateway.model.errors import CommandRefused
from gateway.model.snapshot import ChargePhase
from tests.adapters.limit_boxes import Box, Drive, Quirk
from tests.adapters.limit_ready import VERSIONS, ready


async def test_a_way_is_kept_for_the_make_only_once_seen_working() -> None:
    box, drive = await ready("1.6", Quirk(refuses=lambda p: p.kind != "Relative"))
    await drive.run(10.0, 4)
    assert box.limiter.rung.kind == "Relative" and box.facts.get("rung") is None
    await drive.run(10.0, 80)
    assert box.limiter.seen_working
    assert box.facts.get("rung") == Rung("TxProfile", "Relative", 4, "A").to_document()
    after = Box("1.6", box.quirk, clock=box.clock, store=box.store)
    await after.facts.load()
    after.limiter.learn_features(4, ("A", "W"))
    await after.begin()
    await Drive(after).run(9.0, 3)
    assert len(after.written(transactional=True)) == 1 and not after.limiter.seen_working


async def test_a_way_accepted_and_ignored_is_not_kept() -> None:
    box, drive = await ready("1.6", Quirk(ignores=lambda p: p.purpose == "TxProfile", offers=False))
    await drive.run(10.0, 250)
    assert box.facts.get("rung") == Rung("TxDefaultProfile", "Absolute", 4, "A").to_document()


async def test_after_a_reboot_it_must_prove_itself_again() -> None:
    box, drive = await ready()
    await drive.run(10.0, 80)
    seen = [box.limiter.seen_working]
    box.limiter.reboot()
    seen.append(box.limiter.seen_working)
    box.limiter.learn_features(4, ("A", "W"))
    await drive.run(9.0, 80)
    assert [*seen, box.limiter.seen_working] == [True, False, True]


async def test_a_shipped_first_rung_is_tried_first() -> None:
    box = Box("1.6", Quirk(refuses=lambda p: p.stack != 0))
    await box.facts.learn("first_rung", {"purpose": "TxProfile", "kind": "Absolute", "stack": 0, "unit": "A"})
    box.limiter.learn_features(4, ("A", "W"))
    await box.begin()
    await Drive(box).run(10.0, 3)
    assert len(box.written(transactional=True)) == 1


async def test_a_shipped_never_zero_is_never_sent_zero() -> None:
    box, drive = await ready()
    await box.facts.learn("never_zero", True)
    await drive.run(10.0, 30)
    box.quirk = replace(box.quirk, starts_by_itself=False)
    writes = box.count("SetChargingProfile")
    await drive.run(0.0, 3)
    assert box.count("SetChargingProfile") == writes and box.count("RemoteStopTransaction") == 1


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_car_that_takes_little_by_itself_leaves_no_ceiling_behind(version: str) -> None:
    """Every way is tried, as the raise shows no effect; the station's maximum must not stay on the charger."""
    box, drive = await ready(version, Quirk(offers=False), car_a=6.0, max_stack=0)
    await drive.run(16.0, 400)
    assert not drive.told and not [p for p in box.profiles if "Max" in p.purpose]
    writes = box.count("SetChargingProfile")
    await drive.run(16.0, 600)
    assert box.count("SetChargingProfile") - writes <= 12, "tried once, then only renewed"
    box.car_a = 16.0
    await drive.run(16.0, 60)
    assert max(box.currents()) == 16.0


# ---- the charger's memory


def cloudy(seconds: int) -> list[float]:
    """A day's wish that follows the sun second by second, with clouds; A."""
    draw = random.Random(4)
    wish, result = 0.0, []
    for second in range(seconds):
        height = max(0.0, math.sin(math.pi * second / seconds)) * 17
        wish += (height - wish) * 0.01 + draw.gauss(0, 0.35) - (4.0 if draw.random() < 0.003 else 0.0)
        result.append(min(16.0, max(0.0, wish)))
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "quirk", "transactional", "most"),
    [
        ("transaction profiles", Quirk(), True, 7200),
        ("default profiles", Quirk(refuses=lambda p: p.purpose == "TxProfile"), False, 330),
    ],
)
async def test_a_day_of_sun_and_clouds_spares_the_chargers_memory(
    name: str, quirk: Quirk, transactional: bool, most: int
) -> None:
    """Eight hours, the wish another one every second; a reduction is never late by a second."""
    box, drive = await ready("1.6", quirk)
    until_s, over = 8 * 3600, 0
    await drive.run(6.0, 30)
    wishes = cloudy(until_s)
    for wish in wishes:
        await box.limiter.apply(wish, box.clock.now() + timedelta(seconds=120))
        over += max(box.currents()) > max(wish, 0.0) + 0.05
        await box.clock.advance(1)
    count = len(box.written(transactional))
    assert over == 0
    assert count <= most
    others = len(box.written(not transactional))
    assert others <= 5


@pytest.mark.parametrize("pace", [TX_PACE, DEFAULT_PACE], ids=["tx", "default"])
def test_what_is_written_is_never_above_the_wish_and_a_reduction_never_waits(pace: Pace) -> None:
    draw = random.Random(1)
    for _ in range(5000):
        wish = draw.choice([0.0, round(draw.uniform(6, 32), 1)])
        held = draw.choice([0.0, round(draw.uniform(6, 32), 1)])
        now, raised, lowered = 1000.0, draw.uniform(0, 1000), draw.uniform(0, 1000)
        found = paced(wish, held, raised, lowered, pace, 6.0, now)
        assert found is None or (found <= wish and (found == 0 or found >= 6))
        assert (found if found is not None else held) <= wish


async def test_a_limit_without_an_answer_is_told_again_even_if_it_was_held_before() -> None:
    """The charger may have taken the raise whose answer was lost: what it held before is no longer known."""
    box, drive = await ready()
    await drive.run(6.0, 90)
    box.quirk = replace(box.quirk, silent=lambda p: True)
    with pytest.raises(NoAnswer):
        await box.limiter.apply(16.0, box.clock.now() + timedelta(seconds=120))
    box.quirk = replace(box.quirk, silent=lambda p: False)
    before = box.count("SetChargingProfile")
    await box.limiter.apply(6.0, box.clock.now() + timedelta(seconds=120))
    assert box.count("SetChargingProfile") == before + 1


async def test_a_way_that_worked_and_went_silent_is_left_after_two_tries() -> None:
    box, drive = await ready()
    await drive.run(10.0, 60)
    box.quirk = replace(box.quirk, silent=lambda p: p.kind == "Absolute")
    await drive.run(8.0, 15)
    assert max(box.currents()) == 8.0 and box.limiter.rung.kind == "Relative"


@pytest.mark.slow
async def test_before_a_transaction_a_wish_below_the_safe_default_is_written_once_and_renewed_seldom() -> None:
    box, drive = await ready("1.6", Quirk(starts_by_itself=False))
    box.plugged = False
    box.show()
    await drive.run(0.0, 3600)
    assert len(box.written(transactional=False)) <= 1 + 1 + 4
    assert box.live.phase is ChargePhase.AVAILABLE


async def test_a_reconnect_without_reboot_writes_no_default_again() -> None:
    box, _ = await ready()
    for _ in range(5):
        box.limiter.learn_features(4, ("A", "W"))
        await box.limiter.set_safe_default()
    assert box.count("SetChargingProfile") == 1
    box.limiter.reboot()
    await box.limiter.set_safe_default()
    assert box.count("SetChargingProfile") == 2


# ---- several connectors


async def test_profile_ids_are_unique_by_connector_and_the_station_belongs_to_the_first() -> None:
    box = Box("1.6")
    told: list[tuple[int, int]] = []

    async def note(action: str, payload: dict[str, Any]) -> dict[str, Any]:
        told.append((payload["connectorId"], payload["csChargingProfiles"]["chargingProfileId"]))
        return {"status": "Rejected"}

    for connector in (1, 2):
        limiter = Limiter(
            "car",
            box.spec,
            box.live,
            box.book,
            box.facts,
            box.clock,
            note,
            Profiles16(),
            connector,
        )
        with pytest.raises(CommandRefused):
            await limiter.set_safe_default()
    assert {number for place, number in told} == {1, 11}


# ---- evidence


@pytest.mark.parametrize(
    ("name", "limit", "offered", "drawn", "before", "seen"),
    [
        ("offered as told", 10.0, 10.0, 8.0, None, True),
        ("offered more", 10.0, 16.0, 8.0, None, False),
        ("held at the limit", 10.0, None, 9.6, 0.0, True),
        ("stands at the limit, and nobody knows where before", 10.0, None, 9.6, None, False),
        ("stands where it stood before", 10.0, None, 9.6, 9.6, False),
        ("drawn above", 10.0, 10.0, 16.0, None, False),
        ("draws little by itself", 10.0, None, 6.0, 6.0, False),
        ("fell to the limit", 10.0, None, 7.0, 16.0, True),
        ("paused", 0.0, None, 0.0, 16.0, True),
        ("paused, but drew nothing before", 0.0, None, 0.0, 0.0, False),
        ("nothing known", 10.0, None, None, None, False),
    ],
)
def test_a_limit_is_seen_working(
    name: str, limit: float, offered: float | None, drawn: float | None, before: float | None, seen: bool
) -> None:
    assert seen_working(limit, offered, drawn, before) is seen, name


def test_a_limit_at_the_maximum_or_at_the_default_proves_nothing() -> None:
    assert not tells_apart(15.0, 16.0, 6.0) and not tells_apart(6.5, 16.0, 6.0)
    assert tells_apart(10.0, 16.0, 6.0)


def test_a_combined_schedule_in_watts_is_reckoned_per_phase() -> None:
    assert combines(Composite(6900.0, "W"), 10.0, 3, 230.0) is True
    assert combines(Composite(16.0, "A"), 10.0, 3, 230.0) is False
    assert combines(Composite(6.0, "A"), 10.0, 3, 230.0) is None
