"""A minute of measuring is one commit, whatever it brings; what failed to be written comes with the next one."""

from __future__ import annotations

from datetime import timedelta

from gateway.model.quantity import Quantity
from tests.fakes import START
from tests.runtime.fakes_devices import reading
from tests.runtime.test_meters import Metering

END = START + timedelta(hours=1)


def refused(metering: Metering) -> None:
    """A value no meter can have: its rule is counted."""
    metering.intake.take([reading("meter", Quantity.VOLTAGE_L1, 9e9, metering.clock.now())])


async def test_rollups_a_quarter_hour_its_edges_and_the_counts_of_rules_are_one_commit() -> None:
    metering = Metering()
    await metering.measure(900 + 120, 1200.0, 5000.0)
    refused(metering)
    before = metering.store.commits
    await metering.intake.flush()
    assert metering.store.commits == before + 1
    assert await metering.store.rollups("meter", Quantity.POWER.value, START, END)
    assert await metering.store.intervals("meter", START, END)
    assert await metering.store.get("metering/edges") and await metering.store.keys("vee/")


async def test_edges_never_reach_the_disk_without_the_intervals_they_belong_to() -> None:
    metering = Metering()
    await metering.measure(900 + 120, 1200.0, 5000.0)
    metering.store.broken = True
    await metering.intake.flush()
    assert await metering.store.get("metering/edges") is None and "disk" in metering.notices.open
    metering.store.broken = False
    await metering.intake.flush()
    assert await metering.store.get("metering/edges") and await metering.store.intervals("meter", START, END)
    assert "disk" not in metering.notices.open
