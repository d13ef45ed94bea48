"""Past days of interval data are packed into sealed batches; nobody who reads them can tell, but for the speed."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from adapters.sqlite.interval_rows import DAMAGED
from adapters.sqlite.store import SqliteStore
from gateway.model.errors import StoreError
from gateway.model.reading import IntervalQuality
from tests.adapters.sqlite_harness.files import altered
from tests.adapters.sqlite_harness.nouns import DAY, QUARTER, T0, interval

MISSING, ESTIMATED, EDITED = IntervalQuality.MISSING, IntervalQuality.ESTIMATED, IntervalQuality.EDITED
DAYS = [interval(quarter, quarter / 7) for quarter in range(4 * 96)]


@pytest.fixture
async def path(tmp_path):
    return tmp_path / "hearth.db"


async def test_reading_is_the_same_before_and_after(path):
    store, other = SqliteStore.open(path), replace(interval(3, 1.0), device="other")
    mixed = [replace(i, quality=ESTIMATED, method="power") if n % 5 == 0 else i for n, i in enumerate(DAYS)]
    mixed[9] = replace(mixed[9], import_wh=None, export_wh=None, quality=MISSING)
    await store.save_intervals([*mixed, other])
    await store.prune(T0 + 5 * DAY)
    assert await store._worker.read(lambda c: c.execute("SELECT count(*) FROM interval_days").fetchone()[0]) == 3
    assert await store.intervals("house", T0, T0 + 9 * DAY) == mixed
    assert await store.intervals("house", T0 + QUARTER, T0 + DAY + 2 * QUARTER) == mixed[1:98]
    assert await store.intervals("house", T0 - 2 * DAY, T0) == [] == await store.intervals("house", T0, T0)
    assert await store.interval_history("house", T0 + 9 * QUARTER) == [mixed[9]]
    assert await store.intervals("other", T0, T0 + DAY) == [other]
    await store.close()
    SqliteStore.verify(path)


async def test_a_correction_of_a_packed_day_supersedes_and_the_history_stays(path):
    store = SqliteStore.open(path)
    await store.save_intervals(DAYS)
    await store.prune(T0 + 9 * DAY)
    edited = replace(interval(100, 77.0), quality=EDITED)
    await store.save_intervals([edited])
    await store.prune(T0 + 400 * DAY)
    found = await store.intervals("house", T0, T0 + 9 * DAY)
    assert found == [*DAYS[:100], edited, *DAYS[101:]]
    assert await store.interval_history("house", edited.start) == [DAYS[100], edited]
    await store.close()


async def test_an_interval_with_a_history_is_not_packed(path):
    store = SqliteStore.open(path)
    await store.save_intervals(DAYS[:96])
    await store.save_intervals([replace(interval(5, 9.0), quality=EDITED)])
    await store.prune(T0 + 400 * DAY)
    assert [i.import_wh for i in await store.interval_history("house", T0 + 5 * QUARTER)] == [5 / 7, 9.0]
    rows = await store._worker.read(lambda c: c.execute("SELECT count(*) FROM intervals").fetchone()[0])
    assert rows == 2
    await store.close()


async def test_a_damaged_row_is_not_packed_as_if_it_were_sound(path):
    store = SqliteStore.open(path)
    await store.save_intervals(DAYS[:96])
    await store.close()
    altered(path, "UPDATE intervals SET import_wh = 5000 WHERE start = (SELECT min(start) FROM intervals)")
    store = SqliteStore.open(path)
    await store.prune(T0 + 9 * DAY)
    found = await store.intervals("house", T0, T0 + DAY)
    await store.close()
    assert found[0].method == DAMAGED and found[1:] == DAYS[1:96]


@pytest.mark.parametrize(
    "change",
    ["body = CAST(substr(body, 1, 900) || 'x' || substr(body, 902) AS BLOB)", "body = 'text'", "day = day + 9"],
)
async def test_a_damaged_batch_is_a_day_of_missing_intervals_and_is_named(path, change):
    store, told = SqliteStore.open(path), []
    await store.save_intervals(DAYS[:192])
    await store.prune(T0 + 9 * DAY)
    await store.close()
    altered(path, f"UPDATE interval_days SET {change} WHERE day = (SELECT max(day) FROM interval_days)")
    with pytest.raises(StoreError, match="1 days of intervals of house"):
        SqliteStore.verify(path)
    store = SqliteStore.open(path)
    store.on_trouble(lambda *what: told.append(what))
    found = await store.intervals("house", T0, T0 + 90 * DAY)
    assert found[:96] == DAYS[:96] and [i.method for i in found[96:]] == [DAMAGED] * 96 and told
    for _ in range(4):
        await store.scrub(T0 + 9 * DAY)
    assert [i.quality for i in (await store.intervals("house", T0, T0 + 90 * DAY))[96:]] == [MISSING] * 96
    await store.close()
    SqliteStore.verify(path)


@pytest.mark.slow
async def test_a_packed_day_takes_about_half_of_the_bytes(path):
    store = SqliteStore.open(path)
    await store.save_intervals([interval(quarter, 123.456 + quarter / 7) for quarter in range(60 * 96)])
    rows = await _used(store)
    await store.prune(T0 + 400 * DAY)
    assert await _used(store) < 0.55 * rows
    await store.close()


async def _used(store: SqliteStore) -> int:
    def work(c: sqlite3.Connection) -> int:
        pages, free = (c.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        return int(pages - free)

    return await store._worker.read(work)
