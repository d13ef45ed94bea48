"""Where the home stood on an event over time: reports and what was delivered tell what was, not what is.

    announced     joined        car set aside   skipped        end
    |- undecided -|---- in -----|- in, less car -|---- out -----|
                  |<---------- followed -------->|

Interpretations, where OpenADR 3.1 leaves it open:
- An event that waits for the owner's answer is not followed: level 0 and a NORMAL state, as nobody opted out of it.
- The whole home has opted out once every device the event acts on is set aside; until then it follows.
- An interval followed for a part is told whole: the utility settles intervals. One withdrawn ends with the withdrawal.
  What was delivered counts the stretches followed only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from gateway.model.dr import EventRecord, OptState, Stand

TAKING_PART = (OptState.JOINED, OptState.BINDING)
MOST = 200
"""So many changes of one event are kept; a server that withdraws and announces for ever fills no disk."""
_EVER, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def noted(before: EventRecord | None, record: EventRecord, now: datetime) -> EventRecord:
    """The record with where the home stands from `now` on; what one announced again delivered is measured anew."""
    known = record.stands or (stands(before) if before is not None else ())
    stand = Stand(now, record.opt, record.overridden_devices, record.cancelled_at is not None)
    if known and replace(known[-1], at=now) == stand:
        return replace(record, stands=known)
    if known and known[-1].withdrawn and not stand.withdrawn:
        record = replace(record, delivered_wh=None, delivered_low_wh=None, delivered_high_wh=None, home_delivered_wh=None,
                         home_delivered_low_wh=None, home_delivered_high_wh=None, earned_micro=None)  # fmt: skip
    return replace(record, stands=(*known[-MOST:], stand))


def stands(record: EventRecord) -> tuple[Stand, ...]:
    """Where the home stood, in order of time; of a record kept before this was noted, as far as it can be told."""
    if record.stands:
        return record.stands
    told = [Stand(record.first_seen, record.opt)]
    if record.overridden_at is not None:
        told.append(Stand(record.overridden_at, record.opt, record.overridden_devices))
    if record.cancelled_at is not None:
        told.append(Stand(record.cancelled_at, record.opt, record.overridden_devices, withdrawn=True))
    return tuple(told)


def stand_at(record: EventRecord, when: datetime) -> Stand:
    """Where the home stood at an instant; before the first word as with it."""
    known = stands(record)
    return next((stand for stand in reversed(known) if stand.at <= when), known[0])


def is_in(stand: Stand) -> bool:
    """Whether the home took part."""
    return not stand.withdrawn and stand.opt in TAKING_PART


def opted_out(record: EventRecord, when: datetime, devices: Collection[str]) -> bool:
    """Whether the owner had skipped the event, or set it aside for each of `devices`, which no one can a binding event.

    Where no device is known (empty `devices`), something may have followed.
    """
    stand = stand_at(record, when)
    aside = stand.opt is not OptState.BINDING and bool(devices) and set(devices) <= set(stand.aside)
    return stand.opt is OptState.SKIPPED or aside


def never_left(record: EventRecord, start: datetime, end: datetime, devices: Collection[str]) -> bool:
    """Whether the owner had not opted out (see `opted_out`) at any instant of [start, end)."""
    changes = [stand.at for stand in stands(record) if start < stand.at < end]
    return not any(opted_out(record, at, devices) for at in (start, *changes))


def followed(record: EventRecord, start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """The stretches of [start, end) in which the home took part, in order; empty when it never did.

    A stretch that was skipped parts two; one withdrawn by the utility and announced again does not. An instant (`end` =
    `start`) counts as followed when it is.
    """
    found: list[tuple[datetime, datetime]] = []
    parted = True
    for stand, since, until in _periods(record):
        if is_in(stand) and (since <= start < until or start < since < end):
            first = max(since, start) if parted else found.pop()[0]
            found.append((first, min(until, end)))
            parted = False
        parted |= not (is_in(stand) or stand.withdrawn)
    return tuple(found)


def restored(record: EventRecord) -> EventRecord:
    """The record as if the home took part to its end, for the values that were in force while it did."""
    words = [stand.opt for stand in stands(record) if is_in(stand)]
    opt = words[-1] if words else record.opt
    return replace(record, opt=opt, cancelled_at=None, overridden_at=None, overridden_devices=())


def _periods(record: EventRecord) -> Iterator[tuple[Stand, datetime, datetime]]:
    """Each stand with its time; those replaced in the same instant are left out."""
    known = stands(record)
    starts = [_EVER, *(stand.at for stand in known[1:])]
    for stand, start, end in zip(known, starts, [*starts[1:], _NEVER], strict=True):
        if start < end:
            yield stand, start, end
