"""Hostile messages of every OCPP version over real sockets; the million is in benchmarks/hostile_ocpp.py."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from benchmarks.hostile_ocpp import bombard
from tests.adapters.ocpp_fakes import home, peer


@pytest.mark.slow
async def test_no_hostile_message_ends_a_connection_or_a_transaction_or_changes_its_energy() -> None:
    logging.disable(logging.ERROR)  # each message that fails in a handler is told of, and here that is many
    try:
        found = await bombard(3000)
    finally:
        logging.disable(logging.NOTSET)
    assert found.frames == 3000 and found.answers > 1000
    assert not found.lost and not found.wrong


def raw(opcode: int, payload: bytes) -> bytes:
    """A masked WebSocket frame (RFC 6455 section 5.2), the mask being zero."""
    head = bytes((0x80 | opcode,))
    if len(payload) < 126:
        head += bytes((0x80 | len(payload),))
    else:
        head += bytes((0x80 | 127,)) + len(payload).to_bytes(8, "big")
    return head + bytes(4) + payload


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (raw(0x3, b"no such opcode"), 1002),
        (raw(0x1, b'[2,"a","Heartbeat",{"x":"\xff\xfe"}]'), 1007),
        (raw(0x1, b'[2,"a","DataTransfer",{"vendorId":"' + b"x" * 2**20 + b'"}]'), 1009),
    ],
    ids=["1002", "1007", "1009"],
)
async def test_what_breaks_the_line_itself_ends_the_connection_and_the_transaction_survives_it(
    frame: bytes, code: int
) -> None:
    where = home()
    connector = where.charger()
    async with where.serving():
        async with peer(where) as charger:
            await charger.boot()
            transaction = await charger.start(meter=1000)
            charger.socket.transport.write(frame)
            await asyncio.wait_for(charger.socket.wait_closed(), 5)
            assert charger.socket.close_code == code
        async with peer(where) as charger:
            await charger.meter({"value": "1500"}, transaction=transaction)
            session = connector.book.open_session()
            assert session is not None and (session.transaction, session.energy_wh) == (transaction, 500.0)


@pytest.mark.parametrize("subprotocol", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
async def test_the_longest_message_that_is_allowed_and_an_empty_one_end_nothing(subprotocol: str) -> None:
    where = home()
    where.charger()
    async with where.serving(), peer(where, subprotocols=(subprotocol,)) as charger:
        room = 2**20 - len(json.dumps([2, "long", "DataTransfer", {"vendorId": "v", "data": ""}]))
        await charger.socket.send("")
        assert (await charger.frame("DataTransfer", {"vendorId": "v", "data": "d" * room}, "long"))[0] in (3, 4)
        assert (await charger.frame("Heartbeat", {}))[0] == 3
