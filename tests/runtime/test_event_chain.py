"""Event records in the running home: on the disk before the step counts, signed soon after, the same over a kill."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.demand_response.record import faults
from gateway.model.audit import AuditRow
from gateway.model.errors import StoreError
from gateway.runtime.event_chain import MOST_ENTRIES, WHOLE_ENTRIES, EventAudit, EventChain
from tests.fakes import FakeClock, FakeStore

EVENT = "utility:e1"


class FakeSigner:
    """Signs by turning the message round; `broken` cannot."""

    def __init__(self) -> None:
        self.broken, self.asked = False, 0

    def sign(self, messages: Sequence[bytes]) -> tuple[str, list[str]]:
        self.asked += 1
        if self.broken:
            raise StoreError("no key")
        return "key", [message[::-1].hex() for message in messages]


def chain(store: FakeStore | None = None) -> EventChain:
    return EventChain(FakeClock(), store or FakeStore(), FakeSigner())


async def test_what_was_added_is_on_the_disk_and_signed_up_to_its_end_when_it_is_asked_for() -> None:
    home = chain()
    await home.add(EVENT, "received", fingerprint="5f1d")
    assert "event-record utility:e1" in home.store.documents
    await home.add(EVENT, "decided", opt="joined")
    proof = await home.proof(EVENT)
    assert proof is not None and [entry.step for entry in proof.entries] == ["received", "decided"]
    assert proof.head is not None and proof.head.count == 2 and faults(proof) == []


async def test_a_kill_between_the_disk_and_the_next_step_leaves_one_entry_each() -> None:
    store = FakeStore()
    await chain(store).add(EVENT, "received", fingerprint="5f1d")
    again = chain(store)
    await again.add(EVENT, "received", fingerprint="5f1d")
    await again.add(EVENT, "received", fingerprint="77aa")
    proof = await again.proof(EVENT)
    assert proof is not None and [entry.facts["fingerprint"] for entry in proof.entries] == ["5f1d", "77aa"]


async def test_what_the_tick_commanded_for_an_event_stands_in_its_record_and_nothing_else_does() -> None:
    home, store = chain(), FakeStore()
    audit = EventAudit(store, home, {EVENT: None})
    at = home.clock.now()
    for source, step in ((EVENT, "commanded"), (EVENT, "confirmed"), ("plan", "commanded"), (EVENT, "alarm")):
        await audit.append(AuditRow(at, step, "car", "0 A", 6, source))
    proof = await home.proof(EVENT)
    assert proof is not None and [entry.step for entry in proof.entries] == ["commanded", "confirmed"]
    assert len(store.audit_rows) == 4


async def test_many_records_are_signed_by_one_question_and_a_lost_key_costs_nothing_but_the_signature() -> None:
    home = chain()
    assert isinstance(home.signer, FakeSigner)
    home.signer.broken = True
    for number in range(3):
        await home.add(f"utility:e{number}", "received", fingerprint="x")
    await home.sign()
    proof = await home.proof("utility:e1")
    assert proof is not None and proof.head is None and len(proof.entries) == 1
    home.signer.broken, asked = False, home.signer.asked
    await home.sign()
    assert home.signer.asked == asked + 1
    for number in range(3):
        signed = await home.proof(f"utility:e{number}")
        assert signed is not None and signed.head is not None and faults(signed) == []
    assert home.signer.asked == asked + 1


async def test_a_record_stays_bounded_but_its_end_is_always_kept() -> None:
    home = chain()
    for number in range(MOST_ENTRIES + 5):
        await home.add(EVENT, "decided", subject="car", opt=f"{number}")
    await home.add(EVENT, "released", reason="the event is over")
    await home.add(EVENT, "delivered", delivered_wh=3120.0)
    proof = await home.proof(EVENT)
    assert proof is not None and [e.step for e in proof.entries[MOST_ENTRIES:]] == ["released", "delivered"]


async def test_a_device_that_follows_the_meter_for_long_is_told_of_every_few_minutes_only() -> None:
    """Each entry writes the whole record: a car under a capacity limit is told another current every few seconds."""
    home = chain()
    for second in range(WHOLE_ENTRIES + 600):
        await home.add(EVENT, "commanded", subject="car", text=f"{second} A")
        await home.clock.advance(1)
    await home.add(EVENT, "commanded", subject="tank", text="off")
    proof = await home.proof(EVENT)
    assert proof is not None and [e.facts["text"] for e in proof.entries[WHOLE_ENTRIES:]] == ["399 A", "699 A", "off"]


async def test_what_was_withdrawn_and_announced_again_is_received_and_released_again_but_a_restart_adds_nothing() -> (
    None
):
    home = chain()
    for step in ("received", "received", "released", "released", "received", "released"):
        await home.add(EVENT, step, reason="x")
    proof = await home.proof(EVENT)
    assert proof is not None
    assert [entry.step for entry in proof.entries] == ["received", "released", "received", "released"]
