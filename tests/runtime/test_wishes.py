"""The owner's wishes: checked, committed, then in force; kept over restarts; refused in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from gateway.model.agreement import DrPolicy
from gateway.model.errors import StoreError, WishRefused
from gateway.model.preferences import ChargeGoal, ChargeMode, ChargingPreference, Departure, Preferences, Vehicle
from gateway.runtime.wish_documents import preferences_document, preferences_from
from gateway.runtime.wishes import OVERRIDES, PREFERENCES, OwnerWishes
from tests.core.homes import SITE
from tests.fakes import FakeClock, FakeStore

FULL_END = datetime(2026, 12, 1, tzinfo=UTC)
FULL = Preferences(
    charging={"car": ChargingPreference(ChargeMode.SOLAR, time(6, 30), 12_000.0, 80.0)},
    battery_reserve_percent=25.0,
    comfort_low_c=18.0,
    comfort_high_c=23.5,
    water_min_c=50.0,
    dr_policy=DrPolicy.ASK,
    consents={"dimming": "binding"},
    vacation_until=FULL_END,
    carbon_weight_micro_per_kg=100_000,
    battery_to_car=True,
)
RICH = replace(
    FULL,
    charging={
        "car": ChargingPreference(
            ChargeMode.SMART, time(6, 30), 12_000.0, 80.0,
            departures=(Departure(time(6, 30), (0, 1, 2, 3, 4)), Departure(time(10), (5,), 8_000.0, 60.0)),
            goal=ChargeGoal.GREENEST, max_price_micro_per_kwh=250_000, max_co2_g_per_kwh=300.0, priority=3,
            trust_car=False, default_vehicle="Zoe", guest_current_a=8.0, unknown_tag_is_guest=True, guest_session="41",
        )
    },
    vehicles=(Vehicle("Zoe", ("04A1B2",), 52_000.0, 1, 32.0, 88.0, 80.0, ChargeMode.SOLAR), Vehicle("Van")),
)  # fmt: skip
LAST_VERSION = {
    "charging": {"car": {"mode": "solar", "ready_by": "06:30", "target_wh": 12000.0, "target_soc_percent": 80.0}},
    "battery_reserve_percent": 25.0, "comfort_low_c": 18.0, "comfort_high_c": 23.5, "water_min_c": 50.0,
    "dr_policy": "ask", "consents": {"dimming": "binding"}, "vacation_until": "2026-12-01T00:00:00+00:00",
    "carbon_weight_micro_per_kg": 100000, "battery_to_car": True,
}  # fmt: skip
"""As the version before departures and vehicles stored it."""


class Desk:
    """A home's wishes with what they woke and what was in force at that moment."""

    def __init__(self, store: FakeStore | None = None) -> None:
        self.clock, self.store, self.woken = FakeClock(), store or FakeStore(), list[str]()
        self.wishes = OwnerWishes(SITE, self.clock, self.store, self.woken.append)


async def test_an_override_is_on_disk_before_it_is_in_force() -> None:
    desk = Desk()
    desk.store.gate.clear()
    asking = asyncio.create_task(desk.wishes.override("car", "run", 60, "Ada", ""))
    await FakeClock.settle()
    assert not desk.wishes.active() and not desk.woken
    desk.store.gate.set()
    made = await asking
    assert desk.wishes.active() == (made,) and desk.woken == ["override"]
    assert OVERRIDES in desk.store.documents


async def test_the_tick_hears_of_an_override_before_the_audit_is_written() -> None:
    desk = Desk()
    rows_when_woken: list[int] = []
    desk.wishes.on_change = lambda what: rows_when_woken.append(len(desk.store.audit_rows))
    await desk.wishes.override("car", "run", 60, "Ada", "")
    await desk.wishes.set_preferences(FULL, "Ada")
    assert rows_when_woken == [0, 1] and len(desk.store.audit_rows) == 2


@pytest.mark.parametrize("wish", ["override", "preferences"])
async def test_a_wish_the_disk_refuses_is_not_in_force(wish: str) -> None:
    desk = Desk()
    desk.store.broken = True
    with pytest.raises(StoreError):
        await (desk.wishes.override("car", "run", 60, "A", "") if wish == "override" else _set(desk, FULL))
    assert not desk.wishes.active() and desk.wishes.preferences == Preferences() and not desk.woken


async def _set(desk: Desk, preferences: Preferences) -> None:
    await desk.wishes.set_preferences(preferences, "Ada")


@pytest.mark.parametrize("wished", [FULL, RICH], ids=["the basic ones", "departures, cars, limits, a guest"])
async def test_wishes_survive_a_restart(wished: Preferences) -> None:
    before = Desk()
    await _set(before, wished)
    made = await before.wishes.override("tank", "pause", 90, "Ada", "event-1")
    after = Desk(before.store)
    await after.wishes.resume()
    assert after.wishes.preferences == wished and after.wishes.active() == (made,)


async def test_an_override_that_ended_during_a_restart_is_over() -> None:
    before = Desk()
    await before.wishes.override("tank", "pause", 5, "Ada", "")
    after = Desk(before.store)
    after.clock.step(301)
    await after.wishes.resume()
    assert not after.wishes.active()


async def test_wishes_nobody_can_read_leave_the_defaults_and_the_gateway_starts() -> None:
    """Wrong before: a charge mode of another version kept the whole gateway from starting."""
    desk = Desk()
    await _set(desk, FULL)
    desk.store.documents[PREFERENCES]["charging"]["car"]["mode"] = "moonlight"
    await desk.wishes.resume()
    assert desk.wishes.preferences.charging_of("car").mode in (ChargeMode.SOLAR, ChargeMode.SMART)


async def test_an_override_ends_by_itself() -> None:
    desk = Desk()
    await desk.wishes.override("car", "pause", 1, "Ada", "")
    await desk.clock.advance(59)
    assert desk.wishes.active()
    await desk.clock.advance(1)
    assert not desk.wishes.active()


async def test_a_new_override_replaces_the_old_of_the_same_device_only() -> None:
    desk = Desk()
    await desk.wishes.override("car", "run", 60, "Ada", "")
    await desk.wishes.override("tank", "run", 60, "Ada", "")
    await desk.wishes.override("car", "pause", 60, "Ada", "")
    assert [(o.device, o.action) for o in desk.wishes.active()] == [("tank", "run"), ("car", "pause")]


async def test_auto_ends_a_running_override() -> None:
    desk = Desk()
    await desk.wishes.override("car", "run", 60, "Ada", "")
    assert await desk.wishes.override("car", "auto", 0, "Ada", "") is None
    assert not desk.wishes.active()
    assert desk.store.audit_rows[-1].text == "Ada: the override ends now"


async def test_two_overrides_at_once_are_both_kept() -> None:
    """Wrong before: both read the list first, and the second wrote it without the first."""
    desk = Desk()
    await asyncio.gather(*(desk.wishes.override(device, "run", 60, "Ada", "") for device in ("car", "tank")))
    assert {o.device for o in desk.wishes.active()} == {"car", "tank"}
    assert len(desk.store.documents[OVERRIDES]["overrides"]) == 2


@pytest.mark.parametrize(
    ("device", "action", "minutes", "words"),
    [
        ("toaster", "run", 60, "There is no controllable device 'toaster'"),
        ("meter", "run", 60, "There is no controllable device 'meter'"),
        ("car", "explode", 60, "'explode' is not an override"),
        ("car", "run", 0, "between 1 minute and 24 hours"),
        ("car", "run", 1441, "between 1 minute and 24 hours"),
        ("car", "run", float("nan"), "between 1 minute and 24 hours"),
    ],
)
async def test_an_override_is_refused_in_words(device: str, action: str, minutes: float, words: str) -> None:
    desk = Desk()
    with pytest.raises(WishRefused, match=words):
        await desk.wishes.override(device, action, minutes, "Ada", "")
    assert not desk.store.documents and not desk.woken


def _vehicles(*vehicles: Vehicle) -> Callable[[Preferences], Preferences]:
    return lambda p: replace(p, vehicles=vehicles)


def _charging(**values: object) -> Callable[[Preferences], Preferences]:
    return lambda p: p.with_charging("car", replace(ChargingPreference(), **values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: replace(p, comfort_low_c=23.0), "comfort band"),
        (lambda p: replace(p, comfort_low_c=float("nan")), "comfort band"),
        (lambda p: replace(p, battery_reserve_percent=101.0), "reserve"),
        (lambda p: replace(p, water_min_c=95.0), "water"),
        (lambda p: replace(p, vacation_until=FULL_END.replace(tzinfo=None)), "time zone"),
        (lambda p: replace(p, carbon_weight_micro_per_kg=-1), "CO2"),
        (lambda p: replace(p, consents={"dimming": "maybe"}), "not a consent"),
        (lambda p: p.with_charging("bike", ChargingPreference()), "no charger 'bike'"),
        (_charging(target_wh=-1.0), "target"),
        (_charging(target_soc_percent=120.0), "percentage"),
        (_charging(departures=(Departure(days=()),)), "at least one day"),
        (_charging(departures=(Departure(days=(7,)),)), "at least one day"),
        (_charging(departures=(Departure(target_wh=1e9),)), "target"),
        (_charging(departures=(Departure(),) * 15), "At most 14 departures"),
        (_charging(max_price_micro_per_kwh=99_000_000), "highest price"),
        (_charging(max_co2_g_per_kwh=-1.0), "most CO2"),
        (_charging(priority=11), "priority"),
        (_charging(guest_current_a=2.0), "guest's current"),
        (_charging(default_vehicle="Zoe"), "no vehicle 'Zoe'"),
        (_vehicles(Vehicle("Zoe"), Vehicle("Zoe")), "two vehicles 'Zoe'"),
        (_vehicles(Vehicle("Zoe", ("A1",)), Vehicle("Van", ("a1",))), "tag 'a1' belongs to two vehicles"),
        (_vehicles(Vehicle(" ")), "needs a name"),
        (_vehicles(Vehicle("Zoe", battery_wh=5.0)), "Zoe: the battery"),
        (_vehicles(Vehicle("Zoe", phases=4)), "Zoe: a car charges on 1, 2 or 3 phases"),
        (_vehicles(Vehicle("Zoe", max_current_a=3.0)), "Zoe: the most current"),
        (_vehicles(Vehicle("Zoe", efficiency_percent=20.0)), "Zoe: the efficiency"),
    ],
)
async def test_preferences_are_refused_in_words(change: Callable[[Preferences], Preferences], words: str) -> None:
    desk = Desk()
    with pytest.raises(WishRefused, match=words):
        await _set(desk, change(Preferences()))
    assert desk.wishes.preferences == Preferences() and not desk.store.documents


def test_preferences_are_the_same_after_their_journey_through_json() -> None:
    for preferences in (Preferences(), FULL, RICH):
        assert preferences_from(json.loads(json.dumps(preferences_document(preferences)))) == preferences


def test_what_the_last_version_stored_opens_with_every_wish_and_the_new_ones_at_their_defaults() -> None:
    assert preferences_from(LAST_VERSION) == FULL
    assert preferences_from(LAST_VERSION).charging_of("car").departures == ()


def test_preferences_of_another_version_keep_what_is_known() -> None:
    document = preferences_document(FULL) | {"moon_phase": "full"}
    del document["water_min_c"]
    assert preferences_from(document) == replace(FULL, water_min_c=Preferences().water_min_c)


async def test_the_audit_tells_who_asked_for_what_and_until_when() -> None:
    desk = Desk()
    await desk.wishes.override("car", "run", 60, "Ada", "event-1")
    (row,) = await desk.store.audit(desk.clock.now(), desk.clock.now() + timedelta(seconds=1))
    assert (row.step, row.subject, row.text, row.authority, row.source) == (
        "asked", "car", "Ada: run until 17:30 UTC", 4, "event-1",
    )  # fmt: skip
