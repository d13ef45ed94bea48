"""What a running gateway has committed, for another process: a copy of its files that is whole, taken without a lock.

The gateway's process keeps the database for itself. Its file changes only when the log is written back, every few
hours: a copy during which neither the file changed nor the log began anew is what the gateway committed last.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.sqlite.database import beside
from gateway.model.errors import StoreError

TRIES = 5
LOG_HEAD_BYTES = 32
"""Carries the salts that are new whenever the log begins anew."""


@contextlib.contextmanager
def snapshot(path: Path) -> Iterator[Path]:
    """A consistent copy of a database in a folder of its own beside it; gone at the end. Raises StoreError.

    Not for the process that has the database open: closing any file of that name would give up its lock.
    """
    try:
        # Beside it and not in /tmp, which may be memory the gateway needs.
        with TemporaryDirectory(prefix="copy-", dir=path.parent) as place:
            copy = Path(place) / path.name
            if not any(_copied(path, copy) for _ in range(TRIES)):
                raise StoreError(f"{path}: was written all the time and could not be copied. Mend: try again")
            yield copy
    except OSError as error:
        raise StoreError(f"{path}: cannot be copied: {error.strerror}") from error


def _copied(path: Path, copy: Path) -> bool:
    log, log_copy = beside(path, "-wal"), beside(copy, "-wal")
    before = _state(path)
    shutil.copyfile(path, copy)
    log_copy.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(log, log_copy)
    # The log's end may be cut in mid-frame: its checksums end it at the last whole commit.
    return _state(path) == before and _head(log) == _head(log_copy)


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _head(log: Path) -> bytes:
    try:
        with log.open("rb") as file:
            return file.read(LOG_HEAD_BYTES)
    except FileNotFoundError:
        return b""
