"""The hub's own certificate authority: its root, the CSMS's server certificate, and the certificates of chargers.

folder/ca.key      the root's key (0600)       made once, at set-up
folder/ca.pem      the root's certificate      10 years; chargers are given it
folder/server.pem  key and certificate of the CSMS (0600), one file, so that both change in one step

     made         2/3: renewed      end
      |-------------|--------------|         server certificate, one year
"""

from __future__ import annotations

import ipaddress
import string
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from adapters.pki.files import read_bytes, write_private
from adapters.pki.names import HubNames, flat, hub_names
from adapters.pki.requests import checked_request
from gateway.model.errors import StoreError
from gateway.ports import Clock

ROOT_YEARS, SERVER_DAYS, CHARGER_DAYS = 10, 365, 3 * 365
BACKDATED = timedelta(days=1)
"""A certificate holds from a day before it was made: a peer whose clock is a little slow must take it too."""
SOFTWARE_DATE = datetime(2026, 1, 1, tzinfo=UTC)
"""No true clock shows less: a hub without a battery-backed clock must not make certificates that ended in 1980."""
ROOT_START = datetime(2020, 1, 1, tzinfo=UTC)
"""The root is older than any charger's wrong clock is likely to be slow."""
SERIAL_CHARACTERS = 64
PRINTABLE = frozenset(string.ascii_letters + string.digits + " '()+,-./:=?")
"""What the attribute serialNumber can hold (RFC 5280, appendix A.1; X.680 PrintableString)."""


class LocalAuthority:
    """Signs for this home only; made by `open`. The gateway asks it through keeper.py."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        extra_names: Sequence[str],
        key: ec.EllipticCurvePrivateKey,
        root: x509.Certificate,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._extra_names = extra_names
        self._key = key
        self._root = root
        self._server: x509.Certificate | None = None
        self.made: list[str] = []
        """What was made since it was opened, in words."""

    @classmethod
    def open(cls, folder: Path, clock: Clock, extra_names: Sequence[str] = ()) -> Self:
        """The authority of this folder, made with its root and server certificate at the first time; raises StoreError.

        `extra_names` are further host names or addresses under which chargers reach the hub.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made ({error.strerror})") from error
        kept = _load_root(folder)
        key, root = kept or _make_root(folder, clock.now())
        authority = cls(folder, clock, extra_names, key, root)
        if kept is None:
            authority.made.append(f"the home's own certificate authority was made in {folder}")
        authority._server = _load_server(folder / "server.pem")
        authority.renew_if_due()
        return authority

    # ---- what the CSMS needs

    def root_pem(self) -> str:
        """The root's certificate in PEM, for chargers to trust; no secret."""
        return self._root.public_bytes(serialization.Encoding.PEM).decode()

    def root_file(self) -> Path:
        """Where the root's certificate lies."""
        return self._folder / "ca.pem"

    def server_file(self) -> Path:
        """Key and certificate of the CSMS in one PEM file."""
        return self._folder / "server.pem"

    def server_serial(self) -> int:
        """Changes with each new server certificate."""
        assert self._server is not None
        return self._server.serial_number

    def names(self) -> HubNames:
        """Under which names and addresses the hub is reached now."""
        return hub_names(self._extra_names)

    def issue(self, request_pem: str, identity: str, serial_number: str = "") -> str:
        """A certificate in PEM for a charger's own request, naming `identity` and nobody else; raises WishRefused.

        The request must be for its identity, or for the serial number it told (OCPP security whitepaper, section 3);
        whatever it says, the common name is ours to write: a serial number is only what the charger says of itself.
        """
        names = [identity, *([serial_number] if serial_number else [])]
        request = checked_request(request_pem, names)
        builder = self._builder(_subject(identity, serial_number), CHARGER_DAYS).public_key(request.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        if identity.isascii():
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(identity)]), critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    # ---- keeping it fresh

    def known(self) -> dict[str, Any]:
        """What may be told of the server certificate without looking at it again: serial number, start, when it is due."""
        held = self._server
        assert held is not None
        start, end = held.not_valid_before_utc, held.not_valid_after_utc
        due = start + (end - start) * 2 / 3
        return {
            "serial": str(held.serial_number), "start": start.isoformat(), "due": due.isoformat(), "names": _names_of(held),
        }  # fmt: skip

    def renew_if_due(self) -> bool:
        """Make a new server certificate when 2/3 of its life are over, the clock shows a time before it, or the hub
        has a name or address that it does not carry; raises StoreError. Whether one was made."""
        why = self._why_due()
        if why:
            self._make_server()
            self.made.append(f"a new server certificate was made: {why}")
        return bool(why)

    def _why_due(self) -> str:
        held, now = self._server, _true_enough(self._clock.now())
        if held is None:
            return "there was none"
        start, end = held.not_valid_before_utc, held.not_valid_after_utc
        if now >= start + (end - start) * 2 / 3:
            return "the old one is near its end"
        if now < start:
            return "the clock was set back"
        if held.issuer != self._root.subject or not _signed_by(held, self._root):
            return "the old one is another authority's"
        return "" if set(_names_of(held)) >= set(flat(self.names())) else "the hub has a new name or address"

    def _make_server(self) -> None:
        key, names = ec.generate_private_key(ec.SECP256R1()), self.names()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names.hosts[0][:64])])
        alternative: list[x509.GeneralName] = [x509.DNSName(host) for host in names.hosts]
        alternative += [x509.IPAddress(ipaddress.ip_address(address)) for address in names.addresses]
        builder = self._builder(subject, SERVER_DAYS).public_key(key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        write_private(self.server_file(), _key_pem(key) + made.public_bytes(serialization.Encoding.PEM))
        self._server = made

    def _builder(self, subject: x509.Name, days: int) -> x509.CertificateBuilder:
        now = _true_enough(self._clock.now())
        end = min(now + timedelta(days=days), self._root.not_valid_after_utc)
        public = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._root.subject)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(end)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        )


def _subject(identity: str, serial_number: str) -> x509.Name:
    named = [x509.NameAttribute(NameOID.COMMON_NAME, identity)]
    if 0 < len(serial_number) <= SERIAL_CHARACTERS and PRINTABLE.issuperset(serial_number):
        named.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial_number))
    return x509.Name(named)


def _true_enough(now: datetime) -> datetime:
    return max(now, SOFTWARE_DATE)


def _load_root(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None:
    """The root kept, or None before set-up; a damaged one is never replaced in silence, every charger trusts it."""
    key_pem, root_pem = read_bytes(folder / "ca.key"), read_bytes(folder / "ca.pem")
    if root_pem is None:
        return None  # a key alone is a set-up that was cut short: nobody has seen its certificate
    try:
        key = serialization.load_pem_private_key(key_pem or b"", password=None)
        root = x509.load_pem_x509_certificate(root_pem)
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == root.public_key():
            return key, root
    except (ValueError, TypeError):
        pass
    what = "the certificate authority is damaged: ca.key and ca.pem do not belong together"
    raise StoreError(f"{folder}: {what}. Mend: put both back from a backup, or remove both and set up chargers anew")


def _make_root(folder: Path, now: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Hearth"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Hearth home {serial:x}"[:24]),
        ]
    )
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    root = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(min(ROOT_START, _true_enough(now) - BACKDATED))
        .not_valid_after(_true_enough(now) + timedelta(days=365.25 * ROOT_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(folder / "ca.key", _key_pem(key))
    write_private(folder / "ca.pem", root.public_bytes(serialization.Encoding.PEM))
    return key, root


def _load_server(path: Path) -> x509.Certificate | None:
    """The server certificate kept; None when there is none that can be used: a new one costs nobody anything."""
    content = read_bytes(path)
    if content is None:
        return None
    try:
        key = serialization.load_pem_private_key(content, password=None)
        held = x509.load_pem_x509_certificate(content)
    except (ValueError, TypeError):
        return None
    return held if key.public_key() == held.public_key() else None


def _signed_by(held: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        held.verify_directly_issued_by(root)
    except Exception:  # the library tells a wrong signature, key or kind by several kinds of error
        return False
    return True


def _names_of(held: x509.Certificate) -> list[str]:
    names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return [*names.get_values_for_type(x509.DNSName), *addresses]


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
