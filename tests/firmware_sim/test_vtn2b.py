"""The simulated VTN of OpenADR 2.0b against the official XML schema, and with openleadr's own VEN as its peer."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from firmware_sim.clock import SimClock
from firmware_sim.vtn2b import build
from firmware_sim.vtn2b_api import PREFIX
from firmware_sim.vtn2b_events import Event, Signal
from firmware_sim.vtn2b_xml import Element, make, message, opened, text
from tests.adapters.openadr2b_witness import Lab, schema_file, witness

START = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with witness() as made:
        yield made


async def say(lab: Lab, service: str, payload: Element) -> tuple[str, Element]:
    """One message of a VEN, and what it is answered with."""
    async with httpx.AsyncClient(verify=False) as http:  # plain http: no need of the authorities
        url = f"http://127.0.0.1:{lab.port}{PREFIX}/{service}"
        answer = await http.post(url, content=message(payload), headers={"content-type": "application/xml"})
    return opened(answer.content)


async def enrolled(lab: Lab) -> str:
    """A VEN that has registered; its venID."""
    made = make(
        "oadr:oadrCreatePartyRegistration",
        make("pyld:requestID", "r"),
        make("oadr:oadrVenName", "home"),
    )
    return text((await say(lab, "EiRegisterParty", made))[1], "ei:venID")


def poll(ven: str) -> Element:
    return make("oadr:oadrPoll", make("ei:venID", ven))


async def test_all_the_vtn_says_fits_the_official_schema(lab: Lab) -> None:
    etree = pytest.importorskip("lxml.etree")
    file = schema_file()
    if file is None:
        pytest.skip("openleadr, which carries the schema of 2.0b, is not installed")
    schema = etree.XMLSchema(etree.parse(str(file)))
    utility = lab.utility
    price = Signal(
        "ELECTRICITY_PRICE", "price", [0.3, 0.4], [], ["oadr:currencyPerKWh", "currencyPerKWh", "EUR", "none"]
    )
    power = Signal("LOAD_DISPATCH", "setpoint", [4], [], ["power:powerReal", "RealPower", "W", "k"], "Thermostat")
    utility.change(Event("e1", START, signals=[Signal(), price, power], after_s=60, notice_s=600, ramp_up_s=60))
    utility.change(Event("e2", START, recovery_s=60, comment="why", targets={"resourceID": ["car"], "venID": ["v"]}))
    ven = await enrolled(lab)
    utility.ask_report("telemetry-usage", ["usage"], 900, 900, 3600)
    utility.end_report("request-1", one_more=True)
    utility.ask_reregistration()
    utility.end_registrations()
    utility.cancel("e2")
    asked = make(
        "oadr:oadrRequestEvent", make("pyld:eiRequestEvent", make("pyld:requestID", "r"), make("ei:venID", ven))
    )

    said = [await say(lab, "EiRegisterParty", make("oadr:oadrQueryRegistration", make("pyld:requestID", "r")))]
    said += [await say(lab, "OadrPoll", poll(ven)) for _ in range(6)]
    said += [await say(lab, "EiEvent", asked), await say(lab, "OadrPoll", poll("nobody"))]

    for _, payload in said:
        schema.assertValid(etree.fromstring(message(payload)))
    assert {kind for kind, _ in said} >= {
        "oadrCreatedPartyRegistration", "oadrDistributeEvent", "oadrCreateReport", "oadrCancelReport",
        "oadrRequestReregistration", "oadrCancelPartyRegistration", "oadrResponse",
    }  # fmt: skip


async def test_it_complains_of_polls_that_come_too_early(lab: Lab) -> None:
    ven = await enrolled(lab)
    for pause in (10.0, 9.9, 3.0):
        await say(lab, "OadrPoll", poll(ven))
        await lab.clock.advance(pause)
    await say(lab, "OadrPoll", poll(ven))

    assert lab.utility.complaints == [f"{ven} polled after 3.00 s"]


@pytest.mark.parametrize(
    ("service", "payload", "code"),
    [
        ("OadrPoll", make("oadr:oadrPoll", make("ei:venID", "nobody")), "463"),
        ("EiEvent", make("oadr:oadrPoll", make("ei:venID", "nobody")), "459"),
        ("EiRegisterParty", make("oadr:oadrCreatePartyRegistration", make("ei:registrationID", "x")), "452"),
    ],
)
async def test_it_refuses_whom_and_what_it_does_not_know(lab: Lab, service: str, payload: Element, code: str) -> None:
    kind, answer = await say(lab, service, payload)

    assert kind == "oadrResponse" and text(answer, "ei:eiResponse/ei:responseCode") == code


@pytest.mark.parametrize(
    ("minutes", "status"), [(-120, "far"), (-30, "near"), (0, "active"), (59, "active"), (60, "completed")]
)
def test_the_status_of_an_event_follows_the_time(minutes: int, status: str) -> None:
    assert Event("e", START).status(START + timedelta(minutes=minutes)) == status


async def test_people_and_scripts_drive_it_over_http(lab: Lab) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{lab.port}/sim") as http:
        event = {"id": "e1", "start": START.isoformat(), "signals": [{"values": [2]}]}
        first = (await http.post("/events", json=event)).json()
        second = (await http.post("/events", json={**event, "priority": 1})).json()
        refused = (await http.post("/events", json={"id": "e2"})).status_code
        await http.post("/events/e1/cancel")
        state = (await http.get("/state")).json()
        gone = [(await http.delete("/events/e1")).status_code for _ in range(2)]
        unknown = (await http.post("/nothing")).status_code

    assert (first["number"], second["number"], refused, gone, unknown) == (0, 1, 400, [200, 404], 404)
    assert state["events"] == [{"id": "e1", "number": 2, "status": "cancelled"}]


@pytest.mark.slow
async def test_openleadrs_own_ven_registers_gets_an_event_and_opts_in(lab: Lab) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        openleadr = pytest.importorskip("openleadr", reason="openleadr, the peer of 2.0b, is not installed")
    seen: list[str] = []

    async def on_event(event: dict[str, Any]) -> str:
        seen.append(event["event_descriptor"]["event_id"])
        return "optIn"

    client = openleadr.OpenADRClient(ven_name="leadr", vtn_url=f"http://127.0.0.1:{lab.port}{PREFIX}")
    client.add_handler("on_event", on_event)
    lab.utility.change(Event("e1", datetime.now(UTC) + timedelta(minutes=30)))
    await client.create_party_registration()
    kind, payload = await client.request_event()
    assert kind == "oadrDistributeEvent"
    await client._on_event(payload)
    for _ in range(200):
        if lab.utility.opts:
            break
        await asyncio.sleep(0.01)
    await client.client_session.close()

    assert seen == ["e1"]
    assert [(o["event"], o["opt"]) for o in lab.utility.opts] == [("e1", "optIn")]


def test_the_process_is_built_at_home_time() -> None:
    api = build(SimClock(START, 0.0, 1.0), 30.0)

    assert api.utility.poll_s == 30.0 and api.utility.now() > START
