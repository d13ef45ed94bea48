"""A charge point made with the ocpp package, whose client we did not write, boots and runs a session on our CSMS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ocpp import v16, v21, v201
from ocpp.routing import on
from websockets.asyncio.client import connect

from tests.adapters.ocpp_fakes import stamp, until
from tests.adapters.ocpp_trust import Lab


class Client16(v16.ChargePoint):
    """Answers what our set-up asks."""

    @on("GetConfiguration")
    def configuration(self, **_: Any) -> Any:
        return v16.call_result.GetConfiguration(configuration_key=[], unknown_key=[])

    @on("ChangeConfiguration")
    def change(self, **_: Any) -> Any:
        return v16.call_result.ChangeConfiguration("Accepted")

    @on("TriggerMessage")
    def trigger(self, **_: Any) -> Any:
        return v16.call_result.TriggerMessage("Accepted")

    @on("SetChargingProfile")
    def profile(self, **_: Any) -> Any:
        return v16.call_result.SetChargingProfile("Accepted")


@pytest.mark.parametrize(
    ("subprotocol", "make", "boot"),
    [
        ("ocpp1.6", Client16, lambda: v16.call.BootNotification("One", "Acme")),
        (
            "ocpp2.0.1",
            v201.ChargePoint,
            lambda: v201.call.BootNotification({"vendor_name": "Acme", "model": "One"}, "PowerUp"),
        ),
        (
            "ocpp2.1",
            v21.ChargePoint,
            lambda: v21.call.BootNotification({"vendor_name": "Acme", "model": "One"}, "PowerUp"),
        ),
    ],
)
async def test_the_client_of_the_ocpp_package_boots_in_each_version(
    tmp_path: Path, subprotocol: str, make: Callable[..., Any], boot: Callable[[], Any]
) -> None:
    lab = Lab(tmp_path)
    station = lab.charger()
    async with lab.serving():
        url = f"wss://127.0.0.1:{lab.csms.port}/ocpp/CP1"
        async with connect(url, subprotocols=[subprotocol], ssl=lab.trusting()) as socket:  # type: ignore[list-item]
            client = make("CP1", socket)
            reader = asyncio.create_task(client.start())
            assert (await client.call(boot())).status == "Accepted"
            assert station.status().connected
            assert lab.csms.points["CP1"].version == subprotocol.removeprefix("ocpp")
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def test_the_client_of_the_ocpp_package_runs_a_session(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    station = lab.charger()
    async with lab.serving():
        url = f"ws://127.0.0.1:{lab.csms.port}/ocpp/CP1"
        async with connect(url, subprotocols=["ocpp1.6"]) as socket:  # type: ignore[list-item]
            client = Client16("CP1", socket)
            reader = asyncio.create_task(client.start())
            await client.call(v16.call.BootNotification("One", "Acme"))
            start = v16.call.StartTransaction(1, "TAG", 100, stamp(lab.clock.now()))
            transaction = (await client.call(start)).transaction_id
            assert station.status().transaction == str(transaction)
            await client.call(v16.call.StopTransaction(1100, stamp(lab.clock.now()), transaction))
            await until(lambda: lab.sessions.rows[transaction].end is not None)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
    assert lab.sessions.rows[transaction].energy_wh == 1000.0
