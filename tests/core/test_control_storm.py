"""A storm hold and a reserve beside a car that charges at once: protection (3) stands above a mode (7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.control.dispatch import ControlMemory, Decision, decide
from gateway.core.control.storm import SOURCE, storm_windows
from gateway.core.control.timing import ControlTiming
from gateway.core.planning.scheduler import make_plan
from gateway.model.authority import Authority
from gateway.model.plan import IntentKind
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.setpoint import Limit, LimitKind, Setpoint, SetpointKind
from gateway.model.site import BatterySpec, ChargerSpec, Device, Role
from gateway.model.snapshot import Snapshot
from tests.core.homes import SITE, block, car, plan, snapshot
from tests.core.overload_world import Car, Home, after_jumps, random_home
from tests.core.test_planning_properties import at, request
from tests.fakes import START

HOUR = timedelta(hours=1)
NOW = {"car": ChargingPreference(ChargeMode.NOW)}
STORM = Preferences(charging=NOW, storm_until=START + 10 * HOUR)
AT_16 = {"car": Setpoint("car", SetpointKind.CURRENT, 16.0, START + HOUR, Authority.PLAN, "now")}


def decided(shot: Snapshot, memory: ControlMemory | None = None, at: float = 1000.0) -> Decision:
    return decide(SITE, shot, memory or ControlMemory(), ControlTiming(), at)


def told(decision: Decision, device: str) -> Setpoint:
    return next(setpoint for setpoint in decision.setpoints if setpoint.device == device)


def test_the_battery_is_filled_for_the_storm_before_a_car_that_charges_now() -> None:
    """Wrong before: the car kept all of the fuse, and the battery got what it left."""
    charging = snapshot((22, 22, 22), charger=car(16.0), preferences=STORM, soc=60, commanded=AT_16)
    first = told(decided(charging), "car")
    # 25 A less 0.5 A margin, 6 A of house and 5 kW of battery on three phases (7.2 A).
    assert first.value == pytest.approx(25 - 0.5 - 6 - 5_000 / 690, abs=0.1)
    assert first.authority is Authority.PROTECTION and "storm" in first.reason


def test_once_the_battery_charges_the_car_keeps_what_is_left() -> None:
    held = {"car": Setpoint("car", SetpointKind.CURRENT, 11.2, START + HOUR, Authority.PROTECTION, "storm")}
    shot = snapshot((24.4, 24.4, 24.4), charger=car(11.2), preferences=STORM, soc=60, battery_w=5_000, commanded=held)
    decision = decided(shot)
    assert told(decision, "car").value == 11.2
    assert told(decision, "inverter").low == 5_000


def test_a_car_waits_where_the_fuse_holds_only_the_storms_charge() -> None:
    shot = snapshot((23, 23, 23), charger=car(6.0), preferences=STORM, soc=60, commanded=AT_16)
    waits = told(decided(shot), "car")
    assert waits.value == 0 and waits.authority is Authority.PROTECTION


@pytest.mark.parametrize("soc", [100.0, None])
def test_a_full_battery_or_one_that_is_not_heard_takes_nothing_from_the_car(soc: float | None) -> None:
    shot = snapshot((22, 22, 22), charger=car(16.0), preferences=STORM, soc=100, commanded=AT_16)
    if soc is None:
        devices = {name: state for name, state in shot.devices.items() if name != "inverter"}
        shot = Snapshot(START, devices, shot.chargers, STORM, commanded=AT_16)
    assert told(decided(shot), "car").value == 16


@pytest.mark.parametrize(
    ("wishes", "soc"),
    [
        (STORM, 100),
        (Preferences(charging=NOW, battery_reserve_percent=40), 40),
        (Preferences(charging=NOW, battery_reserve_percent=40, battery_to_car=True), 38),
    ],
)
def test_neither_hold_nor_reserve_feeds_a_car_that_charges_now(wishes: Preferences, soc: float) -> None:
    """The car draws 11 kW beside a house of 4 kW: no watt of it comes out of what is kept."""
    shot = snapshot((22, 22, 22), charger=car(16.0), preferences=wishes, soc=soc, commanded=AT_16)
    battery = told(decided(shot), "inverter")
    assert battery.low >= 0 and battery.value >= 0


# --- a storm that is announced

SOON = replace(STORM, storm_from=START + 8 * HOUR, storm_until=START + 20 * HOUR)


def band(shot: Snapshot) -> tuple[float, float, Authority]:
    found = told(decided(shot), "inverter")
    return found.low, found.value, found.authority


def test_before_the_storm_the_battery_keeps_what_it_has_and_may_be_filled() -> None:
    gives = plan(block("inverter", IntentKind.DISCHARGE_AT, -3_000))
    assert band(snapshot((2, 2, 2), preferences=SOON, soc=60, planned=gives)) == (0, 5_000, Authority.PROTECTION)
    fills = plan(block("inverter", IntentKind.CHARGE_AT, 2_000))
    assert band(snapshot((2, 2, 2), preferences=SOON, soc=60, planned=fills)) == (2_000, 5_000, Authority.PLAN)


def test_long_before_the_storm_the_battery_does_as_planned() -> None:
    far = replace(STORM, storm_from=START + 13 * HOUR, storm_until=START + 20 * HOUR)
    assert band(snapshot((2, 2, 2), preferences=far, soc=60))[0] == -5_000


@pytest.mark.parametrize(
    ("hours", "soc", "low"),
    [(1.3, 50, 0), (1.2, 50, 5_000), (0.0, 50, 5_000), (-1.0, 99, 5_000), (3.0, 100, 0), (0.1, 100, 0)],
)
def test_it_is_charged_at_once_when_it_would_else_not_be_full_in_time(hours: float, soc: float, low: float) -> None:
    """Half of 10 kWh at 5 kW and 95 % takes 1.05 h; a fifth more is spared."""
    wishes = replace(SOON, storm_from=START + hours * HOUR)
    assert band(snapshot((2, 2, 2), preferences=wishes, soc=soc))[0] == low


def test_what_began_to_charge_for_the_storm_goes_on_until_it_is_full() -> None:
    begun = {
        "inverter": Setpoint(
            "inverter", SetpointKind.BATTERY_BAND, 5_000, START, Authority.PROTECTION, "", 5_000, SOURCE
        )
    }
    assert band(snapshot((2, 2, 2), preferences=SOON, soc=60, commanded=begun))[0] == 5_000
    assert band(snapshot((2, 2, 2), preferences=SOON, soc=100, commanded=begun))[0] == 0


def test_what_binds_stands_above_what_is_kept_for_the_storm() -> None:
    ordered = Limit(
        LimitKind.BATTERY_DISCHARGE, 2, START - HOUR, START + HOUR, Authority.BINDING_LIMIT, "event", "please give"
    )
    assert band(snapshot(preferences=SOON, soc=60, limits=(ordered,)))[0] == -5_000


@pytest.mark.slow
def test_the_plan_fills_the_battery_in_the_cheapest_hours_before_the_storm() -> None:
    """Wrong before: a storm of tomorrow morning was charged for in the dearest hours of this evening."""
    now = at("2026-11-21 18:00")
    asked = request(now, soc=40.0, sun_w=0.0)
    storm = replace(asked.preferences, storm_from=at("2026-11-22 08:00"), storm_until=at("2026-11-22 20:00"))
    made = make_plan(
        replace(asked, preferences=storm, limits=tuple(storm_windows(asked.site, storm, asked.snapshot, now)))
    )
    power = {slot.start: (slot.power_w["inverter"], slot.soc_percent) for slot in made.slots}
    evening = [w for start, (w, _) in power.items() if start < at("2026-11-21 22:00")]
    assert max(evening) < 50
    kept = [w for start, (w, _) in power.items() if at("2026-11-21 20:00") <= start < at("2026-11-22 20:00")]
    assert min(kept) > -1
    by_eight = [soc for start, (_, soc) in power.items() if start < at("2026-11-22 08:00")][-1]
    assert by_eight is not None and by_eight > 99.5
    charging = [b for b in made.blocks if b.device == "inverter" and b.kind is IntentKind.CHARGE_AT]
    assert charging and "full from Sunday 08:00 until Sunday 20:00" in charging[0].reason


@pytest.mark.slow
def test_while_it_waits_for_them_the_plan_says_so() -> None:
    now = at("2026-11-21 20:30")
    asked = request(now, soc=40.0, sun_w=0.0)
    storm = replace(asked.preferences, storm_from=at("2026-11-22 08:00"), storm_until=at("2026-11-22 20:00"))
    limits = tuple(storm_windows(asked.site, storm, asked.snapshot, now))
    waits = make_plan(replace(asked, preferences=storm, limits=limits)).block("inverter", now)
    assert waits is not None and "filled for the storm by 08:00" in waits.reason
    assert waits.alternative == ""


# --- a living home


class Stormy(Home):
    """The car charges "now"; from the 30th second on the owner wants the battery full."""

    def _seen(self) -> Snapshot:
        seen = super()._seen()
        until = START + 10 * HOUR if self.now > 1030.0 else None
        return replace(seen, preferences=replace(seen.preferences, storm_until=until))


@pytest.mark.parametrize("seed", range(4))
def test_in_a_living_home_the_car_comes_down_and_the_battery_fills_without_an_overload(seed: int) -> None:
    usual = random_home(seed, cars=1)
    car = Device("car0", "Car", Role.EV_CHARGER, ChargerSpec())
    devices = (
        SITE.devices[0],
        car,
        Device("inverter", "Battery", Role.HYBRID_INVERTER, BatterySpec(10_000, 5_000, 5_000)),
    )
    home = Stormy(
        usual.dice, replace(SITE, devices=devices), {"car0": Car(car, ChargerSpec(), 16.0, 3.0 + seed)}, (5.0, 5.0, 5.0), True,
        meter_beat_s=usual.meter_beat_s, tick_beat_s=usual.tick_beat_s, meter_late_s=usual.meter_late_s,
    )  # fmt: skip
    before = after_jumps(home, (), 30)
    assert home.cars["car0"].draws_a == 16 and before.longest_s == 0
    told = set()
    while home.now < 1300.0:
        home.step()
        told.add(home.commanded["car0"].value)
        assert max(home.flows()) <= 25
    assert home.battery_w == pytest.approx(5_000, abs=50)
    assert 11 <= home.cars["car0"].draws_a <= 12.3
    assert len(told) <= 6, "the car is not told another limit all the time"
