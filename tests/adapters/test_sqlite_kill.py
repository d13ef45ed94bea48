"""kill -9 at any instant loses nothing that was acknowledged."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.sqlite.store import SqliteStore

ROOT = Path(__file__).resolve().parents[2]
KILLS = 20
T0 = datetime(2026, 1, 1, tzinfo=UTC)


def _write_and_kill(path: Path, lines: int) -> list[int]:
    """Let the writer acknowledge about `lines` numbers, kill it in the midst of the next, return all it said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.sqlite_harness.writer", str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(lines)]
    process.kill()
    rest = process.stdout.read().split("\n")
    process.wait()
    process.stdout.close()
    # The last piece has no line end: it was not said completely.
    return said + [int(line) for line in rest[:-1]]


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_by_twenty_kills(tmp_path):
    path, draw = tmp_path / "hearth.db", random.Random(20261121)
    acknowledged: list[int] = []
    for _ in range(KILLS):
        acknowledged += _write_and_kill(path, draw.randint(1, 40))
    store = SqliteStore.open(path)
    reports = {int(r.key) for r in await store.pending("utility")}
    rows = {int(r.subject) for r in await store.audit(T0, T0 + timedelta(days=1), limit=100_000)}
    facts = {int(key.removeprefix("fact ")) for key in await store.keys("fact ")}
    await store.close()
    SqliteStore.verify(path)
    assert len(acknowledged) == len(set(acknowledged)) >= KILLS
    for kept in (reports, rows, facts):
        assert set(acknowledged) <= kept
