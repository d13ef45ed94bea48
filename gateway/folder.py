"""The data folder: made when it is missing, held by one gateway at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gateway.model.errors import StoreError

DATABASE = "hearth.sqlite"
"""The store's file in the data folder."""


def make_folder(data: Path) -> None:
    """Make the folder; raises StoreError with the remedy when it cannot be made."""
    # Who is at home and what they draw, the owner's password: files of the home are its owner's alone.
    os.umask(0o077)
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{data}: the data folder cannot be made ({error.strerror}). Mend: name another one with --data"
        ) from error


def hold_folder(data: Path) -> int:
    """Hold the folder until this process ends; raises StoreError when another gateway has it. Returns the descriptor."""
    held = os.open(data / "in-use.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        raise StoreError(
            f"{data}: another gateway uses this data folder. Mend: stop it, or name another folder with --data"
        ) from error
    return held
