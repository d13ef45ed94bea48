"""The chain of an event's record: how an entry is made, and how a record is checked.

    entry 1            entry 2              entry 3                      head
    received           decided              commanded
    previous ""        previous d1          previous d2                  count 3, digest d3, signed with Ed25519
    digest d1 <------- digest d2 <--------- digest d3 <------------------'

The digest is the SHA-256 of the entry's canonical JSON without its digest: keys sorted, no spaces, UTF-8, times in UTC
with microseconds and "Z". What is changed, taken out, put in or moved breaks the chain behind it; what is cut off at the end
contradicts the count in the signed head.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.model.proof import ChainEntry, EventProof, Fact, SignedHead

STEPS = ("received", "decided", "commanded", "confirmed", "released", "delivered", "reported")
RENEWED_BY = {"received": ("released",), "released": ("received", "decided")}
"""What happened after these steps makes them news again: an event withdrawn and announced again is received twice."""


def chained(
    entries: Sequence[ChainEntry], event: str, at: datetime, step: str, facts: Mapping[str, Fact]
) -> ChainEntry:
    """The next entry of an event's record."""
    previous = entries[-1].digest if entries else ""
    kept = {name: _plain(value) for name, value in facts.items() if value is not None}
    bare = ChainEntry(event, len(entries) + 1, at, step, kept, previous, "")
    return ChainEntry(event, bare.seq, at, step, kept, previous, digest_of(bare))


def said_before(entries: Sequence[ChainEntry], step: str, facts: Mapping[str, Fact]) -> bool:
    """Whether the newest entry of this step (about the same subject) says the same: a restart says it again."""
    kept = {name: _plain(value) for name, value in facts.items() if value is not None}
    steps = (step, *RENEWED_BY.get(step, ()))
    alike = [e for e in entries if e.step in steps and e.facts.get("subject") == kept.get("subject")]
    return bool(alike) and alike[-1].step == step and dict(alike[-1].facts) == kept


def digest_of(entry: ChainEntry) -> str:
    """SHA-256 of an entry's canonical JSON without its digest, hex."""
    return hashlib.sha256(canonical(entry_document(entry, digest=False))).hexdigest()


def head_message(event: str, count: int, digest: str, signed_at: datetime) -> bytes:
    """What the hub signs."""
    return canonical({"count": count, "digest": digest, "event": event, "signed_at": stamp(signed_at)})


def canonical(document: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def stamp(at: datetime) -> str:
    """A time as the record writes it: UTC, microseconds, "Z"."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entry_document(entry: ChainEntry, *, digest: bool = True) -> dict[str, Any]:
    """One entry as JSON."""
    document = {
        "at": stamp(entry.at), "event": entry.event, "facts": dict(entry.facts), "previous": entry.previous,
        "seq": entry.seq, "step": entry.step,
    }  # fmt: skip
    return document | {"digest": entry.digest} if digest else document


def proof_document(proof: EventProof) -> dict[str, Any]:
    """A whole record as JSON."""
    head = proof.head
    return {
        "format": "hearth-event-record/1",
        "event": proof.event,
        "entries": [entry_document(entry) for entry in proof.entries],
        "head": None if head is None else {
            "event": head.event, "count": head.count, "digest": head.digest, "signed_at": stamp(head.signed_at),
            "signature": head.signature, "public_key": head.public_key,
        },
    }  # fmt: skip


def proof_from(document: Mapping[str, Any]) -> EventProof:
    """A record from its JSON; raises ValueError naming what cannot be read."""
    try:
        event = str(document["event"])
        entries = tuple(_entry(each) for each in document["entries"])
        head = document.get("head")
        return EventProof(event, entries, None if head is None else _head(head))
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else f"a part is of the wrong kind ({error})"
        raise ValueError(f"no event record: {what}") from error


def faults(proof: EventProof) -> list[str]:
    """What is wrong with the chain itself, in words; empty for a sound one. The signature is the caller's to check."""
    found = []
    previous = ""
    for place, entry in enumerate(proof.entries, 1):
        if entry.event != proof.event or entry.seq != place or entry.previous != previous:
            found.append(f"entry {place}: it does not follow the one before")
        if digest_of(entry) != entry.digest:
            found.append(f"entry {place}: its content was changed")
        previous = entry.digest
    head = proof.head
    if head is None:
        found.append("it has no signed head")
    elif head.event != proof.event or head.count > len(proof.entries):
        found.append(f"the signed head speaks of {head.count} entries, {len(proof.entries)} are here")
    elif head.count < 1 or proof.entries[head.count - 1].digest != head.digest:
        found.append("the signed head is not of these entries")
    elif head.count < len(proof.entries):
        found.append(f"the last {len(proof.entries) - head.count} entries are not signed yet")
    return found


def _entry(found: Mapping[str, Any]) -> ChainEntry:
    return ChainEntry(
        str(found["event"]), int(found["seq"]), _time(found["at"]), str(found["step"]), dict(found["facts"]),
        str(found["previous"]), str(found["digest"]),
    )  # fmt: skip


def _head(found: Mapping[str, Any]) -> SignedHead:
    return SignedHead(
        str(found["event"]), int(found["count"]), str(found["digest"]), _time(found["signed_at"]),
        str(found["signature"]), str(found["public_key"]),
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _plain(value: Fact) -> Fact:
    """Numbers as they read back from JSON everywhere: no -0.0, no infinity, at most six decimals."""
    if isinstance(value, bool) or not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return str(value)
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded
