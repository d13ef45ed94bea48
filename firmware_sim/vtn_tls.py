"""The VTN's TLS: an authority of its own, a server certificate that can be expired on demand, client certificates.

FOLDER/ca.pem                     the authority, for ca_file
FOLDER/client.pem, client.key     for cert_file and key_file
FOLDER/server.pem, server.key     what the VTN shows; expired.pem is the same, ended yesterday
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = timedelta(days=30)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class _Issuer:
    name: x509.Name
    key: ec.EllipticCurvePrivateKey


@dataclass
class Tls:
    """The certificates of one folder, and the context of the server that shows them; made on the first start."""

    folder: Path
    client_certificates: bool = False
    expired: bool = False

    def __post_init__(self) -> None:
        if not (self.folder / "ca.pem").exists():
            make(self.folder, datetime.now(UTC))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_certificates:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(self.folder / "ca.pem")
        self.show(expired=self.expired)

    def show(self, *, expired: bool) -> None:
        """Show this certificate from the next handshake on."""
        self.expired = expired
        shown = "expired.pem" if expired else "server.pem"
        self.context.load_cert_chain(self.folder / shown, self.folder / "server.key")


def make(folder: Path, now: datetime) -> None:
    """Make an authority and the certificates it signs, all for this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = _Issuer(_name("Simulated utility authority"), _key(folder / "ca.key"))
    root = _certificate(ca.name, ca.key.public_key(), ca, now, now + LIFE)
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    root = root.add_extension(_usage(signs=True), critical=True)
    root = root.add_extension(x509.SubjectKeyIdentifier.from_public_key(ca.key.public_key()), critical=False)
    _write(folder / "ca.pem", root, ca)
    server, client = _key(folder / "server.key"), _key(folder / "client.key")
    day = timedelta(days=1)
    for file, key, purpose, start, end in (
        ("server.pem", server, SERVER, now - day, now + LIFE),
        ("expired.pem", server, SERVER, now - 30 * day, now - day),
        ("client.pem", client, CLIENT, now - day, now + LIFE),
    ):
        leaf = _certificate(_name(file.partition(".")[0]), key.public_key(), ca, start, end)
        leaf = leaf.add_extension(_here(), critical=False)
        leaf = leaf.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        leaf = leaf.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
        _write(folder / file, leaf.add_extension(issuer, critical=False), ca)


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: _Issuer, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _here() -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _name(words: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])


def _key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return key


def _write(file: Path, certificate: x509.CertificateBuilder, issuer: _Issuer) -> None:
    signed = certificate.sign(issuer.key, hashes.SHA256())
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
