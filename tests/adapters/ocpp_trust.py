"""A CSMS with its own certificate authority, and charge points that dial it with whatever credentials a test wants."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

from adapters.ocpp.csms import Csms
from adapters.pki.authority import LocalAuthority
from tests.adapters.ocpp_fakes import FakeFacts, FakeSessions, Home, Peer
from tests.fakes import FakeClock

PASSWORD = "correct horse battery"


class Lab(Home):
    """A CSMS at today's date, for TLS asks the real clock, with certificates made in `folder`."""

    def __init__(self, folder: Path, facts: FakeFacts | None = None, **settings: Any) -> None:
        clock = FakeClock(datetime.now(UTC))
        super().__init__(clock, FakeSessions(), facts or FakeFacts(), **settings)
        self.folder = folder
        self.authority = LocalAuthority.open(folder / "pki", clock)
        plain = self.csms
        self.csms = Csms(
            plain.name, plain.settings, clock, self.sessions, self.facts,
            lambda who, what: self.changes.append((who, what)), self.authority,
        )  # fmt: skip

    def trusting(self) -> ssl.SSLContext:
        """TLS of a charger that trusts our root and has no certificate of its own."""
        return ssl.create_default_context(cafile=self.authority.root_file())

    def own(self, identity: str, **how: Any) -> ssl.SSLContext:
        """TLS of a charger with a certificate for `identity`; `how` makes it wrong."""
        context = self.trusting()
        context.load_cert_chain(self.certificate(identity, **how))
        return context

    def certificate(
        self, identity: str, *, authority: LocalAuthority | None = None, end: datetime | None = None
    ) -> Path:
        """A charger's key and certificate in one file; signed by ours, or another authority; `end`: by hand."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity)])
        signer = authority or self.authority
        if end is None:
            builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
            request = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
            made = signer.issue(request, identity)
        else:
            made = self._by_hand(subject, key, end)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = self.folder / f"{identity}-{len(list(self.folder.iterdir()))}.pem"
        file.write_bytes(private + made.encode())
        return file

    def _by_hand(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime) -> str:
        root = x509.load_pem_x509_certificate(self.authority.root_pem().encode())
        signing = serialization.load_pem_private_key((self.folder / "pki" / "ca.key").read_bytes(), None)
        assert isinstance(signing, ec.EllipticCurvePrivateKey)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(root.subject).public_key(key.public_key())
        builder = builder.serial_number(7).not_valid_before(end - timedelta(days=2)).not_valid_after(end)
        return builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    @asynccontextmanager
    async def dial(
        self,
        identity: str = "CP1",
        *,
        tls: ssl.SSLContext | None = None,
        password: str | None = None,
        user: str | None = None,
        subprotocols: list[str] | None = None,
        **options: Any,
    ) -> AsyncIterator[Peer]:
        """A charge point on the wire; raises what the client raises when it is refused."""
        headers = {}
        if password is not None:
            headers["Authorization"] = f"Basic {base64.b64encode(f'{user or identity}:{password}'.encode()).decode()}"
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self.csms.port}/ocpp/{identity}"
        offered: Any = ["ocpp1.6"] if subprotocols is None else subprotocols or None
        how = {"subprotocols": offered, "compression": None, "additional_headers": headers, **options}
        if tls:
            how["ssl"] = tls
        async with connect(url, **how) as socket:
            client = Peer(socket, self.clock)
            try:
                yield client
            finally:
                client.reader.cancel()

    async def outcome(self, identity: str = "CP1", **how: Any) -> str:
        """What becomes of one attempt: "in", the HTTP status, or "no TLS"."""
        try:
            async with self.dial(identity, **how) as charger:
                return "in" if (await charger.boot())["status"] == "Accepted" else "waits"
        except InvalidHandshake as refused:
            response = getattr(refused, "response", None)
            return str(response.status_code) if response is not None else "no TLS"
        except (OSError, EOFError):  # ssl.SSLError is one
            return "no TLS"

    def story(self, identity: str = "CP1") -> str:
        """The trace of one identity as text."""
        return "\n".join(line.text for line in self.csms.trace(identity))
