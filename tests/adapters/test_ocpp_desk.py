"""The CSMS towards the installer, with chargers on real sockets: about, trace, operations, uploads."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.ocpp.csms import Csms
from adapters.ocpp.receiver import Receiver
from adapters.ocpp.settings import OcppSettings
from gateway.model.charging import Operation
from gateway.model.errors import CommandRefused, DeviceUnreachable
from gateway.model.snapshot import ChargePhase
from tests.adapters.ocpp_fakes import FakeFacts, FakeSessions, Home, Peer, home, peer, stamp, until
from tests.fakes import START, FakeClock

BOOT: dict[str, dict[str, Any]] = {
    "ocpp1.6": {"chargePointVendor": "Acme", "chargePointModel": "One", "firmwareVersion": "7"},
    "ocpp2.0.1": {
        "reason": "PowerUp",
        "chargingStation": {"vendorName": "Acme", "model": "One", "firmwareVersion": "7"},
    },
}
BOOT["ocpp2.1"] = BOOT["ocpp2.0.1"]
EVENT = {"type": "TamperDetectionActivated", "timestamp": "2026-11-21T16:30:00Z"}


def receiving_home(folder: Path) -> tuple[Home, Receiver]:
    """A home whose CSMS takes uploads."""
    made, clock = home(), FakeClock()
    receiver = Receiver("127.0.0.1", 0, folder, clock)
    settings = OcppSettings(kind="ocpp", host="127.0.0.1", port=0)
    made.clock, made.sessions, made.facts = clock, FakeSessions(), FakeFacts()
    made.csms = Csms("csms", settings, clock, made.sessions, made.facts, lambda *_: None, receiver=receiver)
    return made, receiver


@pytest.mark.parametrize("subprotocol", list(BOOT))
async def test_what_is_known_of_a_charger_of_each_version_is_told_and_it_can_be_restarted(subprotocol: str) -> None:
    where = home()
    where.charger()
    async with where.serving(), peer(where, subprotocols=(subprotocol,)) as charger:
        await charger.send("BootNotification", **BOOT[subprotocol])
        await charger.send("SecurityEventNotification", **EVENT)
        assert (await charger.frame("Fly", {}))[2] == "NotImplemented"
        said = await where.csms.operate("cp1", Operation.RESET_SOFT)
        about = where.csms.about("cp1")
        assert "its absence is expected" in said and about is not None
        assert any(action == "Reset" for action, _ in charger.calls)
        assert (about.identity, about.version, about.vendor) == ("CP1", subprotocol.removeprefix("ocpp"), "Acme")
        assert about.security_events[0].text == "TamperDetectionActivated"
        assert about.violations["NotImplemented"] == 1
        texts = [line.text for line in where.csms.trace("CP1")]
        assert any("BootNotification" in text for text in texts) and any("Reset" in text for text in texts)
    assert where.csms.about("nobody") is None


async def test_a_stop_without_time_and_register_ends_the_session_now_with_what_was_seen_last() -> None:
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        transaction = await charger.start(meter=1000)
        await charger.send("MeterValues", transactionId=transaction, meterValue=[{"sampledValue": [{"value": "1400"}]}])
        await where.clock.advance(60)
        await charger.send("StopTransaction", transactionId=transaction)
        session = where.sessions.rows[transaction]
        assert session.end == where.clock.now() and session.energy_wh == 400.0
        assert connector.book.open_session() is None
        await charger.send("StopTransaction", transactionId=4711)
        assert len(where.sessions.rows) == 1, "a stop that fits nothing and tells nothing is no session"


async def test_a_start_without_time_register_and_connector_is_one_of_now_and_learns_its_register() -> None:
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        await charger.send("StatusNotification", connectorId=1, status="Preparing")
        assert connector.status().phase is ChargePhase.PLUGGED and not connector.live.error
        transaction = (await charger.send("StartTransaction", idTag="T"))["transactionId"]
        again = (await charger.send("StartTransaction", idTag="T"))["transactionId"]
        for register in (5000, 5300):
            await where.clock.advance(10)
            await charger.meter({"value": register}, transaction=transaction)
        session = where.sessions.rows[transaction]
        assert again == transaction and session.start == START and session.energy_wh == 300.0


async def test_without_a_connector_a_message_of_a_charger_with_two_is_of_its_transaction_or_refused() -> None:
    where = home()
    where.charger(device_id="left")
    right = where.charger(device_id="right", connector=2)
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        refused = await charger.frame("StartTransaction", {"idTag": "T", "meterStart": 0, "timestamp": stamp(START)})
        assert refused[2] == "OccurenceConstraintViolation"
        started = {"connectorId": 2, "idTag": "T", "meterStart": 0, "timestamp": stamp(START)}
        transaction = (await charger.send("StartTransaction", **started))["transactionId"]
        value = {"timestamp": stamp(START), "sampledValue": [{"value": "250"}]}
        await charger.send("MeterValues", transactionId=transaction, meterValue=[value])
        session = right.book.open_session()
        assert session is not None and session.energy_wh == 250.0


@pytest.mark.slow
async def test_events_of_a_transaction_without_time_number_and_reason_make_one_session() -> None:
    where = home()
    connector = where.charger()
    info = {"transactionId": "t1"}
    async with where.serving(), peer(where, subprotocols=("ocpp2.0.1",)) as charger:
        await charger.send("BootNotification", chargingStation={})
        for kind, register in (("Started", 100), ("Updated", 300), ("Ended", 700)):
            await where.clock.advance(10)
            value = {"sampledValue": [{"value": register}]}
            await charger.send("TransactionEvent", eventType=kind, transactionInfo=info, meterValue=[value], evse=1)
        (session,) = where.sessions.rows.values()
        assert session.energy_wh == 600.0 and session.end == where.clock.now()
        assert connector.frames.violations["no seqNo"] == 3


async def test_an_absent_charger_and_one_of_nobody_cannot_be_asked() -> None:
    where = home()
    where.charger()
    with pytest.raises(DeviceUnreachable):
        await where.csms.operate("cp1", Operation.UNLOCK)
    with pytest.raises(CommandRefused):
        await where.csms.operate("nobody", Operation.UNLOCK)


async def _upload(charger: Peer, url: str) -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.put(url + "diagnostics.zip", content=b"all is well")
    await charger.send("DiagnosticsStatusNotification", status="Uploaded")
    return answer.status_code


async def test_a_charger_uploads_its_diagnostics_to_the_hub_when_asked(tmp_path: Path) -> None:
    where, receiver = receiving_home(tmp_path)
    where.charger()
    uploads = asyncio.create_task(receiver.run())
    await receiver.serving.wait()
    urls: list[str] = []

    def diagnostics(payload: dict[str, Any]) -> dict[str, Any]:
        urls.append(payload["location"])
        return {"fileName": "diagnostics.zip"}

    async with where.serving(), peer(where) as charger:
        charger.rules["GetDiagnostics"] = diagnostics
        await charger.boot()
        assert "diagnostics.zip" in await where.csms.operate("cp1", Operation.UPLOAD_LOG)
        assert await _upload(charger, urls[0]) == 201
        about = where.csms.about("cp1")
        assert about is not None and about.uploads == ("20261121-163000-diagnostics.zip",)
        assert not any(urls[0].split("/upload/")[1] in line.text for line in where.csms.trace("CP1"))
        await until(lambda: where.csms.operations.upload_status("CP1") == "Uploaded")
    uploads.cancel()
    await asyncio.gather(uploads, return_exceptions=True)
