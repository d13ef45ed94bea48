"""Wiring mistakes put right: the meter turned, its inputs on other phases, single current transformers turned."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.modbus.settings import ModbusDeviceSettings
from adapters.modbus.wiring import COUNTERS_WRONG, TOTAL_UNKNOWN, correct
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Quality, Reading

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def sweep(**values: float | None) -> list[Reading]:
    quality = {True: Quality.MISSING, False: Quality.VALID}
    return [
        Reading("m", Q[name], value, NOW, quality[value is None], "away" if value is None else "")
        for name, value in values.items()
    ]


def corrected(readings: list[Reading], **wiring: object) -> dict[Q, Reading]:
    settings = ModbusDeviceSettings.model_validate({"profile": "p", **wiring})
    return {reading.quantity: reading for reading in correct(readings, settings)}


def values(readings: dict[Q, Reading]) -> dict[str, float | None]:
    return {quantity.name: reading.value for quantity, reading in readings.items()}


THREE = {"POWER": 300.0, "POWER_L1": 600.0, "POWER_L2": -400.0, "POWER_L3": 100.0}


def test_power_current_and_voltage_of_a_phase_move_together() -> None:
    found = corrected(sweep(POWER_L1=1, CURRENT_L1=2, VOLTAGE_L1=3, POWER_L2=4, POWER_L3=5), phases=[3, 1, 2])
    assert values(found) == {"POWER_L3": 1, "CURRENT_L3": 2, "VOLTAGE_L3": 3, "POWER_L1": 4, "POWER_L2": 5}


def test_a_turned_transformer_turns_its_phase_and_the_total_follows() -> None:
    found = values(corrected(sweep(**THREE, CURRENT_L2=-1.7, CURRENT_L1=2.6), invert_phases=[2]))
    assert found == {"POWER": 1100, "POWER_L1": 600, "POWER_L2": 400, "POWER_L3": 100, "CURRENT_L2": 1.7,
                     "CURRENT_L1": 2.6}  # fmt: skip


def test_the_turned_phase_is_counted_in_grid_phases_not_in_inputs() -> None:
    found = values(corrected(sweep(**THREE), phases=[2, 1, 3], invert_phases=[1]))
    assert (found["POWER_L1"], found["POWER_L2"], found["POWER"]) == (400, 600, 1100)


def test_a_meter_of_two_phases_has_its_own_total_mended() -> None:
    found = values(corrected(sweep(POWER=200, POWER_L1=600, POWER_L2=-400, POWER_L3=None), invert_phases=[2]))
    assert found["POWER"] == 1000


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        ({"POWER": 200, "POWER_L1": 600, "POWER_L2": None}, TOTAL_UNKNOWN),
        ({"POWER": 200}, TOTAL_UNKNOWN),
        ({"POWER": None, "POWER_L2": 5}, "away"),
    ],
    ids=["its phase is missing", "no phases at all", "no total"],
)
def test_a_total_that_cannot_be_known_is_missing_with_its_reason(
    readings: dict[str, float | None], reason: str
) -> None:
    total = corrected(sweep(**readings), invert_phases=[2])[Q.POWER]
    assert (total.value, total.quality, total.reason) == (None, Quality.MISSING, reason)


def test_the_counters_of_a_meter_with_a_turned_transformer_are_not_believed() -> None:
    found = corrected(sweep(ENERGY_IMPORT=1000, ENERGY_EXPORT=10, FREQUENCY=50), invert_phases=[1])
    for counter in (Q.ENERGY_IMPORT, Q.ENERGY_EXPORT):
        assert (found[counter].value, found[counter].reason) == (None, COUNTERS_WRONG)
    assert found[Q.FREQUENCY].value == 50


def test_an_inverted_meter_with_one_transformer_turned_back_is_right_on_that_phase() -> None:
    found = values(corrected(sweep(**THREE), invert=True, invert_phases=[1]))
    assert found == {"POWER": 900, "POWER_L1": 600, "POWER_L2": 400, "POWER_L3": -100}


@pytest.mark.parametrize(
    "wiring",
    [{"phases": [1, 1, 2]}, {"phases": [0, 1, 2]}, {"phases": [1, 2]}, {"invert_phases": [4]},
     {"invert_phases": [2, 2]}],
)  # fmt: skip
def test_wiring_that_cannot_be_is_refused(wiring: dict[str, list[int]]) -> None:
    with pytest.raises(ValidationError):
        ModbusDeviceSettings.model_validate({"profile": "p", **wiring})


@pytest.mark.slow
@given(
    truth=st.tuples(*[st.floats(-9000, 9000)] * 3),
    phases=st.permutations([1, 2, 3]),
    turned=st.sets(st.sampled_from([1, 2, 3]), min_size=1),
)
def test_the_truth_comes_back_from_every_miswiring(
    truth: tuple[float, ...], phases: list[int], turned: set[int]
) -> None:
    """Property: correcting undoes permuting the inputs and turning transformers."""
    seen = [truth[phase - 1] * (-1 if phase in turned else 1) for phase in phases]
    readings = [Reading("m", POWERS[at], seen[at], NOW) for at in range(3)] + sweep(POWER=sum(seen))
    readings += [Reading("m", family[at], 1.0 * phases[at], NOW) for family in (CURRENTS, VOLTAGES) for at in range(3)]
    found = corrected(readings, phases=phases, invert_phases=sorted(turned))
    assert [found[power].value for power in POWERS] == pytest.approx(list(truth))
    assert found[Q.POWER].value == pytest.approx(sum(truth), abs=1e-6)
    assert [found[voltage].value for voltage in VOLTAGES] == [1, 2, 3]
