"""Connections under trust: who may take whose place, storms, hostile peers, and what the installer sees of it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from adapters.ocpp.storms import Storms
from tests.adapters.ocpp_fakes import until
from tests.adapters.ocpp_trust import PASSWORD, Lab


async def test_a_live_charger_is_not_thrown_out_by_one_that_cannot_prove_itself(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving(), lab.dial(password=PASSWORD) as charger:
        await charger.boot()
        assert await lab.outcome(password="wrong") == "401"
        assert await charger.send("Heartbeat")
        assert await lab.outcome(password=PASSWORD) == "in"
        with pytest.raises((ConnectionClosed, TimeoutError)):
            await asyncio.wait_for(charger.send("Heartbeat"), 1)


async def test_without_credentials_another_address_waits_while_the_first_is_alive(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger()
    async with lab.serving(), lab.dial() as charger:
        await charger.boot()
        assert await lab.outcome(local_addr=("127.0.0.2", 0)) == "409"
        assert "connected from 127.0.0.1" in lab.story()
        assert await charger.send("Heartbeat")


async def test_withdrawn_credentials_end_the_connection(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving(), lab.dial(password=PASSWORD) as charger:
        await charger.boot()
        lab.csms.take_over(lambda device, what: None, {})
        await asyncio.wait_for(charger.socket.wait_closed(), 5)
        assert charger.socket.close_code == 1008
        assert await lab.outcome(password=PASSWORD) == "waits"


async def test_a_new_site_file_keeps_the_connections_of_devices_that_did_not_change(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    stays = lab.charger("CP1")
    device, settings = lab.csms._devices["CP1"][0]
    async with lab.serving(), lab.dial("CP1") as charger, lab.dial("CP2") as waiting:
        await charger.boot()
        transaction = await charger.start()
        assert (await waiting.boot())["status"] == "Pending"
        lab.csms.take_over(lambda who, what: lab.changes.append((who, what)), {"CP1": [(device, settings)]})
        assert lab.csms.charger(device, settings) is stays
        adopted = lab.charger("CP2")
        await until(lambda: adopted.status().connected)
        assert (await waiting.boot())["status"] == "Accepted"
        assert stays.status().transaction == str(transaction)
        assert lab.csms.waiting() == []


async def test_storms_of_one_charger_cost_it_a_wait_and_nobody_else(tmp_path: Path) -> None:
    lab = Lab(tmp_path, reconnects_per_minute=3)
    lab.charger("CP1")
    lab.charger("CP2")
    async with lab.serving():
        assert [await lab.outcome("CP1") for _ in range(5)] == ["in", "in", "in", "503", "503"]
        assert await lab.outcome("CP2") == "in"
        assert await lab.outcome("CP1", local_addr=("127.0.0.3", 0)) == "in"


def test_tokens_come_back_with_time() -> None:
    storms = Storms(60)
    assert [storms.of_identity("CP1", "a", 0.0) > 0 for _ in range(61)] == [False] * 60 + [True]
    assert storms.of_identity("CP1", "a", 1.1) == 0.0
    assert storms.of_identity("CP1", "a", 1.2) > 0.5
    assert storms.of_identity("CP1", "b", 1.2) == 0.0


# ---- hostile peers before the handshake


async def test_silent_half_open_and_garbage_peers_leave_room_for_a_charger(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger()
    async with lab.serving():
        peers = [socket.create_connection(("127.0.0.1", lab.csms.port)) for _ in range(40)]
        for index, each in enumerate(peers):
            said = [b"", b"\x16", b"\x16\x03\x01\xff\xff garbage", b"GET /ocpp/CP1 HTTP/1.1\r\n", b"\x00\xff", b"G"][
                index % 6
            ]
            each.sendall(said)
        try:
            assert await lab.outcome() == "in"
            assert await lab.outcome(tls=lab.trusting()) == "in"
        finally:
            for each in peers:
                each.close()
        assert await lab.outcome() == "in"


async def test_a_look_whether_the_port_is_open_is_no_charger_that_waits(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        _, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
        writer.close()
        assert await lab.outcome("CP1") == "waits"
        assert [each.id for each in lab.csms.waiting()] == ["CP1"]


@pytest.mark.parametrize("line", [b"X: " + b"y" * 10_000 + b"\r\n", b"X: y\r\n" * 300])
async def test_headers_without_end_are_hung_up_on(tmp_path: Path, line: bytes) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
        writer.write(b"GET /ocpp/CP1 HTTP/1.1\r\n" + line)
        assert not (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 101")
        writer.close()


async def test_a_slow_request_is_hung_up_on_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.ocpp.front.FIRST_BYTE_S", 0.05)
    monkeypatch.setattr("adapters.ocpp.front.TLS_S", 0.05)
    monkeypatch.setattr("adapters.ocpp.front.REQUEST_S", 0.05)
    lab = Lab(tmp_path)
    async with lab.serving():
        for said in (b"", b"\x16", b"GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
            writer.write(said)
            try:
                await asyncio.wait_for(reader.read(), 5)
            except ConnectionResetError:
                pass
            writer.close()
        assert "said nothing" in lab.story("127.0.0.1")


# ---- what the installer sees


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"GET /ocpp/\xff HTTP/1.1\r\n\r\n", "its path is not URL-encoded, or not UTF-8"),
        (b"GET /ocpp/CP1 HTTP/2.0\r\n\r\n", "expected HTTP/1.1 or HTTP/1.0"),
        (b"hello\r\n", "invalid HTTP request line"),
        (b"GET /ocpp/CP1 HTTP/1.1\r\n" + b"X: y\r\n" * 300, "no more than 128 headers"),
        (b"GET /ocpp/CP1 HTTP/1.1\r\nAuthorization : Basic c2VjcmV0\r\n\r\n", "invalid HTTP header"),
    ],
)
async def test_why_a_request_cannot_be_read_stands_in_the_waiting_list(tmp_path: Path, said: bytes, why: str) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
        writer.write(said)
        try:
            await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            pass
        writer.close()
        await until(lambda: lab.csms.waiting())
        assert why in lab.csms.waiting()[0].trouble
        assert "c2VjcmV0" not in lab.story("127.0.0.1")


async def test_the_trace_tells_the_way_in_step_by_step_and_no_secret(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=2, password=PASSWORD)
    async with lab.serving():
        await lab.outcome(password="guessed it")
        await lab.outcome(tls=lab.trusting(), password=PASSWORD)
        story = lab.story()
    for step in ("TCP connected, plain", "needs TLS", "TLSv1.3 agreed", "offers ocpp1.6", "speaks OCPP 1.6", "BootNot"):
        assert step in story
    assert PASSWORD not in story
    assert "guessed it" not in story


async def test_the_waiting_list_tells_version_profile_make_and_trouble(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        async with lab.dial("CP7", tls=lab.trusting(), password="factory", subprotocols=["ocpp2.0.1"]) as charger:
            boot = {
                "reason": "PowerUp",
                "chargingStation": {"vendorName": "Acme", "model": "Two", "firmwareVersion": "9"},
            }
            assert (await charger.send("BootNotification", **boot))["status"] == "Pending"
            (waiting,) = lab.csms.waiting()
            assert (waiting.id, waiting.version, waiting.vendor, waiting.model) == ("CP7", "2.0.1", "Acme", "Two")
            assert waiting.connected
        assert lab.csms.waiting_list.offered_password("CP7").holds(b"factory")  # type: ignore[union-attr]
        await until(lambda: not lab.csms.waiting()[0].connected)
        await lab.outcome("CP8", subprotocols=["ocpp1.5"])
        assert "offers ocpp1.5" in lab.csms.waiting()[0].trouble


async def test_the_urls_to_type_carry_the_port_in_use(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        urls = lab.csms.urls("CP_1")
    assert any(url.startswith("ws://") for url in urls) and any(url.startswith("wss://") for url in urls)
    assert all(url.endswith(f":{lab.csms.port}/ocpp/CP_1") for url in urls)
