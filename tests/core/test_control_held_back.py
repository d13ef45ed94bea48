"""Why a car is held back, in one sentence."""

from __future__ import annotations

import pytest

from gateway.model.authority import Authority
from gateway.model.setpoint import Limit, LimitKind
from tests.core.homes import car, snapshot
from tests.core.test_control import HOUR, START, commanded, decided

WORDS = "The utility limits the import until 19:40"


@pytest.mark.parametrize("words", [WORDS, f"{WORDS}."])
def test_a_reason_has_one_full_stop_whether_it_came_with_one_or_not(words):
    cap = Limit(LimitKind.SITE_IMPORT, 11_000, START, START + HOUR, Authority.BINDING_LIMIT, "cap", words)
    told = decided(snapshot((18, 18, 18), charger=car(12), commanded=commanded(12), limits=(cap,)))["car"]
    assert told.reason == f"Held back: {WORDS}."
