"""MQTT profiles and payloads: pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.mqtt.decode import BadPayload, Found, State, fill, find, parse
from adapters.mqtt.probe import load_profiles
from adapters.mqtt.profile import load_profile, profile_names
from gateway.model.errors import SiteFileError
from gateway.model.quantity import Quantity

PROFILES = Path(__file__).parents[2] / "config" / "devices" / "mqtt"


@pytest.mark.parametrize("name", profile_names(PROFILES))
def test_every_shipped_profile_loads_and_names_its_source(name: str) -> None:
    assert load_profile(name, PROFILES).source


def test_an_unknown_profile_gets_a_suggestion() -> None:
    with pytest.raises(SiteFileError, match="Did you mean shelly_gen2_switch"):
        load_profile("shelly_gen2_swich", PROFILES)


def test_an_unknown_quantity_is_named_with_its_place(tmp_path: Path) -> None:
    head = "maker: M\nmodel: X\nsource: {manual: m, version: '1', page: '2'}\nverified: 'no'\nstates:\n"
    (tmp_path / "mine.yaml").write_text(head + "  - {topic: t, quantity: powr_w}\n")
    with pytest.raises(SiteFileError, match=r"states\[0\].quantity.*Did you mean power_w"):
        load_profile("mine", tmp_path)


@pytest.mark.parametrize(
    ("state", "place", "remedy"),
    [
        ("topic: t, quantity: power_w, scale: 0", "states[0].scale", "Write the factor"),
        ("topic: t, quantity: power_w, scale: .inf", "states[0].scale", "finite"),
        ("topic: t, quantity: power_w, range: [9, 0]", "states[0].range", "[lowest, highest]"),
        ("quantity: power_w, sum: [{topic: t, scale: 0}]", "states[0].sum[0].scale", "Write the factor"),
    ],
)
def test_a_number_that_cannot_be_is_named_with_place_and_remedy(
    tmp_path: Path, state: str, place: str, remedy: str
) -> None:
    head = "maker: M\nmodel: X\nsource: {manual: m, version: '1', page: '2'}\nverified: 'no'\nstates:\n"
    (tmp_path / "mine.yaml").write_text(f"{head}  - {{{state}}}\n")
    with pytest.raises(SiteFileError) as caught:
        load_profile("mine", tmp_path)
    (finding,) = caught.value.findings
    assert place in finding.where and remedy in finding.remedy


def test_a_version_without_quotes_is_told_to_be_quoted(tmp_path: Path) -> None:
    head = "maker: M\nmodel: X\nsource: {manual: m, version: 1.8, page: '2'}\nverified: ''\nstates:\n"
    (tmp_path / "mine.yaml").write_text(head + "  - {topic: t, quantity: power_w}\n")
    with pytest.raises(SiteFileError) as caught:
        load_profile("mine", tmp_path)
    assert [finding.remedy for finding in caught.value.findings] == [
        'Quote it: "1.8".',
        "Write it down.",
    ]


def test_a_probe_leaves_broken_profiles_out_with_one_line_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "torn.yaml").write_bytes(b"\xff\xfe")
    assert load_profiles(tmp_path) == []
    assert len(caplog.messages) == 1
    assert "torn.yaml is not UTF-8 text" in caplog.messages[0].replace(":", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.5", 12.5), ("+12.5", 12.5), ("-.5", -0.5), ("7.", 7), ("007970903", 7_970_903), (" 230 ", 230),
        ("1.5e3", 1500), ("2E-3", 0.002), ("-0", 0),
        ("1_2.5", None), ("23_0", None), ("１２３", None), ("٣", None), ("infinity", None), ("-inf", None), ("nan", None),
        ("0x10", None), ("1,5", None), ("1 2", None), ("12.5W", None), ("--1", None), ("+", None), (".", None), ("", None),
        ("1e", None), ("e5", None), ("1e999", None), ("9" * 5000, None), ("1\u00a0", None),
    ],
)  # fmt: skip
def test_only_plain_decimals_are_numbers(text: str, value: float | None) -> None:
    inside = find({"p": text}, State("t", Quantity.POWER, ("p",)))
    assert inside is not None and inside.value == value
    assert value is not None or inside.reason.startswith("the device says")


@pytest.mark.parametrize("payload", ["1_2.5", "23_0", "１２３", "infinity", "Infinity", "1_000"])
def test_python_s_own_spellings_as_a_whole_payload_are_missing(payload: str) -> None:
    found = find(parse(payload.encode()), State("t", Quantity.POWER, ()))
    assert found is not None and found.value is None and found.reason.startswith("the device says")


TWO = "2 channels, choose one with channel:"


@pytest.mark.parametrize(
    ("quantity", "values", "choice", "expected"),
    [
        (Quantity.POWER, [52, 5], {"add_list": True}, Found(57)),
        (Quantity.POWER, [52, 5], {"add_list": True, "channel": 1}, Found(57)),
        (Quantity.POWER, [52, None], {"add_list": True}, Found(None, "the device says [52, null]")),
        (Quantity.POWER, [52, [5]], {"add_list": True}, Found(None, "the device says [52, [5]]")),
        (Quantity.POWER, [52, 5], {}, Found(None, TWO)),
        (Quantity.VOLTAGE_L1, [230, 231], {}, Found(None, TWO)),
        (Quantity.TEMPERATURE, [21, 22], {}, Found(None, TWO)),
        (Quantity.SOC, [50, 40], {}, Found(None, TWO)),
        (Quantity.ON, [True, True], {}, Found(None, TWO)),
        (Quantity.VOLTAGE_L1, [230, 231], {"channel": 1}, Found(231)),
        (Quantity.VOLTAGE_L1, [230, "nan"], {"channel": 1}, Found(None, 'the device says "nan"')),
        (Quantity.VOLTAGE_L1, [230, 231], {"channel": 2}, Found(None, TWO)),
        (Quantity.VOLTAGE_L1, [230], {"listed": True}, Found(230)),
        (Quantity.VOLTAGE_L1, [230], {"listed": True, "channel": 1}, Found(230)),
        (Quantity.POWER, [1], {}, Found(None, "the device says [1], a list")),
        (Quantity.VOLTAGE_L1, [], {}, Found(None, "the device says []")),
    ],
)  # fmt: skip
def test_a_list_is_added_up_only_where_the_profile_says_so(
    quantity: Quantity, values: list[Any], choice: dict[str, Any], expected: Found
) -> None:
    assert find({"p": values}, State("t", quantity, ("p",), **choice)) == expected


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{topic: t, quantity: voltage_l1_v, add_list: true}", "a list of voltage_l1_v is not to be added up"),
        ("{quantity: power_w, sum: [{topic: a}, {topic: b}], add_list: true}", "a sum has no list"),
    ],
)
def test_a_profile_that_would_add_volts_is_refused(tmp_path: Path, line: str, what: str) -> None:
    head = "maker: M\nmodel: X\nsource: {manual: m, version: '1', page: '2'}\nverified: 'no'\nstates:\n"
    (tmp_path / "mine.yaml").write_text(f"{head}  - {line}\n")
    with pytest.raises(SiteFileError, match=what):
        load_profile("mine", tmp_path)


@pytest.mark.slow
def test_no_shipped_profile_adds_up_what_does_not_add_up() -> None:
    added = {
        (name, str(state.quantity)) for name in profile_names(PROFILES) for state in load_profile(name, PROFILES).states
        if state.add_list
    }  # fmt: skip
    assert added == {("tasmota_energy", name) for name in ("power_w", "current_l1_a", "energy_import_wh")}


def test_an_index_that_is_a_digit_in_name_only_is_no_place_in_a_list() -> None:
    assert find([1, 2, 3], State("t", Quantity.POWER, ("²",))) is None


@pytest.mark.parametrize(
    ("document", "value"),
    [
        ({"p": 5}, 5), ({"p": "0012.50"}, 12.5), ({"p": False}, None), ({"p": "ON"}, 1), ({"p": [1, 2]}, None),
        ({"p": None}, None), ({"p": "nan"}, None), ({"p": "off?"}, None), ({"p": [1, None]}, None), ({"p": {}}, None),
        ({"p": 10**400}, None),
    ],
)  # fmt: skip
def test_what_devices_send_becomes_a_number_or_missing(document: Any, value: float | None) -> None:
    found = find(document, State("t", Quantity.POWER, ("p",), words={"ON": 1}))
    assert found is not None
    assert found.value == value
    assert bool(found.reason) == (value is None)


def test_true_is_a_number_for_a_switch_only() -> None:
    assert find({"p": True}, State("t", Quantity.ON, ("p",))) == Found(1.0)


def test_a_message_that_does_not_speak_of_it_says_nothing() -> None:
    assert find({"q": 1}, State("t", Quantity.POWER, ("p",))) is None


@pytest.mark.parametrize("payload", [b"", b"  ", b"{", b"\xff", b"[" * 100_000])
def test_an_unreadable_payload_is_bad_and_nothing_worse(payload: bytes) -> None:
    with pytest.raises(BadPayload):
        parse(payload)


def test_a_command_is_filled_by_name_only() -> None:
    template = {"on": "{on}", "t": "{seconds}", "v": ["{value}"], "text": "x {value}"}
    assert fill(template, 1.0, 60) == {"on": True, "t": 60, "v": [1.0], "text": "x {value}"}
