"""A complete listing of one server's events, merged into what the home knows: new, changed, withdrawn, replayed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gateway.core.demand_response.ask import same_ask
from gateway.core.demand_response.timeline import draw_shifts
from gateway.model.dr import DrEvent, DrProgram, EventRecord, OptState
from gateway.runtime.dr_words import tell_change

if TYPE_CHECKING:
    from gateway.runtime.demand_response import DemandResponse

log = logging.getLogger(__name__)

CLOCK_WRONG_S, CLOCK_APART_S = 30.0, 5.0
"""From these differences to the server's clock events to the second are not joined, and a person is told."""
MOST_AHEAD = 8
"""So many of an event's marks are remembered that were ahead of the server's clock."""
DOUBT = timedelta(hours=1)
"""An event that vanished as an object without an id appeared may be that one, for so long."""
CLOCK_WORDS = "The utility's clock and this home's are apart by"


@dataclass(frozen=True, slots=True)
class Doubts:
    """How many objects without an id the last listing of a server held, and since when each event may be one of them."""

    nameless: int = 0
    since: Mapping[str, datetime] = field(default_factory=dict)


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
    unlisted = set(dr.facts(server).unlisted)
    mine = [r for r in dr.records.values() if r.event.server == server and unlisted.isdisjoint(r.event.targets)]
    missing = [r for r in mine if r.event.id not in listed and r.cancelled_at is None and not dr.over(r)]
    for record in _surely_missing(dr, server, missing, unread.count("")):
        await dr.cancel(record, "cancelled by the utility")
        changed = True
    return changed


def _surely_missing(
    dr: DemandResponse, server: str, missing: Sequence[EventRecord], nameless: int
) -> list[EventRecord]:
    """Without those that may be among the `nameless` objects without an id of this listing."""
    before, now = dr.doubts.get(server, Doubts()), dr.clock.now()
    more = nameless > before.nameless
    since = {r.key: before.since.get(r.key, now) for r in missing if r.key in before.since or more}
    doubted = {key: at for key, at in since.items() if nameless and now - at < DOUBT}
    dr.doubts[server] = Doubts(nameless, doubted)
    return [record for record in missing if record.key not in doubted]


async def _event(dr: DemandResponse, event: DrEvent) -> bool:
    known = dr.records.get(event.key)
    if known is None:
        await _received(dr, event)
        return True
    if known.event.fingerprint == event.fingerprint and known.cancelled_at is None:
        dr.records[event.key] = known = _newer_mark(dr, known, event)
        return await _clock_mended(dr, known)
    if _is_older(dr, known, event) or _is_past(dr, known, event):
        return False
    await _changed(dr, _marked(dr, known, event), event)
    return True


async def _received(dr: DemandResponse, event: DrEvent) -> None:
    now = dr.clock.now()
    record = EventRecord(event, now, draw_shifts(event, dr.site.name, now))
    record = replace(record, ahead=(event.modified,) if _is_ahead(dr, record, event) else ())
    record = record.with_opt(*dr.decision(event))
    await dr.keep(record, "asked", f"event '{event.name or event.id}' received")
    await dr.tell_decision(record)


async def _changed(dr: DemandResponse, known: EventRecord, event: DrEvent) -> None:
    """The owner's own word on the same ask stays, a skip on another ask too; all else is decided anew, as a new event is.

    One that was withdrawn and is announced again is a new announcement: "now" means now. Interpretation: shown again in
    the very version that was withdrawn, it was missing by mistake, or is a replay: it goes on with the times it had.
    """
    again = known.cancelled_at is not None
    anchor = dr.clock.now() if again and not _same_version(known.event, event) else known.first_seen
    shifts = draw_shifts(event, dr.site.name, anchor)
    record = replace(known, event=event, first_seen=anchor, shifts_s=shifts, cancelled_at=None)
    same = same_ask(known.event, event)
    if not (dr.over(record) or (known.chosen and same)):
        goes_on = same and not again and known.opt is OptState.JOINED
        decided = dr.decision(event, goes_on=goes_on)
        if not _skip_stands(known, decided[0]):
            record = replace(record.with_opt(*decided), chosen=False)
    await dr.keep(record, "asked", f"event '{event.name or event.id}' {'announced again' if again else 'changed'}")
    if again:
        await dr.tell_decision(record)
    elif not dr.over(record):
        await tell_change(dr, known, record)


def _skip_stands(known: EventRecord, decided: OptState) -> bool:
    """Whether the owner's skip holds for another ask: it may become binding, or ask, but no policy joins it instead."""
    return known.chosen and known.opt is OptState.SKIPPED and decided in (OptState.JOINED, OptState.SKIPPED)


async def _clock_mended(dr: DemandResponse, known: EventRecord) -> bool:
    """An event skipped for the clocks alone is decided anew once they agree."""
    skew = dr.skew_s(known.event.server)
    if not known.opt_reason.startswith(CLOCK_WORDS) or skew is None or abs(skew) > CLOCK_WRONG_S or dr.over(known):
        return False
    record = known.with_opt(*dr.decision(known.event))
    await dr.keep(record, "decided", f"{record.opt.value}: {record.opt_reason}")
    return True


def _is_older(dr: DemandResponse, known: EventRecord, event: DrEvent) -> bool:
    """Whether an older modification than the one known is told: a lagging copy, or a replay. It changes nothing.

    A utility that means it (its server was restored from a copy) modifies or withdraws the event. Nothing was modified in
    the future, so a mark ahead of the server's clock says nothing of others, but of those known from before it:

    clock an hour ahead   13:10 -> 13:20 -> 13:10     the third is the first again: older
    clock mended          13:10 -> 12:25              no older one, for it was not told before
    """
    before, now = _modified(known.event), _modified(event)
    if before is None or now is None or now >= before:
        return False
    if _is_ahead(dr, known, known.event) and event.modified not in known.ahead:
        return False
    if dr.older.get(event.key) != event.fingerprint:
        dr.older[event.key] = event.fingerprint
        log.warning("%s: an older version of event %s is told; the newer one goes on", event.server, event.id)
    return True


def _is_past(dr: DemandResponse, known: EventRecord, event: DrEvent) -> bool:
    """Whether a withdrawn version is shown again whose times have passed meanwhile."""
    return _same_version(known.event, event) and dr.over(replace(known, cancelled_at=None))


def _same_version(known: DrEvent, event: DrEvent) -> bool:
    return bool(event.modified) and (known.modified, known.fingerprint) == (event.modified, event.fingerprint)


def _newer_mark(dr: DemandResponse, known: EventRecord, event: DrEvent) -> EventRecord:
    """The same content marked as modified later: what comes between is older. In memory only, for some mark each look.

    A mark ahead of the server's clock takes the place of no other kind; one that is not takes the place of such a mark.
    """
    before, now = _modified(known.event), _modified(event)
    was_ahead, is_ahead = _is_ahead(dr, known, known.event), _is_ahead(dr, known, event)
    later = now is not None and (before is None or now > before)
    if now is None or (is_ahead and not was_ahead) or (is_ahead == was_ahead and not later):
        return known
    ahead = tuple(event.modified if is_ahead and mark == known.event.modified else mark for mark in known.ahead)
    return replace(known, event=replace(known.event, modified=event.modified), ahead=ahead)


def _marked(dr: DemandResponse, known: EventRecord, event: DrEvent) -> EventRecord:
    """The record that knows the mark of a next version again, and the one before it, where the next one's is ahead.

    Only of versions told in the order of their marks: of others nobody can tell which is the newer one.
    """
    before, now = _modified(known.event), _modified(event)
    in_order = before is not None and now is not None and before < now
    if not in_order or event.modified in known.ahead or not _is_ahead(dr, known, event):
        return known
    others = (mark for mark in known.ahead if mark != known.event.modified)
    return replace(known, ahead=(*others, known.event.modified, event.modified)[-MOST_AHEAD:])


def _is_ahead(dr: DemandResponse, known: EventRecord, event: DrEvent) -> bool:
    """Whether a version's modification mark is ahead of the server's clock, or was when it was told."""
    found, ahead_s = _modified(event), (dr.skew_s(event.server) or 0.0) + CLOCK_WRONG_S
    return event.modified in known.ahead or (found is not None and found > dr.clock.now() + timedelta(seconds=ahead_s))


def _modified(event: DrEvent) -> datetime | None:
    try:
        found = datetime.fromisoformat(event.modified)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
