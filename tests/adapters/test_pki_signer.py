"""The hub's signatures: made in a process of its own, checked by the library as any stranger would."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.pki.signer import KEY, RecordSigner
from gateway.model.errors import StoreError


@pytest.mark.slow
def test_a_key_is_made_once_for_the_owners_eyes_and_its_signatures_hold(tmp_path: Path) -> None:
    signer = RecordSigner(tmp_path / "pki")
    key, (first, second) = signer.sign([b"one", b"two"])
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    public.verify(bytes.fromhex(first), b"one")
    public.verify(bytes.fromhex(second), b"two")
    with pytest.raises(InvalidSignature):
        public.verify(bytes.fromhex(first), b"two")
    assert (tmp_path / "pki" / KEY).stat().st_mode & 0o777 == 0o600
    assert RecordSigner(tmp_path / "pki").sign([b"one"]) == (key, [first]), "the same key after a restart"


@pytest.mark.slow
def test_a_key_that_is_none_is_named_and_never_replaced(tmp_path: Path) -> None:
    (tmp_path / KEY).write_text("spoiled")
    with pytest.raises(StoreError, match=r"record\.key: is no private key; put the one of the backup there"):
        RecordSigner(tmp_path).sign([b"one"])
    assert (tmp_path / KEY).read_text() == "spoiled"
