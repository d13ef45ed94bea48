"""Storm hold: the owner wants the battery full, and kept so, for when the grid may fail.

It is a limit of protection's authority, so that the tick obeys it and the plan reckons with it; it ends by itself.
"""

from __future__ import annotations

from datetime import datetime

from gateway.model.authority import Authority
from gateway.model.preferences import Preferences
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import BatterySpec, Role, Site

SOURCE = "storm hold"


def storm_limits(site: Site, preferences: Preferences, now: datetime) -> tuple[Limit, ...]:
    """One limit per battery from `now` to the end of the hold; none when there is no hold."""
    until = preferences.storm_until
    if until is None or until <= now:
        return ()
    words = f"You want the battery full until {until.astimezone(site.timezone):%A %H:%M}"
    return tuple(
        Limit(
            LimitKind.BATTERY_SETPOINT, device.spec.max_charge_w, now, until, Authority.PROTECTION, SOURCE, words, device.id
        )
        for device in site.of_role(Role.BATTERY, Role.HYBRID_INVERTER)
        if isinstance(device.spec, BatterySpec)
    )  # fmt: skip
