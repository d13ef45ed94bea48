"""The grid is lost: what goes off, what stays, what the battery may give, and how the home comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from gateway.core.control.dispatch import ControlMemory, decide
from gateway.core.control.heating import FROST_C
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.loads import ApplianceRun, Loads
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Setpoint
from gateway.model.site import ApplianceSpec, Device, PoolPumpSpec, Role, Site, Tier
from gateway.model.snapshot import DeviceState, GridState, Snapshot
from tests.core.homes import BATTERY, SITE, snapshot
from tests.fakes import START

POOL = Device("pool", "Pool pump", Role.POOL_PUMP, PoolPumpSpec(1_100, 24))
WASH = Device("wash", "Dishwasher", Role.APPLIANCE, ApplianceSpec((2_000, 100), 900))
HOME = replace(SITE, devices=(*SITE.devices, POOL, WASH))
WISHES = Preferences(charging={"car": ChargingPreference(ChargeMode.NOW)})


def with_grid(shot: Snapshot, present: float | None) -> Snapshot:
    if present is None:
        return shot
    inverter = shot.devices["inverter"]
    told = replace(inverter, values={**inverter.values, Q.GRID_PRESENT: present})
    return replace(shot, devices={**shot.devices, "inverter": told})


@dataclass
class Outage:
    """A home that is told every second whether its grid is there."""

    site: Site = HOME
    memory: ControlMemory = field(default_factory=ControlMemory)
    now: float = 0.0
    told: Mapping[str, Setpoint] = field(default_factory=dict)
    alarms: tuple[tuple[str, str], ...] = ()

    def run(self, seconds: int, present: float | None, shot: Snapshot | None = None) -> None:
        shot = with_grid(shot or snapshot(preferences=WISHES, soc=80), present)
        for _ in range(seconds):
            self.now += 1.0
            decision = decide(self.site, shot, self.memory, ControlTiming(), self.now)
            self.memory, self.alarms = decision.memory, decision.alarms
            self.told = {setpoint.device: setpoint for setpoint in decision.setpoints}

    def value(self, device: str) -> float:
        return self.told[device].value


def test_what_is_not_essential_is_off_at_once_and_the_rest_runs_on() -> None:
    home = Outage()
    home.run(10, 1)
    assert home.value("car") == 16 and home.value("pool") == 1
    home.run(5, 0)
    assert (home.value("car"), home.value("pool"), home.value("wash")) == (0, 0, 0)
    assert home.told["car"].authority is Authority.PROTECTION
    assert home.value("heat_pump") > FROST_C
    assert "lost" in dict(home.alarms)["grid"]


def test_a_grid_that_is_away_for_two_seconds_switches_nothing_off() -> None:
    home = Outage()
    home.run(10, 1)
    home.run(2, 0)
    assert home.value("car") == 16
    home.run(1, 1)
    home.run(2, 0)
    assert home.value("car") == 16


def test_what_is_nice_goes_off_below_half_of_the_battery_and_comes_back_a_little_above() -> None:
    home = Outage()
    low, between, high = (snapshot(preferences=WISHES, soc=soc, water_c=30) for soc in (49, 53, 56))
    home.run(5, 0, high)
    assert home.value("tank") == 1
    home.run(1, 0, low)
    assert home.value("tank") == 0 and home.value("heat_pump") == FROST_C
    home.run(1, 0, between)
    assert home.value("tank") == 0
    home.run(1, 0, high)
    assert home.value("tank") == 1


def test_what_must_run_runs_as_long_as_the_battery_lasts() -> None:
    must = tuple(replace(d, tier=Tier.MUST) if d.id in ("tank", "pool") else d for d in HOME.devices)
    home = Outage(replace(HOME, devices=must))
    home.run(5, 0, snapshot(preferences=WISHES, soc=11, water_c=30))
    assert home.value("tank") == 1 and home.value("pool") == 1 and home.value("car") == 0


def test_the_owners_own_least_for_the_battery_counts() -> None:
    home = Outage()
    home.run(5, 0, snapshot(preferences=replace(WISHES, island_soc_percent=20), soc=30, water_c=30))
    assert home.value("tank") == 1


def test_the_reserve_is_for_this_and_the_battery_gives_down_to_its_least() -> None:
    home = Outage()
    wishes = replace(WISHES, battery_reserve_percent=40)
    home.run(10, 1, snapshot(preferences=wishes, soc=30))
    assert home.told["inverter"].low == 0 and home.told["inverter"].authority is Authority.PROTECTION
    home.run(5, 0, snapshot(preferences=wishes, soc=30))
    assert home.told["inverter"].low == -5_000
    home.run(5, 0, snapshot(preferences=wishes, soc=5))
    assert home.told["inverter"].low == 0


def test_the_battery_serves_the_island_even_when_the_main_meter_died_with_the_grid() -> None:
    home = Outage()
    dead = snapshot(preferences=WISHES, soc=80, meter_age_s=60)
    home.run(10, 0, dead)
    assert home.told["inverter"].low == -5_000
    assert home.value("car") == 0
    assert list(dict(home.alarms)) == ["grid"]


def test_a_battery_that_only_takes_a_power_is_left_to_itself_on_an_island() -> None:
    plain = replace(HOME.devices[1], spec=replace(BATTERY, follows_meter=False))
    home = Outage(replace(HOME, devices=(HOME.devices[0], plain, *HOME.devices[2:])))
    home.run(5, 1)
    assert home.told["inverter"].low == home.told["inverter"].value
    home.run(5, 0)
    assert "inverter" not in home.told


def test_a_machine_in_the_middle_of_its_run_is_left_to_finish() -> None:
    home = Outage()
    run = ApplianceRun("wash", START - timedelta(hours=1), START + timedelta(hours=3), "owner", START)
    run = replace(run, started_at=START - timedelta(minutes=20), ends_at=START + timedelta(minutes=10))
    shot = replace(snapshot(preferences=WISHES, soc=80), loads=Loads(runs={"wash": run}))
    home.run(10, 0, shot)
    assert home.value("wash") == 1


@pytest.mark.slow
def test_the_home_comes_back_after_a_minute_of_steady_grid_one_device_after_the_other() -> None:
    home = Outage()
    low = snapshot(preferences=WISHES, soc=30, water_c=30)
    home.run(10, 0, low)
    home.run(30, 1, low)
    home.run(1, 0, low)  # not steady: the minute begins anew
    home.run(59, 1, low)
    assert [home.value(name) for name in ("tank", "car", "pool")] == [0, 0, 0]
    home.run(2, 1, low)
    back = list[tuple[str, ...]]()
    for _ in range(80):
        home.run(1, 1, low)
        on = tuple(name for name in ("tank", "heat_pump", "car", "pool", "wash") if home.value(name) > FROST_C
                   or (name != "heat_pump" and home.value(name) > 0))  # fmt: skip
        if not back or on != back[-1]:
            back.append(on)
    assert [len(on) for on in back] == [1, 2, 3, 4, 5]
    assert "tank" in back[0] and "heat_pump" in back[1]
    assert "grid" not in dict(home.alarms)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"present": 0}, GridState.LOST),
        ({"present": 1, "doubt": True}, GridState.PRESENT),
        ({"doubt": True}, GridState.LOST),
        ({"doubt": True, "inverter": False}, GridState.UNKNOWN),
        ({"volts": (231.0, 229.0, 232.0)}, GridState.PRESENT),
        ({"volts": (231.0, 2.0, 232.0)}, GridState.UNKNOWN),
        ({}, GridState.UNKNOWN),
    ],
)
def test_the_grid_is_what_a_device_says_else_what_the_meters_voltages_show(
    change: dict[str, object], expected: GridState
) -> None:
    shot = snapshot()
    meter = shot.devices["meter"]
    if change.get("doubt"):
        words = "all_zero: the meter answers and tells of no voltage"
        meter = replace(meter, values={}, doubts={Q.POWER: words})
    if volts := change.get("volts"):
        assert isinstance(volts, tuple)
        told = dict(zip((Q.VOLTAGE_L1, Q.VOLTAGE_L2, Q.VOLTAGE_L3), volts, strict=True))
        meter = replace(meter, values={**meter.values, **told})
    inverter = replace(shot.devices["inverter"], online=bool(change.get("inverter", True)))
    shot = replace(shot, devices={**shot.devices, "meter": meter, "inverter": inverter})
    present = change.get("present")
    assert with_grid(shot, None if present is None else float(str(present))).grid is expected


@pytest.mark.slow
def test_without_any_word_about_the_grid_nothing_changes() -> None:
    home = Outage()
    home.run(200, None)
    assert home.value("car") == 16 and home.alarms == ()


def test_a_device_state_of_an_outage_is_told_apart_from_a_silent_inverter() -> None:
    shot = snapshot()
    silent = DeviceState("inverter", Role.HYBRID_INVERTER, False, 90.0, {}, "no answer")
    home = Outage()
    home.run(30, None, replace(shot, devices={**shot.devices, "inverter": silent}))
    assert "grid" not in dict(home.alarms)
