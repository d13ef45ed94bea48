"""Our VEN against the simulated utility, which shares no code with it: versions, oddities, TLS, pushes over MQTT."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from adapters.openadr.client import Vtn
from adapters.openadr.settings import OpenAdrSettings
from firmware_sim.clock import SimClock
from firmware_sim.http_process import serving
from firmware_sim.mqtt_line import MqttLine
from firmware_sim.vtn import build
from firmware_sim.vtn_api import Api
from firmware_sim.vtn_odd import ODD
from firmware_sim.vtn_store import Client, Object
from firmware_sim.vtn_tls import Tls
from firmware_sim.vtn_versions import VERSIONS
from gateway.model.dr import DrReport, DrResource, ReportRow
from gateway.model.errors import ServerError
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import Mosquitto

UTILITY = Client("utility", "bl")
NOW = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
EVENT: Object = {
    "eventName": "Evening peak",
    "payloadDescriptors": [{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "SIMPLE"}],
    "intervalPeriod": {"start": "2026-11-21T17:00:00Z", "duration": "PT4H"},
    "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [2]}]}],
}


@dataclass
class Witness:
    """One simulated utility that serves."""

    api: Api
    url: str

    def publish(self, **more: Any) -> Object:
        """A program of its own and an event in it."""
        kinds = self.api.version.kinds
        name = f"P{len(self.api.store.items['programs'])}"
        program = self.api.store.create(kinds["programs"], {"programName": name}, UTILITY)
        return self.api.store.create(kinds["events"], {"programID": program["id"], **EVENT, **more}, UTILITY)

    def client(self, **more: Any) -> Vtn:
        values = {"client_id": "home", "client_secret": "s", "ven_name": "home-1", "local": True, **more}
        settings = OpenAdrSettings.model_validate({"kind": "openadr", "url": self.url, **values})
        return Vtn("utility", settings, SystemClock())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def witness(version: str = "3.1.0", *odd: str, tls: Tls | None = None, **more: Any) -> AsyncIterator[Witness]:
    clock = SimClock(NOW, time.time(), 1.0)
    clients = ["home:s:ven", "utility:s:bl"]
    api = build(clock, clients, 3600, "Europe/Brussels", version=VERSIONS[version], odd=list(odd), tls=tls, **more)
    port = free_port()
    async with serving("vtn", api.app(), port, None, tls.context if tls else None):
        yield Witness(api, f"{'https' if tls else 'http'}://127.0.0.1:{port}")


def report_on(event: Object) -> DrReport:
    rows = (ReportRow(0, datetime(2026, 11, 21, 17, tzinfo=UTC), 900.0, 1.5, "OK"),)
    return DrReport("k", "utility", event["programID"], event["id"], "USAGE e home", "USAGE", "DIRECT_READ", "KWH",
                    "home", rows)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("version", list(VERSIONS))
@pytest.mark.parametrize("name", ["", *ODD])
async def test_an_oddity_of_a_server_neither_hides_nor_invents_events_and_reports_arrive(name, version):
    async with witness(version, *([name] if name else [])) as utility:
        event = utility.publish()
        client = utility.client()
        try:
            assert len(await client.programs()) == 1
            await client.enrol_resources([DrResource("car", "ev_charger", 11_000.0, None)])
            (found,) = await client.events()
            assert (found.id, found.name, found.intervals[0].payloads[0].values) == (event["id"], "Evening peak", (2,))
            for _ in range(2):  # told twice, it is there once
                await client.send(report_on(event))
        finally:
            await client.close()
        items = utility.api.store.items
        assert [ven["venName"] for ven in items["vens"].values()] == ["home-1"]
        assert [resource["resourceName"] for resource in items["resources"].values()] == ["car"]
        assert len(items["reports"]) == 1


async def test_all_oddities_together_still_give_the_event():
    together = set(ODD) - {"time-only-dates"}
    async with witness("3.1.0", *together) as utility:
        utility.publish()
        utility.publish(eventName="for somebody else", targets=["other street"])
        client = utility.client()
        try:
            await client.programs()
            assert [event.name for event in await client.events()] == ["Evening peak"]
        finally:
            await client.close()


async def test_a_webhook_is_taken_where_the_server_asks_for_its_echo_first():
    port = free_port()
    async with witness("3.1.0", "echo-path", "push-in-text", "snake-push") as utility:
        client = utility.client(callback_url=f"http://127.0.0.1:{port}", callback_port=port)
        try:
            await client.programs()
            waiting = asyncio.create_task(client.wait())
            async with asyncio.timeout(5):
                while not utility.api.store.items["subscriptions"]:
                    await asyncio.sleep(0.02)
                utility.publish()
                await waiting
        finally:
            await client.close()


async def refused(client: Vtn) -> str:
    try:
        with pytest.raises(ServerError) as error:
            await client.events()
        return str(error.value)
    finally:
        await client.close()


async def test_its_own_authority_must_be_known_and_an_expired_certificate_is_refused_while_it_lasts(tmp_path: Path):
    tls = Tls(tmp_path)
    async with witness(tls=tls) as utility:
        utility.publish()
        assert "certificate" in await refused(utility.client())
        known = utility.client(ca_file=str(tmp_path / "ca.pem"))
        assert len(await known.events()) == 1
        await known.close()
        tls.show(expired=True)
        assert "certificate" in await refused(utility.client(ca_file=str(tmp_path / "ca.pem")))
        tls.show(expired=False)
        known = utility.client(ca_file=str(tmp_path / "ca.pem"))
        assert len(await known.events()) == 1
        await known.close()


async def test_a_server_that_wants_our_certificate_gets_it(tmp_path: Path):
    async with witness(tls=Tls(tmp_path, client_certificates=True)) as utility:
        utility.publish()
        files = {"ca_file": str(tmp_path / "ca.pem")}
        await refused(utility.client(**files))
        ours = {"cert_file": str(tmp_path / "client.pem"), "key_file": str(tmp_path / "client.key")}
        client = utility.client(**files, **ours)
        assert len(await client.events()) == 1
        await client.close()
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        async with httpx.AsyncClient(verify=context, trust_env=False) as anyone:
            with pytest.raises((httpx.HTTPError, ssl.SSLError)):
                await anyone.get(f"{utility.url}/sim/state")


async def test_certificates_are_made_once_and_keys_are_for_their_owner_only(tmp_path: Path):
    Tls(tmp_path)
    first = (tmp_path / "ca.pem").read_text()
    Tls(tmp_path)
    assert (tmp_path / "ca.pem").read_text() == first
    assert (tmp_path / "server.key").stat().st_mode & 0o077 == 0


@pytest.mark.slow
async def test_an_event_told_over_mqtt_wakes_and_one_for_others_does_not(make_mosquitto: Callable[..., Mosquitto]):
    broker = make_mosquitto()
    where = SimpleNamespace(broker_host="127.0.0.1", broker_port=broker.port, username=None, password=None)
    line = MqttLine(where, "vtn-test", ("openadr/state", "online"), ("openadr/state", "offline"))  # type: ignore[arg-type]
    line.start()
    try:
        async with witness(broker=(broker.port, line)) as utility, asyncio.timeout(20):
            await line.connected.wait()
            client = utility.client()
            await client.programs()
            await client.events()
            waiting = asyncio.create_task(client.wait())
            while "listening" not in client.facts.push:
                await asyncio.sleep(0.02)
            # Its program is for everybody and may wake us; the event itself stands on no topic of ours.
            assert _paths(utility, utility.publish(targets=["other street"])) == ["events"]
            utility.publish()
            await waiting
            await client.close()
    finally:
        line.stop()


def _paths(utility: Witness, event: Object) -> list[str]:
    from firmware_sim.vtn_mqtt import MqttNotifier

    return list(MqttNotifier(utility.api.store, None)._paths(utility.api.version.kinds["events"], event))
