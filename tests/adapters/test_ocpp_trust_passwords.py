"""Passwords: rotated, kept over a restart, refused, and of a charger that was adopted."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.ocpp.charge_point import Peer
from adapters.ocpp.credentials import MOST_OPEN, Credentials
from adapters.ocpp.rotation import Rotation
from gateway.model.charging import Operation
from gateway.model.errors import CommandRefused, DeviceError, DeviceUnreachable
from tests.adapters.ocpp_fakes import FakeFacts, until
from tests.adapters.ocpp_trust import PASSWORD, Lab


async def test_a_rotated_password_replaces_the_old_one_when_the_charger_comes_back_with_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving():
        async with lab.dial(password=PASSWORD) as charger:
            await charger.boot()
            told = await lab.csms.rotation.password(lab.csms.points["CP1"], PASSWORD)
            assert "new password" in told
            fresh = bytes.fromhex(sent(charger.calls)).decode()
            assert len(fresh) == 20
        assert await lab.outcome(password=PASSWORD) == "in"
        assert await lab.outcome(password=fresh) == "in"
        assert await lab.outcome(password=PASSWORD) == "401"
        assert await lab.outcome(password=fresh.encode().hex()) == "in"
    kept = json.dumps(lab.facts.documents)
    assert fresh not in kept and fresh not in lab.story() and fresh.encode().hex() not in lab.story()


def sent(calls: list[tuple[str, dict[str, Any]]]) -> str:
    return next(str(p["value"]) for action, p in reversed(calls) if p.get("key") == "AuthorizationKey")


async def test_a_rotated_password_survives_a_restart_until_the_site_file_says_another(tmp_path: Path) -> None:
    facts = FakeFacts()
    lab = Lab(tmp_path, facts)
    lab.charger(password=PASSWORD)
    async with lab.serving(), lab.dial(password=PASSWORD) as charger:
        await charger.boot()
        await lab.csms.rotation.password(lab.csms.points["CP1"], PASSWORD)
        fresh = bytes.fromhex(sent(charger.calls)).decode()
    after = Lab(tmp_path, facts)
    after.charger(password=PASSWORD)
    async with after.serving():
        assert await after.outcome(password=fresh) == "in"
        assert await after.outcome(password=PASSWORD) == "401"
    reset = Lab(tmp_path, facts)
    reset.charger(password="typed anew by hand")
    async with reset.serving():
        assert await reset.outcome(password="typed anew by hand") == "in"
        assert await reset.outcome(password=fresh) == "401"


@pytest.mark.parametrize(("how", "profile"), [({"password": PASSWORD}, 1), ({}, 0)], ids=["password", "plain"])
async def test_after_a_restart_a_charger_that_has_not_dialled_yet_is_shown_as_it_was(
    tmp_path: Path, how: dict[str, str], profile: int
) -> None:
    """Wrong before: until it dialled again it was shown without make and version, and as if it had no password."""
    facts = FakeFacts()
    lab = Lab(tmp_path, facts)
    lab.charger(**how)
    async with lab.serving():
        assert await lab.outcome(**how) == "in"
    after = Lab(tmp_path, facts)
    after.charger(**how)
    async with after.serving():
        before, again = lab.csms.about("cp1"), after.csms.about("cp1")
        assert before is not None and again is not None
        assert (again.security_profile, again.version) == (before.security_profile, before.version) == (profile, "1.6")
        assert again.vendor == before.vendor != ""


async def test_a_charger_that_takes_no_hexadecimal_key_gets_it_as_text(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving():
        async with lab.dial(password=PASSWORD) as charger:
            charger.rules["ChangeConfiguration"] = lambda p: {
                "status": "Rejected" if p["key"] == "AuthorizationKey" and len(p["value"]) > 20 else "Accepted"
            }
            await charger.boot()
            await lab.csms.rotation.password(lab.csms.points["CP1"], PASSWORD)
            fresh = sent(charger.calls)
        assert len(fresh) == 20
        assert await lab.outcome(password=fresh) == "in"


async def test_a_refused_rotation_leaves_the_old_password(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving():
        async with lab.dial(password=PASSWORD) as charger:
            charger.rules["ChangeConfiguration"] = lambda _: {"status": "Rejected"}
            await charger.boot()
            with pytest.raises(CommandRefused):
                await lab.csms.rotation.password(lab.csms.points["CP1"], PASSWORD)
            refused = sent(charger.calls)
        assert await lab.outcome(password=refused) == "401"
        assert await lab.outcome(password=PASSWORD) == "in"


@pytest.mark.parametrize("away", [True, False], ids=["gone to dial again", "its answer lost"])
async def test_a_second_rotation_never_ends_the_password_that_the_charger_took(tmp_path: Path, away: bool) -> None:
    """Wrong before: it took the place of the first, and a charger that had taken that was locked out for good."""
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving():
        async with lab.dial(password=PASSWORD) as charger:
            await charger.boot()
            await lab.csms.rotation.password(lab.csms.points["CP1"], PASSWORD)
            taken = bytes.fromhex(sent(charger.calls)).decode()
            if not away:
                charger.rules["ChangeConfiguration"] = lambda p: {"status": "Accepted"} if p["key"] == "x" else None
                with contextlib.suppress(DeviceError):
                    second = asyncio.create_task(lab.csms.rotation.password(lab.csms.points["CP1"], PASSWORD))
                    for _ in range(40):
                        await lab.clock.advance(10)
                        await asyncio.sleep(0.01)
                    await second
        if away:
            await until(lambda: not lab.csms.points["CP1"].connected)
            with pytest.raises(DeviceUnreachable):
                await lab.csms.rotation.password(lab.csms.points["CP1"], PASSWORD)
        assert await lab.outcome(password=taken) == "in"
        assert await lab.outcome(password=PASSWORD) == "401"


async def test_a_charger_that_has_shown_its_first_password_is_asked_for_it_from_then_on(tmp_path: Path) -> None:
    """Wrong before: the site file asked for none, so anybody got in beside the password just given."""
    lab = Lab(tmp_path)
    lab.charger()
    async with lab.serving():
        async with lab.dial() as charger:
            await charger.boot()
            await lab.csms.rotation.password(lab.csms.points["CP1"], None)
            fresh = bytes.fromhex(sent(charger.calls)).decode()
        assert await lab.outcome() == "in", "it has not shown the new one yet"
        assert await lab.outcome(password=fresh) == "in"
        assert await lab.outcome() == "401"
        assert await lab.outcome(password="nonsense") == "401"
        assert await lab.outcome(password=fresh) == "in"


async def test_passwords_that_a_charger_never_shows_are_not_made_without_end(tmp_path: Path) -> None:
    credentials = Credentials(FakeFacts())
    made = [await credentials.propose("CP1", f"password {number}", PASSWORD) for number in range(MOST_OPEN)]
    with pytest.raises(CommandRefused, match="restart it"):
        await credentials.propose("CP1", "one more", PASSWORD)
    await credentials.withdraw_proposal("CP1", made[3])
    assert not await credentials.accepts("CP1", b"password 3", PASSWORD)
    assert await credentials.accepts("CP1", b"password 0", PASSWORD)


class Point2x:
    """A charge point of OCPP 2.0.1 that answers SetVariables as told."""

    identity, version, connected = "CP1", "2.0.1", True
    peer = Peer()

    def __init__(self, status: str) -> None:
        self.status = status
        self.told: list[dict[str, Any]] = []

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.told += payload["setVariableData"]
        return {"setVariableResult": [{"attributeStatus": self.status}]}


@pytest.mark.parametrize(("status", "taken"), [("Accepted", True), ("RebootRequired", True), ("Rejected", False)])
async def test_a_2x_charger_gets_its_password_as_a_variable(status: str, taken: bool) -> None:
    credentials, point = Credentials(FakeFacts()), Point2x(status)
    rotation = Rotation(credentials, None)
    if taken:
        await rotation.password(point, PASSWORD)
    else:
        with pytest.raises(CommandRefused):
            await rotation.password(point, PASSWORD)
    (told,) = point.told
    assert (told["component"], told["variable"]) == ({"name": "SecurityCtrlr"}, {"name": "BasicAuthPassword"})
    assert await credentials.accepts("CP1", PASSWORD.encode(), PASSWORD)
    assert await credentials.accepts("CP1", told["attributeValue"].encode(), PASSWORD) == taken
    assert await credentials.accepts("CP1", PASSWORD.encode(), PASSWORD) != taken


# ---- adoption and operations


async def test_an_adopted_charger_keeps_the_password_it_dialled_with(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        async with lab.dial("CP7", tls=lab.trusting(), password="from the factory") as charger:
            await charger.boot()
            assert await lab.csms.trust("CP7") == 2
            station = lab.charger("CP7", security_profile=2)
            await until(lambda: station.status().connected)
            assert (await charger.boot())["status"] == "Accepted"
        assert await lab.outcome("CP7", tls=lab.trusting(), password="from the factory") == "in"
        assert await lab.outcome("CP7", tls=lab.trusting(), password="another") == "401"
        assert await lab.outcome("CP7", password="from the factory") == "403"


async def test_one_who_waits_is_sent_away_when_the_site_file_asks_for_more_than_it_shows(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving(), lab.dial("CP7") as charger:
        await charger.boot()
        lab.charger("CP7", password=PASSWORD)
        await asyncio.wait_for(charger.socket.wait_closed(), 5)
        assert charger.socket.close_code == 1008
        assert "sent no password" in lab.story("CP7")


async def test_the_desk_rotates_and_tells_what_a_charger_is(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving(), lab.dial(password=PASSWORD) as charger:
        await charger.boot()
        about = lab.csms.about("cp1")
        assert about is not None
        assert (about.identity, about.security_profile, about.vendor, about.version) == ("CP1", 1, "Acme", "1.6")
        assert "new password" in await lab.csms.operate("cp1", Operation.ROTATE_PASSWORD)
        assert "new certificate" in await lab.csms.operate("cp1", Operation.ROTATE_CERTIFICATE)
        assert lab.csms.about("nobody") is None
