"""A whole day at speed: energy, departure, the signature scene, the report and its truth. Never latency."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from gateway.demo import find_mosquitto
from tests.end_to_end.whole_day import EVENT, SPEED, HomeDay, Look, local, whole_day
from tests.end_to_end.witness import Truth

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.slow,
    pytest.mark.skipif(find_mosquitto() is None, reason="the whole home needs mosquitto"),
]

QUARTER = timedelta(minutes=15)
EVENT_START, EVENT_END, DEPARTURE = local(18), local(22), local(7, days=1)
CONTROLLED = {
    "car": "car_energy_wh",
    "tank": "tank_energy_wh",
    "heat_pump": "hp_energy_wh",
    "pool": "pool_energy_wh",
    "dishwasher": "dishwasher_energy_wh",
}
POLL_S = 0.1 * SPEED
"""At speed a meter is read every 100 ms of the world's time, and the house steps as often."""

BRIEF = timedelta(seconds=6 * POLL_S)


@pytest.fixture(scope="module")
def homes() -> tuple[HomeDay, HomeDay]:
    return whole_day()


@pytest.fixture
def day(homes: tuple[HomeDay, HomeDay]) -> HomeDay:
    return homes[0]


@pytest.fixture
def twin(homes: tuple[HomeDay, HomeDay]) -> HomeDay:
    return homes[1]


def by_start(rows: list[dict[str, Any]]) -> dict[datetime, dict[str, Any]]:
    return {datetime.fromisoformat(row["start"]): row for row in rows}


def whole_quarters(day: HomeDay, device: str = "grid_meter") -> list[tuple[datetime, dict[str, Any]]]:
    """The stored quarters that the witness saw from end to end and the gateway measured whole."""
    seen = day.truth.samples
    return [
        (start, row)
        for start, row in sorted(by_start(day.intervals[device]).items())
        if row["quality"] != "missing"
        and "part" not in row["method"]
        and seen[0].t < start
        and start + QUARTER < seen[-1].t
    ]


def resolution_wh(counter_wh: float) -> float:
    """The step of an SDM630's register: a float32 in kWh."""
    return float(2.0 ** (math.floor(math.log2(counter_wh / 1000)) - 23) * 1000)


def largest_w(truth: Truth, start: datetime, end: datetime) -> float:
    return max(abs(s.grid_w) for s in truth.between(start - QUARTER / 4, end + QUARTER / 4))


def gap_s(truth: Truth, start: datetime, end: datetime) -> float:
    """The longest time between two looks at the meter around an interval, s of home time."""
    times = [s.t for s in truth.between(start - QUARTER / 4, end + QUARTER / 4)]
    return max((b - a).total_seconds() for a, b in pairwise(times))


@pytest.mark.parametrize("way", ["import", "export"])
def test_the_days_energy_is_the_meters_difference_within_its_resolution(day: HomeDay, way: str) -> None:
    minutes = by_start(day.registers[f"energy_{way}_wh"])
    rows = [(start, row) for start, row in whole_quarters(day) if start + QUARTER <= max(minutes)]
    first, last = rows[0][0], rows[-1][0] + QUARTER
    assert last - first > timedelta(hours=20), "most of a day was measured"
    assert [start for start, _ in rows] == [first + QUARTER * i for i in range(len(rows))], "no quarter is missing"
    told = sum(row[f"{way}_wh"] for _, row in rows)
    low, high = (_register(minutes, edge) for edge in (first, last))
    step = resolution_wh(high[1])
    assert high[0] - low[1] - step <= told <= high[1] - low[0] + step
    true = day.truth.used(f"grid_{way}_wh", first, last)
    assert told == pytest.approx(true, abs=step + _edge_wh(day.truth, first) + _edge_wh(day.truth, last))


def _register(minutes: dict[datetime, dict[str, Any]], edge: datetime) -> tuple[float, float]:
    """The register before and after an instant, as the gateway read it."""
    before = max(start for start in minutes if start < edge)
    after = min(start for start in minutes if start >= edge)
    return minutes[before]["last"], minutes[after]["low"]


def _edge_wh(truth: Truth, edge: datetime) -> float:
    """What may lie between the meter's value and the moment it is read."""
    around = truth.between(edge - timedelta(seconds=3 * POLL_S), edge + timedelta(seconds=3 * POLL_S))
    return max(abs(s.grid_w) for s in around) * 2 * POLL_S / 3600


def test_each_interval_is_true_within_power_times_a_few_poll_periods(day: HomeDay) -> None:
    """Its edges are as sharp as the meter is read: at speed, three periods are a third of a second of the machine's."""
    wrong = []
    for start, row in whole_quarters(day):
        end = start + QUARTER
        for way in ("import", "export"):
            true = day.truth.used(f"grid_{way}_wh", start, end)
            bound = max(1.0, largest_w(day.truth, start, end) * max(3 * POLL_S, gap_s(day.truth, start, end)) / 3600)
            if abs(row[f"{way}_wh"] - true) > bound:
                wrong.append((start.isoformat(), way, row[f"{way}_wh"], true, bound, row["method"]))
    assert not wrong


def test_what_came_in_was_used_stored_or_lost(day: HomeDay) -> None:
    house = day.house
    stored = house["stored_wh"]
    came = house["grid_import_wh"] - house["grid_export_wh"] + house["pv_dc_wh"]
    run = house["pool_wh"] + house["dishwasher_wh"]
    used = house["house_wh"] + house["ev_wh"] + house["tank_wh"] + house["hp_wh"] + run
    assert came == pytest.approx(used + stored["battery"] + house["losses_wh"], abs=1.0)
    assert house["ev_wh"] == pytest.approx(stored["ev"] + house["ev_loss_wh"] + house["driven_wh"], abs=1.0)
    assert house["tank_wh"] == pytest.approx(stored["tank"] + house["tank_drawn_wh"] + house["tank_loss_wh"], abs=1.0)
    warmth = house["hp_wh"] + house["hp_ambient_wh"] + house["room_gain_wh"]
    assert warmth == pytest.approx(stored["room"] + house["room_loss_wh"], abs=1.0)


def test_the_car_is_full_at_departure(day: HomeDay) -> None:
    leaving = day.truth.between(DEPARTURE - timedelta(minutes=5), DEPARTURE)
    assert leaving[-1].car_plugged and leaving[-1].car_soc_percent > 99.5
    told = [look for look in day.looks if DEPARTURE - timedelta(minutes=15) < look.at < DEPARTURE]
    true = day.truth.used("car_energy_wh", local(17, 15), DEPARTURE)
    assert told and told[-1].car["session_wh"] == pytest.approx(true, rel=0.01)


def test_the_signature_scene_happens(day: HomeDay) -> None:
    truth = day.truth
    event = _event(day)
    seen = datetime.fromisoformat(event["first_seen"])
    assert local(17, 45) <= seen < EVENT_START and event["opt"] == "joined"
    charging = [s for s in truth.between(local(17, 50), EVENT_START) if s.car_w > 4_000]
    assert charging, "the car charges before the event"
    paused = truth.between(EVENT_START + timedelta(seconds=3 * SPEED), EVENT_END - timedelta(seconds=SPEED))
    assert max(s.car_w for s in paused) < 50
    told = [look for look in day.looks if EVENT_START + timedelta(minutes=20) < look.at < EVENT_END - QUARTER]
    assert told and {look.state["setpoints"]["car"]["source"] for look in told} == {event["key"]}
    assert all("utility" in look.car["reason"] for look in told), "the owner reads why"
    assert [s for s in truth.between(EVENT_END, EVENT_END + timedelta(minutes=30)) if s.car_w > 4_000]


def test_the_utility_holds_usage_and_baseline_with_their_quality(day: HomeDay) -> None:
    event = _event(day)
    kinds = {}
    for report in (r for r in day.reports if r["eventID"] == event["id"]):
        for interval in report["resources"][0]["intervals"]:
            values = {payload["type"]: payload["values"][0] for payload in interval["payloads"]}
            for kind in values.keys() - {"DATA_QUALITY"}:
                kinds[kind] = (values[kind], values["DATA_QUALITY"])
    assert kinds.keys() == {"USAGE", "BASELINE"}
    usage, quality = kinds["USAGE"]
    true = day.truth.used("grid_import_wh", EVENT_START, EVENT_END)
    rows = [row for start, row in by_start(day.intervals["grid_meter"]).items() if EVENT_START <= start < EVENT_END]
    valid = [row for row in rows if row["quality"] == "valid"]
    assert len(rows) == 16 and len(valid) >= 12, "the evening was measured"
    assert quality == ("OK" if len(valid) == len(rows) else "ESTIMATED"), "what is told is as good as what is stored"
    assert usage * 1000 == pytest.approx(true, abs=largest_w(day.truth, EVENT_START, EVENT_END) / 30)
    assert kinds["BASELINE"][1] == "ESTIMATED" and kinds["BASELINE"][0] > usage


def test_delivered_energy_is_that_of_the_twin_within_the_interval_told(day: HomeDay, twin: HomeDay) -> None:
    event = _event(day)
    assert EVENT not in {other["name"] for other in twin.events}
    parts = {
        device: twin.truth.used(name, EVENT_START, EVENT_END) - day.truth.used(name, EVENT_START, EVENT_END)
        for device, name in CONTROLLED.items()
    }
    true = sum(parts.values())
    assert true > 5_000, parts
    assert event["delivered_low_wh"] <= true <= event["delivered_high_wh"], (parts, _audit(day))
    assert event["delivered_wh"] == pytest.approx(true, rel=0.2), (parts, _audit(day))


def test_the_whole_home_is_stated_with_an_interval(day: HomeDay) -> None:
    event = _event(day)
    assert event["home_delivered_low_wh"] < event["home_delivered_wh"] < event["home_delivered_high_wh"]
    assert event["delivered_low_wh"] < event["delivered_wh"] < event["delivered_high_wh"]


def test_nobody_fell_silent_and_nothing_was_wrong(day: HomeDay) -> None:
    begin = day.looks[0].at + timedelta(seconds=10 * SPEED)
    looks = [look for look in day.looks if look.at > begin]
    assert not {look.ready for look in looks} - {""}
    assert not {problem for look in looks for problem in _silent(look)}
    assert all(look.plan_made_at is not None for look in looks)
    late = [(look.at, look.plan_made_at) for look in looks if look.at - _made(look) > timedelta(minutes=60)]
    assert not late, "a plan is never old"
    odd = [n for n in day.notifications if not n["cause"].startswith("event ") and _at(n["time"]) > begin]
    assert not [(n["time"], n["cause"], n["text"]) for n in odd if not _of_a_moment(n)]


def _silent(look: Look) -> list[str]:
    devices = look.state["devices"].values()
    return [f"{look.at} {device['id']}: {device['reason']}" for device in devices if not device["online"]]


def _of_a_moment(notification: dict[str, Any]) -> bool:
    """At speed one tick is half a minute: an overload that the next ticks ended is judged at speed 1, not here."""
    ended = notification["ended"]
    return notification["cause"] == "fuse" and ended is not None and _at(ended) - _at(notification["time"]) < BRIEF


def _made(look: Look) -> datetime:
    assert look.plan_made_at is not None
    return look.plan_made_at


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _event(day: HomeDay) -> dict[str, Any]:
    (event,) = [event for event in day.events if event["name"] == EVENT]
    return event


def _audit(day: HomeDay) -> list[str]:
    return [row["text"] for row in day.audit if row["step"] == "released"]
