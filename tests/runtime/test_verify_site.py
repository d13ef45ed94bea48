"""Limits of the whole connection in the audit, and commands that events take over or that devices confirm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.metering.freeze import Wishes
from gateway.model.authority import Authority
from gateway.model.plan import IntentKind
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Limit, LimitKind
from tests.core.homes import block, plan
from tests.fakes import START
from tests.runtime.fakes_devices import FakeActuator, Rig, reading
from tests.runtime.test_export_limit import Hybrid
from tests.runtime.test_export_limit import run as live

OFF = Preferences(charging={"car": ChargingPreference(ChargeMode.OFF)})
SMART = Preferences(charging={"car": ChargingPreference(ChargeMode.SMART)})
HOUR = timedelta(hours=1)


def limit(kind: LimitKind, value: float, source: str = "utility:e1", device: str = "", **more: object) -> Limit:
    made = Limit(kind, value, START, START + HOUR, Authority.BINDING_LIMIT, source, "The utility asked.", device)
    return replace(made, **more)  # type: ignore[arg-type]


def rows(rig: Rig, source: str = "utility:e1", subject: str = "") -> list[tuple[str, str]]:
    found = [row for row in rig.store.audit_rows if row.source == source and subject in ("", row.subject)]
    return [(row.step, row.subject) for row in found]


def last_text(rig: Rig) -> str:
    return next(row.text for row in reversed(rig.store.audit_rows) if row.source == "utility:e1")


async def test_a_capacity_limit_the_plan_made_room_for_is_commanded_and_confirmed_at_the_meter() -> None:
    """Wrong before: nothing had to be told to a device, so the event's record had neither step."""
    rig = Rig(wishes=Wishes(OFF, limits=(limit(LimitKind.SITE_IMPORT, 4_000.0),)))
    await rig.run(30)
    assert rows(rig) == [("commanded", "grid connection"), ("confirmed", "grid connection")]
    assert last_text(rig) == "1380 W drawn at the meter under the limit of 4000 W"


async def test_a_capacity_limit_is_confirmed_only_once_it_is_kept() -> None:
    rig = Rig(wishes=Wishes(OFF, limits=(limit(LimitKind.SITE_IMPORT, 4_000.0),)), house_a=8.0)
    await rig.run(20)
    assert rows(rig) == [("commanded", "grid connection")]
    rig.house_a = 5.0
    await rig.run(8)
    assert rows(rig)[-1] == ("confirmed", "grid connection")


async def test_a_limit_that_is_stated_anew_is_the_same_and_another_interval_of_the_event_is_not() -> None:
    rig = Rig(wishes=Wishes(OFF, limits=(limit(LimitKind.SITE_IMPORT, 4_000.0),)))
    await rig.run(10)
    rig.wishes = Wishes(OFF, limits=(limit(LimitKind.SITE_IMPORT, 4_000.0, start=START + timedelta(seconds=5)),))
    await rig.run(10)
    assert len(rows(rig)) == 2
    rig.wishes = Wishes(OFF, limits=(limit(LimitKind.SITE_IMPORT, 3_000.0, start=START + timedelta(seconds=15)),))
    await rig.run(10)
    assert [step for step, _ in rows(rig)] == ["commanded", "confirmed"] * 2


@pytest.mark.slow
async def test_a_car_bound_by_a_capacity_limit_is_commanded_and_confirmed_for_the_event() -> None:
    rig = Rig(wishes=Wishes(Preferences(charging={"car": ChargingPreference(ChargeMode.NOW)})))
    await rig.run(30)
    assert rig.car.told[-1].value == 16.0
    rig.wishes = replace(rig.wishes, limits=(limit(LimitKind.SITE_IMPORT, 8_000.0),))
    await rig.run(40)
    assert rig.car.told[-1].source == "utility:e1" and 6.0 <= rig.car.told[-1].value < 12.0
    assert rows(rig, subject="car") == [("commanded", "car"), ("confirmed", "car")]


@pytest.mark.slow
async def test_an_event_that_wants_what_the_car_does_already_is_told_and_confirmed_without_a_write() -> None:
    """Wrong before: its record never said that it was followed."""
    paused = plan(block("car", IntentKind.HOLD, hours=5))
    rig = Rig(wishes=Wishes(SMART, plan=paused))
    await rig.run(40)
    told, kept = len(rig.car.told), len(rig.store.audit_rows)
    rig.wishes = replace(rig.wishes, limits=(limit(LimitKind.DEVICE_POWER, 0.0, device="car"),))
    await rig.run(10)
    assert len(rig.car.told) == told, "nothing is sent for it"
    assert rows(rig) == [("commanded", "car"), ("confirmed", "car")]
    for second in range(20):  # a limit that comes and goes makes no rows
        on = (limit(LimitKind.DEVICE_POWER, 0.0, device="car"),) if second % 2 else ()
        rig.wishes = replace(rig.wishes, limits=on)
        await rig.run(1)
    assert len(rig.store.audit_rows) == kept + 2
    rig.wishes = replace(rig.wishes, limits=(limit(LimitKind.DEVICE_POWER, 0.0, "utility:e2", "car"),))
    await rig.run(5)
    assert rows(rig, "utility:e2") == [("commanded", "car"), ("confirmed", "car")]


async def test_a_tank_confirms_an_events_command_once_by_its_own_reading() -> None:
    tank = FakeActuator("tank")
    rig = Rig(
        wishes=Wishes(OFF, plan=plan(block("tank", IntentKind.RUN, hours=24)), limits=()), actuators={"tank": tank}
    )

    async def run(seconds: int, on: float) -> None:
        for _ in range(seconds):
            for quantity, value in ((Q.TEMPERATURE, 60.0), (Q.ON, on), (Q.POWER, 2_000.0 * on)):
                rig.state.take(reading("tank", quantity, value, rig.clock.now()))
            await rig.run(1)

    await run(10, 1.0)
    assert not [row for row in rig.store.audit_rows if row.step == "confirmed" and row.subject == "tank"], "no event"
    rig.wishes = replace(rig.wishes, limits=(limit(LimitKind.TANK_SHED, 2.0, device="tank"),))
    await run(5, 1.0)
    assert rows(rig) == [("commanded", "tank")], "it draws still"
    await run(15, 0.0)
    assert rows(rig) == [("commanded", "tank"), ("confirmed", "tank")]
    assert last_text(rig) == "seen off, draws 0 W"


async def test_a_battery_confirms_an_events_setpoint_by_its_power() -> None:
    battery = FakeActuator("inverter")
    rig = Rig(wishes=Wishes(OFF), actuators={"inverter": battery})

    async def run(seconds: int, power_w: float) -> None:
        for _ in range(seconds):
            for quantity, value in ((Q.BATTERY_POWER, power_w), (Q.POWER, power_w), (Q.SOC, 50.0)):
                rig.state.take(reading("inverter", quantity, value, rig.clock.now()))
            await rig.run(1)

    await run(5, 0.0)
    rig.wishes = replace(rig.wishes, limits=(limit(LimitKind.BATTERY_SETPOINT, 2_500.0, device="inverter"),))
    await run(10, 0.0)
    assert rows(rig) == [("commanded", "inverter")]
    await run(10, 2_480.0)
    assert rows(rig) == [("commanded", "inverter"), ("confirmed", "inverter")]
    assert last_text(rig) == "2480 W measured, told between 2500 W and 2500 W"


@pytest.mark.slow
async def test_a_cut_of_the_sun_is_confirmed_once_for_its_event_by_the_meter() -> None:
    inverter = Hybrid("inverter", sun_w=6_000.0)
    rig = Rig(wishes=Wishes(OFF, limits=(limit(LimitKind.SITE_EXPORT, 2_000.0),)), actuators={"inverter": inverter})
    await live(rig, inverter, 60, 500.0)
    mine = [step for step, subject in rows(rig) if subject == "inverter"]
    assert mine.count("commanded") >= 1 and mine.count("confirmed") == 1
    assert ("confirmed", "grid connection") in rows(rig)


async def test_a_heat_pump_confirms_an_events_target_once_it_shows_it() -> None:
    pump = FakeActuator("heat_pump")
    rig = Rig(wishes=Wishes(OFF), actuators={"heat_pump": pump})

    async def run(seconds: int, target_c: float) -> None:
        for _ in range(seconds):
            for quantity, value in ((Q.TEMPERATURE, 20.5), (Q.TARGET_TEMPERATURE, target_c)):
                rig.state.take(reading("heat_pump", quantity, value, rig.clock.now()))
            await rig.run(1)

    await run(5, 21.0)
    rig.wishes = replace(rig.wishes, limits=(limit(LimitKind.TEMPERATURE_OFFSET, -2.0, device="heat_pump"),))
    await run(5, pump.told[-1].value)
    assert rows(rig) == [("commanded", "heat_pump")], "it shows the old target"
    await run(5, pump.told[-1].value)
    assert rows(rig) == [("commanded", "heat_pump"), ("confirmed", "heat_pump")]
