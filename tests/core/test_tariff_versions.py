"""Tariffs that follow each other: each day is counted by the tariff of that day, also across the change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.core.tariff.bill import bill, bills_by_month
from gateway.core.tariff.limits import import_limit_w
from gateway.core.tariff.peaks import to_date
from gateway.core.tariff.rates import parse_tariff, price_at, price_edges, prices
from gateway.core.tariff.tiers import marginal_tier_micro
from gateway.core.tariff.versions import joined
from gateway.model.errors import Finding
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.tariff import BillKind, Tariff

ZONE = ZoneInfo("Europe/Brussels")


def tariff(name: str, price: float, valid_from: str | None = None, **more: Any) -> Tariff:
    document = {
        "id": name, "name": name, "currency": "EUR", "timezone": "Europe/Brussels",
        "rates": [{"name": "all", "import": price, "export": price / 4}], **more,
    }  # fmt: skip
    return parse_tariff(document | ({"valid_from": valid_from} if valid_from else {}))


OLD = tariff("old", 0.20, fixed_per_day=0.10)
NEW = tariff("new", 0.30, "2026-07-01", fixed_per_day=0.20, vat_percent=10)
NEXT = tariff("next", 0.50, "2027-01-01")
ALL = joined([OLD, NEW, NEXT])


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def quarters(start: str, end: str, wh: float = 250.0) -> list[Interval]:
    first, count = local(start), int((local(end) - local(start)) / timedelta(minutes=15))
    starts = [first + timedelta(minutes=15 * n) for n in range(count)]
    return [Interval("grid", at, 900, wh, 0.0, IntervalQuality.VALID, "counter") for at in starts]


@pytest.mark.parametrize(
    ("when", "name", "micro"),
    [
        ("2020-01-01 12:00", "old", 200_000),
        ("2026-06-30 23:59", "old", 200_000),
        ("2026-07-01 00:00", "new", 330_000),
        ("2026-12-31 23:59", "new", 330_000),
        ("2027-01-01 00:00", "next", 500_000),
    ],
)
def test_a_price_is_that_of_the_tariff_in_force_by_local_midnight(when: str, name: str, micro: int) -> None:
    assert ALL.at(local(when)).id == name
    assert price_at(ALL, local(when)).import_micro_per_kwh == micro
    # Whichever stands on the face, the same holds.
    assert price_at(ALL.at(local("2026-03-01")), local(when)).import_micro_per_kwh == micro


def test_a_tariff_alone_is_as_it_was() -> None:
    assert joined([OLD]) == OLD and OLD.at(local("1999-01-01")) is OLD and OLD.versions == (OLD,)
    assert NEXT.on(date(2020, 1, 1)) == NEXT


def test_slots_across_the_change_are_priced_by_time() -> None:
    starts = [local("2026-06-30 23:00"), local("2026-06-30 23:30"), local("2026-07-01 00:30")]
    bought, sold = prices(ALL, starts, [1800, 3600, 3600])
    assert bought == pytest.approx([200_000, (200_000 + 330_000) / 2, 330_000])
    assert sold == pytest.approx([50_000, (50_000 + 75_000) / 2, 75_000])
    assert local("2026-07-01") in price_edges(ALL, starts[0], starts[-1])


def test_the_bill_of_a_span_is_the_bills_of_its_parts_by_their_own_tariffs() -> None:
    whole = bill(ALL, quarters("2026-06-20", "2026-07-11"))
    parts = [bill(OLD, quarters("2026-06-20", "2026-07-01")), bill(NEW, quarters("2026-07-01", "2026-07-11"))]
    assert whole.micro == sum(part.micro for part in parts)
    assert whole.days == 21 and whole.import_wh == pytest.approx(21 * 24_000)
    assert [line.kind for line in whole.lines] == [BillKind.IMPORT, BillKind.FIXED, BillKind.VAT]
    assert whole.of(BillKind.FIXED) == 11 * 100_000 + 10 * 200_000


def test_an_interval_over_the_change_is_shared_by_time() -> None:
    hour = [Interval("grid", local("2026-06-30 23:30"), 3600, 1000.0, 0.0, IntervalQuality.VALID, "counter")]
    assert bill(ALL, hour).of(BillKind.IMPORT) == 500 * 200 + 500 * 300


def test_months_are_billed_by_their_own_tariff() -> None:
    months = bills_by_month(ALL, quarters("2026-06-01", "2026-08-01"))
    assert [m.micro for m in months.values()] == [
        bill(OLD, quarters("2026-06-01", "2026-07-01")).micro,
        bill(NEW, quarters("2026-07-01", "2026-08-01")).micro,
    ]


def test_peaks_tiers_and_contracted_power_are_those_in_force() -> None:
    demand = [{"name": "peak", "per_kw_month": 4.0}]
    plain = tariff("plain", 0.2, tiers={"period": "day", "steps": [{"add": 0.02}]})
    peaky = tariff("peaky", 0.2, "2026-07-01", demand=demand, contracted=[{"name": "c", "kw": 6}])
    both = joined([plain, peaky])
    rows = quarters("2026-06-01", "2026-06-02")
    assert to_date(both, rows, local("2026-06-02")).peaks_w == ()
    assert to_date(both, quarters("2026-07-01", "2026-07-02"), local("2026-07-02")).peaks_w == (("peak", (1000.0,)),)
    before, after = local("2026-06-30 12:00"), local("2026-07-01 12:00")
    assert (import_limit_w(both, before), import_limit_w(both, after)) == (None, 6000)
    assert (marginal_tier_micro(both, 0, before), marginal_tier_micro(both, 0, after)) == (20_000, 0)


@pytest.mark.parametrize(
    ("tariffs", "words"),
    [
        ([OLD, tariff("second", 0.3)], "does not say from when it holds"),
        ([NEW, tariff("second", 0.3, "2026-07-01")], "not after 'new' on 2026-07-01"),
        ([OLD, tariff("second", 0.3, "2026-07-01", timezone="Europe/Lisbon")], "another time zone"),
        (
            [OLD, tariff("second", 0.3, "2026-07-15", demand=[{"name": "p", "per_kw_month": 1}])],
            "inside a month whose peak",
        ),
    ],
)
def test_tariffs_that_cannot_follow_each_other_are_refused_in_words(tariffs: list[Tariff], words: str) -> None:
    with pytest.raises(Finding, match=words) as refused:
        joined(tariffs)
    assert refused.value.where == "tariff[1]" and refused.value.remedy


@pytest.mark.parametrize("written", ["2026-07-01", date(2026, 7, 1)])
def test_valid_from_is_a_day(written: Any) -> None:
    assert tariff("x", 0.2, written).valid_from == date(2026, 7, 1)


def test_valid_from_that_is_no_day_is_refused() -> None:
    with pytest.raises(Finding, match="is no day"):
        tariff("x", 0.2, "summer")


def test_a_plan_over_the_change_counts_each_slot_by_its_own_price() -> None:
    starts = [local("2026-12-31 12:00") + timedelta(hours=n) for n in range(24)]
    bought, _ = prices(ALL.at(starts[0]), starts, [3600.0] * 24)
    assert bought == pytest.approx(np.array([330_000.0] * 12 + [500_000.0] * 12))
