"""The meter loops: what is read becomes live state, minutes and quarter hours; failures are told once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from gateway.core.metering.freeze import Wishes
from gateway.model.errors import DeviceUnreachable
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Reading, Rule
from gateway.model.site import Role
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.meters import Intake, MeterLoop
from gateway.runtime.notices import Notices
from tests.core.homes import SITE
from tests.fakes import START, FakeClock, FakeStore
from tests.runtime.fakes_devices import FakeMeter, grid, reading

VALID = IntervalQuality.VALID
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


async def test_an_absence_that_was_asked_for_alarms_nobody() -> None:
    metering, away = Metering(), DeviceUnreachable("meter", "read", "it restarts, as asked at 12:00 UTC")
    away.expected = True
    await _for(metering, FakeMeter("meter", 1.0, [away] * 30), 20)
    assert not metering.notices.open
    assert metering.state.silent == {"meter": "it restarts, as asked at 12:00 UTC"}


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


async def test_rules_that_spoke_are_counted_by_device_and_rule_with_the_last_words() -> None:
    metering = Metering()
    for watts in (4e9, 5e9):
        metering.intake.take([reading("meter", Quantity.POWER, watts, metering.clock.now())])
    metering.intake.take([reading("meter", Quantity.SOC, None, metering.clock.now())])  # type: ignore[arg-type]
    ranged, missing = metering.intake.rule_counts("meter")
    assert (ranged.device, ranged.rule, ranged.count, ranged.last) == ("meter", Rule.RANGE, 2, START)
    assert ranged.words == "out of range: 5e+09 W, believed between -200000 and 200000"
    assert (missing.rule, missing.count) == (Rule.MISSING, 1)
    assert metering.intake.rule_counts("tank") == []


async def test_counts_survive_a_restart_and_begin_anew_each_local_day() -> None:
    metering = Metering()
    metering.intake.take([reading("meter", Quantity.POWER, 4e9, metering.clock.now())])
    await metering.intake.flush(final=True)
    again = await _restarted(metering)
    assert [count.count for count in again.intake.rule_counts("meter")] == [1]
    again.intake.take([reading("meter", Quantity.POWER, 4e9, again.clock.now())])
    await again.clock.advance(7 * 3600)
    assert again.intake.rule_counts("meter") == []
    await again.intake.flush()
    assert again.store.documents["vee/2026-11-21"]["meter"]["range"]["count"] == 2


async def test_counts_are_written_every_quarter_of_an_hour_at_most() -> None:
    metering, counts = Metering(), []
    for _ in range(40):
        metering.intake.take([reading("meter", Quantity.POWER, 4e9, metering.clock.now())])
        await metering.clock.advance(60)
        await metering.intake.flush()
        counts.append(metering.store.documents["vee/2026-11-21"]["meter"]["range"]["count"])
    assert len(set(counts)) == 3


async def _quarter_with_house() -> tuple[Metering, datetime]:
    metering = Metering()
    await metering.measure(2 * 900 + 120, 1200.0, 5000.0)
    await metering.intake.flush()
    return metering, START + timedelta(minutes=15)


def _edited(metering: Metering, device: str, start: datetime, wh: float) -> Interval:
    row = metering.store.interval_rows[device, start]
    return replace(row, import_wh=wh, quality=IntervalQuality.EDITED, method="edited by Ann: display read wrongly")


async def test_after_a_correction_by_hand_the_house_of_that_quarter_follows() -> None:
    metering, start = await _quarter_with_house()
    await metering.store.save_intervals([_edited(metering, "meter", start, 700.0)])
    await metering.intake.rederive(start)
    assert metering.store.interval_rows["house", start].import_wh == 700.0


async def test_what_a_person_corrected_is_not_superseded_by_a_later_computation() -> None:
    metering, start = await _quarter_with_house()
    await metering.store.save_intervals([_edited(metering, "meter", start, 700.0)])
    await metering.intake.rederive(start)
    # The tank's register tells late of that quarter, and so does the meter's after a restart.
    now = metering.clock.now()
    metering.intake.take([reading("tank", Quantity.ENERGY_IMPORT, 100.0, start - timedelta(minutes=1))])
    metering.intake.take([reading("tank", Quantity.ENERGY_IMPORT, 400.0, now)])
    metering.intake._keep([replace(metering.store.interval_rows["meter", start], import_wh=1.0, quality=VALID)])
    await metering.intake.flush()
    meter, house = (metering.store.interval_rows[name, start] for name in ("meter", "house"))
    assert (meter.import_wh, meter.quality) == (700.0, IntervalQuality.EDITED)
    tank = metering.store.interval_rows["tank", start].import_wh
    assert tank is not None and house.import_wh == pytest.approx(700.0 - tank)


async def test_a_house_corrected_by_hand_stays_when_a_device_is_corrected() -> None:
    metering, start = await _quarter_with_house()
    await metering.store.save_intervals([_edited(metering, "house", start, 5.0)])
    await metering.intake.rederive(start)
    assert metering.store.interval_rows["house", start].import_wh == 5.0


async def test_after_an_undone_correction_computation_has_the_word_again() -> None:
    metering, start = await _quarter_with_house()
    before = metering.store.interval_rows["meter", start]
    await metering.store.save_intervals([_edited(metering, "meter", start, 700.0)])
    await metering.store.save_intervals([before])
    metering.intake._keep([replace(before, import_wh=290.0)])
    await metering.intake.flush()
    assert metering.store.interval_rows["meter", start].import_wh == 290.0


async def test_a_doubted_total_leaves_the_phases_to_the_guard() -> None:
    metering = Metering()
    sweep = grid(START, 4.0)
    wrong = [replace(row, value=9000.0) if row.quantity is Quantity.POWER else row for row in sweep]
    metering.intake.take(wrong)
    meter = metering.state.freeze(Wishes(Preferences()), {}, frozenset()).devices["meter"]
    assert meter.get(Quantity.POWER) is None and meter.get(Quantity.CURRENT_L1) == 4.0 and meter.online
    assert meter.doubts == {Quantity.POWER: "sum_check: sum of phases 2760 W, total 9000 W"}


async def test_panels_that_give_at_night_are_named_and_kept_out() -> None:
    metering = Metering()
    midnight = START + timedelta(hours=7)
    await metering.clock.advance(7 * 3600)
    metering.intake.take([reading("inverter", Quantity.PV_POWER, -2500.0, midnight)])
    inverter = metering.state.freeze(Wishes(Preferences()), {}, frozenset()).devices["inverter"]
    assert inverter.get(Quantity.PV_POWER) is None
    assert inverter.doubts == {Quantity.PV_POWER: "night_production: panels give 2500 W in the dark"}


async def test_an_interval_no_connection_can_carry_is_stored_as_an_estimate_and_counted() -> None:
    metering = Metering()
    await metering.measure(2 * 900 + 120, 30_000.0, 5000.0)
    await metering.intake.flush()
    row = metering.store.interval_rows["meter", START + timedelta(minutes=15)]
    assert row.quality is IntervalQuality.ESTIMATED and "more than the 5175 Wh" in row.method
    assert Rule.HIGH_USAGE in {count.rule for count in metering.intake.rule_counts("meter")}


async def test_after_a_restart_an_hour_of_silence_is_spread_by_the_days_before() -> None:
    store = FakeStore()
    for day in range(1, 4):
        for slot, wh in enumerate((100.0, 700.0, 100.0, 300.0)):
            start = START - timedelta(days=day) + timedelta(minutes=15 * slot)
            store.interval_rows["meter", start] = Interval("meter", start, 900, wh, 0.0, VALID, "counter")
    metering = Metering(store)
    metering.intake.take([reading("meter", Quantity.ENERGY_IMPORT, 5000.0, START)])
    await metering.intake.flush(final=True)
    await metering.clock.advance(3600)
    again = await _restarted(metering)
    again.intake.take([reading("meter", Quantity.ENERGY_IMPORT, 6200.0, again.clock.now())])
    await again.clock.advance(120)
    await again.intake.flush()
    rows = await store.intervals("meter", START, START + timedelta(hours=1))
    assert [row.import_wh for row in rows] == pytest.approx([100.0, 700.0, 100.0, 300.0], rel=0.1)
    assert {row.method for row in rows} == {"counter spread by typical profile"}


@dataclass
class SlowMeter(FakeMeter):
    """A meter that knows whether it can be read as often as asked."""

    warning: str = ""


async def test_a_meter_that_cannot_keep_its_pace_is_told_once_and_the_warning_ends() -> None:
    metering = Metering()
    meter = SlowMeter("meter", 1.0, [grid(START, 4.0)], warning="reading takes 1.4 s, longer than its period of 1 s")
    task = asyncio.create_task(metering.loop(meter).run())
    await metering.clock.advance(3)
    words = metering.notices.open["slow meter"].text
    assert words == "Main meter: reading takes 1.4 s, longer than its period of 1 s"
    meter.warning = "reading takes 1.5 s, longer than its period of 1 s"
    await metering.clock.advance(3)
    assert metering.notices.open["slow meter"].text == words, "not again for each other figure"
    meter.warning = ""
    await metering.clock.advance(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "slow meter" not in metering.notices.open


@dataclass
class DawdlingMeter(FakeMeter):
    """A meter that needs its time to answer."""

    clock: FakeClock | None = None
    at: list[float] = field(default_factory=list)

    async def read(self) -> list[Reading]:
        assert self.clock is not None
        self.at.append(self.clock.monotonic())
        await self.clock.sleep(0.3 + 0.05 * (len(self.at) % 3))
        return await super().read()


async def test_the_period_is_kept_whatever_a_reading_takes() -> None:
    metering = Metering()
    meter = DawdlingMeter("meter", 1.0, [grid(START, 4.0)], clock=metering.clock)
    await _for(metering, meter, 20)
    assert meter.at == pytest.approx([float(second) for second in range(21)])


async def test_a_restart_between_two_readings_goes_on_from_the_exact_edge_of_the_quarter_hour() -> None:
    """Wrong before: the edge lay where the minute ended, and the energy of some seconds in the wrong quarter."""
    first = Metering()
    counter = await first.measure(1800 + 480, 3000.0, 5000.0)
    await first.intake.flush()
    second = await _restarted(first)
    await second.measure(900, 3000.0, counter)
    await second.intake.flush()
    rows = await first.store.intervals("meter", START + timedelta(minutes=15), START + timedelta(minutes=45))
    assert [row.import_wh for row in rows] == [pytest.approx(750.0, abs=0.01)] * 2


async def test_a_quarter_hour_whose_edge_only_stored_minutes_know_is_an_estimate() -> None:
    first = Metering()
    counter = await first.measure(1790, 3000.0, 5000.0)
    await first.intake.flush()
    del first.store.documents["metering/edges"]
    second = await _restarted(first)
    await second.measure(300, 3000.0, counter)
    await second.intake.flush()
    (row,) = await first.store.intervals("meter", START + timedelta(minutes=15), START + timedelta(minutes=30))
    assert row.quality is IntervalQuality.ESTIMATED and "over a restart" in row.method
