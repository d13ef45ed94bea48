"""What is deleted and what stays for ever; and the file stops growing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.sqlite.store import SqliteStore
from gateway.model.reading import IntervalQuality
from tests.adapters.sqlite_harness.nouns import DAY, T0, interval, rollup

VALID, ESTIMATED, EDITED = IntervalQuality.VALID, IntervalQuality.ESTIMATED, IntervalQuality.EDITED


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore.open(tmp_path / "hearth.db")
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("versions", "left"),
    [
        ([VALID], [0]),
        ([ESTIMATED, VALID], [1]),
        ([ESTIMATED, ESTIMATED, VALID], [2]),
        ([VALID, EDITED], [0, 1]),
        ([ESTIMATED, VALID, EDITED], [0, 1, 2]),
        ([VALID, EDITED, ESTIMATED, VALID], [0, 1, 3]),
        ([VALID, EDITED, ESTIMATED, EDITED, VALID], [0, 1, 2, 3, 4]),
    ],
)
async def test_of_automatic_versions_the_last_stays_of_edited_ones_the_whole_history(store, versions, left):
    for number, quality in enumerate(versions):
        await store.save_intervals([interval(0, float(number), quality)])
    await store.prune(T0 + 89 * DAY)
    assert len(await store.interval_history("house", T0)) == len(versions), "young history stays"
    await store.prune(T0 + 91 * DAY)
    assert [i.import_wh for i in await store.interval_history("house", T0)] == left
    assert (await store.intervals("house", T0, T0 + DAY))[0].import_wh == len(versions) - 1


async def test_a_correction_after_pruning_still_supersedes(store):
    for wh in (1.0, 2.0):
        await store.save_intervals([interval(0, wh, ESTIMATED)])
    await store.prune(T0 + 91 * DAY)
    await store.save_intervals([interval(0, 3.0)])
    assert (await store.intervals("house", T0, T0 + DAY))[0].import_wh == 3.0


async def test_interval_data_of_ten_years_stay(store):
    await store.save_intervals([interval(0, 5.0)])
    await store.prune(T0 + 3700 * DAY)
    assert await store.intervals("house", T0, T0 + DAY) == [interval(0, 5.0)]


@pytest.mark.slow
async def test_the_file_stops_growing_when_days_go_as_they_come(tmp_path):
    path, sizes = tmp_path / "hearth.db", []
    store = SqliteStore.open(path)
    # Two hundred days of one minute in each two hours of forty series, and an interval.
    for day in range(200):
        start = T0 + day * DAY
        for hour in range(0, 24, 2):
            await store.save_rollups([rollup(60 * hour, 1000.0 + hour, f"d{n}", start) for n in range(40)])
        await store.save_intervals([replace(interval(0, 1.0), start=start)])
        await store.prune(start + DAY)
        await store._worker.read(lambda c: c.execute("PRAGMA wal_checkpoint").fetchall())
        sizes.append(path.stat().st_size)
    left = await store.rollups("d0", "power_w", T0, T0 + 999 * DAY)
    await store.close()
    assert left[0].start == T0 + 140 * DAY
    assert sizes[-1] <= sizes[65] * 1.02 and sizes[65] > 8 * sizes[2]
