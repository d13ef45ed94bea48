"""The utility's page, its forms and its command line: what people type becomes events that fit the official schemas."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
import uvicorn
import yaml
from openapi_schema_validator import OAS30Validator

from firmware_sim import vtn_compose, vtn_ctl
from firmware_sim.vtn_chart import chart
from firmware_sim.vtn_said import delivered_kwh, states
from firmware_sim.vtn_wire import Refused, Wire
from tests.firmware_sim.test_vtn import Vtn, enrol, publish

ROOT = Path(__file__).parents[2]
SPECS = {
    version: yaml.safe_load((ROOT / f"tests/data/openadr/{version}/openadr3.yaml").read_text())
    for version in ("3.1.0", "3.0.1")
}
BRUSSELS = ZoneInfo("Europe/Brussels")
NOW = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)  # 17:30 in Brussels


def fits(body: dict, schema: str, version: str = "3.1.0") -> bool:
    components = SPECS[version]["components"]
    OAS30Validator({"allOf": [components["schemas"][schema]], "components": components}).validate(body)
    return True


@pytest.fixture
def vtn():
    return Vtn()


@pytest.fixture
async def desk(vtn):
    return vtn.anyone()


@pytest.mark.parametrize("version", ["3.1.0", "3.0.1"])
@pytest.mark.parametrize("kind", list(vtn_compose.KINDS))
def test_an_event_of_each_kind_fits_the_official_schema(kind, version):
    words = {"kind": kind, "values": "2", "duration": "30m", "targets": "north, south", "randomize": "5m",
             "priority": "1", "reports": ",".join(vtn_compose.REPORTS)}  # fmt: skip
    body = vtn_compose.event(words, "p1", NOW, BRUSSELS, grouped=version == "3.0.1")
    request = "eventRequest" if version == "3.1.0" else "event"
    assert fits(body, request, version)


@pytest.mark.parametrize(
    ("said", "start"),
    [
        ("now", "2026-11-21T16:30:00.000Z"),
        ("+10", "2026-11-21T16:40:00.000Z"),
        ("+90s", "2026-11-21T16:31:30.000Z"),
        ("18:00", "2026-11-21T17:00:00.000Z"),
        ("17:00", "2026-11-22T16:00:00.000Z"),
        ("2026-12-01T08:00", "2026-12-01T07:00:00.000Z"),
        ("2026-12-01T08:00Z", "2026-12-01T08:00:00.000Z"),
    ],
)
def test_a_start_is_said_as_people_say_it(said, start):
    body = vtn_compose.event({"values": "1", "start": said}, "p1", NOW, BRUSSELS)
    assert body["intervalPeriod"]["start"] == start


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"values": "4"}, "values: a level is 0, 1, 2 or 3"),
        ({"values": ""}, "values: say one value"),
        ({"values": "two"}, "values: 'two' is not a list of numbers"),
        ({"kind": "shed", "values": "1"}, "kind: 'shed' is none of level"),
        ({"kind": "charge-state", "values": "180"}, "values: a charge is 0 to 100"),
        ({"values": "1", "start": "soon"}, "start: 'soon' is not now"),
        ({"values": "1", "start": "25:00"}, "start: 25:00 is no time of day"),
        ({"values": "1", "start": "+later"}, "start: '+later' is not like +10"),
        ({"values": "1", "duration": "long"}, "duration: 'long' is not like 30m"),
        ({"values": "1", "randomize": "a bit"}, "randomize: 'a bit' is not like 30m"),
        ({"values": "1", "priority": "-1"}, "priority: '-1' is not a whole number"),
        ({"values": "1", "reports": "usage,gossip"}, "reports: gossip is none of"),
        ({"values": "1", "colour": "red"}, "an event has no colour"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_field(words, complaint):
    with pytest.raises(ValueError) as refused:
        vtn_compose.event(words, "p1", NOW, BRUSSELS)
    assert complaint in str(refused.value)


def test_a_charge_in_percent_goes_out_as_a_fraction():
    body = vtn_compose.event({"kind": "charge-state", "values": "80"}, "p1", NOW, BRUSSELS)
    assert body["intervals"][0]["payloads"] == [{"type": "CHARGE_STATE_SETPOINT", "values": [0.8]}]


def test_a_change_keeps_what_is_not_said():
    held = {"id": "e", "createdDateTime": "x", **vtn_compose.event(
        {"kind": "import-limit", "values": "3", "start": "18:00", "duration": "1h", "priority": "2"}, "p1", NOW, BRUSSELS
    )}  # fmt: skip
    body = vtn_compose.moved(held, {"duration": "2h"}, NOW, BRUSSELS)
    assert body["intervalPeriod"] == {"start": "2026-11-21T17:00:00.000Z", "duration": "PT7200S"}
    assert (body["priority"], body["intervals"], "id" in body) == (2, held["intervals"], False)
    values = vtn_compose.moved(held, {"values": "4,5"}, NOW, BRUSSELS)["intervals"]
    assert [interval["payloads"][0] for interval in values] == [
        {"type": "IMPORT_CAPACITY_LIMIT", "values": [4]}, {"type": "IMPORT_CAPACITY_LIMIT", "values": [5]},
    ]  # fmt: skip


async def test_the_pages_forms_make_change_and_cancel(vtn, desk):
    assert (await desk.post("/desk/program", data={"name": "Peak <1>"})).status_code == 303
    await desk.post("/desk/event", data={"kind": "level", "values": "2", "start": "+10", "duration": "1h", "name": "A"})
    (event,) = vtn.api.store.items["events"].values()
    assert event["intervals"][0]["payloads"] == [{"type": "SIMPLE", "values": [2]}]
    html = (await desk.get("/")).text
    assert "Peak &lt;1&gt;" in html and "Change what is filled in" in html and "<1>" not in html
    await desk.post("/desk/change", data={"id": event["id"], "duration": "30m", "values": ""})
    (event,) = vtn.api.store.items["events"].values()
    assert event["intervalPeriod"]["duration"] == "PT1800S"
    await desk.post("/desk/cancel", data={"id": event["id"], "how": "zero"})
    (event,) = vtn.api.store.items["events"].values()
    assert event["intervalPeriod"] == {"start": "0001-01-01T00:00:00Z", "duration": "PT0S"}
    await desk.post("/desk/cancel", data={"id": event["id"]})
    assert not vtn.api.store.items["events"]


@pytest.mark.parametrize(
    ("act", "words", "complaint"),
    [
        ("event", {"values": "1"}, "program: create one first"),
        ("program", {"name": " "}, "name: a program needs one"),
        ("cancel", {"id": "gone"}, "no event has the id gone"),
        ("change", {"id": "&lt;gone"}, "no event has the id"),
    ],
)
async def test_a_form_that_cannot_be_says_why_on_the_page_once(desk, act, words, complaint):
    await desk.post(f"/desk/{act}", data=words)
    assert f'role="alert">{complaint}' in (await desk.get("/")).text
    assert 'role="alert"' not in (await desk.get("/")).text


async def test_a_form_of_another_page_is_refused(vtn, desk):
    sent = await desk.post("/desk/program", data={"name": "Peak"}, headers={"origin": "http://evil.example"})
    assert sent.status_code == 403 and not vtn.api.store.items["programs"]


async def test_the_page_tells_who_opted_out_and_what_was_delivered(vtn):
    utility, ven = await vtn.as_("utility", "s3"), await vtn.as_("ven1", "s1")
    await enrol(ven)
    event = await publish(utility)
    rows = {"USAGE": [1.0, 2.0, 1.5], "BASELINE": [2.0, 2.5, 1.5], "OPERATING_STATE": ["RUNNING_OPTED_OUT"]}
    for kind, values in rows.items():
        intervals = [{"id": n, "payloads": [{"type": kind, "values": [value]}]} for n, value in enumerate(values)]
        body = {"eventID": event["id"], "clientName": "home", "reportName": kind,
                "resources": [{"resourceName": "home", "intervals": intervals}]}  # fmt: skip
        assert (await ven.post("/reports", json=body)).status_code == 201
    html = (await vtn.anyone().get("/")).text
    assert "home: opted out (RUNNING_OPTED_OUT)" in html
    assert "home, home: 1.5 kWh less than its baseline" in html
    assert html.count("<svg") == 2


def test_the_newest_state_counts_and_a_usage_without_baseline_is_no_delivery():
    event = {"id": "e"}
    told = [_report("OPERATING_STATE", ["RUNNING_OPTED_OUT"], "2026-11-21T17:00:00Z"),
            _report("OPERATING_STATE", ["IDLE_CURTAILED"], "2026-11-21T18:00:00Z"),
            _report("USAGE", [1.0], "2026-11-21T18:00:00Z")]  # fmt: skip
    (state,) = states(event, told)
    assert (state.words, state.opted_out) == ("takes part (IDLE_CURTAILED)", False)
    assert delivered_kwh(event, told) == {}


def _report(kind, values, at):
    intervals = [{"id": n, "payloads": [{"type": kind, "values": [value]}]} for n, value in enumerate(values)]
    return {"eventID": "e", "clientName": "home", "modificationDateTime": at,
            "resources": [{"resourceName": "home", "intervals": intervals}]}  # fmt: skip


def test_bars_of_both_signs_stand_on_one_zero_line():
    drawn = chart("net", [2.0, -2.0])
    assert 'y="0.0" width="119.0" height="24.0"' in drawn and 'y="24.0" width="119.0" height="24.0"' in drawn
    assert chart("one", [1.0]) == ""


@contextlib.contextmanager
def serving(vtn: Vtn, *, date_header: bool = True) -> Iterator[str]:
    """The VTN on a port of its own, in a thread; yields its base URL."""
    server = uvicorn.Server(uvicorn.Config(vtn.app, log_config=None, lifespan="off", date_header=date_header))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(5)
        listener.close()


def command(url: str, *words: str) -> list[str]:
    args = vtn_ctl.parser().parse_args([url, *words])
    client, _, secret = args.client.partition(":")
    with httpx.Client(base_url=url, trust_env=False) as http:
        return list(vtn_ctl.run(args, Wire(http, client, secret)))


@pytest.fixture
def ctl(vtn):
    with serving(vtn) as url:
        yield lambda *words: command(url, "--client", "utility:s3", *words)


def test_the_command_line_makes_lists_changes_and_cancels(ctl, vtn):
    assert ctl("create-program", "--name", "Peak")[0].startswith("program Peak (")
    assert ctl("create-event", "--kind", "level", "--values", "2", "--name", "Tonight")[0].startswith(
        "published Tonight"
    )
    assert any("active Tonight" in line or "upcoming Tonight" in line for line in ctl("list"))
    assert ctl("change", "Tonight", "--duration", "30m")[0].startswith("changed Tonight")
    (event,) = vtn.api.store.items["events"].values()
    assert event["intervalPeriod"]["duration"] == "PT1800S"
    ctl("cancel", "Tonight", "--zero")
    (event,) = vtn.api.store.items["events"].values()
    assert event["intervalPeriod"]["duration"] == "PT0S"
    ctl("cancel", event["id"])
    assert not vtn.api.store.items["events"]
    assert ctl("reports") == ["no report"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("create-event", "--values", "1"), "there is no program yet"),
        (("cancel", "nothing"), "there is no event 'nothing'; there is: none"),
        (("create-event", "--values", "1", "--program", "x"), "there is no program 'x'"),
    ],
)
def test_the_command_line_says_what_is_missing(ctl, words, complaint):
    with pytest.raises((Refused, ValueError)) as refused:
        ctl(*words)
    assert complaint in str(refused.value)


def test_a_name_borne_by_two_events_is_not_guessed(ctl, vtn):
    ctl("create-program", "--name", "Peak")
    for _ in range(2):
        ctl("create-event", "--values", "1", "--name", "Same")
    with pytest.raises(Refused, match="2 events are called 'Same'; say its id"):
        ctl("cancel", "Same")


def test_a_wrong_secret_is_told_in_the_servers_words(ctl):
    with pytest.raises(Refused, match=r"no token for utility: 401, unknown client or wrong secret\. See --client"):
        ctl("--client", "utility:wrong", "list")


def test_what_changes_is_told_while_one_watches(ctl):
    ctl("create-program", "--name", "Peak")
    ctl("create-event", "--values", "2", "--name", "Tonight")
    (line,) = ctl("watch", "--for-s", "0.01")
    assert "Tonight" in line


def test_more_than_a_page_is_listed_whole(ctl):
    for number in range(53):
        ctl("create-program", "--name", f"P{number}")
    assert len(ctl("list")) == 53


def test_a_page_that_is_no_vtn_is_told_so(vtn):
    with serving(vtn) as url, pytest.raises(Refused, match="404"):
        command(f"{url}/wrong", "list")


def test_a_damaged_record_ends_the_command_with_what_is_wrong(tmp_path):
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"event": "e", "entries": []}))
    check = [sys.executable, "-m", "firmware_sim", "vtn-ctl", "check-record", str(record)]
    done = subprocess.run(check, capture_output=True, text=True, cwd=ROOT, timeout=20, check=False)
    assert done.returncode == 1 and "head: missing" in done.stderr


def test_now_is_the_servers_now_which_a_simulated_home_may_live_apart_from_ours(vtn):
    async def dated(scope, receive, send):
        async def more(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"date", b"Sat, 21 Nov 2026 16:30:00 GMT")]
            await send(message)

        await application(scope, receive, more)

    application, vtn.app = vtn.app, dated
    with serving(vtn, date_header=False) as url:
        command(url, "--client", "utility:s3", "create-program", "--name", "Peak")
        command(url, "--client", "utility:s3", "create-event", "--values", "2", "--start", "+30")
    (event,) = vtn.api.store.items["events"].values()
    assert abs(datetime.fromisoformat(event["intervalPeriod"]["start"]) - NOW - timedelta(minutes=30)).seconds < 30
