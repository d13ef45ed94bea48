"""Alerts and the weather, as the home keeps it: noted hour by hour, through the store."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.core.learning.told import Told
from gateway.model.alert import AlertKind
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.site import Device, Role, Site
from gateway.model.tariff import Rate
from gateway.runtime.alert_past import Past
from gateway.runtime.alert_slow import slow_signs
from gateway.runtime.alerts import Alerts
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from tests.fakes import FakeClock, FakeStore

ZONE = ZoneInfo("Europe/Brussels")
NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
GRID, PUMP = Device("grid", "Main meter", Role.MAIN_METER), Device("hp", "Heat pump", Role.HEAT_PUMP)
SITE = Site("Home", ZONE, 50.85, 4.35, "EUR", 3, 25.0, (GRID, PUMP))
Watts = Callable[[datetime], float]
KEY = "told temperature"


def air(when: datetime) -> float:
    """Seasons, days that differ and a daily swing, degC."""
    day = when.date()
    season = 10.5 - 8 * math.cos(2 * math.pi * (day.timetuple().tm_yday - 20) / 365)
    return season + chance(day.toordinal()) + 3 * math.sin(2 * math.pi * (when.hour - 9) / 24)


@lru_cache(maxsize=400)
def chance(day: int) -> float:
    return float(np.random.default_rng(day).normal(0, 3))


def at_home(when: datetime) -> float:
    return 250 + 900 * (18 <= when.hour < 21) + 40 * math.sin(when.timestamp() / 7000)


async def home(now: datetime, days: int, told: bool = True, **flows: Watts) -> Alerts:
    """A home of some days; the temperature noted day by day as the learn loop notes it, and kept in the store."""
    store, clock = FakeStore(), FakeClock(now)
    start = datetime.fromtimestamp(now.timestamp() // 900 * 900, UTC) - timedelta(days=days)
    rows = [
        Interval(name, when, 900, watts(when) / 4, 0.0, IntervalQuality.VALID, "t")
        for when in (start + timedelta(minutes=15 * k) for k in range(days * 96))
        for name, watts in flows.items()
    ]
    await store.save_intervals(rows)
    if told:
        await note(store, start, now)
    return Alerts(SITE, clock, store, Notices(store, clock, Changes()), lambda when: Rate("flat", 300_000, 50_000))


async def note(store: FakeStore, start: datetime, now: datetime) -> None:
    """From `start` on a forecast of four days once a day, each noted in the store as the hours pass."""
    hour, begin = timedelta(hours=1), start.replace(minute=0, second=0, microsecond=0)
    for day in range((now - begin).days + 1):
        first = begin + timedelta(days=day)
        points = tuple(Point(first + k * hour, first + (k + 1) * hour, air(first + k * hour)) for k in range(-2, 96))
        series = Series(SeriesKind.TEMPERATURE, points, "weather", first)
        kept = Told.from_document(await store.get(KEY)).noted(series, min(now, first + 24 * hour), keep_days=True)
        await store.put(KEY, kept.to_document())


def heating(when: datetime) -> float:
    return 200 + max(0.0, 18 - air(when)) * 90


async def test_a_heat_pump_that_needs_twice_as_much_is_told_by_the_weather_that_was_kept() -> None:
    alerts = await home(
        NOW, 80, hp=lambda when: heating(when) * (2 if when >= NOW - timedelta(days=14.5) else 1), grid=at_home
    )
    kept = Told.from_document(await alerts.store.get(KEY))
    found = await slow_signs(Past(SITE, alerts.store, NOW), kept, Told(), meter_told=True)
    assert [sign.kind for sign in found] == [AlertKind.HEAT_DRIFT]
    assert 60 < float(found[0].what.split("needed ")[1].split(" %")[0]) < 140


@pytest.mark.parametrize("hour", [3, 9, 15, 21])
async def test_the_week_is_held_against_its_past_at_every_hour_of_the_day(hour: int) -> None:
    now = NOW.replace(hour=hour, minute=7)
    alerts = await home(now, 70, house=lambda when: at_home(when) + max(0.0, 15 - air(when)) * 50)
    await alerts.once()
    assert alerts.week is not None and alerts.week.days >= 50
    assert alerts.week.expected_wh == pytest.approx(alerts.week.used_wh, rel=0.1)


async def test_what_is_kept_of_the_weather_is_a_few_kib_and_bounded() -> None:
    alerts = await home(NOW, 200)
    document = await alerts.store.get(KEY)
    assert len(json.dumps(document)) < 6000
    days = Told.from_document(document).quarters(NOW - timedelta(days=119), 119 * 96).reshape(-1, 96)
    assert np.isfinite(days).all()
    truth = [np.mean([air(NOW - timedelta(days=119 - d) + timedelta(hours=h)) for h in range(24)]) for d in range(119)]
    assert np.abs(days.mean(axis=1) - truth).max() < 3.5, "days of UTC are cut at noon here"
    assert np.abs(days.mean(axis=1) - truth).mean() < 1.0


async def test_a_hub_that_was_off_for_weeks_keeps_the_days_before() -> None:
    store = FakeStore()
    await note(store, NOW - timedelta(days=110), NOW - timedelta(days=50))
    await note(store, NOW - timedelta(days=10), NOW)
    days = Told.from_document(await store.get(KEY)).quarters(NOW - timedelta(days=120), 120 * 96).reshape(-1, 96)
    known = [bool(np.isfinite(day).all()) for day in days]
    assert all(known[11:69]) and not any(known[73:108]) and all(known[-9:])


@pytest.mark.parametrize(
    ("now", "on"),
    [
        (datetime(2025, 10, 27, 12, tzinfo=UTC), datetime(2025, 10, 26, 10, tzinfo=ZONE)),
        (datetime(2026, 3, 30, 12, tzinfo=UTC), datetime(2026, 3, 29, 10, tzinfo=ZONE)),
        (datetime(2026, 4, 2, 12, tzinfo=UTC), datetime(2026, 4, 1, 10, tzinfo=ZONE)),
    ],
)
async def test_the_hour_is_right_where_the_clock_was_set(now: datetime, on: datetime) -> None:
    alerts = await home(now, 60, told=False, house=lambda when: at_home(when) + 1500 * (when >= on))
    await alerts.once()
    (alert,) = alerts.found
    assert alert.begun == on and "10:00" in alert.what
    shown = alert.evidence
    high = next(k for k, watts in enumerate(shown.actual_w) if watts is not None and watts > 1500)
    assert shown.start + timedelta(seconds=shown.step_s * high) == on and shown.marked.index(True) == high
    assert alert.energy_wh == pytest.approx(1500 * (now - on).total_seconds() / 3600, rel=0.05)


async def alerts_until(alerts: Alerts, end: datetime, step: timedelta) -> list[tuple[AlertKind, str, str]]:
    """What was told from the clock's now to `end`, each alert once; the weather of those days is kept already."""
    assert isinstance(alerts.clock, FakeClock)
    told: dict[str, tuple[AlertKind, str, str]] = {}
    while alerts.clock.now() < end:
        await alerts.once()
        told |= {alert.id: (alert.kind, alert.what, alert.sure) for alert in alerts.found}
        alerts.clock.step(step.total_seconds())
    return list(told.values())


async def test_who_comes_back_from_a_vacation_has_not_grown() -> None:
    back = NOW - timedelta(days=25)

    def house(when: datetime) -> float:
        away = back - timedelta(days=28) <= when < back
        return 90 + 20 * math.sin(when.timestamp() / 5000) if away else at_home(when) + 150

    alerts = await home(NOW, 95, house=house)
    alerts.clock = FakeClock(back + timedelta(days=10))
    assert await alerts_until(alerts, NOW, timedelta(days=2)) == []


async def test_what_is_new_and_never_sleeps_is_told_of_a_home_that_was_not_away() -> None:
    alerts = await home(NOW, 67, house=lambda when: at_home(when) + 200 * (when >= NOW - timedelta(days=14.5)))
    await alerts.once()
    assert AlertKind.ALWAYS_ON in [alert.kind for alert in alerts.found]
    assert "has grown by about" in alerts.found[0].what and "weather taken off" in alerts.found[0].sure


async def test_without_weather_heating_is_never_told_as_something_forgotten_for_certain() -> None:
    start = datetime(2025, 10, 10, 14, tzinfo=UTC)
    end = datetime(2025, 11, 12, 14, tzinfo=UTC)
    alerts = await home(end, 100, told=False, house=lambda when: at_home(when) + max(0.0, 15 - air(when)) * 180)
    alerts.clock = FakeClock(start)
    told = await alerts_until(alerts, end, timedelta(days=1))
    assert told, "it is said, for it may be something left on"
    for kind, what, sure in told:
        if kind in (AlertKind.LEFT_ON, AlertKind.ALWAYS_ON):
            assert "or heating or cooling" in what and "weather is not known" in sure
            assert "taken off" not in sure


async def test_the_first_cold_weeks_of_a_heated_home_are_no_device_left_on() -> None:
    start, end = datetime(2025, 10, 1, 12, tzinfo=UTC), datetime(2025, 10, 31, 12, tzinfo=UTC)

    def house(when: datetime) -> float:
        return at_home(when) + max(0.0, 15 - air(when)) * 180

    alerts = await home(end, 95, told=False, house=house)
    alerts.clock, told = FakeClock(start), []
    assert isinstance(alerts.store, FakeStore)
    await note(alerts.store, start - timedelta(days=70), start)
    while alerts.clock.now() < end:
        now = alerts.clock.now()
        await note(alerts.store, now - timedelta(days=1), now)
        told += await alerts_until(alerts, now + timedelta(minutes=1), timedelta(days=1))
    assert [what for kind, what, _ in told if kind in (AlertKind.LEFT_ON, AlertKind.ALWAYS_ON)] == []
    rows = [
        Interval("house", row.start, 900, (row.import_wh or 0.0) + 1500 / 4, 0.0, IntervalQuality.VALID, "t")
        for row in await alerts.store.intervals("house", end - timedelta(hours=20), end)
    ]
    await alerts.store.save_intervals(rows)
    await note(alerts.store, end - timedelta(days=1), end)
    await alerts.once()
    assert [alert.kind for alert in alerts.found if alert.ended is None] == [AlertKind.LEFT_ON], (
        "a heater is told still"
    )
