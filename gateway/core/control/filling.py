"""What a storm hold still asks for comes before the cars: a battery is filled first, a car gets what is left.

    fuse 25 A:  house 5 | kept for the battery 7 | cars 13          car at "now": 20 A -> 13 A
                house 5 | battery takes them   7 | cars 13          once it charges the meter shows it

The hold has protection's authority (3); a car's mode, "now" included, is the plan's (7), its override 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.core.control.circuits import MAIN, Lane
from gateway.core.control.storage import own_wish, power_of
from gateway.core.control.storm import SOURCE, storm_limits
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.model.snapshot import Snapshot

WORDS = "the battery is filled first, for the storm"
LEAST_W = 100.0
"""Less than this is not worth cutting a car for, W."""


def lanes_beside_storm(site: Site, snapshot: Snapshot, lanes: Sequence[Lane]) -> tuple[Lane, ...]:
    """The lanes as cars may use them: without what batteries still lack of the charge a storm hold asks for."""
    if not storm_limits(site, snapshot.preferences, snapshot.now, snapshot):
        return tuple(lanes)
    lacking = list(_lacking(site, snapshot))
    return tuple(_less(site, lane, lacking) for lane in lanes) if lacking else tuple(lanes)


def _lacking(site: Site, snapshot: Snapshot) -> Iterable[tuple[Device, float]]:
    """Each battery that is heard and obeys, with the charge it is to have and has not, W."""
    for device in site.of_role(Role.BATTERY, Role.HYBRID_INVERTER):
        power_w = power_of(snapshot, device)
        if not isinstance(device.spec, BatterySpec) or device.id in snapshot.let_go or power_w is None:
            continue
        wish = own_wish(site, snapshot, device)
        lacks_w = wish.low - max(0.0, power_w)
        if wish.source == SOURCE and lacks_w > LEAST_W:
            yield device, lacks_w


def _less(site: Site, lane: Lane, lacking: Iterable[tuple[Device, float]]) -> Lane:
    kept_w = sum(lacks_w for device, lacks_w in lacking if _is_above(site, lane, device))
    if kept_w <= 0:
        return lane
    kept = kept_w / site.phases / site.nominal_voltage_v if lane.phase else kept_w
    return replace(
        lane, least=lane.least - kept, most=lane.most - kept, likely=lane.likely - kept, reason=WORDS, kept=True
    )


def _is_above(site: Site, lane: Lane, battery: Device) -> bool:
    """Whether the charge goes through this fuse; a circuit without a meter counts its battery by its rating already."""
    above = {MAIN, *(circuit.id for circuit in site.above(battery.circuit) if circuit.meter)}
    return lane.circuit in above and (lane.phase or 1) <= site.phases
