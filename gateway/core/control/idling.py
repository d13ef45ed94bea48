"""Cars that may charge and do not: a full car that stays plugged in keeps no battery from the room it was granted.

It counts with its least current: so much it finds when it wakes, and for what it was granted beyond, its own limit
follows what the battery takes. Should it wake before that, battery and car are cut as in any overload.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.core.control.draws import spec_of, takes
from gateway.core.control.timing import ControlTiming
from gateway.model.site import Role, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus, Snapshot


def idle_since(site: Site, snapshot: Snapshot, before: Mapping[str, float], mono: float) -> dict[str, float]:
    """Since when each charger that draws nothing does so, monotonic home s; one that is not heard is not known to."""
    found = {}
    for charger in site.of_role(Role.EV_CHARGER):
        status = snapshot.chargers.get(charger.id)
        if status is not None and _rests(status) and charger.id not in snapshot.disobeying:
            found[charger.id] = before.get(charger.id, mono)
    return found


def counted(
    site: Site, granted: Mapping[str, float], idle: Mapping[str, float], timing: ControlTiming, mono: float
) -> dict[str, float]:
    """What each charger counts with beside a battery, A per phase: its grant, an idle one's least current at most."""
    amps = dict(granted)
    for charger in site.of_role(Role.EV_CHARGER):
        if charger.id in amps and mono - idle.get(charger.id, mono) >= timing.idle_s:
            amps[charger.id] = min(amps[charger.id], spec_of(charger).min_current_a)
    return amps


def _rests(status: ChargerStatus) -> bool:
    """By its sample while that is fresh, else by what its charger says of it."""
    fresh = status.meter_age_s is not None and status.meter_age_s <= 2 * status.sample_interval_s
    if fresh and any(amps is not None for amps in status.current_a):
        return status.connected and not takes(status)
    return status.connected and status.phase in (ChargePhase.AVAILABLE, ChargePhase.PLUGGED)
