"""A person corrects interval data: audited, derived anew, undone, and never overwritten by what is computed later."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.core.metering.edit import Correction
from gateway.core.metering.resample import local_day
from gateway.model.errors import StoreError, WishRefused
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Reading
from gateway.model.site import Device, Role, Site
from gateway.runtime.edits import Edits, local_words
from gateway.runtime.energy import EnergyHistory
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.meters import Intake
from gateway.runtime.notices import Notices
from tests.fakes import START, FakeClock, FakeStore

Q = IntervalQuality
STEP = timedelta(minutes=15)
FIRST = START - 8 * STEP
SITE = Site("Home", ZoneInfo("Europe/Brussels"), 50.8, 4.3, "EUR", 3, 25.0, (
    Device("meter", "Main meter", Role.MAIN_METER),
    Device("pv", "Roof", Role.PV),
    Device("boiler", "Hot water", Role.WATER_HEATER),
))  # fmt: skip


def interval(device: str, index: int, taken: float, given: float = 0.0) -> Interval:
    return Interval(device, FIRST + index * STEP, 900, taken, given, Q.VALID, "counter")


@pytest.fixture
async def store() -> FakeStore:
    """Six quarter hours: 500 Wh from the grid, 100 Wh from the roof, 200 Wh into the boiler."""
    kept = FakeStore()
    for i in range(6):
        await kept.save_intervals([interval("meter", i, 500.0), interval("pv", i, 0.0, 100.0)])
        await kept.save_intervals([interval("boiler", i, 200.0)])
    return kept


def edits(store: FakeStore) -> Edits:
    return Edits(SITE, FakeClock(), store, lambda: None, asyncio.Lock())


def wish(quarters: int = 2, taken: float = 1200.0, device: str = "meter") -> Correction:
    return Correction(device, FIRST, FIRST + quarters * STEP, taken, None, "Read off the dial")


async def energies(store: FakeStore, device: str, count: int = 2) -> list[float | None]:
    return [row.import_wh for row in await store.intervals(device, FIRST, FIRST + count * STEP)]


async def test_a_correction_supersedes_and_the_remainder_follows(store):
    said = await edits(store).correct(wish(), "owner")
    assert await energies(store, "meter") == [600.0, 600.0]
    assert await energies(store, "house") == [500.0, 500.0]  # 600 + 100 from the roof - 200 of the boiler
    assert "2 intervals from 21 Nov 2026 15:30 to 21 Nov 2026 16:00: taken 1200 Wh (before: 1000 Wh)" in said


async def test_every_version_is_kept_with_who_and_why(store):
    await edits(store).correct(wish(1, 700.0), "owner")
    first, last = await store.interval_history("meter", FIRST)
    assert (first.import_wh, first.quality) == (500.0, Q.VALID)
    assert (last.import_wh, last.quality, last.method) == (700.0, Q.EDITED, "edited by owner: Read off the dial")


async def test_correction_and_undoing_leave_their_audit_rows(store):
    made = edits(store)
    await made.correct(wish(1), "owner")
    await made.undo("meter", FIRST, FIRST + STEP, "owner")
    asked, undone = store.audit_rows
    assert asked.subject == undone.subject == "meter"
    assert "Reason: Read off the dial" in asked.text and "(before: 500 Wh)" in asked.text
    assert undone.text.startswith("owner undoes the correction of 1 interval")


async def test_undoing_brings_the_measured_values_and_the_remainder_back(store):
    made = edits(store)
    before = await store.intervals("meter", FIRST, START)
    await made.correct(wish(), "owner")
    await made.correct(wish(1, 50.0), "owner")
    await made.undo("meter", FIRST, START, "owner")
    assert await energies(store, "meter") == [600.0, 500.0]
    await made.undo("meter", FIRST, START, "owner")
    assert await store.intervals("meter", FIRST, START) == before
    assert await energies(store, "house") == [400.0, 400.0]
    with pytest.raises(WishRefused, match="no correction"):
        await made.undo("meter", FIRST, START, "owner")


async def test_correcting_the_panels_makes_solar_and_house_anew(store):
    await edits(store).correct(Correction("pv", FIRST, FIRST + STEP, None, 300.0, "Shadow of the crane"), "owner")
    assert [row.export_wh for row in await store.intervals("solar", FIRST, FIRST + STEP)] == [300.0]
    assert await energies(store, "house", 1) == [600.0]


async def test_an_hour_nobody_measured_can_be_filled_in(store):
    later = Correction("boiler", FIRST + 6 * STEP, FIRST + 7 * STEP, 40.0, None, "The relay was offline")
    made = edits(store)
    await made.correct(later, "owner")
    await made.undo("boiler", later.start, later.end, "owner")
    (back,) = await store.intervals("boiler", later.start, later.end)
    assert (back.quality, back.net_wh) == (Q.MISSING, None)


@pytest.mark.parametrize("device", ["house", "solar", "ghost", "pv/pv", "boiler/battery", ""])
async def test_only_what_is_measured_can_be_corrected(store, device):
    with pytest.raises(WishRefused):
        await edits(store).correct(wish(device=device), "owner")
    assert store.audit_rows == []


async def test_a_full_disk_changes_nothing(store):
    store.broken = True
    with pytest.raises(StoreError):
        await edits(store).correct(wish(), "owner")
    assert await energies(store, "meter") == [500.0, 500.0]


async def test_two_at_once_do_not_lose_one_another(store):
    made = edits(store)
    await asyncio.gather(made.correct(wish(1, 600.0), "owner"), made.correct(wish(1, 50.0, "boiler"), "owner"))
    assert await energies(store, "house", 1) == [650.0]


async def test_hours_hold_four_quarters_and_days_begin_at_local_midnight(store):
    history = EnergyHistory(SITE, FakeClock(), store)
    hours = await history.intervals("meter", FIRST, START, 3600)
    assert [(row.start.minute, row.import_wh) for row in hours] == [(0, 2000.0)]
    begin, end = local_day(START.date(), SITE.timezone)
    (day,) = await history.intervals("meter", begin, end, 86_400)
    assert (day.start, day.duration_s) == (begin, 86_400)


async def test_a_length_that_is_not_kept_is_refused(store):
    with pytest.raises(WishRefused, match="Known lengths"):
        await EnergyHistory(SITE, FakeClock(), store).intervals("meter", FIRST, START, 60)


async def test_the_day_tells_where_each_consumers_energy_came_from(store):
    await edits(store).correct(wish(6, 3000.0), "owner")
    day = await EnergyHistory(SITE, FakeClock(), store).day(START.date())
    boiler = next(c for c in day.consumers if c.device == "boiler")
    assert boiler.energy_wh == pytest.approx(1200.0)
    assert boiler.solar_wh == pytest.approx(200.0)  # 100 of 600 Wh came from the roof
    assert boiler.grid_wh + boiler.solar_wh == pytest.approx(boiler.energy_wh)
    assert (day.quarters, day.edited, day.missing) == (69, 6, 63)  # 63 quarter hours of the day tell nothing
    assert sum(c.energy_wh for c in day.consumers) == pytest.approx(3600.0)


async def late_data(store: FakeStore, device: str, energy_wh: float) -> None:
    """A gateway that hears only now, from the counter, what a device used in the first quarter hour."""
    clock = FakeClock(FIRST)
    intake = Intake(HomeState(SITE, clock), clock, store, Notices(store, clock, Changes()))
    for minutes, register in ((0, 1000.0), (15, 1000.0 + energy_wh), (16, 1000.0 + energy_wh)):
        clock.step(60.0 * minutes - (clock.now() - FIRST).total_seconds())
        intake.take([Reading(device, Quantity.ENERGY_IMPORT, register, FIRST + timedelta(minutes=minutes))])
    clock.step(600)
    await intake.flush()


async def test_what_is_computed_later_leaves_the_correction_in_force(store):
    made = edits(store)
    await made.correct(wish(1, 700.0), "owner")
    await late_data(store, "meter", 520.0)
    assert await energies(store, "meter", 1) == [700.0]
    assert await energies(store, "house", 1) == [600.0]


async def test_late_data_of_another_device_reach_the_remainder_beside_a_correction(store):
    await edits(store).correct(wish(1, 700.0), "owner")
    await late_data(store, "boiler", 300.0)
    assert await energies(store, "boiler", 1) == [300.0]
    assert await energies(store, "house", 1) == [500.0]  # 700 + 100 - 300


async def test_after_undoing_what_is_computed_later_counts_again(store):
    made = edits(store)
    await made.correct(wish(1, 700.0), "owner")
    await made.undo("meter", FIRST, FIRST + STEP, "owner")
    await late_data(store, "meter", 520.0)
    assert await energies(store, "meter", 1) == [520.0]


BRUSSELS = ZoneInfo("Europe/Brussels")


@pytest.mark.parametrize(
    ("hour_utc", "words"),
    [
        (23, "26 Oct 2025 01:00"),
        (24, "26 Oct 2025 02:00 (UTC+02:00)"),
        (25, "26 Oct 2025 02:00 (UTC+01:00)"),
        (26, "26 Oct 2025 03:00"),
    ],
)
def test_the_hour_that_comes_twice_is_told_with_its_offset(hour_utc, words):
    assert local_words(datetime(2025, 10, 25, tzinfo=UTC) + timedelta(hours=hour_utc), BRUSSELS) == words


async def test_a_correction_in_the_hour_that_comes_twice_says_which_one(store):
    second = datetime(2025, 10, 26, 1, tzinfo=UTC)
    said = await edits(store).correct(Correction("meter", second, second + STEP, 100.0, None, "Swapped"), "owner")
    words = "from 26 Oct 2025 02:00 (UTC+01:00) to 26 Oct 2025 02:15 (UTC+01:00)"
    assert words in said and words in store.audit_rows[-1].text


async def test_a_house_that_was_imported_is_not_lost_to_a_main_meter_nobody_knows(store):
    start = FIRST - 40 * STEP
    imported = Interval("house", start, 900, 321.0, 0.0, Q.VALID, "imported")
    await store.save_intervals([imported])
    await edits(store).correct(Correction("boiler", start, start + STEP, 40.0, None, "Seen on its display"), "owner")
    assert await store.intervals("house", start, start + STEP) == [imported]
