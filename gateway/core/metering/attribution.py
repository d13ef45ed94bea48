"""Attribution: where each device's energy came from, quarter by quarter and day by day: sun, battery or grid.

    sun + battery given + grid taken  =  devices + house + battery charged + given to the grid + losses

Within one quarter hour all consumers drink from one pot: each gets the mix of sun, battery and grid that was there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from gateway.core.metering.remainder import HOUSE, SOLAR, worst
from gateway.core.metering.resample import local_day
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality
from gateway.model.site import Role, Site

BATTERY, GRID, LOSSES = "battery", "grid", "losses"
"""Consumers that are no device: the battery charging, what is given to the grid, the inverter's own losses."""
_NOT_CONSUMERS = (Role.MAIN_METER, Role.SUB_METER, Role.PV, Role.BATTERY, Role.HYBRID_INVERTER)
_ROUNDING_WH = 1e-9

Quarter = Mapping[str, Interval]
"""The intervals of one quarter hour by series."""


@dataclass(frozen=True, slots=True)
class Share:
    """One consumer's energy, Wh >= 0; the four parts sum to `energy_wh`."""

    device: str
    energy_wh: float
    solar_wh: float
    battery_wh: float
    unknown_wh: float = 0.0
    """More was used than all known sources gave."""

    @property
    def grid_wh(self) -> float:
        """What came from the grid, Wh."""
        return max(0.0, self.energy_wh - self.solar_wh - self.battery_wh - self.unknown_wh)


@dataclass(frozen=True, slots=True)
class DayShares:
    """The shares of one local day [start, end), the largest first.

    `quarters` of the day are known, `missing` are not and count in nothing; `quality` is the worst of the known.
    """

    day: date
    start: datetime
    end: datetime
    shares: tuple[Share, ...]
    quarters: int
    missing: int
    quality: IntervalQuality

    @property
    def solar_wh(self) -> float:
        """What the panels gave, Wh."""
        return sum(share.solar_wh for share in self.shares)

    @property
    def battery_wh(self) -> float:
        """What the battery gave, Wh."""
        return sum(share.battery_wh for share in self.shares)

    @property
    def grid_wh(self) -> float:
        """What was taken from the grid, Wh."""
        return sum(share.grid_wh for share in self.shares)

    @property
    def kept_wh(self) -> float:
        """What the battery was charged with and did not give: kept for another day, or lost in it; may be negative."""
        return sum(share.energy_wh for share in self.shares if share.device == BATTERY) - self.battery_wh


def series(site: Site) -> list[str]:
    """The interval series that attribution looks at: devices, the sides of hybrids, "house" and "solar"."""
    sides = [f"{device.id}/{side}" for device in site.of_role(Role.HYBRID_INVERTER) for side in ("pv", "battery")]
    return [*(device.id for device in site.devices), *sides, HOUSE, SOLAR]


def attribute(site: Site, quarter: Quarter) -> tuple[Share, ...]:
    """The shares of every consumer of one quarter hour, those of no energy left out.

    Consumers are devices, "house" (the unmeasured remainder, without what sub-meters measure inside it), a charging
    "battery", "grid" for what is given to it, and "losses" for what is lost between panels, battery and home. The
    shares of each source sum to the source.
    """
    sources = _sources(site, quarter)
    given = sum(sources.values())
    consumers = dict(_consumers(site, quarter))
    used = sum(consumers.values())
    if given - used > _ROUNDING_WH * max(1.0, given):
        rest = _rest(site, quarter)
        consumers[rest] = consumers.get(rest, 0.0) + given - used
        used = given
    return tuple(_share(name, energy, used, sources) for name, energy in consumers.items() if energy > 0)


def _rest(site: Site, quarter: Quarter) -> str:
    """Who used what no consumer shows: the inverters, unless one did not tell what it gave to the home."""
    hybrids = [quarter.get(device.id) for device in site.of_role(Role.HYBRID_INVERTER)]
    told = all(interval is not None and interval.net_wh is not None for interval in hybrids)
    return LOSSES if hybrids and told else HOUSE


def attribute_day(site: Site, quarters: Iterable[Quarter]) -> tuple[Share, ...]:
    """The shares of several quarter hours, each attributed by itself and then summed, the largest first."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * 4)
    for quarter in quarters:
        for share in attribute(site, quarter):
            parts = (share.energy_wh, share.solar_wh, share.battery_wh, share.unknown_wh)
            sums[share.device] = [a + b for a, b in zip(sums[share.device], parts, strict=True)]
    shares = (Share(name, *parts) for name, parts in sums.items())
    return tuple(sorted(shares, key=lambda share: -share.energy_wh))


def daily_shares(
    site: Site, intervals_by_device: Mapping[str, Iterable[Interval]], zone: ZoneInfo
) -> dict[date, DayShares]:
    """The shares of each local day that the intervals of `series(site)` touch; days have 92 to 100 quarter hours."""
    days: dict[date, dict[datetime, dict[str, Interval]]] = defaultdict(lambda: defaultdict(dict))
    for name, intervals in intervals_by_device.items():
        for interval in intervals:
            days[interval.start.astimezone(zone).date()][interval.start][name] = interval
    return {day: _day(site, day, list(days[day].values()), zone) for day in sorted(days)}


def _day(site: Site, day: date, quarters: Sequence[Quarter], zone: ZoneInfo) -> DayShares:
    start, end = local_day(day, zone)
    known = [quarter for quarter in quarters if _is_known(quarter)]
    missing = round((end - start).total_seconds()) // INTERVAL_S - len(known)
    quality = worst(_balance(quarter) for quarter in known) if known else IntervalQuality.MISSING
    return DayShares(day, start, end, attribute_day(site, known), len(known), missing, quality)


def _is_known(quarter: Quarter) -> bool:
    return HOUSE in quarter and quarter[HOUSE].net_wh is not None


def _balance(quarter: Quarter) -> Interval:
    """The interval that vouches for the whole quarter: the house carries the worst quality of its parts."""
    return quarter[HOUSE]


def _sources(site: Site, quarter: Quarter) -> dict[str, float]:
    meters = (device.id for device in site.of_role(Role.MAIN_METER))
    return {
        SOLAR: _amount(quarter, SOLAR, given=True),
        BATTERY: sum(_amount(quarter, name, given=True) for name in _batteries(site)),
        GRID: sum(_amount(quarter, name, given=False) for name in meters),
    }


def _share(name: str, energy: float, used: float, sources: Mapping[str, float]) -> Share:
    # More used than given: what nobody gave is a source of its own, shared like the others.
    part = energy / used
    unknown = max(0.0, used - sum(sources.values()))
    return Share(name, energy, sources[SOLAR] * part, sources[BATTERY] * part, unknown * part)


def _consumers(site: Site, quarter: Quarter) -> list[tuple[str, float]]:
    rows = [
        (device.id, _amount(quarter, device.id, given=False))
        for device in site.devices
        if device.role not in _NOT_CONSUMERS
    ]
    rows += _inside_house(site, quarter)
    rows.append((BATTERY, sum(_amount(quarter, name, given=False) for name in _batteries(site))))
    meters = (device.id for device in site.of_role(Role.MAIN_METER))
    rows.append((GRID, sum(_amount(quarter, name, given=True) for name in meters)))
    return rows


def _inside_house(site: Site, quarter: Quarter) -> list[tuple[str, float]]:
    """The sub-meters, and what they leave of the house.

    What they show beyond the house is measured a second time by devices of their own, and left out here.
    """
    house = _amount(quarter, HOUSE, given=False)
    subs = [(device.id, _amount(quarter, device.id, given=False)) for device in site.of_role(Role.SUB_METER)]
    measured = sum(energy for _, energy in subs)
    scale = min(1.0, house / measured) if measured > 0 else 0.0
    rows = [(name, energy * scale) for name, energy in subs]
    return [*rows, (HOUSE, max(0.0, house - sum(energy for _, energy in rows)))]


def _batteries(site: Site) -> list[str]:
    hybrids = [f"{device.id}/battery" for device in site.of_role(Role.HYBRID_INVERTER)]
    return [device.id for device in site.of_role(Role.BATTERY)] + hybrids


def _amount(quarter: Quarter, name: str, *, given: bool) -> float:
    interval = quarter.get(name)
    if interval is None:
        return 0.0
    return (interval.export_wh if given else interval.import_wh) or 0.0
