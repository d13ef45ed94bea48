"""A battery at a priced peak gives what is above it, and what is worth as much now as later is used now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.planning.scheduler import make_plan
from gateway.core.tariff.rates import parse_tariff
from gateway.model.plan import Forecast, IntentKind
from gateway.model.site import BatterySpec
from tests.core.fuzz_requests import BASE
from tests.core.test_planning_properties import at, request

NOW = at("2026-11-18 17:00")
FLAT = {**BASE, "rates": [{"name": "all", "import": 0.3, "export": 0.05}]}


def test_where_a_peak_is_priced_the_battery_holds_and_gives_only_what_is_above() -> None:
    """Feeding the whole house would empty it before the evening is over."""
    tariff = parse_tariff({**FLAT, "demand": [{"name": "month", "per_kw_month": 4.0, "least_kw": 2.5}]})
    what = request(NOW, sun_w=0.0, load_w=500.0, target_wh=0.0, soc=60.0, tank_c=59.0, room_c=22.0)
    busy = Forecast("load", NOW, 3600, (500.0, *(3_500.0,) * 5, *(500.0,) * 54))
    plan = make_plan(replace(what, tariff=tariff, load=busy, steps=((24.0, 900),)), alternatives=False)
    block = plan.block("inverter", at("2026-11-18 20:30"))
    assert block is not None
    assert block.kind is IntentKind.HOLD
    assert block.energy_wh < -500
    assert "new peak" in block.reason


@pytest.mark.parametrize("wear", [0.0, 20.0])
def test_at_one_price_for_all_hours_a_battery_feeds_the_house_now(wear: float) -> None:
    """What is left at the end was worth as much as now, without the wear of taking it out: it stood still for ever."""
    what = request(NOW, sun_w=0.0, load_w=800.0, target_wh=0.0, soc=60.0)
    spec = BatterySpec(10_000, 5_000, 5_000, wear_cost_micro_per_wh=wear)
    devices = tuple(replace(d, spec=spec) if d.id == "inverter" else d for d in what.site.devices)
    asked = replace(what, site=replace(what.site, devices=devices), tariff=parse_tariff(FLAT), steps=((24.0, 900),))
    plan = make_plan(asked, alternatives=False)
    assert plan.slots[0].power_w["inverter"] < -500
    assert plan.slots[-1].soc_percent == pytest.approx(10.0, abs=1.0)
