"""The storm hold and the battery kept while the grid is lost, on the page and through the API."""

from __future__ import annotations

FORM = {"comfort_low_c": "19", "comfort_high_c": "22", "water_min_c": "48", "dr_policy": "ask", "carbon_per_kg": "0"}


async def test_the_storm_hold_is_set_in_local_time_shown_again_and_taken_back(demo, home):
    form = FORM | {"storm_until": "2026-12-24T18:30", "island_soc_percent": "35"}
    assert (await demo.post("/preferences", data=form)).status_code == 303
    wish = home.preferences()
    assert f"{wish.storm_until:%Y-%m-%dT%H:%M%z}" == "2026-12-24T17:30+0000"
    assert wish.island_soc_percent == 35
    page = (await demo.get("/preferences")).text
    assert 'name="storm_until" value="2026-12-24T18:30"' in page
    await demo.post("/preferences", data=FORM | {"storm_until": ""})
    assert home.preferences().storm_until is None


async def test_a_time_that_is_none_is_refused_and_nothing_changes(demo, home):
    assert (await demo.post("/preferences", data=FORM | {"storm_until": "tomorrow"})).status_code == 422
    assert home.wishes == []
