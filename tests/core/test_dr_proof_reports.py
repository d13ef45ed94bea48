"""Reports beyond the plain ones: forecasts, sub-intervals, storage, setpoints, offers, and what is not shared."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.core.demand_response.baseline.rows import BaselineRow
from gateway.core.demand_response.proof_rules import ProofRule, parse_proof
from gateway.core.demand_response.report import build_report, next_report_at, remembered
from gateway.core.demand_response.report_data import Held, Peak, ReportData, Storage, held_back, needed
from gateway.core.demand_response.report_offers import offers_ahead
from gateway.core.demand_response.timeline import build_timeline
from gateway.model.agreement import WITHOUT_ASKING, Shared
from gateway.model.dr import DrReport, Duration, IntervalPeriod, ReportDescriptor
from gateway.model.flex import Direction, FlexOffer
from gateway.model.reading import Interval, IntervalQuality
from tests.core.test_dr_timeline import T0, at, event, h, record, simple, step

BEFORE = (
    "ReportDescriptor(payload_type='USAGE', reading_type='', units='', aggregate=False, start_interval=-1, "
    "num_intervals=-1, historical=True, frequency=-1, repeat=1, targets=())"
)
EARLY = T0 - timedelta(days=1)


def quarters(wh: float, device: str = "m") -> list[Interval]:
    """A day before T0 and a day after, constant; negative is fed in."""
    starts = (EARLY + timedelta(minutes=15 * i) for i in range(192))
    return [Interval(device, t, 900, max(wh, 0.0), max(-wh, 0.0), IntervalQuality.VALID, "counter") for t in starts]


def rows(wh: float) -> list[BaselineRow]:
    return [BaselineRow(T0 + timedelta(minutes=15 * i), 900, wh) for i in range(192)]


HOME = ReportData(
    site=quarters(250.0),
    devices={"car": quarters(100.0, "car"), "tank": quarters(50.0, "tank"), "battery": ()},
    baseline=rows(400.0),
    device_baselines={"car": rows(150.0), "tank": rows(50.0)},
    forecast=rows(-25.0),
    device_forecasts={"car": rows(75.0)},
    storage={"battery": Storage(50.0, 8000.0, 4000.0, 5000.0), "other": Storage(100.0, 2000.0, 1000.0, 1000.0)},
    stored_wh=rows(3000.0),
    ahead={"LOAD_SHED_DELTA_AVAILABLE": rows(500.0), "IMPORT_RESERVATION_CAPACITY": rows(250.0)},
    setpoints={"car": [Held(EARLY, h(3), 1380.0, 1380.0)], "tank": [Held(EARLY, h(3), 0.0, 0.0)]},
    peaks=[Peak((T0 + timedelta(minutes=m)).timestamp(), 1000.0 + 10 * m) for m in range(60)],
    soc_percent=50.0,
    register_wh=12_345_678.0,
    registers_wh={"car": 1000.0},
)
FOUR = event(*(step(i + 10, 0.1) for i in range(4)), period=at())
ONE = simple("e", 2, 0, 1)
ONLY = event(period=IntervalPeriod(T0, duration=Duration(seconds=3600)))
ASKED = event(period=IntervalPeriod(start_now=True, duration=Duration()))


def reports(found, ask: ReportDescriptor, now: datetime, **more) -> list[DrReport]:
    share, covered = more.pop("share", tuple(Shared)), more.pop("covered", False)
    data = more.pop("data", HOME)
    kept = record(found, **{"first_seen": EARLY, **more})
    return build_report(kept, build_timeline([kept], {}, now), ask, data, now, share=share, covered=covered)


def ahead_of(kind: str = "USAGE_FORECAST", **more) -> ReportDescriptor:
    return ReportDescriptor(kind, historical=False, **more)


WINDOWS = {
    "a forecast: when its first interval begins": (FOUR, ahead_of(), h(0), [[10, 11, 12, 13]]),
    "a forecast: not before": (FOUR, ahead_of(), h(-0.1), []),
    "a forecast of two, from the second": (FOUR, ahead_of(start_interval=1, num_intervals=2), h(1), [[11, 12]]),
    "rolling forecasts: the newest only": (FOUR, ahead_of(start_interval=0, num_intervals=3, frequency=1, repeat=-1),
                                           h(2), [[12, 13]]),
    "implied intervals bear our numbers": (ONLY, ahead_of(start_interval=0, num_intervals=24, frequency=1, repeat=-1),
                                           h(2), [list(range(24))]),
    "what can only lie ahead needs no word of it": (FOUR, ReportDescriptor("LOAD_SHED_DELTA_AVAILABLE"), h(0),
                                                    [[10, 11, 12, 13]]),
    "asked at once: one row of what is known": (ASKED, ReportDescriptor("STORAGE_CHARGE_LEVEL", frequency=0), h(0),
                                                [[0]]),
    "ad hoc: once, at the end": (FOUR, ReportDescriptor("USAGE", frequency=0), h(4), [[10, 11, 12, 13]]),
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_which_intervals_are_told_when(name):
    found, ask, now, expected = WINDOWS[name]
    assert [[row.interval for row in r.rows] for r in reports(found, ask, now)] == expected


@pytest.mark.parametrize(("covered", "expected"), [(False, [[10, 11]]), (True, [[11, 12]])])
def test_start_interval_is_where_the_report_is_made_or_by_a_switch_the_first_covered(covered, expected):
    ask = ReportDescriptor("USAGE", start_interval=1, num_intervals=2)
    assert [[row.interval for row in r.rows] for r in reports(FOUR, ask, h(4), covered=covered)] == expected


def test_the_last_five_of_ten_are_covered_by_the_switch():
    """User Guide 7.5: "only interested in report data for the last 5. startInterval = 5"."""
    ten = event(*(step(i, 0.1) for i in range(10)), period=at())
    (told,) = reports(ten, ReportDescriptor("USAGE", start_interval=5), h(10), covered=True)
    assert [row.interval for row in told.rows] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("how", "ids"),
    [("INTERVALS", [10, 11]), ("SUB_INTERVALS", [10] * 4 + [11] * 4), ("OPEN_INTERVALS", list(range(8)))],
)
def test_sub_intervals_repeat_the_id_and_open_ones_have_our_own(how, ids):
    two = event(step(10, 0.1), step(11, 0.1), period=at())
    (told,) = reports(two, ReportDescriptor("USAGE", report_intervals=how), h(2))
    assert [row.interval for row in told.rows] == ids
    assert sum(float(row.value or 0) for row in told.rows) == pytest.approx(2.0)
    assert told.rows[-1].start + timedelta(seconds=told.rows[-1].duration_s) == h(2)


VALUES = {
    "mean power": (ReportDescriptor("DEMAND", "MEAN"), 1.0, "OK", "MEAN", "KW"),
    "the highest minute": (ReportDescriptor("DEMAND", "PEAK"), 1.59, "OK", "PEAK", "KW"),
    "the highest quarter hour of a device": (ReportDescriptor("DEMAND", "PEAK", targets=("car",)), 0.4, "OK", "PEAK",
                                             "KW"),
    "a baseline as a power": (ReportDescriptor("BASELINE", units="KW"), 1.6, "ESTIMATED", "ESTIMATED", "KW"),
    "a device's baseline": (ReportDescriptor("BASELINE", targets=("car",)), 0.6, "ESTIMATED", "ESTIMATED", "KWH"),
    "devices summed": (ReportDescriptor("USAGE", aggregate=True, targets=("car", "tank")), 0.6, "OK", "SUMMED", "KWH"),
    "their baselines summed": (ReportDescriptor("DELTA_USAGE", aggregate=True, targets=("car", "tank")), -0.2,
                               "ESTIMATED", "ESTIMATED", "KWH"),
    "a device's register": (ReportDescriptor("READING", targets=("car",)), 1.0, "OK", "DIRECT_READ", "KWH"),
    "usable capacity": (ReportDescriptor("STORAGE_USABLE_CAPACITY"), 10.0, "OK", "DIRECT_READ", "KWH"),
    "one battery's": (ReportDescriptor("STORAGE_USABLE_CAPACITY", targets=("battery",)), 8.0, "OK", "DIRECT_READ",
                      "KWH"),
    "charge of all energy": (ReportDescriptor("STORAGE_CHARGE_LEVEL"), 0.6, "OK", "DIRECT_READ", "PERCENT"),
    "charge power": (ReportDescriptor("STORAGE_MAX_CHARGE_POWER"), 5.0, "OK", "DIRECT_READ", "KW"),
    "discharge power": (ReportDescriptor("STORAGE_MAX_DISCHARGE_POWER"), 6.0, "OK", "DIRECT_READ", "KW"),
    "what will be stored": (ReportDescriptor("STORAGE_DISPATCH_FORECAST"), 3.0, "ESTIMATED", "FORECAST", "KWH"),
    "a setpoint": (ReportDescriptor("SETPOINT", units="KW", targets=("car",)), 1.38, "OK", "DIRECT_READ", "KW"),
    "a forecast may be negative": (ReportDescriptor("USAGE_FORECAST"), -0.1, "ESTIMATED", "FORECAST", "KWH"),
    "but usage may not": (ReportDescriptor("USAGE", historical=False), 0.0, "ESTIMATED", "FORECAST", "KWH"),
    "a device's forecast as a power": (ReportDescriptor("DEMAND", "FORECAST", targets=("car",)), 0.3, "ESTIMATED",
                                       "FORECAST", "KW"),
    "an offer": (ReportDescriptor("LOAD_SHED_DELTA_AVAILABLE"), 2.0, "ESTIMATED", "FORECAST", "KW"),
    "an offer as energy": (ReportDescriptor("LOAD_SHED_DELTA_AVAILABLE", units="KWH"), 2.0, "ESTIMATED", "FORECAST",
                           "KWH"),
    "a reservation": (ReportDescriptor("IMPORT_RESERVATION_CAPACITY"), 1.0, "ESTIMATED", "FORECAST", "KW"),
    "a device offers nothing by itself": (ReportDescriptor("LOAD_SHED_DELTA_AVAILABLE", targets=("car",)), None,
                                          "MISSING", "FORECAST", "KW"),
    "nothing offered": (ReportDescriptor("GENERATION_DELTA_AVAILABLE"), None, "MISSING", "FORECAST", "KW"),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_the_value_of(name):
    ask, value, quality, reading, unit = VALUES[name]
    (told,) = reports(ONE, ask, h(1))
    found = told.rows[0].value
    assert found == (pytest.approx(value) if value is not None else None)
    assert (told.rows[0].quality, told.reading_type, told.unit) == (quality, reading, unit)


def test_a_home_that_feeds_in_has_no_usage_but_a_change_of_it():
    home = replace(HOME, site=quarters(-250.0), baseline=rows(-400.0))
    (usage,), (delta,) = (reports(ONE, ReportDescriptor(kind), h(1), data=home) for kind in ("USAGE", "DELTA_USAGE"))
    assert (usage.rows[0].value, delta.rows[0].value) == (0.0, pytest.approx(0.6))


def test_what_is_read_now_is_only_an_estimate_of_long_ago():
    (late,) = reports(ONE, ReportDescriptor("STORAGE_CHARGE_LEVEL"), h(3))
    assert late.rows[0].quality == "ESTIMATED"


def test_every_device_with_a_setpoint_tells_its_own():
    assert [r.resource for r in reports(ONE, ReportDescriptor("SETPOINT"), h(1))] == ["car", "tank"]


def test_a_late_event_gets_one_report_of_what_is_over_not_a_burst():
    """User Guide 7.5, "do it now"."""
    ask = ReportDescriptor("USAGE", start_interval=0, num_intervals=1, frequency=1, repeat=-1)
    assert [r.rows[0].interval for r in reports(FOUR, ask, h(3), first_seen=h(3))] == [12]


def test_keys_of_reports_made_before_sub_intervals_were_known_stay():
    """Else each report of a running event would be sent again after the update."""
    (told,) = reports(ONE, ReportDescriptor("USAGE"), h(1))
    asked = hashlib.sha256(BEFORE.encode()).hexdigest()[:8]
    assert told.key == f"{ONE.server}/e/USAGE-{asked}/{T0:%Y%m%dT%H%M%SZ}/home"
    (other,) = reports(ONE, ReportDescriptor("USAGE", report_intervals="SUB_INTERVALS"), h(1))
    assert other.key != told.key


def test_an_event_without_end_does_not_remember_every_report_for_ever():
    (told,) = reports(ONE, ReportDescriptor("USAGE"), h(1))
    assert remembered([told.key, "odd"], h(1) + timedelta(days=59)) == (told.key, "odd")
    assert remembered([told.key, "odd"], h(1) + timedelta(days=61)) == ("odd",)


def test_a_forecast_is_due_next_when_its_interval_begins():
    assert next_report_at(record(FOUR), ahead_of(), T0 - timedelta(hours=1)) == T0


SHARES = {
    "state": (ReportDescriptor("OPERATING_STATE"), {Shared.STATE}),
    "usage": (ReportDescriptor("BASELINE"), {Shared.USAGE}),
    "a device's usage": (ReportDescriptor("USAGE", targets=("car",)), {Shared.USAGE, Shared.DEVICES}),
    "a group is no device": (ReportDescriptor("USAGE", targets=("zone 4",)), {Shared.USAGE}),
    "setpoints": (ReportDescriptor("SETPOINT"), {Shared.DEVICES}),
    "storage": (ReportDescriptor("STORAGE_MAX_CHARGE_POWER"), {Shared.STORAGE}),
    "storage to come": (ReportDescriptor("STORAGE_DISPATCH_FORECAST"), {Shared.STORAGE, Shared.FORECAST}),
    "forecast": (ReportDescriptor("USAGE", historical=False), {Shared.FORECAST}),
    "flexibility": (ReportDescriptor("LOAD_SHED_DELTA_AVAILABLE", historical=False), {Shared.FLEXIBILITY}),
}


@pytest.mark.parametrize("name", SHARES)
def test_what_the_owner_must_share_for(name):
    ask, share = SHARES[name]
    assert needed(ask, ("car",)) == share
    now = h(1) if ask.historical else h(0)
    without = [kind for kind in Shared if kind not in share]
    assert reports(ONE, ask, now, share=tuple(share)) and not reports(ONE, ask, now, share=without)


def test_what_is_held_back_is_said_in_words():
    asks = (ReportDescriptor("USAGE"), ReportDescriptor("LOAD_SHED_DELTA_AVAILABLE"), ReportDescriptor("BASELINE"))
    asked = replace(ONE, reports=asks)
    assert held_back(asked, WITHOUT_ASKING) == [
        "Not told, because you do not share what the home could shift: LOAD_SHED_DELTA_AVAILABLE."
    ]
    assert held_back(asked, ())[0] == "Not told, because you do not share what the home uses: USAGE, BASELINE."
    assert held_back(asked, tuple(Shared)) == []


def test_a_program_may_demand_its_baseline_and_reading():
    rules = parse_proof({"programs": {"peaks": {"baseline": "5-in-10", "start_interval": "covered"}}})
    assert rules.of("utility:peaks") == ProofRule("5-in-10", True) and rules.of("utility:other") == ProofRule()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"programs": {"p": {"baseline": "11-in-10"}}}, "'11-in-10' is not known; use one of auto, 10-in-10"),
        ({"programs": {"p": {"start": 1}}}, "proof.programs.p: unknown key 'start'"),
        ({"programs": {"p": "auto"}}, "expected a table"),
        ({"program": {}}, "proof: unknown key 'program'"),
    ],
)
def test_a_wrong_demand_is_refused_by_its_place(table, words):
    with pytest.raises(ValueError, match=words):
        parse_proof(table)


def test_offers_are_told_as_what_each_span_could_give_by_itself():
    """2 kW for an hour or 1.5 kW for two from the start, 1.8 kW for an hour a quarter hour later; 1 kW upwards."""
    later = T0 + timedelta(minutes=15)
    offers = [
        FlexOffer(Direction.DOWN, T0, 7200, 3000.0, 0, 0, 0, 0.0), FlexOffer(Direction.DOWN, T0, 3600, 2000.0, 0, 0, 0, 0.0),
        FlexOffer(Direction.DOWN, later, 3600, 1800.0, 0, 0, 0, 0.0), FlexOffer(Direction.UP, T0, 3600, 1000.0, 0, 0, 0, 0.0),
    ]  # fmt: skip
    found = offers_ahead(offers)
    assert found["LOAD_SHED_DELTA_AVAILABLE"] == (BaselineRow(T0, 900, 500.0), BaselineRow(later, 3600, 1800.0))
    assert found["UP_REGULATION_AVAILABLE"] == found["LOAD_SHED_DELTA_AVAILABLE"]
    assert found["DOWN_REGULATION_AVAILABLE"] == (BaselineRow(T0, 3600, 1000.0),)
    assert offers_ahead([])["LOAD_SHED_DELTA_AVAILABLE"] == ()
