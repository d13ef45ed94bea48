"""The record of one event that both sides can check: entries chained by hashes, the head signed by the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """One step of an event's life: received, decided, commanded, confirmed, released, delivered or reported.

    `digest` is the SHA-256 (hex) of all the rest and of `previous`, the digest of the entry before ("" for the first).
    """

    event: str
    seq: int
    at: datetime
    step: str
    facts: Mapping[str, Fact]
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The hub's word that an event's record has `count` entries and ends with `digest`; Ed25519, hex."""

    event: str
    count: int
    digest: str
    signed_at: datetime
    signature: str
    public_key: str


@dataclass(frozen=True, slots=True)
class EventProof:
    """All of one event's record; `head` is None before the first signature."""

    event: str
    entries: tuple[ChainEntry, ...] = field(default=())
    head: SignedHead | None = None
