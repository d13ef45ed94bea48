"""A full disk: the oldest minutes go, facts still fit, somebody is told, and it ends by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sqlite.database import beside
from adapters.sqlite.room import DISK, RESERVE, RESERVE_BYTES
from adapters.sqlite.store import SqliteStore
from gateway.model.audit import AuditRow, Notification
from gateway.model.errors import StoreError
from tests.adapters.sqlite_harness.nouns import DAY, T0, rollup

ROOT = Path(__file__).resolve().parents[2]


async def limit_pages(store: SqliteStore, more: int) -> None:
    """Let the file grow by `more` pages only: beyond that SQLite says "database or disk is full"."""

    def work(c):
        pages = c.execute("PRAGMA page_count").fetchone()[0] + more
        c.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await store._worker.read(work)


async def fill(store: SqliteStore, days: int) -> None:
    """Every tenth minute of ten devices on `days` days, the last of them ending at T0."""
    for day in range(days):
        start = T0 - (days - day) * DAY
        await store.save_rollups([rollup(10 * m, device=f"d{n}", start=start) for m in range(144) for n in range(10)])


@pytest.mark.slow
async def test_the_oldest_minutes_make_room_for_facts_and_for_new_minutes(tmp_path):
    store, told = SqliteStore.open(tmp_path / "hearth.db"), []
    store.on_trouble(lambda *what: told.append(what))
    await fill(store, 6)
    await limit_pages(store, 2)
    for number in range(400):
        await store.append(AuditRow(T0, "asked", "car", f"{number} " + "x" * 300))
    left = await store.rollups("d0", "power_w", T0 - 9 * DAY, T0)
    assert len(await store.audit(T0, T0 + DAY, limit=1000)) == 400
    assert T0 - 6 * DAY < left[0].start <= T0 - 2 * DAY and left[-1].start == T0 - timedelta(minutes=10)
    assert told[0][0] == "disk full" and any("minute values were given up" in (words or "") for _, words in told)
    await store.close()
    SqliteStore.verify(tmp_path / "hearth.db")


@pytest.mark.slow
async def test_a_series_first_heard_of_on_a_full_disk_is_found_again(tmp_path):
    store = SqliteStore.open(tmp_path / "hearth.db")
    await fill(store, 5)
    await limit_pages(store, 0)
    many = [rollup(minute, device=f"new {minute % 40}") for minute in range(400)]
    await store.save_rollups(many)
    await store.close()
    store = SqliteStore.open(tmp_path / "hearth.db")
    found = [row for n in range(40) for row in await store.rollups(f"new {n}", "power_w", T0, T0 + DAY)]
    assert sorted(found, key=lambda row: row.start) == many
    await store.close()


async def test_the_last_two_days_are_never_given_up(tmp_path):
    store = SqliteStore.open(tmp_path / "hearth.db")
    await fill(store, 2)
    await limit_pages(store, 0)
    with pytest.raises(StoreError, match="full"):
        await fill(store, 9)
    assert len(await store.rollups("d0", "power_w", T0 - 2 * DAY, T0)) == 288
    await store.close()


async def test_when_room_is_back_the_store_goes_on_by_itself_and_says_so(tmp_path):
    path, told = tmp_path / "hearth.db", []
    store = SqliteStore.open(path)
    store.on_trouble(lambda *what: told.append(what))
    await limit_pages(store, 0)
    with pytest.raises(StoreError, match="full"):
        await fill(store, 1)
    assert not beside(path, ".reserve").exists(), "given up to make room"
    await store._worker.read(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
    await fill(store, 1)
    assert told[-1] == ("disk full", None)
    assert beside(path, ".reserve").stat().st_size == RESERVE_BYTES
    await store.close()


def free_bytes(monkeypatch, free: int) -> None:
    """Let the disk say that it has so much room."""
    monkeypatch.setattr(os, "statvfs", lambda folder: os.statvfs_result((1, 1, free, free, free, 0, 0, 0, 0, 255)))


async def full_when_it_went_down(path: Path) -> None:
    """A store whose alarm of a full disk is open, and whose reserve is gone."""
    store = SqliteStore.open(path)
    await store.notify(Notification(T0, DISK, "alarm", "The disk is full."))
    await store.close()
    beside(path, ".reserve").unlink()


@pytest.mark.parametrize(
    ("free", "told", "held"),
    [
        (1_000_000, [], False),
        (3_900_000, [], False),
        (5_000_000, [DISK, RESERVE], False),
        (9_000_000, [DISK], True),
    ],
)
async def test_after_a_restart_the_alarm_ends_when_writing_works_again(tmp_path, monkeypatch, free, told, held):
    path, heard = tmp_path / "hearth.db", []
    await full_when_it_went_down(path)
    free_bytes(monkeypatch, free)
    store = SqliteStore.open(path)
    store.on_trouble(lambda *what: heard.append(what))
    for minute in range(3):
        await store.save_rollups([rollup(minute)])
    await store.close()
    assert [cause for cause, _ in heard] == told, "each is told once, not each minute"
    assert all((words is None) is (cause == DISK) for cause, words in heard)
    assert beside(path, ".reserve").exists() is held


async def test_what_is_missing_for_the_reserve_is_told_and_ends_when_it_is_there(tmp_path, monkeypatch):
    path, heard = tmp_path / "hearth.db", []
    free_bytes(monkeypatch, 6_500_000)
    store = SqliteStore.open(path)
    store.on_trouble(lambda *what: heard.append(what))
    await store.save_rollups([rollup(0)])
    free_bytes(monkeypatch, 8_000_000)
    await store.save_rollups([rollup(1)])
    await store.close()
    (begun, words), ended = heard
    assert begun == RESERVE and "6.5 MB are free" in words and "make room for 1.5 MB more" in words
    assert ended == (RESERVE, None) and beside(path, ".reserve").stat().st_size == RESERVE_BYTES


async def test_a_disk_that_fills_while_the_reserve_is_missing_is_not_called_well(tmp_path, monkeypatch):
    store, heard = SqliteStore.open(tmp_path / "hearth.db"), []
    beside(tmp_path / "hearth.db", ".reserve").unlink()
    free_bytes(monkeypatch, 6_000_000)
    store.on_trouble(lambda *what: heard.append(what))
    await store.put("first", {})
    free_bytes(monkeypatch, 0)
    await limit_pages(store, 0)
    with pytest.raises(StoreError, match="full"):
        await fill(store, 1)
    await store.close()
    assert heard[0][0] == RESERVE and {cause for cause, words in heard[1:] if words} == {DISK}
    assert all(words for _, words in heard)


MOUNT = ["unshare", "--user", "--map-root-user", "--mount"]
"""A small file system of our own, where the system lets everybody have one."""


def _may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    code = "mkdir -p /tmp/hearth-mount-try && mount -t tmpfs none /tmp/hearth-mount-try"
    return subprocess.run([*MOUNT, "sh", "-c", code], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not _may_mount(), reason="this system lets no one mount a small file system")
def test_a_really_full_file_system_loses_no_fact_and_is_left_by_itself(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    inside = f"mount -t tmpfs -o size=12m none {folder} && exec {sys.executable} -m tests.adapters.sqlite_harness.full {folder}"
    done = subprocess.run([*MOUNT, "sh", "-c", inside], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["told", "facts", "recovered", "sound"]
