"""Checksums of stored rows: a value that is not the one that was written is never served.

Each row of roll-ups and intervals carries its own (two and four bytes), seeded with the device's name, so that a row under
another key or of another series fails too. Rows of version 1 have none (NULL) and are believed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from zlib import crc32

_ROLLUP = struct.Struct("<8q").pack
_INTERVAL = struct.Struct("<qqqdd").pack
NAN = float("nan")
"""Stands for None where a checksum wants a number."""


def seed(*names: str) -> int:
    """What the checksums of one series or device start from."""
    return crc32("\0".join(names).encode("utf-8", "replace"))


def rollup_seal(start: int, *columns: int) -> int:
    """The checksum of (minute, series, mean, low, high, last, count, suspect), -32768 to 32767.

    Two bytes: a minute has a hundred rows, and one altered row in 65,536 is found by no other check. Raises struct.error
    for what 64 bits cannot hold.
    """
    return (crc32(_ROLLUP(*columns), start) & 0xFFFF) - 0x8000


def is_sealed(start: int, *row: int) -> bool:
    """Whether a row of roll-ups (its seal last) is as it was written; one of another type than numbers is not."""
    try:
        return rollup_seal(start, *row[:-1]) == row[-1]
    except struct.error:
        return False


def interval_seal(row: tuple[int | float | None, ...], start: int) -> int:
    """The checksum of one (start, sequence, duration, import, export); `start` is of (device, quality, method)."""
    # SQLite keeps no minus zero: adding 0 takes it off, so that what is read back has the seal of what was written.
    return crc32(_INTERVAL(*(NAN if value is None else value + 0 for value in row)), start)


def interval_seals(
    starts: Iterable[int],
    sequences: Iterable[int],
    durations: Iterable[int],
    imports: Iterable[float],
    exports: Iterable[float],
    seeds: Iterable[int],
) -> list[int]:
    """The checksums of many intervals at once; `seeds` are of (device, quality, method). Raises struct.error."""
    return list(map(crc32, map(_INTERVAL, starts, sequences, durations, imports, exports), seeds))
