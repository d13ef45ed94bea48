"""The simulated VTN against the official OpenADR 3.1.0 schemas, and its script, faults and notifications."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from firmware_sim.clock import SimClock
from firmware_sim.vtn import build

SPEC = yaml.safe_load((Path(__file__).parents[1] / "data/openadr/3.1.0/openadr3.yaml").read_text())
CLIENTS = ["ven1:s1:ven", "ven2:s2:ven", "utility:s3:bl"]
START = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)  # 17:30 in Brussels
EVENT = {
    "eventName": "Evening peak",
    "priority": 1,
    "intervalPeriod": {"start": "@18:00", "duration": "PT4H"},
    "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [2]}]}],
}


def _satisfiable_spec() -> dict:
    """The YAML's `ven` and `resource` want objectType VEN and BL_VEN_REQUEST at once: the metadata's one is meant."""
    for name in ("BlVenRequest", "BlResourceRequest"):
        schema = SPEC["components"]["schemas"][name]
        answered = {**schema, "properties": {k: v for k, v in schema["properties"].items() if k != "objectType"}}
        SPEC["components"]["schemas"][f"{name}Answered"] = answered
    for kind, name in (("ven", "BlVenRequest"), ("resource", "BlResourceRequest")):
        parts = SPEC["components"]["schemas"][kind]["allOf"]
        parts[1] = {"$ref": f"#/components/schemas/{name}Answered"}
    return SPEC


SPEC = _satisfiable_spec()


def conforms(path: str, answer: httpx.Response) -> bool:
    """The status is declared for this operation and the body fits the declared schema; raises where not."""
    declared = SPEC["paths"][path][answer.request.method.lower()]["responses"]
    response = declared[str(answer.status_code)]
    if "$ref" in response:
        response = SPEC["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    schema = response["content"]["application/json"]["schema"]
    OAS30Validator({"allOf": [schema], "components": SPEC["components"]}).validate(answer.json())
    return True


class Vtn:
    """A VTN in process, at home time 17:30, with a client for each role."""

    def __init__(self, speed: float = 1.0, life_s: float = 3600.0) -> None:
        self.real = time.time()
        self.api = build(SimClock(START, self.real, speed), CLIENTS, life_s, "Europe/Brussels")
        self.app = self.api.app()

    async def as_(self, client: str, secret: str) -> httpx.AsyncClient:
        http = self.anyone()
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
        token = (await http.post("/auth/token", data=form)).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        return http

    def anyone(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://vtn")


@pytest.fixture
def vtn():
    return Vtn()


@pytest.fixture
async def utility(vtn):
    return await vtn.as_("utility", "s3")


@pytest.fixture
async def ven(vtn):
    return await vtn.as_("ven1", "s1")


async def publish(utility, **event):
    program = (await utility.post("/programs", json={"programName": f"P{time.monotonic_ns()}"})).json()
    body = {"programID": program["id"], **EVENT, **event}
    body["intervalPeriod"] = {"start": "2026-11-21T17:00:00Z", "duration": "PT4H"}
    return (await utility.post("/events", json=body)).json()


async def enrol(ven, name="home"):
    return (await ven.post("/vens", json={"objectType": "VEN_VEN_REQUEST", "venName": name})).json()


async def test_every_answer_fits_the_official_schemas(vtn, utility, ven):
    program = await utility.post("/programs", json={"programName": "Summer Saver"})
    event_body = {"programID": program.json()["id"], **EVENT, "intervalPeriod": {"start": "2026-11-21T17:00:00Z"}}
    event = await utility.post("/events", json=event_body)
    home = await ven.post("/vens", json={"objectType": "VEN_VEN_REQUEST", "venName": "home"})
    car = {"objectType": "VEN_RESOURCE_REQUEST", "resourceName": "ev", "venID": home.json()["id"]}
    resource = await ven.post("/resources", json=car)
    operations = [{"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": "http://127.0.0.1:9/x"}]
    subscription = await ven.post("/subscriptions", json={"clientName": "home", "objectOperations": operations})
    intervals = [{"id": 0, "payloads": [{"type": "USAGE", "values": [1.5]}]}]
    report_body = {"eventID": event.json()["id"], "clientName": "home",
                   "resources": [{"resourceName": "ev", "intervals": intervals}]}  # fmt: skip
    report = await ven.post("/reports", json=report_body)
    made = {"programs": program, "events": event, "vens": home, "resources": resource,
            "subscriptions": subscription, "reports": report}  # fmt: skip
    ids = {"programs": "programID", "events": "eventID", "vens": "venID", "resources": "resourceID",
           "subscriptions": "subscriptionID", "reports": "reportID"}  # fmt: skip
    for path, answer in made.items():
        assert answer.status_code == 201, answer.text
        assert conforms(f"/{path}", answer)
        one = f"/{path}/{answer.json()['id']}"
        owner = utility if path in ("programs", "events") else ven
        assert conforms(f"/{path}", await ven.get(f"/{path}"))
        assert conforms(f"/{path}/{{{ids[path]}}}", await ven.get(one))
        assert conforms(f"/{path}/{{{ids[path]}}}", await ven.get(f"/{path}/nothing-here"))
        assert conforms(f"/{path}/{{{ids[path]}}}", await owner.put(one, json=_request_of(answer)))
        assert conforms(f"/{path}", await vtn.anyone().get(f"/{path}"))
    for path, answer in reversed(made.items()):
        owner = utility if path in ("programs", "events") else ven
        gone = await owner.delete(f"/{path}/{answer.json()['id']}")
        assert conforms(f"/{path}/{{{ids[path]}}}", gone)
    assert conforms("/auth/server", await ven.get("/auth/server"))
    assert conforms("/notifiers", await ven.get("/notifiers"))


def _request_of(answer):
    return {k: v for k, v in answer.json().items() if not k.endswith("DateTime") and k not in ("id", "clientID")}


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "client_credentials", "client_id": "ven1", "client_secret": "s1"}, 200),
        ({"grant_type": "client_credentials", "client_id": "ven1", "client_secret": "wrong"}, 401),
        ({"grant_type": "client_credentials", "client_id": "nobody", "client_secret": ""}, 400),
        ({"grant_type": "password", "client_id": "ven1", "client_secret": "s1"}, 400),
        ({"grant_type": "client_credentials"}, 400),
    ],
)
async def test_a_token_is_given_for_the_right_secret_only(vtn, form, status):
    answer = await vtn.anyone().post("/auth/token", data=form)
    assert answer.status_code == status
    assert conforms("/auth/token", answer)


async def test_a_token_ends_with_its_life():
    short = Vtn(life_s=0.02)
    http = await short.as_("ven1", "s1")
    await asyncio.sleep(0.03)
    assert (await http.get("/events")).status_code == 401


@pytest.mark.parametrize("path", ["programs", "events"])
async def test_a_ven_may_not_write_what_belongs_to_the_utility(ven, path):
    answer = await ven.post(f"/{path}", json={"programName": "mine", "programID": "x"})
    assert answer.status_code == 403
    assert conforms(f"/{path}", answer)


async def test_a_utility_may_not_write_reports(utility):
    assert (await utility.post("/reports", json={})).status_code == 403


async def test_pages_are_cut_by_skip_and_limit_and_never_hold_more_than_fifty(utility):
    for number in range(53):
        await utility.post("/programs", json={"programName": f"P{number}"})
    assert len((await utility.get("/programs")).json()) == 50
    rest = (await utility.get("/programs", params={"skip": 50, "limit": 50})).json()
    assert [program["programName"] for program in rest] == ["P50", "P51", "P52"]
    too_many = await utility.get("/programs", params={"limit": 51})
    assert too_many.status_code == 400
    assert conforms("/programs", too_many)


async def test_a_targeted_event_is_seen_by_the_granted_ven_only(vtn, utility, ven):
    home = await enrol(ven)
    await publish(utility, eventName="for all")
    await publish(utility, eventName="for group-1", targets=["group-1"])
    assert await names(ven) == ["for all"]
    granted = {"objectType": "BL_VEN_REQUEST", "venName": "home", "clientID": "ven1", "targets": ["group-1"]}
    assert (await utility.put(f"/vens/{home['id']}", json=granted)).status_code == 200
    assert await names(ven) == ["for all", "for group-1"]
    assert await names(ven, targets=["other"]) == ["for all"]
    other = await vtn.as_("ven2", "s2")
    assert await names(other) == ["for all"]
    assert (await other.get("/vens")).json() == []


async def names(http, **query):
    return [event["eventName"] for event in (await http.get("/events", params=query)).json()]


async def test_a_ven_cannot_grant_itself_targets(ven):
    body = {"objectType": "VEN_VEN_REQUEST", "venName": "home", "targets": ["everything"], "clientID": "utility"}
    answer = (await ven.post("/vens", json=body)).json()
    assert "targets" not in answer
    assert answer["clientID"] == "ven1"


async def test_the_same_name_twice_is_a_conflict(ven):
    await enrol(ven)
    again = await ven.post("/vens", json={"objectType": "VEN_VEN_REQUEST", "venName": "home"})
    assert again.status_code == 409


async def test_the_script_announces_at_its_time_modifies_and_cancels(vtn):
    entries = [
        {"announce": "17:45", "program": {"programName": "Summer Saver"}, "event": EVENT},
        {"announce": "18:30", "modify": "Evening peak", "event": {"priority": 0}},
        {"announce": "19:00", "cancel": "Evening peak"},
    ]
    vtn.api.script.add(entries)
    events = vtn.api.store.items["events"]
    seen = {}
    for minute in (0, 14, 15, 60, 90):
        at(vtn, minute)
        seen[minute] = [(event["intervalPeriod"]["start"], event["priority"]) for event in events.values()]
    start = "2026-11-21T17:00:00Z"
    assert seen == {0: [], 14: [], 15: [(start, 1)], 60: [(start, 0)], 90: []}


def at(vtn, minutes):
    """Home time `minutes` after 17:30."""
    vtn.api.store.now = SimClock(START, time.time() - minutes * 60).now
    vtn.api.script.run_due()


@pytest.mark.parametrize(("started_minutes", "published"), [(60, 1), (300, 0)])
async def test_an_announcement_already_passed_is_made_at_once_unless_the_event_is_over(vtn, started_minutes, published):
    at(vtn, started_minutes)
    vtn.api.script.add([{"announce": "17:45", "event": EVENT}])
    assert len(vtn.api.store.items["events"]) == published


async def test_an_event_of_the_script_finds_its_program_by_name(vtn):
    """Wrong before: it went to the program announced last, so the peak's event stood under "Grid carbon"."""
    at(vtn, 0)
    named = {"announce": "17:00", "event": EVENT | {"programName": "Peak"}}
    vtn.api.script.add([{"program": {"programName": "Peak"}}, {"program": {"programName": "Carbon"}}, named])
    (event,) = vtn.api.store.items["events"].values()
    assert vtn.api.store.items["programs"][event["programID"]]["programName"] == "Peak"
    assert "programName" not in event


async def test_faults_spoil_the_api_and_not_the_simulator_pages(vtn, ven):
    assert (await ven.post("/sim/fault", json={"kind": "500", "for_s": 0.05})).status_code == 200
    broken = await ven.get("/events")
    assert broken.status_code == 500
    assert conforms("/events", broken)
    assert (await ven.get("/sim/state")).json()["faults"] == ["500"]
    await asyncio.sleep(0.06)
    assert (await ven.get("/events")).status_code == 200
    await ven.post("/sim/fault", json={"kind": "nonsense", "for_s": 60})
    with pytest.raises(ValueError):
        (await ven.get("/events")).json()
    assert (await ven.get("/events")).json() == "do some magic!"
    await ven.post("/sim/clear")
    await ven.post("/sim/fault", json={"kind": "expired-tokens", "for_s": 60})
    assert (await ven.get("/events")).status_code == 401


async def test_a_subscriber_is_woken_with_its_bearer_token(vtn, utility, ven):
    pushed: asyncio.Queue[bytes] = asyncio.Queue()

    async def callback(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        pushed.put_nowait(head)
        writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(callback, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/wake"
    operations = [{"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": url, "bearerToken": "tok"}]
    await ven.post("/subscriptions", json={"clientName": "home", "objectOperations": operations})
    await publish(utility)
    async with asyncio.timeout(5):
        head = (await pushed.get()).decode().lower()
    assert head.startswith("post /wake")
    assert "authorization: bearer tok" in head
    server.close()


async def test_the_page_shows_events_reports_and_vens_and_escapes_what_it_was_sent(vtn, utility, ven):
    await enrol(ven, "<b>home</b>")
    event = await publish(utility)
    intervals = [{"id": 0, "payloads": [{"type": "USAGE", "values": [1.25]}]}]
    body = {"eventID": event["id"], "clientName": "home",
            "resources": [{"resourceName": "ev", "intervals": intervals}]}  # fmt: skip
    await ven.post("/reports", json=body)
    html = (await ven.get("/")).text
    for expected in ("Evening peak", "upcoming", "USAGE 1.25", "&lt;b&gt;home&lt;/b&gt;"):
        assert expected in html
    assert "<b>home" not in html


@pytest.mark.slow
@pytest.mark.end_to_end
async def test_the_process_serves_on_a_port_of_its_own_and_ends_on_sigterm():
    import sys

    command = [sys.executable, "-m", "firmware_sim", "vtn", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: process.returncode is None and process.kill())
        async with asyncio.timeout(15):
            line = (await process.stdout.readline()).decode()
            port = int(line.removeprefix("READY vtn port="))
            async with httpx.AsyncClient(trust_env=False) as http:
                answer = await http.get(f"http://127.0.0.1:{port}/auth/server")
            assert answer.json()["tokenURL"] == f"http://127.0.0.1:{port}/auth/token"
            process.terminate()
            await process.wait()
        assert process.returncode == 0
