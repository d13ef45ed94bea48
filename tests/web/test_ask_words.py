"""What an event asks, in plain words with a unit."""

from __future__ import annotations

import pytest

from gateway.web.dr import ask_words


@pytest.mark.parametrize(
    ("kind", "values", "unit", "words"),
    [
        ("DISPATCH_SETPOINT", (-2.5,), "KW", "give 2.5 kW"),
        ("CONTROL_SETPOINT", (1500.0,), "W", "take 1500 W"),
        ("DISPATCH_SETPOINT", (3.0,), "", "take 3 (without a unit)"),
        ("DISPATCH_SETPOINT_RELATIVE", (-1.0,), "KW", "take 1 kW less than usual"),
        ("CHARGE_STATE_SETPOINT", (90.0,), "", "bring the battery to 90 %"),
        ("CHARGE_STATE_SETPOINT", (5.0,), "KWH", "bring the battery to 5 kWh"),
        ("CONTROL_LEVEL_OFFSET", (-3,), "", "use more (step 3 of 10)"),
        ("CONTROL_LEVEL_OFFSET", (5,), "", "use less (step 5 of 10)"),
        ("CONTROL_LEVEL_OFFSET", (0,), "", "back to normal"),
        ("CONTROL_LEVEL_OFFSET_PERCENT", (0.5,), "", "use less (50 % of what is possible)"),
        ("IMPORT_CAPACITY_SUBSCRIPTION", (6.0,), "", "contracted to draw up to 6 kW"),
        ("ALERT_GRID_EMERGENCY", ("Storm",), "", "alert: grid emergency (Storm)"),
        ("ALERT_FLEX_ALERT", (), "", "alert: flex alert"),
        ("EXAMPLE_OF_ANOTHER_SORT", (7,), "KWH", "example of another sort 7 kWh"),
    ],
)
def test_every_signal_is_told_in_words_with_its_unit(kind, values, unit, words):
    assert ask_words(kind, values, unit, "EUR") == words
