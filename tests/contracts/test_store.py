"""The Store port: the same stories hold for the fake the tests trust and for the real one on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.sqlite.store import SqliteStore
from gateway.model.audit import AuditRow, Notification
from gateway.model.dr import DrEvent, DrReport, EventRecord, OptState, ReportRow
from gateway.model.learned import DayShape
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup
from gateway.model.session import EvSession
from gateway.ports import Store
from tests.fakes import FakeStore

T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
LATER = T0 + timedelta(days=1)


@pytest.fixture(params=["fake", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store = FakeStore() if request.param == "fake" else SqliteStore.open(tmp_path / "hearth.sqlite")
    yield made
    await made.close()


def interval(minutes: int, wh: float, device: str = "house") -> Interval:
    return Interval(device, T0 + timedelta(minutes=minutes), 900, wh, 0.0, IntervalQuality.VALID, "counter")


async def test_a_later_interval_supersedes_and_a_range_is_half_open(store: Store) -> None:
    await store.save_intervals([interval(0, 1.0), interval(15, 2.0), interval(30, 3.0)])
    await store.save_intervals([interval(15, 9.0)])
    found = await store.intervals("house", T0, T0 + timedelta(minutes=30))
    assert [i.import_wh for i in found] == [1.0, 9.0]
    assert await store.intervals("nobody", T0, LATER) == []


async def test_rollups_come_back_in_order_of_time(store: Store) -> None:
    rows = [Rollup("meter", Quantity.POWER, T0 + timedelta(minutes=m), m, m, m, m, 60) for m in (2, 0, 1)]
    await store.save_rollups(rows)
    found = await store.rollups("meter", Quantity.POWER.value, T0, T0 + timedelta(minutes=2))
    assert [row.mean for row in found] == [0, 1]


async def test_transaction_ids_never_repeat_and_open_sessions_overlap_every_later_time(store: Store) -> None:
    ids = [await store.next_transaction() for _ in range(5)]
    assert len(set(ids)) == 5 and min(ids) >= 1
    session = EvSession(ids[0], "key", "car", 1, "TAG", T0, 100.0, 150.0)
    await store.save_session(session)
    await store.save_session(replace(session, meter_last_wh=900.0))
    assert [s.energy_wh for s in await store.sessions(LATER, LATER + timedelta(hours=1))] == [800.0]
    assert await store.sessions(T0, LATER, charger="van") == []


async def test_an_event_is_kept_once_in_its_newest_form(store: Store) -> None:
    record = EventRecord(DrEvent("e", "utility", "p", "Peak", ()), T0, (12.5,))
    await store.save_event(record)
    await store.save_event(record.with_opt(OptState.SKIPPED, "owner"))
    assert await store.event_records() == [record.with_opt(OptState.SKIPPED, "owner")]


async def test_a_report_waits_in_the_outbox_once_until_it_is_delivered(store: Store) -> None:
    rows = (ReportRow(0, T0, 900.0, 1.5, "OK"),)
    report = DrReport("k1", "utility", "p", "e", "usage", "USAGE", "DIRECT_READ", "KWH", "home", rows)
    assert await store.enqueue(report, T0) and not await store.enqueue(report, T0)
    assert await store.pending("utility") == [report] and await store.pending("other") == []
    assert await store.queued_at(report.key) == T0 and await store.queued_at("another") is None
    await store.delivered("k1", LATER)
    assert await store.pending("utility") == [] and not await store.enqueue(report, LATER)


async def test_documents_are_replaced_and_listed_by_prefix(store: Store) -> None:
    await store.put("login/owner", {"a": 1})
    await store.put("login/owner", {"a": 2})
    await store.put("other", {})
    assert await store.get("login/owner") == {"a": 2} and await store.get("nothing") is None
    assert await store.keys("login/") == ["login/owner"]


async def test_audit_and_notifications_come_newest_first_and_a_cause_is_updated_in_place(store: Store) -> None:
    for minute, step in enumerate(("asked", "decided", "commanded")):
        await store.append(AuditRow(T0 + timedelta(minutes=minute), step, "car", "words", 4, "e"))
    assert [row.step for row in await store.audit(T0, LATER)] == ["commanded", "decided", "asked"]
    await store.append(AuditRow(T0 + timedelta(minutes=3), "commanded", "pv", "words", 4, "e"))
    assert [row.step for row in await store.audit(T0, LATER, subject="car", limit=2)] == ["commanded", "decided"]
    assert [row.subject for row in await store.audit(T0, LATER, subject="pv")] == ["pv"]
    notification = Notification(T0, "meter", "alarm", "silent")
    await store.notify(notification)
    await store.notify(replace(notification, ended=LATER))
    assert await store.notifications() == [replace(notification, ended=LATER)]


async def test_the_class_of_a_day_is_replaced(store: Store) -> None:
    shape = DayShape(date(2026, 11, 20), "flat", 0.5, 9000.0, (1 / 24,) * 24, "why")
    await store.save_day_shapes([shape])
    await store.save_day_shapes([replace(shape, shape="evening peak")])
    assert [s.shape for s in await store.day_shapes()] == ["evening peak"]


async def test_what_is_told_to_come_later_is_seen_at_once_and_its_last_word_stays(store: Store) -> None:
    session = EvSession(1, "key", "car", 1, "TAG", T0, 100.0, 150.0)
    await store.save_session(session, later=True)
    await store.save_session(replace(session, meter_last_wh=900.0), later=True)
    await store.put("vee/today", {"n": 1}, later=True)
    assert [s.energy_wh for s in await store.sessions(T0, LATER)] == [800.0]
    assert await store.get("vee/today") == {"n": 1} and await store.keys("vee/") == ["vee/today"]
    await store.put("vee/today", {"n": 2})
    assert await store.get("vee/today") == {"n": 2}


async def test_a_minute_brings_rollups_intervals_and_documents(store: Store) -> None:
    row = Rollup("meter", Quantity.POWER, T0, 1.0, 1.0, 1.0, 1.0, 60)
    await store.save_minute([row], [interval(0, 1.0)], {"metering/edges": {"a": 1}})
    await store.save_minute([], [], {})
    assert len(await store.rollups("meter", Quantity.POWER.value, T0, LATER)) == 1
    assert [i.import_wh for i in await store.intervals("house", T0, LATER)] == [1.0]
    assert await store.get("metering/edges") == {"a": 1}
