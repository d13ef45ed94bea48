"""The savings book: each finished day once its data are in, honest about days that lose or cannot be counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from adapters.sqlite.store import SqliteStore
from gateway.core.metering.resample import local_day
from gateway.core.tariff.versions import joined
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences, Vehicle
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.session import EvSession
from gateway.model.site import BatterySpec, HeatPumpSpec, Site
from gateway.model.tariff import DemandCharge, Rate, Tariff
from gateway.runtime.savings import BACK_DAYS, SavingsBook
from gateway.runtime.savings_day import full_w
from tests.core.homes import SITE
from tests.fakes import FakeClock, FakeStore

ZONE = SITE.timezone
DAY = date(2026, 11, 20)
NIGHT = Tariff("night", "Night", "EUR", ZONE, (
    Rate("night", 200_000, 50_000, start=time(22), end=time(7)), Rate("day", 400_000, 50_000),
))  # fmt: skip
CAR_ONLY = replace(SITE, devices=tuple(d for d in SITE.devices if d.id in ("meter", "car")))
CURVE_S = 900


def session(first: datetime, starts: float, hours: float, watts: float, leaves: float, number: int = 1) -> EvSession:
    """Plugged in at `first`, charging from `starts` h after it for some hours, gone after `leaves` h."""
    begin = int(first.timestamp())
    curve = [(begin, 0.0)]
    for quarter in range(round(leaves * 4) + 1):
        at = quarter / 4
        curve.append((begin + round(at * 3600), watts * min(max(0.0, at - starts), hours)))
    end = first + timedelta(hours=leaves)
    total = watts * hours
    return EvSession(number, "k", "car", 1, "TAG", first, 0.0, total, end, total, "Remote", curve=tuple(curve[1:]))


def local(day: date, hour: float) -> datetime:
    return local_day(day, ZONE)[0] + timedelta(hours=hour)


class Book:
    def __init__(
        self, site: Site = CAR_ONLY, now: datetime | None = None, store: FakeStore | SqliteStore | None = None,
        tariff: Tariff = NIGHT,
    ) -> None:  # fmt: skip
        self.clock, self.store = FakeClock(now or local(DAY, 24 + 9)), store or FakeStore()
        self.preferences = Preferences(vehicles=(Vehicle("Zoe", ("TAG",), phases=3, max_current_a=16),))
        self.book = SavingsBook(site, self.clock, self.store, tariff, lambda: self.preferences)

    async def measure(self, day: date, device: str = "meter", watts: float = 400.0, **at: float) -> None:
        """A day at `watts`, but other powers in hours named h10=4000 and so on."""
        start, end = local_day(day, ZONE)
        rows = []
        while start < end:
            hour = f"h{start.astimezone(ZONE).hour}"
            wh = at.get(hour, watts) / 4
            rows.append(Interval(device, start, 900, max(0.0, wh), max(0.0, -wh), IntervalQuality.VALID, "counter"))
            start += timedelta(minutes=15)
        await self.store.save_intervals(rows)

    async def level(self, day: date, first: float, last: float) -> None:
        start, end = local_day(day, ZONE)
        levels = ((start, first), (end - timedelta(minutes=1), last))
        await self.store.save_rollups([Rollup("inverter", Quantity.SOC, at, v, v, v, v, 60) for at, v in levels])


async def test_a_car_that_waited_for_the_night_is_a_day_that_saved() -> None:
    home = Book()
    await home.measure(DAY, h22=11_440, h23=11_440)
    await home.store.save_session(session(local(DAY, 10), 12, 2, 11_040, 13.9))
    found = await home.book.count(DAY)
    assert found.counted and found.notes == ()
    assert found.saved_micro == pytest.approx(2 * 11.04 * 200_000, rel=0.001)
    assert found.baseline_import_wh == pytest.approx(found.import_wh, abs=1)


async def test_two_days_around_a_night_tell_together_what_waiting_saved_and_stay_so_when_counted_again() -> None:
    home = Book(now=local(DAY, 48 + 9))
    await home.measure(DAY)
    await home.measure(DAY + timedelta(days=1), h2=11_440, h3=11_440)
    await home.store.save_session(session(local(DAY, 18), 8, 2, 11_040, 13))
    for _ in range(2):
        first, second = [await home.book.count(DAY + timedelta(days=i)) for i in range(2)]
    assert first.stored.wh["car"] == pytest.approx(-22_080) and second.stored.total_wh == 0
    assert first.saved_micro > 0 < second.saved_micro
    assert first.saved_micro + second.saved_micro == pytest.approx(22.08 * 200_000, rel=0.001)
    found = await home.book.between(DAY, DAY + timedelta(days=1))
    assert found.saved_micro == first.saved_micro + second.saved_micro and found.lost == 0


async def test_a_day_that_lost_is_kept_and_told_with_its_sign() -> None:
    home = Book()
    await home.measure(DAY, h10=11_440, h11=11_440)
    await home.store.save_session(session(local(DAY, 4), 6, 2, 11_040, 10))
    await home.book.count(DAY)
    found = await home.book.between(DAY, DAY)
    assert found.saved_micro < -4_000_000 and found.lost == 1


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        ("meter", "Main meter: 2 h without data."),
        ("battery", "Solar and battery: 24 h without data."),
        ("level", "The level of Solar and battery at midnight is not known."),
        ("heat", "Heat pump: 24 h without data."),
    ],
)
async def test_a_day_with_missing_data_says_so_and_counts_neither_way(break_it: str, why: str) -> None:
    home = Book(SITE)
    await full_day(home, skip=break_it)
    found = await home.book.count(DAY)
    assert (found.counted, found.why, found.saved_micro) == (False, why, 0)
    assert (await home.book.between(DAY, DAY)).counted == ()


async def full_day(home: Book, skip: str = "") -> None:
    await home.measure(DAY)
    if skip == "meter":
        gone = [key for key in home.store.interval_rows if local(DAY, 5) <= key[1] < local(DAY, 7)]  # type: ignore[union-attr]
        for key in gone:
            del home.store.interval_rows[key]  # type: ignore[union-attr]
    if skip != "battery":
        await home.measure(DAY, "inverter/battery", 0.0)
    await home.measure(DAY, "tank", 0.0)
    if skip != "heat":
        await home.measure(DAY, "heat_pump", 0.0)
    await home.level(DAY, 50.0, 50.0) if skip != "level" else None


async def test_heat_whose_temperature_nobody_measured_counts_as_it_ran_and_is_said() -> None:
    home = Book(SITE)
    await full_day(home)
    found = await home.book.count(DAY)
    assert found.counted and len(found.notes) == 2
    assert found.notes[0] == "Water heater as it ran: its temperature was not measured."


@pytest.mark.parametrize(("outdoor_c", "counted"), [(5.0, True), (24.0, False), (None, False)])
async def test_a_heat_pump_that_may_have_cooled_counts_as_it_ran(outdoor_c: float | None, counted: bool) -> None:
    pump = HeatPumpSpec(2_500, phase=3, cooling_eer=3.5)
    devices = tuple(replace(d, spec=pump) if d.id == "heat_pump" else d for d in SITE.devices)
    home = Book(replace(SITE, devices=devices))
    await full_day(home)
    for device, quantity, value in (
        ("heat_pump", Quantity.TEMPERATURE, 21.0), ("heat_pump", Quantity.OUTDOOR_TEMPERATURE, outdoor_c),
    ):  # fmt: skip
        if value is not None:
            times = [local(DAY, quarter / 4) for quarter in range(97)]
            await home.store.save_rollups([Rollup(device, quantity, t, value, value, value, value, 60) for t in times])
    found = await home.book.count(DAY)
    assert found.counted
    assert ("Heat pump as it ran: it may have cooled." not in found.notes) is counted


async def test_a_battery_that_rested_all_day_lost_against_its_own_mode() -> None:
    home = Book(SITE)
    await full_day(home)
    await home.measure(DAY, watts=0.0, h18=1_000, h19=1_000, h20=1_000, h21=1_000)
    found = await home.book.count(DAY)
    given_wh = (50 - 10) / 100 * 10_000 * 0.95
    assert found.baseline_import_wh == pytest.approx(4_000 - given_wh)
    assert found.settled_micro > 0 > found.saved_micro, "what it kept counts, and is worth less than the dear evening"
    assert found.uncertain_micro > 0


async def test_a_hybrids_battery_that_did_what_its_own_mode_does_saves_nothing_though_it_is_measured_inside() -> None:
    """Wrong before: the baseline paid the inverter's losses twice, and each cycle looked like a saving."""
    home = Book(SITE)
    await full_day(home)
    inside_wh, given_wh = 4_000.0, 4_000 * 0.95
    await home.measure(
        DAY,
        watts=0.0,
        h18=1_000 - given_wh / 4,
        h19=1_000 - given_wh / 4,
        h20=1_000 - given_wh / 4,
        h21=1_000 - given_wh / 4,
    )
    await home.measure(
        DAY, "inverter/battery", 0.0, h18=-inside_wh / 4, h19=-inside_wh / 4, h20=-inside_wh / 4, h21=-inside_wh / 4
    )
    await home.level(DAY, 50.0, 10.0)
    found = await home.book.count(DAY)
    assert found.stored.total_wh == pytest.approx(0, abs=1)
    # Its own mode would have stopped sooner, at full power from the same start: in the last hour only.
    assert abs(found.saved_micro) <= 10_000


@pytest.mark.slow
async def test_each_day_is_counted_once_its_data_are_in_and_the_last_three_again() -> None:
    home = Book(now=local(DAY, 24 + 1))
    for ahead in range(-5, 1):
        await home.measure(DAY + timedelta(days=ahead))
    assert await home.book.count_due() == BACK_DAYS
    kept = (await home.book.between(DAY - timedelta(days=40), DAY)).days
    assert [day.day for day in kept if day.counted] == [DAY - timedelta(days=i) for i in range(5, 0, -1)]
    assert await home.book.count_due() == 0
    await home.clock.advance(3 * 3600)
    before = home.store.documents["savings/2026-11"]["days"]  # type: ignore[union-attr]
    for entry in before.values():
        entry["notes"] = ["as it was"]
    assert await home.book.count_due() == BACK_DAYS - 3, "three that were counted stay as they are"
    assert (await home.book.between(DAY, DAY)).days[0].counted
    again = (await home.book.between(DAY - timedelta(days=5), DAY)).days
    assert [day.notes for day in again] == [("as it was",)] * 3 + [()] * 3


async def test_a_day_whose_data_were_imported_later_is_counted_then() -> None:
    home = Book()
    await home.book.count_due()
    assert not (await home.book.between(DAY, DAY)).counted
    await home.measure(DAY)
    await home.clock.advance(86_400)
    await home.book.count_due()
    assert (await home.book.between(DAY, DAY)).counted


@pytest.mark.slow
async def test_the_loop_counts_by_itself_each_morning() -> None:
    home = Book(now=local(DAY, 23))
    await home.measure(DAY)
    task = asyncio.create_task(home.book.run())
    for _ in range(5):
        await home.clock.advance(3600)
        for _ in range(60):
            await asyncio.sleep(0.002)
            if (await home.book.between(DAY, DAY)).counted:
                break
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await home.book.between(DAY, DAY)).days[0].counted


async def test_peaks_are_held_against_each_other_month_by_month() -> None:
    charge = DemandCharge("peak", micro_per_kw_month=4_000_000)
    home = Book(tariff=replace(NIGHT, demand=(charge,)))
    await home.measure(DAY, h22=5_920, h23=5_920, h21=5_920, h20=5_920)
    await home.store.save_session(session(local(DAY, 10), 10, 4, 5_520, 14 - 0.1))
    await home.book.count(DAY)
    found = await home.book.between(DAY, DAY)
    (month,) = found.months
    assert month.cost_micro == pytest.approx(5.92 * 4_000_000, abs=5_000)
    assert month.baseline_micro == pytest.approx(11.44 * 4_000_000, abs=5_000)
    assert found.saved_micro == found.days[0].saved_micro + month.saved_micro


@pytest.mark.parametrize("day", [date(2026, 10, 25), date(2026, 3, 29)], ids=["25 hours", "23 hours"])
async def test_days_on_which_the_clocks_change_are_counted(day: date) -> None:
    home = Book(now=local(day, 24 + 9))
    await home.measure(day)
    found = await home.book.count(day)
    assert found.counted and found.saved_micro == 0
    start, end = local_day(day, ZONE)
    assert found.import_wh == pytest.approx(400 * (end - start) / timedelta(hours=1))


async def test_a_spot_tariff_settles_at_the_told_prices() -> None:
    tariff = Tariff("spot", "Spot", "EUR", ZONE, (Rate("all", 0, 0, spot_factor=1.0, spot_typical_micro_per_kwh=9),))
    start = local_day(DAY, ZONE)[0]
    points = tuple(Point(start + timedelta(hours=h), start + timedelta(hours=h + 1), 100_000.0 + h) for h in range(48))

    async def spot(first: datetime, last: datetime) -> Series:
        return Series(SeriesKind.SPOT, points, "test", start, "EUR")

    home = Book(tariff=tariff)
    home.book.spot = spot
    await home.measure(DAY)
    await home.store.save_session(session(local(DAY, 18), 8, 2, 11_040, 13))
    found = await home.book.count(DAY)
    assert found.settled_micro == pytest.approx(-22_080 * (100_000 + 24 + 11.5) / 1000, rel=1e-6)


@pytest.mark.parametrize(
    ("first", "last"), [(DAY, DAY - timedelta(days=1)), (DAY - timedelta(days=400), DAY)], ids=["turned", "too long"]
)
async def test_an_impossible_span_is_refused(first: date, last: date) -> None:
    with pytest.raises(WishRefused):
        await Book().book.between(first, last)


async def test_what_was_counted_is_there_after_a_restart(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "hearth.sqlite")
    home = Book(store=store)
    await home.measure(DAY, h22=11_440, h23=11_440)
    await home.store.save_session(session(local(DAY, 10), 12, 2, 11_040, 13.9))
    found = await home.book.count(DAY)
    await store.save_minute([], [], {})
    await store.close()
    again = SqliteStore.open(tmp_path / "hearth.sqlite")
    assert (await Book(store=again).book.between(DAY, DAY)).days == (found,)
    await again.close()


@pytest.mark.parametrize(
    ("tag", "seen_w", "full"),
    [
        ("TAG", 3_680.0, 11_040.0),
        ("OTHER", 3_680.0, 3_680.0),
        ("OTHER", 7_000.0, 11_040.0),
        ("OTHER", 11_300.0, 11_300.0),
    ],
    ids=["a known car", "unknown on one phase", "unknown on three", "more than it says"],
)
def test_full_power_is_what_charger_and_car_allow(tag: str, seen_w: float, full: float) -> None:
    begun = replace(session(datetime(2026, 11, 20, 17, tzinfo=UTC), 0, 1, seen_w, 2), tag=tag)
    device = next(device for device in SITE.devices if device.id == "car")
    assert full_w(SITE, Book().preferences, device, begun) == pytest.approx(full)


async def test_a_day_is_counted_by_the_tariff_of_that_day_though_another_holds_since() -> None:
    """Wrong before: a day counted after the change of a tariff was told with prices it never had."""
    flat = replace(NIGHT, id="flat", rates=NIGHT.rates[-1:], valid_from=DAY + timedelta(days=1))
    home = Book(tariff=joined([NIGHT, flat]))
    await home.measure(DAY, h22=11_440, h23=11_440)
    await home.store.save_session(session(local(DAY, 10), 12, 2, 11_040, 13.9))
    found = await home.book.count(DAY)
    assert found.counted and found.saved_micro == pytest.approx(2 * 11.04 * 200_000, rel=0.001)
    alone = Book(tariff=replace(flat, valid_from=None))
    await alone.measure(DAY, h22=11_440, h23=11_440)
    await alone.store.save_session(session(local(DAY, 10), 12, 2, 11_040, 13.9))
    assert (await alone.book.count(DAY)).saved_micro == pytest.approx(0, abs=1000)


async def test_what_the_battery_wore_off_stands_beside_what_was_saved_and_is_no_part_of_it() -> None:
    """A battery that rested wore nothing; its own mode would have given 3.8 kWh at 0.05 a kWh."""
    wearing = replace(SITE, devices=tuple(
        replace(d, spec=replace(d.spec, wear_cost_micro_per_wh=50.0)) if isinstance(d.spec, BatterySpec) else d
        for d in SITE.devices
    ))  # fmt: skip
    found = {}
    for name, site in (("plain", SITE), ("wearing", wearing)):
        home = Book(site)
        await full_day(home)
        await home.measure(DAY, watts=0.0, h18=1_000, h19=1_000, h20=1_000, h21=1_000)
        found[name] = await home.book.count(DAY)
        kept = (await home.book.between(DAY, DAY)).days[0]
        assert (kept.wear_micro, kept.baseline_wear_micro) == (found[name].wear_micro, found[name].baseline_wear_micro)
    assert found["plain"].saved_micro == found["wearing"].saved_micro
    assert (found["plain"].wear_micro, found["plain"].baseline_wear_micro) == (0, 0)
    assert found["wearing"].wear_micro == 0
    assert found["wearing"].baseline_wear_micro == pytest.approx(3_800 * 50, rel=0.01)
    assert found["wearing"].more_wear_micro == -(found["wearing"].baseline_wear_micro or 0)


async def test_days_kept_by_the_last_version_tell_no_wear() -> None:
    home = Book(SITE)
    await full_day(home)
    await home.book.count(DAY)
    key = f"savings/{DAY:%Y-%m}"
    document = await home.store.get(key) or {}
    for entry in document["days"].values():
        del entry["wear"], entry["baseline_wear"]
    await home.store.put(key, document)
    kept = (await home.book.between(DAY, DAY)).days[0]
    assert kept.counted and kept.wear_micro is None and kept.more_wear_micro == 0
