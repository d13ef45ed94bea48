"""Delivered energy, and reports as their descriptors ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.demand_response.baseline.devices import device_baseline
from gateway.core.demand_response.baseline.history import History
from gateway.core.demand_response.baseline.placebo import assessed
from gateway.core.demand_response.baseline.rows import BaselineRow
from gateway.core.demand_response.delivered import delivered
from gateway.core.demand_response.report import ReportData, build_report, next_report_at
from gateway.core.demand_response.timeline import build_timeline
from gateway.model.dr import Duration, IntervalPeriod, OptState, ReportDescriptor
from gateway.model.reading import Interval, IntervalQuality
from tests.core.test_dr_timeline import FOREVER, T0, at, event, h, record, simple, step

START = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # a Friday
END = START + timedelta(hours=2)


def interval(start: datetime, wh: float | None, device: str = "m", quality=IntervalQuality.VALID) -> Interval:
    return Interval(device, start, 900, wh, 0.0 if wh is not None else None, quality, "counter")


def days(usual, count: int = 60, end: datetime = END) -> list[Interval]:
    """Quarter hours of `count` days up to `end`: `usual(start)` Wh each."""
    begin = end - timedelta(days=count)
    starts = (begin + timedelta(minutes=15 * i) for i in range(count * 96))
    return [interval(start, usual(start)) for start in starts]


def test_a_car_goes_on_as_before_until_it_is_full():
    rows = device_baseline(START, END, power_w=8000, needed_wh=5000)
    assert [row.energy_wh for row in rows] == [2000, 2000, 1000, 0, 0, 0, 0, 0]
    assert sum(r.energy_wh for r in device_baseline(START, END, power_w=0, planned_w=lambda _: 400)) == 800


def test_delivered_energy_is_baseline_minus_measurement_per_device():
    rows = {"car": device_baseline(START, END, power_w=4000), "tank": device_baseline(START, END, power_w=1000)}
    used = {"car": [interval(START + timedelta(minutes=15 * i), 0.0, "car") for i in range(8)]}
    home = assessed(History(days(lambda _: 100.0)), START, END, method="10-in-10")
    found = delivered(rows, used, home=home, home_measured=days(lambda _: 100.0))
    assert found.per_device == {"car": 8000} and found.energy_wh == 8000
    assert found.low_wh == pytest.approx(7200) and found.home_wh == pytest.approx(0)


def test_a_tank_that_would_stop_within_the_event_may_do_so_a_quarter_hour_later():
    """2000 W for an hour of two: 10 % of 2000 Wh and a quarter hour of 2000 W: sqrt(200^2 + 500^2) = 538.5 Wh."""
    rows = device_baseline(START, END, power_w=2000, needed_wh=2000)
    used = [interval(START + timedelta(minutes=15 * i), 0.0, "tank") for i in range(8)]
    found = delivered({"tank": rows}, {"tank": used})
    assert found.energy_wh == 2000 and found.low_wh == pytest.approx(2000 - 538.5, abs=0.1)


QUARTERS = [interval(T0 + timedelta(minutes=15 * i), 250.0) for i in range(96)]
DATA = ReportData(site=QUARTERS, devices={"car": QUARTERS[:8]}, soc_percent=55.0, register_wh=12_345_678.0,
                  baseline=[BaselineRow(T0 + timedelta(minutes=15 * i), 900, 400.0) for i in range(96)])  # fmt: skip
FOUR = event(*(step(i + 10, 0.1) for i in range(4)), period=at())


def reports(found, ask: ReportDescriptor, now: datetime, data: ReportData = DATA, **more):
    kept = record(found, **{"first_seen": T0 - timedelta(days=1), **more})
    return build_report(kept, build_timeline([kept], {}, now), ask, data, now)


WINDOWS = {
    "defaults: all, after the last": (ReportDescriptor("USAGE"), [[10, 11, 12, 13]]),
    "every two": (ReportDescriptor("USAGE", start_interval=1, num_intervals=2, frequency=2, repeat=2),
                  [[10, 11], [12, 13]]),
    "every two, once": (ReportDescriptor("USAGE", start_interval=1, num_intervals=2), [[10, 11]]),
    "rolling": (ReportDescriptor("USAGE", start_interval=1, num_intervals=2, frequency=1, repeat=-1),
                [[10, 11], [11, 12], [12, 13]]),
    "a forecast: all, before the first": (ReportDescriptor("USAGE", historical=False), [[10, 11, 12, 13]]),
    "an unknown type is not answered": (ReportDescriptor("MOOD"), []),
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_the_intervals_of_each_report(name):
    ask, expected = WINDOWS[name]
    assert [[row.interval for row in r.rows] for r in reports(FOUR, ask, h(4))] == expected


def test_a_report_is_due_at_its_end_and_once_only():
    assert reports(FOUR, ReportDescriptor("USAGE"), h(3.9)) == []
    (done,) = reports(FOUR, ReportDescriptor("USAGE"), h(4))
    assert reports(FOUR, ReportDescriptor("USAGE"), h(5), reported=(done.key,)) == []
    assert next_report_at(record(FOUR), ReportDescriptor("USAGE"), T0) == h(4)


VALUES = {
    "USAGE": ("USAGE", "", 1.0, "OK", "KWH"),
    "USAGE in Wh": ("USAGE", "WH", 1000.0, "OK", "WH"),
    "DEMAND": ("DEMAND", "", 1.0, "OK", "KW"),
    "BASELINE": ("BASELINE", "", 1.6, "ESTIMATED", "KWH"),
    "DELTA_USAGE": ("DELTA_USAGE", "", -0.6, "ESTIMATED", "KWH"),
    "READING": ("READING", "", 12345.678, "OK", "KWH"),
    "STORAGE_CHARGE_LEVEL": ("STORAGE_CHARGE_LEVEL", "", 0.55, "OK", "PERCENT"),
    "SIMPLE_LEVEL": ("SIMPLE_LEVEL", "", 2.0, "OK", ""),
    "OPERATING_STATE": ("OPERATING_STATE", "", "RUNNING_CURTAILED", "OK", ""),
}


@pytest.mark.parametrize("name", VALUES)
def test_the_value_of(name):
    kind, units, value, quality, unit = VALUES[name]
    (report,) = reports(simple("e", 2, 0, 1), ReportDescriptor(kind, units=units), h(1))
    assert (report.rows[0].value, report.rows[0].quality, report.unit) == (value, quality, unit)


def test_the_quality_says_what_is_estimated_or_missing():
    estimated = [replace(QUARTERS[0], quality=IntervalQuality.ESTIMATED), *QUARTERS[1:]]
    gap = QUARTERS[1:]
    asked = ReportDescriptor("USAGE")
    (first,) = reports(simple("e", 2, 0, 1), asked, h(1), ReportData(site=estimated))
    (second,) = reports(simple("e", 2, 0, 1), asked, h(1), ReportData(site=gap))
    assert (first.rows[0].quality, second.rows[0].quality, second.rows[0].value) == ("ESTIMATED", "MISSING", None)


def test_a_skipped_event_shares_its_state_but_not_its_data():
    skipped = simple("e", 2, 0, 1)
    assert reports(skipped, ReportDescriptor("USAGE"), h(1), opt=OptState.SKIPPED) == []
    (state,) = reports(skipped, ReportDescriptor("OPERATING_STATE"), h(1), opt=OptState.SKIPPED)
    (level,) = reports(skipped, ReportDescriptor("SIMPLE_LEVEL"), h(1), opt=OptState.SKIPPED)
    assert (state.rows[0].value, level.rows[0].value) == ("RUNNING_OPTED_OUT", 0.0)


@pytest.mark.parametrize(("kind", "value"), [("BANANA", 1), ("SIMPLE", 99), ("SIMPLE", "two"), ("PRICE", None)])
def test_what_is_not_understood_is_never_reported_as_curtailed(kind, value):
    odd = event(step(0, value, kind=kind), period=at())
    for opt, state in ((OptState.JOINED, "RUNNING_NORMAL"), (OptState.SKIPPED, "RUNNING_OPTED_OUT")):
        (told,) = reports(odd, ReportDescriptor("OPERATING_STATE"), h(1), opt=opt)
        (level,) = reports(odd, ReportDescriptor("SIMPLE_LEVEL"), h(1), opt=opt)
        assert (told.rows[0].value, level.rows[0].value) == (state, 0.0)


def test_a_loop_reports_each_round():
    loop = event(step(0, 0.1), step(1, 0.2), period=at(), duration=FOREVER)
    asked = ReportDescriptor("USAGE", repeat=-1)
    assert [r.rows[0].start for r in reports(loop, asked, h(6))] == [h(0), h(2), h(4)]


def test_a_report_only_event_implies_its_intervals():
    only = event(period=IntervalPeriod(T0, duration=Duration(seconds=3600)))
    assert len(reports(only, ReportDescriptor("USAGE", num_intervals=1, repeat=-1), h(3))) == 3


def test_of_the_periods_missed_before_the_event_arrived_only_the_last_is_reported():
    asked = ReportDescriptor("USAGE", start_interval=0, num_intervals=1, frequency=1, repeat=-1)
    assert [r.rows[0].interval for r in reports(FOUR, asked, h(4), first_seen=h(3))] == [12, 13]


def test_targets_name_devices_and_aggregates_are_called_so():
    (car,) = reports(simple("e", 2, 0, 1), ReportDescriptor("USAGE", targets=("car",)), h(1))
    (whole,) = reports(simple("e", 2, 0, 1), ReportDescriptor("USAGE", aggregate=True), h(1))
    assert (car.resource, whole.resource) == ("car", "AGGREGATED_REPORT")


@pytest.mark.parametrize(("until", "state", "level"), [(0.25, "RUNNING_CURTAILED", 1), (0.75, "RUNNING_NORMAL", 0)])
def test_a_state_is_the_one_longest_in_force_though_another_event_held_at_its_start(until, state, level):
    """Wrong before: the state at the interval's first instant, when the other event held."""
    mine, other = record(simple("e", 1, 0, 1, priority=5)), record(simple("b", 2, 0, until, priority=1))
    timeline = build_timeline([mine, other], {}, h(1))
    for kind, expected in (("OPERATING_STATE", state), ("SIMPLE_LEVEL", level)):
        (told,) = build_report(mine, timeline, ReportDescriptor(kind), DATA, h(1))
        assert told.rows[0].value == expected


def test_an_event_that_is_set_aside_early_counts_as_opted_out():
    aside = record(simple("e", 1, 0, 1), overridden_at=h(0.2), overridden_devices=("car",), opt=OptState.JOINED)
    data = replace(DATA, acts_on=("car",))
    (told,) = build_report(aside, build_timeline([aside], {}, h(1)), ReportDescriptor("OPERATING_STATE"), data, h(1))
    assert told.rows[0].value == "RUNNING_OPTED_OUT"
