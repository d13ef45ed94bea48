"""When an event lets go of the home: at its end, and where the home or a device leaves it before; each is a step of its record."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.core.demand_response.schedule import event_span
from gateway.core.demand_response.timeline import phase_of
from gateway.model.dr import EventPhase, EventRecord, OptState
from gateway.model.errors import StoreError

if TYPE_CHECKING:
    from gateway.runtime.demand_response import DemandResponse

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=7)
"""After a restart an end that was slept through is recorded for so long; the record itself tells when that was."""
IN = (OptState.JOINED, OptState.BINDING)


def leaves(before: EventRecord | None, record: EventRecord) -> bool:
    """Whether the home took part and now does not."""
    took_part = before is not None and before.opt in IN and before.cancelled_at is None
    return took_part and record.opt not in IN


def set_aside(before: EventRecord | None, record: EventRecord) -> list[str]:
    """The devices for which the owner has just set the event aside."""
    known = before.overridden_devices if before is not None else ()
    return [device for device in record.overridden_devices if device not in known]


async def release_ended(dr: DemandResponse, live: Collection[str] | None) -> set[str]:
    """Record the end of what was `live` at the last look (None: after a start) and is over; return what is live now."""
    now, zone = dr.clock.now(), dr.site.timezone
    still = set[str]()
    for record in list(dr.records.values()):
        if record.opt not in IN or record.cancelled_at is not None:
            continue
        phase = phase_of(record, now, zone)
        if phase in (EventPhase.UPCOMING, EventPhase.ACTIVE):
            still.add(record.key)
        elif phase is EventPhase.ENDED and (record.key in live if live is not None else _ended_of_late(dr, record)):
            try:
                await dr.chain_released(record, reason="the event is over")
            except StoreError as error:
                log.error("the end of %s is not in its record yet: %s", record.key, error)
                still.add(record.key)
    return still


def _ended_of_late(dr: DemandResponse, record: EventRecord) -> bool:
    span = event_span(record, dr.site.timezone)
    return span is not None and span[1] is not None and span[1] > dr.clock.now() - LOOK_BACK
