"""MQTT profiles and payloads: pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.mqtt.decode import BadPayload, Found, State, fill, find, parse
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
    ("document", "value"),
    [
        ({"p": 5}, 5), ({"p": "0012.50"}, 12.5), ({"p": False}, None), ({"p": "ON"}, 1), ({"p": [1, 2]}, 3),
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
