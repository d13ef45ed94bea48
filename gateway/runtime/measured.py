"""What a device was measured to use, with the quarter hours cut where events and reports begin and end."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from gateway.core.metering.cut import cut_at, whole_second
from gateway.core.metering.resample import quantities
from gateway.model.reading import INTERVAL_S, Interval
from gateway.ports import Store

QUARTER = timedelta(seconds=INTERVAL_S)


def quarter(when: datetime) -> datetime:
    """The start of the stored quarter hour that holds an instant."""
    return datetime.fromtimestamp(when.timestamp() // INTERVAL_S * INTERVAL_S, UTC)


async def measured(store: Store, device: str, edges: Collection[datetime]) -> list[Interval]:
    """A device's intervals from the first edge's quarter hour to the last edge, cut at the edges as its minutes say."""
    if not edges:
        return []
    intervals = await store.intervals(device, quarter(min(edges)), max(edges))
    inside = {quarter(edge) for edge in map(whole_second, edges) if edge != quarter(edge)}
    name, known = device.partition("/")[0], quantities(device)
    minutes = [
        row
        for start in sorted(inside if intervals and known else ())
        for row in await store.rollups(name, known[-1].value, start, start + QUARTER)
    ]
    return cut_at(intervals, edges, minutes)
