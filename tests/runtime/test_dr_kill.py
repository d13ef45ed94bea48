"""kill -9 at every write of an event's life: what is started again comes to the same end as what never died."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.model.dr import EventRecord
from gateway.runtime.event_chain import EventChain
from tests.fakes import FakeStore
from tests.runtime.test_demand_response import Utility, event


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


class DyingStore(FakeStore):
    """A disk whose process dies just before (`after` False) or just after its n-th write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes, self.dies_at, self.after = 0, 0, False

    async def _write(self, write) -> None:  # type: ignore[no-untyped-def]
        self.writes += 1
        dies = self.writes == self.dies_at
        if dies and not self.after:
            raise Killed
        await write
        if dies:
            raise Killed

    async def save_event(self, record: EventRecord) -> None:
        await self._write(super().save_event(record))

    async def put(self, key: str, document: dict, *, later: bool = False) -> None:
        await self._write(super().put(key, document, later=later))

    async def append(self, row) -> None:  # type: ignore[no-untyped-def]
        await self._write(super().append(row))


class Signer:
    """Signs whatever it is shown."""

    def sign(self, messages: Sequence[bytes]) -> tuple[str, list[str]]:
        return "key", [message.hex() for message in messages]


def home(store: FakeStore) -> Utility:
    made = Utility(store=store)
    made.dr.chain = EventChain(made.clock, store, Signer())
    return made


STEPS = (
    lambda made: made.look(event()),
    lambda made: made.dr.opt("e1", "skip", "owner"),
    lambda made: made.dr.opt("e1", "join", "owner"),
    lambda made: made.dr.overridden("utility:e1", "car"),
    lambda made: made.look(event(level=3)),
    lambda made: made.dr.followed("utility:e1", "car"),
    lambda made: made.look(),
)
"""Announced, skipped, joined, set aside for the car, changed, followed again, withdrawn. A person whose wish was lost in the
kill, or a server that lists again, does it again: as after any restart."""


async def live(store: DyingStore) -> Utility:
    """The whole life on one disk, started again after a kill with the step that was under way."""
    made, number = home(store), 0
    while number < len(STEPS):
        try:
            await STEPS[number](made)
            number += 1
        except Killed:
            made = home(store)
            await made.dr.resume()
    return made


def end_of(made: Utility) -> list[EventRecord]:
    return [replace(record, first_seen=made.clock.now()) for record in made.dr.records.values()]


async def chain_of(made: Utility) -> list[tuple]:
    assert made.dr.chain is not None
    proof = await made.dr.chain.proof("utility:e1")
    assert proof is not None
    return [(entry.step, tuple(sorted(entry.facts.items()))) for entry in proof.entries]


async def undisturbed() -> tuple[DyingStore, Utility]:
    store = DyingStore()
    return store, await live(store)


async def test_the_life_writes_at_many_points() -> None:
    store, made = await undisturbed()
    assert store.writes >= 25
    assert made.dr.records["utility:e1"].cancelled_at is not None


@pytest.mark.parametrize("after", [False, True], ids=["just before the write", "just after it"])
async def test_a_kill_at_any_write_ends_in_the_same_state_and_the_same_record(after: bool) -> None:
    store, calm = await undisturbed()
    writes, wanted, steps = store.writes, end_of(calm), await chain_of(calm)
    for number in range(1, writes + 1):
        dying = DyingStore()
        dying.dies_at, dying.after = number, after
        made = await live(dying)
        dying.dies_at = 0
        assert end_of(made) == wanted, f"killed at write {number}"
        assert list(await dying.event_records()) == list(made.dr.records.values()), f"killed at write {number}"
        assert await chain_of(made) == steps, f"killed at write {number}"
