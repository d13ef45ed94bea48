"""Modes a person knows: whose wish holds for the car that stands there, and the sun that starts and stops it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from gateway.core.control.car import CarWish, car_of, departures
from gateway.core.control.charging import charging_wish, share_sun, urgency
from gateway.core.control.sun import SolarMemory
from gateway.model.authority import Authority
from gateway.model.charging import ChargingNeeds
from gateway.model.plan import IntentKind
from gateway.model.preferences import ChargeMode, ChargingPreference, Departure, Preferences, Vehicle
from gateway.model.setpoint import Override
from gateway.model.site import ChargerSpec, Device, Role, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus, Snapshot
from tests.core.homes import SITE, block, car, plan, snapshot
from tests.fakes import START

CAR = SITE.of_role(Role.EV_CHARGER)[0]
SMALL = Vehicle("Small", ("04A1B2",), 30_000.0, phases=1, max_current_a=13.0, target_soc_percent=80.0)
BIG = Vehicle("Big", ("CAFE01",), 90_000.0, mode=ChargeMode.SOLAR)


def home(status: ChargerStatus | None = None, *, now: datetime = START, **wishes: Any) -> Snapshot:
    """A snapshot with these wishes for the car; `vehicles` and `vacation_until` are the home's."""
    whole = {key: wishes.pop(key) for key in ("vehicles", "vacation_until") if key in wishes}
    preferences = Preferences(charging={"car": ChargingPreference(**wishes)}, **whole)
    planned = plan(block("car", IntentKind.HOLD))
    return replace(snapshot(charger=status or car(0.0), preferences=preferences, planned=planned), now=now)


def wish_of(snap: Snapshot) -> CarWish:
    return car_of(snap, CAR, SITE)


def needs(**values: Any) -> ChargingNeeds:
    return ChargingNeeds(START, **values)


# ---- departures


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SITE.timezone).astimezone(UTC)


WEEK = (Departure(time(6, 30), (0, 1, 2, 3, 4)), Departure(time(10), (5,)))


@pytest.mark.parametrize(
    ("now", "leaves"),
    [
        ("2026-11-20 05:00", "2026-11-20 06:30"),
        ("2026-11-20 07:00", "2026-11-21 10:00"),
        ("2026-11-21 10:00", "2026-11-23 06:30"),
        ("2026-11-23 06:30", "2026-11-24 06:30"),
    ],
    ids=["Friday early", "Friday after leaving", "Saturday at the minute it leaves", "Monday at the minute it leaves"],
)
def test_departures_repeat_by_weekday_and_the_weekend_may_have_its_own(now: str, leaves: str) -> None:
    found = departures(local(now), ChargingPreference(departures=WEEK), SITE.timezone)
    assert found[0][0] == local(leaves)


@pytest.mark.parametrize(("night", "hours"), [("2026-03-28 21:00", 9.0), ("2026-10-24 21:00", 11.0)])
def test_a_departure_keeps_its_wall_time_over_the_night_in_which_the_clocks_change(night: str, hours: float) -> None:
    found = departures(local(night), ChargingPreference(ready_by=time(7)), SITE.timezone)
    assert (found[0][0] - local(night)) / timedelta(hours=1) == hours
    assert [leaves.astimezone(SITE.timezone).hour for leaves, _ in found] == [7] * len(found)


def test_a_later_departure_that_asks_for_more_is_a_goal_of_its_own() -> None:
    plans = (Departure(time(7), (5,), target_wh=5_000.0), Departure(time(7), (6,), target_wh=30_000.0))
    goals = wish_of(home(now=local("2026-11-20 20:00"), departures=plans)).goals
    assert [(goal.ready, goal.need_wh) for goal in goals] == [
        (local("2026-11-21 07:00"), 5_000.0), (local("2026-11-22 07:00"), 30_000.0),
    ]  # fmt: skip


def test_on_vacation_no_departure_is_met_before_the_return_and_a_full_battery_is_not_kept() -> None:
    back = local("2026-12-05 16:00")
    away = wish_of(home(replace(car(0.0), soc_percent=50.0), vacation_until=back))
    assert away.ready == local("2026-12-06 07:00")
    assert away.need_wh == pytest.approx(0.1 * 60_000 / 0.9)
    near = wish_of(home(replace(car(0.0), soc_percent=50.0), vacation_until=back, now=back - timedelta(hours=12)))
    assert near.need_wh == pytest.approx(0.5 * 60_000 / 0.9)


# ---- vehicles, guests, what the car says


def test_a_tag_tells_the_vehicle_and_its_own_target_mode_phases_and_current() -> None:
    small = wish_of(home(replace(car(0.0), tag="04a1b2", soc_percent=20.0), vehicles=(SMALL, BIG)))
    assert (small.vehicle, small.phases, small.max_a, small.mode) == (SMALL, (1,), 13.0, ChargeMode.SMART)
    assert small.need_wh == pytest.approx(0.6 * 30_000 / 0.9)
    assert wish_of(home(replace(car(0.0), tag="CAFE01"), vehicles=(SMALL, BIG))).mode is ChargeMode.SOLAR


@pytest.mark.parametrize("tag", ["", "FFFF"])
def test_without_a_known_tag_the_chargers_own_vehicle_counts(tag: str) -> None:
    snap = home(replace(car(0.0), tag=tag), vehicles=(SMALL, BIG), default_vehicle="Small")
    assert wish_of(snap).vehicle is SMALL


def test_a_guest_by_the_owners_button_charges_at_once_at_the_guests_limit_for_this_session_only() -> None:
    snap = home(guest_session="1", guest_current_a=8.0, default_vehicle="Big", vehicles=(BIG,))
    wish = charging_wish(SITE, snap, CAR, 0.0)
    assert (wish.value, wish.reason) == (8.0, "A guest's car charges at once, with at most 8 A.")
    assert wish_of(snap).vehicle is None
    following = replace(snap, chargers={"car": replace(snap.chargers["car"], transaction="2")})
    assert not wish_of(following).guest and charging_wish(SITE, following, CAR, 0.0).value == 0.0


@pytest.mark.parametrize(
    ("tag", "mode", "guest"),
    [
        ("FFFF", ChargeMode.SMART, True),
        ("04A1B2", ChargeMode.SMART, False),
        ("", ChargeMode.SMART, False),
        ("FFFF", ChargeMode.OFF, False),
    ],
    ids=["an unknown tag", "a tag of the house", "no tag", "off is off for guests too"],
)
def test_unknown_tags_are_guests_where_the_owner_says_so(tag: str, mode: ChargeMode, guest: bool) -> None:
    status = replace(car(0.0), tag=tag)
    assert wish_of(home(status, mode=mode, vehicles=(SMALL,), unknown_tag_is_guest=True)).guest is guest
    assert not wish_of(home(status, mode=mode, vehicles=(SMALL,))).guest


@pytest.mark.parametrize(
    ("told", "trust", "ready_h", "need_wh"),
    [
        (needs(departure=START + timedelta(hours=3), energy_wh=9_000.0), True, 3.0, 7_000.0),
        (needs(departure=START + timedelta(hours=3)), True, 3.0, 18_000.0),
        (needs(energy_wh=9_000.0), True, 13.5, 7_000.0),
        (needs(departure=START + timedelta(hours=3), energy_wh=9_000.0), False, 13.5, 18_000.0),
        (needs(departure=START - timedelta(hours=1), energy_wh=9_000.0), True, 13.5, 18_000.0),
        (needs(max_current_a=10.0), True, 13.5, 18_000.0),
    ],
    ids=["both", "departure only", "energy only", "the owner's plan holds", "a departure of the past", "only limits"],
)
def test_what_the_car_itself_says_comes_before_the_plan_unless_the_owner_set_it_aside(
    told: ChargingNeeds, trust: bool, ready_h: float, need_wh: float
) -> None:
    wish = wish_of(home(replace(car(0.0, session_wh=2_000.0), needs=told), trust_car=trust))
    assert (wish.ready - START) / timedelta(hours=1) == ready_h
    assert wish.need_wh == pytest.approx(need_wh)


def test_the_narrowest_of_charger_vehicle_and_car_limits_current_and_phases() -> None:
    told = replace(car(0.0), needs=needs(max_current_a=10.0, min_current_a=7.0, phases=1), tag="CAFE01")
    wish = wish_of(home(told, vehicles=(BIG,), trust_car=False))
    assert (wish.min_a, wish.max_a, wish.phases) == (7.0, 10.0, (1,))


def test_a_car_that_is_seen_on_one_phase_is_a_one_phase_car_unless_the_charger_may_have_switched() -> None:
    assert wish_of(home(replace(car(8.0), phases_in_use=1))).phases == (1,)
    assert wish_of(home(replace(car(8.0), phases_in_use=1, switches_phases=True))).phases == (1, 2, 3)


def test_a_one_phase_car_gets_the_whole_planned_power_on_its_phase() -> None:
    snap = home(replace(car(0.0), phases_in_use=1), mode=ChargeMode.SMART)
    snap = replace(snap, plan=plan(block("car", IntentKind.CHARGE_AT, 2_300.0)))
    assert charging_wish(SITE, snap, CAR, 0.0).value == pytest.approx(10.0)


def test_a_pause_of_the_owner_holds_against_a_guest_and_ends_by_itself() -> None:
    paused = Override("o1", "car", "pause", START, START + timedelta(hours=1), "owner")
    snap = replace(home(guest_session="1"), overrides=(paused,))
    wish = charging_wish(SITE, snap, CAR, 0.0)
    assert (wish.value, wish.authority) == (0.0, Authority.OWNER_OVERRIDE)


# ---- urgency


@pytest.mark.parametrize(
    ("mode", "ready_by", "target_wh", "low", "high"),
    [
        (ChargeMode.SMART, time(7), 5_000.0, 0.01, 0.1),
        (ChargeMode.SMART, time(7), 70_000.0, 0.4, 0.7),
        (ChargeMode.SMART, time(18, 30), 11_000.0, 1.0, 1.0),
        (ChargeMode.SMART, time(7), 0.0, 0.0, 0.0),
        (ChargeMode.SOLAR, time(18, 30), 11_000.0, 0.0, 0.0),
        (ChargeMode.OFF, time(18, 30), 11_000.0, 0.0, 0.0),
    ],
    ids=["has the whole night", "half of the night", "at full power at once", "has all", "sun only", "off"],
)
def test_urgency_is_the_share_of_the_time_left_that_full_power_needs(
    mode: ChargeMode, ready_by: time, target_wh: float, low: float, high: float
) -> None:
    found = urgency(home(mode=mode, ready_by=ready_by, target_wh=target_wh), CAR, SITE)
    assert low <= found <= high


def test_without_a_session_nothing_is_urgent() -> None:
    assert urgency(home(car(plugged=False), ready_by=time(17, 45), target_wh=50_000.0), CAR, SITE) == 0.0


def test_the_floor_names_the_departure_that_would_be_missed() -> None:
    wish = charging_wish(SITE, home(ready_by=time(18, 30), target_wh=11_000.0), CAR, 0.0)
    assert (wish.value, wish.authority) == (16.0, Authority.OWNER_FLOOR)
    assert wish.reason == "Charging now, or the car would not be ready by 18:30."


# ---- sun

TWO = replace(SITE, devices=(*SITE.devices, Device("second", "Second car", Role.EV_CHARGER, ChargerSpec())))


class Roof:
    """A sunny home in closed loop: cars draw what they are wished, a second at a time."""

    def __init__(self, site: Site = SITE, mode: ChargeMode = ChargeMode.SOLAR, **wishes: ChargingPreference) -> None:
        self.site, self.mono = site, 0.0
        self.memory: SolarMemory | None = None
        self.amps = {device.id: 0.0 for device in site.of_role(Role.EV_CHARGER)}
        self.wishes = {name: wishes.get(name, ChargingPreference(mode)) for name in self.amps}
        self.starts = 0

    def run(self, seconds: int, sun_w: float) -> list[float]:
        """The first car's current over time, A."""
        seen = []
        for _ in range(seconds):
            self.mono += 1
            snap = self._snapshot(sun_w)
            self.memory = share_sun(self.site, snap, self.memory, self.mono)
            for device in self.site.of_role(Role.EV_CHARGER):
                amps = charging_wish(self.site, snap, device, self.memory.share_w(device.id)).value
                self.starts += amps > 0 and self.amps[device.id] == 0
                self.amps[device.id] = amps
            seen.append(self.amps["car"])
        return seen

    def _snapshot(self, sun_w: float) -> Snapshot:
        grid = (sum(self.amps.values()) * 690 - sun_w) / 690
        snap = snapshot((grid, grid, grid), pv_w=-sun_w, preferences=Preferences(charging=self.wishes))
        chargers = {name: replace(car(amps), id=name) for name, amps in self.amps.items()}
        return replace(snap, chargers=chargers)


def test_a_car_starts_on_the_sun_after_a_minute_of_it_and_follows_it() -> None:
    roof = Roof()
    first = roof.run(200, 6_900.0)
    assert first[:60] == [0.0] * 60 and first[-1] > 6.0
    assert roof.run(200, 6_900.0)[-1] == pytest.approx(10.0, abs=0.2)


@pytest.mark.slow
def test_a_cloud_of_two_minutes_stops_no_car_and_a_long_one_stops_it_once() -> None:
    roof = Roof()
    roof.run(600, 6_900.0)
    assert min(roof.run(120, 0.0)) >= 6.0
    roof.run(600, 6_900.0)
    assert roof.run(600, 0.0)[-1] == 0.0
    assert roof.starts == 1


@pytest.mark.slow
def test_a_sky_that_changes_each_minute_never_cycles_the_contactor() -> None:
    roof = Roof()
    for _ in range(30):
        roof.run(60, 9_000.0)
        roof.run(60, 500.0)
    assert roof.starts <= 1


def test_a_car_that_started_stays_on_for_five_minutes() -> None:
    roof = Roof()
    while roof.run(1, 6_900.0)[-1] == 0.0:
        pass
    assert min(roof.run(290, 0.0)) >= 6.0
    assert roof.run(120, 0.0)[-1] == 0.0


@pytest.mark.slow
def test_minimum_and_sun_never_stops_and_rises_with_the_sun() -> None:
    roof = Roof(mode=ChargeMode.MIN_SOLAR)
    assert set(roof.run(300, 0.0)) == {6.0}
    assert roof.run(600, 6_900.0)[-1] == pytest.approx(10.0, abs=0.2)


@pytest.mark.slow
def test_two_cars_do_not_take_the_same_sun_and_the_one_with_priority_is_first() -> None:
    roof = Roof(TWO, second=ChargingPreference(ChargeMode.SOLAR, priority=5))
    roof.run(900, 6_900.0)
    assert roof.amps["second"] == pytest.approx(10.0, abs=0.2) and roof.amps["car"] == 0.0
    roof.run(900, 13_800.0)
    assert roof.amps["second"] == pytest.approx(14.0, abs=0.3) or roof.amps["second"] == 16.0
    assert sum(roof.amps.values()) * 690 <= 13_800 + 100


@pytest.mark.slow
def test_a_car_that_charges_anyway_leaves_the_other_only_what_is_really_over() -> None:
    roof = Roof(TWO, second=ChargingPreference(ChargeMode.NOW))
    roof.run(900, 9_000.0)
    assert roof.amps == {"second": 16.0, "car": 0.0}


def test_a_gateway_that_restarts_goes_on_with_a_car_that_charges_on_the_sun() -> None:
    roof = Roof()
    roof.run(600, 6_900.0)
    roof.memory = None
    assert min(roof.run(60, 6_900.0)) >= 6.0
    assert roof.starts == 1


def test_the_sun_stops_at_the_charge_the_owner_asked_for() -> None:
    full = replace(car(0.0), soc_percent=81.0, phase=ChargePhase.PLUGGED)
    snap = home(full, mode=ChargeMode.SOLAR, target_soc_percent=80.0)
    wish = charging_wish(SITE, snap, CAR, 9_000.0)
    assert (wish.value, wish.reason) == (0.0, "The car is as full as you asked.")


# ---- what is said of the sun is so

BARE = replace(SITE, devices=tuple(d for d in SITE.devices if d.role is not Role.HYBRID_INVERTER))


def words_of(roof: Roof, sun_w: float) -> str:
    snap = roof._snapshot(sun_w)
    assert roof.memory is not None
    return charging_wish(roof.site, snap, CAR, roof.memory.share_w("car")).reason


@pytest.mark.slow
def test_while_a_cloud_passes_the_words_say_that_the_contactor_is_spared_not_that_the_sun_charges() -> None:
    roof = Roof()
    roof.run(600, 6_900.0)
    assert words_of(roof, 6_900.0) == "Charging on surplus sun."
    roof.run(170, 0.0)
    told = "Too little sun: charging goes on at the minimum, for 5 minutes at most, to spare the contactor."
    assert roof.amps["car"] == 6.0 and words_of(roof, 0.0) == told
    roof.run(200, 0.0)
    assert words_of(roof, 0.0) == "Waiting for enough surplus sun."


def test_from_minimum_and_sun_to_sun_only_a_home_without_sun_stops_and_says_why() -> None:
    roof = Roof(BARE, mode=ChargeMode.MIN_SOLAR)
    roof.amps["car"] = 6.0  # it charged before the gateway started
    assert set(roof.run(10, 0.0)) == {6.0}
    told = "Charging at the minimum, and no more: Hearth knows no solar system in this home."
    assert words_of(roof, 0.0) == told
    roof.wishes = {"car": ChargingPreference(ChargeMode.SOLAR)}
    assert set(roof.run(400, 0.0)) == {0.0}
    assert words_of(roof, 0.0) == "Hearth knows no solar system in this home, so charging on sun only does not start."


def test_a_home_whose_meter_shows_sun_that_no_device_tells_charges_on_it() -> None:
    roof = Roof(BARE)
    assert roof.run(400, 6_900.0)[-1] > 6.0
    assert words_of(roof, 6_900.0) == "Charging on surplus sun."


def test_a_smart_car_kept_on_without_sun_says_so_before_the_plans_words() -> None:
    sunny = block("car", IntentKind.SURPLUS_ONLY, reason="The car takes surplus sun only; it has time.")
    preferences = Preferences(charging={"car": ChargingPreference()})
    snap = snapshot((6, 6, 6), charger=car(6.0), preferences=preferences, planned=plan(sunny))
    wish = charging_wish(SITE, snap, CAR, 6.0 * 690)
    assert wish.value == 6.0 and wish.reason.startswith("Too little sun: charging goes on at the minimum, for 5 min")
    assert wish.reason.endswith("it has time.")
    assert charging_wish(SITE, snap, CAR, 0.0).reason == "The car takes surplus sun only; it has time."
