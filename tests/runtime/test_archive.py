"""The plan archive: each quarter hour's plan as it came into force, beside what was measured, kept small."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.sqlite.store import SqliteStore
from gateway.model.plan import Plan, PlanSlot
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup
from gateway.runtime.archive import KEPT_DAYS, PlanArchive, planned_quarter
from tests.core.homes import SITE
from tests.fakes import FakeClock, FakeStore

DAY = date(2026, 11, 20)
MIDNIGHT = datetime(2026, 11, 19, 23, tzinfo=UTC)
STEP = timedelta(minutes=15)


def plan_from(start: datetime, watts: float, *, length_s: int = 300, count: int = 288) -> Plan:
    """House and grid at `watts`, the panels at a tenth of it; each hour a cent dearer."""
    slots = tuple(
        PlanSlot(
            at, length_s, {"grid": watts, "house": watts, "pv": -watts / 10, "inverter": 50.0}, 40.0, None, None,
            300_000 + 10_000 * ((at - MIDNIGHT) // timedelta(hours=1)), 50_000,
        )
        for at in (start + timedelta(seconds=length_s * i) for i in range(count))
    )  # fmt: skip
    return Plan(start, "time", "optimised", slots, (), 0, 0, 0.0, 1.0)


class Home:
    def __init__(self, now: datetime = MIDNIGHT, store: FakeStore | SqliteStore | None = None) -> None:
        self.clock, self.store = FakeClock(now), store or FakeStore()
        self.plan: Plan | None = plan_from(now, 1_000.0)
        self.archive = PlanArchive(SITE, self.clock, self.store, lambda: self.plan)

    async def measure(self, device: str, watts: float, count: int = 8) -> None:
        await self.store.save_intervals(
            Interval(device, MIDNIGHT + STEP * i, 900, max(0, watts) / 4, max(0, -watts) / 4, IntervalQuality.VALID, "")
            for i in range(count)
        )  # type: ignore[arg-type]


async def test_what_the_plan_in_force_said_stays_though_later_plans_say_otherwise() -> None:
    home = Home()
    task = asyncio.create_task(home.archive.run())
    await home.clock.advance(60)
    home.plan = plan_from(MIDNIGHT + timedelta(minutes=1), 4_000.0)
    await home.archive.once()
    await home.clock.advance(10 * 60)
    await home.clock.advance(20 * 60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    found = await home.archive.day(DAY)
    assert [q.planned.power_w["grid"] if q.planned else None for q in found.quarters] == [1_000.0, 4_000.0]
    assert found.planned == 2


async def test_a_day_tells_planned_against_measured_by_the_plans_own_names() -> None:
    home = Home()
    for series, watts in {"meter": 1_200, "house": 900, "solar": -80, "inverter/battery": 70, "inverter": 60}.items():
        await home.measure(series, watts)
    for _ in range(8):
        await home.archive.once()
        await home.clock.advance(900)
    await home.store.save_rollups(
        [Rollup("inverter", Quantity.SOC, MIDNIGHT + timedelta(minutes=14), 41, 41, 41, 41, 60)]
    )
    found = await home.archive.day(DAY)
    assert len(found.quarters) == 8
    assert found.quarters[0].measured_w == {"grid": 1_200, "house": 900, "pv": -80, "inverter": 70}
    assert found.quarters[0].measured_soc_percent == 41 and found.quarters[1].measured_soc_percent is None
    assert found.quarters[4].planned is not None and found.quarters[4].planned.price_micro_per_kwh == 310_000
    grid = found.miss("grid")
    assert grid is not None
    assert (grid.planned_wh, grid.measured_wh, grid.mean_error_w) == (2_000, 2_400, 200)
    assert found.miss("car") is None


async def test_a_quarter_hour_without_plan_or_meter_is_in_no_error() -> None:
    home = Home()
    await home.measure("meter", 1_200, count=2)
    home.plan = None
    await home.archive.once()
    await home.clock.advance(900)
    home.plan = plan_from(MIDNIGHT + STEP, 1_000.0)
    await home.archive.once()
    await home.clock.advance(900)
    await home.archive.once()
    await home.clock.advance(900)
    found = await home.archive.day(DAY)
    assert [quarter.planned is not None for quarter in found.quarters] == [False, True, True]
    grid = found.miss("grid")
    assert grid is not None and (grid.planned_wh, grid.measured_wh) == (250, 300)


async def test_a_restart_goes_on_with_the_days_rows_and_rewrites_none() -> None:
    home = Home()
    await home.archive.once()
    await home.clock.advance(900)
    again = Home(home.clock.now(), home.store)
    again.plan = plan_from(MIDNIGHT + STEP, 2_000.0)
    await again.archive.once()
    await again.archive.once()
    await again.clock.advance(900)
    found = await again.archive.day(DAY)
    assert [q.planned.power_w["house"] if q.planned else None for q in found.quarters] == [1_000.0, 2_000.0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("day", "midnight", "quarters"),
    [
        (date(2026, 10, 25), datetime(2026, 10, 24, 22, tzinfo=UTC), 100),
        (date(2027, 3, 28), datetime(2027, 3, 27, 23, tzinfo=UTC), 92),
    ],
    ids=["25 hours", "23 hours"],
)
async def test_days_on_which_the_clocks_change_have_a_row_for_each_quarter_hour(
    day: date, midnight: datetime, quarters: int
) -> None:
    home = Home(midnight)
    for _ in range(quarters):
        home.plan = plan_from(home.clock.now(), 500.0)
        await home.archive.once()
        await home.clock.advance(900)
    found = await home.archive.day(day)
    assert len(found.quarters) == found.planned == quarters
    assert [q.planned.start for q in found.quarters if q.planned] == [q.start for q in found.quarters]


def test_a_plan_is_told_as_the_mean_of_its_slots_over_the_quarter_hour() -> None:
    start = MIDNIGHT
    plan = plan_from(start, 900.0)
    first = replace(plan.slots[0], power_w={"grid": 3_000.0})
    mixed = planned_quarter(replace(plan, slots=(first, *plan.slots[1:])), start)
    assert mixed is not None and mixed.power_w["grid"] == pytest.approx((3_000 + 2 * 900) / 3)
    hourly = planned_quarter(plan_from(start, 900.0, length_s=3600, count=48), start + 2 * STEP)
    assert hourly is not None and hourly.power_w["grid"] == pytest.approx(900)
    assert planned_quarter(plan_from(start + timedelta(minutes=10), 900.0), start) is None
    assert planned_quarter(plan, start - timedelta(days=1)) is None is planned_quarter(None, start)


@pytest.mark.slow
async def test_a_year_of_archive_is_less_than_two_megabytes_and_the_401st_day_takes_the_place_of_the_first(
    tmp_path: Path,
) -> None:
    """Random powers of eight devices are the worst there is: nothing repeats."""
    store, dice = FakeStore(), random.Random(7)
    names = ["grid", "house", "pv", "inverter", "car", "tank", "heat_pump", "pool"]
    home = Home(store=store)
    for _ in range(96):
        power = {name: dice.uniform(-8_000, 8_000) for name in names}
        slot = PlanSlot(home.clock.now(), 900, power, dice.uniform(0, 100), None, None, dice.randrange(600_000), 0)
        home.plan = replace(plan_from(home.clock.now(), 0.0), slots=(slot,))
        await home.archive.once()
        await home.clock.advance(900)
    (key,) = store.documents
    assert len(json.dumps(store.documents[key])) * 365 < 2_000_000
    later = Home(MIDNIGHT + timedelta(days=KEPT_DAYS), store)
    await later.archive.once()
    assert list(store.documents) == [key]
    assert (await later.archive.day(DAY)).planned == 0, "its place was used again"


async def test_the_archive_is_on_the_disk_of_any_database_since_the_last_version(tmp_path: Path) -> None:
    """It needs no table of its own: documents are old."""
    store = SqliteStore.open(tmp_path / "hearth.sqlite")
    home = Home(store=store)
    await home.archive.once()
    await store.save_minute([], [], {})
    await store.close()
    again = SqliteStore.open(tmp_path / "hearth.sqlite")
    other = Home(MIDNIGHT + STEP, again)
    assert (await other.archive.day(DAY)).planned == 1
    await again.close()
