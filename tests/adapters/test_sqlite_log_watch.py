"""Who writes how much is read from the database's log, each commit once, also over the log's new beginnings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.sqlite.store import SqliteStore
from benchmarks.writes import LogWatch
from gateway.model.audit import AuditRow
from gateway.model.session import EvSession
from tests.adapters.sqlite_harness.nouns import T0


@pytest.mark.slow
async def test_each_commit_is_counted_once_with_its_tables(tmp_path):
    path = tmp_path / "hearth.db"
    store = SqliteStore.open(path)
    await store.put("before", {})
    watch = LogWatch(path)
    watch.look()
    begun = len(watch.commits)
    for number in range(5):
        await store.append(AuditRow(T0, "asked", "car", str(number)))
    await store._worker.read(lambda c: c.execute("PRAGMA wal_checkpoint(RESTART)").fetchall())
    watch.look()
    for number in range(3):
        await store.append(AuditRow(T0, "asked", "car", str(number)))
    watch.stop()
    assert len(watch.commits) == begun + 8
    assert watch.pages_by_table()["audit"] >= 8
    assert watch.commits_by_table()["audit + idx_audit_time"] >= 7
    await store.close()


@pytest.mark.slow
async def test_a_sample_of_a_session_touches_no_index_and_what_is_counted_can_begin_anew(tmp_path):
    path = tmp_path / "hearth.db"
    store = SqliteStore.open(path)
    session = EvSession(1, "key", "car", 1, "TAG", T0, 0.0, 0.0)
    await store.save_session(session)
    watch = LogWatch(path)
    watch.look(forget=True)
    for number in range(1, 9):
        await store.save_session(replace(session, meter_last_wh=100.0 * number), later=True)
        await store.append(AuditRow(T0, "asked", "car", str(number)))
    watch.stop()
    assert len(watch.commits) == 8
    assert watch.pages_by_table()["sessions"] == 8 and watch.pages_by_table()["idx_sessions_start"] == 0
    # Three hot blocks at most, each written back once in so many pages of log.
    assert 0 < watch.blocks_written_back() < 1
    await store.close()
