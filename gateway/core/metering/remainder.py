"""What no device measures by itself: the pseudo-devices "house" (the unmeasured remainder) and "solar"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality
from gateway.model.site import Device, Role, Site

HOUSE = "house"
SOLAR = "solar"
NOT_PARTS = (Role.MAIN_METER, Role.SUB_METER)
"""Sub-meters measure inside the remainder; all other devices are parts of their own."""

_WORST = (IntervalQuality.VALID, IntervalQuality.EDITED, IntervalQuality.ESTIMATED, IntervalQuality.MISSING)


def remainder(site: Site, quarter: Mapping[str, Interval], start: datetime) -> Interval | None:
    """The house's own load over one quarter hour: grid minus every measured part; None without a main meter.

    `quarter` holds the devices' intervals by id. A part that is missing stays inside the remainder, which is then an
    estimate; chargers are silent while they have no session and count as 0. An inverter's losses are in here too.
    """
    meters = site.of_role(Role.MAIN_METER)
    if not meters:
        return None
    grid = _known(quarter.get(meters[0].id))
    if grid is None:
        return _missing(HOUSE, start, "the main meter is missing")
    parts = [device for device in site.devices if device.role not in NOT_PARTS]
    known = [interval for device in parts if (interval := _known(quarter.get(device.id))) is not None]
    absent = [device.id for device in parts if _lacks(device, quarter)]
    net = _net(grid) - sum(_net(interval) for interval in known)
    quality = IntervalQuality.ESTIMATED if absent else worst([grid, *known])
    method = "grid minus parts" + (f", without {', '.join(absent)}" if absent else "")
    return Interval(HOUSE, start, INTERVAL_S, max(net, 0.0), max(0.0, -net), quality, method)


def solar(site: Site, quarter: Mapping[str, Interval], start: datetime) -> Interval | None:
    """All panels' production over one quarter hour, as `export_wh` >= 0; None when the site has no solar device.

    A hybrid inverter's panels are its "<id>/pv" interval (DC).
    """
    ids = [_panels(device) for device in site.of_role(Role.PV, Role.HYBRID_INVERTER)]
    if not ids:
        return None
    known = [interval for name in ids if (interval := _known(quarter.get(name))) is not None]
    if not known:
        return _missing(SOLAR, start, "nothing measured")
    made = max(0.0, -sum(_net(interval) for interval in known))
    quality = IntervalQuality.ESTIMATED if len(known) < len(ids) else worst(known)
    return Interval(SOLAR, start, INTERVAL_S, 0.0, made, quality, "sum of panels")


def worst(intervals: Iterable[Interval]) -> IntervalQuality:
    """The least trustworthy quality among some intervals; valid for none."""
    return max((interval.quality for interval in intervals), key=_WORST.index, default=IntervalQuality.VALID)


def _panels(device: Device) -> str:
    return f"{device.id}/pv" if device.role is Role.HYBRID_INVERTER else device.id


def _lacks(device: Device, quarter: Mapping[str, Interval]) -> bool:
    return device.role is not Role.EV_CHARGER and _known(quarter.get(device.id)) is None


def _known(interval: Interval | None) -> Interval | None:
    return None if interval is None or interval.net_wh is None else interval


def _net(interval: Interval) -> float:
    return interval.net_wh or 0.0


def _missing(name: str, start: datetime, method: str) -> Interval:
    return Interval(name, start, INTERVAL_S, None, None, IntervalQuality.MISSING, method)
