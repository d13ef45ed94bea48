"""Damage done to a database file, as a failing card does it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path


def header_garbage(path: Path) -> None:
    _write(path, 0, b"this is no database, it is garbage" * 30)


def page_in_the_middle(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rollups'").fetchone()[0]
    connection.close()
    _write(path, (page - 1) * 1024, b"\xff" * 1024)


def truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def deleted(path: Path) -> None:
    path.unlink()


KINDS: dict[str, Callable[[Path], None]] = {
    "header garbage": header_garbage,
    "a page in the middle": page_in_the_middle,
    "truncated": truncated,
    "emptied": emptied,
    "deleted while stopped": deleted,
}


def altered(path: Path, sql: str) -> None:
    """Change stored values behind the checksums' back: what a flipped bit does to a row, found by no structure check."""
    connection = sqlite3.connect(path)
    with connection:
        assert connection.execute(sql).rowcount > 0
    connection.close()


def _write(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)
