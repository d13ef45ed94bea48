"""The home's energy as pages, API and exports show it: intervals of any length, and where each Wh came from."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from gateway.core.metering.attribution import BATTERY, GRID, LOSSES, attribute_day, series
from gateway.core.metering.green_button import Source, green_button
from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.core.metering.resample import DAY_S, FIVE_MINUTES_S, LENGTHS_S, local_day, quantities, resample
from gateway.model.errors import WishRefused
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality
from gateway.model.site import Site
from gateway.ports import Clock, IntervalStore, ReadingStore, Store


@dataclass(frozen=True, slots=True)
class Consumer:
    """One consumer's energy over a day, Wh >= 0, and its parts by source, which sum to it.

    `device` "house" is what no device measures, "battery" what charged it, "grid" what was fed in.
    """

    device: str
    name: str
    energy_wh: float
    solar_wh: float
    battery_wh: float
    grid_wh: float
    unknown_wh: float
    """What cannot be told, because a source was not measured."""


@dataclass(frozen=True, slots=True)
class EnergyDay:
    """One local day [start, end): its consumers, its sources in Wh >= 0, and how far it was measured.

    `quarters` have passed, of which `missing` lack the main meter and count in nothing, `estimated` were not fully
    measured, and `edited` hold a person's correction.
    """

    day: date
    start: datetime
    end: datetime
    consumers: tuple[Consumer, ...]
    solar_wh: float
    battery_wh: float
    grid_wh: float
    quarters: int
    missing: int
    estimated: int
    edited: int


class Readings(ReadingStore, IntervalStore, Protocol):
    """What has been measured: roll-ups and intervals."""


@dataclass(slots=True)
class EnergyHistory:
    """Reads interval data back from the store."""

    site: Site
    clock: Clock
    store: Store

    async def intervals(self, device: str, start: datetime, end: datetime, resolution_s: int) -> list[Interval]:
        """Intervals of 5, 15, 30 or 60 minutes or of local days (86,400 s) that start in [start, end).

        Raises WishRefused for another length.
        """
        return await read_intervals(self.store, self.site.timezone, device, start, end, resolution_s)

    async def green_button(self, device: str, start: datetime, end: datetime, resolution_s: int) -> Iterator[str]:
        """A device's intervals as a Green Button feed, in pieces."""
        rows = await self.intervals(device, start, end, resolution_s)
        source = Source(self.site.name, self.site.timezone, device, device_name(self.site, device))
        return green_button(source, rows, self.clock.now())

    async def day(self, day: date) -> EnergyDay:
        """Where the energy of one local day came from, as far as it has passed."""
        start, end = local_day(day, self.site.timezone)
        now = self.clock.now()
        # The quarter hour that has just ended may not be on disk yet.
        passed = max(0, int((min(end, now - timedelta(seconds=INTERVAL_S)) - start) / timedelta(seconds=INTERVAL_S)))
        return energy_day(self.site, day, await self._quarters(start, min(end, now)), passed)

    async def _quarters(self, start: datetime, end: datetime) -> dict[datetime, dict[str, Interval]]:
        quarters: dict[datetime, dict[str, Interval]] = defaultdict(dict)
        for name in series_of(self.site):
            for row in await self.store.intervals(name, start, end):
                quarters[row.start][name] = row
        return quarters


async def read_intervals(
    store: Readings, zone: ZoneInfo, device: str, start: datetime, end: datetime, resolution_s: int
) -> list[Interval]:
    """Stored intervals of one series in another length, s; raises WishRefused for one that is not kept."""
    if resolution_s not in LENGTHS_S:
        known = ", ".join(str(length) for length in LENGTHS_S)
        raise WishRefused(f"Intervals of {resolution_s} s are not kept. Known lengths: {known} s.")
    # The last one needs all its parts, the first is left out when it began before.
    reach = timedelta(hours=25) if resolution_s == DAY_S else timedelta(seconds=resolution_s)
    since = _whole(start)
    rows = await store.intervals(device, since, end + reach)
    rollups = {}
    if resolution_s == FIVE_MINUTES_S:
        owner = device.partition("/")[0]
        for quantity in quantities(device):
            rollups[quantity] = await store.rollups(owner, quantity.value, since - timedelta(minutes=1), end + reach)
    # A year of rows would hold up the tick.
    found = await asyncio.to_thread(resample, rows, resolution_s, zone, rollups)
    return [row for row in found if start <= row.start < end]


def series_of(site: Site) -> list[str]:
    """Every series of interval data the home keeps: devices, both sides of hybrids, "house" and "solar"."""
    return series(site)


def device_name(site: Site, name: str) -> str:
    """What a person reads for a series of interval data."""
    device = site.device(name.partition("/")[0])
    own = {
        HOUSE: "House, not measured by itself",
        SOLAR: "Solar panels",
        BATTERY: "Into the battery",
        GRID: "Fed into the grid",
        LOSSES: "Lost in the inverter",
    }
    if device is None:
        return own.get(name, name)
    side = {"pv": " (panels)", "battery": " (battery)"}
    return device.name + side.get(name.partition("/")[2], "")


def energy_day(site: Site, day: date, quarters: Mapping[datetime, Mapping[str, Interval]], passed: int) -> EnergyDay:
    """The day's sums: each quarter hour is attributed by itself, so that sun at noon feeds nobody at night.

    `passed` quarter hours of the day are over.
    """
    known = [quarter for quarter in quarters.values() if HOUSE in quarter and quarter[HOUSE].net_wh is not None]
    consumers = [
        Consumer(
            share.device,
            device_name(site, share.device),
            share.energy_wh,
            share.solar_wh,
            share.battery_wh,
            share.grid_wh,
            share.unknown_wh,
        )
        for share in attribute_day(site, known)
    ]
    consumers.sort(key=lambda consumer: consumer.device == GRID)
    rows = [quarter[HOUSE] for quarter in known]
    start, end = local_day(day, site.timezone)
    return EnergyDay(
        day,
        start,
        end,
        tuple(consumers),
        sum(consumer.solar_wh for consumer in consumers),
        sum(consumer.battery_wh for consumer in consumers),
        sum(consumer.grid_wh for consumer in consumers),
        max(passed, len(quarters)),
        max(passed, len(quarters)) - len(known),
        sum(row.quality is IntervalQuality.ESTIMATED for row in rows),
        sum(row.quality is IntervalQuality.EDITED for row in rows),
    )


def _whole(when: datetime) -> datetime:
    """The quarter hour that holds `when`."""
    return datetime.fromtimestamp(when.timestamp() // INTERVAL_S * INTERVAL_S, UTC)
