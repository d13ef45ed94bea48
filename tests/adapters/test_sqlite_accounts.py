"""What a session cost is kept with its row: over samples, stops, an old database and a damaged one."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.sqlite.database import transaction
from adapters.sqlite.salvage import save
from adapters.sqlite.store import SqliteStore
from gateway.model.session import ChargeReason, EvSession, SessionAccount, SessionSlice

T0 = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
LATER = T0 + timedelta(days=1)
SESSION = EvSession(1, "key", "car", 1, "TAG", T0, 100.0, 900.0, curve=((1, 0.0), (2, 800.0)), seen=((0, 4), (6, 6)))
SLICE = SessionSlice(T0, LATER, 800.0, 200.0, 50.0, 300_000, 80_000, 250.0, True, ((ChargeReason.CHEAP, 1.0),))
ACCOUNT = SessionAccount(1, 800.0, 200.0, 50.0, 196_000, 150.0, ((ChargeReason.CHEAP, 800.0),), (SLICE,), True)
OLD_DOCUMENT = {
    "transaction": 9, "transaction_key": "k", "charger": "car", "connector": 1, "tag": "T", "start": T0.isoformat(),
    "meter_start_wh": 0.0, "meter_last_wh": 500.0, "end": None, "meter_stop_wh": None, "stop_reason": "",
}  # fmt: skip


async def test_an_account_comes_back_as_it_was_and_a_later_sample_or_stop_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = SqliteStore.open(path)
    await store.save_session(SESSION)
    await store.save_account(ACCOUNT)
    assert await store.accounts(T0, LATER) == [ACCOUNT]
    await store.save_session(replace(SESSION, meter_last_wh=950.0), later=True)
    await store.save_session(replace(SESSION, end=LATER, meter_stop_wh=1000.0))
    await store.close()
    store = SqliteStore.open(path)
    assert await store.accounts(T0, LATER) == [ACCOUNT]
    assert (await store.sessions(T0, LATER))[0].seen == SESSION.seen
    assert await store.accounts(LATER + timedelta(days=1), LATER + timedelta(days=2)) == []
    await store.close()


async def test_a_database_of_the_version_before_opens_with_its_sessions(tmp_path: Path) -> None:
    from sqlite_utils import Database

    from adapters.sqlite.migrations import STEPS

    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with transaction(connection):
            for step in STEPS[:3]:
                step(Database(connection, execute_plugins=False))
        connection.execute("PRAGMA user_version = 3")
        values = (9, "car", int(T0.timestamp() * 1e6), None, json.dumps(OLD_DOCUMENT))
        connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", values)
    store = SqliteStore.open(path)
    (session,) = await store.sessions(T0, LATER)
    assert (session.energy_wh, session.curve, session.start_told) == (500.0, (), True)
    assert await store.accounts(T0, LATER) == []
    await store.save_account(replace(ACCOUNT, transaction=9))
    assert [kept.transaction for kept in await store.accounts(T0, LATER)] == [9]
    await store.close()


async def test_sessions_with_and_without_an_account_are_saved_from_a_damaged_file(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    store = SqliteStore.open(old)
    await store.save_session(SESSION)
    await store.save_session(replace(SESSION, transaction=2, transaction_key="other"))
    await store.save_account(ACCOUNT)
    await store.close()
    with old.open("r+b") as file:
        file.write(b"\xa5" * 15)
    await SqliteStore.open(new).close()
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        assert save(old, connection).rows["sessions"] == 2
    store = SqliteStore.open(new)
    assert await store.accounts(T0, LATER) == [ACCOUNT]
    assert [session.transaction for session in await store.sessions(T0, LATER)] == [1, 2]
    await store.close()
