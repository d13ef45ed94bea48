"""Certificates of chargers name their own identity only, end when they are replaced, and keep nobody else out."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.pki.authority import LocalAuthority
from gateway.model.charging import Operation
from tests.adapters.ocpp_fakes import FakeFacts, Peer, until
from tests.adapters.ocpp_trust import PASSWORD, Lab

REPLACED = "its certificate was replaced by a newer one"


class Key:
    """A charger's key, its request, and what was signed for it."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab, self._key = lab, ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self._key, hashes.SHA256())
        self.request = request.public_bytes(serialization.Encoding.PEM).decode()

    async def signed_over(self, charger: Peer) -> x509.Certificate:
        """Ask for a certificate over this line and take it in."""
        before = len(chains(charger))
        assert (await charger.send("SignCertificate", csr=self.request))["status"] == "Accepted"
        await until(lambda: len(chains(charger)) > before)
        return self.take(chains(charger)[-1])

    def take(self, chain: str) -> x509.Certificate:
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.file = self._lab.folder / f"key-{len(list(self._lab.folder.iterdir()))}.pem"
        self.file.write_bytes(self._key.private_bytes(*form) + chain.encode())
        return x509.load_pem_x509_certificate(chain.encode())

    def tls(self) -> ssl.SSLContext:
        context = self._lab.trusting()
        context.load_cert_chain(self.file)
        return context


def chains(charger: Peer) -> list[str]:
    return [str(p["certificateChain"]) for action, p in charger.calls if action == "CertificateSigned"]


def named(made: x509.Certificate, what: x509.ObjectIdentifier = NameOID.COMMON_NAME) -> list[str]:
    return [str(each.value) for each in made.subject.get_attributes_for_oid(what)]


# ---- whose name is signed


async def test_a_told_serial_number_of_another_charger_opens_no_door(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger("THIEF", password=PASSWORD)
    lab.charger("VICTIM", security_profile=3)
    async with lab.serving():
        async with lab.dial("THIEF", password=PASSWORD) as thief:
            await thief.boot(chargePointSerialNumber="VICTIM")
            stolen = Key(lab, "VICTIM")
            made = await stolen.signed_over(thief)
        assert named(made) == ["THIEF"]
        assert named(made, NameOID.SERIAL_NUMBER) == ["VICTIM"]
        assert await lab.outcome("VICTIM", tls=stolen.tls()) == "403"
        assert "its certificate is for THIEF, not for VICTIM" in lab.story("VICTIM")
        assert await lab.outcome("THIEF", tls=stolen.tls()) == "in"


async def test_a_certificate_signed_under_a_told_serial_number_before_counts_for_its_identity_only(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    lab.charger("VICTIM", security_profile=3)
    lab.charger("THIEF", security_profile=3)
    old = old_style(lab, common_name="VICTIM", identity="THIEF")
    async with lab.serving():
        assert await lab.outcome("VICTIM", tls=old) == "403"
        assert await lab.outcome("THIEF", tls=old) == "in"


def old_style(lab: Lab, common_name: str, identity: str) -> ssl.SSLContext:
    """A certificate as it was signed once: the told serial number as common name, the identity beside it."""
    key = Key(lab, common_name)
    root = x509.load_pem_x509_certificate(lab.authority.root_pem().encode())
    signing = serialization.load_pem_private_key((lab.folder / "pki" / "ca.key").read_bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    asked = x509.load_pem_x509_csr(key.request.encode())
    builder = x509.CertificateBuilder().subject_name(asked.subject).issuer_name(root.subject).serial_number(11)
    builder = builder.public_key(asked.public_key()).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=900))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(identity)]), critical=False)
    key.take(builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode())
    return key.tls()


async def test_a_2x_charger_cannot_take_another_ones_name_by_a_told_serial_number(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger("THIEF", password=PASSWORD)
    lab.charger("STRANGER")
    station = {"vendorName": "Acme", "model": "Two", "serialNumber": "VICTIM"}
    asked = {"csr": Key(lab, "VICTIM").request, "certificateType": "ChargingStationCertificate"}
    two: dict[str, Any] = {"subprotocols": ["ocpp2.0.1"]}
    async with (
        lab.serving(),
        lab.dial("THIEF", password=PASSWORD, **two) as thief,
        lab.dial("STRANGER", **two) as other,
    ):
        for charger in (thief, other):
            await charger.send("BootNotification", reason="PowerUp", chargingStation=station)
        assert (await other.send("SignCertificate", **asked))["status"] == "Rejected"
        assert (await thief.send("SignCertificate", **asked))["status"] == "Accepted"
        await until(lambda: chains(thief))
        made = x509.load_pem_x509_certificate(chains(thief)[0].encode())
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert (named(made), names.get_values_for_type(x509.DNSName)) == (["THIEF"], ["THIEF"])
        assert chains(other) == []


@pytest.mark.parametrize("tls", [False, True])
async def test_who_proved_itself_by_nothing_gets_no_certificate_of_its_own_accord(tmp_path: Path, tls: bool) -> None:
    lab = Lab(tmp_path)
    lab.charger("CP1", security_profile=0)
    async with lab.serving(), lab.dial(tls=lab.trusting() if tls else None, password="guessed") as charger:
        await charger.boot()
        assert (await charger.send("SignCertificate", csr=Key(lab, "CP1").request))["status"] == "Rejected"
        assert "proved itself by nothing" in lab.story()
        assert chains(charger) == []


async def test_the_installer_may_give_a_charger_without_a_password_one_certificate(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger("CP1", security_profile=0)
    async with lab.serving(), lab.dial() as charger:
        await charger.boot()
        await lab.csms.operate("cp1", Operation.ROTATE_CERTIFICATE)
        assert named(await Key(lab, "CP1").signed_over(charger)) == ["CP1"]
        assert (await charger.send("SignCertificate", csr=Key(lab, "CP1").request))["status"] == "Rejected"


async def test_what_the_installer_asked_for_is_not_for_whoever_dials_next(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger("CP1", security_profile=0)
    async with lab.serving():
        async with lab.dial() as charger:
            await charger.boot()
            await lab.csms.operate("cp1", Operation.ROTATE_CERTIFICATE)
        async with lab.dial() as other:
            await other.boot()
            assert (await other.send("SignCertificate", csr=Key(lab, "CP1").request))["status"] == "Rejected"


async def test_who_waits_to_be_adopted_gets_no_certificate(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.serving(), lab.dial("CP7", tls=lab.trusting(), password=PASSWORD) as charger:
        await charger.boot()
        assert (await charger.frame("SignCertificate", {"csr": Key(lab, "CP7").request}))[2] == "SecurityError"
        assert chains(charger) == []


# ---- how long it holds


@pytest.mark.slow
async def test_a_new_certificate_ends_the_old_one_when_the_charger_comes_back_with_it(tmp_path: Path) -> None:
    facts = FakeFacts()
    lab = Lab(tmp_path, facts)
    lab.charger(security_profile=3)
    old, new, newest = lab.own("CP1"), Key(lab, "CP1"), Key(lab, "CP1")
    async with lab.serving():
        async with lab.dial(tls=old) as charger:
            await charger.boot()
            await new.signed_over(charger)
        assert await lab.outcome(tls=old) == "in"  # the charger may not have taken it
        assert await lab.outcome(tls=new.tls()) == "in"
        assert await lab.outcome(tls=old) == "403"
        assert f"own certificate, and {REPLACED}" in lab.story()
        async with lab.dial(tls=new.tls()) as charger:
            await charger.boot()
            await newest.signed_over(charger)
    after = Lab(tmp_path, facts)
    after.charger(security_profile=3)
    async with after.serving():
        assert [await after.outcome(tls=each) for each in (old, new.tls(), newest.tls())] == ["403", "in", "in"]
        assert await after.outcome(tls=new.tls()) == "403"


async def test_a_certificate_that_the_charger_refused_does_not_hold(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=3)
    used, refused = Key(lab, "CP1"), Key(lab, "CP1")
    async with lab.serving():
        async with lab.dial(tls=lab.own("CP1")) as charger:
            await charger.boot()
            await used.signed_over(charger)
        async with lab.dial(tls=used.tls()) as charger:
            charger.rules["CertificateSigned"] = lambda _: {"status": "Rejected"}
            await charger.boot()
            await refused.signed_over(charger)
            await until(lambda: "answered Rejected to its new certificate" in lab.story())
        assert await lab.outcome(tls=refused.tls()) == "403"
        assert await lab.outcome(tls=used.tls()) == "in"


async def test_no_certificate_of_an_identity_that_was_removed_holds_when_it_comes_back(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=3)
    old = lab.own("CP1")
    async with lab.serving():
        async with lab.dial(tls=old) as charger:
            await charger.boot()
            lab.csms.take_over(lambda device, what: None, {})
            await asyncio.wait_for(charger.socket.wait_closed(), 5)
        lab.charger(security_profile=3)
        assert await lab.outcome(tls=old) == "403"
        assert "was withdrawn" in lab.story()


async def test_an_identity_that_moves_to_another_connection_keeps_its_trust(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger(security_profile=3)
    old = lab.own("CP1")
    async with lab.serving():
        lab.csms.take_over(lambda device, what: None, {}, {"CP1"})
        lab.charger(security_profile=3)
        assert await lab.outcome(tls=old) == "in"


async def test_an_adopted_charger_keeps_no_certificate_of_a_former_one(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger("OTHER", security_profile=3)
    former = lab.own("CP7")
    async with lab.serving():
        async with lab.dial("CP7", tls=former, password="from the factory") as charger:
            await charger.boot()
            assert await lab.csms.trust("CP7") == 2
        lab.charger("CP7", security_profile=2)
        assert await lab.outcome("CP7", tls=former) == "401"
        assert await lab.outcome("CP7", tls=former, password="from the factory") == "in"


# ---- certificates of others


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_factory_certificate_costs_one_attempt_where_another_charger_needs_certificates(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    lab = Lab(tmp_path)
    lab.charger("CP3", security_profile=3)
    lab.charger("CP2", security_profile=2, password=PASSWORD)
    factory = factory_certificate(lab, version)
    how: dict[str, Any] = {"tls": factory, "password": PASSWORD, "local_addr": ("127.0.0.2", 0)}
    async with lab.serving():
        assert await lab.outcome("CP2", **how) == "no TLS"
        await until(lambda: any("It is asked for none when it dials again" in w.trouble for w in lab.csms.waiting()))
        assert [await lab.outcome("CP2", **how) for _ in range(3)] == ["in"] * 3
        assert lab.csms.waiting() == []
        assert await lab.outcome("CP3", tls=lab.own("CP3")) == "in"


async def test_a_profile_3_charger_is_asked_again_and_the_trace_names_its_wrong_certificate(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.charger("CP3", security_profile=3)
    factory = factory_certificate(lab, ssl.TLSVersion.TLSv1_3)
    async with lab.serving():
        outcomes = [await lab.outcome("CP3", tls=factory) for _ in range(4)]
        assert outcomes == ["no TLS", "403", "no TLS", "403"]
        assert "the one it showed is not accepted: unable to get local issuer certificate" in lab.story("CP3")
        assert await lab.outcome("CP3", tls=lab.own("CP3")) == "in"


def factory_certificate(lab: Lab, version: ssl.TLSVersion) -> ssl.SSLContext:
    made = lab.own("SN-1", authority=LocalAuthority.open(lab.folder / "factory", lab.clock))
    made.maximum_version = version
    return made
