"""A battery told to go to a state of charge: there, no further, and with its permissions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.control.storage import own_wish
from gateway.model.authority import Authority
from gateway.model.setpoint import Limit, LimitKind
from tests.core.homes import BATTERY, SITE, snapshot
from tests.fakes import START


def wish(soc: float | None, target: float, *, authority: Authority = Authority.DEMAND_RESPONSE, **spec: object):
    device = replace(next(d for d in SITE.devices if d.id == "inverter"), spec=replace(BATTERY, **spec))  # type: ignore[arg-type]
    site = replace(SITE, devices=tuple(device if d.id == "inverter" else d for d in SITE.devices))
    limit = Limit(
        LimitKind.BATTERY_SOC, target, START, START + timedelta(hours=2), authority, "vtn:e", "words.", "inverter"
    )
    return own_wish(site, snapshot(soc=soc, limits=(limit,)), device)


@pytest.mark.parametrize(
    ("soc", "low", "high"), [(40.0, 5_000, 5_000), (79.5, 0, 0), (80.4, 0, 0), (95.0, -5_000, 0)],
    ids=["below: charges", "just below: there", "just above: there", "above: feeds the house, takes nothing"],
)  # fmt: skip
def test_it_goes_to_the_charge_asked_for_and_no_further(soc, low, high):
    found = wish(soc, 80.0)
    assert (found.low, found.value, found.authority) == (low, high, Authority.DEMAND_RESPONSE)


def test_a_battery_that_may_not_charge_from_the_grid_waits_for_the_sun():
    found = wish(40.0, 80.0, grid_charge=False)
    assert found.low <= 0
