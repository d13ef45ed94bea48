"""A stored value that is not the one that was written is never served: it is missing, and somebody is told."""

from __future__ import annotations

import sqlite3

import pytest

from adapters.sqlite.database import transaction
from adapters.sqlite.interval_rows import DAMAGED
from adapters.sqlite.scrub import ROLLUP_SLICES
from adapters.sqlite.store import SqliteStore
from gateway.model.errors import StoreError
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup
from tests.adapters.sqlite_harness.files import altered
from tests.adapters.sqlite_harness.nouns import DAY, QUARTER, T0, interval, rollup


@pytest.fixture
async def path(tmp_path):
    """A database with three minutes and three quarter hours, closed."""
    store = SqliteStore.open(tmp_path / "hearth.db")
    await store.save_rollups([rollup(0), rollup(1), rollup(2)])
    await store.save_intervals([interval(0, 1.0), interval(1, 2.0), interval(2, None, IntervalQuality.MISSING)])
    await store.close()
    return tmp_path / "hearth.db"


async def test_a_sound_database_passes_and_nothing_is_told(path):
    told = []
    SqliteStore.verify(path)
    store = SqliteStore.open(path)
    store.on_trouble(lambda *what: told.append(what))
    assert await store.scrub(T0) == []
    await store.intervals("house", T0, T0 + DAY)
    await store.rollups("meter", "power_w", T0, T0 + DAY)
    await store.close()
    assert told == []


async def test_a_zero_with_a_minus_is_read_back_as_zero_and_is_no_damage(tmp_path):
    """Wrong before: SQLite keeps no minus zero, and the interval that held one came back as damaged."""
    store = SqliteStore.open(tmp_path / "hearth.db")
    await store.save_intervals([Interval("house", T0, 900, 0.0, -0.0, IntervalQuality.VALID, "counter")])
    (found,) = await store.intervals("house", T0, T0 + DAY)
    assert (found.import_wh, found.export_wh, found.quality) == (0.0, 0.0, IntervalQuality.VALID)
    await store.close()
    SqliteStore.verify(tmp_path / "hearth.db")


@pytest.mark.parametrize(
    "change",
    ["mean = mean + 1", "low = 0", "high = 9", "last = 1", "count = 59", "suspect = 0", "minute = minute + 700",
     "mean = 'text'", "seal = seal + 1"],
)  # fmt: skip
async def test_an_altered_minute_is_left_out_and_told(path, change):
    altered(path, f"UPDATE rollups SET {change} WHERE minute = (SELECT min(minute) + 1 FROM rollups)")
    store, told = SqliteStore.open(path), []
    store.on_trouble(lambda *what: told.append(what))
    assert await store.rollups("meter", "power_w", T0, T0 + DAY) == [rollup(0), rollup(2)]
    assert told[0][0] == "rows damaged meter" and "1 stored" in told[0][1]
    await store.close()
    with pytest.raises(StoreError, match="1 minutes of meter/power_w, 2026-11-21"):
        SqliteStore.verify(path)


@pytest.mark.parametrize(
    "change",
    ["import_wh = 2.0000001", "import_wh = NULL", "export_wh = 1", "duration_s = 300", "quality = 'edited'",
     "method = 'power'", "sequence = 1", "seal = seal + 1", "quality = 'valie'"],
)  # fmt: skip
async def test_an_altered_interval_is_missing_and_told(path, change):
    altered(path, f"UPDATE intervals SET {change} WHERE import_wh = 2.0")
    with pytest.raises(StoreError, match="1 intervals of house, 2026-11-21 00:15 to 2026-11-21 00:15 UTC"):
        SqliteStore.verify(path)
    store, told = SqliteStore.open(path), []
    store.on_trouble(lambda *what: told.append(what))
    found = await store.intervals("house", T0, T0 + DAY)
    await store.close()
    missing = Interval("house", T0 + QUARTER, 900, None, None, IntervalQuality.MISSING, DAMAGED)
    assert found == [interval(0, 1.0), missing, interval(2, None, IntervalQuality.MISSING)]
    assert told[0][0] == "rows damaged house"


async def test_rows_under_another_device_are_not_believed(path):
    altered(path, "UPDATE devices SET name = 'garage'")
    store = SqliteStore.open(path)
    found = await store.intervals("garage", T0, T0 + DAY)
    await store.close()
    assert [i.quality for i in found] == [IntervalQuality.MISSING] * 3


async def test_the_scrub_marks_what_is_damaged_as_missing_and_leaves_a_notification(path):
    altered(path, "UPDATE rollups SET mean = 5 WHERE minute = (SELECT min(minute) FROM rollups)")
    altered(path, "UPDATE intervals SET import_wh = 5 WHERE import_wh = 1.0")
    store, told = SqliteStore.open(path), []
    store.on_trouble(lambda *what: told.append(what))
    found = [damage for _ in range(ROLLUP_SLICES) for damage in await store.scrub(T0)]
    assert sorted(str(damage) for damage in found) == [
        "1 intervals of house, 2026-11-21 00:00 to 2026-11-21 00:00 UTC",
        "1 minutes of meter/power_w, 2026-11-21 00:00 to 2026-11-21 00:00 UTC",
    ]
    assert {note.level for note in await store.notifications()} == {"warning"} and told
    kept = await store.intervals("house", T0, T0 + DAY)
    await store.close()
    assert [i.method for i in kept] == [DAMAGED, "counter", "counter"]
    SqliteStore.verify(path)


async def test_rows_of_version_one_have_no_checksum_and_are_read_as_they_are(path):
    altered(path, "UPDATE rollups SET seal = NULL, low = mean + low, high = mean + high, last = mean + last")
    altered(path, "UPDATE intervals SET seal = NULL")
    store = SqliteStore.open(path)
    assert await store.rollups("meter", "power_w", T0, T0 + DAY) == [rollup(0), rollup(1), rollup(2)]
    assert (await store.intervals("house", T0, T0 + DAY))[1] == interval(1, 2.0)
    await store.close()
    SqliteStore.verify(path)


async def test_a_counter_of_many_megawatt_hours_comes_back_to_the_thousandth(tmp_path):
    store = SqliteStore.open(tmp_path / "a.db")
    kept = Rollup("meter", Quantity.ENERGY_IMPORT, T0, 98_765_432.125, 98_765_431.001, 98_765_433.0, 98_765_433.0, 60)
    await store.save_rollups([kept])
    assert await store.rollups("meter", Quantity.ENERGY_IMPORT.value, T0, T0 + DAY) == [kept]
    await store.close()


async def test_what_no_number_can_hold_is_a_store_error(tmp_path):
    store = SqliteStore.open(tmp_path / "a.db")
    with pytest.raises(StoreError, match="cannot be stored"):
        await store.save_rollups([rollup(0, 1e300)])
    await store.close()


def test_a_version_one_database_with_data_is_brought_up_to_date(tmp_path):
    from sqlite_utils import Database

    from adapters.sqlite.migrations import STEPS, VERSION, migrate, version_of

    connection = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    with transaction(connection):
        STEPS[0](Database(connection, execute_plugins=False))
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO rollups VALUES (100, 1, 5000, 4000, 6000, 5500, 60, 0)")
    connection.execute("INSERT INTO intervals VALUES (1, 900, 0, 900, 1.5, 0.0, 'valid', 'counter')")
    migrate(connection)
    rollups = connection.execute("SELECT mean, low, seal FROM rollups").fetchall()
    intervals = connection.execute("SELECT import_wh, seal FROM intervals").fetchall()
    version = version_of(connection)
    connection.close()
    assert (version, rollups, intervals) == (VERSION, [(5000, 4000, None)], [(1.5, None)])
    SqliteStore.verify(tmp_path / "old.db")
