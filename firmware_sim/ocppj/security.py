"""The keys and certificates of a charge point: security profiles 0 to 3, its own key pair and its trust store."""

from __future__ import annotations

import base64
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


@dataclass
class Security:
    """What it shows and whom it trusts; every change counts from the next dial on."""

    user: str
    password: str | None = None
    roots_pem: list[str] = field(default_factory=list)
    chain_pem: str | None = None
    key: ec.EllipticCurvePrivateKey | None = None
    pending: ec.EllipticCurvePrivateKey | None = None
    """The key of the last CSR, until its certificate comes."""

    @classmethod
    def of_files(
        cls, user: str, password: str | None, ca: Path | None = None, cert: Path | None = None, key: Path | None = None
    ) -> Security:
        """As an electrician sets it up; raises OSError or ValueError for files that cannot be read."""
        made = cls(user, password, [ca.read_text()] if ca else [], cert.read_text() if cert else None)
        if key is not None:
            loaded = serialization.load_pem_private_key(key.read_bytes(), None)
            if not isinstance(loaded, ec.EllipticCurvePrivateKey):
                raise ValueError(f"{key} is no elliptic curve key")
            made.key = loaded
        return made

    @property
    def profile(self) -> int:
        """The security profile this adds up to, for a wss address where there are roots."""
        if self.key is not None and self.chain_pem is not None:
            return 3
        if self.roots_pem:
            return 2
        return 0 if self.password is None else 1

    def headers(self) -> dict[str, str]:
        """Basic authentication (profiles 1 and 2), or nothing."""
        if self.password is None:
            return {}
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {token}"}

    def tls(self) -> ssl.SSLContext:
        """The context of one wss dial: its own roots only, TLS 1.2 or newer, its certificate when it has one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.roots_pem:
            context.load_verify_locations(cadata="\n".join(self.roots_pem))
        if self.key is not None and self.chain_pem is not None:
            with tempfile.TemporaryDirectory() as folder:  # the ssl module reads keys from files only
                chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
                chain.write_text(self.chain_pem)
                key.write_bytes(_key_pem(self.key))
                context.load_cert_chain(chain, key)
        return context

    def csr(self, name: str, organization: str) -> str:
        """A signing request over a fresh key (security whitepaper section 3.3: common name = serial number)."""
        self.pending = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)]
        )
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self.pending, hashes.SHA256())
        return request.public_bytes(PEM).decode()

    def signed(self, chain_pem: str) -> bool:
        """Take a certificate for the last CSR; False where it is not for that key or cannot be read."""
        try:
            leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
        except (ValueError, IndexError):
            return False
        if self.pending is None or leaf.public_key() != self.pending.public_key():
            return False
        self.key, self.chain_pem, self.pending = self.pending, chain_pem, None
        return True

    def install_root(self, pem: str) -> bool:
        """Trust one more authority; False where it is no authority's certificate."""
        try:
            root = x509.load_pem_x509_certificate(pem.encode())
            authority = root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (ValueError, x509.ExtensionNotFound):
            return False
        if authority and pem not in self.roots_pem:
            self.roots_pem.append(pem)
        return bool(authority)

    def installed(self) -> list[dict[str, str]]:
        """The hash data of each trusted root (2.0.1 part 2, CertificateHashDataType)."""
        return [_hash_data(pem) for pem in self.roots_pem]

    def forget(self, wanted: dict[str, Any]) -> bool:
        """Remove the root with that hash data; False where there is none."""
        kept = [pem for pem in self.roots_pem if _hash_data(pem)["serialNumber"] != wanted["serialNumber"]]
        found = len(kept) < len(self.roots_pem)
        self.roots_pem = kept
        return found


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _hash_data(pem: str) -> dict[str, str]:
    root = x509.load_pem_x509_certificate(pem.encode())
    key = root.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint) \
        if isinstance(root.public_key(), ec.EllipticCurvePublicKey) \
        else root.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)  # fmt: skip
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": _sha256(root.issuer.public_bytes()),
        "issuerKeyHash": _sha256(key),
        "serialNumber": f"{root.serial_number:x}",
    }


def _sha256(data: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize().hex()
