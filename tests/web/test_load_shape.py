"""The page Load shape and its API: yesterday, the home, tomorrow, and how the last forecast held."""

from __future__ import annotations

import math
from datetime import date

import pytest

from gateway.model.shapes import DriftKind, ShapeDrift
from tests.web.conftest import browser, only_read

EV = ShapeDrift(
    DriftKind.NEW_EV, date(2026, 11, 17), date(2026, 11, 19), "Since 17 November there is a block at night."
)


async def test_the_api_tells_the_home_its_drift_and_tomorrows_chances(demo, home):
    home.drift = EV
    found = (await demo.get("/api/v1/loadshape")).json()
    known, tomorrow = found["home"], found["tomorrow"]
    assert (known["shape"], known["share"], known["days"]) == ("evening peak", 0.75, 28)
    assert known["counts"][0] == {"shape": "evening peak", "days": 21}
    assert (known["entropy_bits"], known["entropy_most_bits"]) == (1.19, pytest.approx(math.log2(5)))
    assert (known["drift"]["kind"], known["drift"]["since"]) == ("new EV", "2026-11-17")
    assert tomorrow["day"] == "2026-11-22" and tomorrow["chances"][0] == {"shape": "evening peak", "chance": 0.7}
    assert tomorrow["why"] and found["days"][-1]["alternatives"][0] == {"shape": "double peak", "chance": 0.12}


async def test_a_home_of_which_nothing_is_known_says_so():
    async with browser(only_read(empty=True)[1]) as client:
        found = (await client.get("/api/v1/loadshape")).json()
    assert (found["home"], found["days"]) == (None, [])
