"""The page Chargers and its API: who waits, what a charger is, what may be asked of it, and only with a login."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import astuple, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from gateway.model.charging import ChargerAbout, Operation, TraceLine, WaitingCharger
from gateway.model.errors import CommandRefused
from gateway.runtime.installer import Installer, suggested_id
from gateway.web.app import create_app
from gateway.web.chargers import OPERATIONS
from gateway.web.settings import WebSettings
from tests.fakes import FakeStore
from tests.web.conftest import OWN, browser
from tests.web.fake_home import FakeHome
from tests.web.scene import NOW

ABOUT = ChargerAbout(
    "charger", "CP 1/a", "2.0.1", 2, "Acme", "One", "1.4", "S77", "TxProfile in A, stack 0", True,
    {"HeartbeatInterval": "300"}, {"unknown field": 3}, (TraceLine(NOW, "in", "TamperDetected: lid"),), ("1-diag.zip",),
    in_force="at most 8 A",
)  # fmt: skip
WAITING = WaitingCharger("CP<2>", "192.168.1.40", NOW, NOW, "1.6", 0, "Beta", "Two", "9", 2)
REFUSED = WaitingCharger("", "192.168.1.41", NOW, NOW, connected=False, trouble="it offered no OCPP version")


class FakeDesk:
    """A CSMS with one charger and two that wait."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Operation]] = []
        self.refuses = ""
        self.waits = [WAITING, REFUSED]

    def waiting(self):
        return self.waits

    def about(self, charger: str):
        return ABOUT if charger == "charger" else None

    def trace(self, identity: str):
        lines = [
            TraceLine(NOW, "step", "connected, speaks OCPP 2.0.1"),
            TraceLine(NOW + timedelta(seconds=2), "in", '[2,"a","Authorize",{"idTag":"***1a2b3c"}]'),
        ]
        return lines if identity == ABOUT.identity else []

    async def operate(self, charger: str, operation: Operation) -> str:
        self.asked.append((charger, operation))
        if self.refuses:
            raise CommandRefused(charger, operation.value, self.refuses)
        return "The charger restarts now; its absence is expected."


class FakeAdoption:
    def __init__(self) -> None:
        self.adopted: list[tuple] = []

    async def adopt(self, newcomer, who) -> str:
        self.adopted.append((*astuple(newcomer), who))
        return "Car two is adopted."


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def adoption() -> FakeAdoption:
    return FakeAdoption()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def at_home(home: FakeHome, desk: FakeDesk, adoption: FakeAdoption, store: FakeStore, tmp_path: Path):
    (tmp_path / "charger").mkdir()
    (tmp_path / "charger" / "1-diag.zip").write_bytes(b"log")
    (tmp_path / "charger" / "other").write_bytes(b"not listed")
    urls = lambda identity: [f"ws://192.168.1.5:8887/ocpp/{identity}"]  # noqa: E731
    home.installer = Installer(
        [desk], home.clock, store, adoption, tmp_path, urls, lambda: "-----BEGIN CERTIFICATE-----"
    )
    return home


@pytest.fixture
def app(at_home: FakeHome):
    return app_of(at_home, demo_login=True)


def app_of(home: FakeHome, *, demo_login: bool):
    return create_app(home, settings=WebSettings(demo_login=demo_login))


@pytest.fixture
async def installer(app) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app, headers={"origin": OWN}) as client:
        yield client


@pytest.mark.slow
async def test_the_page_tells_who_waits_what_each_charger_is_and_what_to_type(installer):
    text = (await installer.get("/chargers")).text
    for words in (
        "one charger waits to be adopted",
        "CP&lt;2&gt;",
        "Beta Two 9",
        "it offered no OCPP version",
        "ws://192.168.1.5:8887/ocpp/CHARGER-1",
        'src="data:image/svg+xml',
        "encrypted, with password",
        "TxProfile in A, stack 0, seen working",
        "<dt>In force now</dt><dd>at most 8 A</dd>",
        "TamperDetected: lid",
        "unknown field",
        "1-diag.zip",
        "HeartbeatInterval",
        "root.pem",
    ):
        assert words in text, words
    assert " style=" not in text and "<script>" not in text


async def test_a_new_charger_gets_an_address_with_its_name_and_no_more_than_a_name(installer):
    text = (await installer.get("/chargers", params={"name": "garage <1>?x"})).text
    assert "ws://192.168.1.5:8887/ocpp/garage-1-x<" in text


async def test_every_operation_has_its_words_and_a_button(installer):
    text = (await installer.get("/chargers")).text
    assert set(OPERATIONS) == set(Operation)
    for operation, (words, _) in OPERATIONS.items():
        assert f'value="{operation.value}"' in text and f">{words}<" in text


async def test_a_harmless_operation_is_asked_at_once_and_its_result_is_told(installer, desk, store):
    answer = await installer.post("/do/operate", data={"charger": "charger", "operation": "configuration"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/chargers")
    assert desk.asked == [("charger", Operation.CONFIGURATION)]
    assert "its absence is expected" in (await installer.get("/chargers")).text
    rows = await store.audit(NOW, NOW + timedelta(days=1))
    assert [(row.step, row.subject, row.source) for row in rows] == [("commanded", "charger", "installer")]


@pytest.mark.slow
async def test_an_operation_that_hurts_is_confirmed_first(installer, desk):
    answer = await installer.post("/do/operate", data={"charger": "charger", "operation": "reset_hard"})
    assert not desk.asked
    page = await installer.get(answer.headers["location"])
    assert "A running session may end" in page.text and 'name="sure" value="yes"' in page.text
    await installer.post("/do/operate", data={"charger": "charger", "operation": "reset_hard", "sure": "yes"})
    assert desk.asked == [("charger", Operation.RESET_HARD)]


@pytest.mark.slow
async def test_a_charger_that_refuses_is_quoted(installer, desk):
    desk.refuses = "the charger answered Rejected"
    await installer.post("/do/operate", data={"charger": "charger", "operation": "upload_log"})
    assert "Not done: the charger answered Rejected." in (await installer.get("/chargers")).text
    answer = await installer.post("/api/v1/chargers/charger/operations", json={"operation": "upload_log"})
    assert answer.status_code == 409 and "answered Rejected" in answer.json()["detail"]


FORM = {
    "identity": "CP<2>",
    "device": "cp_2",
    "name": "Car two",
    "phases": "L2",
    "max_current_a": "16,5",
    "connector": "2",
}


async def test_a_waiting_charger_is_adopted_by_the_form(installer, adoption):
    await installer.post("/do/adopt", data=FORM)
    assert adoption.adopted == [("CP<2>", "cp_2", "Car two", (2,), 16.5, 2, "demo")]
    assert "Car two is adopted." in (await installer.get("/chargers")).text


async def test_of_a_charger_that_has_not_told_its_connectors_any_may_be_adopted(installer, desk, adoption):
    desk.waits = [replace(WAITING, connectors=0)]
    text = (await installer.get("/chargers")).text
    assert 'max="16"' in text and "it has not told how many it has" in text
    await installer.post("/do/adopt", data=FORM | {"connector": "3"})
    assert adoption.adopted[0][5] == 3


async def test_the_page_tells_how_a_charger_is_taken_out_again(installer):
    text = (await installer.get("/chargers")).text
    assert "Take it out of this home" in text and "systemctl reload hearth" in text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"device": "Car 2"}, "device"),
        ({"max_current_a": "much"}, "max current a"),
        ({"max_current_a": "500"}, "max current a"),
        ({"phases": "L4"}, "phases"),
        ({"identity": "nobody"}, "no longer waits"),
        ({"connector": "5"}, "There is no connector 5: the charger has 2. Choose 1 to 2."),
    ],
)
async def test_a_form_that_cannot_be_right_is_refused_in_words(installer, adoption, wrong, words):
    await installer.post("/do/adopt", data=FORM | wrong)
    assert not adoption.adopted and words in (await installer.get("/chargers")).text


async def test_the_handshake_is_watched_live_newest_first(installer):
    text = (await installer.get("/chargers/trace", params={"identity": "CP 1/a"})).text
    assert text.index("Authorize") < text.index("connected, speaks OCPP 2.0.1")
    assert 'hx-trigger="every 2s"' in text and "identity=CP%201/a" in text


async def test_frames_are_downloaded_as_json_lines(installer):
    answer = await installer.get("/api/v1/chargers/charger/frames")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["direction"] for line in lines] == ["step", "in"] and "Authorize" in lines[1]["text"]
    assert "attachment" in answer.headers["content-disposition"]


async def test_only_listed_logs_are_handed_out(installer):
    assert (await installer.get("/api/v1/chargers/charger/uploads/1-diag.zip")).content == b"log"
    for name in ("other", "..%2f..%2fetc%2fpasswd", "nothing"):
        assert (await installer.get(f"/api/v1/chargers/charger/uploads/{name}")).status_code == 404


async def test_the_api_tells_about_chargers_and_adopts(installer, adoption):
    assert (await installer.get("/api/v1/chargers/charger/about")).json()["violations"] == {"unknown field": 3}
    assert [row["id"] for row in (await installer.get("/api/v1/chargers/waiting")).json()] == ["CP<2>", ""]
    wish = FORM | {"max_current_a": 16, "connector": 1}
    assert (await installer.post("/api/v1/chargers/adopt", json=wish)).json() == {"text": "Car two is adopted."}
    assert (await installer.get("/api/v1/chargers/nobody/about")).status_code == 404
    assert (await installer.get("/api/v1/chargers/root.pem")).text.startswith("-----BEGIN CERTIFICATE")


PRIVATE = [
    "/chargers",
    "/chargers/trace?identity=CP1",
    "/api/v1/chargers/waiting",
    "/api/v1/chargers/trace?identity=CP1",
    "/api/v1/chargers/charger/about",
    "/api/v1/chargers/charger/frames",
    "/api/v1/chargers/charger/uploads/1-diag.zip",
]


@pytest.mark.parametrize("path", PRIVATE)
async def test_nothing_is_shown_without_a_login_not_even_on_this_machine(at_home, path):
    app = app_of(at_home, demo_login=False)
    for headers in ({}, {"accept": "text/html"}, {"x-forwarded-for": "1.2.3.4"}):
        async with browser(app, headers=headers) as visitor:
            assert (await visitor.get(path)).status_code in (303, 401)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/do/operate", "/do/adopt", "/api/v1/chargers/adopt", "/api/v1/chargers/charger/operations"]
)
async def test_another_sites_page_cannot_ask_anything(app, desk, adoption, path):
    async with browser(app, headers={"origin": "http://evil.example"}) as client:
        assert (await client.post(path, data={"charger": "charger", "operation": "configuration"})).status_code == 403
    assert not desk.asked and not adoption.adopted


def test_an_id_is_proposed_that_the_site_file_takes_and_has_not():
    assert suggested_id("CP_2-X", []) == "cp_2_x"
    assert suggested_id("42", []) == "charger_42"
    assert suggested_id("é", ["charger", "charger_2"]) == "charger_3"
