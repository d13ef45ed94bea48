"""The home's own answers to events: what the chance of joining the next one is learned from.

Joined counts when the home took part to the end; a decline is a skip, an event left by hand while it lasted, and one
that the owner was asked about and did not answer. Binding events, tests, news, withdrawn events and those that no device
understands are no answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from gateway.core.demand_response.opt import asks_action, not_understood
from gateway.core.learning.joining import Answer
from gateway.model.dr import DrProgram, EventRecord, OptState


def answers(ended: Iterable[tuple[EventRecord, datetime]], programs: Mapping[str, DrProgram]) -> list[Answer]:
    """The answers of events that are over, each with its end, by time."""
    found = [
        Answer(end, record.opt is OptState.JOINED and not record.overridden_devices and record.overridden_at is None)
        for record, end in ended
        if is_answer(record, programs.get(record.event.program_key))
    ]
    return sorted(found, key=lambda answer: answer.at)


def is_answer(record: EventRecord, program: DrProgram | None) -> bool:
    """Whether an event that is over was the owner's to decide."""
    if record.event.test or record.cancelled_at is not None or record.opt is OptState.BINDING:
        return False
    return asks_action(record.event) and not not_understood(record.event, program)
