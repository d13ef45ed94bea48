"""Writes nobody was promised: seen at once, on the disk with the next commit, lost at most by a kill."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from adapters.sqlite.database import plain_connection
from adapters.sqlite.store import SqliteStore
from gateway.model.audit import AuditRow
from gateway.model.errors import StoreError
from gateway.model.learned import DayShape
from gateway.model.plan import Plan
from gateway.model.quantity import Quantity
from gateway.model.session import EvSession
from tests.adapters.sqlite_harness.nouns import DAY, MINUTE, T0, interval, rollup

SESSION = EvSession(1, "key", "car", 1, "TAG", T0, 0.0, 0.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore.open(tmp_path / "hearth.db")
    yield made
    await made.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hearth.db"


async def killed(path: Path) -> SqliteStore:
    """What a store finds after the process that has `path` open now was killed: the files as they are."""
    copy = path.with_name("after")
    for suffix in ("", "-wal"):
        copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    return SqliteStore.open(copy)


def log_bytes(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


async def test_a_later_write_is_seen_at_once_and_neither_it_nor_the_look_writes_a_byte(store, path):
    shape = DayShape(date(2026, 11, 20), "flat", 0.5, 9000.0, (1 / 24,) * 24, "why")
    plan = Plan(T0, "time", "optimised", (), (), 0, 0, 0.0, 1.0)
    before = log_bytes(path)
    await store.put("fact", {"n": 1}, later=True)
    await store.save_session(SESSION, later=True)
    await store.save_day_shapes([shape])
    await store.save_plan(plan)
    for _ in range(2):
        assert await store.get("fact") == {"n": 1} and await store.keys("f") == ["fact"]
        assert await store.sessions(T0, T0 + DAY) == [SESSION]
        assert await store.day_shapes() == [shape] and await store.plans() == [plan]
    assert log_bytes(path) == before


async def test_what_waits_is_on_the_disk_after_the_next_commit_whatever_that_is(store, path):
    commits = (
        lambda: store.append(AuditRow(T0, "asked", "car", "words")),
        lambda: store.save_minute([rollup(0)], [], {}),
        lambda: store.save_minute([], [], {}),
        lambda: store.put("other", {}),
    )
    for number, commit in enumerate(commits):
        await store.put("fact", {"n": number}, later=True)
        await commit()
        after = await killed(path)
        assert await after.get("fact") == {"n": number}
        await after.close()


async def test_a_kill_loses_what_waits_and_nothing_else(store, path):
    await store.save_session(SESSION)
    await store.save_session(replace(SESSION, meter_last_wh=700.0), later=True)
    after = await killed(path)
    assert await after.sessions(T0, T0 + DAY) == [SESSION]
    await after.close()


async def test_closing_and_a_backup_write_what_waits(tmp_path, path):
    first = SqliteStore.open(path)
    await first.put("backed up", {}, later=True)
    await first.backup(tmp_path / "copy.db")
    await first.put("at the end", {}, later=True)
    await first.close()
    copy, again = SqliteStore.open(tmp_path / "copy.db"), SqliteStore.open(path)
    assert await copy.keys("") == ["backed up"] and await again.keys("") == ["at the end", "backed up"]
    await copy.close()
    await again.close()
    with pytest.raises(StoreError, match="closed"):
        await first.put("too late", {}, later=True)


async def test_of_one_row_the_last_word_stays_whether_it_was_said_now_or_later(store):
    await store.put("row", {"n": 1}, later=True)
    await store.put("row", {"n": 2})
    assert await store.get("row") == {"n": 2}
    await store.put("row", {"n": 3})
    await store.put("row", {"n": 4}, later=True)
    await store.put("row", {"n": 5}, later=True)
    await store.put("other", {})
    assert await store.get("row") == {"n": 5}
    closed = replace(SESSION, end=T0 + MINUTE, meter_stop_wh=900.0)
    await store.save_session(SESSION, later=True)
    await store.save_session(closed)
    assert await store.sessions(T0, T0 + DAY) == [closed]


async def test_an_acknowledged_write_is_on_the_disk_when_it_returns_also_while_others_wait(store, path):
    for number in range(20):
        await store.put(f"waits {number}", {}, later=True)
    await store.append(AuditRow(T0, "asked", "car", "now"))
    after = await killed(path)
    assert [row.text for row in await after.audit(T0, T0 + DAY)] == ["now"]
    await after.close()


async def test_a_later_write_that_cannot_be_stored_does_not_stop_those_who_wait_for_an_answer(store):
    await store.save_session(replace(SESSION, transaction=2**70), later=True)
    await store.put("beside it", {}, later=True)
    await store.put("acknowledged", {})
    assert await store.keys("") == ["acknowledged", "beside it"]


async def test_what_could_not_be_committed_waits_for_the_next_commit(store, path):
    await store.put("waits", {}, later=True)
    with pytest.raises(StoreError):
        await store._worker.write(lambda c: c.execute("INSERT INTO nowhere VALUES (1)"))
    await store.put("next", {})
    after = await killed(path)
    assert await after.keys("") == ["next", "waits"]
    await after.close()


async def test_on_a_full_disk_what_waits_gives_way_to_what_was_promised(path):
    limited = []

    def connect(path: Path) -> sqlite3.Connection:
        limited.append(plain_connection(path))
        return limited[0]

    store = SqliteStore.open(path, connect)
    pages = limited[0].execute("PRAGMA page_count").fetchone()[0]
    limited[0].execute(f"PRAGMA max_page_count = {pages + 6}")
    await store.put("large", {"x": "y" * 20_000}, later=True)
    await store.put("promised", {"a": 1})
    assert await store.get("promised") == {"a": 1} and await store.get("large") is None
    await store.close()


async def test_a_minute_is_one_commit_and_is_stored_entirely_or_not_at_all(store):
    end = T0 + DAY
    with pytest.raises(StoreError):
        await store.save_minute([rollup(0), rollup(1, 1e300)], [interval(0, 1.0)], {"edges": {}})
    assert (
        await store.rollups("meter", Quantity.POWER.value, T0, end) == []
        and await store.intervals("house", T0, end) == []
    )
    assert await store.get("edges") is None
    await store.save_minute([rollup(0)], [interval(0, 1.0)], {"edges": {"n": 1}})
    assert len(await store.rollups("meter", Quantity.POWER.value, T0, end)) == 1
    assert len(await store.intervals("house", T0, end)) == 1 and await store.get("edges") == {"n": 1}
