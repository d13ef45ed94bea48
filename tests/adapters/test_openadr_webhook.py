"""Hints by webhook: a real receiver, called as VTNs call it, and the subscription that names it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from adapters.openadr import webhook
from adapters.openadr.client import Vtn
from adapters.openadr.settings import OpenAdrSettings
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import free_port
from tests.adapters.openadr_lab import Server, running, vtn
from tests.adapters.test_mqtt_security import make_certificates

pytestmark = pytest.mark.slow
"""A receiver takes a quarter of a second to come and to go."""


@pytest.fixture(params=["3.1.0", "3.0.1"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running() as state:
        state.version = request.param
        state.objects["/vens"] = [{"id": "v1", "venName": "ven-1"}]
        state.objects["/programs"] = [{"id": "p", "programName": "Day"}, {"id": "q", "programName": "Night"}]
        yield state


@asynccontextmanager
async def subscribed(server: Server, port: int, **more: Any) -> AsyncIterator[tuple[Vtn, asyncio.Task[None]]]:
    url = f"http://127.0.0.1:{port}/hook"
    client = vtn(server, SystemClock(), callback_url=url, callback_port=port, push=False, **more)
    await client.programs()
    await client.events()
    hint = asyncio.create_task(client.wait())
    try:
        async with asyncio.timeout(10):
            while "subscribed for" not in client.facts.push:
                await asyncio.sleep(0.01)
        yield client, hint
    finally:
        hint.cancel()
        await asyncio.gather(hint, return_exceptions=True)
        await client.close()


def token(server: Server) -> str:
    return server.objects["/subscriptions"][0]["objectOperations"][0]["bearerToken"]


async def call(port: int, path: str, method: str = "POST", **request: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, f"http://127.0.0.1:{port}{path}", **request)


async def test_a_call_with_our_token_wakes_within_half_a_second(server):
    port = free_port()
    async with subscribed(server, port) as (client, hint):
        began = asyncio.get_running_loop().time()
        answer = await call(port, "/hook", headers={"Authorization": f"Bearer {token(server)}"}, json="{}")
        await asyncio.wait_for(hint, 5)
        assert answer.status_code == 200 and asyncio.get_running_loop().time() - began < 0.5
        assert client.facts.pushes == 1 and server.invalid == []


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer wrong", "Bearer \u00e9", "Basic abc"])
async def test_a_call_without_our_token_is_refused_and_wakes_nobody(server, shown):
    port = free_port()
    async with subscribed(server, port) as (client, _):
        headers = {} if shown is None else {"Authorization": shown.encode("latin-1")}
        assert (await call(port, "/hook", headers=headers, json={})).status_code == 401
        assert client.facts.pushes == 0


async def test_the_token_of_the_subscription_shows_nowhere(server, caplog):
    with caplog.at_level("DEBUG"):
        async with subscribed(server, free_port()) as (client, _):
            secret = token(server)
            said = repr(client.facts)
    assert len(secret) > 40 and secret not in caplog.text + said


async def test_a_huge_body_is_refused(server):
    port = free_port()
    async with subscribed(server, port) as (client, _):
        headers = {"Authorization": f"Bearer {token(server)}"}
        assert (await call(port, "/hook", headers=headers, content=b"x" * 100_000)).status_code == 413
        assert client.facts.pushes == 0


@pytest.mark.parametrize("path", ["/hook?echo=abc", "/hook/echo?echo=abc"])
async def test_the_echo_a_server_asks_for_before_it_believes_in_us(server, path):
    port = free_port()
    async with subscribed(server, port):
        answer = await call(port, path, "GET")
        assert (answer.status_code, answer.text) == (200, "abc")
        assert answer.headers["content-type"].startswith("text/plain")


async def test_the_subscription_is_made_once_found_again_and_taken_back(server):
    # given the subscription of another home, and ours that a crash left behind
    port = free_port()
    other = {"id": "s9", "clientName": "ven-1", "objectOperations": [{"callbackUrl": "https://other.example/x"}]}
    ours = {"id": "s1", "clientName": "ven-1", "programID": "p", "objectOperations": [
        {"callbackUrl": f"http://127.0.0.1:{port}/hook", "bearerToken": "old"}]}  # fmt: skip
    if server.version == "3.1.0":
        del ours["programID"]
    server.objects["/subscriptions"] = [ours, other]
    # when we run
    async with subscribed(server, port):
        # then there is one per program in 3.0.1 and one for all in 3.1.0, ours with a new token
        there = server.objects["/subscriptions"]
        assert [each.get("programID") for each in there if each is not other] == (
            [None] if server.version == "3.1.0" else ["p", "q"]
        )
        assert token(server) != "old"
    # and afterwards only the other home's is left
    assert server.objects["/subscriptions"] == [other]


async def test_a_lost_subscription_is_made_again(server, monkeypatch):
    monkeypatch.setattr(webhook, "RENEW_S", 0.05)
    port = free_port()
    async with subscribed(server, port):
        server.objects["/subscriptions"].clear()
        async with asyncio.timeout(5):
            while not server.objects["/subscriptions"]:
                await asyncio.sleep(0.01)


async def test_a_group_is_subscribed_to_besides_what_is_for_everybody():
    with running() as server:
        server.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street", "town"]}]
        async with subscribed(server, free_port()):
            assert [each.get("targets") for each in server.objects["/subscriptions"]] == [None, ["street"], ["town"]]
        assert server.invalid == []


async def test_a_refused_subscription_and_a_taken_port_are_told_and_stop_nothing(server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        client = vtn(server, SystemClock(), callback_url="http://127.0.0.1/h", callback_port=port, push=False)
        hint = asyncio.create_task(client.wait())
        async with asyncio.timeout(5):
            while "cannot listen" not in client.facts.push:
                await asyncio.sleep(0.01)
        assert await client.events() == []
        hint.cancel()
        await client.close()


@pytest.mark.parametrize(
    ("more", "word"),
    [({"callback_url": "http://home.example/x", "callback_port": 1}, "plain http"),
     ({"callback_url": "https://home.example/x"}, "go together"),
     ({"callback_url": "https://home.example/x", "callback_port": 1, "callback_bind": "0.0.0.0"}, "callback_bind"),
     ({"cert_file": "a.pem"}, "go together"), ({"url": "https://me:secret@vtn.example"}, "does not belong")],
)  # fmt: skip
def test_settings_that_would_open_a_door_are_refused(more, word):
    values = {"kind": "openadr", "url": "https://vtn.example", "ven_name": "v", **more}
    with pytest.raises(ValueError, match=word):
        OpenAdrSettings.model_validate(values)


async def test_our_own_certificate_is_shown_where_no_proxy_stands_before_us(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    make_certificates(tmp_path)
    port, files = (
        free_port(),
        {"callback_cert_file": f"{tmp_path}/server.crt", "callback_key_file": f"{tmp_path}/server.key"},
    )
    trust = ssl.create_default_context(cafile=f"{tmp_path}/ca.crt")
    with running() as server:
        async with subscribed(server, port, **files) as (_, hint), httpx.AsyncClient(verify=trust) as caller:
            headers = {"Authorization": f"Bearer {token(server)}"}
            answer = await caller.post(f"https://127.0.0.1:{port}/hook", headers=headers, json={})
            await asyncio.wait_for(hint, 5)
    assert answer.status_code == 200


async def test_a_certificate_of_ours_that_cannot_be_read_is_told(tmp_path):
    files = {"callback_cert_file": f"{tmp_path}/none", "callback_key_file": f"{tmp_path}/none"}
    with running() as server:
        client = vtn(
            server, SystemClock(), callback_url="https://h.example", callback_port=free_port(), push=False, **files
        )
        hint = asyncio.create_task(client.wait())
        async with asyncio.timeout(5):
            while "cannot listen" not in client.facts.push:
                await asyncio.sleep(0.01)
        hint.cancel()
        await client.close()
