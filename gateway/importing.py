"""`hearth import`: interval history from a CSV file into the store, audited, with what follows from it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from adapters.sqlite.store import SqliteStore
from gateway.assembly import KINDS
from gateway.config import load_site
from gateway.core.metering.csv_rows import Steps, parse_interval_csv
from gateway.core.metering.edit import is_correction
from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.folder import DATABASE, hold_folder, make_folder
from gateway.model.audit import AuditRow
from gateway.model.errors import Finding
from gateway.model.reading import Interval
from gateway.model.site import Site
from gateway.runtime.derive import derived
from gateway.runtime.edits import SOURCE
from gateway.runtime.energy import series_of
from gateway.web.settings import WebSettings

BATCH = 5000
WHO = "command line"
WEEK_S = 7 * 86_400


@dataclass(slots=True)
class Imported:
    """What an import did, in rows: written or there already, left out for a person's correction, and refused."""

    findings: list[Finding] = field(default_factory=list)
    rows: int = 0
    written: int = 0
    corrected: int = 0
    derived: int = 0
    """Rows of "house" and "solar" that were made anew."""
    underived: bool = False
    """There was no site file, so what follows from the devices' rows was not made."""


async def import_history(
    file: Path, data: Path, say: Callable[[str], None], now: datetime, site: Path | None = None
) -> Imported:
    """Bring a CSV of quarter hours into the store of a gateway that is stopped; a bad row is refused, the others come in.

    An interval that a person corrected stays. With the site file unknown devices are refused, and "house" and "solar" of
    these quarter hours are made anew where the file has none. One audit row tells of it. Raises StoreError and
    SiteFileError.
    """
    home = _home(site, say) if site else None
    source = _File(file, now, series_of(home) if home else [])
    result = Imported(source.survey())
    if not source.count:
        return result
    make_folder(data)
    held = hold_folder(data)
    try:
        store = SqliteStore.open(data / DATABASE)
        try:
            await _Import(store, say, result, home).run(source)
        finally:
            await store.close()
    finally:
        os.close(held)
    return result


def _home(path: Path, say: Callable[[str], None]) -> Site:
    """The home of a site file; a device that had to be left out of it is told, since its rows will be refused."""
    site_file = load_site(path, KINDS, WebSettings)
    for finding in site_file.findings:
        say(f"[yellow]{finding}[/]")
    return site_file.site


@dataclass(slots=True)
class _File:
    """The file, read twice: to know what is in it, and to take it."""

    path: Path
    now: datetime
    known: list[str]
    count: int = 0
    devices: set[str] = field(default_factory=set)
    first: datetime | None = None
    end: datetime | None = None

    def survey(self) -> list[Finding]:
        """What is wrong with it; `count` is 0 when nothing of it can be taken."""
        findings, steps = [], Steps()
        try:
            for row in self._parsed():
                if isinstance(row, Finding):
                    findings.append(row)
                else:
                    self._note(row)
                    steps.add(row)
        except UnicodeDecodeError:
            self.count = 0
            return [Finding(str(self.path), "is not UTF-8 text", "Save it as CSV in UTF-8.")]
        if (apart := steps.finding()) is not None:
            self.count = 0
            return [apart]
        return findings

    def _note(self, row: Interval) -> None:
        self.count += 1
        self.devices.add(row.device)
        self.first, self.end = min(self.first or row.start, row.start), max(self.end or row.end, row.end)

    def batches(self) -> Iterator[list[Interval]]:
        """The good rows, some thousand at a time."""
        batch = []
        for row in self._parsed():
            if isinstance(row, Interval):
                batch.append(row)
            if len(batch) >= BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _parsed(self) -> Iterator[Interval | Finding]:
        with self.path.open(encoding="utf-8-sig", newline="") as lines:
            yield from parse_interval_csv(lines, self.now, self.known)


@dataclass(slots=True)
class _Import:
    """One import under way."""

    store: SqliteStore
    say: Callable[[str], None]
    result: Imported
    home: Site | None
    starts: set[datetime] = field(default_factory=set)
    """The quarter hours of which a device's energy came in."""

    async def run(self, source: _File) -> None:
        # The paper first: a change of bill data that nobody can trace must not exist.
        await self.store.append(AuditRow(source.now, "asked", "interval data", _words(source), source=SOURCE))
        for batch in source.batches():
            await self._take(batch)
            if self.result.rows < source.count:
                self.say(f"{self.result.rows} of {source.count} intervals so far")
        if self.home is None:
            self.result.underived = bool(self.starts)
        else:
            await self._derive(self.home)
        await self.store.prune(source.now)

    async def _take(self, batch: list[Interval]) -> None:
        there = await self._in_force(batch)
        wanted = []
        for row in batch:
            before = there.get((row.device, row.start))
            if before is not None and is_correction(before):
                self.result.corrected += 1
                continue
            if row.device not in (HOUSE, SOLAR):
                self.starts.add(row.start)
            self.result.rows += 1
            if row != before:
                wanted.append(row)
        await self.store.save_intervals(wanted)
        self.result.written += len(wanted)

    async def _in_force(self, batch: list[Interval]) -> dict[tuple[str, datetime], Interval]:
        starts: dict[str, list[datetime]] = defaultdict(list)
        for row in batch:
            starts[row.device].append(row.start)
        found = {}
        for device, times in starts.items():
            for row in await self.store.intervals(device, min(times), max(times) + timedelta(seconds=1)):
                found[device, row.start] = row
        return found

    async def _derive(self, home: Site) -> None:
        weeks: dict[int, list[datetime]] = defaultdict(list)
        for start in sorted(self.starts):
            weeks[int(start.timestamp()) // WEEK_S].append(start)
        for starts in weeks.values():
            rows = await derived(home, self.store, starts, imported_stands=True)
            await self.store.save_intervals(rows)
            self.result.derived += len(rows)


def _words(source: _File) -> str:
    devices = ", ".join(sorted(source.devices))
    return (
        f"{WHO} imports {source.count} rows of {devices} from {source.path.name}, "
        f"{source.first:%d %b %Y %H:%M} to {source.end:%d %b %Y %H:%M} UTC; corrections stay in force"
    )
