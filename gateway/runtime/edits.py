"""Corrections of interval data by a person, and their undoing: checked, audited, committed, never overwriting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.core.metering.edit import Correction, before_last_edit, check_correction, corrected
from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.model.audit import AuditRow
from gateway.model.errors import WishRefused
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.site import Site
from gateway.ports import Clock, Store
from gateway.runtime.derive import derived
from gateway.runtime.energy import device_name, series_of

SOURCE = "interval data"


@dataclass(slots=True)
class Edits:
    """Corrects intervals as new rows of quality edited and undoes them as new rows again.

    The unmeasured remainder and the sum of the panels are made anew in the same transaction.
    """

    site: Site
    clock: Clock
    store: Store
    on_change: Callable[[], None]
    writing: asyncio.Lock
    """Held while interval data are written, by whoever writes them: no automatic row slips in between."""

    async def correct(self, correction: Correction, who: str) -> str:
        """Correct a span of one device's intervals; returns what happened, raises WishRefused or StoreError."""
        self._check_device(correction.device)
        check_correction(correction, self.clock.now())
        async with self.writing:
            rows = {row.start: row for row in await self._rows(correction.device, correction.start, correction.end)}
            edited = corrected(correction, rows, who)
            words = f"{self._span(edited)}: {_change(list(rows.values()), edited)}"
            await self._note(correction.device, f"{who} corrects {words}. Reason: {correction.reason.strip()}")
            await self._replace(edited)
        return f"{device_name(self.site, correction.device)}, {words}."

    async def undo(self, device: str, start: datetime, end: datetime, who: str) -> str:
        """Put in force again what the edits in [start, end) set aside; raises WishRefused when there are none."""
        self._check_device(device)
        async with self.writing:
            now = [row for row in await self._rows(device, start, end) if row.quality is IntervalQuality.EDITED]
            kept = [before_last_edit(await self.store.interval_history(device, row.start)) for row in now]
            back = [row for row in kept if row is not None]
            if not back:
                raise WishRefused("There is no correction to undo in that time.")
            words = f"{self._span(back)}: {_change(now, back)}"
            await self._note(device, f"{who} undoes the correction of {words}")
            await self._replace(back)
        return f"{device_name(self.site, device)}: the correction is undone. {words[:1].upper()}{words[1:]}."

    async def _replace(self, rows: list[Interval]) -> None:
        """Write rows that supersede, and what is derived of them, in one transaction."""
        follow = await derived(self.site, self.store, [row.start for row in rows], rows)
        await self.store.save_intervals([*rows, *follow])
        self.on_change()

    async def _rows(self, device: str, start: datetime, end: datetime) -> list[Interval]:
        return await self.store.intervals(device, start, end)

    async def _note(self, device: str, text: str) -> None:
        # The paper first: a change of bill data that nobody can trace must not exist.
        await self.store.append(AuditRow(self.clock.now(), "asked", device, text, source=SOURCE))

    def _check_device(self, device: str) -> None:
        if device in (HOUSE, SOLAR):
            raise WishRefused(f"'{device}' follows from the other devices: correct the one that is wrong.")
        if device not in editable(self.site):
            raise WishRefused(f"There is no device '{device[:100]}'.")

    def _span(self, rows: list[Interval]) -> str:
        zone = self.site.timezone
        what = "1 interval" if len(rows) == 1 else f"{len(rows)} intervals"
        return f"{what} from {local_words(rows[0].start, zone)} to {local_words(rows[-1].end, zone)}"


def editable(site: Site) -> list[str]:
    """The series of interval data that are measured and so can be corrected."""
    return [name for name in series_of(site) if name not in (HOUSE, SOLAR)]


def local_words(when: datetime, zone: ZoneInfo) -> str:
    """Local date and time in words; in the hour that comes twice with its offset from UTC, which tells the two apart."""
    local = when.astimezone(zone)
    words = f"{local:%d %b %Y %H:%M}"
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{words} (UTC{local.isoformat()[-6:]})" if twice else words


def _change(before: list[Interval], after: list[Interval]) -> str:
    """What changes, both directions with their sums in Wh: "taken 1234 Wh (before: 1200 Wh)"."""
    taken = _words("taken", [row.import_wh for row in before], [row.import_wh for row in after])
    given = _words("given", [row.export_wh for row in before], [row.export_wh for row in after])
    return ", ".join(words for words in (taken, given) if words) or "nothing measured"


def _words(way: str, before: list[float | None], after: list[float | None]) -> str:
    old, new = _sum(before), _sum(after)
    return "" if old == new else f"{way} {_wh(new)} (before: {_wh(old)})"


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 3) if known else None


def _wh(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} Wh"
