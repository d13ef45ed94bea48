"""A charger whose clock is wrong: behind, ahead, local time written as Z, 1970, set in mid-session.

It ends at the wanted current within a minute, and without us it falls to its safe current all the same.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.ocpp.its_clock import words
from gateway.model.errors import CommandRefused
from gateway.model.site import ChargerSpec
from tests.adapters.limit_boxes import Box, Drive, Quirk

SAFE_A = 6.0
SPEC = ChargerSpec(max_current_a=16.0, safe_current_a=SAFE_A)
RIGHT = timedelta()
OFF = {
    "right": RIGHT,
    "5 h behind": timedelta(hours=-5),
    "1 h behind": timedelta(hours=-1),
    "3 min behind": timedelta(minutes=-3),
    "3 min ahead": timedelta(minutes=3),
    "2 h ahead, local time written as Z": timedelta(hours=2),
    "1970": datetime(1970, 1, 1, tzinfo=UTC) - datetime(2026, 11, 21, 16, tzinfo=UTC),
}
RELATIVE_ONLY = Quirk(refuses=lambda p: p.kind != "Relative")
DEFAULTS_ONLY = Quirk(refuses=lambda p: p.purpose != "TxDefaultProfile")


async def begun(version: str, ahead: timedelta, quirk: Quirk | None = None, wish: float = 16.0) -> tuple[Box, Drive]:
    box = Box(version, quirk or Quirk(), SPEC, ahead=ahead)
    await box.limiter.set_safe_default()
    drive = Drive(box)
    await drive.run(wish, 1)
    return box, drive


async def worst_without_us(box: Box, seconds: int) -> float:
    """What the car draws at most, A, from `seconds` to 10 min after the last word of ours."""
    await box.clock.advance(seconds)
    worst = 0.0
    for _ in range(600 - seconds):
        await box.clock.advance(1)
        worst = max(worst, *box.currents())
    return worst


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize("off", OFF)
async def test_without_us_a_charger_falls_to_its_safe_current_by_any_clock(version: str, off: str) -> None:
    """Wrong before: told 16 A by 5 h, or 10 A by 1 h too slow a clock, it went on so without us for good."""
    box, drive = await begun(version, OFF[off])
    await drive.run(16.0, 90)
    assert max(box.currents()) == 16.0
    assert await worst_without_us(box, 180) == SAFE_A


@pytest.mark.parametrize("off", OFF)
async def test_what_is_wanted_is_given_within_a_minute_by_any_clock(off: str) -> None:
    """Wrong before: 16 A of 10 A for a minute by a slow clock, 6 A of 16 A for ever by a fast one, 6 A when off."""
    box, drive = await begun("1.6", OFF[off], wish=10.0)
    assert max(box.currents()) <= 10.0
    await drive.run(10.0, 60)
    assert (max(box.currents()), drive.over_a_s) == (10.0, 0.0)
    await drive.run(0.0, 2)
    assert max(box.currents()) == 0.0
    await drive.run(16.0, 30)
    assert max(box.currents()) == 16.0 and not drive.told


@pytest.mark.parametrize("quirk", [RELATIVE_ONLY, DEFAULTS_ONLY], ids=["relative only", "defaults only"])
@pytest.mark.parametrize("off", OFF)
async def test_the_other_ways_of_limiting_hold_by_any_clock_too(off: str, quirk: Quirk) -> None:
    box, drive = await begun("1.6", OFF[off], quirk)
    await drive.run(16.0, 400)
    assert max(box.currents()) == 16.0
    assert await worst_without_us(box, 430) == SAFE_A, "a default is renewed every 5 minutes"


@pytest.mark.parametrize("off", OFF)
async def test_the_lower_default_in_the_place_of_the_safe_one_is_in_force_by_any_clock(off: str) -> None:
    """Wrong before: by a slow clock there was no limit of ours at all: a car that plugged in was given everything."""
    box = Box("1.6", Quirk(), SPEC, ahead=OFF[off], max_stack=0)
    box.plugged = False
    await box.limiter.set_safe_default()
    await Drive(box).run(0.0, 5)
    box.plugged = True
    box.tx_start = box.clock.now()
    assert max(box.currents()) <= SAFE_A


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1), timedelta(hours=5)])
async def test_a_clock_set_in_mid_session_costs_half_a_minute(jump: timedelta) -> None:
    box, drive = await begun("1.6", timedelta(hours=-5))
    await drive.run(16.0, 60)
    box.ahead = timedelta(hours=-5) + jump
    assert max(box.currents()) == SAFE_A, "out of the time of its profile, never beyond its end"
    await drive.run(16.0, 30)
    assert max(box.currents()) == 16.0
    assert await worst_without_us(box, 180) == SAFE_A


@pytest.mark.parametrize("local_h", [-5, 2])
async def test_one_that_only_writes_its_stamps_wrong_is_told_by_our_clock(local_h: int) -> None:
    box, drive = await begun("1.6", RIGHT, Quirk(stamps_local=timedelta(hours=local_h)))
    await drive.run(16.0, 120)
    assert max(box.currents()) == 16.0 and box.limiter.rung.kind == "Absolute"
    assert await worst_without_us(box, 180) == SAFE_A


@pytest.mark.parametrize(
    ("ahead", "remedy"), [(RIGHT, "Is smart charging"), (timedelta(hours=2), "Its clock is 2 h fast: set it.")]
)
async def test_one_that_stays_at_its_safe_current_is_told_of_with_its_clock(ahead: timedelta, remedy: str) -> None:
    """Wrong before: 6 A of 16 A for twenty minutes, and no word of it."""
    box, drive = await begun("1.6", ahead, Quirk(ignores=lambda p: any(limit > SAFE_A for _, limit, _ in p.periods)))
    await drive.run(16.0, 20)
    assert box.limiter.lacks() == "", "other ways are left"
    await drive.run(16.0, 900)
    assert "no more than its safe current of 6 A" in box.limiter.lacks() and remedy in box.limiter.lacks()


async def test_one_without_a_safe_current_of_its_own_is_told_of_once_it_charges() -> None:
    box = Box("1.6", Quirk(refuses=lambda p: p.purpose != "TxProfile"), SPEC)
    with pytest.raises(CommandRefused):
        await box.limiter.set_safe_default()
    await Drive(box).run(10.0, 30)
    assert "no safe current to fall back on" in box.limiter.lacks()
    box = Box("1.6", Quirk(refuses=lambda p: p.purpose != "ChargePointMaxProfile"), SPEC)
    with pytest.raises(CommandRefused):
        await box.limiter.set_safe_default()
    await Drive(box).run(10.0, 30)
    assert box.limiter.lacks() == "", "its ceiling has the safe value behind its end"


@pytest.mark.parametrize(
    ("skew_s", "said"),
    [(0.0, "right"), (18_000.0, "5 h slow"), (-180.0, "3 min fast"), (5400.0, "90 min slow"), (40.0, "40 s slow"), (1.8e9, "20833 days slow")],
)  # fmt: skip
def test_how_far_a_clock_is_off_is_said_in_words(skew_s: float, said: str) -> None:
    assert words(skew_s) == said
