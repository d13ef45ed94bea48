"""The API: every path answers with units and signs, refuses with a problem body, and hands wishes on."""

from __future__ import annotations

from datetime import datetime

import pytest

from gateway.model.preferences import ChargeMode
from gateway.web.app import create_app
from gateway.web.settings import WebSettings
from tests.web.conftest import browser, only_read
from tests.web.scene import SITE

READS = [
    "state", "devices", "chargers", "plan", "dr/events", "preferences", "loadshape", "forecast", "forecast?step=60", "forecast/accuracy", "forecast/ev", "forecast/occupancy", "sessions", "sessions.csv",
    "notifications", "audit", "intervals?device=house", "intervals.csv?device=meter",
    "intervals.xml?device=inverter/pv", "attribution", "intervals/history?device=meter&start=2026-11-21T11:00:00Z", "readings?device=inverter&quantity=soc_percent", "openapi.json",
]  # fmt: skip


@pytest.mark.parametrize("path", READS)
async def test_every_read_answers(looking, path):
    assert (await looking.get(f"/api/v1/{path}")).status_code == 200


@pytest.mark.parametrize("path", READS)
async def test_every_read_answers_before_the_first_tick(path):
    async with browser(only_read(empty=True)[1]) as client:
        answer = await client.get(f"/api/v1/{path}")
    assert answer.status_code == (404 if path == "plan" else 200), answer.text


async def test_the_state_names_every_configured_device_with_its_age(demo):
    state = (await demo.get("/api/v1/state")).json()
    assert set(state["devices"]) == {"meter", "inverter", "charger", "boiler", "heatpump"}
    assert state["devices"]["boiler"] | {"values": None} == {
        "id": "boiler", "name": "Hot water", "role": "water_heater", "online": False, "age_s": 252.0, "values": None,
        "reason": "The relay has not spoken for 4 min; look at its Wi-Fi.", "doubts": {}, "vee": [], "profile": "",
        "warning": "",
    }  # fmt: skip
    assert state["devices"]["inverter"]["values"]["soc_percent"] == {"value": 62.0, "unit": "%"}


async def test_the_state_keeps_the_sign_rule_and_the_reason_of_each_setpoint(demo):
    state = (await demo.get("/api/v1/state")).json()
    assert (state["grid_w"], state["battery_w"], state["car_w"], state["heat_w"]) == (240.0, -1480.0, 0.0, 310.0)
    setpoint = state["setpoints"]["charger"]
    assert (setpoint["value"], setpoint["authority"], setpoint["source"]) == (0, 6, "ev-now")
    assert "utility" in setpoint["reason"]


async def test_events_tell_phase_and_what_was_delivered(demo):
    events = {event["id"]: event for event in (await demo.get("/api/v1/dr/events")).json()}
    assert {key: event["phase"] for key, event in events.items()} == {
        "ev-past": "ended", "ev-now": "active", "ev-next": "upcoming",
    }  # fmt: skip
    assert events["ev-past"]["delivered_wh"] == 3120
    assert events["ev-now"]["program"] == "Fluvius Flex evenings"


async def test_an_override_is_handed_to_the_home_and_answered_with_what_will_happen(demo, home):
    answer = await demo.post("/api/v1/overrides", json={"device": "charger", "action": "run", "minutes": 90})
    assert answer.json() == {"text": "charger runs until 22:00, then follows the plan again."}
    assert home.wishes == [("override", "charger", "run", 90.0, "demo", "")]


async def test_an_event_is_skipped(demo, home):
    answer = await demo.post("/api/v1/dr/events/ev-now/opt", json={"choice": "skip"})
    assert answer.json() == {"text": "Evening peak: skipped."}
    assert home.wishes == [("opt", "ev-now", "skip", "demo")]


async def test_preferences_read_can_be_written_back_changed(demo, home):
    wish = (await demo.get("/api/v1/preferences")).json()
    wish["charging"] = {"charger": {"mode": "solar", "ready_by": "06:30", "target_wh": 12000}}
    assert (await demo.put("/api/v1/preferences", json=wish)).status_code == 200
    assert home.preferences().charging_of("charger").mode is ChargeMode.SOLAR


BAD = {
    "unknown path 404": ("GET", "/api/v1/nothing", None, 404),
    "unknown device 404": ("GET", "/api/v1/intervals?device=ghost", None, 404),
    "unknown event 404": ("POST", "/api/v1/dr/events/ghost/opt", {"choice": "join"}, 404),
    "wrong method 405": ("DELETE", "/api/v1/state", None, 405),
    "unknown quantity 422": ("GET", "/api/v1/readings?device=meter&quantity=hats", None, 422),
    "naive time 422": ("GET", "/api/v1/intervals?device=house&start=2026-11-21T00:00:00", None, 422),
    "the last year of the calendar 422": (
        "GET", "/api/v1/intervals?device=house&start=9999-12-31T00:00:00Z", None, 422,
    ),
    "the first year of the calendar 422": (
        "GET", "/api/v1/readings?device=meter&quantity=power_w&end=0001-01-01T00:00:00Z", None, 422,
    ),
    "start after end 422": (
        "GET", "/api/v1/intervals?device=house&start=2026-11-21T01:00:00Z&end=2026-11-21T00:00:00Z", None, 422,
    ),
    "too long a span 422": (
        "GET", "/api/v1/readings?device=meter&quantity=power_w&start=2026-01-01T00:00:00Z&end=2026-11-21T00:00:00Z", None, 422,
    ),
    "unknown field 422": ("POST", "/api/v1/overrides", {"device": "charger", "action": "run", "hours": 3}, 422),
    "unknown action 422": ("POST", "/api/v1/overrides", {"device": "charger", "action": "explode"}, 422),
    "two days 422": ("POST", "/api/v1/overrides", {"device": "charger", "action": "run", "minutes": 2880}, 422),
    "unknown device 409": ("POST", "/api/v1/overrides", {"device": "ghost", "action": "run"}, 409),
    "comfort upside down 409": ("PUT", "/api/v1/preferences", {"comfort_low_c": 25, "comfort_high_c": 20}, 409),
    "frost 422": ("PUT", "/api/v1/preferences", {"comfort_low_c": -5}, 422),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
async def test_every_refusal_is_a_problem_body(looking, case):
    method, path, body, status = case
    answer = await looking.request(method, path, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    document = answer.json()
    assert set(document) == {"type", "title", "status", "detail", "instance"}
    assert document["status"] == status
    assert document["detail"]
    assert only_read()[0].wishes == []


async def test_not_a_number_is_refused(demo, home):
    body = b'{"device": "charger", "action": "run", "minutes": NaN}'
    answer = await demo.post("/api/v1/overrides", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert home.wishes == []


async def test_a_failing_home_is_a_problem_without_a_trace(demo, home):
    home.headline = lambda: 1 / 0
    answer = await demo.get("/api/v1/state")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "division" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


async def test_readiness_tells_why_not(home):
    home.reasons = ["the main meter is silent"]
    async with browser(create_app(home, settings=WebSettings())) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the main meter is silent")


async def test_metrics_are_prometheus_text(demo):
    assert (await demo.get("/metrics")).text == (
        "# HELP hearth_ticks_total Ticks\n# TYPE hearth_ticks_total counter\nhearth_ticks_total 12\n"
        "# HELP hearth_device_online 1 when heard\n# TYPE hearth_device_online gauge\n"
        'hearth_device_online{device="a\\"b"} 1\nhearth_device_online{device="meter"} 0\n'
    )


async def test_forecasts_come_in_longer_slots_and_with_how_well_they_held(reader):
    quarters, hours = [(await reader.get(f"/api/v1/forecast?step={step}")).json()["load"] for step in (15, 60)]
    assert (hours["step_s"], len(hours["mean"])) == (3600, len(quarters["mean"]) // 4)
    assert hours["mean"][0] == pytest.approx(sum(quarters["mean"][:4]) / 4)
    assert (await reader.get("/api/v1/forecast?step=20")).status_code == 422
    [day] = (await reader.get("/api/v1/forecast/accuracy?days=7")).json()
    assert (day["coverage"], day["bias_w"], day["skill"]) == (0.81, -15.0, None)
    assert (await reader.get("/api/v1/forecast/accuracy?days=0")).status_code == 422


async def test_habits_come_by_the_hour_of_the_home_s_own_clock(reader):
    [car] = (await reader.get("/api/v1/forecast/ev")).json()
    local = datetime.fromisoformat(car["start"]).astimezone(SITE.timezone)
    assert (local.minute, len(car["plugged"])) == (0, 48)
    assert car["plugged"] == [0.25 if (local.hour + i) % 24 < 12 else 0.75 for i in range(48)]
    assert car["workday"]["arrival_h"] == {"low": 17.0, "mid": 17.5, "high": 18.5} and car["why"] == ""
    people = (await reader.get("/api/v1/forecast/occupancy")).json()
    assert (people["home"], people["base_w"]) == ([0.8] * 48, 120.0)
