"""The storm hold and the battery kept while the grid is lost, on the page and through the API."""

from __future__ import annotations

from datetime import timedelta

from gateway.model.preferences import Preferences

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


async def test_a_storm_is_announced_from_when_to_when_and_an_end_alone_begins_at_once(demo, home):
    form = FORM | {"storm_from": "2026-12-24T18:30", "storm_until": "2026-12-25T09:00"}
    assert (await demo.post("/preferences", data=form)).status_code == 303
    wish = home.preferences()
    assert f"{wish.storm_from:%H:%M} {wish.storm_until:%H:%M}" == "17:30 08:00"
    assert 'name="storm_from" value="2026-12-24T18:30"' in (await demo.get("/preferences")).text
    await demo.post("/preferences", data=FORM | {"storm_until": "2026-12-25T09:00"})
    assert home.preferences().storm_from is None


async def test_what_is_over_is_not_sent_again_with_the_next_wish(demo, home):
    """Wrong before: the form showed a vacation long over, and sent it back with every other wish."""
    over = home.clock.now() - timedelta(days=3)
    home._preferences = Preferences(vacation_until=over, storm_until=over)
    page = (await demo.get("/preferences")).text
    assert 'name="vacation_until" value=""' in page and 'name="storm_until" value=""' in page
