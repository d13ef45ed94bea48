"""The pseudo-devices "house" and "solar", made anew where the intervals they follow from have changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from gateway.core.metering.csv_rows import IMPORTED
from gateway.core.metering.remainder import remainder, solar
from gateway.model.reading import INTERVAL_S, Interval
from gateway.model.site import Site
from gateway.ports import IntervalStore
from gateway.runtime.energy import series_of


async def derived(
    site: Site,
    store: IntervalStore,
    starts: Collection[datetime],
    rows: Iterable[Interval] = (),
    *,
    imported_stands: bool = False,
) -> list[Interval]:
    """What changes in "house" and "solar" of the quarter hours `starts`, from what is in force and `rows` above it.

    What was imported is never superseded by what is not known, with `imported_stands` by nothing. Raises StoreError.
    """
    if not starts:
        return []
    quarters: dict[datetime, dict[str, Interval]] = {start: {} for start in starts}
    begin, end = min(starts), max(starts) + timedelta(seconds=INTERVAL_S)
    found = [row for name in series_of(site) for row in await store.intervals(name, begin, end)]
    for row in [*found, *rows]:
        if row.start in quarters:
            quarters[row.start][row.device] = row
    return [
        made
        for start, quarter in quarters.items()
        for make in (remainder, solar)
        if (made := make(site, quarter, start)) is not None
        and _changes(made, quarter.get(made.device), imported_stands)
    ]


def _changes(made: Interval, before: Interval | None, imported_stands: bool) -> bool:
    """Whether a row made anew has anything to say beside the one in force."""
    if before is None:
        return made.net_wh is not None
    if before.method == IMPORTED and (imported_stands or made.net_wh is None):
        return False
    return made != before
