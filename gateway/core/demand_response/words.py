"""A limit of an event with its reason for a person: what, until when, and whether it is only a test."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.core.demand_response.durations import moved_by
from gateway.core.demand_response.overlap import Held
from gateway.model.dr import Signal
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import Site

OPEN_END = timedelta(days=30)
"""How far a limit without an end is stated ahead; it is stated anew at each rebuild."""


def limit_of(
    kind: LimitKind, value: float, held: Held[Signal], device: str, words: str, site: Site, now: datetime
) -> Limit:
    """One limit of a signal over the time it holds; `words` without the end and the full stop."""
    signal = held.item
    until = f" until {held.end.astimezone(site.timezone):%H:%M}" if held.end is not None else " until further notice"
    reason = f"{'Test event: ' if signal.test else ''}{words}{until}."
    end = held.end if held.end is not None else moved_by(max(now, held.start), OPEN_END)
    return Limit(kind, value, held.start, end, signal.authority, signal.event, reason, device)
