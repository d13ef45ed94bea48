"""A damaged file: quarantined, the last good copy in its place with what was promised since, and the home goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sqlite import copies
from adapters.sqlite.copies import COPY_BYTES_PER_DAY, GOOD, OLDER, _due
from adapters.sqlite.database import beside
from adapters.sqlite.pages import ROWS, Pages
from adapters.sqlite.store import SqliteStore
from gateway.model.audit import AuditRow
from gateway.model.errors import StoreError
from tests.adapters.sqlite_harness.files import KINDS, altered, page_in_the_middle
from tests.adapters.sqlite_harness.nouns import DAY, QUARTER, T0, interval, rollup

SIX_HOURS = timedelta(hours=6)


@pytest.fixture
async def path(tmp_path):
    """A database with a good copy of yesterday and a promise of today, closed."""
    store = SqliteStore.open(tmp_path / "hearth.db")
    await store.save_intervals([interval(quarter, 1.5) for quarter in range(200)])
    await store.put("preferences", {"reserve": 20})
    await store.append(AuditRow(T0, "asked", "car", "charge now"))
    assert await store.keep_copy(T0)
    await store.put("preferences", {"reserve": 35})
    await store.save_rollups([rollup(minute, device=f"device {n}") for minute in range(200) for n in range(10)])
    await store.close()
    return tmp_path / "hearth.db"


@pytest.mark.parametrize("kind", KINDS)
async def test_the_store_goes_on_from_the_last_good_copy(path, kind):
    KINDS[kind](path)
    store = SqliteStore.open(path)
    try:
        if kind == "a page in the middle":
            with pytest.raises(StoreError):
                await store.rollups("device 0", "power_w", T0, T0 + DAY)
        assert len(await store.intervals("house", T0, T0 + 9 * DAY)) == 200
        assert [row.text for row in await store.audit(T0, T0 + DAY)] == ["charge now"]
        reserve = (await store.get("preferences"))["reserve"]
        assert reserve == (35 if kind == "a page in the middle" else reserve) and reserve in (20, 35)
        notes = await store.notifications()
        await store.save_rollups([rollup(0)])
    finally:
        await store.close()
    assert [note.level for note in notes] == ["alarm"] and "the last good copy (2026-11-21 00:00 UTC)" in notes[0].text
    assert beside(path, ".damaged-1").exists() is (kind != "deleted while stopped")
    SqliteStore.verify(path)


async def test_a_damaged_good_copy_is_passed_over_for_the_one_before(path):
    store = SqliteStore.open(path)
    assert await store.keep_copy(T0 + DAY)
    await store.close()
    beside(path, GOOD).write_bytes(b"garbage" * 999)
    path.write_bytes(b"garbage" * 999)
    store = SqliteStore.open(path)
    assert await store.get("preferences") == {"reserve": 20}
    await store.close()


async def test_a_damaged_database_is_not_copied_but_replaced_by_the_copy_before(path):
    page_in_the_middle(path)
    store, told = SqliteStore.open(path), []
    store.on_trouble(lambda *what: told.append(what))
    before = beside(path, GOOD).read_bytes()
    with pytest.raises(StoreError, match="damaged"):
        await store.keep_copy(T0 + 2 * DAY)
    assert beside(path, GOOD).read_bytes() == before and not beside(path, OLDER).exists()
    assert await store.get("preferences") == {"reserve": 35}
    await store.close()
    assert [cause for cause, _ in told] == ["database"]


async def test_a_log_of_garbage_costs_only_what_stood_behind_the_garbage(tmp_path):
    path = tmp_path / "hearth.db"
    store = SqliteStore.open(path)
    await store.put("first", {})
    await store._worker.read(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    await store.put("second", {})
    database, log = path.read_bytes(), beside(path, "-wal").read_bytes()
    await store.close()
    path.write_bytes(database)
    beside(path, "-wal").write_bytes(log + b"\x5a" * 5000)
    store = SqliteStore.open(path)
    assert await store.keys("") == ["first", "second"]
    await store.close()
    path.write_bytes(database)
    beside(path, "-wal").write_bytes(b"\x5a" * len(log))
    store = SqliteStore.open(path)
    assert await store.keys("") == ["first"]
    await store.put("third", {})
    await store.close()
    SqliteStore.verify(path)


@pytest.mark.parametrize("names", [[""], ["", "-wal", "-shm"]])
async def test_a_file_deleted_while_running_is_written_again_with_everything_in_it(tmp_path, names):
    path, told = tmp_path / "hearth.db", []
    store = SqliteStore.open(path)
    store.on_trouble(lambda *what: told.append(what))
    await store.put("promised", {"a": 1})
    for suffix in names:
        beside(path, suffix).unlink(missing_ok=True)
    await store.put("next", {"b": 2})
    await store.close()
    again = SqliteStore.open(path)
    assert await again.keys("") == ["next", "promised"]
    await again.close()
    assert [cause for cause, _ in told] == ["database"]
    SqliteStore.verify(path)


async def test_a_file_exchanged_while_running_costs_one_try(tmp_path):
    path, other = tmp_path / "hearth.db", tmp_path / "other.db"
    second = SqliteStore.open(other)
    await second.put("of the other", {})
    await second.close()
    store = SqliteStore.open(path)
    await store.put("of the first", {})
    other.replace(path)
    with pytest.raises(StoreError, match="exchanged"):
        await store.put("a", {})
    await store.put("a", {})
    assert "a" in await store.keys("")
    await store.close()
    SqliteStore.verify(path)


@pytest.mark.parametrize(("hours", "made"), [(6, False), (20, False), (21, True), (24, True), (-48, True)])
async def test_a_good_copy_is_made_each_day(path, hours, made):
    store = SqliteStore.open(path)
    assert await store.keep_copy(T0 + timedelta(hours=hours)) is made
    await store.close()
    assert beside(path, OLDER).exists() is made


@pytest.mark.slow
async def test_a_good_copy_holds_the_facts_and_the_last_minutes_and_is_small(tmp_path):
    path = tmp_path / "hearth.db"
    store = SqliteStore.open(path)
    for day in range(3):
        await store.save_rollups([rollup(m, device=f"d{n}", start=T0 + day * DAY) for m in range(1440) for n in (0, 1)])
    assert await store.keep_copy(T0 + 3 * DAY)
    await store.close()
    copy = SqliteStore.open(beside(path, GOOD))
    last = await copy.rollups("d1", "power_w", T0, T0 + 9 * DAY)
    await copy.close()
    assert len(last) == 60 and last[-1].start == T0 + 3 * DAY - timedelta(minutes=1)
    assert beside(path, GOOD).stat().st_size < 60_000 < path.stat().st_size


def test_a_large_copy_is_made_seldomer_so_that_it_stays_within_its_bytes_a_day(tmp_path):
    copy = tmp_path / "copy"
    with copy.open("wb") as file:
        file.truncate(5 * COPY_BYTES_PER_DAY)
    os.utime(copy, (T0.timestamp(), T0.timestamp()))
    assert not _due(copy, T0 + 4 * DAY)
    assert _due(copy, T0 + 5 * DAY)


async def test_writing_goes_on_while_the_copy_is_made(path, monkeypatch):
    store, begun, go_on = SqliteStore.open(path), threading.Event(), threading.Event()

    def held(part: Path) -> None:
        begun.set()
        assert go_on.wait(5)

    monkeypatch.setattr(copies, "check_soundness", held)
    copying = asyncio.ensure_future(store.keep_copy(T0 + DAY))
    await asyncio.to_thread(begun.wait, 5)
    await store.put("written meanwhile", {})
    go_on.set()
    assert await copying and await store.get("written meanwhile") == {}
    await store.close()


async def test_no_copy_is_kept_of_a_database_in_memory():
    store = SqliteStore.open(Path(":memory:"))
    assert not await store.keep_copy(T0)
    await store.close()


@pytest.mark.slow
async def test_values_saved_from_a_damaged_file_pass_their_checksums_too(path):
    beside(path, GOOD).unlink()
    altered(path, "UPDATE intervals SET import_wh = 999 WHERE start = (SELECT min(start) FROM intervals)")
    page_in_the_middle(path)
    store = SqliteStore.open(path)
    with pytest.raises(StoreError):
        await store.rollups("device 0", "power_w", T0, T0 + DAY)
    found = await store.intervals("house", T0, T0 + 9 * DAY)
    await store.close()
    assert len(found) == 200 and found[0].import_wh is None and found[1].import_wh == 1.5


def _random_stretches(path: Path) -> None:
    chance, size = random.Random(5), path.stat().st_size
    with path.open("r+b") as file:
        for _ in range(12):
            file.seek(chance.randrange(size - 500))
            file.write(chance.randbytes(500))


def _header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xa5" * 15)


def _first_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xa5" * 1050)


def _cut(path: Path) -> None:
    os.truncate(path, 100_000)


@pytest.fixture
async def alone(tmp_path):
    """A database of 70 days without any good copy: a password, forty more settings, 6,678 intervals."""
    store = SqliteStore.open(tmp_path / "hearth.db")
    await store.put("owner", {"hash": "x" * 100})
    for number in range(40):
        # The longest of them are chains of overflow pages.
        await store.put(f"fact {number}", {"text": "y" * number * 60})
    for day in range(70):
        await store.save_intervals([interval(q, q + 0.5) for q in range(96 * day, min(6678, 96 * day + 96))])
        await store.append(AuditRow(T0, "asked", "car", "x" * 100))
    await store.close()
    return tmp_path / "hearth.db"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "share", "settings"),
    [(_header, 1.0, 41), (_first_page, 1.0, 41), (_random_stretches, 0.95, 38), (_cut, 0.04, 41)],
    ids=["fifteen bytes of the header", "the first page", "twelve random stretches", "cut to 100 kB"],
)
async def test_without_a_good_copy_every_row_on_a_whole_page_is_saved(alone, damage, share, settings):
    damage(alone)
    store = SqliteStore.open(alone)
    with contextlib.suppress(StoreError):
        await store.intervals("house", T0, T0 + 99 * DAY)
        await store.keep_copy(T0)
    found = [i for i in await store.intervals("house", T0, T0 + 99 * DAY) if i.import_wh is not None]
    kept, (note,) = await store.keys(""), await store.notifications()
    await store.close()
    assert len(found) >= share * 6678 and len(kept) >= settings and "owner" in kept
    assert all(i.import_wh == (i.start - T0) / QUARTER + 0.5 for i in found), "saved is what was written"
    assert "there was no good copy: a new one was begun" in note.text and f"{len(kept)} settings" in note.text
    assert ("Lost: no row" in note.text) is (damage is _header)
    SqliteStore.verify(alone)


async def test_what_was_only_in_the_log_is_saved_too_and_an_undone_write_is_not(tmp_path):
    path = tmp_path / "hearth.db"
    store = SqliteStore.open(path)
    await store.put("old", {"v": 1})
    await store._worker.read(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    await store.put("old", {"v": 2})
    await store.put("new", {"long": "z" * 9000})
    database, log = path.read_bytes(), beside(path, "-wal").read_bytes()
    await store.close()
    frame = 24 + 1024
    # The last frame again as one that no commit follows: a write the power cut off.
    undone = log[-frame : -frame + 4] + b"\0" * 4 + log[-frame + 8 : -1024] + b"\x0d" * 1024
    path.write_bytes(b"\xa5" * 1050 + database[1050:])
    beside(path, "-wal").write_bytes(log + undone)
    with contextlib.closing(Pages(path)) as pages:
        rows = {cell.values for cell in pages.cells() if cell.kind == ROWS}
    assert ("old", '{"v": 2}') in rows and ("old", '{"v": 1}') not in rows
    assert ("new", '{"long": "' + "z" * 9000 + '"}') in rows


async def test_a_setting_that_was_deleted_is_not_brought_back_from_a_page_out_of_use(tmp_path):
    path = tmp_path / "hearth.db"
    await SqliteStore.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA secure_delete=OFF")
    with connection:
        connection.executemany(
            "INSERT INTO facts VALUES (?, ?)", [(f"k{n}", f'{{"a": "{n:0300}"}}') for n in range(90)]
        )
    with connection:
        connection.execute("DELETE FROM facts WHERE key <> 'k89'")
    assert connection.execute("PRAGMA freelist_count").fetchone()[0] > 20
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    assert path.read_bytes().count(b'{"a": "0000') > 20, "the old pages are still there"
    _header(path)
    store = SqliteStore.open(path)
    assert await store.keys("") == ["k89"]
    await store.close()


@pytest.mark.slow
async def test_a_device_whose_row_is_lost_is_named_by_its_index(alone):
    connection = sqlite3.connect(alone)
    page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'devices'").fetchone()[0]
    connection.close()
    with alone.open("r+b") as file:
        file.seek((page - 1) * 1024)
        file.write(b"\xff" * 1024)
    _header(alone)
    store = SqliteStore.open(alone)
    assert len(await store.intervals("house", T0, T0 + 99 * DAY)) == 6678
    await store.close()
