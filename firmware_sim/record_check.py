"""A utility's own check of the event record a home hands in; written from docs/how-to/verify-event-record.md alone."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(record: dict[str, Any], known_key: str = "") -> list[str]:
    """What is wrong with a record, in words; empty for one that is whole, unchanged and signed (by `known_key`)."""
    wrong: list[str] = []
    entries, head = record.get("entries") or [], record.get("head")
    last = ""
    for number, entry in enumerate(entries, 1):
        body = {name: value for name, value in entry.items() if name != "digest"}
        if hashlib.sha256(_bytes(body)).hexdigest() != entry.get("digest"):
            wrong.append(f"{number}: digest")
        if (entry.get("seq"), entry.get("previous"), entry.get("event")) != (number, last, record.get("event")):
            wrong.append(f"{number}: chain")
        last = str(entry.get("digest"))
    if not isinstance(head, dict):
        return [*wrong, "head: missing"]
    if (head.get("count"), head.get("digest"), head.get("event")) != (len(entries), last, record.get("event")):
        wrong.append("head: not of these entries")
    if known_key and head.get("public_key") != known_key:
        wrong.append("head: another key")
    signed = _bytes({name: head.get(name) for name in ("count", "digest", "event", "signed_at")})
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(head.get("public_key"))))
        key.verify(bytes.fromhex(str(head.get("signature"))), signed)
    except (InvalidSignature, ValueError):
        wrong.append("head: signature")
    return wrong


def _bytes(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
