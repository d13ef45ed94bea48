"""The plan keeps something in hand against a busier day, as long as that is worth its price."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.planner_hedge import CASES, make_world, run, worst_decile
from gateway.core.planning.hedge import reserves
from gateway.core.planning.home import make_home
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import make_plan
from gateway.core.tariff.rates import parse_tariff
from gateway.model.plan import Forecast, Plan
from gateway.model.site import BatterySpec
from tests.core.fuzz_requests import BASE
from tests.core.test_planning_properties import at, request

NOW = at("2026-11-18 22:30")


def unsure(asked: PlanRequest, share: float = 0.6) -> PlanRequest:
    """The same with quantiles of the load around its mean."""
    mean = asked.load.mean
    low, high = (tuple(w * (1 + sign * share) for w in mean) for sign in (-1, 1))
    return replace(asked, load=replace(asked.load, low=low, high=high))


def asked() -> PlanRequest:
    """A winter night; the battery is large enough for all the dear hours of the next day."""
    what = request(NOW, soc=15.0, sun_w=0.0, load_w=700.0, target_wh=0.0)
    spec = BatterySpec(40_000, 8_000, 8_000)
    devices = tuple(replace(d, spec=spec) if d.id == "inverter" else d for d in what.site.devices)
    wishes = replace(what.preferences, accept_higher_peak=True)
    return replace(what, site=replace(what.site, devices=devices), preferences=wishes, steps=((24.0, 900),))


def soc_at_end_of_peak(plan: Plan) -> float:
    """State of charge when the dear hours of the next evening end."""
    evening = at("2026-11-19 22:00")
    return [s for s in plan.slots if s.start < evening][-1].soc_percent or 0.0


def test_a_battery_is_filled_for_an_evening_that_may_be_busier_than_expected() -> None:
    sure, hedged = (make_plan(what, alternatives=False) for what in (asked(), unsure(asked())))
    assert soc_at_end_of_peak(sure) == pytest.approx(10.0, abs=1.0)
    assert soc_at_end_of_peak(hedged) > 12.0


def test_where_energy_always_costs_the_same_there_is_nothing_to_keep_a_reserve_for() -> None:
    flat = parse_tariff({**BASE, "rates": [{"name": "all", "import": 0.3, "export": 0.05}]})
    assert reserves(make_home(unsure(replace(asked(), tariff=flat)))) == ()


def test_the_reserve_is_worth_the_chance_that_it_is_needed_times_what_it_saves() -> None:
    kept = reserves(make_home(unsure(asked())))
    assert kept
    for reserve in kept:
        assert list(reserve.worth) == sorted(reserve.worth, reverse=True)
        # At most 38 % of the dear price (0.42 a kWh) through the battery.
        assert 0 < max(reserve.worth) < 0.38 * 420 * 0.95


def test_the_car_is_planned_with_what_a_busier_day_leaves_of_the_fuse_as_long_as_it_will_be_ready() -> None:
    tight = request(NOW, import_limit_w=9_000.0, load_w=2_000.0, sun_w=0.0, target_wh=20_000.0)
    sure, careful = make_home(tight), make_home(unsure(tight, 0.5))
    later = careful.slots.ahead_h >= 1.0
    assert (careful.cars[0].cap_w[later] <= sure.cars[0].cap_w[later] - 900).all()
    assert not make_plan(unsure(tight, 0.5), alternatives=False).relaxed
    hopeless = replace(unsure(tight, 0.5), preferences=request(NOW, target_wh=70_000.0).preferences)
    assert make_home(hopeless).cars[0].cap_w.max() == pytest.approx(sure.cars[0].cap_w.max())


def test_a_forecast_without_quantiles_is_taken_at_its_word() -> None:
    plain = Forecast("load", NOW, 3600, (700.0,) * 60)
    assert reserves(make_home(replace(asked(), load=plain))) == ()


@pytest.mark.slow
def test_over_noisy_days_the_reserve_lowers_the_worst_decile_and_costs_the_mean_nothing_to_speak_of() -> None:
    case, days = CASES[1], 15
    world = make_world(case, days, 3)
    plain, hedged = (run(case, world, days, hedged=hedged) for hedged in (False, True))
    assert worst_decile(hedged) < worst_decile(plain)
    assert sum(hedged) <= 1.005 * sum(plain)
