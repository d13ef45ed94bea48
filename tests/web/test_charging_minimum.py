"""The page Charging asks for a minimum, keeps it, shows it, and says what is wrong with it in its place."""

from __future__ import annotations

from typing import Any

from gateway.model.preferences import ChargeMode, ChargingPreference
from gateway.web.charging_forms import mode_words
from tests.web.test_charging import given, post, wish


async def test_a_minimum_is_kept_shown_and_taken_back(demo: Any, home: Any) -> None:
    await post(demo, "charging", minimum_soc="30", minimum_kwh="5,5", boxes="trust_car", trust_car="yes")
    assert (wish(home).minimum_soc_percent, wish(home).minimum_wh) == (30.0, 5_500.0)
    page = (await demo.get("/charging")).text
    assert 'name="minimum_soc" value="30"' in page or 'value="30"' in page.split('name="minimum_soc"')[1][:200]
    assert "; at once up to 30 % or 5.5 kWh" in page
    await post(demo, "charging", minimum_soc="", minimum_kwh="", boxes="trust_car", trust_car="yes")
    assert (wish(home).minimum_soc_percent, wish(home).minimum_wh) == (None, None)


async def test_another_form_leaves_the_minimum_as_it_is(demo: Any, home: Any) -> None:
    given(home, minimum_soc_percent=40.0)
    await post(demo, "charging", target_soc="80", target_kwh="12.5", ready_by="06:15")
    assert wish(home).minimum_soc_percent == 40.0


async def test_what_is_no_number_is_said_where_it_was_typed(demo: Any, home: Any) -> None:
    answer = await post(demo, "charging", minimum_soc="a third", boxes="trust_car")
    assert "could not be read" in answer.text and wish(home).minimum_soc_percent is None


async def test_the_minimum_is_in_the_api(demo: Any, home: Any) -> None:
    given(home, minimum_soc_percent=40.0, minimum_wh=2_000.0)
    charging = (await demo.get("/api/v1/preferences")).json()["charging"]["charger"]
    assert (charging["minimum_soc_percent"], charging["minimum_wh"]) == (40.0, 2_000.0)


def test_a_charger_that_is_off_promises_no_minimum() -> None:
    assert mode_words(ChargingPreference(ChargeMode.OFF, minimum_soc_percent=30.0)) == "charging is off"
