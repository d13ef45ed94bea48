"""The store keeps what it said it kept, in the same file, through restarts, a full disk and a damaged file."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.sqlite.store import PLANS_KEPT, SqliteStore
from gateway.model.audit import AuditRow, Notification
from gateway.model.dr import DrEvent, DrReport, EventRecord, OptState, ReportRow
from gateway.model.errors import StoreError
from gateway.model.learned import DayShape
from gateway.model.plan import Plan
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup
from gateway.model.session import EvSession
from gateway.ports import Store

T0 = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore.open(tmp_path / "hearth.db")
    yield opened
    await opened.close()


def rollup(minute: int, value: float = 230.5, device: str = "meter") -> Rollup:
    return Rollup(device, Quantity.POWER, T0 + timedelta(minutes=minute), value, value - 1, value + 1, value, 60, 2)


def interval(quarter: int, wh: float, quality: IntervalQuality = IntervalQuality.VALID) -> Interval:
    return Interval("house", T0 + timedelta(minutes=15 * quarter), 900, wh, 0.0, quality, "counter")


def session(number: int, start: datetime, end: datetime | None, charger: str = "car") -> EvSession:
    return EvSession(number, f"key {number}", charger, 1, "tag", start, 1000.0, 1500.0, end)


def report(key: str, server: str = "utility") -> DrReport:
    rows = (ReportRow(0, T0, 900.0, 1.25, "OK"), ReportRow(1, T0, 900.0, None, "MISSING"))
    return DrReport(key, server, "program", "event", "name", "USAGE", "DIRECT_READ", "KWH", "home", rows)


def plan(cause: str) -> Plan:
    return Plan(T0, cause, "optimised", (), (), 1, 2, 3.0, 4.0, ("a wish",))


async def test_it_is_the_store_the_ports_ask_for(store):
    port: Store = store
    assert await port.keys("") == []


async def test_every_commit_waits_for_the_disk(store):
    pragmas = await store._worker.read(
        lambda c: [c.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    )
    assert pragmas == ["wal", 2]


async def test_rollups_come_back_in_order_within_the_half_open_range(store):
    await store.save_rollups([rollup(2), rollup(0), rollup(1), rollup(1, device="other")])
    found = await store.rollups("meter", "power_w", T0, T0 + timedelta(minutes=2))
    assert found == [rollup(0), rollup(1)]


async def test_a_rollup_written_twice_is_one_rollup(store):
    await store.save_rollups([rollup(0, 1.0)])
    await store.save_rollups([rollup(0, 2.0)])
    assert await store.rollups("meter", "power_w", T0, T0 + DAY) == [rollup(0, 2.0)]


async def test_a_later_interval_supersedes_and_the_earlier_one_stays_readable(store):
    await store.save_intervals([interval(0, 100.0), interval(1, 50.0)])
    await store.save_intervals([interval(0, 110.0, IntervalQuality.ESTIMATED)])
    assert await store.intervals("house", T0, T0 + DAY) == [
        interval(0, 110.0, IntervalQuality.ESTIMATED), interval(1, 50.0),
    ]  # fmt: skip
    assert [i.import_wh for i in await store.interval_history("house", T0)] == [100.0, 110.0]


async def test_a_missing_interval_keeps_its_none(store):
    missing = Interval("house", T0, 900, None, None, IntervalQuality.MISSING, "nothing measured")
    await store.save_intervals([missing])
    assert await store.intervals("house", T0, T0 + DAY) == [missing]


async def test_transaction_ids_go_on_after_a_restart(tmp_path):
    first = SqliteStore.open(tmp_path / "a.db")
    given = [await first.next_transaction() for _ in range(3)]
    await first.close()
    second = SqliteStore.open(tmp_path / "a.db")
    given.append(await second.next_transaction())
    await second.close()
    assert given == [1, 2, 3, 4]


async def test_transaction_ids_asked_for_at_once_differ(store):
    given = await asyncio.gather(*(store.next_transaction() for _ in range(20)))
    assert sorted(given) == list(range(1, 21))


@pytest.mark.parametrize(
    ("start_h", "end_h", "found"),
    [(-3, -2, False), (-3, 0, False), (-1, 1, True), (0, 0, True), (1, None, True), (-9, None, True), (2, 3, False)],
)
async def test_sessions_that_overlap_the_range_are_found(store, start_h, end_h, found):
    end = None if end_h is None else T0 + timedelta(hours=end_h)
    kept = session(1, T0 + timedelta(hours=start_h), end)
    await store.save_session(kept)
    assert await store.sessions(T0, T0 + timedelta(hours=2)) == ([kept] if found else [])


async def test_a_session_is_replaced_by_its_transaction_and_filtered_by_charger(store):
    await store.save_session(session(1, T0, None))
    closed = session(1, T0, T0 + DAY)
    await store.save_session(closed)
    await store.save_session(session(2, T0, None, "other"))
    assert await store.sessions(T0, T0 + DAY, charger="car") == [closed]


async def test_an_event_keeps_its_opt_and_its_drawn_shift(store):
    record = EventRecord(DrEvent("e1", "utility", "p", "Peak", ()), T0, (12.5, float("inf")))
    await store.save_event(record)
    joined = record.with_opt(OptState.JOINED, "policy")
    await store.save_event(joined)
    assert await store.event_records() == [joined]


async def test_the_outbox_takes_each_key_once_and_forgets_nothing_before_delivery(store):
    assert await store.enqueue(report("k1"), T0)
    assert not await store.enqueue(replace(report("k1"), name="again"), T0)
    assert await store.enqueue(report("k2"), T0)
    assert await store.pending("utility") == [report("k1"), report("k2")]
    await store.delivered("k1", T0)
    assert await store.pending("utility") == [report("k2")]
    assert not await store.enqueue(report("k1"), T0), "delivered once is delivered for ever"


async def test_facts_are_found_by_prefix_without_wildcards(store):
    for key in ("charger_1", "charger%2", "chargers", "other"):
        await store.put(key, {"key": key, "n": [1, None, 2.5]})
    assert await store.keys("charger_") == ["charger_1"]
    assert await store.get("charger%2") == {"key": "charger%2", "n": [1, None, 2.5]}
    assert await store.get("absent") is None


async def test_audit_is_newest_first_and_keeps_strange_text(store):
    rows = [AuditRow(T0 + timedelta(seconds=i), "asked", "car", f"text {i}", 4, "src") for i in range(3)]
    for row in rows:
        await store.append(row)
    await store.append(AuditRow(T0 + DAY, "asked", "car", "bad \udc80 byte"))
    assert await store.audit(T0, T0 + timedelta(seconds=3), limit=2) == [rows[2], rows[1]]
    assert (await store.audit(T0 + DAY, T0 + 2 * DAY))[0].text == "bad ? byte"


async def test_there_is_one_notification_for_each_cause(store):
    await store.notify(Notification(T0, "disk", "alarm", "full"))
    ended = Notification(T0, "disk", "alarm", "full", T0 + DAY)
    await store.notify(ended)
    newer = Notification(T0 + DAY, "meter", "warning", "silent")
    await store.notify(newer)
    assert await store.notifications() == [newer, ended]
    assert await store.notifications(limit=1) == [newer]


async def test_day_shapes_come_oldest_first_and_the_later_one_counts(store):
    shapes = [DayShape(date(2026, 1, d), "flat", 0.5, 9.0, (0.5, 0.5), "why", (("night", 0.25),)) for d in (1, 2, 3)]
    await store.save_day_shapes(shapes)
    await store.save_day_shapes([replace(shapes[2], shape="away")])
    assert await store.day_shapes(limit=2) == [shapes[1], replace(shapes[2], shape="away")]


@pytest.mark.slow
async def test_only_the_last_plans_are_kept(store):
    for number in range(PLANS_KEPT + 5):
        await store.save_plan(plan(str(number)))
    found = await store.plans()
    assert len(found) == PLANS_KEPT
    assert found[0] == plan(str(PLANS_KEPT + 4))


async def test_pruning_deletes_the_old_and_keeps_the_rest(store):
    old, now = T0 - timedelta(days=61), T0
    await store.save_rollups([replace(rollup(0), start=old + timedelta(minutes=i)) for i in range(100)])
    await store.save_rollups([rollup(0)])
    await store.append(AuditRow(T0 - timedelta(days=401), "asked", "car", "old"))
    await store.append(AuditRow(T0, "asked", "car", "new"))
    await store.save_intervals([replace(interval(0, 1.0), start=T0 - timedelta(days=900))])
    assert await store.prune(now) == 101
    assert await store.rollups("meter", "power_w", old, now + DAY) == [rollup(0)]
    assert len(await store.audit(T0 - 500 * DAY, T0 + DAY)) == 1
    assert len(await store.intervals("house", T0 - 1000 * DAY, T0)) == 1


async def test_a_full_disk_is_a_store_error_and_the_next_try_succeeds(store):
    pages = await store._worker.read(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await store._worker.read(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    many = [replace(rollup(i), device=f"device {i % 7}") for i in range(3000)]
    with pytest.raises(StoreError, match="full"):
        await store.save_rollups(many)
    assert await store.rollups("device 0", "power_w", T0, T0 + 9 * DAY) == []
    await store._worker.read(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
    await store.save_rollups(many)
    assert len(await store.rollups("device 0", "power_w", T0, T0 + 9 * DAY)) == 429


async def test_a_damaged_file_is_set_aside_and_the_new_one_says_so(tmp_path):
    path = tmp_path / "hearth.db"
    path.write_bytes(b"this is no database" * 500)
    store = SqliteStore.open(path)
    (note,) = await store.notifications()
    number = await store.next_transaction()
    await store.close()
    assert (tmp_path / "hearth.db.damaged-1").read_bytes().startswith(b"this is no")
    assert note.level == "alarm" and "hearth.db.damaged-1" in note.text
    assert number > 1_000_000, "an id given by the lost file is never given again"


@pytest.mark.slow
async def test_damage_found_while_running_costs_one_try_and_no_promise(tmp_path):
    path = tmp_path / "hearth.db"
    store = SqliteStore.open(path)
    await store.put("preferences", {"reserve": 20})
    await store.save_rollups([rollup(i) for i in range(5000)])
    await store._worker.read(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    _spoil(path, "rollups")
    await store._worker.read(lambda c: c.execute("PRAGMA shrink_memory").fetchall())
    with pytest.raises(StoreError):
        await store.rollups("meter", "power_w", T0, T0 + 9 * DAY)
    await store.save_rollups([rollup(0)])
    assert len(await store.rollups("meter", "power_w", T0, T0 + 9 * DAY)) > 2870, "of the last two days"
    assert await store.get("preferences") == {"reserve": 20}
    assert [n.level for n in await store.notifications()] == ["alarm"]
    await store.close()


def _spoil(path: Path, table: str) -> None:
    with sqlite3.connect(path) as c:
        page = c.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
        size = c.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


async def test_a_backup_taken_while_open_is_sound_and_complete(store, tmp_path):
    await store.put("a", {"b": 1})
    target = tmp_path / "copies" / "backup.db"
    await store.backup(target)
    await store.backup(target)
    SqliteStore.verify(target)
    copy = SqliteStore.open(target)
    assert await copy.get("a") == {"b": 1}
    await copy.close()


@pytest.mark.parametrize("content", [None, b"", b"nonsense" * 999])
def test_what_is_no_backup_is_refused(tmp_path, content):
    path = tmp_path / "backup.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=r"backup\.db"):
        SqliteStore.verify(path)


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "hearth.db"
    await SqliteStore.open(path).close()
    with sqlite3.connect(path) as c:
        c.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer"):
        SqliteStore.open(path)
    assert list(tmp_path.glob("*damaged*")) == []


async def test_after_close_every_call_is_a_store_error(tmp_path):
    store = SqliteStore.open(tmp_path / "a.db")
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.put("a", {})


def test_an_unusable_folder_is_a_store_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        SqliteStore.open(tmp_path / "file" / "hearth.db")


@pytest.mark.slow
async def test_a_normal_start_does_not_load_sqlite_utils(tmp_path):
    path = tmp_path / "a.db"
    await SqliteStore.open(path).close()
    code = (
        "import sys, asyncio; from pathlib import Path; from adapters.sqlite.store import SqliteStore;"
        f"asyncio.run(SqliteStore.open(Path({str(path)!r})).close()); print('sqlite_utils' in sys.modules)"
    )
    answer = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
