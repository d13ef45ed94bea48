"""Signing itself, where the library for it is loaded: in the process that `python -m adapters.pki` is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from adapters.pki.files import read_bytes, write_private
from adapters.pki.signer import KEY
from gateway.model.errors import StoreError


def sign(folder: Path, messages: Sequence[bytes]) -> tuple[str, list[str]]:
    """The public key and the signatures, hex; the key is made at the first time. Raises StoreError."""
    key = _key(folder)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return public.hex(), [key.sign(message).hex() for message in messages]


def _key(folder: Path) -> Ed25519PrivateKey:
    path = folder / KEY
    kept = read_bytes(path)
    if kept is None:
        return _made(path)
    try:
        key = load_pem_private_key(kept, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StoreError(
            f"{path}: is no private key; put the one of the backup there, or move the file away"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError(f"{path}: is no Ed25519 key; put the one of the backup there, or move the file away")
    return key


def _made(path: Path) -> Ed25519PrivateKey:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path.parent}: cannot be made ({error.strerror})") from error
    key = Ed25519PrivateKey.generate()
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key
