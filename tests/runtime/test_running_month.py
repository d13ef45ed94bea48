"""The running month: what the planner is told of peaks and tiers, also when the month or the day turns."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from gateway.core.tariff.parse import parse_tariff
from gateway.model.site import Role
from gateway.model.tariff import Tariff, ToDate
from gateway.runtime.running_month import RunningMonth
from tests.core.homes import SITE
from tests.core.tariff_world import local, run
from tests.fakes import FakeClock, FakeStore

NOW = local("2026-11-20 12:00")
METER = next(device.id for device in SITE.of_role(Role.MAIN_METER))
TARIFF = parse_tariff(
    {
        "id": "t", "name": "T", "currency": "EUR", "timezone": "Europe/Brussels",
        "rates": [{"name": "flat", "import": 0.3}],
        "demand": [{"name": "peak", "per_kw_month": 4.0}],
        "tiers": {"period": "day", "steps": [{"up_to_kwh": 10, "add": 0}, {"add": 0.1}]},
    }
)  # fmt: skip


async def month(now: datetime, tariff: Tariff = TARIFF) -> tuple[RunningMonth, FakeClock]:
    """A month in which 6 kW were drawn on the 2nd and 2 kW this morning, counted at `now`."""
    store, clock = FakeStore(), FakeClock(now)
    rows = [*run(local("2026-11-02 18:00"), [6000.0]), *run(local("2026-11-20 08:00"), [2000.0] * 4)]
    await store.save_intervals([replace(row, device=METER) for row in rows])
    found = RunningMonth(SITE, clock, store, tariff)
    await found.once()
    return found, clock


async def test_the_month_so_far_is_the_main_meters() -> None:
    found, _ = await month(NOW)
    assert found.so_far() == ToDate(2000.0, (("peak", (6000.0,)),), NOW.date(), (("peak", 2000.0),))


async def test_before_anything_was_counted_nothing_is_known() -> None:
    assert RunningMonth(SITE, FakeClock(NOW), FakeStore(), TARIFF).so_far() == ToDate()


async def test_a_new_day_begins_its_tiers_again_before_it_is_counted_and_keeps_the_months_peak() -> None:
    found, clock = await month(NOW)
    await clock.advance(timedelta(hours=13).total_seconds())
    assert (found.so_far().tier_wh, found.so_far().peaks("peak")) == (0.0, (6000.0,))
    assert found.so_far().today("peak", clock.now().date()) == 0


async def test_a_new_month_begins_without_the_peaks_of_the_old_one() -> None:
    found, clock = await month(NOW)
    await clock.advance(timedelta(days=11).total_seconds())
    assert found.so_far() == ToDate()


async def test_a_tariff_without_peaks_and_tiers_reads_no_interval() -> None:
    found, _ = await month(NOW, replace(TARIFF, demand=(), tiers=None))
    assert not found.needed and found.so_far() == ToDate()
