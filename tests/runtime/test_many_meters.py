"""Many meters in one process, a reduced count of benchmarks/meters20.py."""

from __future__ import annotations

import pytest

from benchmarks.meters20 import measure


@pytest.mark.slow
def test_twenty_meters_are_read_once_a_second_in_one_process() -> None:
    found = measure(20, 4.0)
    assert found["sweeps"] == pytest.approx(20, rel=0.15)
    assert found["p50"] <= 100, "half of the readings are further off their second than p99 may be"
    assert found["refused"] == 0
