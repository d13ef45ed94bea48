"""Security profiles 0 to 3 let the right charger in and refuse each wrong one, on one port, with real TLS."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from adapters.ocpp.charge_point import Peer
from adapters.ocpp.credentials import Credentials
from adapters.ocpp.door import Agreed, Refused, agree, at_home, identity_in
from adapters.ocpp.rotation import Rotation
from adapters.ocpp.storms import Storms
from adapters.pki.authority import LocalAuthority
from gateway.model.charging import Operation
from gateway.model.errors import CommandRefused
from tests.adapters.ocpp_fakes import FakeFacts, until
from tests.adapters.ocpp_trust import PASSWORD, Lab
from tests.adapters.test_pki import request

# ---- who gets in


@pytest.mark.parametrize(
    ("profile", "how", "outcome", "proved"),
    [
        (0, {}, "in", 0),
        (0, {"tls": "trusting"}, "in", 0),
        (1, {"password": PASSWORD}, "in", 1),
        (1, {}, "401", 0),
        (1, {"password": "wrong"}, "401", 0),
        (1, {"password": PASSWORD, "user": "CP2"}, "401", 0),
        (1, {"password": PASSWORD, "tls": "trusting"}, "in", 2),
        (2, {"password": PASSWORD, "tls": "trusting"}, "in", 2),
        (2, {"password": PASSWORD}, "403", 0),
        (2, {"tls": "trusting"}, "401", 0),
        (2, {"password": "wrong", "tls": "trusting"}, "401", 0),
        (3, {"tls": "own"}, "in", 3),
        (3, {"tls": "trusting"}, "403", 0),
        (3, {"tls": "trusting", "password": PASSWORD}, "403", 0),
        (3, {"tls": "of another"}, "403", 0),
        (3, {"tls": "expired"}, "no TLS", 0),
        (3, {"tls": "wrong authority"}, "no TLS", 0),
        (3, {"password": PASSWORD}, "403", 0),
        (3, {}, "403", 0),
    ],
)
async def test_each_profile_takes_the_right_charger_and_refuses_the_wrong_one(
    tmp_path: Path, profile: int, how: dict[str, Any], outcome: str, proved: int
) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=profile, password=PASSWORD)
    if kind := how.get("tls"):
        how = {**how, "tls": context_of(lab, kind)}
    async with lab.serving():
        assert await lab.outcome(**how) == outcome
        assert lab.csms.points["CP1"].peer.security_profile == proved


def context_of(lab: Lab, kind: str) -> ssl.SSLContext:
    match kind:
        case "own":
            return lab.own("CP1")
        case "of another":
            return lab.own("CP2")
        case "expired":
            return lab.own("CP1", end=datetime.now(UTC) - timedelta(hours=1))
        case "wrong authority":
            return lab.own("CP1", authority=LocalAuthority.open(lab.folder / "other", lab.clock))
        case _:
            return lab.trusting()


@pytest.mark.parametrize(
    ("kind", "told"), [("expired", "certificate has expired"), ("wrong authority", "certificate is not accepted")]
)
async def test_a_certificate_that_is_not_accepted_is_told_to_the_installer(
    tmp_path: Path, kind: str, told: str
) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=3)
    async with lab.serving():
        await lab.outcome(tls=context_of(lab, kind))
        await until(lambda: told in lab.story("127.0.0.1"))


async def test_a_web_page_is_no_charger(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger()
    page = {"origin": "http://bad.example", "user_agent_header": "Mozilla/5.0 (X11; Linux x86_64)"}
    async with lab.serving():
        assert await lab.outcome(**page) == "403"
        assert await lab.outcome("CP9", **page) == "403"
        assert await lab.outcome(origin="http://charger", user_agent_header="lws") == "in"


@pytest.mark.parametrize(
    "headers",
    [[("Authorization", "Basic !"), ("Authorization", "Basic x")], [("Authorization", "Basic " + "A" * 7000)],
     [("Authorization", "Basic Og==")], [("Authorization", "Digest x")], [("Authorization", "Basic /////w==")]],
)  # fmt: skip
async def test_odd_credentials_are_refused_as_wrong_ones(tmp_path: Path, headers: list[tuple[str, str]]) -> None:
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving():
        with pytest.raises(InvalidStatus, match="401"):
            await connect(
                f"ws://127.0.0.1:{lab.csms.port}/ocpp/CP1",
                subprotocols=["ocpp1.6"],  # type: ignore[list-item]
                additional_headers=headers,
            )


async def test_tls_below_1_2_is_refused(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=2, password=PASSWORD)
    old = lab.trusting()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    async with lab.serving():
        assert await lab.outcome(tls=old, password=PASSWORD) == "no TLS"
        await until(lambda: "TLS older than 1.2" in lab.story("127.0.0.1"))


async def test_a_charger_that_does_not_trust_us_is_told_to_the_installer(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        assert await lab.outcome(tls=ssl.create_default_context()) == "no TLS"
        await until(lambda: any("root certificate" in each.trouble for each in lab.csms.waiting()))
        assert lab.csms.waiting()[0].id == ""
        assert lab.csms.waiting()[0].address == "127.0.0.1"


async def test_a_renewed_server_certificate_is_used_at_once_and_drops_nobody(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=2, password=PASSWORD)
    async with lab.serving(), lab.dial(tls=lab.trusting(), password=PASSWORD) as charger:
        await charger.boot()
        before = served(charger.socket)
        lab.clock.step(300 * 86400)
        lab.authority.renew_if_due()
        lab.clock.step(-300 * 86400)
        lab.authority.renew_if_due()  # the clock went back: one that holds today
        assert await charger.send("Heartbeat")
        async with lab.dial("CP9", tls=lab.trusting()) as other:
            assert served(other.socket) != before
        assert await charger.send("Heartbeat")


def served(socket: Any) -> Any:
    return socket.transport.get_extra_info("ssl_object").getpeercert()["serialNumber"]


async def test_a_plain_address_outside_the_home_is_not_served_without_credentials() -> None:
    assert [at_home(a) for a in ("192.168.1.2", "10.0.0.1", "172.20.1.1", "fe80::1%eth0", "::ffff:192.168.1.1")] == [
        True
    ] * 5
    assert [at_home(a) for a in ("8.8.8.8", "100.64.0.1", "172.32.0.1", "2001:db8::1", "", "x")] == [False] * 6


# ---- subprotocols and identities


@pytest.mark.parametrize(
    ("offered", "pin", "known", "agreed"),
    [
        (("ocpp1.6",), None, "", Agreed("1.6", "ocpp1.6")),
        (("ocpp1.6", "ocpp2.0.1", "ocpp2.1"), None, "", Agreed("2.1", "ocpp2.1")),
        (("ocpp1.6", "ocpp2.0.1"), "1.6", "", Agreed("1.6", "ocpp1.6")),
        (("OCPP1.6",), None, "", Agreed("1.6", "OCPP1.6")),
        ((), "1.6", "", Agreed("1.6", None)),
        ((), None, "2.0.1", Agreed("2.0.1", None)),
        (("ocpp2.0.1",), "1.6", "", Agreed("1.6", "ocpp2.0.1")),
    ],
)
def test_the_version_is_what_the_charger_can_and_the_pin_says(
    offered: tuple[str, ...], pin: str | None, known: str, agreed: Agreed
) -> None:
    assert agree(offered, pin, known) == agreed


@pytest.mark.parametrize(
    "offered", [(), ("ocpp1.5",), ("soap",), ("ocpp2.0",), ("ocpp20",), ("ocpp1.6s",), ("ocpp1.6soap",), ("ocpp11.6",)]
)
def test_nothing_in_common_is_refused_in_words(offered: tuple[str, ...]) -> None:
    refused = agree(offered, None, "")
    assert isinstance(refused, Refused)
    assert "ocpp1.6" in refused.why


@pytest.mark.parametrize(
    ("target", "identity"),
    [
        ("/ocpp/CP1", "CP1"), ("/ocpp/CP1/", "CP1"), ("/ocpp//CP%201?x=1", "CP 1"), ("/CP1", "CP1"),
        ("/ocpp/%C3%A9", "é"), ("//[x/CP1", "CP1"), ("ws://hub/ocpp/CP1", "CP1"), ("/ocpp", ""), ("/ocpp/", ""), ("/", ""), ("/ocpp/%FF", ""), ("/ocpp/%00", ""),
        ("/ocpp/" + "x" * 49, ""),
    ],
)  # fmt: skip
def test_the_identity_is_the_last_segment_decoded(target: str, identity: str) -> None:
    assert identity_in(target, "/ocpp") == identity


async def test_odd_case_and_no_subprotocol_are_served_where_they_can_be(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger("CP1")
    lab.charger("CP2", version="1.6")
    lab.charger("CP3")
    async with lab.serving():
        assert await lab.outcome("CP1", subprotocols=["Ocpp1.6"]) == "in"
        assert await lab.outcome("CP2", subprotocols=[]) == "in"
        assert await lab.outcome("CP3", subprotocols=[]) == "400"
        assert "offers no subprotocol" in lab.story("CP3")


@pytest.mark.parametrize("word", ["ocpp1.6j", "ocpp1.6J", "OCPP16", "ocpp1.6-json", "ocppj1.6", "ocpp-1.6", "ocpp16j"])
async def test_a_usual_misspelling_of_1_6_is_served_and_answered_as_spelled(tmp_path: Path, word: str) -> None:
    lab = Lab(tmp_path)
    lab.charger()
    async with lab.serving(), lab.dial(subprotocols=[word]) as charger:
        assert charger.socket.subprotocol == word
        assert (await charger.boot())["status"] == "Accepted"
        assert lab.csms.points["CP1"].version == "1.6"


async def test_a_misspelling_does_not_take_the_place_of_a_richer_version(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger()
    async with lab.serving():
        async with lab.dial(subprotocols=["ocpp1.6j", "ocpp2.0.1"]) as charger:
            assert charger.socket.subprotocol == "ocpp2.0.1"
        assert await lab.outcome(subprotocols=["ocpp2.0"]) == "400"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/ocpp/" + "x" * 49, "an identity of 49 characters is too long: at most 48"),
        ("/ocpp/" + "%C3%A9" * 49, "an identity of 49 characters is too long: at most 48"),
        ("/ocpp/%FF%FE", "its identity is not UTF-8"),
        ("/ocpp/a%00b", "its identity has characters that cannot be printed"),
        ("/ocpp", "names no charge point"),
    ],
)
async def test_why_a_path_names_no_charge_point_stands_in_the_waiting_list(tmp_path: Path, path: str, why: str) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
        head = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        writer.write(f"GET {path} HTTP/1.1\r\n{head}{key}".encode("latin-1"))
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 404")
        writer.close()
        await until(lambda: lab.csms.waiting())
        (waiting,) = lab.csms.waiting()
        assert waiting.id == ""
        assert why in waiting.trouble
        assert "no HTTP request" not in lab.story("127.0.0.1")


# ---- passwords


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


class Point2x:
    """A charge point of OCPP 2.0.1 that answers SetVariables as told."""

    identity, version = "CP1", "2.0.1"
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


# ---- certificates of chargers


async def test_a_charger_asks_for_its_certificate_and_comes_in_with_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=2, password=PASSWORD)
    async with lab.serving(), lab.dial(tls=lab.trusting(), password=PASSWORD) as charger:
        await charger.boot()
        assert "asks for a new certificate" in await lab.csms.rotation.certificate(lab.csms.points["CP1"])
        installed = next(p for action, p in charger.calls if action == "InstallCertificate")
        assert installed["certificate"] == lab.authority.root_pem()
        assert (await charger.send("SignCertificate", csr=request("CP1")))["status"] == "Accepted"
        await until(lambda: any(action == "CertificateSigned" for action, _ in charger.calls))
        assert (await charger.send("SignCertificate", csr=request("CP2")))["status"] == "Rejected"


async def test_a_certificate_near_its_end_is_renewed_by_ourselves(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger("OLD", security_profile=3)
    lab.charger("NEW", security_profile=3)
    soon = lab.own("OLD", end=datetime.now(UTC) + timedelta(days=1))
    async with lab.serving(), lab.dial("OLD", tls=soon) as old, lab.dial("NEW", tls=lab.own("NEW")) as new:
        await old.boot()
        await new.boot()
        await lab.clock.advance(3601)
        await until(lambda: any(action == "ExtendedTriggerMessage" for action, _ in old.calls))
        assert not any(action == "ExtendedTriggerMessage" for action, _ in new.calls)


async def test_a_charger_of_tls_1_2_gets_in_with_its_own_certificate(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=3)
    tls = lab.own("CP1")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    async with lab.serving():
        assert await lab.outcome(tls=tls) == "in"
        assert "TLSv1.2 agreed" in lab.story()


async def test_a_factory_certificate_does_not_matter_where_none_is_asked_for(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=2, password=PASSWORD)
    factory = lab.own("SN-1", authority=LocalAuthority.open(tmp_path / "factory", lab.clock))
    async with lab.serving():
        assert await lab.outcome(tls=factory, password=PASSWORD) == "in"


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


# ---- connections


async def test_a_live_charger_is_not_thrown_out_by_one_that_cannot_prove_itself(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving(), lab.dial(password=PASSWORD) as charger:
        await charger.boot()
        assert await lab.outcome(password="wrong") == "401"
        assert await charger.send("Heartbeat")
        assert await lab.outcome(password=PASSWORD) == "in"
        with pytest.raises((ConnectionClosed, TimeoutError)):
            await asyncio.wait_for(charger.send("Heartbeat"), 1)


async def test_without_credentials_another_address_waits_while_the_first_is_alive(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger()
    async with lab.serving(), lab.dial() as charger:
        await charger.boot()
        assert await lab.outcome(local_addr=("127.0.0.2", 0)) == "409"
        assert "connected from 127.0.0.1" in lab.story()
        assert await charger.send("Heartbeat")


async def test_withdrawn_credentials_end_the_connection(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(password=PASSWORD)
    async with lab.serving(), lab.dial(password=PASSWORD) as charger:
        await charger.boot()
        lab.csms.take_over(lambda device, what: None, {})
        await asyncio.wait_for(charger.socket.wait_closed(), 5)
        assert charger.socket.close_code == 1008
        assert await lab.outcome(password=PASSWORD) == "waits"


async def test_a_new_site_file_keeps_the_connections_of_devices_that_did_not_change(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    stays = lab.charger("CP1")
    device, settings = lab.csms._devices["CP1"][0]
    async with lab.serving(), lab.dial("CP1") as charger, lab.dial("CP2") as waiting:
        await charger.boot()
        transaction = await charger.start()
        assert (await waiting.boot())["status"] == "Pending"
        lab.csms.take_over(lambda who, what: lab.changes.append((who, what)), {"CP1": [(device, settings)]})
        assert lab.csms.charger(device, settings) is stays
        adopted = lab.charger("CP2")
        await until(lambda: adopted.status().connected)
        assert (await waiting.boot())["status"] == "Accepted"
        assert stays.status().transaction == str(transaction)
        assert lab.csms.waiting() == []


async def test_storms_of_one_charger_cost_it_a_wait_and_nobody_else(tmp_path: Path) -> None:
    lab = Lab(tmp_path, reconnects_per_minute=3)
    lab.charger("CP1")
    lab.charger("CP2")
    async with lab.serving():
        assert [await lab.outcome("CP1") for _ in range(5)] == ["in", "in", "in", "503", "503"]
        assert await lab.outcome("CP2") == "in"
        assert await lab.outcome("CP1", local_addr=("127.0.0.3", 0)) == "in"


def test_tokens_come_back_with_time() -> None:
    storms = Storms(60)
    assert [storms.of_identity("CP1", "a", 0.0) > 0 for _ in range(61)] == [False] * 60 + [True]
    assert storms.of_identity("CP1", "a", 1.1) == 0.0
    assert storms.of_identity("CP1", "a", 1.2) > 0.5
    assert storms.of_identity("CP1", "b", 1.2) == 0.0


# ---- hostile peers before the handshake


async def test_silent_half_open_and_garbage_peers_leave_room_for_a_charger(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger()
    async with lab.serving():
        peers = [socket.create_connection(("127.0.0.1", lab.csms.port)) for _ in range(40)]
        for index, each in enumerate(peers):
            said = [b"", b"\x16", b"\x16\x03\x01\xff\xff garbage", b"GET /ocpp/CP1 HTTP/1.1\r\n", b"\x00\xff", b"G"][
                index % 6
            ]
            each.sendall(said)
        try:
            assert await lab.outcome() == "in"
            assert await lab.outcome(tls=lab.trusting()) == "in"
        finally:
            for each in peers:
                each.close()
        assert await lab.outcome() == "in"


async def test_a_look_whether_the_port_is_open_is_no_charger_that_waits(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        _, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
        writer.close()
        assert await lab.outcome("CP1") == "waits"
        assert [each.id for each in lab.csms.waiting()] == ["CP1"]


@pytest.mark.parametrize("line", [b"X: " + b"y" * 10_000 + b"\r\n", b"X: y\r\n" * 300])
async def test_headers_without_end_are_hung_up_on(tmp_path: Path, line: bytes) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
        writer.write(b"GET /ocpp/CP1 HTTP/1.1\r\n" + line)
        assert not (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 101")
        writer.close()


async def test_a_slow_request_is_hung_up_on_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.ocpp.front.FIRST_BYTE_S", 0.05)
    monkeypatch.setattr("adapters.ocpp.front.TLS_S", 0.05)
    monkeypatch.setattr("adapters.ocpp.front.REQUEST_S", 0.05)
    lab = Lab(tmp_path)
    async with lab.serving():
        for said in (b"", b"\x16", b"GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
            writer.write(said)
            try:
                await asyncio.wait_for(reader.read(), 5)
            except ConnectionResetError:
                pass
            writer.close()
        assert "said nothing" in lab.story("127.0.0.1")


# ---- what the installer sees


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"GET /ocpp/\xff HTTP/1.1\r\n\r\n", "its path is not URL-encoded, or not UTF-8"),
        (b"GET /ocpp/CP1 HTTP/2.0\r\n\r\n", "expected HTTP/1.1 or HTTP/1.0"),
        (b"hello\r\n", "invalid HTTP request line"),
        (b"GET /ocpp/CP1 HTTP/1.1\r\n" + b"X: y\r\n" * 300, "no more than 128 headers"),
        (b"GET /ocpp/CP1 HTTP/1.1\r\nAuthorization : Basic c2VjcmV0\r\n\r\n", "invalid HTTP header"),
    ],
)
async def test_why_a_request_cannot_be_read_stands_in_the_waiting_list(tmp_path: Path, said: bytes, why: str) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.csms.port)
        writer.write(said)
        try:
            await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            pass
        writer.close()
        await until(lambda: lab.csms.waiting())
        assert why in lab.csms.waiting()[0].trouble
        assert "c2VjcmV0" not in lab.story("127.0.0.1")


async def test_the_trace_tells_the_way_in_step_by_step_and_no_secret(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=2, password=PASSWORD)
    async with lab.serving():
        await lab.outcome(password="guessed it")
        await lab.outcome(tls=lab.trusting(), password=PASSWORD)
        story = lab.story()
    for step in ("TCP connected, plain", "needs TLS", "TLSv1.3 agreed", "offers ocpp1.6", "speaks OCPP 1.6", "BootNot"):
        assert step in story
    assert PASSWORD not in story
    assert "guessed it" not in story


async def test_the_waiting_list_tells_version_profile_make_and_trouble(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        async with lab.dial("CP7", tls=lab.trusting(), password="factory", subprotocols=["ocpp2.0.1"]) as charger:
            boot = {
                "reason": "PowerUp",
                "chargingStation": {"vendorName": "Acme", "model": "Two", "firmwareVersion": "9"},
            }
            assert (await charger.send("BootNotification", **boot))["status"] == "Pending"
            (waiting,) = lab.csms.waiting()
            assert (waiting.id, waiting.version, waiting.vendor, waiting.model) == ("CP7", "2.0.1", "Acme", "Two")
            assert waiting.connected
        assert lab.csms.waiting_list.offered_password("CP7").holds(b"factory")  # type: ignore[union-attr]
        await until(lambda: not lab.csms.waiting()[0].connected)
        await lab.outcome("CP8", subprotocols=["ocpp1.5"])
        assert "offers ocpp1.5" in lab.csms.waiting()[0].trouble


async def test_the_urls_to_type_carry_the_port_in_use(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving():
        urls = lab.csms.urls("CP_1")
    assert any(url.startswith("ws://") for url in urls) and any(url.startswith("wss://") for url in urls)
    assert all(url.endswith(f":{lab.csms.port}/ocpp/CP_1") for url in urls)
