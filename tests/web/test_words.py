"""Figures for people: units always, unknown is a dash, generation is positive."""

from __future__ import annotations

import pytest

from gateway.web import words

TABLE = [
    (words.watts(0.0), "0 W"), (words.watts(None), "–"), (words.watts(-1480.0), "1.5 kW"), (words.watts(994.0), "994 W"),
    (words.watt_hours(32_400), "32.4 kWh"), (words.money(-300_000, "EUR"), "−€0.30"), (words.money(-1, "EUR"), "€0.00"),
    (words.money(2_000_000, "CHF"), "CHF 2.00"), (words.co2(420), "420 g CO₂"), (words.age(252), "4 min old"),
    (words.age(None), "never heard"), (words.countdown(42), "in 42 s"), (words.countdown(14_100), "in 3 h 55 min"),
    (words.saving(1_730_000, -300, "EUR"), "saves €1.73, but costs 300 g CO₂"), (words.saving(0, None, "EUR"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("said", "wanted"), TABLE)
def test_a_figure_reads_as_a_person_would_say_it(said, wanted):
    assert said == wanted
