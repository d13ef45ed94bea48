"""An export limit at run time: the battery's band and the cut of the sun stand side by side on one inverter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from gateway.core.metering.freeze import Wishes
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import SetpointKind
from tests.core.homes import SITE
from tests.runtime.fakes_devices import FakeActuator, Rig, reading

OFF = Wishes(Preferences(charging={"car": ChargingPreference(ChargeMode.OFF)}))
FEW = replace(SITE, export_limit_w=2_000.0)
BAND, CUT = SetpointKind.BATTERY_BAND, SetpointKind.PV_LIMIT


@dataclass
class Hybrid(FakeActuator):
    """An inverter of 8 kW whose panels could give `sun_w`, its battery full."""

    controls: frozenset[SetpointKind] = field(default_factory=lambda: frozenset({BAND, CUT}))
    sun_w: float = 6_000.0

    @property
    def made_w(self) -> float:
        cuts = [setpoint.value for setpoint in self.told if setpoint.kind is CUT]
        return min(self.sun_w, 80.0 * (cuts[-1] if cuts else 100.0))


async def run(rig: Rig, inverter: Hybrid, seconds: int, load_w: float) -> float:
    """The power at the meter after so many seconds, W."""
    for _ in range(seconds):
        made = inverter.made_w
        for quantity, value in ((Q.POWER, -made), (Q.PV_POWER, -made), (Q.BATTERY_POWER, 0.0), (Q.SOC, 100.0)):
            rig.state.take(reading("inverter", quantity, value, rig.clock.now()))
        rig.house_a = (load_w - made) / 690
        await rig.run(1)
    return load_w - inverter.made_w


@pytest.mark.slow
async def test_the_sun_is_cut_to_the_contract_within_ten_seconds_and_the_band_stands_beside_it() -> None:
    inverter = Hybrid("inverter")
    rig = Rig(site=FEW, wishes=OFF, actuators={"inverter": inverter})
    assert await run(rig, inverter, 10, 500.0) >= -2_000
    assert {setpoint.kind for setpoint in inverter.told} == {BAND, CUT}
    assert sum(setpoint.kind is BAND for setpoint in inverter.told) == 1
    assert -2_000 <= await run(rig, inverter, 120, 500.0) <= -1_500
    assert rig.tick.setpoints["inverter"].kind is BAND and rig.tick.setpoints["inverter power limit"].kind is CUT


async def test_an_inverter_that_takes_no_limit_is_never_sent_one_and_a_person_is_told() -> None:
    inverter = Hybrid("inverter", controls=frozenset({BAND}))
    rig = Rig(site=FEW, wishes=OFF, actuators={"inverter": inverter})
    await run(rig, inverter, 60, 500.0)
    assert {setpoint.kind for setpoint in inverter.told} == {BAND}
    assert "no inverter here takes a limit" in rig.notices.open["export"].text
    inverter.sun_w = 1_000.0
    await run(rig, inverter, 5, 500.0)
    assert "export" not in rig.notices.open
