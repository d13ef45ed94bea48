"""Which of the simulated charge point's profiles of OCPP 1.6 is in force, without a line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from firmware_sim.ocpp16.profiles import parse
from firmware_sim.ocppj.profiles import ProfileStore, Session, Supply
from tests.firmware_sim.central import NOW, profile

SUPPLY = Supply(230.0, 3)
SESSION = Session(71, NOW - timedelta(minutes=10))


@pytest.mark.parametrize(
    ("raws", "after_s", "amps"),
    [
        pytest.param([], 0, None, id="none: no limit"),
        pytest.param([profile(10)], 0, 10, id="tx: 10"),
        pytest.param([profile(10), profile(16, "TxDefaultProfile", id=2)], 0, 10, id="tx over default: 10"),
        pytest.param([profile(10), profile(8, "ChargePointMaxProfile", "Absolute", id=2)], 0, 8, id="ceiling: 8"),
        pytest.param([profile(10), profile(12, level=1, id=2)], 0, 12, id="higher stack level: 12"),
        pytest.param([profile(10), profile(12, level=1, id=2, duration=60)], 59, 12, id="before the end: 12"),
        pytest.param([profile(10), profile(12, level=1, id=2, duration=60)], 60, 10, id="dead-man, lower level: 10"),
        pytest.param(
            [profile(6, "TxDefaultProfile"), profile(16, id=2, duration=60)], 60, 6, id="dead-man, the default: 6"
        ),
        pytest.param([profile(6900.0, unit="W")], 0, 10, id="6900 W on three phases: 10"),
        pytest.param(
            [profile([{"startPeriod": 0, "limit": 16}, {"startPeriod": 30, "limit": 0}])], 30, 0, id="second period: 0"
        ),
        pytest.param([{**profile(9), "validTo": "2026-11-21T17:20:30Z"}], 30, None, id="validTo passed: none"),
        pytest.param(
            [profile(9, kind="Absolute", startSchedule="2026-11-21T17:21:00Z")], 59, None, id="not begun: none"
        ),
    ],
)
def test_the_profiles_in_force_give_the_current(raws, after_s, amps):
    store = ProfileStore()
    for raw in raws:
        store.install(parse(1, raw, NOW))
    found = store.limit_a(NOW + timedelta(seconds=after_s), SESSION, SUPPLY)
    assert found == (None if amps is None else pytest.approx(amps))


def test_the_same_purpose_and_stack_level_replaces():
    store = ProfileStore()
    store.install(parse(1, profile(10, id=1), NOW))
    store.install(parse(1, profile(12, id=2), NOW))
    assert [held.id for held in store.profiles] == [2]


def test_the_composite_schedule_lists_each_change():
    store = ProfileStore()
    store.install(parse(1, profile(6, "TxDefaultProfile", id=1), NOW))
    store.install(parse(1, profile(16, id=2, duration=120), NOW))
    assert store.composite(NOW, 300, SESSION, SUPPLY, 32.0) == [(0, 16), (120, 6)]
