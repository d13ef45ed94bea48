"""The simulated VTN's other faces: OpenADR 3.0.1, an MQTT notifier, the oddities of real servers, a file that outlives it."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from firmware_sim.clock import SimClock
from firmware_sim.vtn import build, parser
from firmware_sim.vtn_odd import ODD
from firmware_sim.vtn_store import Problem
from firmware_sim.vtn_versions import VERSIONS
from tests.firmware_sim.test_vtn import CLIENTS, START, Vtn, enrol, publish

SPEC = yaml.safe_load((Path(__file__).parents[1] / "data/openadr/3.0.1/openadr3.yaml").read_text())
DATES = ("createdDateTime", "modificationDateTime")


class Variant(Vtn):
    """A VTN of another version, with oddities, or with a file."""

    def __init__(self, version: str = "3.1.0", odd: tuple[str, ...] = (), keep: Path | None = None) -> None:
        clock = SimClock(START, time.time(), 1.0)
        self.api = build(clock, CLIENTS, 3600.0, "Europe/Brussels", version=VERSIONS[version], odd=list(odd), keep=keep)
        self.app = self.api.app()


def conforms(path: str, answer: httpx.Response) -> bool:
    """The status is declared by 3.0.1 for this operation and the body fits; raises where not."""
    declared = SPEC["paths"][path][answer.request.method.lower()]["responses"][str(answer.status_code)]
    schema = declared["content"]["application/json"]["schema"]
    OAS30Validator({"allOf": [schema], "components": SPEC["components"]}).validate(answer.json())
    return True


async def test_every_answer_of_3_0_1_fits_its_official_schemas():
    vtn = Variant("3.0.1")
    utility, ven = await vtn.as_("utility", "s3"), await vtn.as_("ven1", "s1")
    program = await utility.post("/programs", json={"programName": "Summer Saver", "bindingEvents": True})
    interval = {"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}
    groups = [{"type": "GROUP", "values": ["north"]}]
    body = {"programID": program.json()["id"], "intervals": [interval], "targets": groups}
    event = await utility.post("/events", json=body)
    home = await ven.post("/vens", json={"venName": "home"})
    under = f"/vens/{home.json()['id']}/resources"
    car = await ven.post(under, json={"resourceName": "ev"})
    operations = [{"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": "http://127.0.0.1:9/x"}]
    asked = {"clientName": "home", "programID": program.json()["id"], "objectOperations": operations}
    subscription = await ven.post("/subscriptions", json=asked)
    rows = [{"resourceName": "ev", "intervals": [interval]}]
    told = {"programID": program.json()["id"], "eventID": event.json()["id"], "clientName": "home", "resources": rows}
    report = await ven.post("/reports", json=told)
    for path, one, made in (
        ("/programs", "/programs/{programID}", program), ("/events", "/events/{eventID}", event),
        ("/vens", "/vens/{venID}", home), ("/subscriptions", "/subscriptions/{subscriptionID}", subscription),
        ("/reports", "/reports/{reportID}", report),
    ):  # fmt: skip
        assert made.status_code == 201, made.text
        assert conforms(path, made)
        assert conforms(path, await ven.get(path))
        assert conforms(one, await ven.get(f"{path}/{made.json()['id']}"))
        assert conforms(one, await ven.get(f"{path}/nothing-here"))
        assert conforms(path, await vtn.anyone().get(path)), "no token: 403, as 3.0.1 declares no 401"
    assert conforms("/vens/{venID}/resources", car) and conforms("/vens/{venID}/resources", await ven.get(under))
    assert conforms("/vens/{venID}/resources/{resourceID}", await ven.get(f"{under}/{car.json()['id']}"))
    assert "clientID" not in home.json()
    assert (await ven.get("/resources")).status_code == (await ven.get("/notifiers")).status_code == 404
    assert (await ven.get("/auth/server")).status_code == 404


async def test_3_0_1_narrows_events_by_a_kind_of_target_and_its_values():
    vtn = Variant("3.0.1")
    utility, ven = await vtn.as_("utility", "s3"), await vtn.as_("ven1", "s1")
    for name in ("north", "south"):
        await publish(utility, eventName=name, targets=[{"type": "GROUP", "values": [name]}])
    await publish(utility, eventName="all")
    found = (await ven.get("/events", params={"targetType": "GROUP", "targetValues": ["north"]})).json()
    assert [event["eventName"] for event in found] == ["north", "all"]
    assert len((await ven.get("/events")).json()) == 3


async def test_3_0_1_wants_the_program_of_a_report_and_of_a_subscription():
    ven = await Variant("3.0.1").as_("ven1", "s1")
    report = await ven.post("/reports", json={"eventID": "e", "clientName": "home", "resources": []})
    subscription = await ven.post("/subscriptions", json={"clientName": "home", "objectOperations": []})
    assert (report.status_code, subscription.status_code) == (400, 400)
    assert "programID" in report.json()["detail"] and "programID" in subscription.json()["detail"]


async def test_what_a_server_keeps_is_there_after_it_was_started_anew(tmp_path):
    file = tmp_path / "utility.json"
    before = Variant(keep=file)
    utility, ven = await before.as_("utility", "s3"), await before.as_("ven1", "s1")
    home, event = await enrol(ven), await publish(utility)
    after = Variant(keep=file)
    again = await after.as_("ven1", "s1")
    assert [item["id"] for item in (await again.get("/events")).json()] == [event["id"]]
    assert [item["id"] for item in (await again.get("/vens")).json()] == [home["id"]]
    file.write_text('{"events": {}}')
    with pytest.raises(ValueError, match="does not hold a VTN's objects"):
        Variant(keep=file)


async def odd_event(*names: str) -> dict:
    vtn = Variant(odd=names)
    await publish(await vtn.as_("utility", "s3"))
    return (await (await vtn.as_("ven1", "s1")).get("/events")).json()[0]


@pytest.mark.parametrize(
    ("name", "written"), [("naive-dates", "2026-11-21 16:30:00"), ("time-only-dates", "16:30:00"), ("nulls", None)]
)
async def test_an_oddity_shows_in_what_is_listed(name, written):
    event = await odd_event(name)
    if name == "nulls":
        assert event["targets"] is None and event["duration"] is None and event["intervals"]
    else:
        assert [event[key] for key in DATES] == [written, written]


async def test_now_and_for_ever_are_written_as_older_servers_do():
    vtn = Variant(odd=("zeroed-now", "spelled-infinity"))
    utility = await vtn.as_("utility", "s3")
    event = await publish(utility)
    for_ever = {"start": "0001-01-01T00:00:00Z", "duration": "P9999Y"}
    await utility.put(f"/events/{event['id']}", json={**event, "intervalPeriod": for_ever})
    shown = (await utility.get(f"/events/{event['id']}")).json()
    assert shown["intervalPeriod"] == {"start": "0000-00-00T00:00:00Z", "duration": "P9999Y0M0DT0H0M0S"}


async def test_a_server_that_ignores_filters_and_leaks_targets_lists_everything():
    vtn = Variant(odd=("ignores-filters", "leaks-targets", "no-paging"))
    utility, ven = await vtn.as_("utility", "s3"), await vtn.as_("ven1", "s1")
    await publish(utility, eventName="theirs", targets=["other street"])
    await publish(utility, eventName="ours")
    found = (await ven.get("/events", params={"programID": "none", "skip": "1", "limit": "1"})).json()
    assert [event["eventName"] for event in found] == ["theirs", "ours"]


async def test_odd_tokens_and_problems():
    vtn = Variant(odd=("forbidden-tokens", "scope-list", "basic-refused", "string-status", "magic-notifiers"))
    http, form = vtn.anyone(), {"grant_type": "client_credentials"}
    assert (await http.post("/auth/token", data=form, auth=("ven1", "s1"))).status_code == 400
    answer = (await http.post("/auth/token", data={**form, "client_id": "ven1", "client_secret": "s1"})).json()
    assert isinstance(answer["scope"], list) and "expires_in" not in answer
    refused = await http.get("/events", headers={"authorization": "Bearer old"})
    assert (refused.status_code, refused.json()["status"]) == (403, "403")
    magic = await http.get("/notifiers", headers={"authorization": f"Bearer {answer['access_token']}"})
    assert magic.json() == "do some magic!"


async def test_a_sane_server_takes_http_basic_too():
    answer = await Vtn().anyone().post("/auth/token", data={"grant_type": "client_credentials"}, auth=("ven1", "s1"))
    assert answer.status_code == 200


async def test_targets_that_were_not_granted_give_a_500_where_that_is_on():
    vtn = Variant(odd=("targets-500",))
    ven = await vtn.as_("ven1", "s1")
    assert (await ven.get("/events", params={"targets": ["not mine"]})).status_code == 500
    assert (await ven.get("/events")).status_code == 200


async def test_two_servers_that_count_use_the_same_ids():
    assert (await odd_event("counted-ids"))["id"] == (await odd_event("counted-ids"))["id"] == "0"


async def test_oddities_are_switched_while_it_runs_and_an_unknown_one_is_named():
    vtn = Vtn()
    http = vtn.anyone()
    assert (await http.post("/sim/odd", json=["nulls"])).json() == {"odd": ["nulls"]}
    assert (await http.post("/sim/odd", json=[])).json() == {"odd": []}
    refused = await http.post("/sim/odd", json=["purple"])
    assert refused.status_code == 400 and "purple" in refused.json()["detail"]
    with pytest.raises(Problem):
        Variant(odd=("purple",))


def test_the_command_line_knows_every_oddity():
    args = parser().parse_args([word for name in ODD for word in ("--odd", name)])
    assert args.odd == list(ODD)


async def hook(*odd: str) -> tuple[str, str]:
    """(the first line, the body) of the last call that a subscriber gets, with these oddities."""
    calls: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def callback(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line.split(":")[1]) for line in head.lower().splitlines() if "content-length" in line), 0)
        body = (await reader.readexactly(length)).decode()
        echo = head.split("echo=")[1].split(" ")[0] if "echo=" in head else ""
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(echo)}\r\nConnection: close\r\n\r\n{echo}".encode())
        await writer.drain()
        writer.close()
        calls.put_nowait((head.splitlines()[0], body))

    server = await asyncio.start_server(callback, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/wake"
    vtn = Variant(odd=odd)
    utility, ven = await vtn.as_("utility", "s3"), await vtn.as_("ven1", "s1")
    operations = [{"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": url}]
    await ven.post("/subscriptions", json={"clientName": "home", "objectOperations": operations})
    if "echo-path" not in odd:
        await publish(utility)
    async with asyncio.timeout(5):
        call = await calls.get()
    server.close()
    return call


async def test_odd_pushes():
    _, plain = await hook()
    assert json.loads(plain)["object"]["eventName"] == "Evening peak"
    _, twice = await hook("push-in-text")
    assert isinstance(json.loads(twice), str)
    _, snake = await hook("snake-push")
    assert json.loads(snake)["object"]["event_name"] == "Evening peak"
    line, _ = await hook("echo-path")
    assert line.startswith("GET /wake/echo?echo=")


async def test_a_callback_that_gives_no_echo_is_refused_where_that_is_on():
    vtn = Variant(odd=("echo-path",))
    ven = await vtn.as_("ven1", "s1")
    operations = [{"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": "http://127.0.0.1:9/x"}]
    answer = await ven.post("/subscriptions", json={"clientName": "home", "objectOperations": operations})
    assert answer.status_code == 400 and "does not answer" in answer.json()["detail"]


async def test_a_subscriber_hears_nothing_of_an_event_for_somebody_else():
    vtn = Vtn()
    utility, ven = await vtn.as_("utility", "s3"), await vtn.as_("ven1", "s1")
    operations = [{"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": "http://127.0.0.1:9/x"}]
    await ven.post("/subscriptions", json={"clientName": "home", "objectOperations": operations})
    event = await publish(utility, targets=["other street"])
    kind = vtn.api.version.kinds["events"]
    assert list(vtn.api.notifier._callbacks("CREATE", kind, event)) == []
    open_event = await publish(utility)
    assert len(list(vtn.api.notifier._callbacks("CREATE", kind, open_event))) == 1


def test_every_oddity_stands_in_the_utilitys_how_to():
    told = (Path(__file__).parents[2] / "docs/how-to/play-the-utility.md").read_text()
    assert [name for name, words in ODD.items() if f"| `{name}` | {words} |" not in told] == []
