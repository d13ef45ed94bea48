"""What a car still needs, at the charger's meter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.control.car import needed_wh
from gateway.model.preferences import ChargingPreference
from gateway.model.site import ChargerSpec
from tests.core.homes import car

WISH = ChargingPreference(target_wh=20_000.0, target_soc_percent=80.0)


@pytest.mark.parametrize(
    ("soc_percent", "session_wh", "needs_wh"),
    [
        (None, 5_000.0, 15_000.0),
        (None, 25_000.0, 0.0),
        (50.0, 5_000.0, 20_000.0),  # 18 kWh in the battery, a tenth is lost in the car's own charger
        (90.0, 0.0, 0.0),
    ],
)
def test_a_car_needs_its_target_and_the_losses_on_the_way(soc_percent, session_wh, needs_wh):
    """Wrong before: a car that told its state of charge was planned a tenth short of full."""
    status = replace(car(0.0, session_wh=session_wh), soc_percent=soc_percent)
    assert needed_wh(status, WISH, ChargerSpec(ev_battery_wh=60_000.0)) == pytest.approx(needs_wh)
