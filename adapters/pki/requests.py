"""A charger's certificate signing request: checked before anything is signed."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gateway.model.errors import WishRefused

REQUEST_CHARACTERS = 10_000
EC_BITS, RSA_BITS = 256, 2048
"""Least key sizes of the OCPP security whitepaper (112 bits of security and more)."""


def checked_request(text: str, names: Sequence[str]) -> x509.CertificateSigningRequest:
    """The request when it is sound, signed with its own key, and for one of `names`; raises WishRefused."""
    request = _parsed(text)
    try:
        sound = request.is_signature_valid
        key = request.public_key()
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        raise WishRefused("the certificate request has a key or signature of an unknown kind") from None
    if not sound:
        raise WishRefused("the certificate request is not signed with its own key")
    _check_key(key)
    name = common_name(request.subject)
    if name not in names:
        raise WishRefused(f"the certificate request is for '{name[:60]}', not for '{names[0]}'")
    return request


def _parsed(text: str) -> x509.CertificateSigningRequest:
    if len(text) > REQUEST_CHARACTERS:
        raise WishRefused("the certificate request is too long")
    try:
        return x509.load_pem_x509_csr(_mended(text).encode())
    except (ValueError, UnsupportedAlgorithm, TypeError):
        raise WishRefused("the certificate request is no PKCS #10 request in PEM") from None


def _mended(text: str) -> str:
    """Some firmware sends its line ends as a backslash and an n, or the bare base64 without its frame."""
    text = text.replace("\\r", "").replace("\\n", "\n").strip()
    frame = "CERTIFICATE REQUEST"
    return text if "-----BEGIN" in text else f"-----BEGIN {frame}-----\n{text}\n-----END {frame}-----\n"


def _check_key(key: object) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.key_size < EC_BITS:
            raise WishRefused(f"the key of {key.curve.key_size} bits is too short; at least {EC_BITS} (EC)")
    elif isinstance(key, rsa.RSAPublicKey):
        if key.key_size < RSA_BITS:
            raise WishRefused(f"the key of {key.key_size} bits is too short; at least {RSA_BITS} (RSA)")
    else:
        raise WishRefused("the key is neither RSA nor EC")


def common_name(name: x509.Name) -> str:
    """The CN of a subject; "" when it has none, or several."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else ""
