"""Windows of local time: seasons, holidays, nights, and the days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.tariff.holidays import easter
from gateway.core.tariff.pieces import holds, local_days, local_seconds, stamps
from gateway.core.tariff.rates import price_at
from gateway.core.tariff.windows import fits, local_edges
from gateway.model.tariff import Tariff, Window
from tests.core.tariff_world import FLAT, local, make


@pytest.mark.parametrize(
    ("year", "day"),
    [
        # Table of the United States Naval Observatory and of the Book of Common Prayer; the outliers are the rule's cases.
        (1818, "1818-03-22"), (1943, "1943-04-25"), (1954, "1954-04-18"), (1981, "1981-04-19"), (2000, "2000-04-23"),
        (2008, "2008-03-23"), (2024, "2024-03-31"), (2025, "2025-04-20"), (2026, "2026-04-05"), (2038, "2038-04-25"),
        (2049, "2049-04-18"), (2076, "2076-04-19"), (2285, "2285-03-22"),
    ],
)  # fmt: skip
def test_easter_falls_where_the_tables_say(year: int, day: str) -> None:
    assert easter(year) == date.fromisoformat(day)


WORKING: dict[str, object] = {"name": "working", "import": 0.4, "days": ["mon", "tue", "wed", "thu", "fri"]}


@pytest.mark.parametrize(
    ("when", "name"),
    [
        ("2026-04-03 12:00", "flat"),  # Good Friday
        ("2026-04-06 12:00", "flat"),  # Easter Monday
        ("2026-04-07 12:00", "working"),
        ("2027-01-01 12:00", "flat"),  # each year
        ("2026-05-25 12:00", "flat"),  # one day
        ("2027-05-25 12:00", "working"),
    ],
)
def test_on_a_holiday_a_rate_of_weekdays_does_not_hold(when: str, name: str) -> None:
    tariff = make(rates=[WORKING, FLAT], holidays=["01-01", "2026-05-25", "easter-2", "easter+1"])
    assert price_at(tariff, local(when)).name == name


def test_a_rate_that_names_holiday_holds_on_it_and_a_rate_without_days_always() -> None:
    rest = {"name": "rest day", "import": 0.1, "days": ["sun", "holiday"]}
    tariff = make(rates=[rest, WORKING, FLAT], holidays=["12-25"])
    assert price_at(tariff, local("2026-12-25 12:00")).name == "rest day"  # a Friday
    assert price_at(make(holidays=["12-25"]), local("2026-12-25 12:00")).name == "flat"


def test_the_night_that_begins_on_a_holiday_is_the_holidays_after_midnight_too() -> None:
    night = {"name": "holiday night", "import": 0.1, "from": "22:00", "to": "06:00", "days": ["holiday"]}
    tariff = make(rates=[night, FLAT], holidays=["01-01"])
    assert price_at(tariff, local("2026-01-02 05:59")).name == "holiday night"
    assert price_at(tariff, local("2026-01-01 05:59")).name == "flat"


@pytest.mark.parametrize(
    ("when", "inside"),
    [
        ("2026-10-31 12:00", False), ("2026-11-01 00:00", True), ("2026-12-31 23:59", True), ("2027-01-01 00:00", True),
        ("2027-03-31 23:59", True), ("2027-04-01 00:00", False),
    ],
)  # fmt: skip
def test_a_season_includes_both_its_days_and_may_pass_new_year(when: str, inside: bool) -> None:
    tariff = make(seasons={"winter": {"from": "11-01", "to": "03-31"}})
    assert fits(tariff, Window(season="winter"), local(when)) is inside


def test_a_time_that_comes_twice_in_autumn_is_an_edge_twice() -> None:
    tariff = make(rates=[{"name": "x", "import": 1, "from": "02:30", "to": "04:00"}, FLAT])
    edges = local_edges(tariff, tariff.rates, local("2026-10-25 00:30"), local("2026-10-25 04:30"))
    # given 02:30 summer time, back to 02:00 at 01:00 UTC, 02:30 winter time, 04:00
    assert [edge.strftime("%H:%M") for edge in edges] == ["00:30", "01:00", "01:30", "03:00"]


zones = st.sampled_from(
    [
        "Europe/Brussels",
        "America/Toronto",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "America/Santiago",
        "Atlantic/Azores",
    ]
)
hours = st.sampled_from(["00:00", "01:15", "02:30", "06:00", "17:00", "23:30"])
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(zones, hours, hours, st.sets(st.sampled_from(DAYS)), st.sets(st.integers(1, 12)), st.integers(0, 700 * 24))
def test_arrays_and_single_instants_agree_in_every_zone_at_every_clock_change(
    zone: str, begin: str, end: str, days: set[str], months: set[int], hour: int
) -> None:
    window = {"name": "w", "import": 1, "from": begin, "to": end, "days": sorted(days), "months": sorted(months)}
    tariff = make(timezone=zone, rates=[window, FLAT], holidays=["01-01", "easter+1"])
    first = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    instants = [first + timedelta(minutes=7 * n) for n in range(600)]
    assert holds(tariff, tariff.rates[0], stamps(instants)).tolist() == [
        fits(tariff, tariff.rates[0], each.astimezone(tariff.timezone)) for each in instants
    ]


@pytest.mark.parametrize("zone", ["Europe/Brussels", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia"])
def test_the_local_day_of_an_instant_is_the_one_on_the_wall(zone: str) -> None:
    tariff: Tariff = make(timezone=zone)
    for year_day in range(0, 366, 15):
        first = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=year_day)
        instants = [first + timedelta(minutes=20 * n) for n in range(15 * 72)]
        wall = [each.astimezone(ZoneInfo(zone)).date() for each in instants]
        assert local_days(tariff, stamps(instants)).tolist() == wall
    assert local_days(tariff, np.zeros(0)).tolist() == []


@pytest.mark.parametrize("first", ["2026-03-29 05:00", "2026-10-25 05:00"])
def test_instants_that_all_lie_after_the_clock_change_of_their_day_know_it(first: str) -> None:
    tariff = make()
    instants = [local(first) + timedelta(hours=n) for n in range(30)]
    wall = [each.replace(tzinfo=UTC).timestamp() for each in instants]
    assert local_seconds(tariff, stamps(instants)).tolist() == wall
