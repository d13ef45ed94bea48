"""The hub's signing key: Ed25519 (RFC 8032), made once, used in a process of its own like the rest of this folder.

folder/record.key    the private key, PKCS #8 in PEM (0600)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.model.errors import StoreError

ROOT = Path(__file__).resolve().parents[2]
KEY, ASK_S = "record.key", 60.0


class RecordSigner:
    """A Signer over the key of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sign(self, messages: Sequence[bytes]) -> tuple[str, list[str]]:
        """The public key and a signature of each message, hex; takes a good part of a second. Raises StoreError."""
        question = {"do": "sign", "folder": str(self._folder), "messages": [message.hex() for message in messages]}
        command = [sys.executable, "-m", "adapters.pki"]
        try:
            done = subprocess.run(
                command, input=json.dumps(question), capture_output=True, text=True, timeout=ASK_S, cwd=ROOT
            )
            answer = json.loads(done.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise StoreError(f"{self._folder}: nothing can be signed ({error})") from error
        if failed := answer.get("failed"):
            raise StoreError(failed)
        return str(answer["key"]), [str(signature) for signature in answer["signatures"]]
