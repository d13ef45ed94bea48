"""A power cut at any write loses nothing that was acknowledged; and the harness that says so can lose."""

from __future__ import annotations

import pytest

pytest.importorskip("apsw", reason="the forgetful disk needs apsw")

from benchmarks.powercut import cuts

CUTS = 20


@pytest.mark.slow
async def test_twenty_power_cuts_lose_nothing_that_was_acknowledged(tmp_path):
    outcome = await cuts(tmp_path, CUTS, "FULL", seed=20261121)
    assert outcome.acknowledged > 200
    assert (outcome.lost, outcome.unsound) == (0, 0)


@pytest.mark.slow
async def test_without_waiting_for_the_disk_the_same_cuts_lose_rows(tmp_path):
    outcome = await cuts(tmp_path, CUTS, "NORMAL", seed=20261121)
    assert outcome.lost > 0 and outcome.losing >= 5
