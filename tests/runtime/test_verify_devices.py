"""Batteries, relays and thermostats that do not do what they accepted: alarm, fallback, another try."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from gateway.core.control.obedience import obeys
from gateway.core.metering.freeze import Wishes
from gateway.model.authority import Authority
from gateway.model.plan import IntentKind
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import BatterySpec, Device, PoolPumpSpec, Role
from gateway.model.snapshot import DeviceState
from tests.core.homes import BATTERY, SITE, block, plan
from tests.fakes import START
from tests.runtime.fakes_devices import FakeActuator, Rig, reading

OFF = Preferences(charging={"car": ChargingPreference(ChargeMode.OFF)})
CHARGE = Wishes(OFF, plan=plan(block("inverter", IntentKind.CHARGE_AT, 3_000, hours=24)))


@dataclass
class Bench:
    """A rig with a battery whose power is what `does` says: by its band, or whatever it likes."""

    wishes: Wishes = CHARGE
    own_w: float | None = None
    """What it does whatever it is told; None: it obeys."""
    battery: FakeActuator = field(default_factory=lambda: FakeActuator("inverter"))

    def __post_init__(self) -> None:
        self.rig = Rig(wishes=self.wishes, actuators={"inverter": self.battery})

    async def run(self, seconds: int) -> None:
        for _ in range(seconds):
            power = self.own_w
            if power is None:
                power = self.battery.told[-1].low if self.battery.told else 0.0
            for quantity, value in ((Q.BATTERY_POWER, power), (Q.POWER, power), (Q.SOC, 50.0)):
                self.rig.state.take(reading("inverter", quantity, value, self.rig.clock.now()))
            await self.rig.run(1)

    @property
    def notice(self) -> str:
        found = self.rig.notices.open.get("disobeys inverter")
        return found.text if found else ""


@pytest.mark.slow
async def test_a_battery_that_obeys_is_left_in_peace() -> None:
    bench = Bench()
    await bench.run(200)
    assert bench.notice == "" and bench.battery.releases == 0


@pytest.mark.slow
async def test_a_battery_outside_its_band_is_told_of_and_let_go_and_leaves_the_plan() -> None:
    bench = Bench(own_w=-1_000.0)
    changed: list[str] = []
    bench.rig.tick.devices.on_change = changed.append
    await bench.run(55)
    assert bench.notice == ""
    await bench.run(20)
    assert "accepted to stay between 3000 W and 5000 W but is at -1000 W" in bench.notice
    assert bench.battery.releases == 1 and changed == ["inverter"]
    told = len(bench.battery.told)
    await bench.run(300)
    assert len(bench.battery.told) == told
    assert bench.rig.tick.last is not None and bench.rig.tick.last.let_go == {"inverter"}


@pytest.mark.slow
async def test_it_is_tried_again_later_and_the_alarm_ends_when_it_obeys() -> None:
    bench = Bench(own_w=-1_000.0)
    await bench.run(100)
    bench.own_w = None
    await bench.run(900)
    assert bench.notice and not bench.rig.tick.devices.let_go
    await bench.run(90)
    assert bench.notice == ""


@pytest.mark.slow
async def test_one_that_still_does_not_obey_is_tried_more_and_more_seldom() -> None:
    bench = Bench(own_w=-1_000.0)
    await bench.run(2_000)
    assert bench.battery.releases == 2
    await bench.run(700)
    assert bench.battery.releases == 2


@pytest.mark.slow
async def test_a_glitch_shorter_than_a_minute_accuses_nobody() -> None:
    bench = Bench()
    for _ in range(5):
        await bench.run(30)
        bench.own_w = -2_000.0
        await bench.run(30)
        bench.own_w = None
    assert bench.notice == ""


async def test_a_band_that_does_no_harm_lasts_for_hours_and_a_forced_one_for_minutes() -> None:
    """The adapters write again at half of that (adapters/modbus/commands.py), so it is what makes the writes few."""
    free, forced = Bench(wishes=Wishes(OFF)), Bench()
    await free.run(2)
    await forced.run(2)
    lasts = [(bench.battery.told[0].until - START).total_seconds() for bench in (free, forced)]
    assert lasts == [10_800, 1_800]


async def test_a_relay_that_is_off_and_draws_is_told_of_and_told_again() -> None:
    tank = FakeActuator("tank")
    rig = Rig(wishes=Wishes(OFF, plan=plan(block("tank", IntentKind.IDLE, hours=24))), actuators={"tank": tank})
    for _ in range(80):
        for quantity, value in ((Q.TEMPERATURE, 60.0), (Q.ON, 1.0), (Q.POWER, 2_000.0)):
            rig.state.take(reading("tank", quantity, value, rig.clock.now()))
        await rig.run(1)
    assert "was switched off but is not: it draws 2000 W" in rig.notices.open["disobeys tank"].text
    assert tank.releases == 0 and len(tank.told) >= 2


POOL = Device("pool", "Pool pump", Role.POOL_PUMP, PoolPumpSpec(1_100))
TANK, HEAT_PUMP, INVERTER = SITE.devices[3], SITE.devices[4], SITE.devices[1]
BIG = replace(INVERTER, spec=replace(BATTERY, max_charge_w=5_000.0))


def told(kind: SetpointKind, value: float, low: float = 0.0) -> Setpoint:
    return Setpoint("x", kind, value, START, Authority.PLAN, "", low=low)


BAND, SWITCH, TARGET = SetpointKind.BATTERY_BAND, SetpointKind.SWITCH, SetpointKind.TEMPERATURE


@pytest.mark.parametrize(
    ("device", "values", "power_w", "setpoint", "seen"),
    [
        (BIG, {Q.SOC: 50.0}, 3_000.0, told(BAND, 5_000, 3_000), True),
        (BIG, {Q.SOC: 50.0}, 0.0, told(BAND, 5_000, 3_000), False),
        (BIG, {Q.SOC: 97.0}, 400.0, told(BAND, 5_000, 3_000), None),
        (BIG, {Q.SOC: 5.0}, 0.0, told(BAND, -3_000, -3_000), None),
        (BIG, {Q.SOC: 50.0}, 0.0, told(BAND, -3_000, -3_000), False),
        (BIG, {Q.SOC: 50.0}, -2_000.0, told(BAND, 5_000, 0), False),
        (BIG, {Q.SOC: 50.0}, -300.0, told(BAND, 5_000, 0), True),
        (BIG, {}, None, told(BAND, 5_000, 0), None),
        (TANK, {Q.ON: 0.0, Q.POWER: 0.0}, None, told(SWITCH, 1), False),
        (TANK, {Q.ON: 1.0, Q.POWER: 0.0}, None, told(SWITCH, 1), True),
        (TANK, {Q.ON: 0.0, Q.POWER: 1_900.0}, None, told(SWITCH, 0), False),
        (TANK, {Q.POWER: 0.0}, None, told(SWITCH, 1), None),
        (POOL, {Q.ON: 1.0, Q.POWER: 3.0}, None, told(SWITCH, 1), False),
        (HEAT_PUMP, {Q.TARGET_TEMPERATURE: 21.5}, None, told(TARGET, 21.0), True),
        (HEAT_PUMP, {Q.TARGET_TEMPERATURE: 24.0}, None, told(TARGET, 21.0), False),
        (HEAT_PUMP, {}, None, told(TARGET, 21.0), None),
    ],
)
def test_what_counts_as_obeying(
    device: Device, values: dict[Q, float], power_w: float | None, setpoint: Setpoint, seen: bool | None
) -> None:
    state = DeviceState(device.id, device.role, True, 1.0, values)
    assert obeys(device, state, power_w, setpoint) is seen


def test_of_a_device_that_is_not_heard_nothing_is_known() -> None:
    state = DeviceState("inverter", Role.HYBRID_INVERTER, False, 90.0, {})
    assert obeys(Device("b", "B", Role.BATTERY, BatterySpec(1, 1, 1)), state, 0.0, told(BAND, 5_000, 3_000)) is None
