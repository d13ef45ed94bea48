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
