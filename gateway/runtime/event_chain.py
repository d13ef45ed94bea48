"""Each event's record: received, decided, commanded, confirmed, released, delivered, reported; chained and signed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.core.demand_response.record import chained, head_message, proof_document, proof_from, said_before
from gateway.model.audit import AuditRow, Notification
from gateway.model.errors import StoreError
from gateway.model.proof import ChainEntry, EventProof, Fact, SignedHead
from gateway.ports import AuditStore, Clock, FactStore, Signer

log = logging.getLogger(__name__)

PREFIX = "event-record "
SIGN_S = 60.0
MOST_ENTRIES = 500
"""An event with more steps than this (a tariff that loops for years) keeps what it has; the audit goes on."""
LAST_STEPS = ("released", "delivered", "reported")
WHOLE_ENTRIES, SELDOM = 100, timedelta(minutes=5)
"""Beyond so many entries, a device that follows the meter under a limit is told of once in so long: each entry is a write."""
FREQUENT = ("commanded", "confirmed")


@dataclass(slots=True)
class EventChain:
    """The records of all events; what `add` returned from is on the disk, the head is signed within a minute or so."""

    clock: Clock
    store: FactStore
    signer: Signer
    _proofs: dict[str, EventProof] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _unsigned: set[str] = field(default_factory=set)
    _failing: bool = False

    async def add(self, event: str, step: str, **facts: Fact) -> None:
        """Add one step, committed before this returns; the same step said again is not added."""
        async with self._lock:
            proof = await self._load(event)
            entries = proof.entries
            if said_before(entries, step, facts) or (len(entries) >= MOST_ENTRIES and step not in LAST_STEPS):
                return
            if len(entries) >= WHOLE_ENTRIES and step in FREQUENT and self._told_of_late(entries, step, facts):
                return
            entry = chained(entries, event, self.clock.now(), step, facts)
            await self._keep(EventProof(event, (*entries, entry), proof.head))
            self._unsigned.add(event)

    def _told_of_late(self, entries: Sequence[ChainEntry], step: str, facts: Mapping[str, Fact]) -> bool:
        since = self.clock.now() - SELDOM
        return any(
            entry.step == step and entry.at > since and entry.facts.get("subject") == facts.get("subject")
            for entry in entries
        )

    async def proof(self, event: str) -> EventProof | None:
        """The whole record of an event, signed up to its end where the key can be used; None when there is none."""
        proof = await self._load(event)
        if not proof.entries:
            return None
        if proof.head is None or proof.head.count < len(proof.entries):
            self._unsigned.add(event)
            await self.sign()
        return await self._load(event)

    async def signed_with(self, events: Iterable[str]) -> str:
        """The public key, hex, of the first of these events whose record is signed; empty when none is."""
        for event in events:
            proof = await self._load(event)
            if proof.head is not None:
                return proof.head.public_key
        return ""

    async def run(self) -> None:
        """Sign what was added, until cancelled."""
        while True:
            await self.clock.sleep(SIGN_S, real_floor=2.0)
            await self.sign()

    async def sign(self) -> None:
        """Sign the heads of the records that grew; one process does it for all of them at once."""
        async with self._lock:
            grown = [await self._load(event) for event in sorted(self._unsigned)]
            now = self.clock.now()
            heads = [(proof, _last(proof)) for proof in grown if proof.entries]
            if not heads:
                return
            try:
                messages = [head_message(last.event, last.seq, last.digest, now) for _, last in heads]
                key, signatures = await asyncio.to_thread(self.signer.sign, messages)
                for (proof, last), signature in zip(heads, signatures, strict=True):
                    head = SignedHead(last.event, last.seq, last.digest, now, signature, key)
                    await self._keep(EventProof(proof.event, proof.entries, head))
                    self._unsigned.discard(proof.event)
                self._failing = False
            except StoreError as error:
                if not self._failing:
                    log.error("event records are not signed: %s", error)
                self._failing = True

    async def _load(self, event: str) -> EventProof:
        if event not in self._proofs:
            kept = await self.store.get(PREFIX + event)
            self._proofs[event] = proof_from(kept) if kept is not None else EventProof(event)
            if len(self._proofs) > 50:  # the oldest looked at: it can be read again
                self._proofs.pop(next(name for name in self._proofs if name != event))
        return self._proofs[event]

    async def _keep(self, proof: EventProof) -> None:
        await self.store.put(PREFIX + proof.event, proof_document(proof))
        self._proofs[proof.event] = proof


@dataclass(slots=True)
class EventAudit:
    """The audit, with the rows that an event caused copied into its record: the tick writes through it."""

    audit_store: AuditStore
    chain: EventChain
    is_event: Mapping[str, object]
    """The events known, by key."""

    async def append(self, row: AuditRow) -> None:
        """Keep a row; what was commanded and confirmed because of an event stands in its record too."""
        await self.audit_store.append(row)
        if row.source in self.is_event and row.step in FREQUENT:
            await self.chain.add(row.source, row.step, subject=row.subject, text=row.text, authority=int(row.authority))

    async def audit(
        self, start: datetime, end: datetime, *, subject: str | None = None, limit: int = 500
    ) -> list[AuditRow]:
        """Rows of the audit, newest first."""
        return await self.audit_store.audit(start, end, subject=subject, limit=limit)

    async def notify(self, notification: Notification) -> None:
        """Keep a notification."""
        await self.audit_store.notify(notification)

    async def notifications(self, *, limit: int = 100) -> list[Notification]:
        """The newest notifications."""
        return await self.audit_store.notifications(limit=limit)


async def proof_json(chain: EventChain, event: str) -> dict[str, Any] | None:
    """An event's record as the document that is handed out; None when there is none."""
    proof = await chain.proof(event)
    return None if proof is None else proof_document(proof)


def _last(proof: EventProof) -> ChainEntry:
    return proof.entries[-1]
