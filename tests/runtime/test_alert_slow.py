"""Signs that need weeks, in a home with its store: each told once with its cause, time, power, cost and words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.core.learning.told import Told
from gateway.model.alert import AlertKind
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.site import BatterySpec, Circuit, Device, Role, Site
from gateway.model.tariff import Rate, Tariff
from gateway.runtime.alert_past import Past
from gateway.runtime.alert_slow import bill_sign, slow_signs
from gateway.runtime.alerts import Alerts
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from tests.fakes import FakeClock, FakeStore

ZONE = ZoneInfo("Europe/Brussels")
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
SITE = Site("Home", ZONE, 50.85, 4.35, "EUR", 3, 25.0, (
    Device("grid", "Main meter", Role.MAIN_METER), Device("pool", "Pool pump", Role.POOL_PUMP),
    Device("akku", "Battery", Role.BATTERY, BatterySpec(10_000, 3000, 3000)),
))  # fmt: skip
RATE = Rate("flat", 300_000, 50_000)
TARIFF = Tariff("flat", "Flat", "EUR", ZONE, (RATE,), fixed_micro_per_day=200_000)
Watts = Callable[[datetime], float]
DAYS = 127


def at_home(when: datetime) -> float:
    return 250 + 900 * (18 <= when.hour < 21) + 40 * math.sin(when.timestamp() / 7000)


def pump(when: datetime) -> float:
    return 700.0 * (10 <= when.hour < 16)


def battery(when: datetime, share: float = 0.88) -> float:
    return 2500.0 * (11 <= when.hour < 14) - share * 2500 * (18 <= when.hour < 21)


async def home(
    grid: Watts = at_home, pool: Watts = pump, akku: Watts = battery, house: Watts = at_home, **others: Watts
) -> Alerts:
    """A home of DAYS whose devices draw what is said of each."""
    store, clock = FakeStore(), FakeClock(NOW)
    rows = []
    for k in range(DAYS * 96):
        start = NOW - timedelta(minutes=15 * (DAYS * 96 - k))
        for name, watts in (("grid", grid), ("pool", pool), ("akku", akku), ("house", house), *others.items()):
            wh = watts(start) / 4
            rows.append(Interval(name, start, 900, max(wh, 0.0), max(0.0, -wh), IntervalQuality.VALID, "t"))
    await store.save_intervals(rows)
    return Alerts(SITE, clock, store, Notices(store, clock, Changes()), lambda when: RATE, tariff=TARIFF)


async def seen(alerts: Alerts, *, meter_told: bool = False) -> dict[AlertKind, str]:
    found = await slow_signs(Past(SITE, alerts.store, NOW), Told(), Told(), meter_told=meter_told)
    return {sign.kind: sign.what for sign in found}


def since(days: float, then: Watts, before: Watts) -> Watts:
    return lambda when: then(when) if when >= NOW - timedelta(days=days) else before(when)


async def test_a_home_as_ever_shows_no_sign() -> None:
    alerts = await home()
    assert await seen(alerts) == {}
    assert await bill_sign(Past(SITE, alerts.store, NOW), TARIFF, None) is None


async def test_a_battery_that_gives_back_less_is_told_once_with_cause_cost_and_evidence() -> None:
    alerts = await home(akku=since(21.6, lambda when: battery(when, 0.7), battery))
    await alerts.once()
    await alerts.once()
    (alert,) = alerts.found
    assert alert.kind is AlertKind.BATTERY_LOSS and "70 %" in alert.what and "88 %" in alert.what
    assert alert.power_w == pytest.approx(0.18 * 7500 / 24, rel=0.1)
    assert alert.cost_micro == pytest.approx(alert.energy_wh * 300)
    assert len(alert.evidence.actual_w) == 42 and sum(alert.evidence.marked) == 21
    assert "alert battery_loss akku" in alerts.notices.open
    again = Alerts(SITE, alerts.clock, alerts.store, alerts.notices, alerts.rate_at)
    await again.resume()
    assert again.found == alerts.found, "kept over a restart"


async def test_a_pump_that_runs_longer_is_told_by_its_hours() -> None:
    alerts = await home(pool=since(14.6, lambda when: 700.0 * (10 <= when.hour < 19), pump))
    assert await seen(alerts) == {AlertKind.PUMP_DRIFT: "Pool pump has run 9.0 h a day in the last two weeks, 6.0 h before."}  # fmt: skip


async def test_a_main_meter_below_its_parts_asks_to_check_the_wiring_and_accuses_nobody() -> None:
    alerts = await home(house=since(5, lambda when: -400.0, at_home))
    found = await slow_signs(Past(SITE, alerts.store, NOW), Told(), Told(), meter_told=False)
    sign = next(sign for sign in found if sign.kind is AlertKind.METER)
    assert "9.6 kWh a day less than" in sign.what and sign.advice.startswith("Check the wiring")
    assert not {"theft", "fraud", "tamper", "bypass", "steal"} & set(
        f"{sign.what} {sign.sure} {sign.advice}".lower().split()
    )
    assert AlertKind.METER not in await seen(alerts, meter_told=True), "a turned clamp is told by itself already"


async def test_what_the_wiring_watch_tells_is_not_told_twice() -> None:
    alerts = await home(house=since(5, lambda when: -400.0, at_home))
    alerts.notices.later_raise("wiring whole", "warning", "It counts the wrong way round.")
    await alerts.once()
    assert all(alert.kind is not AlertKind.METER for alert in alerts.found)


async def test_a_meter_that_stands_still_and_one_that_falls_silent_are_told() -> None:
    still = await seen(await home(grid=since(1.6, lambda when: 120.0, at_home)))
    assert "very same energy" in still[AlertKind.METER]
    silent = await seen(await home(house=since(6.6, lambda when: 9.0 + when.minute / 50, at_home)))
    assert "less in quiet hours" in silent[AlertKind.METER]


async def test_a_battery_that_gives_more_than_it_took_is_a_matter_of_meters() -> None:
    found = await seen(await home(akku=lambda when: battery(when, 1.2)))
    assert "more in three weeks than it took" in found[AlertKind.METER]


GARAGE = Device("garage", "Garage meter", Role.SUB_METER)


async def garage_home(*circuits: Circuit, sub: Watts, akku: str = "") -> Alerts:
    """A home that always takes 300 W and whose battery charges 7.5 kWh a day, with a sub-meter."""
    alerts = await home(grid=lambda when: 300 + battery(when), garage=sub)
    devices = tuple(replace(each, circuit=akku) if each.id == "akku" else each for each in SITE.devices)
    alerts.site = replace(SITE, devices=(*devices, GARAGE), circuits=circuits)
    return alerts


async def meter_words(alerts: Alerts) -> list[str]:
    found = await slow_signs(Past(alerts.site, alerts.store, NOW), Told(), Told(), meter_told=False)
    return [sign.what for sign in found if sign.kind is AlertKind.METER]


async def test_a_sub_meter_before_a_battery_is_judged_with_its_charging() -> None:
    assert await meter_words(await garage_home(sub=lambda when: 100 + battery(when))) == []


async def test_a_sub_meter_that_the_site_file_puts_elsewhere_is_judged_without_the_battery() -> None:
    circuit = Circuit("yard", "Yard", meter="garage")
    short = await garage_home(circuit, sub=lambda when: 500.0)
    assert await meter_words(short) == ["Main meter shows 4.8 kWh a day less than Garage meter."]
    behind = await garage_home(circuit, sub=lambda when: 100 + battery(when), akku="yard")
    assert await meter_words(behind) == []


async def test_a_dear_month_is_told_with_its_range_and_a_usual_one_is_not() -> None:
    alerts = await home(grid=since(19.5, lambda when: 1.2 * at_home(when), at_home))
    sign = await bill_sign(Past(SITE, alerts.store, NOW), TARIFF, None)
    assert sign is None, "a fifth more for most of a month is no surprise yet"
    alerts = await home(grid=since(19.5, lambda when: 4 * at_home(when), at_home))
    sign = await bill_sign(Past(SITE, alerts.store, NOW), TARIFF, None)
    assert sign is not None and sign.cost_micro is not None
    day_wh = 250 * 24 + 900 * 3
    usual = 31 * (day_wh * 300 + 200_000)
    low, high = (31 * 200_000 + (19 * 4 + 12 * k) * day_wh * 300 - usual for k in (1, 4))
    assert low < sign.cost_micro <= high * 1.02
    await alerts.once()
    told = next(alert for alert in alerts.found if alert.kind is AlertKind.HIGH_BILL)
    assert told.year_micro is None and told.cost_micro == sign.cost_micro and "counted so far" in told.what


async def test_weeks_are_looked_at_once_a_day() -> None:
    alerts = await home()
    await alerts.once()
    asked: list[str] = []
    before = alerts.store.intervals

    async def intervals(device: str, start: datetime, end: datetime) -> list[Interval]:
        asked.append(device)
        return await before(device, start, end)

    alerts.store.intervals = intervals  # type: ignore[method-assign]
    await alerts.once()
    assert "akku" not in asked
    alerts.clock.step(86400)  # type: ignore[attr-defined]
    await alerts.once()
    assert "akku" in asked


async def test_a_look_that_raises_is_logged_once_and_stops_neither_the_others_nor_the_quarter_hour(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alerts = await home(pool=since(14, lambda when: 1.5 * pump(when), pump))

    def broken(took: object, gave: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.runtime.alert_slow.battery_loss", broken)
    for _ in range(3):
        await alerts.once()
        alerts.clock.step(86400)
    assert AlertKind.PUMP_DRIFT in {alert.kind for alert in alerts.found}
    assert alerts.learned_days > 0 and caplog.text.count("the look at battery akku failed") == 1
