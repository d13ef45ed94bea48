"""Who writes how much is read from the database's log, each commit once, also over the log's new beginnings."""

from __future__ import annotations

import pytest

from adapters.sqlite.store import SqliteStore
from benchmarks.writes import LogWatch
from gateway.model.audit import AuditRow
from tests.adapters.sqlite_harness.nouns import T0


@pytest.mark.slow
async def test_each_commit_is_counted_once_with_its_tables(tmp_path):
    path = tmp_path / "hearth.db"
    store = SqliteStore.open(path)
    await store.put("before", {})
    watch = LogWatch(path)
    watch._look()
    begun = len(watch.commits)
    for number in range(5):
        await store.append(AuditRow(T0, "asked", "car", str(number)))
    await store._worker.read(lambda c: c.execute("PRAGMA wal_checkpoint(RESTART)").fetchall())
    watch._look()
    for number in range(3):
        await store.append(AuditRow(T0, "asked", "car", str(number)))
    watch.stop()
    assert len(watch.commits) == begun + 8
    assert watch.pages_by_table()["audit"] >= 8
    assert watch.commits_by_table()["audit + idx_audit_time"] >= 7
    await store.close()
