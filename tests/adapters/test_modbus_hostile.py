"""Hostile frames, a reduced count of benchmarks/hostile.py: only the product's own errors come out, and no wrong value."""

from __future__ import annotations

import pytest

from adapters.modbus import client
from adapters.modbus.framing import Verdict
from benchmarks.hostile import bombard

FRAMES = 2_500


@pytest.mark.slow
@pytest.mark.parametrize("rtu", [False, True], ids=["tcp", "rtu"])
def test_no_hostile_frame_gets_a_value_in_or_an_exception_out(rtu: bool) -> None:
    found = bombard(FRAMES, rtu=rtu)
    assert (found.escapes, found.wrong) == ([], [])
    assert found.frames >= FRAMES and found.right > 0
    assert {"DeviceUnreachable", "DeviceAnswerWrong"} <= set(found.errors)


@pytest.mark.slow
def test_the_bombardment_finds_a_reader_that_believes_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "judge_rtu", lambda question, data: Verdict(data))
    assert bombard(FRAMES, rtu=True).wrong
