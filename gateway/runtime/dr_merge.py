"""A complete listing of one server's events, merged into what the home knows: new, changed, withdrawn, replayed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.core.demand_response.opt import asks_action, not_understood
from gateway.core.demand_response.timeline import draw_shifts
from gateway.model.dr import DrEvent, DrProgram, EventRecord, OptState

if TYPE_CHECKING:
    from gateway.runtime.demand_response import DemandResponse

log = logging.getLogger(__name__)

CLOCK_WRONG_S, CLOCK_APART_S = 30.0, 5.0
"""From these differences to the server's clock events to the second are not joined, and a person is told."""
OLDER_LOOKS = 20
"""Looks in a row, a third of an hour at the usual pace."""
CLOCK_WORDS = "The utility's clock and this home's are apart by"


async def merge_programs(dr: DemandResponse, server: str, programs: Sequence[DrProgram]) -> bool:
    """Take up a server's programs; those it lists no more stay as long as an event of theirs is known."""
    before = dict(dr.programs)
    for program in programs:
        dr.programs[program.key] = program
    listed = {program.key for program in programs}
    used = {record.event.program_key for record in dr.records.values()}
    for key, program in before.items():
        if program.server == server and key not in listed | used:
            del dr.programs[key]
    return before != dr.programs


async def merge_events(dr: DemandResponse, server: str, events: Sequence[DrEvent]) -> bool:
    """Take up a complete listing; True when anything changed. What is missing in it was withdrawn (User Guide 7.9)."""
    unread = dr.facts(server).unread
    listed, changed = {event.id for event in events} | set(unread), False
    for event in events:
        changed |= await _event(dr, event)
    for record in list(dr.records.values()):
        # Beside one without an id nothing is known to be missing.
        gone = record.event.server == server and record.event.id not in listed and record.cancelled_at is None
        gone = gone and "" not in unread
        if gone and not dr.over(record):
            await dr.cancel(record, "cancelled by the utility")
            changed = True
    return changed


async def _event(dr: DemandResponse, event: DrEvent) -> bool:
    known = dr.records.get(event.key)
    if known is None:
        await _received(dr, event)
        return True
    if known.event.fingerprint == event.fingerprint and known.cancelled_at is None:
        dr.older.pop(event.key, None)
        return await _clock_mended(dr, known)
    if _is_replay(dr, known, event):
        return False
    await _changed(dr, known, event)
    return True


async def _received(dr: DemandResponse, event: DrEvent) -> None:
    now = dr.clock.now()
    record = EventRecord(event, now, draw_shifts(event, dr.site.name, now))
    record = record.with_opt(*_decided(dr, event))
    await dr.keep(record, "asked", f"event '{event.name or event.id}' received")
    await dr.tell_decision(record)


async def _changed(dr: DemandResponse, known: EventRecord, event: DrEvent) -> None:
    """The anchor and the owner's own word stay; what could not be decided before may be clear now.

    One that was withdrawn and is announced again is a new announcement: "now" means now.
    """
    anchor = known.first_seen if known.cancelled_at is None else dr.clock.now()
    shifts = draw_shifts(event, dr.site.name, anchor)
    record = replace(known, event=event, first_seen=anchor, shifts_s=shifts, cancelled_at=None)
    if not known.chosen and not_understood(known.event, dr.programs.get(event.program_key)):
        record = record.with_opt(*_decided(dr, event))
    words = "announced again" if known.cancelled_at is not None else "changed"
    await dr.keep(record, "asked", f"event '{event.name or event.id}' {words}")


def _decided(dr: DemandResponse, event: DrEvent) -> tuple[OptState, str]:
    opt, reason = dr.decision(event)
    skew = dr.skew_s(event.server)
    if skew is not None and abs(skew) > CLOCK_WRONG_S and opt is OptState.JOINED and asks_action(event):
        return (
            OptState.SKIPPED,
            f"{CLOCK_WORDS} {abs(skew):.0f} s, so it cannot be kept to the second. Check this hub's time.",
        )
    return opt, reason


async def _clock_mended(dr: DemandResponse, known: EventRecord) -> bool:
    """An event skipped for the clocks alone is decided anew once they agree."""
    skew = dr.skew_s(known.event.server)
    if not known.opt_reason.startswith(CLOCK_WORDS) or skew is None or abs(skew) > CLOCK_WRONG_S or dr.over(known):
        return False
    record = known.with_opt(*dr.decision(known.event))
    await dr.keep(record, "decided", f"{record.opt.value}: {record.opt_reason}")
    return True


def _is_replay(dr: DemandResponse, known: EventRecord, event: DrEvent) -> bool:
    """Whether an older modification than the one known is told: a lagging copy, or a replay. It changes nothing.

    Only a server that tells nothing newer for OLDER_LOOKS looks in a row means it (it was restored from a copy of its own).
    """
    before, now = _modified(known.event), _modified(event)
    if before is None or now is None or now >= before:
        dr.older.pop(event.key, None)
        return False
    fingerprint, count = dr.older.get(event.key, ("", 0))
    count = count + 1 if fingerprint == event.fingerprint else 1
    if count >= OLDER_LOOKS:
        dr.older.pop(event.key)
        return False
    dr.older[event.key] = event.fingerprint, count
    if count == 1:
        log.warning("%s: an older version of event %s is told; the newer one goes on", event.server, event.id)
    return True


def _modified(event: DrEvent) -> datetime | None:
    try:
        found = datetime.fromisoformat(event.modified)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
