"""Chargers with the quirks of practice, in every version: each ends at the wanted current, or is told of and contained."""

from __future__ import annotations

from contextlib import suppress

import pytest

from gateway.model.errors import CommandRefused
from tests.adapters.limit_boxes import Box, Drive, Quirk

VERSIONS = ("1.6", "2.0.1", "2.1")

OBEDIENT = {
    "by the standard": Quirk(),
    "Q1 station maximum refused": Quirk(refuses=lambda p: "Max" in p.purpose),
    "Q1 transaction profile ignored": Quirk(ignores=lambda p: p.purpose == "TxProfile"),
    "Q2 transaction profile refused": Quirk(refuses=lambda p: p.purpose == "TxProfile"),
    "Q2 only the station maximum": Quirk(refuses=lambda p: "Max" not in p.purpose),
    "Q3 relative only": Quirk(refuses=lambda p: p.kind != "Relative"),
    "Q3 relative only, others unanswered": Quirk(silent=lambda p: p.kind != "Relative"),
    "Q3 absolute only": Quirk(refuses=lambda p: p.kind != "Absolute"),
    "Q4 stack 0 only": Quirk(refuses=lambda p: p.stack != 0),
    "Q4 higher stacks accepted, stack 0 followed": Quirk(ignores=lambda p: p.stack != 0),
    "Q4 higher stacks accepted, no current offered": Quirk(ignores=lambda p: p.stack != 0, offers=False),
    "Q5 watts only": Quirk(refuses=lambda p: p.unit != "W"),
    "Q5 amperes only": Quirk(refuses=lambda p: p.unit != "A"),
    "Q6 0 A refused": Quirk(refuses=lambda p: p.periods[0][1] == 0),
    "Q6 0 A means 6 A": Quirk(zero_means_a=6.0),
    "Q14 never starts by itself": Quirk(starts_by_itself=False),
    "whole amperes only": Quirk(refuses=lambda p: p.unit != "A" or p.periods[0][1] % 1 != 0),
    "composite is right": Quirk(composite="right"),
    "composite is refused": Quirk(composite="refused"),
    "no offered current": Quirk(offers=False),
}


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OBEDIENT)
async def test_a_quirky_charger_ends_at_the_wanted_current(version: str, name: str) -> None:
    box = Box(version, OBEDIENT[name])
    with suppress(CommandRefused):
        await box.limiter.set_safe_default()
    drive = Drive(box)
    await drive.run(10.4, 260)
    wanted = 10.0 if name.startswith("whole") else 10.4
    assert max(box.currents()) == pytest.approx(wanted, abs=0.05)
    await drive.run(13.0, 60)
    assert max(box.currents()) >= 13.0 - 0.05 if box.limiter.rung.is_transactional else True
    await drive.run(0.0, 120)
    assert max(box.currents()) == 0.0
    await drive.run(8.0, 400)
    assert max(box.currents()) == pytest.approx(8.0, abs=0.05)
    assert not drive.disobeys


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("wish", [7.5, 10.0])
async def test_an_offer_below_the_accepted_limit_leads_to_stack_0_within_a_minute(version: str, wish: float) -> None:
    """Wrong before: a limit little above the safe current was never judged, the others after every other way."""
    box = Box(version, Quirk(ignores=lambda p: p.stack != 0))
    await box.limiter.set_safe_default()
    drive = Drive(box)
    await drive.run(wish, 60)
    assert max(box.currents()) == wish and box.limiter.rung.stack == 0


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_charger_that_offers_less_by_its_own_bounds_is_tried_at_stack_0_once_and_left_as_it_was(
    version: str,
) -> None:
    box = Box(version, Quirk())
    await box.limiter.set_safe_default()
    box.rating_a = 13.0
    drive = Drive(box)
    await drive.run(15.5, 900)
    assert max(box.currents()) == 13.0 and box.limiter.rung.stack == 4
    tried = {(p["chargingProfilePurpose"], p["stackLevel"]) for p in box.told_profiles()}
    assert tried == {("TxDefaultProfile", 0), ("TxProfile", 4), ("TxProfile", 0)}
    assert not drive.told and not drive.disobeys
