"""The real server on a real socket: it streams, ends when cancelled, and names a taken port."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.model.errors import HearthError
from gateway.web.server import listen, serve, serve_on
from gateway.web.settings import WebSettings
from tests.fakes import FakeClock
from tests.web.fake_home import FakeHome


@asynccontextmanager
async def served(home: FakeHome, settings: WebSettings):
    sock = listen(settings)
    task = asyncio.create_task(serve_on(sock, home, settings))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}", timeout=5) as client:
        try:
            yield client
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=5)
            assert task.done()


async def events(lines, count: int) -> list[dict]:
    found: list[dict] = []
    async for line in lines:
        if line.startswith("data: "):
            found.append(json.loads(line[6:]))
        if len(found) == count:
            return found
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("path", "key"), [("/api/v1/stream", "grid_w"), ("/live", "nodes")])
async def test_the_stream_starts_with_the_state_and_follows_changes(home, path, key):
    async with served(home, WebSettings(port=0)) as client, client.stream("GET", path) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        assert key in (await events(lines, 1))[0]
        home.headline = lambda: "The car charges."
        home.version += 1
        for _ in range(3):
            await home.clock.advance(1)
        assert (await events(lines, 1))[0]["headline"] == "The car charges."


@pytest.mark.slow
async def test_the_server_says_nothing_of_itself_and_prints_the_set_up_code(home, capsys):
    async with served(home, WebSettings(port=0)) as client:
        answer = await client.get("/healthz")
    assert "server" not in answer.headers
    assert "Set-up code: " in capsys.readouterr().out


async def test_a_taken_port_is_named_with_its_remedy(home):
    taken = listen(WebSettings(port=0))
    port = taken.getsockname()[1]
    try:
        with pytest.raises(HearthError, match=f"127.0.0.1:{port}.*set another web.port"):
            await serve(home, WebSettings(port=port), FakeClock())
    finally:
        taken.close()
