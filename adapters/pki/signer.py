"""The hub's signing key: Ed25519 (RFC 8032), made once, used in a process of its own like the rest of this folder.

folder/record.key    the private key, PKCS #8 in PEM (0600)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adapters.pki.asking import ask

KEY = "record.key"


class RecordSigner:
    """A Signer over the key of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sign(self, messages: Sequence[bytes]) -> tuple[str, list[str]]:
        """The public key and a signature of each message, hex; takes a good part of a second. Raises StoreError."""
        question = {"do": "sign", "messages": [message.hex() for message in messages]}
        answer = ask(self._folder, question, "nothing can be signed")
        return str(answer["key"]), [str(signature) for signature in answer["signatures"]]
