"""The tick on fake time: what it sends and when, and what it does with devices that refuse, hang or disobey."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from gateway.core.control.timing import ControlTiming
from gateway.core.control.unsure import safe_setpoints
from gateway.core.metering.freeze import Wishes
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused, DeviceUnreachable
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Limit, LimitKind, Setpoint, SetpointKind
from gateway.model.site import ChargerSpec, Device, Role
from gateway.runtime import tick as tick_module
from gateway.runtime.tick import describe
from tests.core.homes import SITE
from tests.fakes import START, FakeClock
from tests.runtime.fakes_devices import FakeActuator, FakeCharger, Rig, reading

OFF = Wishes(Preferences(charging={"car": ChargingPreference(ChargeMode.OFF)}))
TWO_CARS = replace(
    SITE, main_fuse_a=63.0, devices=(*SITE.devices, Device("van", "Van", Role.EV_CHARGER, ChargerSpec()))
)


def amps(charger: FakeCharger) -> list[float]:
    return [setpoint.value for setpoint in charger.told]


async def test_a_wish_that_does_not_change_is_sent_once() -> None:
    rig = Rig()
    await rig.run(40)
    assert amps(rig.car) == [16.0]
    assert rig.tick.count == 40


@pytest.mark.slow
async def test_a_command_is_refreshed_at_half_of_its_life() -> None:
    rig = Rig(wishes=OFF)
    await rig.run(130)
    assert amps(rig.car) == [0.0, 0.0, 0.0]
    assert [(s.until - START).total_seconds() for s in rig.car.told] == [120, 180, 240]


@pytest.mark.slow
async def test_a_refresh_is_no_new_row_of_the_audit() -> None:
    rig = Rig(wishes=OFF)
    await rig.run(130)
    assert [(row.step, row.subject) for row in rig.store.audit_rows] == [("commanded", "car"), ("confirmed", "car")]


async def test_commands_are_refreshed_when_the_wall_clock_is_set_back() -> None:
    """Wrong before: a command's rest was counted on the wall clock, and after a step back none was sent for hours."""
    rig = Rig(wishes=OFF)
    await rig.run(10)
    rig.clock.step(-7200)
    await rig.run(60)
    assert len(rig.car.told) == 2


async def test_a_hung_charger_does_not_delay_another() -> None:
    van = FakeCharger("van")
    rig = Rig(site=TWO_CARS, chargers={"car": FakeCharger(hangs=True), "van": van})
    await rig.run(40)
    assert rig.car.tries <= 2 and not rig.car.told
    assert van.told and rig.tick.count == 40


async def test_a_refused_command_is_noticed_once_and_tried_again() -> None:
    tank = FakeActuator("tank", error=DeviceUnreachable("tank", "switch", "no answer", "Check its Wi-Fi."))
    rig = Rig(actuators={"tank": tank})
    await rig.run(11)
    assert 8 <= tank.tries <= 12
    assert rig.notices.open["command tank"].text == "Water heater did not take a command: no answer. Check its Wi-Fi."
    tank.error = None
    await rig.run(5)
    assert len(tank.told) == 1 and "command tank" not in rig.notices.open


async def test_a_device_that_came_back_is_told_without_the_pause_after_a_failure() -> None:
    rig = Rig(chargers={"car": FakeCharger(error=DeviceUnreachable("car", "limit", "not connected"))})
    await rig.run(1)
    rig.car.error = None
    rig.tick.sent["car"].retry_at = rig.clock.monotonic() + 10
    rig.tick.reachable("car")
    await rig.run(1)
    assert len(rig.car.told) == 1


async def test_a_refused_refresh_is_not_repeated_every_tick() -> None:
    """Wrong before: only a changed wish waited for the retry pause."""
    tank = FakeActuator("tank")
    rig = Rig(actuators={"tank": tank})
    await rig.run(5)
    tank.error, tank.tries = DeviceUnreachable("tank", "switch", "no answer"), 0
    await rig.run(65)
    assert tank.tries <= 11


async def test_a_refusal_without_words_is_noticed_too() -> None:
    rig = Rig(actuators={"tank": FakeActuator("tank", error=CommandRefused("tank", "switch", ""))})
    await rig.run(5)
    assert "command tank" in rig.notices.open


async def test_an_error_nobody_foresaw_stays_with_its_device() -> None:
    rig = Rig(actuators={"tank": FakeActuator("tank", error=ZeroDivisionError("odd firmware"))})
    await rig.run(20)
    assert "odd firmware" in rig.notices.open["command tank"].text
    assert amps(rig.car) == [16.0]


async def test_a_refusal_known_from_before_a_restart_ends_with_the_first_accepted_command() -> None:
    """Wrong before: the notification stayed open for ever."""
    rig = Rig(actuators={"tank": FakeActuator("tank")})
    rig.notices.later_raise("command tank", "warning", "did not take a command")
    await rig.run(2)
    assert not rig.notices.open


async def test_a_full_disk_does_not_stop_control() -> None:
    rig = Rig()
    rig.store.broken = True
    await rig.run(40)
    assert amps(rig.car) == [16.0]


async def test_a_slow_disk_does_not_delay_the_next_command() -> None:
    """Wrong before: the device's next command waited for the audit row of the one before."""
    rig = Rig()
    rig.store.gate.clear()
    await rig.run(3)
    rig.wishes = OFF
    await rig.run(1)
    assert amps(rig.car)[-1] == 0.0
    rig.store.gate.set()
    await rig.clock.settle()
    assert len(rig.store.audit_rows) == len(rig.car.told)


@pytest.mark.slow
async def test_a_charger_that_disobeys_is_taken_to_the_next_rung() -> None:
    rig = Rig(wishes=OFF, chargers={"car": FakeCharger(amps=16.0, obeys=False, rungs=["TxProfile", "reset"])})
    await rig.run(25)
    assert rig.car.climbed == 1 and rig.tick.disobeying == {"car"}
    assert "TxProfile" in rig.notices.open["disobeys car"].text
    assert amps(rig.car) == [0.0, 0.0], "the wish is sent again on the new rung"
    await rig.run(35)
    assert rig.car.climbed == 2
    rig.car.amps = 0.0
    await rig.run(25)
    assert not rig.tick.disobeying and "disobeys car" not in rig.notices.open


@pytest.mark.slow
async def test_the_last_rung_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(wishes=OFF, chargers={"car": FakeCharger(amps=16.0, obeys=False)})
    await rig.run(200)
    assert rig.car.climbed > 3
    assert "no other way is left" in rig.notices.open["disobeys car"].text
    assert len([r for r in caplog.records if "does not honour" in r.message]) == 1


async def test_an_obedient_charger_is_left_alone() -> None:
    rig = Rig()
    await rig.run(60)
    assert rig.car.climbed == 0 and not rig.tick.disobeying


async def test_a_silent_meter_brings_the_safe_current_within_ten_seconds_and_a_tick() -> None:
    rig = Rig()
    await rig.run(30)
    assert amps(rig.car)[-1] == 16.0
    rig.meter_speaks = False
    await rig.run(12)
    last = rig.car.told[-1]
    assert last.value == 6.0 and last.authority is Authority.ELECTRICAL_SAFETY
    assert (last.until - START).total_seconds() - 120 <= 29 + 11
    assert "meter" in rig.notices.open
    rig.meter_speaks = True
    await rig.run(2)
    assert "meter" not in rig.notices.open


async def test_nobody_is_alarmed_before_the_meter_could_answer() -> None:
    """Wrong before: every start of the gateway stored an alarm of a silent meter, ended a second later."""
    rig = Rig(meter_speaks=False)
    await rig.run(9)
    assert "meter" not in rig.notices.open and amps(rig.car) == [6.0]
    await rig.run(3)
    assert "meter" in rig.notices.open


async def test_a_meter_that_speaks_every_ten_seconds_alarms_nobody_while_its_pace_is_learned() -> None:
    """Wrong before: each of its pauses was an alarm. The cars still get no more than their safe current until it is known."""
    rig = Rig(meter_speaks=False)
    for _ in range(6):
        rig.state.take(reading("meter", Quantity.POWER, 500.0, rig.clock.now()))
        await rig.run(10)
        assert "meter" not in rig.notices.open
    await rig.run(20)
    assert "meter" in rig.notices.open


async def test_counters_alone_do_not_vouch_for_a_silent_meter() -> None:
    """Wrong before: any reading kept the meter young, and unknown currents counted as zero."""
    rig = Rig()
    await rig.run(30)
    rig.meter_speaks = False
    for second in range(12):
        rig.state.take(reading("meter", Quantity.ENERGY_IMPORT, 1000.0 + second, rig.clock.now()))
        await rig.run(1)
    assert amps(rig.car)[-1] == 6.0


async def test_an_overload_lowers_every_charger_in_the_same_tick() -> None:
    van = FakeCharger("van")
    rig = Rig(site=replace(TWO_CARS, main_fuse_a=40.0), chargers={"car": FakeCharger(), "van": van})
    rig.wishes = Wishes(Preferences(charging={c: ChargingPreference(ChargeMode.NOW) for c in ("car", "van")}))
    await rig.run(60)
    assert amps(rig.car)[-1] == amps(van)[-1] == 16.0
    rig.house_a = 30.0
    await rig.run(1)
    assert sum(amps(c)[-1] for c in (rig.car, van)) + 30.0 <= 40.0


async def test_an_event_pauses_the_car_in_the_first_tick() -> None:
    rig = Rig()
    await rig.run(30)
    end = START.replace(hour=22)
    limit = Limit(
        LimitKind.DEVICE_POWER, 0.0, START, end, Authority.DEMAND_RESPONSE, "event", "The utility asked.", "car"
    )
    rig.wishes = replace(rig.wishes, limits=(limit,))
    await rig.run(1)
    assert (amps(rig.car)[-1], rig.car.told[-1].source) == (0.0, "event")
    assert rig.store.audit_rows[-1].text.endswith("by a utility event you joined: The utility asked.")


@pytest.mark.slow
async def test_an_ended_command_no_longer_counts_as_what_the_device_does() -> None:
    """Wrong before: after a long silence of the charger its old, high limit passed as the present one."""
    rig = Rig()
    await rig.run(30)
    rig.car.error = DeviceUnreachable("car", "limit", "not connected")
    await rig.run(60)
    rig.car.amps = 6.0  # its profile ended
    await rig.run(90)
    assert rig.tick.last is not None and not rig.tick.last.commanded
    rig.car.error, rig.house_a = None, 15.0
    told = len(rig.car.told)
    await rig.run(4)
    assert max(amps(rig.car)[told:]) + rig.house_a <= 24.5


async def test_hurry_ticks_at_once_and_never_puts_the_next_tick_off() -> None:
    """Wrong before: each hurried tick moved the following one a whole period away."""
    rig, ticks = Rig(), []
    rig.tick.on_tick = lambda snapshot: ticks.append(rig.clock.monotonic())
    task = asyncio.create_task(rig.tick.run())
    await rig.clock.advance(0.2)
    for _ in range(3):
        rig.tick.hurry()
        await rig.clock.advance(0.1)
    await rig.clock.advance(1.6)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ticks == pytest.approx([0.0, 0.2, 0.3, 0.4, 1.0, 2.0])


async def test_an_orderly_end_releases_every_actuator() -> None:
    rig = Rig(actuators={"tank": FakeActuator("tank"), "heat_pump": FakeActuator("heat_pump")})
    await rig.run(2)
    await rig.tick.release_all()
    assert [a.releases for a in rig.actuators.values()] == [1, 1]


async def test_an_orderly_end_is_bounded_and_a_hung_device_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wrong before: a command that hung took all the time there was, and nobody was released."""
    monkeypatch.setattr(tick_module, "RELEASE_S", 0.09)
    hung, tank = FakeActuator("heat_pump", hangs=True), FakeActuator("tank")
    rig = Rig(actuators={"heat_pump": hung, "tank": tank}, chargers={"car": FakeCharger(hangs=True)})
    await rig.run(2)
    started = time.monotonic()
    await rig.tick.release_all()
    assert time.monotonic() - started < 0.5
    assert tank.releases == 1 and hung.releases == 0


async def test_at_speed_a_tick_is_a_hundred_real_milliseconds() -> None:
    class Fast(FakeClock):
        @property
        def speed(self) -> float:
            return 150.0

    assert Rig(clock=Fast()).tick.period_s == 15.0
    assert Rig().tick.period_s == 1.0


@pytest.mark.parametrize(
    ("kind", "value", "low", "words"),
    [
        (SetpointKind.CURRENT, 6.0, 0.0, "6.0 A"),
        (SetpointKind.SWITCH, 1.0, 0.0, "on"),
        (SetpointKind.SWITCH, 0.0, 0.0, "off"),
        (SetpointKind.TEMPERATURE, 20.5, 0.0, "20.5 °C"),
        (SetpointKind.PV_LIMIT, 40.0, 0.0, "40 %"),
        (SetpointKind.BATTERY_BAND, 5000.0, -5000.0, "between -5000 W and 5000 W"),
    ],
)
def test_a_setpoint_is_told_with_its_unit_its_end_and_its_reason(
    kind: SetpointKind, value: float, low: float, words: str
) -> None:
    setpoint = Setpoint("x", kind, value, START, Authority.PLAN, "It is cheap.", low=low)
    assert describe(setpoint) == f"{words} until 16:30:00 UTC by the plan: It is cheap."


# ---- a tick that cannot decide


async def test_a_tick_that_cannot_decide_sends_the_safe_currents_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Wrong before: the loop died and came back after up to 30 s, the cars at what they were told last."""
    rig = Rig()
    await rig.run(40)
    assert amps(rig.car)[-1] == 16.0
    sound, rig.tick.wishes = rig.tick.wishes, broken
    loop = asyncio.create_task(rig.tick.run())
    await rig.clock.advance(5)
    assert amps(rig.car)[-1] == ChargerSpec().safe_current_a
    assert rig.tick.sent["car"].accepted.authority is Authority.ELECTRICAL_SAFETY  # type: ignore[union-attr]
    alarm = rig.notices.open["control"]
    assert alarm.level == "alarm" and "OverflowError" in alarm.text and "safe current" in alarm.text
    assert caplog.text.count("the tick failed and goes on") == 1
    rig.tick.wishes = sound
    await rig.clock.advance(2)
    assert "control" not in rig.notices.open and not rig.tick.failing
    loop.cancel()


async def test_a_tick_that_cannot_decide_is_no_hung_one() -> None:
    """What feeds the service manager's watchdog counts on: a restart would only take the pages away."""
    rig = Rig()
    rig.tick.wishes = broken
    loop = asyncio.create_task(rig.tick.run())
    await rig.clock.advance(5)
    assert 5 <= rig.tick.count <= 6
    assert amps(rig.car) == [ChargerSpec().safe_current_a]
    loop.cancel()


def broken() -> Wishes:
    raise OverflowError("date value out of range")


def test_what_is_safe_raises_no_car_and_rests_a_battery_that_was_forced() -> None:
    def said(device: str, kind: SetpointKind, value: float, low: float = 0.0) -> Setpoint:
        return Setpoint(device, kind, value, START, Authority.PLAN, "", low)

    battery = SetpointKind.BATTERY_BAND
    told = {s.slot: s for s in (said("car", SetpointKind.CURRENT, 0.0), said("battery", battery, 3000.0, 3000.0),
                                said("follows", battery, 3000.0, -3000.0))}  # fmt: skip
    safe = {s.device: (s.value, s.low) for s in safe_setpoints(TWO_CARS, told, START, ControlTiming())}
    assert safe == {"car": (0.0, 0.0), "van": (ChargerSpec().safe_current_a, 0.0), "battery": (0.0, 0.0)}
