"""Peaks, contracted power and tiers as the planner asks for them: what counts, what is free, what one more costs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.core.tariff.bill import bill
from gateway.core.tariff.limits import import_limit_w, limit_edges
from gateway.core.tariff.peaks import (
    demand_edges,
    demand_floor_w,
    demand_masks,
    demand_micro,
    demand_rate_micro,
    demand_windows,
    month_index,
    to_date,
)
from gateway.core.tariff.tiers import marginal_tier_micro, tier_index, tier_period, tier_steps
from gateway.model.tariff import BillKind, BillLine, Tariff, ToDate
from tests.core.tariff_world import local, make, run, shipped

MONTH = "2026-11-02 00:00"
"""A Monday."""
PEAK = {"name": "peak", "per_kw_month": 4.0}


def demand(tariff: Tariff, *data: object) -> list[BillLine]:
    return [line for line in bill(tariff, *data).lines if line.kind is BillKind.DEMAND]  # type: ignore[arg-type]


def test_the_highest_quarter_hour_of_the_month_is_billed_and_the_line_says_when_it_was() -> None:
    (line,) = demand(make(demand=[PEAK]), run(local(MONTH), [1000.0, 6000.0, 2000.0]))
    assert (line.peak_w, line.micro) == (6000.0, 24_000_000)
    assert line.peak_at == local("2026-11-02 00:15")
    assert str(line.month) == "2026-11-01"


def test_at_least_the_least_power_is_billed() -> None:
    (line,) = demand(make(demand=[{**PEAK, "least_kw": 2.5}]), run(local(MONTH), [1000.0]))
    assert (line.peak_w, line.micro) == (1000.0, 10_000_000)


def test_each_month_has_its_own_peak_and_a_part_of_a_month_is_billed_whole() -> None:
    lines = demand(make(demand=[PEAK]), run(local("2026-11-30 23:45"), [3000.0, 5000.0]))
    assert [(line.month.month, line.micro) for line in lines if line.month] == [(11, 12_000_000), (12, 20_000_000)]


def test_a_peak_is_the_mean_over_the_window_and_not_of_a_shorter_interval() -> None:
    hourly = make(demand=[{**PEAK, "window_minutes": 60}])
    (line,) = demand(hourly, run(local(MONTH), [8000.0, 0.0, 0.0, 0.0, 1000.0]))
    assert line.peak_w == 2000.0


def test_an_interval_longer_than_the_window_is_flat_over_each() -> None:
    (line,) = demand(make(demand=[PEAK]), run(local(MONTH), [3000.0], seconds=3600))
    assert line.peak_w == pytest.approx(3000.0)


def test_a_window_half_covered_counts_the_known_energy_over_its_whole_length() -> None:
    hourly = make(demand=[{**PEAK, "window_minutes": 60}])
    (line,) = demand(hourly, run(local(MONTH), [None, None, 4000.0, 4000.0]))
    assert line.peak_w == 2000.0


def test_the_mean_of_three_is_of_three_different_local_days() -> None:
    tariff = make(demand=[{**PEAK, "mean_of": 3}])
    day = [0.0] * 94
    # given 9 and 8 kW on the first day, 5 on the second, 4 on the third, 1 on the fourth
    data = run(local(MONTH), [9000, 8000, *day, 5000, 5000, *day, 4000, 0, *day, 1000])
    (line,) = demand(tariff, data)
    assert line.peak_w == pytest.approx((9000 + 5000 + 4000) / 3)
    (two,) = demand(tariff, data[:100])
    assert two.peak_w == 7000


def test_only_windows_that_start_inside_the_charges_time_count() -> None:
    tariff = make(
        demand=[{**PEAK, "from": "07:00", "to": "22:00", "days": ["mon", "holiday"]}], holidays=["2026-11-03"]
    )
    at = run(local("2026-11-02 06:45"), [9000.0, 2000.0]) + run(local("2026-11-02 21:45"), [3000.0, 9000.0])
    (monday,) = demand(tariff, at)
    assert monday.peak_w == 3000
    (holiday,) = demand(tariff, run(local("2026-11-03 12:00"), [7000.0]))
    assert holiday.peak_w == 7000
    (tuesday,) = demand(tariff, run(local("2026-11-10 12:00"), [7000.0]))
    assert (tuesday.peak_w, tuesday.peak_at, tuesday.micro) == (0.0, None, 0)


def test_a_window_that_began_before_the_charges_time_does_not_count_though_it_reaches_into_it() -> None:
    tariff = make(demand=[{**PEAK, "from": "07:10", "to": "22:00"}])
    (line,) = demand(tariff, run(local("2026-11-02 07:00"), [9000.0, 3000.0]))
    assert line.peak_w == 3000


def test_a_charge_of_winter_is_not_billed_in_summer_even_with_a_least_power() -> None:
    winter = {**PEAK, "season": "winter", "least_kw": 2.5}
    tariff = make(demand=[winter], seasons={"winter": {"from": "11-01", "to": "03-31"}})
    assert demand(tariff, run(local("2026-07-01 12:00"), [5000.0])) == []
    assert len(demand(tariff, run(local("2026-03-31 12:00"), [5000.0]))) == 1


@pytest.mark.parametrize(("kw", "price"), [(0.0, 155), (2.0, 155), (2.01, 195), (5.0, 195), (5.01, 335), (120.0, 5980)])
def test_a_peak_in_steps_costs_its_step(kw: float, price: int) -> None:
    (line,) = demand(shipped("no_glitre_2024_example"), run(local(MONTH), [kw * 1000], seconds=3600))
    assert line.micro == price * 1_000_000


def test_windows_follow_the_local_clock_where_it_is_half_an_hour_aside() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    tariff = make(timezone="Asia/Kolkata", demand=[{**PEAK, "window_minutes": 60}])
    (line,) = demand(tariff, run(local("2026-11-02 09:00", zone), [4000.0] * 4 + [0.0] * 4))
    assert (line.peak_w, line.peak_at) == (4000.0, local("2026-11-02 09:00", zone))


def test_the_hour_that_comes_twice_is_two_windows() -> None:
    tariff = make(demand=[{**PEAK, "window_minutes": 60}])
    first = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 summer time, and once more an hour later
    (line,) = demand(tariff, run(first, [3000.0] * 8))
    assert (line.peak_w, line.peak_at) == (3000.0, first)


def test_to_date_holds_the_running_month_up_to_now() -> None:
    tariff = make(
        demand=[{**PEAK, "mean_of": 2}, {"name": "evening", "per_kw_month": 1, "from": "18:00", "to": "20:00"}],
        tiers={"steps": [{"up_to_kwh": 10, "add": 0}, {"add": 0.1}]},
    )
    # given 9 kW in October, 4 kW on 1 November, 6 kW on 2 November at noon and more after now
    data = [
        *run(local("2026-10-31 12:00"), [9000.0]),
        *run(local("2026-11-01 12:00"), [4000.0, 3000.0]),
        *run(local("2026-11-02 12:00"), [6000.0, 99_000.0]),
    ]
    found = to_date(tariff, data, local("2026-11-02 12:15"))
    today = date(2026, 11, 2)
    assert found == ToDate(3250.0, (("peak", (6000.0, 4000.0)), ("evening", ())), today, (("peak", 6000.0),))
    assert (found.today("peak", today), found.today("evening", today), found.today("peak", date(2026, 11, 3))) == (
        6000.0, 0.0, 0.0,
    )  # fmt: skip


def test_what_another_peak_costs_begins_above_those_that_count_already() -> None:
    charge = make(demand=[{**PEAK, "mean_of": 2, "least_kw": 2.5}], vat_percent=10).demand[0]
    assert demand_floor_w(charge, ToDate()) == 2500
    assert demand_floor_w(charge, ToDate(0, (("peak", (6000.0,)),))) == 2500
    assert demand_floor_w(charge, ToDate(0, (("peak", (6000.0, 4000.0)),))) == 4000
    assert demand_floor_w(charge, ToDate(0, (("peak", (2000.0, 1000.0)),))) == 2500


def test_the_planners_price_of_a_watt_is_the_bills() -> None:
    tariff = make(demand=[PEAK], vat_percent=10)
    charge = tariff.demand[0]
    low, high = (bill(tariff, run(local(MONTH), [power])).of(BillKind.DEMAND) * 1.1 for power in (5000.0, 5001.0))
    assert demand_rate_micro(tariff, charge) == pytest.approx(high - low, abs=1)
    assert demand_micro(tariff, charge, 5000.0) == pytest.approx(low)


def test_slots_know_their_window_and_month_and_whether_they_count() -> None:
    tariff = make(demand=[{**PEAK, "from": "07:00", "to": "22:00"}])
    first = local("2026-11-30 21:50")
    starts = [first + timedelta(minutes=5 * n) for n in range(6)] + [local("2026-12-01 06:00")]
    durations = [300.0] * 6 + [7200.0]
    (slots,) = demand_windows(tariff, starts, durations)
    assert slots.charge.name == "peak"
    # the last slot begins outside and reaches 07:00: it is flat over a window that counts
    assert slots.inside.tolist() == [True, True, False, False, False, False, True]
    assert slots.window.tolist() == [0, 0, 1, 1, 1, 2, 3]
    assert slots.month.tolist() == month_index(tariff, starts).tolist() == [0] * 6 + [1]
    assert demand_masks(tariff, starts)["peak"].tolist() == [True, True, False, False, False, False, False]
    assert local("2026-11-30 22:00") in demand_edges(tariff, first, starts[-1])
    assert demand_edges(make(), first, starts[-1]) == []


def test_contracted_power_limits_import_inside_its_window_and_the_least_holds() -> None:
    tariff = shipped("es_20td_2025")
    madrid = tariff.timezone
    assert import_limit_w(tariff, local("2026-11-23 12:00", madrid)) == 4600
    assert import_limit_w(tariff, local("2026-11-23 03:00", madrid)) == 5750
    assert import_limit_w(tariff, local("2026-12-08 12:00", madrid)) == 5750  # a Tuesday, the Immaculate Conception
    day = local("2026-11-23 00:30", madrid)
    assert local("2026-11-23 08:00", madrid) in limit_edges(tariff, day, day + timedelta(hours=12))
    assert import_limit_w(make(), day) is None and limit_edges(make(), day, day + timedelta(days=2)) == []


def test_the_next_kwh_costs_what_its_tier_adds() -> None:
    tariff = make(vat_percent=10, tiers={"steps": [{"up_to_kwh": 300, "add": 0.0}, {"add": 0.08}]})
    now = local(MONTH)
    assert tier_steps(tariff, now) == [(300_000.0, 0.0), (None, pytest.approx(88_000))]
    assert [marginal_tier_micro(tariff, wh, now) for wh in (0, 299_999, 300_000)] == [0, 0, pytest.approx(88_000)]
    assert marginal_tier_micro(make(), 1e9, now) == 0 and tier_steps(make(), now) == []
    assert tier_period(tariff, now) == (local("2026-11-01 00:00"), local("2026-12-01 00:00"))


def test_an_allowance_per_day_is_that_of_the_running_month() -> None:
    tariff = shipped("us_california_baseline_example")
    when = local("2026-02-10 12:00", tariff.timezone)
    assert tier_steps(tariff, when)[0] == (28 * 11_000.0, -95_660.0)


def test_tiers_of_a_day_begin_again_at_local_midnight() -> None:
    tariff = make(tiers={"period": "day", "steps": [{"up_to_kwh": 10, "add": 0.0}, {"add": 0.08}]})
    starts = [local("2026-11-30 23:45"), local("2026-12-01 00:00"), local("2026-12-02 01:00")]
    assert tier_index(tariff, starts).tolist() == [0, 1, 2]
    assert tier_index(make(), starts).tolist() == [0, 1, 1]
    assert tier_period(tariff, starts[0]) == (local("2026-11-30 00:00"), local("2026-12-01 00:00"))
    data = run(local("2026-11-30 22:00"), [4000.0, 4000.0, 4000.0], seconds=3600)
    assert to_date(tariff, data, local("2026-12-01 01:00")).tier_wh == 4000
