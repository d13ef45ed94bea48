"""A tariff file: what it may say, and what a mistake in it is told."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.tariff.oddities import oddities
from gateway.core.tariff.parse import parse_tariff
from gateway.model.errors import Finding
from gateway.model.tariff import Holiday, Period, Season, Tariff, Window

GOOD: dict[str, Any] = {
    "id": "t", "name": "T", "currency": "EUR", "timezone": "Europe/Brussels", "rates": [{"name": "all", "import": 0.3}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"rates": []}, "rates", "not a list"),
        ({"rates": [{"name": "a", "import": 0.1, "from": "01:00", "to": "02:00"}]}, "rates[0]", "does not hold always"),
        ({"rates": [{"name": "a"}]}, "rates[0]", "import price is missing"),
        ({"rates": [{"name": "a", "import": "cheap"}]}, "rates[0].import", "no price"),
        ({"rates": [{"name": "a", "import": 0.1, "from": "25:00", "to": "02:00"}]}, "rates[0].from", "no time"),
        ({"rates": [{"name": "a", "import": 0.1, "from": "22:00"}]}, "rates[0]", "belong together"),
        ({"rates": [{"name": "a", "import": 0.1, "days": ["fun"]}]}, "rates[0].days", "no weekday"),
        ({"rates": [{"name": "a", "import": 0.1, "months": [13]}]}, "rates[0].months", "no month"),
        ({"rates": [{"name": "a", "import": 0.1, "prize": 1}]}, "rates[0]", "unknown key 'prize'"),
        ({"timezone": "Europe/Brusels"}, "timezone", "not known"),
        ({"currency": "euro"}, "currency", "no currency code"),
        ({"colour": "red"}, "tariff", "unknown key 'colour'"),
        ({"fixed_per_day": float("nan")}, "fixed_per_day", "no price"),
    ],
)
def test_a_broken_tariff_names_place_and_remedy(change: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(Finding) as caught:
        parse_tariff({**GOOD, **change})
    assert caught.value.where == where
    assert what in caught.value.what
    assert caught.value.remedy


def test_an_unquoted_time_that_yaml_read_as_a_number_is_understood() -> None:
    rates = [{"name": "peak", "import": 0.4, "from": 1020, "to": 1320}, {"name": "rest", "import": 0.2}]
    assert parse_tariff({**GOOD, "rates": rates}).rates[0].start.hour == 17


CHARGE: dict[str, Any] = {"name": "peak", "per_kw_month": 4.0}
STEPS: dict[str, Any] = {"steps": [{"up_to_kwh": 300, "add": 0}, {"add": 0.08}]}


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"vat_percent": -5}, "vat_percent", "out of range"),
        ({"vat_percent": "much"}, "vat_percent", "no number"),
        ({"seasons": ["summer"]}, "seasons", "not a map"),
        ({"seasons": {"summer": {"from": "04-01"}}}, "seasons.summer", "'to' is missing"),
        ({"seasons": {"summer": {"from": "04-31", "to": "09-30"}}}, "seasons.summer.from", "no day of the year"),
        ({"seasons": {"summer": {"from": "04-01", "to": "09-30", "tp": 1}}}, "seasons.summer", "unknown key 'tp'"),
        ({"holidays": "01-01"}, "holidays", "not a list"),
        ({"holidays": ["someday"]}, "holidays[0]", "no holiday"),
        ({"holidays": ["easter+x"]}, "holidays[0]", "no holiday"),
        ({"holidays": ["02-30"]}, "holidays[0]", "no day of the year"),
        ({"rates": [{"name": "a", "import": 0.1, "season": "summer"}]}, "rates[0].season", "no season"),
        ({"rates": [{"name": "a", "import": 0.1, "spot_factor": 30}]}, "rates[0].spot_factor", "out of range"),
        ({"rates": [{"name": "a", "import": 0.1}, {"name": "a", "import": 0.2}]}, "rates", "two rates"),
        ({"tiers": {**STEPS, "period": "week"}}, "tiers.period", "no period"),
        ({"tiers": {**STEPS, "period": "day", "per_day": True}}, "tiers.per_day", "belongs to a month"),
        ({"tiers": {**STEPS, "per_day": "yes"}}, "tiers.per_day", "neither true nor false"),
        ({"tiers": {"steps": [{"up_to_kwh": 300, "add": 0}]}}, "tiers.steps", "the last step"),
        ({"tiers": {"steps": []}}, "tiers.steps", "no steps"),
        ({"tiers": {}}, "tiers.steps", "no steps"),
        ({"tiers": {"steps": [{"add": 0}, {"add": 1}]}}, "tiers.steps[0]", "does not rise"),
        ({"tiers": {"steps": [{"up_to_kwh": 3}]}}, "tiers.steps[0]", "'add' is missing"),
        ({"demand": CHARGE}, "demand", "not a list"),
        ({"demand": [{"name": "p"}]}, "demand[0]", "either per_kw_month or steps"),
        ({"demand": [{**CHARGE, "steps": [{"per_month": 1}]}]}, "demand[0]", "either per_kw_month or steps"),
        ({"demand": [{**CHARGE, "per_kw_month": -1}]}, "demand[0].per_kw_month", "negative"),
        ({"demand": [{**CHARGE, "window_minutes": 45}]}, "demand[0].window_minutes", "not possible"),
        ({"demand": [{**CHARGE, "mean_of": 0}]}, "demand[0].mean_of", "not possible"),
        ({"demand": [{**CHARGE, "least_kw": -1}]}, "demand[0].least_kw", "out of range"),
        ({"demand": [CHARGE, CHARGE]}, "demand", "two entries"),
        ({"demand": [{**CHARGE, "from": "07:00"}]}, "demand[0]", "belong together"),
        ({"demand": [{"name": "p", "steps": [{"up_to_kw": 2, "per_month": 1}]}]}, "demand[0].steps", "the last step"),
        ({"demand": [{"name": "p", "steps": [{"up_to_kw": 2}]}]}, "demand[0].steps[0]", "'per_month' is missing"),
        ({"contracted": [{"name": "P1"}]}, "contracted[0]", "'kw' is missing"),
        ({"contracted": [{"name": "P1", "kw": "five"}]}, "contracted[0].kw", "no number"),
        ({"contracted": [{"name": "P1", "kw": 4, "days": ["holidays"]}]}, "contracted[0].days", "no weekday"),
        ({"contracted": [{"name": "P1", "kw": 4, "per_kwday": 1}]}, "contracted[0]", "unknown key 'per_kwday'"),
        ({"contracted": ["P1"]}, "contracted[0]", "not a map"),
        ({"contracted": [{"name": "P1", "kw": 0}]}, "contracted[0].kw", "no contracted power"),
        ({"demand": [{"name": "p", "steps": [{"up_to_kw": 2, "per_month": 9}, {"per_month": 8}]}]}, "demand[0].steps[1]",
         "costs less"),
        ({"vat_percent": 0.21}, "vat_percent", "looks like a fraction"),
        ({"vat_percent": 10**400}, "vat_percent", "out of range"),
        ({"vat_percent": float("nan")}, "vat_percent", "no number"),
        ({"rates": [{"name": "a", "import": 0.1, "spot_factor": 1}]}, "rates[0].spot_typical", "follows the spot price"),
        ({"rates": [{"name": "a", "import": 0.1, "export_spot_factor": 1}]}, "rates[0].spot_typical", "is missing"),
        ({"rates": [{"name": "a", "import": 0.1, "from": 7, "to": 22}]}, "rates[0].from", "7 is no time of day"),
        ({"rates": [{"name": "a", "import": 0.1, "from": 0, "to": 22}]}, "rates[0].to", "22 is no time of day"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_newer_parts_names_place_and_remedy(change: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(Finding) as caught:
        parse_tariff({**GOOD, **change})
    assert caught.value.where == where
    assert what in caught.value.what
    assert caught.value.remedy


def test_a_file_of_the_first_format_means_what_it_always_meant() -> None:
    found = parse_tariff(GOOD)
    assert (found.vat_percent, found.tiers, found.demand, found.contracted, found.holidays) == (0, None, (), (), ())
    assert not found.needs_spot and found.rates[0].season == ""


def test_the_whole_format_becomes_nouns() -> None:
    found = parse_tariff(
        {
            **GOOD,
            "vat_percent": 6,
            "fixed_per_month": 5,
            "seasons": {"winter": {"from": "11-01", "to": "02-29"}},
            "holidays": ["01-01", date(2026, 5, 25), "2026-05-26", "easter", "easter+1", "easter-2"],
            "tiers": {"period": "month", "per_day": True, **STEPS},
            "demand": [
                {**CHARGE, "days": ["mon", "holiday"], "season": "winter", "from": "07:00", "to": "24:00", "mean_of": 3}
            ],
            "contracted": [{"name": "P1", "kw": 4.6, "per_kw_day": 0.075}],
        }
    )
    assert found.seasons == (Season("winter", (11, 1), (2, 29)),)
    assert [day.easter for day in found.holidays[3:]] == [0, 1, -2]
    assert found.holidays[:3] == (Holiday(yearly=(1, 1)), Holiday(date(2026, 5, 25)), Holiday(date(2026, 5, 26)))
    assert found.tiers is not None and found.tiers.period is Period.MONTH and found.tiers.steps[0].up_to_wh == 300_000
    charge = found.demand[0]
    assert (charge.window_s, charge.mean_of, charge.micro_per_kw_month) == (900, 3, 4_000_000)
    assert (charge.when.weekdays, charge.when.season, charge.when.end.hour) == (frozenset({0, 7}), "winter", 0)
    assert (found.contracted[0].power_w, found.contracted[0].when) == (4600.0, Window())


WHOLE: dict[str, Any] = {
    **GOOD,
    "vat_percent": 6,
    "fixed_per_day": 0.2,
    "fixed_per_month": 5,
    "seasons": {"winter": {"from": "11-01", "to": "02-29"}},
    "holidays": ["01-01", "easter+1"],
    "tiers": {"period": "month", "per_day": True, **STEPS},
    "demand": [{**CHARGE, "days": ["mon"], "season": "winter"}, {"name": "s", "steps": [{"per_month": 1}]}],
    "contracted": [{"name": "P1", "kw": 4.6, "per_kw_day": 0.075, "from": "08:00", "to": "24:00"}],
}
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({}),
    st.just([[]]), st.just([None]), st.just({"a": 1}), st.just(datetime(2026, 5, 25, 12, tzinfo=UTC)),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(*path, key) for key, _ in inner] + [deeper for key, each in inner for deeper in places(each, (*path, key))]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(WHOLE)), JUNK)
def test_whatever_stands_at_a_place_it_is_read_or_refused_with_a_finding(path: tuple[Any, ...], junk: Any) -> None:
    document = deepcopy(WHOLE)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = junk
    found = read(document)
    assert found.rates if isinstance(found, Tariff) else found.where and found.remedy


def read(document: dict[str, Any]) -> Tariff | Finding:
    """What a document is, or what is wrong with it; any other exception is a defect."""
    try:
        return parse_tariff(document)
    except Finding as finding:
        return finding


def test_a_holiday_that_yaml_read_as_a_time_is_its_day() -> None:
    assert parse_tariff({**GOOD, "holidays": [datetime(2026, 5, 25, tzinfo=UTC)]}).holidays == (
        Holiday(date(2026, 5, 25)),
    )


@pytest.mark.parametrize(
    ("currency", "price", "told"),
    [("EUR", 28.5, True), ("GBP", 5.0, True), ("EUR", 4.9, False), ("JPY", 30.0, False), ("CZK", 6.5, False),
     ("EUR", -28.5, True)],
)  # fmt: skip
def test_a_price_that_looks_like_cents_is_told_where_a_kwh_never_costs_so_much(
    currency: str, price: float, told: bool
) -> None:
    """A kWh costs 30 JPY or 6.5 CZK in many homes, and nowhere 28.5 EUR."""
    rates = [{"name": "all", "import": price, "export": 0.05}]
    found = list(oddities(parse_tariff({**GOOD, "currency": currency, "rates": rates})))
    assert [(f.where, f.severity) for f in found] == [("rates[0].import", "warning")] * told
    assert not told or f"e.g. {price / 100:g}" in found[0].remedy
