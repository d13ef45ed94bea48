"""The tariffs of config/tariffs: each is read, names its source, and says at known local times what its source says."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gateway.core.tariff.bill import bill
from gateway.core.tariff.rates import price_at, prices
from gateway.model.tariff import BillKind
from tests.core.tariff_world import FOLDER, local, run, shipped, spot

NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def test_there_are_tariffs_of_many_countries_and_currencies() -> None:
    tariffs = [shipped(name) for name in NAMES]
    assert len({tariff.timezone.key for tariff in tariffs}) >= 14
    assert {"EUR", "GBP", "USD", "CAD", "AUD", "JPY", "NOK", "SEK"} <= {tariff.currency for tariff in tariffs}
    assert any(tariff.tiers for tariff in tariffs) and any(tariff.needs_spot for tariff in tariffs)


@pytest.mark.parametrize("name", NAMES)
def test_every_hour_of_a_year_has_a_price_and_a_year_has_a_bill(name: str) -> None:
    tariff = shipped(name)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    starts = [start + timedelta(hours=n) for n in range(8760)]
    bought, sold = prices(tariff, starts, [3600.0] * 8760)
    assert np.isfinite(bought).all() and np.isfinite(sold).all() and (bought > 0).all()
    found = bill(tariff, run(start, [400.0] * 8760, seconds=3600))
    assert found.micro > 0 and found.import_wh == pytest.approx(3_504_000)


ONTARIO = {"ultra-low overnight": 56, "on-peak": 25, "mid-peak": 55, "weekend off-peak": 32}
SPAIN = {"peak (punta) morning": 20, "peak (punta) evening": 20, "flat (llano)": 40, "valley (valle)": 88}
ITALY = {"F1": 55, "F2 weekdays morning": 5, "F2 weekdays evening": 20, "F2 Saturday": 16, "F3": 72}


@pytest.mark.parametrize(
    ("name", "hours"), [("ca_ontario_ulo_2024", ONTARIO), ("es_20td_2025", SPAIN), ("it_fasce_example", ITALY)]
)
def test_a_week_without_a_holiday_has_the_hours_its_regulator_states(name: str, hours: dict[str, int]) -> None:
    # ULO: every night 23-7, weekdays 16-21, the rest of their day, weekends by day (Hydro Ottawa, 1 November 2024).
    # 2.0TD: 8 h peak, 8 h flat, 8 h valley on working days, weekends valley. ARERA: F1 8-19, F2 7-8 and 19-23, Saturday 7-23.
    tariff = shipped(name)
    monday = local("2026-09-14 00:00", tariff.timezone)
    found = Counter(price_at(tariff, monday + timedelta(hours=n)).name for n in range(168))
    assert found == hours


@pytest.mark.parametrize(
    ("name", "when", "rate"),
    [
        ("ca_ontario_ulo_2024", "2026-04-03 17:00", "weekend off-peak"),  # Good Friday
        ("ca_ontario_ulo_2024", "2026-04-03 23:00", "ultra-low overnight"),
        ("es_20td_2025", "2026-01-06 12:00", "valley (valle)"),
        ("es_20td_2025", "2026-04-03 12:00", "peak (punta) morning"),  # a holiday whose date moves does not count
        ("it_fasce_example", "2026-04-06 12:00", "F3"),  # Easter Monday
        ("de_augsburg_module3_example", "2026-05-04 18:00", "standard"),
        ("de_augsburg_module3_example", "2026-11-04 18:00", "high"),
        ("de_augsburg_module3_example", "2026-11-04 04:29", "low"),
        ("at_dynamic_example", "2026-09-30 15:59", "summer low"),
        ("at_dynamic_example", "2026-10-01 12:00", "other hours"),
        ("us_arizona_demand_example", "2026-11-26 17:00", "off-peak"),  # Thanksgiving
        ("us_arizona_demand_example", "2026-12-02 11:00", "winter super off-peak"),
        ("us_arizona_demand_example", "2026-10-30 17:00", "summer on-peak"),
        ("fr_heures_creuses_2024", "2026-11-26 05:59", "off-peak"),
    ],
)
def test_known_local_times_have_the_rate_of_the_source(name: str, when: str, rate: str) -> None:
    tariff = shipped(name)
    assert price_at(tariff, local(when, tariff.timezone)).name == rate


def test_agile_multiplies_the_wholesale_price_and_adds_twelve_pence_in_the_peak() -> None:
    tariff = shipped("uk_agile_example")
    noon, evening = local("2026-11-23 12:00", tariff.timezone), local("2026-11-23 17:00", tariff.timezone)
    series = spot(noon, [0.10] * 8, currency="GBP")
    assert price_at(tariff, noon, series).import_micro_per_kwh == round(2.2 * 0.10 * 1.05e6)
    assert price_at(tariff, evening, series).import_micro_per_kwh == round((2.2 * 0.10 + 0.12) * 1.05e6)


def test_the_grid_fee_of_augsburg_differs_by_what_its_price_sheet_says() -> None:
    # 3.67 / 9.15 / 13.96 cents with VAT
    tariff = shipped("de_augsburg_module3_example")
    series = spot(local("2026-11-04 00:00"), [0.10] * 24)
    low, standard, high = (
        price_at(tariff, local(f"2026-11-04 {at}", tariff.timezone), series).import_micro_per_kwh
        for at in ("02:00", "12:00", "18:00")
    )
    assert (standard - low) / 1e4 == pytest.approx(9.15 - 3.67, abs=0.01)
    assert (high - standard) / 1e4 == pytest.approx(13.96 - 9.15, abs=0.01)


def test_a_month_of_the_queensland_tariff_is_what_its_page_gives_by_hand() -> None:
    # given January: 4 kW from 15:00 to 15:30 on three days and 2 kW on a fourth, 0 else
    tariff = shipped("au_ergon_tariff14_2020")
    half_hours = [0.0] * (31 * 48)
    for day, power in ((0, 4000.0), (1, 4000.0), (2, 4000.0), (3, 2000.0)):
        half_hours[day * 48 + 30] = power
    found = bill(tariff, run(local("2026-01-01 00:00", tariff.timezone), half_hours, seconds=1800))
    assert found.of(BillKind.DEMAND) == round(3.5 * 56.8579 * 1e6)
    assert found.micro == pytest.approx(3.5 * 56.8579e6 + 31 * 0.52177e6 + 7 * 0.17056e6, abs=3)


def test_a_month_of_tokyo_is_what_its_price_list_gives_by_hand() -> None:
    tariff = shipped("jp_tokyo_tiers_2024")
    found = bill(tariff, run(local("2026-11-01 00:00", tariff.timezone), [400_000 / 720] * 720, seconds=3600))
    # given 400 kWh in 30 days
    assert found.micro / 1e6 == pytest.approx(1218.40 + 120 * 29.65 + 180 * 35.73 + 100 * 39.98, abs=0.01)


def test_the_how_to_names_every_tariff_and_only_those_that_exist() -> None:
    page = (FOLDER.parent.parent / "docs" / "how-to" / "write-a-tariff.md").read_text()
    table = page[page.index("## The examples") :]
    assert set(re.findall(r"`([a-z0-9_]+)`", table)) - {"source", "_example"} == set(NAMES) - {"demo_tou"}
