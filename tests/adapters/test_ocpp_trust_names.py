"""Which version is agreed on and whose identity a path tells, misspelt or not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.ocpp.door import Agreed, Refused, agree, identity_in
from tests.adapters.ocpp_fakes import until
from tests.adapters.ocpp_trust import Lab


@pytest.mark.parametrize(
    ("offered", "pin", "known", "agreed"),
    [
        (("ocpp1.6",), None, "", Agreed("1.6", "ocpp1.6")),
        (("ocpp1.6", "ocpp2.0.1", "ocpp2.1"), None, "", Agreed("2.1", "ocpp2.1")),
        (("ocpp1.6", "ocpp2.0.1"), "1.6", "", Agreed("1.6", "ocpp1.6")),
        (("OCPP1.6",), None, "", Agreed("1.6", "OCPP1.6")),
        ((), "1.6", "", Agreed("1.6", None)),
        ((), None, "2.0.1", Agreed("2.0.1", None)),
        (("ocpp2.0.1",), "1.6", "", Agreed("1.6", "ocpp2.0.1")),
    ],
)
def test_the_version_is_what_the_charger_can_and_the_pin_says(
    offered: tuple[str, ...], pin: str | None, known: str, agreed: Agreed
) -> None:
    assert agree(offered, pin, known) == agreed


@pytest.mark.parametrize(
    "offered", [(), ("ocpp1.5",), ("soap",), ("ocpp2.0",), ("ocpp20",), ("ocpp1.6s",), ("ocpp1.6soap",), ("ocpp11.6",)]
)
def test_nothing_in_common_is_refused_in_words(offered: tuple[str, ...]) -> None:
    refused = agree(offered, None, "")
    assert isinstance(refused, Refused)
    assert "ocpp1.6" in refused.why


@pytest.mark.parametrize(
    ("target", "identity"),
    [
        ("/ocpp/CP1", "CP1"), ("/ocpp/CP1/", "CP1"), ("/ocpp//CP%201?x=1", "CP 1"), ("/CP1", "CP1"),
        ("/ocpp/%C3%A9", "é"), ("//[x/CP1", "CP1"), ("ws://hub/ocpp/CP1", "CP1"), ("/ocpp", ""), ("/ocpp/", ""), ("/", ""), ("/ocpp/%FF", ""), ("/ocpp/%00", ""),
        ("/ocpp/" + "x" * 49, ""),
    ],
)  # fmt: skip
def test_the_identity_is_the_last_segment_decoded(target: str, identity: str) -> None:
    assert identity_in(target, "/ocpp") == identity


async def test_odd_case_and_no_subprotocol_are_served_where_they_can_be(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger("CP1")
    lab.charger("CP2", version="1.6")
    lab.charger("CP3")
    async with lab.serving():
        assert await lab.outcome("CP1", subprotocols=["Ocpp1.6"]) == "in"
        assert await lab.outcome("CP2", subprotocols=[]) == "in"
        assert await lab.outcome("CP3", subprotocols=[]) == "400"
        assert "offers no subprotocol" in lab.story("CP3")


@pytest.mark.parametrize("word", ["ocpp1.6j", "ocpp1.6J", "OCPP16", "ocpp1.6-json", "ocppj1.6", "ocpp-1.6", "ocpp16j"])
async def test_a_usual_misspelling_of_1_6_is_served_and_answered_as_spelled(tmp_path: Path, word: str) -> None:
    lab = Lab(tmp_path)
    lab.charger()
    async with lab.serving(), lab.dial(subprotocols=[word]) as charger:
        assert charger.socket.subprotocol == word
        assert (await charger.boot())["status"] == "Accepted"
        assert lab.csms.points["CP1"].version == "1.6"


async def test_a_misspelling_does_not_take_the_place_of_a_richer_version(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger()
    async with lab.serving():
        async with lab.dial(subprotocols=["ocpp1.6j", "ocpp2.0.1"]) as charger:
            assert charger.socket.subprotocol == "ocpp2.0.1"
        assert await lab.outcome(subprotocols=["ocpp2.0"]) == "400"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/ocpp/" + "x" * 49, "an identity of 49 characters is too long: at most 48"),
        ("/ocpp/" + "%C3%A9" * 49, "an identity of 49 characters is too long: at most 48"),
        ("/ocpp/%FF%FE", "its identity is not UTF-8"),
        ("/ocpp/a%00b", "its identity has characters that cannot be printed"),
        ("/ocpp", "names no charge point"),
    ],
)
async def test_why_a_path_names_no_charge_point_stands_in_the_waiting_list(tmp_path: Path, path: str, why: str) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
        head = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        writer.write(f"GET {path} HTTP/1.1\r\n{head}{key}".encode("latin-1"))
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 404")
        writer.close()
        await until(lambda: lab.csms.waiting())
        (waiting,) = lab.csms.waiting()
        assert waiting.id == ""
        assert why in waiting.trouble
        assert "no HTTP request" not in lab.story("127.0.0.1")
