"""What an event brought, in words: figures that a person can read, small ones included."""

from __future__ import annotations

import pytest

from gateway.model.dr import EventRecord
from gateway.web.event_cards import delivered_words
from tests.fakes import START
from tests.runtime.test_demand_response import event


@pytest.mark.parametrize(
    ("wh", "words"),
    [
        ((44.0, 39.6, 48.4), "44 Wh less than without the event by the controlled devices (40 to 48 Wh)"),
        ((3100.0, 2500.0, 3700.0), "3.1 kWh less than without the event by the controlled devices (2.5 to 3.7 kWh)"),
    ],
)
def test_a_small_event_tells_its_range_in_the_unit_of_its_figure(wh: tuple[float, float, float], words: str) -> None:
    """Wrong before: "44 Wh less ... (0.0 to 0.0 kWh)"."""
    record = EventRecord(event(), START, delivered_wh=wh[0], delivered_low_wh=wh[1], delivered_high_wh=wh[2])
    assert delivered_words(record) == words
