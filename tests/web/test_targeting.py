"""What the home is good for: shown to its owner, told to a utility only with consent and then as label and score only."""

from __future__ import annotations

import html
import json

import pytest

from tests.web.conftest import only_read

PATH = "/api/v1/targeting"


async def test_the_owner_sees_powers_reasons_and_the_chance_of_joining(looking):
    told = (await looking.get(PATH)).json()
    assert [row["hour"] for row in told["hours"]] == list(range(24))
    assert told["hours"][18]["less"]["mean_w"] == 7000
    evening = next(row for row in told["suitability"] if row["program"] == "evening_shed")
    assert evening["score"] > 0 and evening["reasons"]
    assert told["joining"]["probability"] == 0.5 and told["left_out"] == {"heatpump": "Heat pump is not reached."}
    assert told["consent"] is False


async def test_without_consent_nothing_is_handed_out_and_a_withdrawal_ends_it(demo, home):
    refused = await demo.get(f"{PATH}/shared")
    assert refused.status_code == 403 and "share_suitability" in refused.text
    await demo.post("/do/suitability", data={"share": "yes"})
    assert home.preferences().share_suitability
    shared = await demo.get(f"{PATH}/shared")
    assert shared.status_code == 200 and shared.json() == (await demo.get(PATH)).json()["would_share"]
    await demo.post("/do/suitability", data={"share": "no"})
    assert (await demo.get(f"{PATH}/shared")).status_code == 403


async def test_what_is_shared_is_label_and_score_and_nothing_they_rest_on(demo):
    await demo.post("/do/suitability", data={"share": "yes"})
    shared = (await demo.get(f"{PATH}/shared")).json()
    assert set(shared) == {"kind", "version", "day", "ratings"}
    assert all(set(row) == {"program", "label", "score"} for row in shared["ratings"])


async def test_the_page_shows_word_for_word_what_would_be_shared_before_consent(looking):
    page = html.unescape((await looking.get("/programs")).text)
    document = (await looking.get(PATH)).json()["would_share"]
    assert json.dumps(document, indent=2) in page
    assert "This is not shared." in page and "Share exactly this" in page
    assert "Heat pump is not reached." in page


async def test_a_home_that_has_just_started_says_so(home):
    from gateway.web.app import create_app
    from gateway.web.settings import WebSettings
    from tests.web.conftest import OWN, browser

    _, app = only_read(empty=True)
    async with browser(app, headers={"origin": OWN}) as client:
        assert (await client.get(PATH)).status_code == 503
        assert "Nothing is measured yet" in (await client.get("/programs")).text
    async with browser(create_app(home, settings=WebSettings()), "192.168.1.5") as stranger:
        assert (await stranger.get(PATH)).status_code == 401


@pytest.mark.parametrize("share", ["yes", ""])
async def test_the_preferences_page_keeps_the_consent(demo, home, share):
    fields = {"comfort_low_c": "20"} | ({"share_suitability": share} if share else {})
    assert (await demo.post("/preferences", data=fields)).status_code in (200, 303)
    assert home.preferences().share_suitability is (share == "yes")


async def test_a_client_that_does_not_know_the_consent_gives_none(demo, home):
    whole = (await demo.get("/api/v1/preferences")).json()
    assert whole.pop("share_suitability") is False
    await demo.put("/api/v1/preferences", json=whole | {"share_suitability": True})
    assert home.preferences().share_suitability
    await demo.put("/api/v1/preferences", json=whole)
    assert not home.preferences().share_suitability


async def test_a_home_not_known_yet_says_so_and_hands_out_nothing_even_with_consent(demo, home):
    home.targeting.measured_days = 3
    told = (await demo.get(PATH)).json()
    assert {row["label"] for row in told["suitability"] if row["program"] != "pre_condition"} == {"unknown"}
    assert told["suitability"][0]["score"] is None and told["would_share"] is None
    page = html.unescape((await demo.get("/programs")).text)
    assert "Not known yet: measured on 3 days, 9 are needed." in page
    assert "Nothing yet: too few days are measured." in page and "Share exactly this" not in page
    await demo.post("/do/suitability", data={"share": "yes"})
    refused = await demo.get(f"{PATH}/shared")
    assert refused.status_code == 503 and "too few days are measured" in refused.text
    assert "Take it back" in (await demo.get("/programs")).text


async def test_hours_of_which_nothing_is_measured_are_null_and_a_dash(demo, home):
    home.targeting.measured_days = 0
    told = (await demo.get(PATH)).json()
    assert told["hours"][18]["less"] is None and told["hours"][18]["more"] is None
    assert "Car has not been measured yet." in (await demo.get("/programs")).text
