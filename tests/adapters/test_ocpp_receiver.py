"""The receiver of chargers' logs: real HTTP, one file for one token, safe names, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from adapters.ocpp import receiver
from adapters.ocpp.receiver import Receiver
from tests.fakes import FakeClock


@asynccontextmanager
async def receiving(folder: Path) -> AsyncIterator[tuple[Receiver, httpx.AsyncClient, FakeClock]]:
    clock = FakeClock()
    made = Receiver("127.0.0.1", 0, folder, clock)
    task = asyncio.create_task(made.run())
    await asyncio.wait_for(made.serving.wait(), 5)
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            yield made, client, clock
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def kept(folder: Path, charger: str = "car") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / charger).glob("*"))}


async def test_a_charger_puts_its_log_at_the_url_it_was_given_once(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (made, client, _):
        url = made.expect("car", "127.0.0.1")
        assert (await client.put(url + "diag.zip", content=b"log")).status_code == 201
        assert (await client.put(url + "diag.zip", content=b"again")).status_code == 404
        assert kept(tmp_path) == {"20261121-163000-diag.zip": b"log"}
        assert made.uploads("car") == ("20261121-163000-diag.zip",) and made.uploads("other") == ()


async def test_a_form_with_a_file_and_a_body_in_chunks_are_taken_too(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a" * 70_000
        yield b"b"

    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    async with receiving(tmp_path) as (made, client, clock):
        assert (await client.post(made.expect("car"), files={"file": ("x.log", b"in a form")})).status_code == 201
        await clock.advance(1)
        assert (await client.put(made.expect("car") + "y", content=chunks())).status_code == 201
    assert list(kept(tmp_path).values()) == [b"in a form", b"".join(pieces())]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("a%00b", "a_b"),
        ("C:%5Cx.txt", "x.txt"),
        ("", "log"),
        ("%2e%2e", "log"),
        ("n" * 300, "n" * 80),
    ],
)
async def test_a_name_is_one_file_in_the_chargers_folder_whatever_it_says(tmp_path: Path, name: str, safe: str) -> None:
    async with receiving(tmp_path) as (made, client, _):
        assert (await client.put(made.expect("../car") + name, content=b"x")).status_code == 201
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == [
        f"car/20261121-163000-{safe}"
    ]


async def test_what_nobody_announced_is_refused_and_a_token_ends(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (made, client, clock):
        url = made.expect("car")
        root = url.partition("/upload/")[0]
        assert (await client.put(f"{root}/upload/guess/x", content=b"x")).status_code == 404
        assert (await client.put(f"{root}/", content=b"x")).status_code == 404
        assert (await client.get(url)).status_code == 405
        await clock.advance(receiver.TOKEN_S)
        assert (await client.put(url, content=b"x")).status_code == 404
    assert not list(tmp_path.rglob("*"))


async def test_a_file_too_large_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "FILE_BYTES", 1000)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    async with receiving(tmp_path) as (made, client, _):
        url = made.expect("car")
        assert (await client.put(url, content=b"x" * 1001)).status_code == 413
        assert (await client.put(url, content=chunks())).status_code == 413
        assert (await client.put(url, content=b"x" * 1000)).status_code == 201
    assert len(kept(tmp_path)) == 1


async def test_the_oldest_logs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "KEPT_FILES", 2)
    async with receiving(tmp_path) as (made, client, clock):
        for number in range(4):
            await client.put(made.expect("car"), content=str(number).encode())
            await clock.advance(1)
    assert list(kept(tmp_path).values()) == [b"2", b"3"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"rubbish\r\n\r\n",
        b"PUT / HTTP/1.1\r\n" + b"x" * 20_000 + b"\r\n\r\n",
        b"PUT /upload/{token}/ HTTP/1.1\r\n\r\n",
        b"PUT /upload/{token}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PUT /upload/{token}/ HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf",
    ],
    ids=["no-request", "head-too-long", "no-length", "no-chunk", "cut"],
)
async def test_rubbish_is_answered_and_leaves_nothing_behind(tmp_path: Path, request_bytes: bytes) -> None:
    async with receiving(tmp_path) as (made, client, _):
        token = made.expect("car").rsplit("/", 2)[1].encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(request_bytes.replace(b"{token}", token))
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
        assert (await client.put(made.expect("car"), content=b"x")).status_code == 201
    assert len(kept(tmp_path)) == 1
