"""What a charge point does at each tick of one connector: follow its car, its limit and its meter."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.connector import Connector
from firmware_sim.ocppj.limiting import really, told
from firmware_sim.ocppj.line import UNREACHABLE

if TYPE_CHECKING:
    from firmware_sim.ocppj.station import Station

ALONE_AFTER_S = 4.0
"""Real seconds without a line after which a plugged car is served offline (section 3.5)."""


def follow_car(station: Station, connector: Connector, now: datetime) -> None:
    """Begin a transaction where a car waits for one, end it where the car is gone."""
    if not connector.car.plugged:
        if connector.transaction:
            station.end(connector, "EVDisconnected")
        connector.finished = connector.stuck = False
        return
    if connector.transaction or not _usable(station, connector) or connector.authorizing:
        return
    wish = connector.remote_start
    if wish and (now - wish.at).total_seconds() <= station.interval_s("connection"):
        connector.remote_start = None
        station.begin(connector, wish.tag, wish)
    elif not connector.finished and not _waits_for_remote_start(station) and _may_ask(station):
        connector.authorizing = True
        station.later(_authorize_and_begin(station, connector))


def follow_limit(station: Station, connector: Connector, now: datetime) -> None:
    """Offer the car what the profiles allow, or what the firmware makes of them."""
    if connector.transaction is None:
        connector.offered_a = 0.0
        connector.set_pilot(0.0, connector.pilot[1])
    elif quirks.LIE not in station.quirks or connector.pilot[0] == 0.0:
        amps, phases = told(connector, station.profiles, station.options, station.quirks, now)
        connector.offered_a = amps
        connector.set_pilot(really(amps, station.options, station.quirks), phases)


def follow_status(station: Station, connector: Connector, now: datetime) -> None:
    """Tell a status that is another than the last."""
    status = connector.status_at(now, station.operative)
    if status != connector.status:
        connector.status = status
        station.tell_status(connector)
        if connector.transaction:
            station.tell_state(connector)


def measure(station: Station, connector: Connector, now: datetime) -> None:
    """Tell the samples that are due."""
    mute = bool(station.quirks & {quirks.METER_ON_TRIGGER, quirks.METER_SILENT})
    every_s, last = station.interval_s("sample"), connector.sampled_at
    if connector.transaction and every_s > 0 and (last is None or (now - last).total_seconds() >= every_s):
        connector.sampled_at = now
        if not mute:
            station.tell_values(connector, "Sample.Periodic")
    aligned_s = station.interval_s("aligned")
    if aligned_s > 0:
        slot = int(now.timestamp() // aligned_s)
        if connector.aligned_at not in (None, slot) and not mute:
            station.tell_values(connector, "Sample.Clock")
        connector.aligned_at = slot


def _usable(station: Station, connector: Connector) -> bool:
    return station.operative and connector.operative and not connector.stuck and not connector.broken


def _waits_for_remote_start(station: Station) -> bool:
    return station.options.wait_for_remote_start or quirks.NEEDS_REMOTE_START in station.quirks


def _may_ask(station: Station) -> bool:
    """Ask the central system when it is there; go on alone once it has been away for a while."""
    return (station.booted and station.line.up) or station.line.down_s > ALONE_AFTER_S


async def _authorize_and_begin(station: Station, connector: Connector) -> None:
    try:
        accepted = await station.authorized(station.options.tag)
    except UNREACHABLE:
        accepted = True  # LocalAuthorizeOffline
    if accepted and connector.car.plugged and connector.transaction is None:
        station.begin(connector, station.options.tag)
    elif not accepted:
        await station.clock.sleep(10.0, 0.2)
    connector.authorizing = False
