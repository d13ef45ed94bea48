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
from tests.adapters.ocpp_fakes import FakeFacts, FakeSessions, Home, Peer, home, peer, until
from tests.fakes import FakeClock

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
