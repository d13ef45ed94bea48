"""Notifications: one per cause, never lost for a failing disk, taken up again after a restart."""

from __future__ import annotations

import asyncio

import pytest

from gateway.model.errors import StoreError
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from tests.fakes import FakeClock, FakeStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def notices(store: FakeStore, clock: FakeClock) -> Notices:
    return Notices(store, clock, Changes())


async def _write(notices: Notices) -> None:
    """Let the writer empty its queue."""
    task = asyncio.create_task(notices.run())
    await FakeClock.settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_one_cause_makes_one_notification(notices: Notices, store: FakeStore) -> None:
    notices.later_raise("fuse", "alarm", "L1 draws 27 A.")
    notices.later_raise("fuse", "alarm", "L1 draws 28 A.")
    await _write(notices)
    assert [n.text for n in await store.notifications()] == ["L1 draws 27 A."]
    assert notices.changes.version == 1


async def test_an_end_is_kept_with_its_time(notices: Notices, store: FakeStore, clock: FakeClock) -> None:
    notices.later_raise("fuse", "alarm", "L1 draws 27 A.")
    await clock.advance(30)
    notices.later_end("fuse")
    await _write(notices)
    (kept,) = await store.notifications()
    assert kept.ended == clock.now() and not notices.open


async def test_other_words_for_an_open_cause_replace_the_old(
    notices: Notices, store: FakeStore, clock: FakeClock
) -> None:
    await notices.raise_("command car", "warning", "no answer")
    await clock.advance(1)
    await notices.raise_("command car", "warning", "no answer")
    await notices.raise_("command car", "warning", "rejected")
    await _write(notices)
    rows = await store.notifications()
    assert [(n.text, n.ended is None) for n in rows] == [("rejected", True), ("no answer", False)]


async def test_ending_what_is_not_open_does_nothing(notices: Notices) -> None:
    await notices.end("fuse")
    assert notices.changes.version == 0


async def test_what_a_failing_disk_refused_is_written_in_its_order_later(notices: Notices, store: FakeStore) -> None:
    """Wrong before: the refused beginning went behind its own end and stood open for ever."""
    notices.later_raise("fuse", "alarm", "L1 draws 27 A.")
    notices.later_end("fuse")
    store.broken = True
    with pytest.raises(StoreError):
        await notices.run()
    store.broken = False
    await _write(notices)
    (kept,) = await store.notifications()
    assert kept.ended is not None


async def test_a_write_cut_short_is_done_after_all(notices: Notices, store: FakeStore) -> None:
    notices.later_raise("fuse", "alarm", "L1 draws 27 A.")
    store.gate.clear()
    await _write(notices)
    store.gate.set()
    await _write(notices)
    assert len(await store.notifications()) == 1


async def test_open_notifications_survive_a_restart(notices: Notices, store: FakeStore, clock: FakeClock) -> None:
    notices.later_raise("fuse", "alarm", "L1 draws 27 A.")
    notices.later_raise("meter", "alarm", "The meter is silent.")
    notices.later_end("meter")
    await _write(notices)
    again = Notices(store, clock, Changes())
    await again.resume()
    assert list(again.open) == ["fuse"]
