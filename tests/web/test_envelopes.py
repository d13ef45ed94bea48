"""The grid operator's limit on the page and at the API's door."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.pushed.device import PushedDevice
from adapters.pushed.settings import PushedDeviceSettings
from gateway.model.envelope import EnvelopeSpec
from gateway.model.site import Device, Role
from gateway.web.app import create_app
from gateway.web.settings import WebSettings
from tests.web.conftest import OWN, browser
from tests.web.fake_home import FakeHome, no_envelopes

TOKEN = "a token of the bridge's"
BOX = Device("box", "Control box", Role.GRID_LIMIT, EnvelopeSpec())


@pytest.fixture
def boxed(home: FakeHome) -> FakeHome:
    home.site = replace(home.site, devices=(*home.site.devices, BOX))
    home.envelopes = no_envelopes(home.site, home.clock, home.store)
    home.envelopes.doors = {"box": PushedDevice(BOX, PushedDeviceSettings(token=TOKEN), home.clock)}
    return home


async def test_a_bridge_tells_with_its_token_and_the_page_says_what_holds(boxed: FakeHome) -> None:
    app = create_app(boxed, settings=WebSettings())
    async with browser(app, "192.168.1.7", base_url="http://localhost:8080") as bridge:
        said = {"active": True, "import_w": 4200, "duration_s": 3600}
        for headers, status in (({}, 401), ({"authorization": "Bearer wrong, but as long"}, 403)):
            assert (await bridge.post("/api/v1/envelopes/box", json=said, headers=headers)).status_code == status
        good = {"authorization": f"Bearer {TOKEN}"}
        answer = await bridge.post("/api/v1/envelopes/box", json=said, headers=good)
        assert answer.status_code == 200 and answer.json()["text"] == "limited by the grid operator"
        assert (await bridge.get("/api/v1/preferences", headers=good)).status_code == 401, (
            "the token opens no other door"
        )
        wrong = await bridge.post("/api/v1/envelopes/box", json={"active": True, "import_w": -1}, headers=good)
        assert wrong.status_code == 422 and "import_w" in wrong.text
    async with browser(create_app(boxed, settings=WebSettings(demo_login=True)), headers={"origin": OWN}) as owner:
        (held,) = (await owner.get("/api/v1/envelopes")).json()
        assert (held["phase"], held["import_w"], held["name"]) == ("limited", 4200, "Control box")
        for page in ("/events", "/"):
            assert "raw at most 4.2 kW" in (await owner.get(page)).text


async def test_a_home_without_such_a_device_shows_nothing_of_it(looking) -> None:
    assert (await looking.get("/api/v1/envelopes")).json() == []
    assert "Grid operator" not in (await looking.get("/events")).text
