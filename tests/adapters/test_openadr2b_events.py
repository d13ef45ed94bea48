"""oadrDistributeEvent to our events: signals, units, priorities, targets, times (OpenADR 2.0b; guide G3 to G5).

The messages are written by the simulated VTN, which shares no code with the reader.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.openadr2b.events import Stated, read_distribution
from adapters.openadr2b.markup import read
from firmware_sim.vtn2b_events import Event, Signal
from firmware_sim.vtn2b_utility import Utility
from firmware_sim.vtn2b_xml import SPACES, message
from gateway.core.demand_response.schedule import schedule
from gateway.core.demand_response.timeline import build_timeline, draw_shifts
from gateway.model.dr import DrEvent, Duration, EventRecord, OptState

START = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
HOUR = 3600.0
KW = ["power:powerReal", "RealPower", "W", "k"]
WATT = ["power:powerReal", "RealPower", "W", "none"]
MWH = ["power:energyReal", "RealEnergy", "Wh", "M"]
EUR_KWH = ["oadr:currencyPerKWh", "currencyPerKWh", "EUR", "none"]
CENT_KWH = ["oadr:currencyPerKWh", "currencyPerKWh", "USD", "c"]
EUR_KW = ["oadr:currencyPerKW", "currencyPerKW", "EUR", "none"]


def told(*events: Event, now: datetime = START) -> list[Stated]:
    """What a VTN's message about these events says to us."""
    utility = Utility(lambda: now, lambda: 0.0, events={event.id: event for event in events})
    _, payload = read(message(utility.distribution()))
    return list(read_distribution(payload, "utility", "ven-1", ("car",)).events)


def one(*, length_s: float = HOUR, **more: Any) -> DrEvent:
    """The one event told."""
    found = told(Event("e1", START, length_s, **more))[0]
    assert found.event is not None, found.why
    return found.event


def rows(event: DrEvent) -> list[tuple[float | None, dict[str, float]]]:
    """(length in s, kind -> value) of each interval; None: no end."""
    found = []
    for interval in event.intervals:
        assert interval.period is not None and interval.period.duration is not None
        length = interval.period.duration
        values = {payload.type: float(payload.values[0]) for payload in interval.payloads}
        found.append((None if length.infinite else length.seconds, values))
    return found


@pytest.mark.parametrize(
    ("name", "form", "item", "value", "kind", "ours", "unit", "currency"),
    [
        ("SIMPLE", "level", [], 2, "SIMPLE", 2, "", ""),
        ("simple", "level", [], 3, "SIMPLE", 3, "", ""),
        ("ELECTRICITY_PRICE", "price", EUR_KWH, 0.31, "PRICE", 0.31, "KWH", "EUR"),
        ("ELECTRICITY_PRICE", "price", CENT_KWH, 45, "PRICE", 0.45, "KWH", "USD"),
        ("ELECTRICITY_PRICE", "price", [], 0.31, "PRICE", 0.31, "", ""),
        ("ENERGY_PRICE", "price", EUR_KWH, 0.2, "PRICE", 0.2, "KWH", "EUR"),
        ("ELECTRICITY_PRICE", "priceRelative", EUR_KWH, 0.1, "ELECTRICITY_PRICE/priceRelative", 0.1, "KWH", "EUR"),
        ("DEMAND_CHARGE", "price", EUR_KW, 4, "DEMAND_CHARGE/price", 4, "KW", "EUR"),
        ("LOAD_DISPATCH", "setpoint", KW, 4.2, "DISPATCH_SETPOINT", 4.2, "KW", ""),
        ("LOAD_DISPATCH", "setpoint", WATT, 4200, "DISPATCH_SETPOINT", 4.2, "KW", ""),
        ("LOAD_DISPATCH", "delta", KW, -1.5, "DISPATCH_SETPOINT_RELATIVE", -1.5, "KW", ""),
        ("CHARGE_STATE", "setpoint", MWH, 0.008, "CHARGE_STATE_SETPOINT", 8, "KWH", ""),
        ("LOAD_CONTROL", "x-loadControlLevelOffset", [], 2, "CONTROL_LEVEL_OFFSET", 2, "", ""),
        ("LOAD_CONTROL", "x-loadControlPercentOffset", [], -0.2, "CONTROL_LEVEL_OFFSET_PERCENT", -0.2, "", ""),
        ("LOAD_CONTROL", "x-loadControlCapacity", [], 0.5, "LOAD_CONTROL/x-loadControlCapacity", 0.5, "", ""),
        ("BID_LOAD", "setpoint", KW, 3, "BID_LOAD/setpoint", 3, "KW", ""),
        ("x-utility-own", "level", [], 7, "x-utility-own/level", 7, "", ""),
    ],
)
def test_each_signal_has_our_name_where_it_means_the_same_and_its_unit(
    name: str, form: str, item: list[str], value: float, kind: str, ours: float, unit: str, currency: str
) -> None:
    event = one(signals=[Signal(name, form, [value], item=item)])

    payload = event.intervals[0].payloads[0]
    assert payload.type == kind and payload.values == pytest.approx((ours,))
    assert event.units.get(kind, "") == unit and event.currencies.get(kind, "") == currency


def test_signals_with_intervals_of_their_own_become_one_row() -> None:
    level = Signal("SIMPLE", "level", [1, 2], [900.0, 2700.0])
    price = Signal("ELECTRICITY_PRICE", "price", [0.3, 0.4], [2700.0, 900.0], EUR_KWH)

    event = one(signals=[level, price])

    assert rows(event) == [
        (900.0, {"SIMPLE": 1.0, "PRICE": 0.3}),
        (1800.0, {"SIMPLE": 2.0, "PRICE": 0.3}),
        (900.0, {"SIMPLE": 2.0, "PRICE": 0.4}),
    ]


@pytest.mark.parametrize(
    ("length_s", "signal", "expected"),
    [
        (HOUR, Signal(values=[1]), [(HOUR, {"SIMPLE": 1.0})]),
        (HOUR, Signal(values=[1, 3]), [(1800.0, {"SIMPLE": 1.0}), (1800.0, {"SIMPLE": 3.0})]),
        (HOUR, Signal(values=[2], lengths_s=[0.0]), [(HOUR, {"SIMPLE": 2.0})]),
        (0.0, Signal(values=[2], lengths_s=[0.0]), [(None, {"SIMPLE": 2.0})]),
        (0.0, Signal(values=[1, 2], lengths_s=[600.0, 0.0]), [(600.0, {"SIMPLE": 1.0}), (None, {"SIMPLE": 2.0})]),
    ],
    ids=["one", "two", "as long as the event", "no end (rule 47)", "the last without an end"],
)
def test_intervals_fill_the_event(
    length_s: float, signal: Signal, expected: list[tuple[float | None, dict[str, float]]]
) -> None:
    assert rows(one(length_s=length_s, signals=[signal])) == expected


@pytest.mark.parametrize(("theirs", "ours"), [(0, None), (1, 0), (2, 1), (7, 6)])
def test_priority_one_is_the_highest_and_zero_is_none(theirs: int, ours: int | None) -> None:
    assert one(priority=theirs).priority == ours


@pytest.mark.parametrize(
    ("written", "test"), [("false", False), ("False", False), ("", False), ("true", True), ("yes", True), ("0", True)]
)
def test_anything_but_false_is_a_test_event(written: str, test: bool) -> None:
    assert one(test=written).test is test


@pytest.mark.parametrize(
    ("targets", "ours", "devices"),
    [
        ({}, True, ()),
        ({"venID": ["ven-1"]}, True, ()),
        ({"venID": ["ven-2"]}, False, ()),
        ({"venID": ["ven-2", "ven-1"]}, True, ()),
        ({"resourceID": ["car"]}, True, ("car",)),
        ({"resourceID": ["truck"]}, False, ()),
        ({"venID": ["ven-2"], "resourceID": ["car"]}, True, ("car",)),
        ({"groupID": ["north"]}, True, ()),
        ({"groupID": ["north"], "venID": ["ven-2"]}, True, ()),
        ({"partyID": ["p"]}, True, ()),
    ],
)
def test_criteria_of_a_target_are_alternatives(
    targets: dict[str, list[str]], ours: bool, devices: tuple[str, ...]
) -> None:
    found = told(Event("e1", START, targets=targets))[0]

    assert (found.event is not None) is ours
    if found.event is not None:
        assert found.event.targets == devices
    else:
        assert found.code == "462"


def test_a_device_class_that_all_signals_name_is_a_target() -> None:
    event = one(signals=[Signal("LOAD_CONTROL", "x-loadControlLevelOffset", [1], device_class="Water_Heater")])

    assert event.targets == ("Water_Heater",)


def test_notice_ramp_up_and_recovery_are_read() -> None:
    found = told(Event("e1", START, notice_s=600, ramp_up_s=300, recovery_s=120))[0]

    assert (found.notice_s, found.ramp_up_s, found.recovery_s) == (600, 300, 120)


def test_the_start_is_drawn_only_later_and_the_end_moves_with_it() -> None:
    event = one(after_s=600)
    starts = set()
    for home in range(200):
        record = EventRecord(event, START, draw_shifts(event, f"home-{home}", START), OptState.JOINED)
        piece = schedule(record, UTC, since=START - timedelta(days=1), until=START + timedelta(days=1))[0]
        starts.add(late := (piece.start - START).total_seconds())
        assert 0 <= late <= 600
        assert piece.end is not None and piece.end - piece.start == timedelta(hours=1)

    assert min(starts) < 60 and max(starts) > 540


def test_the_timeline_of_two_markets_follows_the_priorities() -> None:
    low = Event("low", START, 2 * HOUR, [Signal(values=[1])], market="http://u.example/a", priority=3)
    high = Event("high", START + timedelta(minutes=30), HOUR, [Signal(values=[3])], "http://u.example/b", priority=1)
    records = [
        EventRecord(stated.event, START, (0.0,), OptState.JOINED)
        for stated in told(low, high)
        if stated.event is not None
    ]

    timeline = build_timeline(records, {}, START)

    minutes = [(int((s.start - START).total_seconds() / 60), s.values[0]) for s in timeline.signals]
    assert minutes == [(0, 1.0), (30, 3.0), (90, 1.0)]


def test_what_counts_for_the_home_changes_the_fingerprint_and_the_status_does_not() -> None:
    far = told(Event("e1", START + timedelta(hours=3)), now=START)[0].event
    near = told(Event("e1", START + timedelta(hours=3)), now=START + timedelta(hours=2, minutes=30))[0].event
    other = told(Event("e1", START + timedelta(hours=3), signals=[Signal(values=[2])]), now=START)[0].event

    assert far is not None and near is not None and other is not None
    assert far.fingerprint == near.fingerprint != other.fingerprint


PERIOD = ".//ei:eiActivePeriod/xcal:properties"
INTERVAL = ".//strm:intervals/ei:interval"


@pytest.mark.parametrize(
    ("path", "instead", "why"),
    [
        (f"{PERIOD}/xcal:dtstart/xcal:date-time", "soon", "'soon' is no time"),
        (f"{PERIOD}/xcal:duration/xcal:duration", "an hour", "'an hour' is not a duration"),
        (f"{PERIOD}/xcal:duration/xcal:duration", "-PT1H", "'-PT1H' is negative"),
        (f"{INTERVAL}//ei:value", "NaN", "without a finite value"),
        (f"{INTERVAL}//ei:value", "one", "could not convert"),
        (f"{INTERVAL}/xcal:duration/xcal:duration", "PT60S", "last 60 s, the event 3600 s"),
        (".//ei:signalName", "", "without name or type"),
        (".//scale:siScaleCode", "kilo", "unknown scale 'kilo'"),
        (".//strm:intervals", None, "0 intervals"),
        (".//ei:eiEventSignals", None, "without signals"),
        (".//ei:priority", "9" * 400, "beyond its range"),
        (".//ei:priority", str(2**31 + 1), "beyond its range"),
        (".//ei:modificationNumber", "9" * 5000, "beyond its range"),
    ],
)
def test_an_event_that_cannot_be_read_says_why(path: str, instead: str | None, why: str) -> None:
    events = {"e1": Event("e1", START, signals=[Signal(item=KW)])}
    payload = Utility(lambda: START, lambda: 0.0, events=events).distribution()
    spoiled = payload.find(path, SPACES)
    assert spoiled is not None
    spoiled.text = instead
    if instead is None:
        spoiled.clear()

    found = read_distribution(read(message(payload))[1], "utility", "ven-1").events[0]

    assert found.event is None and found.code == "454" and why in found.why


def test_intervals_are_taken_in_the_order_of_their_uids() -> None:
    events = {"e1": Event("e1", START, signals=[Signal(values=[1, 2, 3])])}
    payload = Utility(lambda: START, lambda: 0.0, events=events).distribution()
    for uid, number in zip(payload.findall(f"{INTERVAL}/xcal:uid/xcal:text", SPACES), "201", strict=True):
        uid.text = number

    event = read_distribution(read(message(payload))[1], "utility", "ven-1").events[0].event

    assert event is not None and [values["SIMPLE"] for _, values in rows(event)] == [2.0, 3.0, 1.0]


def test_a_duration_without_an_end_is_open_in_the_schedule() -> None:
    event = one(length_s=0.0, signals=[Signal(values=[2], lengths_s=[0.0])])

    piece = schedule(EventRecord(event, START), UTC, since=START, until=START + timedelta(days=1))[0]

    assert piece.end is None and event.intervals[0].period is not None
    assert event.intervals[0].period.duration == Duration(infinite=True)


@pytest.mark.parametrize(
    ("signals", "why"),
    [([2501, 2500], "5001 intervals"), ([1] * 51, "51 values at one time")],
    ids=["intervals", "signals"],
)
def test_what_is_far_beyond_any_use_is_refused(signals: list[int], why: str) -> None:
    event = Event("e1", START, 2 * HOUR, [Signal(values=[1.0] * count) for count in signals])

    found = told(event)[0]

    assert found.event is None and found.code == "454" and why in found.why


def test_an_event_with_an_id_beyond_all_use_counts_as_one_without() -> None:
    utility = Utility(lambda: START, lambda: 0.0, events={"x" * 300: Event("x" * 300, START)})

    found = read_distribution(read(message(utility.distribution()))[1], "utility", "ven-1")

    assert not found.events and found.nameless == 1
