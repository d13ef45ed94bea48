"""What holds at the connection while a utility's server is not heard: the known schedule first, then the safe value.

    server heard  |------------|                                       |---
    known limit          |====== 4 kW ======|
    silent                     |-- after_s --|
    safe value                              |== program's safe value ==|      not beside a known limit

Interpretation: events already known go on to their own end (they are kept); only then, and only for programs whose table
states one, the safe value holds. A program that publishes a safe-mode event without end and with the lowest priority (as
grid-aware charging asks) needs none: that event is known and goes on by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from gateway.core.demand_response.kinds import CAPACITY
from gateway.core.demand_response.strategies import Strategies
from gateway.model.authority import Authority
from gateway.model.dr import DrProgram, Timeline
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import Site

STATED = timedelta(hours=2)
"""How far ahead a safe value is stated; it is stated anew at each rebuild."""


def safe_limits(
    timeline: Timeline,
    programs: Mapping[str, DrProgram],
    silent_since: Mapping[str, datetime],
    strategies: Strategies,
    site: Site,
    now: datetime,
) -> list[Limit]:
    """The safe values in force at `now`; `silent_since` names the servers that are not heard, and since when."""
    found: list[Limit] = []
    for program in programs.values():
        safe, since = strategies.safe_of(program.key), silent_since.get(program.server)
        if safe is None or since is None or now < since + timedelta(seconds=safe.after_s):
            continue
        ways = ((LimitKind.SITE_IMPORT, "IMPORT", safe.import_w), (LimitKind.SITE_EXPORT, "EXPORT", safe.export_w))
        for kind, way, watts in ways:
            known = any(
                s.program == program.key and s.kind in CAPACITY and s.kind.startswith(way) for s in timeline.at(now)
            )
            if watts is not None and not known:
                found.append(_limit(kind, watts, program, since, site, now))
    return found


def next_safe(
    programs: Mapping[str, DrProgram], silent_since: Mapping[str, datetime], strategies: Strategies, now: datetime
) -> datetime | None:
    """When the next safe value begins to hold; None when none is due."""
    return min((due for due in _dues(programs, silent_since, strategies) if due > now), default=None)


def _dues(
    programs: Mapping[str, DrProgram], silent_since: Mapping[str, datetime], strategies: Strategies
) -> Iterator[datetime]:
    for program in programs.values():
        safe, since = strategies.safe_of(program.key), silent_since.get(program.server)
        if safe is not None and since is not None:
            yield since + timedelta(seconds=safe.after_s)


def _limit(kind: LimitKind, watts: float, program: DrProgram, since: datetime, site: Site, now: datetime) -> Limit:
    verb = "draw" if kind is LimitKind.SITE_IMPORT else "feed in"
    words = (
        f"The utility's server is not heard since {since.astimezone(site.timezone):%a %H:%M}; until it is, you {verb} at most "
        f"{watts / 1000:g} kW, the safe value of {program.name}."
    )
    return Limit(kind, watts, now, now + STATED, Authority.BINDING_LIMIT, f"{program.key} safe value", words)
