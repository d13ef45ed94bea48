"""Every midnight a class, kept over a restart; what changed is told once; what stood before stays readable."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from gateway.model.errors import StoreError
from gateway.model.learned import DayShape
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.shapes import DriftKind
from gateway.model.site import Device, Role, Site
from gateway.runtime.learn_shapes import KEY, ShapeLearning, cause
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from tests.core.homes import SITE
from tests.core.shape_days import AWAY, BOTH, CAR, EVENING, shipped
from tests.fakes import START, FakeClock, FakeStore

TODAY = START.astimezone(SITE.timezone).date()


def rows(day: date, hours: list[float], name: str = "house") -> list[Interval]:
    first = datetime(day.year, day.month, day.day, tzinfo=SITE.timezone)
    return [
        Interval(name, first + timedelta(minutes=15 * n), 900, max(w := hours[n // 4] / 4, 0.0), max(-w, 0.0),
                 IntervalQuality.VALID, "counter")
        for n in range(96)
    ]  # fmt: skip


async def store_of(*days: list[float]) -> FakeStore:
    """Days that end before today."""
    store = FakeStore()
    for number, hours in enumerate(days):
        await store.save_intervals(rows(TODAY - timedelta(days=len(days) - number), hours))
    return store


def learning(store: FakeStore, dictionary: bool = True) -> ShapeLearning:
    return ShapeLearning(SITE, store, shipped() if dictionary else None, Notices(store, FakeClock(), Changes()))


async def test_the_days_are_classed_once_and_the_home_is_known_after_a_restart():
    store = await store_of(*[EVENING] * 10)
    before = learning(store)
    await before.refresh(START)
    assert [shape.shape for shape in before.days] == ["evening peak"] * 10
    after = learning(store)
    await after.resume()
    assert after.days == before.days and after.home() == before.home()
    written = dict(store.shape_rows)
    await after.refresh(START)
    assert store.shape_rows == written
    tomorrow = after.chances(TODAY + timedelta(days=1))
    assert tomorrow is not None and tomorrow.chances[0][0] == "evening peak"


async def test_the_sun_and_a_charger_belong_to_the_day_of_the_home():
    store = await store_of(*[EVENING] * 2)
    charger = next(device.id for device in SITE.devices if device.role.value == "ev_charger")
    yesterday, before = TODAY - timedelta(days=1), TODAY - timedelta(days=2)
    await store.save_intervals(rows(before, [c - 150 if h < 5 else 0.0 for h, c in enumerate(CAR)], charger))
    await store.save_intervals(rows(yesterday, [0.0] * 9 + [-2500.0] * 7 + [0.0] * 8, "solar"))
    learned = learning(store)
    await learned.refresh(START)
    assert [shape.shape for shape in learned.days] == ["EV night", "solar dip"]


async def test_a_change_is_told_once_and_ended_when_it_is_over():
    learned = learning(await store_of(*[EVENING] * 30, *[AWAY] * 4))
    await learned.refresh(START)
    assert learned.notices is not None
    told = learned.notices.open[cause(DriftKind.VACATION)]
    assert told.text.startswith("Nobody seems to be at home") and told.level == "info"
    await learned.store.save_intervals(rows(TODAY, AWAY))
    await learned.refresh(START + timedelta(days=1))
    assert learned.notices.open[cause(DriftKind.VACATION)] is told
    await learned.store.save_intervals(rows(TODAY + timedelta(days=1), EVENING))
    await learned.refresh(START + timedelta(days=2))
    assert not learned.notices.open


async def test_in_quiet_hours_a_change_waits_and_is_told_when_they_end():
    learned = learning(await store_of(*[EVENING] * 30, *[AWAY] * 4))
    midnight = datetime.combine(TODAY, time(0, 2), SITE.timezone)
    await learned.refresh(midnight)
    assert learned.notices is not None and learned.home().drift is not None and not learned.notices.open
    await learned.refresh(midnight.replace(hour=6, minute=58))
    assert not learned.notices.open
    await learned.refresh(midnight.replace(hour=7))
    assert cause(DriftKind.VACATION) in learned.notices.open


async def test_what_changed_long_ago_in_imported_history_is_no_news():
    learned = learning(await store_of(*[EVENING] * 30, *[CAR] * 9))
    learned.site = home_of()
    await learned.refresh(START)
    home = learned.home()
    assert home is not None and home.drift is not None and home.drift.kind is DriftKind.NEW_EV
    assert learned.notices is not None and not learned.notices.open


async def test_days_of_the_former_dictionary_stay_readable_beside_the_new_ones():
    store = await store_of(*[EVENING] * 3)
    old = DayShape(TODAY - timedelta(days=80), "late evening", 0.7, 9000.0, (1 / 24,) * 24, "why", (("night", 0.2),))
    await store.save_day_shapes([old])
    learned = learning(store)
    await learned.resume()
    await learned.refresh(START)
    assert learned.days[0] == old and [shape.shape for shape in learned.days[1:]] == ["evening peak"] * 3


async def test_the_state_of_another_dictionary_is_learned_anew():
    store = await store_of(*[EVENING] * 5)
    await store.put(KEY, {"kind": "hearth home shapes", "version": 1, "names": ["one", "two"]})
    learned = learning(store)
    await learned.resume()
    await learned.refresh(START)
    home = learned.home()
    assert home is not None and home.days == 5


async def test_without_a_dictionary_or_history_nothing_is_classed():
    for learned in (learning(await store_of(*[EVENING] * 5), dictionary=False), learning(FakeStore())):
        await learned.refresh(START)
        assert learned.days == [] and learned.home() is None


async def test_a_day_that_could_not_be_kept_is_taken_again():
    store = await store_of(*[EVENING] * 5)
    learned, sound = learning(store), store.save_day_shapes

    async def full(shapes):
        raise StoreError("disk full")

    store.save_day_shapes = full
    with pytest.raises(StoreError):
        await learned.refresh(START)
    store.save_day_shapes = sound
    await learned.refresh(START)
    assert len(learned.days) == 5 and learned.home().days == 5


async def test_a_day_without_any_interval_is_unknown_and_the_next_is_classed():
    store = await store_of(*[EVENING] * 2)
    await store.save_intervals([replace(row) for row in rows(TODAY - timedelta(days=5), EVENING)])
    learned = learning(store)
    await learned.refresh(START)
    assert [shape.shape for shape in learned.days] == ["evening peak", *["unknown"] * 2, *["evening peak"] * 2]


def home_of(*devices: Device) -> Site:
    return replace(SITE, devices=(Device("meter", "Main meter", Role.MAIN_METER), *devices))


async def drifts(site: Site, days: list[dict[str, list[float]]], imported: int = 0) -> set[DriftKind]:
    """What is told over days of series -> 24 net Wh, looked at after each; the first so many were brought in."""
    store = FakeStore()
    learned = ShapeLearning(site, store, shipped(), Notices(store, FakeClock(), Changes()))
    found = set()
    for number, series in enumerate(days):
        day = TODAY + timedelta(days=number)
        for name, hours in series.items():
            method = "imported" if number < imported else "counter"
            await store.save_intervals([replace(row, method=method) for row in rows(day, hours, name)])
        await learned.refresh(datetime.combine(day + timedelta(days=1), time(12), site.timezone))
        home = learned.home()
        found |= {home.drift.kind} if home is not None and home.drift is not None else set()
        assert (home is not None and home.drift is not None) == bool(learned.notices and learned.notices.open)
    return found


PUMP = Device("pump", "Heat pump", Role.HEAT_PUMP)
PANELS = Device("panels", "Panels", Role.PV)
CHARGER = Device("charger", "Charger", Role.EV_CHARGER)
SUN = [0.0] * 9 + [-3000.0] * 6 + [0.0] * 9
AT_NIGHT = [7000.0] * 3 + [0.0] * 21


def more(hours: list[float], by: list[float] | float) -> list[float]:
    added = by if isinstance(by, list) else [by] * 24
    return [wh + plus for wh, plus in zip(hours, added, strict=True)]


@pytest.mark.parametrize(
    ("device", "series", "kind", "before", "then"),
    [
        (PUMP, "pump", DriftKind.NEW_HEAT_PUMP, [5.0] * 24, [900.0] * 24),
        (PANELS, "solar", DriftKind.NEW_PV, [0.0] * 24, SUN),
        (CHARGER, "charger", DriftKind.NEW_EV, [0.0] * 24, AT_NIGHT),
    ],
)
async def test_a_device_of_the_site_file_is_never_new_whether_measured_or_not(device, series, kind, before, then):
    measured = [{"house": BOTH, series: before}] * 30 + [{"house": BOTH, series: then}] * 20
    assert await drifts(home_of(device), measured) == set()
    inside = [{"house": more(BOTH, before)}] * 30 + [{"house": more(BOTH, then)}] * 20
    assert kind in await drifts(home_of(), inside)
    assert await drifts(home_of(device), inside) == set()


async def test_a_new_car_is_seen_beside_a_heat_pump_that_is_measured():
    days = [{"house": BOTH, "pump": [400.0] * 24}] * 30 + [{"house": more(BOTH, AT_NIGHT), "pump": [400.0] * 24}] * 6
    assert await drifts(home_of(PUMP), days) == {DriftKind.NEW_EV}


async def test_a_charger_first_used_after_weeks_and_silent_between_is_not_new():
    days = [{"house": BOTH}] * 40 + [{"house": BOTH, "charger": AT_NIGHT}, {"house": BOTH}] * 15
    assert await drifts(home_of(CHARGER), days) == set()


async def test_where_imported_history_ends_and_the_hub_measures_nothing_has_changed():
    brought = {"house": more(BOTH, more([600.0] * 24, AT_NIGHT))}
    own = {"house": BOTH, "pump": [600.0] * 24, "charger": AT_NIGHT}
    assert await drifts(home_of(PUMP, CHARGER), [brought] * 40 + [own] * 20, imported=40) == set()
    assert await drifts(home_of(), [brought] * 40 + [{"house": BOTH}] * 20, imported=40) == set()


async def test_after_the_imported_history_a_vacation_is_found_again_from_the_hub_s_own_days():
    days = [{"house": BOTH}] * 70 + [{"house": AWAY}] * 4
    assert await drifts(home_of(), days, imported=40) == {DriftKind.VACATION}


async def test_a_gap_filled_by_import_leaves_the_hub_s_own_usual_as_it_was():
    own, filled = [{"house": BOTH}] * 30, [{"house": more(BOTH, AT_NIGHT)}] * 5
    store = FakeStore()
    learned = ShapeLearning(home_of(), store, shipped())
    for number, series in enumerate([*own, *filled, *own[:3]]):
        method = "imported" if 30 <= number < 35 else "counter"
        day = TODAY + timedelta(days=number)
        await store.save_intervals([replace(row, method=method) for row in rows(day, series["house"])])
    await learned.refresh(datetime.combine(TODAY + timedelta(days=38), time(12), SITE.timezone))
    home = learned.home()
    assert home is not None and home.drift is None and home.usual_in_days == 0


async def test_what_is_measured_is_known_after_a_restart_and_an_older_usual_begins_anew():
    store = FakeStore()
    for number in range(25):
        day = TODAY - timedelta(days=25 - number)
        await store.save_intervals([*rows(day, BOTH), *rows(day, [400.0] * 24, "pump")])
    learned = ShapeLearning(home_of(PUMP), store, shipped())
    await learned.refresh(START)
    again = ShapeLearning(home_of(PUMP), store, shipped())
    await again.resume()
    assert again.state.drift == learned.state.drift and again.state.drift.parts == {"pump"}
    older = dict(await store.get(KEY))
    older["drift"] = {name: value for name, value in older["drift"].items() if name not in ("parts", "imported")}
    await store.put(KEY, older)
    await again.resume()
    assert again.home().days == 25 and again.home().usual_in_days == 21
