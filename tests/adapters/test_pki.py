"""The home's own certificates: made once, kept private, renewed in time, and signed only for whom they are."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from adapters.pki.authority import LocalAuthority
from gateway.model.errors import StoreError, WishRefused
from tests.fakes import FakeClock

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def request(name: str, key: Key | None = None) -> str:
    made = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    algorithm = None if isinstance(made, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(made, algorithm).public_bytes(serialization.Encoding.PEM).decode()


def server_of(authority: LocalAuthority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.server_file().read_bytes())


def root_of(authority: LocalAuthority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.root_pem().encode())


def test_set_up_makes_a_root_and_a_server_certificate_that_only_the_owner_can_read(tmp_path: Path) -> None:
    authority = LocalAuthority.open(tmp_path / "pki", FakeClock(), ["hub.example", "192.168.7.7"])
    root, server = root_of(authority), server_of(authority)
    server.verify_directly_issued_by(root)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "hub.example" in names.get_values_for_type(x509.DNSName)
    assert any(name.endswith(".local") for name in names.get_values_for_type(x509.DNSName))
    assert {"192.168.7.7", "127.0.0.1"} <= {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    assert root.not_valid_after_utc - FakeClock().now() > timedelta(days=3650)
    for file in (tmp_path / "pki").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ssl.create_default_context(cafile=tmp_path / "pki" / "ca.pem")


def test_the_same_authority_is_found_again_after_a_restart(tmp_path: Path) -> None:
    first = LocalAuthority.open(tmp_path, FakeClock())
    again = LocalAuthority.open(tmp_path, FakeClock())
    assert again.root_pem() == first.root_pem()
    assert again.server_serial() == first.server_serial()


def test_the_server_certificate_is_renewed_after_two_thirds_of_its_life(tmp_path: Path) -> None:
    clock = FakeClock()
    authority = LocalAuthority.open(tmp_path, clock)
    first, root = server_of(authority), authority.root_pem()
    clock.step(240 * 86400)
    assert not authority.renew_if_due()
    clock.step(10 * 86400)
    assert authority.renew_if_due()
    assert server_of(authority).not_valid_after_utc > first.not_valid_after_utc
    assert authority.root_pem() == root


def test_a_new_address_of_the_hub_brings_a_new_certificate(tmp_path: Path) -> None:
    before = LocalAuthority.open(tmp_path, FakeClock()).server_serial()
    assert LocalAuthority.open(tmp_path, FakeClock(), ["10.9.9.9"]).server_serial() != before


@pytest.mark.parametrize("shown", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)])
def test_a_hub_that_starts_with_a_wrong_clock_makes_certificates_that_hold_today(
    tmp_path: Path, shown: datetime
) -> None:
    clock = FakeClock(shown)
    authority = LocalAuthority.open(tmp_path, clock)
    today = FakeClock()
    clock.step((today.now() - shown).total_seconds())
    authority.renew_if_due()
    for made in (root_of(authority), server_of(authority)):
        assert made.not_valid_before_utc <= today.now() - timedelta(days=1) + timedelta(seconds=1)
        assert made.not_valid_after_utc > today.now()


def test_a_clock_set_back_brings_a_certificate_that_holds_already(tmp_path: Path) -> None:
    clock = FakeClock()
    authority = LocalAuthority.open(tmp_path, clock)
    clock.step(-40 * 86400)
    assert authority.renew_if_due()
    assert server_of(authority).not_valid_before_utc < clock.now()


def test_a_damaged_root_is_told_and_never_replaced_in_silence(tmp_path: Path) -> None:
    LocalAuthority.open(tmp_path, FakeClock())
    (tmp_path / "ca.key").unlink()
    with pytest.raises(StoreError, match="do not belong together"):
        LocalAuthority.open(tmp_path, FakeClock())


def test_a_damaged_server_certificate_is_made_anew(tmp_path: Path) -> None:
    first = LocalAuthority.open(tmp_path, FakeClock())
    first.server_file().write_text("nothing")
    again = LocalAuthority.open(tmp_path, FakeClock())
    assert again.server_serial() != first.server_serial()
    server_of(again).verify_directly_issued_by(root_of(again))


@pytest.mark.parametrize("name", ["CP 1", "SN-77"])
def test_a_charger_gets_a_certificate_for_its_identity_or_its_serial_number(tmp_path: Path, name: str) -> None:
    authority = LocalAuthority.open(tmp_path, FakeClock())
    made = x509.load_pem_x509_certificate(authority.issue(request(name), "CP 1", "SN-77").encode())
    made.verify_directly_issued_by(root_of(authority))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["CP 1"]
    assert [(each.oid, each.value) for each in made.subject] == [
        (NameOID.COMMON_NAME, "CP 1"),
        (NameOID.SERIAL_NUMBER, "SN-77"),
    ]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize("serial", ["", "x" * 65, "SN_1", "é", "A\x00B"])
def test_a_serial_number_that_no_certificate_can_hold_is_left_out(tmp_path: Path, serial: str) -> None:
    made = LocalAuthority.open(tmp_path, FakeClock()).issue(request("CP1"), "CP1", serial)
    subject = x509.load_pem_x509_certificate(made.encode()).subject
    assert [str(each.value) for each in subject] == ["CP1"]


def test_a_request_with_written_line_ends_is_read(tmp_path: Path) -> None:
    authority = LocalAuthority.open(tmp_path, FakeClock())
    assert authority.issue(request("CP1").replace("\n", "\\n"), "CP1").startswith("-----BEGIN CERTIFICATE-----")


def tampered() -> str:
    """A request whose name was changed after it was signed."""
    made = request("CP2")
    raw = x509.load_pem_x509_csr(made.encode()).public_bytes(serialization.Encoding.DER)
    return ssl.DER_cert_to_PEM_cert(raw.replace(b"CP2", b"CP1")).replace(" CERTIFICATE", " CERTIFICATE REQUEST")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: request("CP2"), "is for 'CP2', not for 'CP1'"),
        (lambda: request(""), "is for '', not for"),
        (lambda: request("CP1", rsa.generate_private_key(65537, 1024)), "too short"),
        (lambda: request("CP1", ec.generate_private_key(ec.SECP192R1())), "too short"),
        (lambda: request("CP1", ed25519.Ed25519PrivateKey.generate()), "neither RSA nor EC"),
        (tampered, "not signed with its own key"),
        (lambda: "hello", "no PKCS #10"),
        (lambda: "x" * 20_000, "too long"),
    ],
)
def test_a_wrong_request_is_refused(tmp_path: Path, wrong, why: str) -> None:
    with pytest.raises(WishRefused, match=why):
        LocalAuthority.open(tmp_path, FakeClock()).issue(wrong(), "CP1")
