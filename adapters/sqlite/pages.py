"""The pages of a database file that SQLite refuses to read: rows cell by cell, whatever is broken beside them.

The file format is described at https://www.sqlite.org/fileformat2.html (section numbers below). Nothing here trusts
the file's header, its schema or its trees: a page that is whole gives up its rows without them.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

MAGIC = b"SQLite format 3\0"
LOG_MAGIC = (0x377F0682, 0x377F0683)
PAGE_SIZES = (1024, 4096)
"""Of our files, and of those of the first version."""
ROWS, KEYS, KEYS_INSIDE, INSIDE = 0x0D, 0x0A, 0x02, 0x05
"""Kinds of pages: leaves of tables, leaves and inner pages of tables without rowid and indices, inner pages (1.6)."""
HEADER_BYTES, LOG_HEAD, FRAME_HEAD = 100, 32, 24
NUMBERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Bytes of whole numbers by serial type (2.1)."""

Value = int | float | str | bytes | None


class Broken(Exception):
    """A cell that is not what SQLite writes."""


class Cell(NamedTuple):
    """One row: of which kind of tree, its values, its rowid in a table that has them."""

    kind: int
    values: tuple[Value, ...]
    rowid: int


class Pages:
    """The pages of a file as last committed: those in its log stand for those in the file."""

    def __init__(self, path: Path) -> None:
        log = path.with_name(path.name + "-wal")
        self._file, self._log = path.open("rb"), log.open("rb") if log.exists() else None
        self._bytes = path.stat().st_size
        self.size = self._page_size()
        """Bytes of a page."""
        self._newer = dict(self._frames())
        whole = -(-self._bytes // self.size)
        self.count = max([whole, *self._newer])
        """Pages there are."""
        self.missing = max(0, self._claimed() - self.count)
        """Pages cut off, as far as the header tells."""
        self._chained: set[int] = set()
        self._free = self._free_pages()
        self.broken_rows, self._broken_pages = 0, set[int]()

    def close(self) -> None:
        """Let the files go."""
        for file in (self._file, self._log):
            if file is not None:
                file.close()

    @property
    def broken_pages(self) -> int:
        """Pages no row could be read from though they should hold some; right after `cells` is through."""
        return len(self._broken_pages - self._chained) + self.missing

    def page(self, number: int) -> bytes:
        """One page, numbered from 1; shorter, or empty, where the file ends."""
        file, at = self._file, (number - 1) * self.size
        if number in self._newer and self._log is not None:
            file, at = self._log, self._newer[number]
        file.seek(at)
        return file.read(self.size)

    def cells(self, without: Container[int] = ()) -> Iterator[Cell]:
        """Every row of every page that is in use, but for some pages."""
        self.broken_rows, self._broken_pages = 0, set()
        for number in range(1, self.count + 1):
            if number in self._free or number in without:
                continue
            page = self.page(number)
            head = HEADER_BYTES if number == 1 else 0
            starts = cell_starts(page, head, self.size)
            if starts is None:
                # An overflow page begins with the number of the next one; a chain that is read takes it off again.
                if any(page) or len(page) < self.size:
                    self._broken_pages.add(number)
            elif page[head] != INSIDE:
                yield from self._cells_of(page, page[head], starts)

    def last_cells(self) -> Iterator[tuple[int, Cell]]:
        """The last row of each leaf of a table without rowid, and its page: a quick look at how far they go."""
        for number in range(1, self.count + 1):
            page = self.page(number)
            starts = cell_starts(page, 0, self.size)
            if starts and page[0] == KEYS and number not in self._free:
                yield from ((number, cell) for cell in self._cells_of(page, KEYS, starts[-1:]))

    def _cells_of(self, page: bytes, kind: int, starts: tuple[int, ...]) -> Iterator[Cell]:
        for start in starts:
            try:
                yield self._cell(page, kind, start)
            except (Broken, IndexError, struct.error, UnicodeDecodeError):
                self.broken_rows += 1

    def _cell(self, page: bytes, kind: int, at: int) -> Cell:
        length, at = varint(page, at + (4 if kind == KEYS_INSIDE else 0))
        rowid = 0
        if kind == ROWS:
            rowid, at = varint(page, at)
        return Cell(kind, values(self._payload(page, kind, at, length)), rowid)

    def _payload(self, page: bytes, kind: int, at: int, length: int) -> bytes:
        """The bytes of a row, those on overflow pages too (1.6)."""
        most = self.size - 35 if kind == ROWS else (self.size - 12) * 64 // 255 - 23
        if length <= most:
            return page[at : at + length]
        least = (self.size - 12) * 32 // 255 - 23
        here = least + (length - least) % (self.size - 4)
        here = here if here <= most else least
        parts, chain, left = [page[at : at + here]], [], length - here
        (following,) = struct.unpack_from(">I", page, at + here)
        while left > 0:
            if not 1 < following <= self.count or following in chain:
                raise Broken("the chain of overflow pages ends too early")
            chain.append(following)
            part = self.page(following)
            (following,) = struct.unpack_from(">I", part)
            parts.append(part[4 : 4 + left])
            left -= self.size - 4
        self._chained.update(chain)
        return b"".join(parts)

    def _page_size(self) -> int:
        """What the file or its log says; where neither can be believed, what makes sense of more pages."""
        head, log = self._file.read(HEADER_BYTES), self._log_head()
        said = [log[2]] if log else []
        if head.startswith(MAGIC) and len(head) == HEADER_BYTES:
            said = [*struct.unpack_from(">H", head, 16), *said]
        for size in said:
            if size in PAGE_SIZES:
                return int(size)
        return max(PAGE_SIZES, key=self._sense)

    def _sense(self, size: int) -> int:
        places = range(0, min(self._bytes, 4_000_000), size)
        return sum(1 for at in places if self._file.seek(at) == at and cell_starts(self._file.read(size), 0, size))

    def _claimed(self) -> int:
        """The count of pages the header tells (1.3.8)."""
        head = self.page(1)
        sound = head.startswith(MAGIC) and len(head) == self.size and head[24:28] == head[92:96]
        return struct.unpack_from(">I", head, 28)[0] if sound else 0

    def _log_head(self) -> tuple[int, ...]:
        if self._log is None:
            return ()
        self._log.seek(0)
        head = self._log.read(LOG_HEAD)
        fields = struct.unpack(">6I2I", head) if len(head) == LOG_HEAD else (0,)
        return fields if fields[0] in LOG_MAGIC else ()

    def _frames(self) -> Iterator[tuple[int, int]]:
        """Pages in the log and where they are, up to its last commit (4.1); frames of an older round have other salts."""
        fields = self._log_head()
        if not fields or self._log is None:
            return
        at, waiting = LOG_HEAD, list[tuple[int, int]]()
        while self._log.seek(at) == at and len(head := self._log.read(FRAME_HEAD)) == FRAME_HEAD:
            number, commit, *salts = struct.unpack_from(">4I", head)
            if tuple(salts) != fields[4:6] or number == 0:
                return
            waiting.append((number, at + FRAME_HEAD))
            at += FRAME_HEAD + self.size
            if commit:
                yield from waiting
                waiting = []

    def _free_pages(self) -> set[int]:
        """Pages out of use: their old rows were deleted or are elsewhere by now. Found by the trunks that list them (1.5)."""
        free: set[int] = set()
        for number in range(2, self.count + 1):
            page = self.page(number)
            if len(page) < self.size or page[0] != 0:
                continue
            following, count = struct.unpack_from(">2I", page)
            if 0 < count <= self.size // 4 - 2 and following <= self.count:
                listed = struct.unpack_from(f">{count}I", page, 8)
                if len(set(listed)) == count and all(1 < each <= self.count for each in listed):
                    free.update((number, *listed))
        return free


def cell_starts(page: bytes, head: int, size: int) -> tuple[int, ...] | None:
    """Where the cells of a page are; None when it is no page of a tree."""
    if len(page) < size or page[head] not in (ROWS, KEYS, KEYS_INSIDE, INSIDE):
        return None
    (count,) = struct.unpack_from(">H", page, head + 3)
    first = head + (8 if page[head] in (ROWS, KEYS) else 12)
    if first + 2 * count > size:
        return None
    starts = struct.unpack_from(f">{count}H", page, first)
    return tuple(start for start in starts if first + 2 * count <= start < size)


def varint(page: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes and where it ends (1.6); negative ones are in two's complement."""
    value = 0
    for place in range(8):
        byte = page[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    value = value << 8 | page[at + 8]
    return value - (1 << 64 if value >> 63 else 0), at + 9


def values(payload: bytes) -> tuple[Value, ...]:
    """The columns of a row (2); raises Broken unless the row fills its bytes exactly."""
    end, at = varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = varint(payload, at)
        kinds.append(kind)
    found: list[Value] = []
    for kind in kinds:
        value, at = _value(payload, at, kind)
        found.append(value)
    if at != len(payload):
        raise Broken("a row that is longer or shorter than it says")
    return tuple(found)


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind in NUMBERS:
        end = at + NUMBERS[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind == 7:
        return float(struct.unpack_from(">d", payload, at)[0]), at + 8
    if kind in (0, 8, 9):
        return (None, 0, 1)[max(0, kind - 7)], at
    if kind < 12:
        raise Broken("a kind of value that is not used")
    end = at + (kind - 12) // 2
    raw = payload[at:end]
    return raw.decode("utf-8") if kind % 2 else raw, end
