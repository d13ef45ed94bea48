"""SIGHUP and adoption have the running gateway take a changed site file up; a broken one changes nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from gateway.config import SiteFile
from gateway.model.errors import SiteFileError, WishRefused
from gateway.reload import check_by_hand, read_anew, read_site
from tests.end_to_end.harness import free_port

ROOT = Path(__file__).parents[1]
SITE = """site: {name: H, timezone: Europe/Brussels, latitude: 50, longitude: 4, main_fuse_a: 25, tariff: demo_tou}
web: {host: 127.0.0.1, port: WEB}
connections:
  chargers: {kind: ocpp, host: 127.0.0.1, port: CSMS, uploads_port: null}
devices:
  stays: {role: ev_charger, connection: chargers, charge_point_id: STAYS, password: password-of-stays}
"""
GONE = "  gone: {role: ev_charger, connection: chargers, charge_point_id: GONE, password: password-of-gone}\n"
CHANGED = "  changed: {role: ev_charger, connection: chargers, charge_point_id: CHANGED, password: the-old-password}\n"


class Running:
    """A gateway in a process of its own, on a site file that the test changes."""

    def __init__(self, folder: Path) -> None:
        self.web, self.csms = free_port(), free_port()
        self.site, self.log = folder / "home.yaml", folder / "log"
        self.data = folder / "data"

    def write(self, *devices: str) -> None:
        self.site.write_text(SITE.replace("WEB", str(self.web)).replace("CSMS", str(self.csms)) + "".join(devices))

    @asynccontextmanager
    async def up(self) -> AsyncIterator[subprocess.Popen[bytes]]:
        with self.log.open("w") as log:
            process = await asyncio.to_thread(self._started, log)
            try:
                await self.said("chargers dial ws://")
                yield process
            finally:
                process.terminate()
                assert await asyncio.to_thread(process.wait, 10) == 0

    def _started(self, log: IO[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gateway", "run", "--demo", "--site", str(self.site), "--data", str(self.data)]
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    async def said(self, words: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.log.read_text().count(words) < times:
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def charger(self, identity: str, password: str) -> AsyncIterator[ClientConnection]:
        """A connected charge point of the running gateway; raises InvalidStatus when it is refused."""
        word = base64.b64encode(f"{identity}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {word}"}
        url = f"ws://127.0.0.1:{self.csms}/ocpp/{identity}"
        async with connect(url, subprotocols=["ocpp1.6"], additional_headers=headers) as line:  # type: ignore[list-item]
            yield line

    async def boots(self, line: ClientConnection) -> str:
        """What a BootNotification over this line is answered."""
        boot = {"chargePointVendor": "Acme", "chargePointModel": "One"}
        await line.send(json.dumps([2, "boot", "BootNotification", boot]))
        async with asyncio.timeout(5):
            while (frame := json.loads(await line.recv()))[1] != "boot":
                await line.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
        return str(frame[2]["status"])

    async def page(self) -> str:
        """The home page as a person sees it."""
        return await asyncio.to_thread(self._page)

    def _page(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/", timeout=10) as answer:
            return str(answer.read().decode())

    async def post(self, path: str, body: Any) -> tuple[int, str]:
        return await asyncio.to_thread(self._post, path, body)

    def _post(self, path: str, body: Any) -> tuple[int, str]:
        base = f"http://127.0.0.1:{self.web}"
        headers = {"content-type": "application/json", "origin": base}
        request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.mark.slow
async def test_sighup_takes_credentials_away_and_leaves_the_other_sessions(tmp_path: Path) -> None:
    place = Running(tmp_path)
    place.write(GONE, CHANGED)
    async with (
        place.up() as process,
        place.charger("STAYS", "password-of-stays") as stays,
        place.charger("GONE", "password-of-gone") as gone,
        place.charger("CHANGED", "the-old-password") as changed,
    ):
        assert [await place.boots(each) for each in (stays, gone, changed)] == ["Accepted"] * 3
        place.write(CHANGED.replace("the-old-password", "the-new-password"))
        process.send_signal(signal.SIGHUP)
        await asyncio.wait_for(asyncio.gather(gone.wait_closed(), changed.wait_closed()), 15)
        assert (gone.close_code, changed.close_code) == (1008, 1012)
        with pytest.raises(InvalidStatus, match="401"):
            async with place.charger("CHANGED", "the-old-password"):
                pass
        async with place.charger("CHANGED", "the-new-password") as anew, place.charger("GONE", "x") as waiting:
            assert await place.boots(anew) == "Accepted"
            assert await place.boots(waiting) == "Pending"
        assert await place.boots(stays) == "Accepted"  # over the very same line
        assert process.poll() is None


@pytest.mark.slow
async def test_a_broken_file_is_told_the_old_one_holds_and_adoption_says_what_is_wrong(tmp_path: Path) -> None:
    place = Running(tmp_path)
    place.write(GONE)
    adoption = {"identity": "NEW", "device": "new", "name": "New"}
    async with place.up() as process, place.charger("GONE", "password-of-gone") as line:
        place.write(GONE.replace("ev_charger", "ev_chargr"))
        process.send_signal(signal.SIGHUP)
        await place.said("the site file is not taken up")
        assert "is not taken up, the one before holds" in await place.page()
        assert await place.boots(line) == "Accepted"
        async with place.charger("NEW", "from the factory") as new:
            assert await place.boots(new) == "Pending"
            status, text = await place.post("/api/v1/chargers/adopt", adoption)
            assert status == 409
            assert "changed by hand and cannot be used" in text and "ev_chargr" in text
            place.write(GONE, CHANGED)
            status, text = await place.post("/api/v1/chargers/adopt", adoption)
            assert (status, "part of the home" in text) == (200, True), text
            async with asyncio.timeout(10):
                while await place.boots(new) != "Accepted":
                    await asyncio.sleep(0.05)
        async with place.charger("CHANGED", "the-old-password") as by_hand:
            assert await place.boots(by_hand) == "Accepted"
        assert await place.boots(line) == "Accepted"


# ---- what counts as broken


def held(folder: Path, *devices: str) -> tuple[Running, SiteFile]:
    place = Running(folder)
    place.write(*devices)
    return place, read_site(place.site)


def test_a_mistake_that_stood_there_before_is_no_hindrance_and_a_new_one_is(tmp_path: Path) -> None:
    wrong = "  odd: {role: ev_chargr, connection: chargers, charge_point_id: ODD}\n"
    place, before = held(tmp_path, wrong)
    place.write("# moved one line down\n", wrong, GONE)
    assert [each.device.id for each in read_anew(before).site_file.devices] == ["stays", "gone"]
    place.write(wrong, GONE.replace("password:", "pasword:"))
    with pytest.raises(SiteFileError, match="pasword"):
        read_anew(before)
    place.site.write_text("site: [")
    with pytest.raises(SiteFileError):
        read_anew(before)


@pytest.mark.parametrize(
    "change", [("tariff: demo_tou", "tariff: nowhere"), ("}\nweb", ", dr_strategies: nowhere}\nweb")]
)
def test_a_tariff_or_strategies_that_do_not_exist_make_the_file_broken(tmp_path: Path, change: tuple[str, str]) -> None:
    place, before = held(tmp_path)
    assert change[0] in place.site.read_text()
    place.site.write_text(place.site.read_text().replace(*change))
    with pytest.raises(SiteFileError, match="nowhere"):
        read_anew(before)


def test_a_charger_that_was_written_in_by_hand_is_not_adopted_a_second_time(tmp_path: Path) -> None:
    place, before = held(tmp_path)
    place.write(GONE)
    with pytest.raises(WishRefused, match="has this charger already, as 'gone'"):
        check_by_hand(before, {"connection": "chargers", "charge_point_id": "GONE"})
    check_by_hand(before, {"connection": "chargers", "charge_point_id": "NEW"})
