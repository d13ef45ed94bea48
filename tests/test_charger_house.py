"""A site file with one charger more is taken up while the others stay connected; a broken authority costs only TLS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, connect

from adapters.ocpp.credentials import Secret
from gateway.assembly import KINDS
from gateway.charger_house import ChargerHouse
from gateway.config import SiteFile, load_site
from gateway.ports import Store
from gateway.web.settings import WebSettings
from tests.adapters.ocpp_fakes import until
from tests.fakes import FakeClock, FakeStore

HEAD = """site: {name: H, timezone: Europe/Brussels, latitude: 50, longitude: 4, main_fuse_a: 25, tariff: demo_tou}
connections:
  chargers: {kind: ocpp, host: 127.0.0.1, port: 0, uploads_port: 0}
devices:
"""


def site(folder: Path, *identities: str) -> SiteFile:
    lines = [
        f"  {each.lower()}: {{role: ev_charger, connection: chargers, charge_point_id: {each}}}\n"
        for each in identities
    ]
    path = folder / "site.yaml"
    path.write_text(HEAD + "".join(lines))
    return load_site(path, KINDS, WebSettings)


class Place:
    """A house on a fake clock; `up` takes a site file up as the gateway does."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.store, self.changes = FakeClock(), cast(Store, FakeStore()), list[tuple[str, str]]()
        self.house = ChargerHouse(folder, self.clock)

    def up(self, site_file: SiteFile) -> dict[str, Any]:
        desks = self.house.take(site_file, self.store, lambda who, what: self.changes.append((who, what)))
        made = {
            entry.device.id: desks[entry.connection].charger(entry.device, cast(Any, entry.settings))
            for entry in site_file.devices
        }
        self.house.start()
        return made | {"csms": desks["chargers"]}

    @asynccontextmanager
    async def charger(self, port: int, identity: str) -> AsyncIterator[ClientConnection]:
        url = f"ws://127.0.0.1:{port}/ocpp/{identity}"
        async with connect(url, subprotocols=["ocpp1.6"]) as socket:  # type: ignore[list-item]
            boot = {"chargePointVendor": "Acme", "chargePointModel": "One"}
            await socket.send(json.dumps([2, "1", "BootNotification", boot]))
            await socket.recv()
            yield socket


async def test_a_new_site_file_is_taken_up_under_live_connections(tmp_path: Path) -> None:
    place = Place(tmp_path)
    first = place.up(site(tmp_path, "CP1"))
    await asyncio.wait_for(first["csms"].serving.wait(), 5)
    port = first["csms"].port
    async with place.charger(port, "CP1") as old, place.charger(port, "CP2"):
        second = place.up(site(tmp_path, "CP1", "CP2"))
        assert second["csms"] is first["csms"]
        assert second["cp1"] is first["cp1"]
        await until(lambda: second["cp2"].status().connected)
        assert old.close_code is None
        third = place.up(site(tmp_path, "CP2"))
        await asyncio.wait_for(old.wait_closed(), 5)
        assert third["cp2"].status().connected
    await place.house.stop()


async def test_a_charger_that_was_taken_out_and_put_back_has_none_of_its_old_trust(tmp_path: Path) -> None:
    place = Place(tmp_path)
    csms = place.up(site(tmp_path, "CP1", "CP2"))["csms"]
    await asyncio.wait_for(csms.serving.wait(), 5)
    for identity in ("CP1", "CP2"):
        await csms.credentials.adopt(identity, Secret.of(b"its password"))
        await csms.certificates.propose(identity, 7)
    place.up(site(tmp_path, "CP2"))
    place.up(site(tmp_path, "CP1", "CP2"))
    await until(lambda: cast(FakeStore, place.store).documents.get("ocpp/certificates/CP1", {}).get("closed"))
    assert not await csms.credentials.accepts("CP1", b"its password", None)
    assert await csms.certificates.why_not("CP1", 7)
    assert await csms.credentials.accepts("CP2", b"its password", None)
    assert await csms.certificates.why_not("CP2", 7) == ""
    await place.house.stop()


async def test_a_damaged_authority_costs_tls_and_not_the_charging(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.pem").write_text("broken")
    place = Place(tmp_path)
    made = place.up(site(tmp_path, "CP1"))
    assert "damaged" in place.house.trouble
    await asyncio.wait_for(made["csms"].serving.wait(), 5)
    async with place.charger(made["csms"].port, "CP1"):
        assert made["cp1"].status().connected
    await place.house.stop()
