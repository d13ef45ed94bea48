"""The tick's verification: disobedience is proven early by the main meter, told step by step, and safety never waits."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.metering.freeze import Wishes
from gateway.model.authority import Authority
from gateway.model.errors import DeviceUnreachable
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.setpoint import Setpoint
from gateway.model.snapshot import ChargerStatus
from tests.runtime.fakes_devices import FakeActuator, FakeCharger, Rig

OFF = Wishes(Preferences(charging={"car": ChargingPreference(ChargeMode.OFF)}))


class Stubborn(FakeCharger):
    """Accepts everything; from `deaf_from` commands on its car draws what it drew before."""

    deaf = False
    sampled_s = 10.0
    """How often it speaks: its own word comes too late for an early proof."""
    now: float = 0.0

    async def apply(self, setpoint: Setpoint) -> None:
        self.obeys = not self.deaf
        await super().apply(setpoint)

    def status(self) -> ChargerStatus:
        return replace(super().status(), sample_interval_s=self.sampled_s, meter_age_s=3.0)


async def _charging(car: FakeCharger) -> Rig:
    rig = Rig(chargers={"car": car})
    await rig.run(60)
    assert car.amps == 16.0
    return rig


async def test_the_main_meter_proves_disobedience_before_the_chargers_own_samples_may() -> None:
    car = Stubborn()
    rig = await _charging(car)
    car.deaf, rig.wishes = True, OFF
    await rig.run(13)
    assert rig.tick.disobeying == {"car"} and car.climbed == 1
    row = next(row for row in rig.store.audit_rows if row.step == "alarm")
    assert "no other way is left" in row.text and row.subject == "car"


async def test_a_load_that_switches_in_the_same_seconds_accuses_nobody_early() -> None:
    car = Stubborn()
    rig = await _charging(car)
    rig.wishes = OFF
    for house in (2.0, 2.0, 9.0, 9.0, 18.0, 18.0, 18.0, 18.0, 18.0, 18.0, 18.0, 18.0, 18.0, 18.0):
        rig.house_a = house
        await rig.run(1)
    assert not rig.tick.disobeying and car.climbed == 0


async def test_an_obedient_car_is_confirmed_and_never_accused() -> None:
    car = Stubborn()
    rig = await _charging(car)
    rig.wishes = OFF
    await rig.run(40)
    assert car.climbed == 0
    assert [row.step for row in rig.store.audit_rows][-1] == "confirmed"


async def test_a_charger_that_answers_nothing_while_it_draws_too_much_counts_as_disobedient() -> None:
    car = Stubborn(rungs=["TxDefaultProfile"])
    rig = await _charging(car)
    car.error, rig.wishes = DeviceUnreachable("car", "limit", "no answer to SetChargingProfile"), OFF
    await rig.run(19)
    assert not rig.tick.disobeying
    await rig.run(4)
    assert rig.tick.disobeying == {"car"} and car.climbed >= 1
    car.error = None
    await rig.run(40)
    assert car.amps == 0.0 and not rig.tick.disobeying and "disobeys car" not in rig.notices.open


async def test_a_charger_that_is_away_is_not_accused() -> None:
    car = Stubborn()
    rig = await _charging(car)
    car.error, car.connected, rig.wishes = DeviceUnreachable("car", "limit", "not connected"), False, OFF
    await rig.run(60)
    assert not rig.tick.disobeying and car.climbed == 0


async def test_each_way_that_fails_is_told_and_kept_in_the_audit() -> None:
    car = Stubborn(rungs=["TxDefaultProfile", "RemoteStop"])
    rig = await _charging(car)
    car.deaf, rig.wishes = True, OFF
    await rig.run(90)
    told = [row.text for row in rig.store.audit_rows if row.step == "alarm"]
    assert len(told) == 3
    assert "TxDefaultProfile" in told[0] and "RemoteStop" in told[1] and "no other way" in told[2]


async def test_a_wish_for_safety_waits_one_second_behind_a_plans_command_that_hangs() -> None:
    """Wrong before: it waited until the battery answered the plan's command, or for its time-out."""
    battery = FakeActuator("inverter", hangs=True)
    rig = Rig(actuators={"inverter": battery})
    await rig.run(5)
    assert battery.tries == 1
    sending = rig.tick.sent["inverter"].sending
    assert sending is not None and sending.authority is not Authority.ELECTRICAL_SAFETY
    rig.meter_speaks = False
    await rig.run(10)
    assert battery.tries == 1
    while rig.tick.setpoints["inverter"].authority is not Authority.ELECTRICAL_SAFETY:
        await rig.run(1)
    await rig.run(1)
    assert battery.tries == 2
    again = rig.tick.sent["inverter"].sending
    assert again is not None and again.authority is Authority.ELECTRICAL_SAFETY
    await rig.run(5)
    assert battery.tries == 2, "one for safety is never cut short: a slow device must get to its end"
