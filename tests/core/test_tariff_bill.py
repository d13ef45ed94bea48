"""Bills: every line added up by hand once, shared where days and months part, and quick over a year."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.tariff.bill import bill, bills_by_month
from gateway.core.tariff.rates import prices
from gateway.model.tariff import BillKind
from tests.core.tariff_world import FLAT, FOLDER, local, make, run, shipped, spot

NOON = local("2026-11-21 12:00")
NIGHT = {"name": "night", "import": 0.20, "export": 0.02, "from": "22:00", "to": "07:00"}
STEPS = [{"up_to_kwh": 10, "add": 0.0}, {"up_to_kwh": 15, "add": 0.05}, {"add": 0.10}]


def test_nothing_metered_is_no_bill() -> None:
    found = bill(make(fixed_per_day=1), [])
    assert (found.micro, found.lines, found.days) == (0, (), 0)


def test_import_and_export_are_lines_of_their_own_by_rate() -> None:
    found = bill(make(rates=[NIGHT, FLAT]), run(local("2026-11-21 21:00"), [1000, -2000] * 4))
    assert [(line.kind.value, line.name, line.wh, line.micro) for line in found.lines] == [
        ("import", "night", 500.0, 100_000),
        ("import", "flat", 500.0, 150_000),
        ("export", "night", 1000.0, -20_000),
        ("export", "flat", 1000.0, -50_000),
    ]


def test_fixed_parts_are_by_local_day_touched_and_by_share_of_the_month() -> None:
    tariff = make(fixed_per_day=0.25, fixed_per_month=6.0)
    # given an interval over midnight of 30 November: two days of two months
    found = bill(tariff, run(local("2026-11-30 23:30"), [0.0], seconds=3600))
    assert found.days == 2
    assert found.fixed_micro == 2 * 250_000 + round(6e6 / 30 + 6e6 / 31)


def test_missing_data_count_their_days_and_their_time_and_no_energy() -> None:
    found = bill(make(fixed_per_day=0.25), run(local("2026-11-30 23:30"), [None, None, 400.0]))
    assert (found.missing_s, found.days, found.fixed_micro) == (1800, 2, 500_000)
    assert found.micro == 500_000 + 30_000


def test_vat_is_a_line_on_what_is_paid_and_not_on_what_export_earns() -> None:
    found = bill(make(vat_percent=21, fixed_per_day=1.0), run(NOON, [1000.0] * 4 + [-1000.0] * 4))
    assert found.of(BillKind.VAT) == round(0.21 * (300_000 + 1_000_000))
    assert found.micro == 300_000 + 1_000_000 - 50_000 + found.of(BillKind.VAT)


def test_tiers_split_the_interval_that_crosses_a_threshold_by_energy() -> None:
    found = bill(make(tiers={"period": "month", "steps": STEPS}), run(NOON, [8000.0, 8000.0], seconds=3600))
    tiers = [(line.name, line.wh, line.micro) for line in found.lines if line.kind is BillKind.TIER]
    assert tiers == [
        ("up to 10 kWh", 10_000.0, 0),
        ("up to 15 kWh", 5000.0, 250_000),
        ("above 15 kWh", 1000.0, 100_000),
    ]


def test_tiers_begin_again_with_the_local_month_or_day() -> None:
    over_midnight = run(local("2026-11-30 22:00"), [12_000.0, 12_000.0], seconds=7200)
    monthly = bill(make(tiers={"period": "month", "steps": STEPS}), over_midnight)
    assert monthly.of(BillKind.TIER) == 2 * round(0.05e6 * 5 + 0.10e6 * 9)
    daily = bill(make(tiers={"period": "day", "steps": STEPS}), run(NOON, [12_000.0, 0, 0], seconds=86_400 // 2))
    # given 144 kWh from noon to midnight
    assert daily.of(BillKind.TIER) == round(0.05e6 * 5 + 0.10e6 * 129)


@pytest.mark.parametrize(
    ("month", "days"), [("2026-02-10", 28), ("2024-02-10", 29), ("2026-11-10", 30), ("2026-12-10", 31)]
)
def test_an_allowance_per_day_is_that_of_the_days_of_the_month(month: str, days: int) -> None:
    tariff = make(tiers={"per_day": True, "steps": [{"up_to_kwh": 1, "add": 0.0}, {"add": 1.0}]})
    found = bill(tariff, run(local(f"{month} 00:00"), [100_000.0], seconds=3600))
    assert found.of(BillKind.TIER) == (100 - days) * 1_000_000


def test_contracted_power_costs_by_day_whatever_its_window() -> None:
    tariff = make(contracted=[{"name": "P1", "kw": 4.6, "per_kw_day": 0.075, "from": "08:00", "to": "09:00"}])
    found = bill(tariff, run(NOON, [0.0] * 30, seconds=3600))
    assert found.of(BillKind.CONTRACTED) == round(4.6 * 0.075 * 2 * 1e6)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_days_of_23_and_25_hours_are_one_day_and_all_their_energy(day: str, hours: int) -> None:
    found = bill(
        make(rates=[NIGHT, FLAT], fixed_per_day=1.0), run(local(f"{day} 00:00"), [1000.0] * hours, seconds=3600)
    )
    by_rate = {line.name: line.wh for line in found.lines if line.kind is BillKind.IMPORT}
    assert by_rate == {"night": (hours - 15) * 1000.0, "flat": 15_000.0}
    assert found.days == 1


powers = st.lists(st.one_of(st.none(), st.floats(-9000, 12_000)), min_size=1, max_size=120)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    powers,
    st.sampled_from([900, 1800, 3600, 10_000]),
    st.integers(0, 365 * 24),
    st.sampled_from(sorted(FOLDER.glob("*"))),
)
def test_the_bills_of_the_months_are_together_the_bill(power, seconds, hour, path) -> None:
    tariff = shipped(path.stem)
    start = local("2026-01-01 00:00", tariff.timezone) + timedelta(hours=hour)
    data = run(start, power, seconds)
    whole, months = bill(tariff, data), bills_by_month(tariff, data)
    assert sum(part.micro for part in months.values()) == pytest.approx(
        whole.micro, abs=2 * len(whole.lines) * len(months)
    )
    assert sum(part.missing_s for part in months.values()) == whole.missing_s
    assert sum(part.days for part in months.values()) == whole.days
    assert sum(part.import_wh for part in months.values()) == pytest.approx(whole.import_wh, abs=1e-6)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-9000, 12_000), min_size=1, max_size=96), st.integers(0, 365 * 24), st.integers(1, 95))
def test_a_bill_does_not_depend_on_the_order_nor_on_how_finely_the_meter_counts(power, hour, cut) -> None:
    tariff = shipped("es_20td_2025")
    start = local("2026-01-01 00:00") + timedelta(hours=hour)
    data = run(start, power, 3600)
    fine = run(start, [each for each in power for _ in range(4)], 900)
    assert bill(tariff, data[cut:] + data[:cut]) == bill(tariff, data)
    assert bill(tariff, fine).micro == pytest.approx(bill(tariff, data).micro, abs=5)


def test_months_are_keyed_by_their_first_local_day_in_order() -> None:
    found = bills_by_month(make(), run(local("2026-11-30 12:00"), [1000.0] * 24, seconds=3600))
    assert list(found) == [date(2026, 11, 1), date(2026, 12, 1)]
    assert [part.import_wh for part in found.values()] == [12_000.0, 12_000.0]


@pytest.mark.slow
def test_a_year_of_quarter_hours_is_billed_and_priced_well_within_a_second_and_a_half() -> None:
    chance = Random(5)
    start = local("2025-01-01 00:00")
    data = run(start, [chance.uniform(-3000, 6000) for _ in range(35_040)])
    series = spot(start, [chance.uniform(-0.05, 0.3) for _ in range(35_040)], seconds=900)
    tariff = make(
        rates=[
            {**NIGHT, "spot_factor": 1.0, "spot_typical": 0.08},
            {**FLAT, "spot_factor": 1.0, "spot_typical": 0.08, "days": ["mon", "holiday"]},
            {**FLAT, "name": "x"},
        ],
        holidays=["01-01", "easter+1"],
        tiers={"steps": STEPS},
        demand=[
            {"name": "peak", "per_kw_month": 4.0, "mean_of": 3},
            {"name": "hour", "per_kw_month": 1, "window_minutes": 60},
        ],
    )
    begun = perf_counter()
    found = bill(tariff, data, series)
    billed = perf_counter()
    bought, _ = prices(tariff, [each.start for each in data], [900.0] * len(data), series)
    priced = perf_counter()
    assert found.days == 365 and len(bought) == 35_040
    assert billed - begun < 1.5 and priced - billed < 1.5
