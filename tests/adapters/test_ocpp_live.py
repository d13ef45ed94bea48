"""The power of a charger that tells none: derived from its currents, else from its register; unknown stays unknown."""

from __future__ import annotations

import pytest

from adapters.ocpp.live import LiveState
from adapters.ocpp.samples import Sample
from gateway.model.quantity import CURRENTS, VOLTAGES, Quantity
from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import home
from tests.fakes import FakeClock

L1, L2, L3 = CURRENTS
V1 = VOLTAGES[0]


class Box:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.live = LiveState("car", (1, 2, 3), self.clock, 10.0)

    async def says(self, seconds: float, **values: float) -> float | None:
        await self.clock.advance(seconds)
        self.live.take_sample(Sample(None, {Quantity(name): value for name, value in values.items()}))
        return self.live.power_w()


@pytest.mark.parametrize(
    ("values", "power_w"),
    [
        ({L1: 16.0, L2: 16.0, L3: 16.0}, 16 * 3 * 230),
        ({L1: 10.0, L2: 0.0, L3: 0.0, V1: 240.0}, 2400),
        ({L1: 16.0, Quantity.POWER: 3500.0}, 3500),
        ({V1: 240.0}, None),
    ],
    ids=["currents alone, at the nominal voltage", "its own voltage", "its own word goes first", "no current"],
)
def test_power_comes_from_currents_and_voltages(values: dict[Quantity, float], power_w: float | None) -> None:
    box = Box()
    readings = box.live.take_sample(Sample(None, values))
    assert box.live.power_w() == power_w
    assert {reading.quantity for reading in readings} == set(values)  # what is derived is no reading


async def test_the_zeros_of_a_charger_at_rest_do_not_outlive_its_first_currents() -> None:
    box = Box()
    box.live.idle()
    assert box.live.power_w() == 0.0
    assert await box.says(1, **{L1.value: 16.0}) == 3680.0
    box.live.idle()
    assert box.live.power_w() == 0.0


async def test_where_neither_power_nor_current_is_told_the_register_tells_it() -> None:
    box, energy = Box(), Quantity.ENERGY_IMPORT.value
    assert await box.says(0, **{energy: 5000.0}) is None
    assert await box.says(10, **{energy: 5030.0}) == pytest.approx(10_800)
    for step in range(1, 6):
        box_w = await box.says(10, **{energy: 5030.0 + 10 * step})
    assert box_w == pytest.approx(3600)  # of the last half minute only
    await box.clock.advance(31)
    assert box.live.power_w() is None


@pytest.mark.parametrize("after", [100.0, 900_000.0], ids=["a reset register", "a register that jumps"])
async def test_a_register_that_does_not_follow_tells_no_power(after: float) -> None:
    box, energy = Box(), Quantity.ENERGY_IMPORT.value
    await box.says(0, **{energy: 5000.0})
    assert await box.says(10, **{energy: after}) is None


async def test_a_charger_of_currents_only_has_a_power_in_its_status() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        sampled = [{"value": 10, "measurand": "Current.Import", "phase": phase} for phase in ("L1", "L2", "L3")]
        await charger.event("Started", state="EVConnected", evse=1)
        at = charger.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        await charger.event("Updated", state="Charging", meterValue=[{"timestamp": at, "sampledValue": sampled}])
        assert station.status().power_w == pytest.approx(6900)
