"""An event's record: what is changed, taken out, put in, moved or cut off is seen; two checkers that share no code agree."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firmware_sim import record_check
from gateway.core.demand_response.record import (
    chained,
    faults,
    head_message,
    proof_document,
    proof_from,
    said_before,
)
from gateway.model.proof import ChainEntry, EventProof, SignedHead

EVENT, T0 = "utility:ev-42", datetime(2026, 11, 21, 16, 45, 0, 120_000, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
STEPS = [
    ("received", {"fingerprint": "5f1d", "name": "Abendspitze, für alle"}),
    ("decided", {"opt": "joined", "reason": "You join events unless you skip them."}),
    ("commanded", {"subject": "car", "text": "0 A", "authority": 6}),
    ("confirmed", {"subject": "car", "text": "0 A", "authority": 6}),
    ("released", {"delivered_wh": 3120.123456789}),
]


def record(count: int = 5) -> dict[str, Any]:
    """A sound record of five steps, its head signed at `count`."""
    entries: list[ChainEntry] = []
    for number, (step, facts) in enumerate(STEPS):
        entries.append(chained(entries, EVENT, T0 + timedelta(seconds=number), step, facts))
    last, at = entries[count - 1], T0 + timedelta(minutes=1)
    signature = KEY.sign(head_message(EVENT, count, last.digest, at)).hex()
    head = SignedHead(EVENT, count, last.digest, at, signature, PUBLIC)
    document: dict[str, Any] = json.loads(json.dumps(proof_document(EventProof(EVENT, tuple(entries), head))))
    return document


def ours(document: dict[str, Any]) -> list[str]:
    return faults(proof_from(document))


def test_a_sound_record_is_sound_for_both_sides() -> None:
    assert ours(record()) == [] == record_check.check(record(), PUBLIC)


def test_the_signature_binds_to_the_hubs_key() -> None:
    assert record_check.check(record(), "00" * 32) == ["head: another key"]


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("field", ["at", "event", "facts", "previous", "seq", "step", "digest"])
def test_a_changed_entry_is_seen_by_both_sides(place: int, field: str) -> None:
    document = record()
    changed: dict[str, Any] = {
        "at": "2026-11-21T16:45:09.000000Z", "event": "utility:other", "facts": {"opt": "skipped"},
        "previous": "00" * 32, "seq": 9, "step": "reported", "digest": "00" * 32,
    }  # fmt: skip
    document["entries"][place][field] = changed[field]
    assert ours(document)
    assert record_check.check(document)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entries: entries.pop(2),
        lambda entries: entries.insert(2, copy.deepcopy(entries[2])),
        lambda entries: entries.reverse(),
        lambda entries: entries.pop(),
        lambda entries: entries.clear(),
    ],
    ids=["taken out", "put in", "moved", "cut off at the end", "nothing left"],
)
def test_a_chain_that_was_edited_is_seen_by_both_sides(spoil: Any) -> None:
    document = record()
    spoil(document["entries"])
    assert ours(document) and record_check.check(document)


def test_entries_behind_the_signed_head_are_named_as_not_signed_yet() -> None:
    assert ours(record(count=3)) == ["the last 2 entries are not signed yet"]
    assert record_check.check(record(count=3)) == ["head: not of these entries"]


@pytest.mark.parametrize("field", ["count", "digest", "event", "signed_at", "signature", "public_key"])
def test_a_changed_head_is_seen(field: str) -> None:
    document = record()
    changed = {"count": 4, "signed_at": "2026-11-22T00:00:00.000000Z", "event": "x"}
    document["head"][field] = changed.get(field, "00" * 32)
    assert record_check.check(document, PUBLIC)


def test_the_same_step_said_again_after_a_restart_is_known() -> None:
    entries: list[ChainEntry] = []
    entries.append(chained(entries, EVENT, T0, "commanded", {"subject": "car", "text": "0 A"}))
    entries.append(chained(entries, EVENT, T0, "commanded", {"subject": "tank", "text": "off"}))
    assert said_before(entries, "commanded", {"subject": "car", "text": "0 A"})
    assert not said_before(entries, "commanded", {"subject": "car", "text": "6 A"})
    assert not said_before(entries, "confirmed", {"subject": "car", "text": "0 A"})


def test_a_file_that_is_no_record_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="'entries' is missing"):
        proof_from({"event": EVENT})
