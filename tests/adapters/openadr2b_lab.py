"""openleadr's own VTN of OpenADR 2.0b as a judge, with mutual TLS; certificates are made by the test."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.openadr2b.settings import OpenAdr2bSettings
from tests.adapters.conftest import free_port

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    openleadr = pytest.importorskip("openleadr", reason="openleadr, the judge of 2.0b, is not installed")
    from openleadr import hooks
    from openleadr.messaging import validate_xml_schema
    from openleadr.utils import certificate_fingerprint

PATH = "/OpenADR2/Simple/2.0b"


class Authority:
    """A certificate authority of this test, with files in `folder`."""

    def __init__(self, folder: Path, name: str = "test") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
        constraints = (x509.BasicConstraints(True, 0), True)
        self._own = self._signed(self._name, self._key.public_key(), [constraints])
        self.file = folder / f"{name}-ca.pem"
        self.file.write_bytes(self._own.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, ended: bool = False) -> tuple[str, str]:
        """A certificate for `name` at 127.0.0.1, and its key: two files. `ended`: it expired yesterday."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        places = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(name)])
        made = self._signed(subject, key.public_key(), [(places, False)], ended=ended)
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        return str(files[0]), str(files[1])

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        extensions: list[tuple[x509.ExtensionType, bool]],
        *,
        ended: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        end = now - timedelta(days=1) if ended else now + timedelta(days=2)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=3)).not_valid_after(end)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())


@dataclass
class LeadrVtn:
    """openleadr's server on one port: it can be stopped, and started again with or without its memory."""

    authority: Authority
    ven_fingerprint: str
    poll_freq: timedelta = timedelta(seconds=10)
    report_every: timedelta | None = timedelta(minutes=15)
    port: int = field(default_factory=free_port)
    vens: dict[str, dict[str, Any]] = field(default_factory=dict)
    opts: list[tuple[str, str]] = field(default_factory=list)
    """(event id, optIn or optOut), as told."""
    values: list[tuple[str, datetime, float]] = field(default_factory=list)
    """(rID, time, value), as reported."""
    offered: list[tuple[str, str]] = field(default_factory=list)
    """(resource, measurement) of our METADATA."""
    registrations: int = 0
    server: Any = None

    async def start(self) -> None:
        """Serve; the vens known before are known still."""
        cert, key = self.authority.issue("vtn")
        self.server = openleadr.OpenADRServer(
            vtn_id="judge",
            http_port=self.port,
            http_cert=cert,
            http_key=key,
            http_ca_file=str(self.authority.file),
            requested_poll_freq=self.poll_freq,
            ven_lookup=self._lookup,
            verify_message_signatures=False,
        )
        self.server.add_handler("on_create_party_registration", self._register)
        self.server.add_handler("on_register_report", self._offer)
        await self.server.run()

    async def stop(self, *, forget: bool = False) -> None:
        """End, and lose the registrations if told so."""
        await self.server.stop()
        if forget:
            self.vens.clear()

    def settings(self, cert: tuple[str, str], **more: Any) -> OpenAdr2bSettings:
        """An account at this server."""
        return OpenAdr2bSettings(
            kind="openadr2b",
            url=f"https://127.0.0.1:{self.port}{PATH}",
            ven_name="home-1",
            cert_file=cert[0],
            key_file=cert[1],
            ca_file=str(self.authority.file),
            **more,
        )

    def announce(self, **event: Any) -> str:
        """A SIMPLE event of an hour unless told otherwise; its id."""
        start = event.pop("start", datetime.now(UTC) + timedelta(minutes=10))
        hour = [{"dtstart": start, "duration": timedelta(hours=1), "signal_payload": 2}]
        wanted = {"signal_name": "SIMPLE", "signal_type": "level", "intervals": hour, **event}
        return str(self.server.add_event(ven_id="ven-1", callback=self._opted, **wanted))

    async def _register(self, registration: dict[str, Any]) -> Any:
        if registration.get("fingerprint") != self.ven_fingerprint:
            return False
        self.registrations += 1
        number = f"registration-{self.registrations}"
        self.vens["ven-1"] = {
            "ven_id": "ven-1",
            "ven_name": registration["ven_name"],
            "fingerprint": registration["fingerprint"],
            "registration_id": number,
        }
        return "ven-1", number

    async def _lookup(self, ven_id: str) -> dict[str, Any] | None:
        return self.vens.get(ven_id)

    async def _opted(self, ven_id: str, event_id: str, opt_type: str) -> None:
        self.opts.append((event_id, opt_type))

    async def _offer(
        self,
        ven_id: str,
        resource_id: str,
        measurement: str,
        unit: str,
        scale: str,
        min_sampling_interval: timedelta,
        max_sampling_interval: timedelta,
    ) -> Any:
        self.offered.append((resource_id, measurement))
        if self.report_every is None or measurement != "RealEnergy":
            return None
        return self._reported(measurement), min_sampling_interval, self.report_every

    def _reported(self, name: str) -> Callable[[list[tuple[datetime, float]]], None]:
        def keep(values: list[tuple[datetime, float]]) -> None:
            self.values.extend((name, at, value) for at, value in values)

        return keep


def fingerprint_of(cert_file: str) -> str:
    """A certificate's fingerprint as openleadr counts it."""
    return str(certificate_fingerprint(Path(cert_file).read_text()))


__all__ = ["PATH", "Authority", "LeadrVtn", "fingerprint_of", "hooks", "validate_xml_schema"]
