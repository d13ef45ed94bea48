"""The owner's bills: months counted from the main meter, real bills kept safely, and the gap told honestly."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.core.tariff.versions import joined
from gateway.model.bill import RealBill
from gateway.model.errors import StoreError, WishRefused
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.site import Device, Role, Site
from gateway.model.tariff import BillKind, DemandCharge, Rate, Tariff
from gateway.runtime.bills import Bills, filled
from tests.fakes import FakeClock, FakeStore

ZONE = ZoneInfo("Europe/Brussels")
NOW = datetime(2026, 11, 21, 17, 5, tzinfo=UTC)
SITE = Site("Willow Street 4", ZONE, 50.85, 4.35, "EUR", 3, 25.0, (
    Device("car", "Car", Role.EV_CHARGER), Device("grid", "Main meter", Role.MAIN_METER),
))  # fmt: skip
FLAT = Tariff("flat", "Flat", "EUR", ZONE, (Rate("all", 300_000, 50_000),), fixed_micro_per_day=200_000)
OCTOBER = RealBill(date(2026, 10, 1), date(2026, 11, 1), 86_300_000, 150_000.0, None, "2026/10")


def quarter(at: datetime, wh: float | None = 100.0, out: float | None = 0.0, device: str = "grid") -> Interval:
    return Interval(device, at, 900, wh, out, IntervalQuality.VALID, "counter")


class House:
    def __init__(self, tariff: Tariff = FLAT) -> None:
        self.clock, self.store = FakeClock(NOW), FakeStore()
        self.bills = Bills(SITE, self.clock, self.store, tariff)

    async def measure(self, first: date, after: date, wh: float = 100.0) -> None:
        """Quarter hours of the local days from `first` until before `after`; a car's beside them, which is no bill."""
        at, end = (datetime(d.year, d.month, d.day, tzinfo=ZONE).astimezone(UTC) for d in (first, after))
        rows = []
        while at < end:
            rows += [quarter(at, wh), quarter(at, 5000.0, device="car")]
            at += timedelta(minutes=15)
        await self.store.save_intervals(rows)


async def test_a_month_costs_its_energy_and_the_fixed_part_of_each_of_its_days_also_with_25_hours() -> None:
    house = House()
    await house.measure(date(2026, 10, 1), date(2026, 11, 1))
    (october,) = await house.bills.months(2026)
    kwh = (31 * 24 + 1) * 4 * 0.1
    assert october.counted.import_wh == pytest.approx(1000 * kwh)
    assert october.counted.micro == pytest.approx(300_000 * kwh + 31 * 200_000, abs=1)
    assert (october.days, october.days_with_data) == (31, 31)


async def test_the_running_month_is_counted_until_now_and_a_month_without_data_is_left_out() -> None:
    house = House()
    await house.measure(date(2026, 9, 1), date(2026, 9, 3))
    await house.measure(date(2026, 11, 20), date(2026, 11, 21))
    september, november = await house.bills.months(2026)
    assert (september.month, september.days, september.days_with_data) == (date(2026, 9, 1), 30, 2)
    assert (november.days, november.days_with_data) == (21, 1)
    assert november.counted.of(BillKind.FIXED) == 21 * 200_000


async def test_the_peak_is_the_highest_interval_and_when_it_was() -> None:
    house = House()
    await house.measure(date(2026, 10, 1), date(2026, 10, 3))
    cooking = datetime(2026, 10, 2, 16, 30, tzinfo=UTC)
    await house.store.save_intervals([quarter(cooking, 1400.0)])
    (october,) = await house.bills.months(2026)
    assert october.peak_w == pytest.approx(5600) and october.peak_at == cooking


async def test_a_year_of_peaks_is_billed_month_by_month() -> None:
    charge = DemandCharge("capacity", micro_per_kw_month=4_000_000, least_w=2500)
    house = House(Tariff("peaks", "Peaks", "EUR", ZONE, FLAT.rates, demand=(charge,)))
    await house.measure(date(2026, 9, 29), date(2026, 10, 3), wh=1000.0)
    september, october = await house.bills.months(2026)
    assert september.counted.of(BillKind.DEMAND) == october.counted.of(BillKind.DEMAND) == 4 * 4_000_000


async def test_a_real_bill_is_beside_what_is_counted_for_its_days_in_money_and_energy() -> None:
    house = House()
    await house.measure(date(2026, 9, 20), date(2026, 11, 5), wh=1000.0)
    gap = await house.bills.enter(OCTOBER)
    counted = (31 * 24 + 1) * 4 * 300_000 + 31 * 200_000
    assert gap.counted.micro == pytest.approx(counted, abs=1) and gap.days_with_data == 31
    assert gap.micro == pytest.approx(86_300_000 - counted, abs=1) and gap.percent == pytest.approx(
        100 * gap.micro / counted
    )
    assert gap.import_gap_wh == pytest.approx(150_000 - 2_980_000) and gap.export_gap_wh is None


async def test_days_without_data_bill_their_fixed_part_and_are_counted_as_such() -> None:
    house = House()
    await house.measure(date(2026, 10, 3), date(2026, 11, 1))
    # Of the 2nd more than an hour is missing; of the 4th exactly an hour.
    await house.store.save_intervals([quarter(datetime(2026, 10, 2, 12, 0, tzinfo=UTC))])
    gone = [datetime(2026, 10, 4, 12, 15 * i, tzinfo=UTC) for i in range(4)]
    await house.store.save_intervals([quarter(at, None, None) for at in gone])
    gap = await house.bills.enter(OCTOBER)
    assert gap.days_with_data == 29 and gap.counted.of(BillKind.FIXED) == 31 * 200_000
    assert gap.counted.missing_s == 2 * 86_400 - 900 + 3600


async def test_a_bill_without_any_data_still_has_a_gap() -> None:
    house = House()
    gap = await house.bills.enter(OCTOBER)
    assert gap.days_with_data == 0 and gap.counted.micro == 31 * 200_000 and gap.counted.import_wh == 0


async def test_a_dynamic_tariff_asks_for_the_spot_prices_of_these_days() -> None:
    asked = []

    async def spot(start: datetime, end: datetime) -> Series:
        asked.append((start, end))
        return Series(SeriesKind.SPOT, (Point(start, end, 80_000.0),), "test", NOW, "EUR")

    house = House(Tariff("spot", "Spot", "EUR", ZONE, (Rate("all", 100_000, 0, spot_factor=1.0),)))
    house.bills.spot = spot
    await house.measure(date(2026, 10, 1), date(2026, 10, 2), wh=250.0)
    gap = await house.bills.enter(RealBill(date(2026, 10, 1), date(2026, 10, 2), 4_320_000))
    assert gap.counted.micro == 24 * 180_000 and gap.micro == 0
    assert asked == [(datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 1, 22, tzinfo=UTC))]


async def test_what_was_entered_is_there_after_a_restart_and_gone_after_deleting() -> None:
    house = House()
    first = await house.bills.enter(OCTOBER)
    second = await house.bills.enter(RealBill(date(2026, 9, 1), date(2026, 10, 1), -12_500_000))
    again = Bills(SITE, house.clock, house.store, FLAT)
    assert [gap.real for gap in await again.gaps()] == [first.real, second.real]
    assert await again.delete(second.real.number) == second.real
    third = await again.enter(RealBill(date(2026, 8, 1), date(2026, 9, 1), 1_000_000))
    assert [gap.real.number for gap in await again.gaps()] == [1, 3] and third.real.number == 3


async def test_a_bill_over_new_year_is_one_of_both_years() -> None:
    house = House()
    await house.bills.enter(RealBill(date(2025, 12, 15), date(2026, 1, 15), 1_000_000))
    await house.bills.enter(RealBill(date(2025, 12, 1), date(2026, 1, 1), 2_000_000))
    assert [len(await house.bills.gaps(year)) for year in (2024, 2025, 2026)] == [0, 2, 1]


async def test_a_bill_is_on_disk_before_anybody_is_told_so() -> None:
    house = House()
    house.store.gate.clear()
    entering = asyncio.create_task(house.bills.enter(OCTOBER))
    await house.clock.settle()
    assert not entering.done()
    house.store.gate.set()
    assert (await entering).real.number == 1 and house.store.commits == 1


async def test_a_full_disk_refuses_a_bill_and_keeps_the_others() -> None:
    house = House()
    kept = await house.bills.enter(OCTOBER)
    house.store.broken = True
    with pytest.raises(StoreError):
        await house.bills.delete(kept.real.number)
    assert [gap.real for gap in await house.bills.gaps()] == [kept.real]


async def test_two_bills_entered_at_once_are_both_kept() -> None:
    house = House()
    bills = [RealBill(date(2026, month, 1), date(2026, month, 28), 10_000_000) for month in range(1, 10)]
    await asyncio.gather(*(house.bills.enter(bill) for bill in bills))
    assert sorted(gap.real.number for gap in await house.bills.gaps()) == list(range(1, 10))


@pytest.mark.parametrize(
    ("start", "end", "micro", "wh", "words"),
    [
        (date(2026, 10, 5), date(2026, 10, 5), 1, None, "Swap"),
        (date(2025, 1, 1), date(2026, 10, 1), 1, None, "in parts"),
        (date(2026, 11, 1), date(2026, 12, 1), 1, None, "must have passed"),
        (date(1969, 1, 1), date(1969, 2, 1), 1, None, "must have passed"),
        (date(2026, 10, 1), date(2026, 11, 1), 2 * 10**12, None, "decimal point"),
        (date(2026, 10, 1), date(2026, 11, 1), 1, -1.0, "below 0"),
    ],
)
async def test_a_bill_that_cannot_be_is_refused_with_what_to_do(
    start: date, end: date, micro: int, wh: float | None, words: str
) -> None:
    house = House()
    with pytest.raises(WishRefused, match=words):
        await house.bills.enter(RealBill(start, end, micro, wh))
    assert await house.bills.gaps() == () and house.store.commits == 0


async def test_the_same_bill_twice_is_refused_and_another_supplier_for_the_same_days_is_not() -> None:
    house = House()
    await house.bills.enter(OCTOBER)
    with pytest.raises(WishRefused, match="there already"):
        await house.bills.enter(OCTOBER)
    await house.bills.enter(RealBill(OCTOBER.start, OCTOBER.end, 21_000_000, note="the grid's own bill"))
    assert len(await house.bills.gaps()) == 2


def test_a_gap_is_filled_with_one_interval_without_data() -> None:
    at = datetime(2026, 10, 1, tzinfo=UTC)
    later = at + timedelta(hours=3)
    rows = filled([quarter(at + timedelta(hours=1)), quarter(at + timedelta(hours=2))], at, later)
    assert [(r.start.hour, r.duration_s, r.net_wh) for r in rows] == [
        (0, 3600, None), (1, 900, 100.0), (1, 2700, None), (2, 900, 100.0), (2, 2700, None),
    ]  # fmt: skip


async def test_the_days_before_a_new_tariff_are_billed_by_the_one_of_those_days() -> None:
    """Wrong before: a new tariff in the site file changed the bills of all months before it."""
    dear = replace(FLAT, id="dear", rates=(Rate("all", 900_000, 0),), valid_from=date(2026, 10, 1))
    house = House(joined([FLAT, dear]))
    await house.measure(date(2026, 9, 1), date(2026, 11, 1))
    september, october = await house.bills.months(2026)
    assert september.counted.micro == pytest.approx(30 * 96 * 0.1 * 300_000 + 30 * 200_000, abs=1)
    assert october.counted.of(BillKind.IMPORT) == pytest.approx(745 * 4 * 0.1 * 900_000, abs=1)
    over = await house.bills.enter(RealBill(date(2026, 9, 30), date(2026, 10, 2), 50_000_000))
    assert over.counted.of(BillKind.IMPORT) == pytest.approx(96 * 0.1 * (300_000 + 900_000), abs=1)
