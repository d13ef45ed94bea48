"""Panels through the store: what Hearth held back is no fault, a cloudy winter week neither, half of them lost is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.core.learning.sky import clear_sky_w_m2
from gateway.core.learning.told import Told
from gateway.core.metering.sun import sun_vector
from gateway.model.alert import Alert, AlertKind, Answer
from gateway.model.audit import AuditRow
from gateway.model.authority import Authority
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import Device, Role, Site
from gateway.model.tariff import Rate
from gateway.runtime.alert_past import Past, Sign
from gateway.runtime.alert_slow import slow_signs
from gateway.runtime.alert_slow_facts import made_slow
from gateway.runtime.alerts import Alerts
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from gateway.runtime.sent import Sent
from gateway.runtime.tick import describe
from tests.fakes import FakeClock, FakeStore
from tests.runtime.fakes_devices import Rig

DAYS = 121
MAY, MILAN = datetime(2026, 5, 20, 12, tzinfo=UTC), ("Europe/Rome", 45.5, 9.2)
JANUARY, APRIL = datetime(2026, 1, 26, 12, tzinfo=UTC), datetime(2026, 4, 8, 12, tzinfo=UTC)
Story = Callable[[int, np.random.Generator], float]
"""How much of a clear sky's light a day has, by days before now: 1 a clear day, less a dull one."""


def site(zone: str, latitude: float, longitude: float) -> Site:
    devices = (Device("grid", "Main meter", Role.MAIN_METER), Device("pv", "Panels", Role.PV))
    return Site("Home", ZoneInfo(zone), latitude, longitude, "EUR", 3, 25.0, devices)


def half_clear(ago: int, dice: np.random.Generator) -> float:
    return 1.0 if dice.random() < 0.5 else float(dice.uniform(0.15, 0.7))


def mostly_clear(ago: int, dice: np.random.Generator) -> float:
    return 1.0 if dice.random() < 0.8 else 0.3


async def panels(
    now: datetime, tilt: float, weak: Callable[[float, float], float] = lambda ago, watts: watts, story: Story = half_clear,
    *, told: bool = False, rows: tuple[AuditRow, ...] = (), days: int = DAYS, open_alert: Alert | None = None,
) -> Sign | None:  # fmt: skip
    """The sign of 4 kW of panels to the south in Milan; `weak` makes of days ago and W what they give."""
    home, dice = site(*MILAN), np.random.default_rng(1)
    first = datetime.fromtimestamp(now.timestamp() // 900 * 900, UTC) - timedelta(days=days)
    at = first.timestamp() + 900 * (np.arange(days * 96) + 0.5)
    sky, (_, north, up) = (
        clear_sky_w_m2(at, home.latitude, home.longitude),
        sun_vector(at, home.latitude, home.longitude),
    )
    lean = np.radians(tilt)
    beam = np.maximum(0, up * np.cos(lean) - north * np.sin(lean)) / np.maximum(up, 0.05)
    share = np.repeat([story(days - day, dice) for day in range(days)], 96)
    light = sky * share * np.where(share < 1, dice.uniform(0.6, 1, at.size), 1)
    made = 4 * np.where(share < 1, light, light * (0.88 * beam + 0.12 * (1 + np.cos(lean)) / 2))
    store = FakeStore()
    await store.save_intervals([
        Interval("solar", first + timedelta(minutes=15 * k), 900, 0.0, weak(days - k / 96, watts) / 4, IntervalQuality.VALID, "t")
        for k, watts in enumerate(made.tolist())
    ])  # fmt: skip
    store.audit_rows += rows
    hours = light[: days * 24 * 4].reshape(-1, 4).mean(axis=1).round(1).tolist()
    kept = Told(int(first.timestamp()) // 3600, tuple(hours)) if told else Told()
    signs = await slow_signs(Past(home, store, now), Told(), kept, meter_told=True, weak=open_alert)
    return next((sign for sign in signs if sign.kind is AlertKind.PV_LOW), None)


def lost(ago: float, watts: float) -> float:
    return watts * (0.5 if ago < 20 else 1)


def left(share: float, fell: float, mended: float = 0) -> Callable[[float, float], float]:
    """Panels that give `share` from days ago to days ago."""
    return lambda ago, watts: watts * (share if mended < ago < fell else 1)


def cut(ago: float, watts: float) -> float:
    return min(watts, 900.0) if ago < 13 else watts


def limits(now: datetime, days: int) -> tuple[AuditRow, ...]:
    """What the audit holds of panels that Hearth cut at each noon and let go in the afternoon."""
    found = []
    for ago in range(days, 0, -1):
        for hour, percent in ((9, 20.0), (16, 100.0)):
            at = (now - timedelta(days=ago)).replace(hour=hour)
            told = Setpoint(
                "pv", SetpointKind.PV_LIMIT, percent, at + timedelta(minutes=5), Authority.PLAN, "Feeding in costs."
            )
            found.append(AuditRow(at, "commanded", "pv", describe(told), told.authority))
    return tuple(found)


async def test_steep_panels_in_spring_are_sound() -> None:
    for tilt in (35, 60, 90):
        for told in (False, True):
            assert await panels(APRIL, tilt, told=told) is None


async def test_a_cloudy_winter_week_is_no_fault() -> None:
    def story(ago: int, dice: np.random.Generator) -> float:
        return float(dice.uniform(0.3, 0.7)) if ago <= 7 else half_clear(ago, dice)

    assert await panels(JANUARY, 35, story=story, told=True) is None


async def test_half_the_panels_lost_are_told_with_and_without_the_light() -> None:
    for told in (False, True):
        sign = await panels(MAY, 35, lost, told=told)
        assert sign is not None and any(f" {share} % less" in sign.what for share in range(45, 56)), sign


async def test_what_hearth_held_back_is_no_fault_and_what_fell_beside_it_is() -> None:
    assert await panels(MAY, 35, cut, mostly_clear, told=True) is not None, "nothing tells of a limit"
    assert await panels(MAY, 35, cut, mostly_clear, told=True, rows=limits(MAY, 14)) is None
    sign = await panels(MAY, 35, lost, rows=limits(MAY, 3))
    assert sign is not None, "eleven of the last days were free"


async def test_panels_that_give_nothing_lack_what_they_gave_before() -> None:
    sign = await panels(APRIL, 30, lambda ago, watts: 0.0 if ago < 8 else watts, mostly_clear, told=True)
    assert sign is not None and 700 < sign.sight.power_w < 1300, "4 kW in April, mean of day and night"


async def test_dead_panels_are_told_within_days_and_nearly_dead_ones_within_ten() -> None:
    for story in (half_clear, mostly_clear):
        dead = await panels(APRIL, 35, left(0.0, 4), story)
        assert dead is not None and dead.what == "The panels have given next to nothing for 3 days."
        for share in (0.1, 0.3):
            sign = await panels(APRIL, 35, left(share, 10), story)
            assert sign is not None and any(f" {100 - 100 * share + k:.0f} % less" in sign.what for k in range(-3, 4))


async def test_an_open_alert_stays_until_the_panels_are_seen_good_again() -> None:
    for share in (0.0, 0.3):
        first = await panels(MAY - timedelta(days=85), 35, left(share, 15))
        assert first is not None
        told = made_slow(first, site(*MILAN), MAY - timedelta(days=85), lambda when: Rate("flat", 300_000, 50_000))
        assert await panels(MAY, 35, left(share, 100), days=240) is None, (
            "by its last days alone nothing is seen any more"
        )
        assert await panels(MAY, 35, left(share, 100), days=240, open_alert=told) is not None
        assert await panels(MAY, 35, left(share, 100, mended=9), days=240, open_alert=told) is None, (
            "mended nine days ago"
        )


async def test_panels_that_are_cut_at_each_noon_are_seen_good_again_by_the_rest_of_the_day() -> None:
    """Wrong before: where feeding in costs, no day was free, and "next to nothing" stayed told of mended panels."""
    when = MAY - timedelta(days=20)
    first = await panels(when, 30, left(0.0, 6))
    assert first is not None
    told = made_slow(first, site(*MILAN), when, lambda at: Rate("flat", 300_000, 50_000))
    assert await panels(MAY, 30, left(0.0, 26, mended=20), rows=limits(MAY, 20), open_alert=told) is None
    assert await panels(MAY, 30, left(0.0, 26), rows=limits(MAY, 20), open_alert=told) is not None


async def test_a_limit_that_stands_for_two_weeks_is_no_fault() -> None:
    """Wrong before: only the day on which it was told and the next counted as held back."""
    rig, sent = Rig(), Sent()
    for half_hours in range(13 * 48, 0, -1):
        at = MAY - timedelta(minutes=30 * half_hours)
        rig.clock.step((at - rig.clock.now()).total_seconds())
        until = at + timedelta(minutes=40)
        limit = Setpoint(
            "pv", SetpointKind.PV_LIMIT, 25.0, until, Authority.BINDING_LIMIT, "The utility limits export."
        )
        sent.accepted, sent.sent_at = limit, rig.clock.monotonic()
        await rig.tick._accepted(sent, limit, rig.clock.monotonic())
    await asyncio.gather(*rig.tick._papers)
    rows = tuple(rig.store.audit_rows)
    assert 26 <= len(rows) <= 28, "one each half day"
    assert await panels(MAY, 35, cut, mostly_clear, told=True, rows=rows) is None


async def test_a_limit_beside_a_car_that_follows_the_sun_is_no_fault() -> None:
    """Wrong before: the newest rows of all devices were read, and the car's hid the limit's."""
    rows = list(limits(MAY, 14))
    for ago in range(14, 0, -1):
        noon = (MAY - timedelta(days=ago)).replace(hour=9, minute=1)
        words = "8.0 A on 1 phase until 10:00:00 UTC by plan: sun"
        rows += [
            AuditRow(noon + timedelta(seconds=8 * k), "commanded", "car", words, Authority.PLAN) for k in range(1200)
        ]
    rows.sort(key=lambda row: row.time)
    assert await panels(MAY, 35, cut, mostly_clear, told=True, rows=tuple(rows)) is None


async def test_only_an_alert_that_was_not_dismissed_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    sign = await panels(MAY, 35, left(0.0, 5))
    assert sign is not None
    rate = Rate("flat", 300_000, 50_000)
    told, asked = made_slow(sign, site(*MILAN), MAY, lambda when: rate), []

    async def signs(past: Past, *told: object, weak: Alert | None, **others: object) -> list[Sign]:
        asked.append(weak)
        return []

    monkeypatch.setattr("gateway.runtime.alerts.slow_signs", signs)
    for answer in Answer:
        store, clock = FakeStore(), FakeClock(MAY)
        alerts = Alerts(site(*MILAN), clock, store, Notices(store, clock, Changes()), lambda when: rate)
        alerts.found = [replace(told, answer=answer)]
        await alerts.once()
    assert [held is not None for held in asked] == [True, True, False]
