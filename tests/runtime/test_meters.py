"""The meter loops: what is read becomes live state, minutes and quarter hours; failures are told once."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from gateway.core.metering.freeze import Wishes
from gateway.model.errors import DeviceUnreachable
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.reading import IntervalQuality
from gateway.model.site import Role
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.meters import Intake, MeterLoop
from gateway.runtime.notices import Notices
from tests.core.homes import SITE
from tests.fakes import START, FakeClock, FakeStore
from tests.runtime.fakes_devices import FakeMeter, grid, reading

SILENT = DeviceUnreachable("meter", "read", "no answer", "Check its cable.")


class Metering:
    """A main meter's way into the home, on fake time."""

    def __init__(self, store: FakeStore | None = None, clock: FakeClock | None = None) -> None:
        self.clock, self.store = clock or FakeClock(), store or FakeStore()
        self.notices = Notices(self.store, self.clock, Changes())
        self.state = HomeState(SITE, self.clock, {"meter": 10.0})
        self.intake = Intake(self.state, self.clock, self.store, self.notices)

    def loop(self, meter: FakeMeter) -> MeterLoop:
        return MeterLoop(meter, self.intake, self.clock, Role.MAIN_METER)

    async def measure(self, seconds: int, watts: float, counter_wh: float, step: int = 10) -> float:
        """Samples every `step` s at constant power; returns the counter at the end."""
        for _ in range(0, seconds, step):
            await self.clock.advance(step)
            counter_wh += watts * step / 3600
            now = self.clock.now()
            rows = [(Quantity.POWER, watts), (Quantity.ENERGY_IMPORT, counter_wh), (Quantity.ENERGY_EXPORT, 0.0)]
            self.intake.take([reading("meter", quantity, value, now) for quantity, value in rows])
        return counter_wh


async def _for(metering: Metering, meter: FakeMeter, seconds: float) -> None:
    task = asyncio.create_task(metering.loop(meter).run())
    await metering.clock.advance(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_meter_is_read_once_a_period_and_its_values_are_live() -> None:
    metering = Metering()
    meter = FakeMeter("meter", 5.0, [grid(START, 4.0)])
    await _for(metering, meter, 20)
    assert meter.reads == 5
    assert metering.state.freeze(Wishes(Preferences()), {}, frozenset()).grid_w() == 4.0 * 690


async def test_a_silent_device_is_told_once_and_again_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    metering = Metering()
    meter = FakeMeter("meter", 1.0, [*[SILENT] * 6, grid(START + timedelta(seconds=6), 4.0)])
    with caplog.at_level(logging.INFO):
        await _for(metering, meter, 4)
        assert metering.notices.open["silent meter"].text == "Main meter does not answer: no answer. Check its cable."
        await _for(metering, meter, 3)
    assert not metering.notices.open and not metering.state.silent
    assert [record.message for record in caplog.records] == [str(SILENT), "meter answers again"]


async def test_a_device_that_speaks_by_itself_is_not_asked_in_a_hurry_when_it_fails() -> None:
    metering = Metering()
    meter = FakeMeter("meter", 0.0, [SILENT])
    await _for(metering, meter, 10)
    assert meter.reads == 11


async def test_minutes_are_on_disk_after_the_roll_up_period() -> None:
    metering = Metering()
    await metering.measure(180, 1200.0, 5000.0)
    await metering.intake.flush()
    rows = await metering.store.rollups("meter", "power_w", START, START + timedelta(hours=1))
    assert len(rows) >= 2 and all(row.mean == 1200.0 for row in rows)


async def test_an_orderly_end_keeps_the_minute_that_was_not_over() -> None:
    metering = Metering()
    await metering.measure(30, 1200.0, 5000.0)
    await metering.intake.flush(final=True)
    rows = await metering.store.rollups("meter", "power_w", START, START + timedelta(hours=1))
    assert sum(row.count for row in rows) == 3


async def test_a_quarter_hour_carries_the_energy_of_its_counter() -> None:
    metering = Metering()
    await metering.measure(2 * 900 + 120, 1200.0, 5000.0)
    await metering.intake.flush()
    rows = await metering.store.intervals("meter", START, START + timedelta(hours=1))
    second = next(row for row in rows if row.start == START + timedelta(minutes=15))
    assert second.import_wh == pytest.approx(300.0) and second.quality is IntervalQuality.VALID


async def test_while_the_disk_fails_nothing_is_lost_and_somebody_is_told() -> None:
    metering = Metering()
    metering.store.broken = True
    counter = await metering.measure(180, 1200.0, 5000.0)
    await metering.intake.flush()
    assert "disk" in metering.notices.open and not metering.store.rollup_rows
    metering.store.broken = False
    await metering.measure(60, 1200.0, counter)
    await metering.intake.flush()
    rows = await metering.store.rollups("meter", "power_w", START, START + timedelta(hours=1))
    assert len(rows) >= 3 and "disk" not in metering.notices.open


async def test_energy_of_a_pause_is_recovered_from_the_counter_after_a_restart() -> None:
    before = Metering()
    counter = await before.measure(900, 1200.0, 5000.0)
    await before.intake.flush(final=True)
    await before.clock.advance(1800)
    after = Metering(before.store, before.clock)
    await after.intake.resume()
    await after.measure(1200, 1200.0, counter + 600.0)
    await after.intake.flush()
    rows = await after.store.intervals("meter", START, START + timedelta(hours=2))
    pause = [row for row in rows if START + timedelta(minutes=15) <= row.start < START + timedelta(minutes=45)]
    assert sum(row.import_wh or 0.0 for row in pause) == pytest.approx(600.0, rel=0.05)
    assert all(row.quality is IntervalQuality.ESTIMATED for row in pause)


async def test_a_refused_reading_is_counted_and_never_live() -> None:
    metering = Metering()
    metering.intake.take([reading("meter", Quantity.POWER, float("nan"), START)])
    assert metering.intake.refused == {"meter": 1} and metering.intake.taken == 1
    assert metering.state.freeze(Wishes(Preferences()), {}, frozenset()).grid_w() is None


async def _restarted(metering: Metering) -> Metering:
    """The process ended without a word; another one starts on the same disk, at the same time."""
    again = Metering(metering.store, metering.clock)
    await again.intake.resume()
    return again


async def test_a_restart_in_the_middle_keeps_the_quarter_hour_under_way() -> None:
    first = Metering()
    counter = await first.measure(1800 + 480, 1200.0, 5000.0)
    await first.intake.flush()
    second = await _restarted(first)
    await second.measure(900, 1200.0, counter)
    await second.intake.flush()
    rows = await first.store.intervals("meter", START + timedelta(minutes=15), START + timedelta(minutes=45))
    assert [row.import_wh for row in rows] == [pytest.approx(300.0), pytest.approx(300.0, abs=4.0)]
    assert all(row.quality is IntervalQuality.VALID for row in rows)


async def test_a_quarter_hour_that_was_not_stored_before_the_kill_is_stored_after_it() -> None:
    first = Metering()
    counter = await first.measure(1790, 1200.0, 5000.0)
    await first.intake.flush()
    assert START + timedelta(minutes=15) not in {at for _, at in first.store.interval_rows}
    second = await _restarted(first)
    await second.measure(300, 1200.0, counter)
    await second.intake.flush()
    (row,) = await first.store.intervals("meter", START + timedelta(minutes=15), START + timedelta(minutes=30))
    assert row.import_wh == pytest.approx(300.0, abs=4.0) and row.quality is IntervalQuality.VALID


async def test_energy_that_a_counter_tells_late_is_taken_out_of_the_house_of_that_quarter() -> None:
    metering = Metering()
    clock, counter = metering.clock, 9_000.0
    for step in range(0, 2700, 10):
        await clock.advance(10)
        now = clock.now()
        grid_wh = 5000.0 + 3000 * (step + 10) / 3600
        metering.intake.take([reading("meter", Quantity.ENERGY_IMPORT, grid_wh, now)])
        if step == 0:
            metering.intake.take([reading("tank", Quantity.ENERGY_IMPORT, counter, now)])
        if step % 60 == 0:
            await metering.intake.flush()
    second = START + timedelta(minutes=15)
    assert metering.store.interval_rows["house", second].import_wh == pytest.approx(750.0)
    metering.intake.take([reading("tank", Quantity.ENERGY_IMPORT, counter + 1200.0, clock.now())])
    await metering.intake.flush()
    tank = metering.store.interval_rows["tank", second].import_wh
    assert tank == pytest.approx(400.0, rel=0.05)
    assert metering.store.interval_rows["house", second].import_wh == pytest.approx(750.0 - tank)
