"""What a plan says it costs is what the bill engine would bill; peaks, tiers and contracts are part of the plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
import pytest

from gateway.core.planning.optimiser import optimise
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import frozen, make_plan
from gateway.core.tariff.bill import bill
from gateway.core.tariff.peaks import to_date
from gateway.core.tariff.rates import parse_tariff
from gateway.model.plan import Forecast, Plan
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.tariff import BillKind, Tariff, ToDate
from tests.core.fuzz_requests import BASE
from tests.core.test_planning_properties import ZONE, at, request

NOW = at("2026-11-18 16:00")
MIDNIGHT = at("2026-11-19 00:00")
MONTHLY = {"name": "peak", "per_kw_month": 4.1}
STEPS = {"name": "steps", "steps": [{"up_to_kw": 5, "per_month": 14.0}, {"up_to_kw": 10, "per_month": 25.0},
                                    {"per_month": 80.0}]}  # fmt: skip
ENERGY = (BillKind.IMPORT, BillKind.EXPORT, BillKind.TIER, BillKind.DEMAND)


def tariff(**more: Any) -> Tariff:
    return parse_tariff({**BASE, **more})


def asked(now: datetime = NOW, *, with_tariff: Tariff, **change: Any) -> PlanRequest:
    return request(now, tariff=with_tariff, **change)


def plan_of(what: PlanRequest) -> Plan:
    return make_plan(what, alternatives=False)


def grid_peak_w(plan: Plan) -> float:
    return max(slot.power_w["grid"] for slot in plan.slots)


def history(until: datetime) -> list[Interval]:
    """The quarter hours of the month so far: 400 W, and 3 kW each evening at 19:00."""
    start = until.astimezone(ZONE).replace(day=1, hour=0, minute=0)
    count = int((until - start).total_seconds() // 900)
    starts = [start.astimezone(until.tzinfo) + timedelta(minutes=15 * i) for i in range(count)]
    return [metered(s, 900, 750.0 if s.astimezone(ZONE).hour == 19 else 100.0, 0.0) for s in starts]


def metered(start: datetime, seconds: int, bought: float, sold: float) -> Interval:
    return Interval("meter", start, seconds, bought, sold, IntervalQuality.VALID, "test")


def planned(plan: Plan) -> list[Interval]:
    found = []
    for slot in plan.slots:
        wh = slot.power_w["grid"] * slot.duration_s / 3600
        found.append(metered(slot.start, slot.duration_s, max(0.0, wh), max(0.0, -wh)))
    return found


def billed_micro(what: Tariff, intervals: list[Interval], spot: Series | None) -> float:
    """What energy, tiers and peaks cost, VAT on what is paid."""
    found = bill(what, intervals, spot)
    paid = sum(found.of(kind) for kind in ENERGY if kind is not BillKind.EXPORT)
    return found.of(BillKind.EXPORT) + paid * (1 + what.vat_percent / 100)


SPOT = Series(
    SeriesKind.SPOT,
    tuple(Point(NOW + timedelta(hours=h), NOW + timedelta(hours=h + 1), 90_000.0 + 30_000 * (h % 7)) for h in range(60)),
    "file", NOW, "EUR",
)  # fmt: skip
TARIFFS: list[tuple[str, dict[str, Any], datetime]] = [
    ("time of use with VAT", {"vat_percent": 21}, NOW),
    ("spot", {"rates": [{"name": "all", "import": 0.1, "export": 0.0, "spot_factor": 1, "export_spot_factor": 0.9,
                         "spot_typical": 0.08}],
              "vat_percent": 6}, NOW),
    ("rising tiers of the month", {"tiers": {"steps": [{"up_to_kwh": 230, "add": 0.0}, {"add": 0.08}]}}, NOW),
    ("tiers per day of the month", {"tiers": {"per_day": True, "steps": [{"up_to_kwh": 8, "add": 0}, {"add": 0.1}]}}, NOW),
    ("falling tiers of the day", {"tiers": {"period": "day", "steps": [{"up_to_kwh": 9, "add": 0.05}, {"add": -0.02}]}},
     MIDNIGHT),
    ("monthly peak with VAT", {"demand": [MONTHLY], "vat_percent": 21}, NOW),
    ("peaks of an hour", {"demand": [{**MONTHLY, "window_minutes": 60, "from": "07:00", "to": "22:00"}]}, NOW),
    ("the mean of three days' peaks", {"demand": [{**MONTHLY, "mean_of": 3}]}, MIDNIGHT),
    ("peaks in steps", {"demand": [STEPS]}, NOW),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("extra", "now"), [row[1:] for row in TARIFFS], ids=[row[0] for row in TARIFFS])
def test_the_money_a_plan_tells_is_the_bill_of_its_grid_power(extra: dict[str, Any], now: datetime) -> None:
    what, before = tariff(**extra), history(now)
    told = asked(now, with_tariff=what, to_date=to_date(what, before, now), spot=SPOT)
    plan = plan_of(told)
    more = billed_micro(what, [*before, *planned(plan)], SPOT) - billed_micro(what, before, SPOT)
    assert plan.cost_micro == pytest.approx(more, abs=10_000)


@pytest.mark.slow
def test_a_priced_peak_flattens_what_the_car_draws() -> None:
    free = plan_of(asked(with_tariff=tariff()))
    priced = plan_of(asked(with_tariff=tariff(demand=[MONTHLY])))
    assert grid_peak_w(priced) < 0.6 * grid_peak_w(free)
    assert not priced.relaxed


@pytest.mark.slow
def test_a_peak_the_month_has_seen_already_costs_nothing() -> None:
    seen = ToDate(peaks_w=(("peak", (8_000.0,)),))
    plan = plan_of(asked(with_tariff=tariff(demand=[MONTHLY]), to_date=seen))
    assert 5_000 < grid_peak_w(plan) <= 8_000 + 30


@pytest.mark.slow
def test_a_peak_in_steps_stays_below_the_step_that_is_not_worth_its_price() -> None:
    plan = plan_of(asked(with_tariff=tariff(demand=[STEPS])))
    assert grid_peak_w(plan) <= 5_000 + 30
    in_need = asked(with_tariff=tariff(demand=[STEPS]), target_wh=80_000.0)
    assert 5_000 < grid_peak_w(plan_of(in_need)) <= 10_000 + 30


def test_energy_waits_for_the_next_day_when_the_day_s_cheap_tier_is_used_up() -> None:
    flat = {"rates": [{"name": "all", "import": 0.3, "export": 0.05}]}
    tiers = {"tiers": {"period": "day", "steps": [{"up_to_kwh": 90, "add": 0.0}, {"add": 0.2}]}}
    used = ToDate(tier_wh=90_000.0)
    plan = plan_of(asked(with_tariff=tariff(**flat, **tiers), to_date=used, target_wh=5_000.0, sun_w=0.0))
    before = sum(s.power_w["car"] for s in plan.slots if s.start < MIDNIGHT)
    assert before == 0 and not plan.relaxed


def test_contracted_power_is_never_exceeded_inside_its_window() -> None:
    contracted = [{"name": "P1", "kw": 3.4, "per_kw_day": 0.1, "from": "08:00", "to": "23:00"}]
    plan = plan_of(asked(with_tariff=tariff(contracted=contracted)))
    inside = [s.power_w["grid"] for s in plan.slots if 8 <= s.start.astimezone(ZONE).hour < 23]
    outside = [s.power_w["grid"] for s in plan.slots if s.start.astimezone(ZONE).hour >= 23]
    assert max(inside) <= 3_400 + 2 < max(outside)


def arriving(**change: Any) -> PlanRequest:
    """A home whose car charges at 11 kW on arrival, on a fuse that would allow much more; cheap from 22:00."""
    what = asked(with_tariff=tariff(), **change)
    return replace(what, site=replace(what.site, main_fuse_a=63.0))


@pytest.mark.slow
def test_the_plan_makes_no_peak_that_the_home_would_not_have_by_itself_unless_the_owner_accepts_it() -> None:
    told = arriving()
    accepted = replace(told, preferences=replace(told.preferences, accept_higher_peak=True))
    plan, free = plan_of(told), plan_of(accepted)
    _, plain = frozen(told)
    usual = frozen(told)[0].usual_peak_w
    # The car at 16 A on three phases, the house of 500 W (as long as the battery does not feed it) and what heats.
    assert 11_000 < plain.grid_w(frozen(told)[0]).max() <= usual <= 11_540 + 4_500
    assert grid_peak_w(plan) <= usual + 30 < grid_peak_w(free)
    assert free.cost_micro <= plan.cost_micro
    assert not plan.relaxed


@pytest.mark.slow
def test_up_to_the_years_peak_so_far_the_plan_may_draw_what_it_likes() -> None:
    free = plan_of(replace(arriving(), peak_so_far_w=20_000.0))
    assert grid_peak_w(free) > grid_peak_w(plan_of(arriving())) + 500


def test_a_departure_comes_before_the_usual_peak_and_the_owner_is_told() -> None:
    told = arriving(ready_by=time(18, 30), target_wh=27_000.0, tank_c=45.2, room_c=19.5)
    home, plain = frozen(told)
    # Two and a half hours at 11 kW are just enough: as the house draws 2 kW more meanwhile, a lower peak would not do.
    low = replace(home, usual_peak_w=9_000.0)
    found = optimise(low)
    assert found is not None
    assert found.grid_w(low).max() > 11_000
    assert any("more than the 9.0 kW it would reach by itself" in words for words in found.relaxed)
    assert not any("will lack" in words for words in found.relaxed)
    assert plain.method == "fallback rules"


@pytest.mark.slow
def test_sun_is_cut_rather_than_sold_at_a_loss_where_the_panels_can_be_turned_down() -> None:
    losing = tariff(rates=[{"name": "all", "import": 0.3, "export": -0.05}])
    noon = at("2026-07-01 09:00")
    sold = plan_of(asked(noon, with_tariff=losing, sun_w=12_000.0, phase=None))
    cut = plan_of(asked(noon, with_tariff=losing, sun_w=12_000.0, phase=None, can_curtail=True))
    assert min(s.power_w["grid"] for s in sold.slots) < -1_000
    assert any("sold at a loss" in words for words in sold.relaxed)
    assert min(s.power_w["grid"] for s in cut.slots) > -10
    assert any("is cut while selling it would cost money" in words for words in cut.relaxed)
    assert cut.cost_micro < sold.cost_micro


def test_the_owners_weight_on_carbon_moves_the_car_to_the_clean_hours() -> None:
    clean = (at("2026-11-19 02:00"), at("2026-11-19 05:00"))
    series = Series(SeriesKind.CARBON, (Point(NOW, clean[0], 500.0), Point(*clean, 50.0),
                                        Point(clean[1], NOW + timedelta(days=3), 500.0)), "file", NOW)  # fmt: skip
    told = asked(with_tariff=tariff(), carbon=series)
    told = replace(told, preferences=replace(told.preferences, carbon_weight_micro_per_kg=200_000))
    plan = plan_of(told)
    charged = {s.start: s.power_w["car"] * s.duration_s for s in plan.slots if s.power_w["car"] > 0}
    assert sum(wh for start, wh in charged.items() if clean[0] <= start < clean[1]) > 0.95 * sum(charged.values())


@pytest.mark.slow
def test_warmth_that_counts_little_gives_way_in_dear_hours_and_the_owner_is_told() -> None:
    dear = tariff(rates=[{"name": "all", "import": 0.9, "export": 0.05}])
    cold = Forecast("outdoor", NOW, 3600, (-5.0,) * 60, unit="degC")
    told = asked(with_tariff=dear, outdoor=cold, sun_w=0.0)
    easy = replace(told, preferences=replace(told.preferences, comfort_weight=0.02))
    plan, kept = plan_of(easy), plan_of(told)
    heat = [sum(s.power_w["pump"] * s.duration_s for s in found.slots) for found in (plan, kept)]
    assert heat[0] < 0.9 * heat[1]
    assert any("below your minimum" in words for words in plan.relaxed)
    assert not any("below your minimum" in words for words in kept.relaxed)


def test_energy_that_is_free_all_day_is_used_early() -> None:
    worthless = tariff(rates=[{"name": "all", "import": 0.3, "export": 0.0}])
    morning = at("2026-07-01 09:00")
    plan = plan_of(asked(morning, with_tariff=worthless, sun_w=12_000.0, target_wh=6_000.0, soc=100.0, load_w=200.0))
    charging = [s.start.astimezone(ZONE) for s in plan.slots if s.power_w["car"] > 0]
    assert charging[0].hour == 10 and charging[-1].date() == charging[0].date()
    assert charging[-1].hour <= 11


def test_where_the_mean_of_peaks_is_billed_today_counts_once_and_is_free_up_to_what_it_reached() -> None:
    # given a mean of two days, 8 kW today and 2 kW on another day
    charge = {**MONTHLY, "mean_of": 2}
    known = ToDate(0.0, (("peak", (8_000.0, 2_000.0)),), NOW.date(), (("peak", 8_000.0),))
    what = asked(with_tariff=tariff(demand=[charge]), to_date=known)
    (peaks,) = frozen(what)[0].charges.peaks
    import_w = np.zeros(frozen(what)[0].slots.count)
    # when today reaches 8 kW once more, nothing is added; when tomorrow reaches 4 kW, the mean rises by 1 kW
    assert (peaks.free_of(0), peaks.free_of(1)) == (8_000, 2_000)
    import_w[peaks.days[0][0][0]] = 8_000.0
    assert peaks.micro(import_w) == 0
    import_w[peaks.days[1][0][0]] = 4_000.0
    assert peaks.micro(import_w) == pytest.approx(peaks.vat * 4.1e6)
    # and what is told of yesterday is not today's
    stale = replace(known, day=NOW.date() - timedelta(days=1))
    assert frozen(replace(what, to_date=stale))[0].charges.peaks[0].free_of(0) == 2_000
