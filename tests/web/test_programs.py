"""Programs: what the owner agreed with each, by the API and by a form without scripts; and how their servers fare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.core.demand_response.strategies import Pay, Strategies
from gateway.model.agreement import WITHOUT_ASKING, Agreement, DrPolicy, Shared
from gateway.model.authority import Authority
from gateway.model.dr import DrProgram, ServerFacts
from gateway.model.preferences import Preferences
from gateway.runtime.dr_servers import ServerHealth
from tests.web.fake_home import FakeHome
from tests.web.scene import NOW

KEY = "utility:evening"
AGREEMENT = f"/api/v1/dr/programs/{KEY}/agreement"


@dataclass
class FactServer:
    """A utility's server that tells of itself and is never asked."""

    name: str
    facts: ServerFacts


async def test_a_program_is_told_with_its_agreement_its_pay_and_its_live_events(demo, home: FakeHome) -> None:
    home.dr.strategies = Strategies(pays={"evening": Pay(per_kwh=0.5, per_event=1.0)})
    (program,) = (await demo.get("/api/v1/dr/programs")).json()
    assert (program["key"], program["id"], program["name"], program["server"]) == (
        KEY, "evening", "Fluvius Flex evenings", "utility",
    )  # fmt: skip
    assert (program["pays_per_kwh"], program["pays_per_event"], program["currency"]) == (0.5, 1.0, "EUR")
    assert program["live"] == ["utility:ev-now", "utility:ev-next"]
    assert program["agreement"]["standing"] == "" and program["agreement"]["share"] == [k.value for k in WITHOUT_ASKING]


async def test_the_owners_word_by_the_api_is_kept_with_its_day_and_its_short_form(demo, home: FakeHome) -> None:
    said = {"standing": "binding", "share": ["state", "usage"], "until": "2027-01-01T00:00:00Z"}
    answer = await demo.put(AGREEMENT, json=said)
    assert answer.status_code == 200, answer.text
    word = home.preferences().agreements[KEY]
    until = datetime(2027, 1, 1, tzinfo=UTC)
    assert word == Agreement("binding", None, (Shared.STATE, Shared.USAGE), until, since=NOW)
    assert home.preferences().consents == {KEY: "binding"}
    assert answer.json()["agreement"]["until"] == "2027-01-01T00:00:00Z" and not answer.json()["ended"]


@pytest.mark.parametrize(
    ("path", "said", "status", "words"),
    [
        ("/api/v1/dr/programs/utility:ghost/agreement", {"standing": "none"}, 404, "GET /api/v1/dr/programs"),
        (AGREEMENT, {"standing": "perhaps"}, 422, "standing"),
        (AGREEMENT, {"share": ["secrets"]}, 422, "share"),
        (AGREEMENT, {"policy": "sometimes"}, 422, "policy"),
        (AGREEMENT, {"until": "2027-01-01T00:00:00"}, 422, "timezone"),
        (AGREEMENT, {"standing": "none", "more": 1}, 422, "more"),
    ],
)  # fmt: skip
async def test_a_word_that_cannot_be_kept_is_refused_by_name(demo, home, path, said, status, words) -> None:
    answer = await demo.put(path, json=said)
    assert answer.status_code == status and words in answer.json()["detail"]
    assert home.wishes == []


async def test_a_program_or_event_whose_id_is_an_address_is_reached_by_its_key(demo, home: FakeHome) -> None:
    # OpenADR 2.0b names a program by its market context, which is a URI.
    home.dr.programs["old:http://market/context"] = DrProgram("http://market/context", "old", "Old program")
    path = "/api/v1/dr/programs/old%3Ahttp%3A%2F%2Fmarket%2Fcontext/agreement"
    assert (await demo.put(path, json={"standing": "none"})).status_code == 200
    assert home.preferences().agreements["old:http://market/context"].standing == "none"
    odd = replace(home._records[1], event=replace(home._records[1].event, id="http://vtn/e/1"))
    home._records.append(odd)
    for method, path in (("GET", "effect"), ("GET", "record"), ("POST", "opt")):
        answer = await demo.request(
            method, f"/api/v1/dr/events/utility%3Ahttp%3A%2F%2Fvtn%2Fe%2F1/{path}", json={"choice": "skip"}
        )
        assert answer.status_code in (200, 409) or "no record of an event 'utility:http://vtn/e/1'" in answer.text


async def test_preferences_of_an_old_client_leave_the_agreements_and_a_changed_consent_counts(demo, home) -> None:
    await demo.put(AGREEMENT, json={"standing": "binding", "share": ["state"]})
    whole = (await demo.get("/api/v1/preferences")).json()
    old = {key: value for key, value in whole.items() if key != "agreements"}
    assert (await demo.put("/api/v1/preferences", json=old | {"comfort_low_c": 18})).status_code == 200
    assert home.preferences().comfort_low_c == 18
    assert home.preferences().agreements[KEY] == Agreement("binding", None, (Shared.STATE,), None, NOW)
    await demo.put("/api/v1/preferences", json=old | {"consents": {KEY: "none"}})
    assert home.preferences().agreements[KEY] == Agreement("none", None, (Shared.STATE,), None, NOW)
    await demo.put("/api/v1/preferences", json=old | {"consents": {}})
    assert home.preferences().agreement(KEY).standing == ""


async def test_preferences_with_agreements_replace_them_and_the_form_leaves_them(demo, home) -> None:
    await demo.put(AGREEMENT, json={"standing": "voluntary", "policy": "ask", "share": []})
    await demo.post("/preferences", data={"comfort_low_c": "18", "dr_policy": "never"})
    await demo.post("/do/charging", data={"charger": "charger", "mode": "now"})
    assert home.preferences().agreements[KEY] == Agreement("voluntary", DrPolicy.ASK, (), None, NOW)
    assert home.preferences().dr_policy is DrPolicy.NEVER
    whole = (await demo.get("/api/v1/preferences")).json()
    await demo.put("/api/v1/preferences", json=whole | {"agreements": {}})
    assert home.preferences().agreements == {}


@pytest.mark.parametrize(
    ("standing", "kept"),
    [
        ("usual", ("", None)),
        ("never", ("none", None)),
        ("ask", ("voluntary", DrPolicy.ASK)),
        ("join", ("voluntary", DrPolicy.JOIN)),
        ("binding", ("binding", None)),
    ],
)
async def test_the_form_says_when_the_home_joins_and_what_is_told_without_scripts(demo, home, standing, kept) -> None:
    form = {
        "program": KEY,
        "standing": standing,
        "share_state": "yes",
        "share_flexibility": "yes",
        "until": "2026-12-31",
    }
    answer = await demo.post("/do/agreement", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/programs")
    word = home.preferences().agreements[KEY]
    assert (word.standing, word.policy) == kept and word.share == (Shared.STATE, Shared.FLEXIBILITY)
    assert word.until == datetime(2026, 12, 31, 22, 59, tzinfo=UTC)  # the day counts whole, in Brussels
    page = (await demo.get("/programs")).text
    assert "Fluvius Flex evenings: kept." in page
    assert f'value="{standing}" checked' in page and 'name="share_usage" value="yes"><' in page
    assert 'name="share_flexibility" value="yes" checked' in page and 'value="2026-12-31"' in page


@pytest.mark.parametrize("wrong", [{"standing": "perhaps"}, {"until": "soon"}, {"program": "utility:ghost"}])
async def test_a_form_that_cannot_be_taken_says_so_and_changes_nothing(demo, home, wrong: dict[str, str]) -> None:
    answer = await demo.post("/do/agreement", data={"program": KEY, "standing": "join"} | wrong)
    assert answer.status_code == 422 and 'role="alert"' in answer.text and home.wishes == []


async def test_a_refused_form_keeps_what_was_chosen(demo, home) -> None:
    form = {"program": KEY, "standing": "binding", "until": "2026-02-30", "share_state": "yes"}
    page = (await demo.post("/do/agreement", data=form)).text
    assert "Write it like" in page and 'value="2026-02-30"' in page
    assert 'value="binding" checked' in page and 'name="share_usage" value="yes"><' in page


async def test_the_page_says_what_binding_means_before_one_consents_by_the_order_of_authority(looking) -> None:
    page = (await looking.get("/programs")).text
    for yields in (Authority.PROTECTION, Authority.OWNER_OVERRIDE, Authority.OWNER_FLOOR):
        assert yields.words in page.split('class="warning"')[1]
    assert "Only electrical safety stands above it" in page
    assert page.index('class="warning"') < page.index("Keep this")


async def test_an_ended_agreement_is_told_on_the_page_and_by_the_api(demo, home: FakeHome) -> None:
    ended = Agreement("binding", None, WITHOUT_ASKING, NOW - timedelta(days=2))
    home._preferences = Preferences(agreements={KEY: ended})
    assert (await demo.get("/api/v1/dr/programs")).json()[0]["ended"] is True
    page = (await demo.get("/programs")).text
    assert "Your agreement ended on Thursday 19 November 2026" in page and 'name="until" value=""' in page


async def test_the_servers_are_told_with_health_clock_push_and_what_could_not_be_read(demo, home: FakeHome) -> None:
    facts = ServerFacts(
        "3.1.0", "ven-7", ("north",), ("charger",), 12.0, 2, NOW, ("event ev-9: no start",), "hints come by webhook", 3
    )
    server: Any = FactServer("utility", facts)
    home.dr.servers["utility"] = server
    home.dr.health["utility"] = ServerHealth(True, home.clock.monotonic() - 30.0)
    home.dr.health["other"] = ServerHealth(False, None, "other: no answer", 3, NOW - timedelta(hours=2))
    heard, silent = (await demo.get("/api/v1/dr/servers")).json()
    assert (heard["ok"], heard["version"], heard["clock_difference_s"], heard["events"]) == (True, "3.1.0", 12.0, 2)
    assert heard["last_heard"] == (NOW - timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    assert heard["unreadable"] == ["event ev-9: no start"] and heard["push"] == "hints come by webhook"
    assert heard["words"] == "Heard 30 s ago, OpenADR 3.1.0, 2 events for this home, its clock differs by 12 s."
    assert silent["words"] == "Cannot be used since 16:05: no answer. What was agreed stays in force."
    page = (await demo.get("/programs")).text
    assert "1 object could not be read" in page and "event ev-9: no start" in page and "Hints come by webhook." in page
    assert "The utility's server other: Cannot be used since 16:05" in (await demo.get("/events")).text


async def test_a_reader_may_look_but_agrees_to_nothing(reader, home) -> None:
    assert (await reader.get("/programs")).status_code == 200
    answer = await reader.put(AGREEMENT, json={"standing": "binding"}, headers={"origin": "http://127.0.0.1:8080"})
    assert answer.status_code == 401 and home.wishes == []
