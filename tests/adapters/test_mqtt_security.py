"""The broker's doors, against a real mosquitto: own CA with client certificate, and the access rules in deploy/."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.mqtt.broker import Broker
from adapters.mqtt.settings import MqttSettings
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import Mosquitto

DEPLOY = Path(__file__).parents[2] / "deploy"


def make_certificates(folder: Path) -> None:
    """A CA, a server certificate for 127.0.0.1 and a client certificate, made for this test only."""

    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=test ca")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.crt", "-days", "2", "-extfile", "san")  # fmt: skip


def make_users(program: str, passwords: Path, *users: str) -> None:
    for user in users:
        subprocess.run([program, "-b", str(passwords), user, f"{user}-secret"], check=True, capture_output=True)


@asynccontextmanager
async def connected(settings: MqttSettings, topics: list[str]) -> AsyncIterator[tuple[Broker, Any]]:
    broker = Broker("broker", settings, SystemClock())
    box = broker.watch(topics)
    task = asyncio.create_task(broker.run())
    try:
        yield broker, box
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def listening(broker: Broker, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while not broker.listening:
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True


@pytest.mark.slow
async def test_own_ca_and_client_certificate_open_the_door_and_nothing_else_does(
    make_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    make_certificates(tmp_path)
    server = make_mosquitto(
        f"cafile {tmp_path}/ca.crt\ncertfile {tmp_path}/server.crt\nkeyfile {tmp_path}/server.key\n"
        "require_certificate true\nuse_identity_as_username true"
    )
    tls: dict[str, Any] = {"kind": "mqtt", "host": "127.0.0.1", "port": server.port, "tls": True}
    with_certificate = MqttSettings(
        **tls, ca_file=f"{tmp_path}/ca.crt", cert_file=f"{tmp_path}/client.crt", key_file=f"{tmp_path}/client.key"
    )
    async with connected(with_certificate, ["a"]) as (broker, _):
        assert await listening(broker, 5)
    for refused in (MqttSettings(**tls, ca_file=f"{tmp_path}/ca.crt"), MqttSettings(**tls)):
        async with connected(refused, ["a"]) as (broker, _):
            assert not await listening(broker, 0.5)


@pytest.mark.slow
async def test_the_access_rules_keep_each_device_to_itself(
    make_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("mosquitto_passwd is not installed")
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    make_users(program, passwords, "hearth", "boiler", "homeassistant")
    acl = DEPLOY / "mosquitto-acl.conf"
    server = make_mosquitto(f"allow_anonymous false\npassword_file {passwords}\nacl_file {acl}")

    def settings(user: str) -> MqttSettings:
        return MqttSettings(kind="mqtt", host="127.0.0.1", port=server.port, username=user, password=f"{user}-secret")  # type: ignore[arg-type]

    topics = ["tele/boiler/SENSOR", "hearth/home/state/x", "hearth/home/set/car/override"]
    async with connected(settings("hearth"), topics) as (hearth, box):
        assert await listening(hearth, 5)
        async with (
            connected(settings("boiler"), []) as (boiler, _),
            connected(settings("homeassistant"), []) as (ha, _b),
        ):
            assert await listening(boiler, 5) and await listening(ha, 5)
            await boiler.publish("hearth/home/set/car/override", "run", "boiler")
            await boiler.publish("hearth/home/state/x", "9", "boiler")
            await ha.publish("hearth/home/state/x", "8", "ha")
            await ha.publish("tele/boiler/SENSOR", "7", "ha")
            await boiler.publish("tele/boiler/SENSOR", "5", "boiler")
            await ha.publish("hearth/home/set/car/override", "auto", "ha")
            heard: dict[str, bytes] = {}
            async with asyncio.timeout(5):
                while len(heard) < 2:
                    await box.arrived.wait()
                    heard |= {message.topic: message.payload for message in box.take()}
    assert heard == {"tele/boiler/SENSOR": b"5", "hearth/home/set/car/override": b"auto"}
