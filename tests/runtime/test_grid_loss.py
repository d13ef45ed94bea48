"""A grid that goes away, from the main meter's wire to what chargers and battery are told, and back."""

from __future__ import annotations

import pytest

from gateway.model.quantity import Quantity as Q
from gateway.model.snapshot import GridState
from gateway.runtime.meters import Intake
from tests.adapters.modbus_lab import Lab, lab
from tests.runtime.fakes_devices import FakeActuator, Rig, reading


async def second(rig: Rig, there: Lab) -> None:
    """One second of the home: the meter is polled over its wire, the inverter speaks, the home ticks."""
    await there.poll(1.0)
    for quantity, value in ((Q.BATTERY_POWER, -400.0), (Q.POWER, -400.0), (Q.SOC, 80.0)):
        rig.state.take(reading("inverter", quantity, value, rig.clock.now()))
    rig.tick.step()
    await rig.clock.advance(1.0)


def grid(rig: Rig) -> GridState | None:
    return rig.tick.last.grid if rig.tick.last is not None else None


@pytest.mark.slow
async def test_a_street_without_voltage_is_seen_on_the_meters_wire_and_the_car_stops_at_once() -> None:
    battery = FakeActuator("inverter")
    rig = Rig(actuators={"inverter": battery}, meter_speaks=False)
    async with lab("meter") as there:
        there.intake.state = rig.state
        for _ in range(8):
            await second(rig, there)
        assert rig.car.told[-1].value > 6
        assert grid(rig) is GridState.PRESENT
        there.faults.begin({"kind": "grid_lost", "for_s": 12})
        for _ in range(10):
            await second(rig, there)
        assert grid(rig) is GridState.LOST
        assert rig.car.told[-1].value == 0 and "grid is lost" in rig.car.told[-1].reason
        assert (battery.told[-1].low, battery.told[-1].value) == (-5_000, 5_000)
        assert "grid" in rig.notices.open
        for _ in range(50):
            await second(rig, there)
        assert rig.car.told[-1].value == 0
        for _ in range(80):
            await second(rig, there)
        assert rig.car.told[-1].value > 6
        assert "grid" not in rig.notices.open


async def test_a_contact_that_tells_of_the_grid_passes_the_plausibility_rules() -> None:
    """Wrong before: a quantity without a range was no reading at all."""
    rig = Rig(meter_speaks=False)
    intake = Intake(rig.state, rig.clock, rig.store, rig.notices)
    for told, state in ((1.0, GridState.PRESENT), (0.0, GridState.LOST), (2.0, GridState.LOST)):
        intake.take([reading("inverter", Q.GRID_PRESENT, told, rig.clock.now())], asked=False)
        await rig.run(1)
        assert grid(rig) is state
