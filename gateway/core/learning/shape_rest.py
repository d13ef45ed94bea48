"""What of a day's energy the devices of the site file do not explain: only that can be a sign of something new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from gateway.core.learning.hours import summed
from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.model.shapes import DriftKind
from gateway.model.site import Role, Site

METERS = (Role.MAIN_METER, Role.SUB_METER, Role.GRID_LIMIT)
"""They use and make nothing themselves."""
SUN = (Role.PV, Role.HYBRID_INVERTER)
STORES = (Role.BATTERY, Role.HYBRID_INVERTER)
OWN_KIND = {
    Role.PV: DriftKind.NEW_PV,
    Role.HYBRID_INVERTER: DriftKind.NEW_PV,
    Role.EV_CHARGER: DriftKind.NEW_EV,
    Role.HEAT_PUMP: DriftKind.NEW_HEAT_PUMP,
}


@dataclass(frozen=True, slots=True)
class Rest:
    """A day without the devices that were measured by themselves: 23 to 25 hourly net Wh, None where not measured.

    `parts` are the series that were taken out, `explained` the kinds of change that a device of the site file explains.
    `imported`: the day was brought in, and may hold what the hub measures by itself.
    """

    hours_wh: Sequence[float | None]
    parts: frozenset[str] = frozenset()
    imported: bool = False
    explained: frozenset[DriftKind] = frozenset()


def rest_of(
    site: Site, hours: Mapping[str, Sequence[float | None]], before: AbstractSet[str], imported: bool = False
) -> Rest:
    """The rest of a day of one home; `hours` by series, with "house", and `before` the parts measured until then."""
    parts = frozenset(name for name, row in hours.items() if name != HOUSE and any(wh is not None for wh in row))
    explained = set()
    for device in site.devices:
        if device.role in OWN_KIND:
            explained.add(OWN_KIND[device.role])
        # A charger is silent while it has no session.
        known = parts | before if device.role is Role.EV_CHARGER else parts
        measured = device.id in known or (device.role in SUN and SOLAR in parts)
        if device.role not in METERS and not measured:
            explained |= {DriftKind.NEW_EV, DriftKind.NEW_HEAT_PUMP}
            explained |= {DriftKind.NEW_PV} if device.role in STORES else set()
    return Rest(hours[HOUSE], parts, imported, frozenset(explained))


def whole(site: Site, hours: Mapping[str, Sequence[float | None]]) -> list[float | None]:
    """The day as the home lives it, hourly net Wh: the house, the sun and every device but batteries."""
    stores = {device.id for device in site.of_role(*SUN, *STORES)}
    return summed(hours[HOUSE], [row for name, row in hours.items() if name != HOUSE and name not in stores])
