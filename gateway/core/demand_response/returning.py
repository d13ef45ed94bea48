"""After an event devices return in steps, each home and device at its own moment, so that no new peak is made.

    event       |======= pause =======|
    car         |======= 0 W =========|== 0 W ==|= half =|  as the owner wants it now
                                      end       | delay: drawn from home, device and event, 0 to return_s
    thermostat  |======= -2 K ========|==== -1 K ========|
    battery     |===== discharge =====|= no charging from the grid =|

Interpretations: a return is a joined request, whatever the event was, so comfort, departure and the owner's override come
before it; an event that was withdrawn, skipped or set aside has no return.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.core.demand_response.device_limits import most_w
from gateway.model.authority import Authority
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import Role, Site

STEP = timedelta(seconds=60)
SHARE = 0.1
"""A return takes at most this share of the time that was held: what was short has little to make up for."""
HELD = (LimitKind.DEVICE_POWER, LimitKind.TANK_SHED, LimitKind.TEMPERATURE_OFFSET, LimitKind.BATTERY_DISCHARGE)


def returns(limits: Sequence[Limit], site: Site, return_s: float) -> Iterator[Limit]:
    """The limits that follow those of `limits` that end with nothing of their kind behind them."""
    if return_s <= 0:
        return
    for limit in limits:
        if (
            limit.kind not in HELD
            or not limit.device
            or (limit.kind is LimitKind.TEMPERATURE_OFFSET and limit.value > 0)
        ):
            continue
        followed = any(
            other.kind is limit.kind and other.device == limit.device and other.start <= limit.end < other.end
            for other in limits
        )
        if not followed:
            yield from _return(limit, site, return_s)


def _return(limit: Limit, site: Site, return_s: float) -> Iterator[Limit]:
    begin, whole = limit.end, min(timedelta(seconds=return_s), (limit.end - limit.start) * SHARE)
    delay = whole * _share(site.name, limit.device, limit.source, begin.isoformat())
    if limit.kind is LimitKind.TEMPERATURE_OFFSET:
        yield _after(limit, begin, begin + whole, limit.value / 2, site)
    elif limit.kind is LimitKind.BATTERY_DISCHARGE:
        yield _after(limit, begin, begin + whole, 1.0, site)
    else:
        yield _after(limit, begin, begin + delay, limit.value, site)
        device = site.device(limit.device)
        if device is not None and device.role is Role.EV_CHARGER:
            half = (limit.value + (most_w(device, site) or 0.0)) / 2
            yield _after(limit, begin + delay, begin + delay + min(STEP, whole), half, site)


def _after(limit: Limit, start: datetime, end: datetime, value: float, site: Site) -> Limit:
    words = f"The event is over; it returns in steps until {end.astimezone(site.timezone):%H:%M}."
    return replace(limit, start=start, end=end, value=value, authority=Authority.DEMAND_RESPONSE, reason=words)


def _share(*parts: str) -> float:
    """A number in [0, 1) that is the same for the same parts."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
