"""Rules for whole intervals: too much, nothing for a day, and the wrong way round."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.metering.usage import UsageRules, connection_w, possible_w
from gateway.model.reading import Interval, IntervalQuality, Rule
from gateway.model.site import Role
from tests.core.homes import SITE

T0 = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
VALID, ESTIMATED = IntervalQuality.VALID, IntervalQuality.ESTIMATED


def interval(device: str, taken: float, given: float = 0.0, number: int = 0) -> Interval:
    return Interval(device, T0 + timedelta(minutes=15 * number), 900, taken, given, VALID, "counter")


def test_the_connection_carries_its_fuse_and_a_fifth_more() -> None:
    assert connection_w(SITE) == pytest.approx(25 * 230 * 3 * 1.2)
    limits = {device.id: possible_w(SITE, device) for device in SITE.devices}
    assert limits["meter"] == pytest.approx(20_700) and limits["tank"] == pytest.approx(6_000)
    assert limits["car"] == pytest.approx(3 * 16 * 230 * 3)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (interval("meter", 5_000.0), None),
        (interval("meter", 5_200.0), Rule.HIGH_USAGE),
        (interval("meter", 0.0, 5_200.0), Rule.HIGH_USAGE),
        (interval("tank", 500.0), None),
        (interval("tank", 1_600.0), Rule.HIGH_USAGE),
        (interval("tank", 0.0, 60.0), Rule.REVERSE),
        (interval("inverter", 0.0, 900.0), None),
        (interval("inverter/pv", 0.0, 900.0), None),
        (interval("house", 99_999.0), None),
    ],
)
def test_an_interval_beyond_the_possible_is_an_estimate_that_says_so(row: Interval, rule: Rule | None) -> None:
    judged, doubt = UsageRules(SITE).judge(row)
    assert (doubt and doubt[0]) is rule
    assert judged.quality is (ESTIMATED if rule else VALID) and judged.import_wh == row.import_wh
    assert (doubt is None) or judged.method == f"counter, {doubt[1]}"


def test_a_main_meter_that_tells_of_nothing_for_a_day_is_doubted_from_then_on() -> None:
    rules = UsageRules(SITE)
    judged = [rules.judge(interval("meter", 0.0, number=number)) for number in range(98)]
    assert [doubt for _, doubt in judged[:95]] == [None] * 95
    assert [doubt and doubt[0] for _, doubt in judged[95:]] == [Rule.LOW_USAGE] * 3
    assert judged[97][0].method == "counter, nothing used for 24 h"
    assert rules.judge(interval("meter", 0.0, 1.0, 98))[1] is None, "export is something"


def test_a_tank_may_rest_for_days() -> None:
    rules = UsageRules(SITE)
    assert all(rules.judge(interval("tank", 0.0, number=n))[1] is None for n in range(200))


def test_what_is_no_device_or_already_missing_is_left_alone() -> None:
    gone = Interval("meter", T0, 900, None, None, IntervalQuality.MISSING, "nothing measured")
    assert UsageRules(SITE).judge(gone) == (gone, None)
    assert SITE.of_role(Role.MAIN_METER)[0].id == "meter"
