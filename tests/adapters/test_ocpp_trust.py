"""Security profiles 0 to 3 let the right charger in and refuse each wrong one, on one port, with real TLS."""

from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from adapters.ocpp.door import at_home
from adapters.pki.authority import LocalAuthority
from tests.adapters.ocpp_fakes import until
from tests.adapters.ocpp_trust import PASSWORD, Lab
from tests.adapters.test_pki import request


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


@pytest.mark.slow
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
