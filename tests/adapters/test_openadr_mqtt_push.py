"""Hints over MQTT against a real mosquitto: they only wake, and a dead or odd broker never disturbs the listings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
import pytest

from adapters.openadr import mqtt_push
from adapters.openadr.client import Vtn
from adapters.openadr.notifiers import BEARER, Binding, bindings, objection, topics
from adapters.openadr.settings import OpenAdrSettings
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import Mosquitto, free_port
from tests.adapters.openadr_lab import Server, event, running, vtn
from tests.adapters.test_mqtt_security import make_certificates, make_users

TOPICS = "/notifiers/mqtt/topics"


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        state.objects["/vens"] = [{"id": "v1", "venName": "ven-1"}]
        state.objects["/events"] = [event("e")]
        state.raw[f"{TOPICS}/vens/v1/events"] = (
            b'{"topics": {"CREATE": "v1/events/create", "DELETE": "v1/events/gone"}}'
        )
        yield state


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_push, "FIRST_RETRY_S", 0.05)


def offer(server: Server, port: int, scheme: str = "mqtt", **manner: object) -> None:
    authentication = {"method": "ANONYMOUS", **manner}
    answer = {"WEBHOOK": True, "MQTT": {"URIS": [f"{scheme}://127.0.0.1:{port}"], "serialization": "JSON",
                                        "authentication": authentication}}  # fmt: skip
    server.raw["/notifiers"] = json.dumps(answer).encode()


@asynccontextmanager
async def waiting(client: Vtn) -> AsyncIterator[asyncio.Task[None]]:
    """The client after its first look, with a task that ends at the first hint."""
    await client.programs()
    await client.events()
    task = asyncio.create_task(client.wait())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


async def until(words: str, client: Vtn) -> None:
    async with asyncio.timeout(10):
        while words not in client.facts.push:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[tuple[Vtn, asyncio.Task[None]]]:
    """A client that waits and listens on the broker that the server offers."""
    client = vtn(server, SystemClock())
    async with waiting(client) as hint:
        await until("listening", client)
        yield client, hint


async def publish(port: int, topic: str, payload: bytes = b"", **login: Any) -> None:
    async with aiomqtt.Client("127.0.0.1", port, **login) as client:
        await client.publish(topic, payload, qos=1)


@pytest.mark.slow
async def test_a_message_wakes_within_half_a_second_whatever_it_says(
    server: Server, make_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = make_mosquitto()
    offer(server, broker.port)
    async with listening(server) as (client, hint):
        assert not hint.done()
        text_in_a_text = b'"{\\"object_type\\": null}"'  # as the reference VTN sends
        began = asyncio.get_running_loop().time()
        await publish(broker.port, "v1/events/gone", text_in_a_text)
        await asyncio.wait_for(hint, 5)
        assert asyncio.get_running_loop().time() - began < 0.5
    assert client.facts.pushes == 1


@pytest.mark.slow
async def test_a_flood_of_messages_wakes_once_a_second(
    server: Server, make_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = make_mosquitto()
    offer(server, broker.port)
    async with listening(server) as (client, hint):
        for _ in range(30):
            await publish(broker.port, "v1/events/create")
            if hint.done():
                break
        await hint
        await publish(broker.port, "v1/events/create")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.wait(), 0.3)


@pytest.mark.slow
async def test_a_broker_that_dies_disturbs_no_look_and_its_return_is_a_hint(
    server: Server, make_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = make_mosquitto()
    offer(server, broker.port)
    async with listening(server) as (client, hint):
        broker.stop()
        await until("not connected", client)
        assert [each.id for each in await client.events()] == ["e"] and not hint.done()
        broker.start()
        await asyncio.wait_for(hint, 20)
        assert "listening" in client.facts.push


@pytest.mark.slow
async def test_the_token_is_the_password_and_the_client_id_the_user(
    server: Server, make_mosquitto: Callable[..., Mosquitto], tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("users")
    passwords = folder / "passwords"
    passwords.touch()
    try:
        make_users("mosquitto_passwd", passwords, "home")
    except FileNotFoundError:
        pytest.skip("mosquitto_passwd is not installed")
    server.token = "home-secret"
    broker = make_mosquitto(f"allow_anonymous false\npassword_file {passwords}")
    offer(server, broker.port, method="OAUTH2_BEARER_TOKEN", username="{clientID}")
    client = vtn(server, SystemClock())
    with caplog.at_level("DEBUG"):
        async with waiting(client) as hint:
            await until("listening", client)
            await publish(broker.port, "v1/events/create", username="home", password="home-secret")
            await asyncio.wait_for(hint, 5)
            # then a token the broker does not know any more, is told without being shown
            client._account.token._value = "void-secret"
            broker.stop()
            broker.start()
            await until("not connected", client)
    assert "secret" not in caplog.text + repr(client.facts)


async def test_a_way_that_breaks_of_itself_is_told_and_looking_goes_on(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(self: mqtt_push.MqttPush) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(mqtt_push.MqttPush, "run", broken)
    client = vtn(server, SystemClock())
    async with waiting(client):
        await asyncio.sleep(0)
        assert [each.id for each in await client.events()] == ["e"]
    assert "broker ended: KeyError('bug')" in caplog.text


@pytest.mark.slow
async def test_the_certificate_the_server_hands_us_opens_its_broker(
    server: Server, make_mosquitto: Callable[..., Mosquitto], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("certificates")
    try:
        make_certificates(folder)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    broker = make_mosquitto(
        f"cafile {folder}/ca.crt\ncertfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
        "require_certificate true\nuse_identity_as_username true"
    )
    texts = {name: (folder / file).read_text() for name, file in (
        ("caCert", "ca.crt"), ("clientCert", "client.crt"), ("clientKey", "client.key"))}  # fmt: skip
    offer(server, broker.port, "mqtts", method="CERTIFICATE", **texts)
    async with listening(server) as (_, hint):
        tls = aiomqtt.TLSParameters(f"{folder}/ca.crt", f"{folder}/client.crt", f"{folder}/client.key")
        await publish(broker.port, "v1/events/create", tls_params=tls)
        await asyncio.wait_for(hint, 5)


async def test_topics_by_program_where_there_are_none_by_ven(
    server: Server, make_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = make_mosquitto()
    offer(server, broker.port)
    server.fail[f"{TOPICS}/vens/v1/events"] = (500, {})
    server.objects["/programs"] = [{"id": "p", "programName": "Day"}]
    server.raw[f"{TOPICS}/programs/p/events"] = b'{"topics": {"ALL": "programs/p/#", "CREATE": "x"}}'
    async with listening(server) as (_, hint):
        await publish(broker.port, "programs/p/events/new")
        await asyncio.wait_for(hint, 5)


@pytest.mark.parametrize(
    ("answer", "told"),
    [(b'"do some magic!"', "offers none"), (b"[]", "offers none"), (b'{"WEBHOOK": true}', "offers none"),
     (b'{"MQTT": {"URIS": ["mqtts://broker.example"], "authentication": {"method": "OAUTH2_BEARER_TOKEN"}}}',
      "allow it with 'broker: broker.example'")],
    ids=["magic", "list", "webhook only", "foreign broker"],
)  # fmt: skip
async def test_an_offer_we_cannot_use_is_told_and_nothing_is_dialled(server: Server, answer: bytes, told: str) -> None:
    server.raw["/notifiers"] = answer
    client = vtn(server, SystemClock())
    async with waiting(client):
        await until(told, client)


async def test_a_server_of_3_0_1_has_no_broker(server: Server) -> None:
    server.version = "3.0.1"
    del server.raw[f"{TOPICS}/vens/v1/events"]
    client = vtn(server, SystemClock())
    async with waiting(client):
        await until("3.0.1 has none", client)


async def test_notifiers_that_fail_are_asked_again(server: Server, make_mosquitto: Callable[..., Mosquitto]) -> None:
    server.fail["/notifiers"] = (500, {})
    client = vtn(server, SystemClock())
    async with waiting(client):
        await until("answered with 500", client)
        offer(server, make_mosquitto().port)
        server.fail.clear()
        await until("listening", client)


async def test_a_broker_that_is_not_there_leaves_the_listings_alone(server: Server) -> None:
    offer(server, free_port())
    client = vtn(server, SystemClock())
    async with waiting(client) as hint:
        await until("not connected", client)
        assert [each.id for each in await client.events()] == ["e"] and not hint.done()


def offered(uri: object, **authentication: object) -> list[Binding]:
    return bindings({"MQTT": {"URIS": uri, "authentication": authentication or None}})


def test_brokers_are_read_leniently():
    assert offered(["mqtts://b.example"])[0] == Binding("b.example", 8883, True, "ANONYMOUS")
    assert offered("mqtt://b.example", method=None)[0].port == 1883
    assert offered(["b.example:9000"])[0] == Binding("b.example", 9000, True, "ANONYMOUS")
    assert offered([None, 7, "wss://b.example", "mqtts://b:x", "mqtts://"], method="ANONYMOUS") == []
    assert offered(["mqtts://b.example"], method="KERBEROS") == []


def test_a_given_key_stands_in_no_repr():
    (given,) = offered(["mqtts://b"], method="CERTIFICATE", caCert="c", clientCert="d", clientKey="KEY")
    assert given.client_key == "KEY" and "KEY" not in repr(given)


@pytest.mark.parametrize(
    ("uri", "more", "word"),
    [("mqtts://vtn.example", {}, ""), ("mqtts://mqtt.vtn.example", {}, ""), ("mqtts://evil.example", {}, "allow it"),
     ("mqtts://evilvtn.example", {}, "allow it"), ("mqtts://b.example", {"broker": "b.example"}, ""),
     ("mqtt://vtn.example", {}, "no TLS"), ("mqtts://192.168.1.1", {}, "in this house"),
     ("mqtts://vtn.example", {"client_id": ""}, "no credentials")],
)  # fmt: skip
def test_who_may_see_the_token(uri, more, word):
    values = {"kind": "openadr", "url": "https://vtn.example", "ven_name": "v", "client_id": "c", **more}
    why = objection(offered([uri], method=BEARER)[0], OpenAdrSettings.model_validate(values))
    assert word in why if word else why == ""


@pytest.mark.parametrize("found", [None, [], "do some magic!", {"topics": None}, {"topics": {"CREATE": 7, "ALL": ""}}])
def test_odd_topics_are_none(found):
    assert topics(found) == ()


def test_one_topic_for_all_stands_for_the_others():
    assert topics({"topics": {"CREATE": "a", "UPDATE": "b", "DELETE": "c"}}) == ("a", "b", "c")
    assert topics({"topics": {"CREATE": "a", "ALL": "x/+"}}) == ("x/+",)
