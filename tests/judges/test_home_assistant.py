"""A real Home Assistant judges what the home shows; skipped unless HEARTH_HOME_ASSISTANT names a Python that has one."""

from __future__ import annotations

import os
from datetime import time

import pytest

from gateway.model.preferences import ChargeMode
from tests.judges.home_assistant import judge_home

PYTHON = os.environ.get("HEARTH_HOME_ASSISTANT", "")


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="HEARTH_HOME_ASSISTANT names no Python with homeassistant (takes six minutes)")
async def test_home_assistant_takes_every_entity_its_wishes_arrive_and_its_energy_page_has_no_complaint() -> None:
    verdict = await judge_home(PYTHON)
    assert len(verdict.devices) == 10
    assert all(entry["now"]["state"] != "unavailable" for entry in verdict.states.values())
    assert sorted(verdict.wishes, key=str) == sorted(
        [("car", "charge_mode", ChargeMode.SOLAR), ("car", "ready_by", time(6, 30)), ("", "dr_opt_out", True),
         ("", "battery_reserve_percent", 35.0), ("tank", "override", "run")], key=str,
    )  # fmt: skip
    assert verdict.energy["energy_sources"] == [[], [], []]
    assert verdict.energy["device_consumption"] == [[], [], []]
    counters = [each for each in verdict.statistics.values() if each["statistics_unit_of_measurement"] == "Wh"]
    assert len(counters) == 14
    assert all(each["has_sum"] for each in counters)
    assert verdict.complaints == []
