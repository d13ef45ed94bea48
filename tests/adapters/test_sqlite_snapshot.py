"""One process has the database, the index of its log is no file, and others read a consistent copy meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapters.sqlite import snapshot as module
from adapters.sqlite.database import HeldElsewhere, impatient_connection
from adapters.sqlite.snapshot import snapshot
from adapters.sqlite.store import SqliteStore
from gateway.model.errors import StoreError

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the database open."""
    command = [sys.executable, "-m", "tests.adapters.sqlite_harness.holder", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.communicate()


def written(process: subprocess.Popen[str], key: str) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(key + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "written\n"


async def test_the_index_of_the_log_is_no_file_that_the_card_has_to_take(tmp_path):
    store = SqliteStore.open(tmp_path / "hearth.db")
    await store.put("fact", {})
    assert sorted(file.name for file in tmp_path.glob("hearth.db*")) == [
        "hearth.db", "hearth.db-wal", "hearth.db.reserve",
    ]  # fmt: skip
    await store.close()


@pytest.mark.slow
async def test_another_process_reads_what_is_committed_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "hearth.db"
    with held(path) as process:
        with pytest.raises(HeldElsewhere, match="Mend: stop that one first"):
            SqliteStore.open(path, impatient_connection)
        for key in ("second", "third"):
            store = SqliteStore.open_beside(path)
            assert key not in await store.keys("") and "promised" in await store.keys("")
            await store.backup(tmp_path / f"{key}.backup")
            await store.close()
            written(process, key)
        assert [file for file in tmp_path.iterdir() if file.is_dir()] == []
    SqliteStore.verify(tmp_path / "third.backup")
    again = SqliteStore.open_beside(path)
    assert await again.keys("") == ["promised", "second", "third", "waiting"]
    await again.close()


def test_a_copy_during_which_the_log_began_anew_is_not_believed(tmp_path, monkeypatch):
    path, copies = tmp_path / "hearth.db", []
    with closing(impatient_connection(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (a)")
        copyfile = module.shutil.copyfile

        def interrupted(source: Path, target: Path) -> None:
            copyfile(source, target)
            copies.append(source)
            if len(copies) <= 2:
                # The log is written back and begins anew while we copy.
                connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                connection.execute("INSERT INTO t VALUES (1)")

        monkeypatch.setattr(module.shutil, "copyfile", interrupted)
        with snapshot(path) as copy, closing(impatient_connection(copy)) as reader:
            assert len(copies) > 2
            assert reader.execute("SELECT count(*) FROM t").fetchone() == (2,)
            assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with pytest.raises(StoreError, match="cannot be copied"), snapshot(tmp_path / "nowhere.db"):
        pass
