"""TLS of the CSMS: its context, the names in a charger's certificate, and why a handshake failed, in words."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

KEPT_SPARED = 200


class Names(Protocol):
    """Under which host names and addresses the hub is reached."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names, the best first."""
        ...

    @property
    def addresses(self) -> tuple[str, ...]:
        """IP addresses, the best first, loopback last."""
        ...


class CertificateAuthority(Protocol):
    """The home's own certificate authority, as the CSMS uses it."""

    def root_pem(self) -> str:
        """The root's certificate in PEM, for chargers to trust."""
        ...

    def root_file(self) -> Path:
        """Where the root's certificate lies."""
        ...

    def server_file(self) -> Path:
        """Key and certificate of the CSMS in one PEM file."""
        ...

    def server_serial(self) -> int:
        """Changes with each new server certificate."""
        ...

    def names(self) -> Names:
        """Names and addresses of the hub."""
        ...

    def issue(self, request_pem: str, identity: str, serial_number: str = "") -> str:
        """A certificate in PEM for a charger's own request; raises WishRefused."""
        ...


class ServerTls:
    """The TLS side of the port; a renewed certificate is used from the next connection on, and drops none."""

    def __init__(self, authority: CertificateAuthority, wants_certificates: Callable[[], bool]) -> None:
        self._authority = authority
        self._wants_certificates = wants_certificates
        self._made: dict[bool, tuple[int, ssl.SSLContext]] = {}
        self._spared: dict[str, str] = {}

    def context(self, address: str = "") -> ssl.SSLContext:
        """The context for the next connection of an address (TLS 1.2 or later); raises OSError when the certificate
        cannot be read.

        Chargers are asked for a certificate only where one of them must have one, and not at an address that showed
        one we cannot check: some firmware offers the one of its factory to whoever asks.
        """
        serial, asks = self._authority.server_serial(), self._wants_certificates() and address not in self._spared
        made = self._made.get(asks)
        if made is None or made[0] != serial:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self._authority.root_file())
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(self._authority.server_file())
            context.verify_mode = ssl.CERT_OPTIONAL if asks else ssl.CERT_NONE
            made = self._made[asks] = (serial, context)
        return made[1]

    def spare(self, address: str, why: str) -> None:
        """Somebody at this address showed a certificate that is not ours, `why` in words: the next handshake asks none.

        OpenSSL, as Python offers it, ends the handshake over a certificate that does not verify and hands none over
        unverified; a charger dials again within seconds, and then without a certificate it can show what it has.
        """
        self._spared.pop(address, None)
        self._spared[address] = why
        while len(self._spared) > KEPT_SPARED:
            del self._spared[next(iter(self._spared))]

    def spared(self, address: str) -> str:
        """Why this address is not asked for a certificate, in words; "" when it is."""
        return self._spared.get(address, "")

    def ask_again(self, address: str) -> None:
        """Who dialled from there needs a certificate: the next handshake asks for it."""
        self._spared.pop(address, None)


def names_in(certificate: dict[str, Any] | None) -> frozenset[str]:
    """For whom a verified certificate was made, as `getpeercert` tells it; empty without one.

    Its DNS names, and only where it has none its common name (RFC 6125, section 6.4.4).
    """
    if not certificate:
        return frozenset()
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    subject = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return frozenset(names or subject)


def serial_of(certificate: dict[str, Any] | None) -> int | None:
    """The serial number of a verified certificate, as `getpeercert` tells it; None without one."""
    return int(certificate["serialNumber"], 16) if certificate else None


_WORDS = {
    "NO_SHARED_CIPHER": "the charger knows none of our ciphers (ECDHE with an EC certificate)",
    "UNSUPPORTED_PROTOCOL": "the charger speaks TLS older than 1.2",
    "WRONG_VERSION_NUMBER": "the charger speaks no TLS that we know",
    "TLSV1_ALERT_UNKNOWN_CA": "the charger does not trust our certificate: install our root certificate in it",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the charger does not accept our certificate: install our root certificate in it",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the charger does not accept our certificate: install our root certificate in it",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the charger takes our certificate for expired: its clock is wrong",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the charger does not speak TLS 1.2 or later",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the charger found no cipher in common",
    "UNEXPECTED_EOF_WHILE_READING": "the charger hung up in the handshake: it may not trust our root certificate",
}


def why_failed(error: BaseException) -> str:
    """Why a TLS handshake failed, in words for the installer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"the charger's certificate is not accepted: {error.verify_message}"
        return f"{why}. It is asked for none when it dials again, and can come in up to security profile 2"
    if isinstance(error, ssl.SSLError):
        return _WORDS.get(str(error.reason), str(error.reason or "unknown reason").replace("_", " ").lower())
    if isinstance(error, TimeoutError):
        return "the charger did not finish the handshake in time"
    return "the charger hung up in the handshake: it may not trust our root certificate"


def serial_in(certificate_pem: str) -> int:
    """The serial number of a certificate that was just made (RFC 5280 section 4.1: SEQUENCE {SEQUENCE {[0] version, INTEGER ...)."""
    der = ssl.PEM_cert_to_DER_cert(certificate_pem)
    at = _inside(der, _inside(der, 0))
    at = _behind(der, at) if der[at] == 0xA0 else at
    return int.from_bytes(der[_inside(der, at) : _behind(der, at)], "big", signed=True)


def _inside(der: bytes, at: int) -> int:
    """Where the content of the element at `at` begins (X.690 section 8.1)."""
    return at + 2 + (der[at + 1] & 0x7F if der[at + 1] & 0x80 else 0)


def _behind(der: bytes, at: int) -> int:
    begin = _inside(der, at)
    length = int.from_bytes(der[at + 2 : begin], "big") if der[at + 1] & 0x80 else der[at + 1]
    return begin + length
