"""Freezing: only fresh values enter a Snapshot, and each device says whether it is heard."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.core.metering.freeze import Latest, Wishes, freeze
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.snapshot import ChargerStatus, Snapshot
from tests.core.homes import SITE, car, plan
from tests.fakes import START

NOW = 1000.0
STALE = {"meter": 10.0, "tank": 60.0}


def frozen(
    latest: Mapping[str, Mapping[Q, Latest]],
    silent: Mapping[str, str] | None = None,
    chargers: Mapping[str, ChargerStatus] | None = None,
) -> Snapshot:
    return freeze(
        SITE, latest, silent or {}, chargers or {}, STALE, Wishes(Preferences()), {}, frozenset(), START, NOW
    )  # fmt: skip


def aged(value: float, age_s: float) -> Latest:
    return Latest(value, NOW - age_s)


@pytest.mark.parametrize(
    ("quantity", "age_s", "known"),
    [
        (Q.POWER, 0.0, True),
        (Q.POWER, 10.0, True),
        (Q.POWER, 10.1, False),
        (Q.ENERGY_IMPORT, 120.0, True),  # slow groups may be twelve times as old
        (Q.ENERGY_IMPORT, 120.1, False),
    ],
)
def test_a_value_counts_until_its_devices_limit(quantity: Q, age_s: float, known: bool) -> None:
    meter = frozen({"meter": {quantity: aged(500.0, age_s)}}).devices["meter"]
    assert (meter.get(quantity) == 500.0) is known


def test_a_device_is_as_old_as_its_newest_value() -> None:
    tank = frozen({"tank": {Q.POWER: aged(0.0, 45.0), Q.TEMPERATURE: aged(55.0, 20.0)}}).devices["tank"]
    assert tank.online and tank.age_s == 20.0 and tank.reason == ""


def test_a_counter_does_not_vouch_for_the_main_meters_power() -> None:
    """Wrong before: the guard took a meter for young whose currents nobody knew, and saw no load at all."""
    meter = frozen({"meter": {Q.POWER: aged(9000.0, 11.0), Q.ENERGY_IMPORT: aged(1.0, 0.0)}}).devices["meter"]
    assert meter.age_s == 11.0 and not meter.online and meter.get(Q.POWER) is None


def test_a_meter_that_tells_currents_only_is_heard() -> None:
    meter = frozen({"meter": {Q.CURRENT_L1: aged(3.0, 1.0)}}).devices["meter"]
    assert meter.online and meter.age_s == 1.0


def test_one_lost_poll_does_not_blind_the_tick() -> None:
    snapshot = frozen({"meter": {Q.POWER: aged(500.0, 2.0)}}, silent={"meter": "no answer"})
    assert snapshot.grid_w() == 500.0 and snapshot.devices["meter"].online


@pytest.mark.parametrize(
    ("values", "silent", "reason"),
    [
        ({}, {}, "no answer since the start"),
        ({}, {"meter": "connection refused"}, "connection refused"),
        ({Q.POWER: aged(500.0, 25.0)}, {}, "silent for 25 s"),
        ({Q.POWER: aged(500.0, 25.0)}, {"meter": "no answer"}, "no answer"),
    ],
)
def test_a_device_that_is_not_heard_says_why(
    values: Mapping[Q, Latest], silent: Mapping[str, str], reason: str
) -> None:
    meter = frozen({"meter": values}, silent).devices["meter"]
    assert not meter.online and meter.reason == reason


def test_a_silent_meter_makes_the_grid_unknown_never_zero() -> None:
    assert frozen({"meter": {Q.POWER: aged(500.0, 11.0)}}).grid_w() is None
    assert frozen({}).grid_w() is None


def test_a_charger_is_online_while_its_connection_stands() -> None:
    assert frozen({}, chargers={"car": car(0.0)}).devices["car"].online
    gone = frozen({"car": {Q.POWER: aged(0.0, 1.0)}}).devices["car"]
    assert not gone.online and "not connected" in gone.reason


def test_every_device_of_the_site_is_in_the_snapshot() -> None:
    assert set(frozen({}).devices) == {device.id for device in SITE.devices}


def test_a_snapshot_does_not_follow_later_readings() -> None:
    latest = {"meter": {Q.POWER: aged(500.0, 0.0)}}
    chargers = {"car": car(0.0)}
    snapshot = frozen(latest, chargers=chargers)
    latest["meter"][Q.POWER] = aged(900.0, 0.0)
    chargers.clear()
    assert snapshot.grid_w() == 500.0 and "car" in snapshot.chargers


def test_wishes_reach_the_snapshot_as_they_are() -> None:
    wishes = Wishes(Preferences(water_min_c=50.0), plan=plan())
    snapshot = freeze(SITE, {}, {}, {}, {}, wishes, {}, frozenset({"car"}), START, NOW)
    assert snapshot.preferences.water_min_c == 50.0 and snapshot.plan is wishes.plan
    assert snapshot.disobeying == {"car"} and snapshot.now == START
