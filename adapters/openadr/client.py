"""The VEN's side of one VTN (OpenADR 3.1.0 and 3.0.1): list programs and events completely, enrol, deliver reports.

A listing is complete or an error: the caller takes absence for cancellation. An event that became unreadable is not
absent: its last readable version stands in for it; beside an object without an id nothing counts as absent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from adapters.http.manners import shown
from adapters.openadr.account import Account
from adapters.openadr.enrolment import Enrolment
from adapters.openadr.listing import Listings
from adapters.openadr.push import Push
from adapters.openadr.rating import Rating
from adapters.openadr.reports import send
from adapters.openadr.settings import OpenAdrSettings
from adapters.openadr.versions import Versions
from adapters.openadr.wire import Parsed, T, parse_events, parse_programs
from gateway.model.dr import DrEvent, DrProgram, DrRating, DrReport, DrResource, ServerFacts
from gateway.ports import Clock

log = logging.getLogger(__name__)

MOST_NOTED = 1000


class Vtn:
    """One VTN as a DrServer, DrEnrolling, DrWakeUp and DrFacts."""

    def __init__(self, name: str, settings: OpenAdrSettings, clock: Clock) -> None:
        self.name = name
        self._settings = settings
        self._account = Account(name, settings, clock)
        self._listings = Listings(self._account)
        self._versions = Versions(self._account)
        self._enrolment = Enrolment(self._account, self._listings, self._versions)
        self._rating = Rating(self._account, self._listings, self._versions, self._enrolment)
        self._push = Push(self._account, self._listings, self._versions, self._enrolment)
        self._last_good: dict[str, DrEvent] = {}
        self._programs: dict[str, DrProgram] = {}
        self._fresh = False
        """Whether our standing was read just now."""
        self._noted: frozenset[tuple[str, str]] = frozenset()
        self._unreadable: dict[str, tuple[tuple[str, str], ...]] = {}
        self._count: int | None = None
        self._looked_at: datetime | None = None

    @property
    def poll_s(self) -> float:
        """How often to look when nobody says "look now", home seconds."""
        return self._settings.poll_s

    @property
    def facts(self) -> ServerFacts:
        """What is known of the server and our standing there, as of the last look."""
        return ServerFacts(
            version=self._versions.found,
            ven=self._enrolment.ven_id,
            groups=self._enrolment.groups,
            unlisted=tuple(sorted(self._listings.unlisted)),
            resources=tuple(self._enrolment.resources),
            clock_skew_s=self._account.web.clock_skew_s,
            events=self._count,
            looked_at=self._looked_at,
            unreadable=tuple(
                f"{what} {shown(name) or '?'}: {why}" for what, bad in self._unreadable.items() for name, why in bad
            ),
            unread=tuple(name for name, _ in self._unreadable.get("event", ())),
            push=self._push.state,
            pushes=self._push.hints,
        )

    @property
    def clock_skew_s(self) -> float | None:
        """The server's clock minus ours, s, resolution 1 s; None before the first answer."""
        return self._account.web.clock_skew_s

    @property
    def ven_id(self) -> str:
        """Our id at the VTN; empty before enrolment, or where it keeps none."""
        return self._enrolment.ven_id

    @property
    def skipped(self) -> int:
        """How many objects of the last listings could not be read."""
        return sum(len(bad) for bad in self._unreadable.values())

    async def programs(self) -> list[DrProgram]:
        """The programs we follow; raises ServerError."""
        await self._enrolment.refresh()
        self._fresh = True
        listed = await self._listed("/programs", [{}])
        parsed = self._noting("program", parse_programs(listed, self.name))
        self._programs = {**_still(self._programs, parsed), **{program.id: program for program in parsed.good}}
        followed = [program for program in self._programs.values() if self._follows(program.id)]
        self._push.follow(tuple(program.id for program in followed))
        return followed

    async def events(self) -> list[DrEvent]:
        """The complete listing of the events meant for us; raises ServerError, never a partial list."""
        if not self._fresh:
            await self._enrolment.refresh()
        self._fresh = False
        listed = await self._listed("/events", self._asked_by_program())
        parsed = self._noting("event", parse_events(listed, self.name))
        self._last_good = {**_still(self._last_good, parsed), **{event.id: event for event in parsed.good}}
        ours = [self._at_devices(event) for event in self._last_good.values() if self._is_ours(event)]
        self._count, self._looked_at = len(ours), self._account.clock.now()
        return ours

    async def send(self, report: DrReport) -> None:
        """Deliver one report; one that the server has already (409) is replaced. Raises ServerError."""
        await send(self._account, self._listings, await self._versions.dialect(), report)

    async def enrol(self) -> None:
        """Find or make our VEN object; a server that keeps none for us is fine. Raises ServerError."""
        await self._enrolment.refresh()

    async def enrol_resources(self, resources: Sequence[DrResource], gone: Sequence[DrResource] = ()) -> None:
        """Make the server's list hold these, by name; what others made there stays. Raises ServerError.

        What could not be done is tried again every 5 minutes, at a look.
        """
        await self._enrolment.want(resources, gone)

    async def tell_suitability(self, ratings: Sequence[DrRating]) -> bool:
        """Have the server hold for which programs the home suits, with none forget it; False where it cannot. Raises ServerError."""
        return await self._rating.tell(ratings)

    async def wait(self) -> None:
        """Return when the server hinted at a change (webhook, MQTT); only ever a hint, and at most one per second."""
        await self._push.wait()

    async def close(self) -> None:
        """Take the subscriptions back and close the connections."""
        await self._push.close()
        await self._account.close()

    async def _listed(self, path: str, queries: Sequence[Mapping[str, str]]) -> list[object]:
        """Each object of all these listings once; in 3.1.0 what is for a group is listed to who names the group."""
        groups = self._enrolment.groups
        asked = groups if groups and (await self._versions.dialect()).asks_by_target else ()
        found = await self._listings.shown_to(asked, path, queries)
        self._versions.saw(found)
        return found

    def _asked_by_program(self) -> list[dict[str, str]]:
        """One listing for each program followed, or one of everything: some servers hold events for a whole country."""
        wanted = self._settings.programs and [name for name in self._programs if self._follows(name)]
        return [{"programID": name} for name in wanted] if wanted else [{}]

    def _follows(self, program: str) -> bool:
        wanted, known = self._settings.programs, self._programs.get(program)
        return not wanted or program in wanted or (known is not None and known.name in wanted)

    def _is_ours(self, event: DrEvent) -> bool:
        """The server's filters are not relied on: some ignore programID, some show events targeted at others.

        Interpretation: without a VEN object we cannot know our grants, and trust the server's choice of targets.
        """
        if not self._follows(event.program):
            return False
        if not event.targets or not (self._enrolment.ven_id or self._settings.targets):
            return True
        return not self._enrolment.names.isdisjoint(event.targets)

    def _at_devices(self, event: DrEvent) -> DrEvent:
        """An event for a group that only some of our devices are in names those devices, too."""
        devices = self._enrolment.devices_of(event.targets) if event.targets else ()
        return replace(event, targets=tuple(dict.fromkeys((*event.targets, *devices)))) if devices else event

    def _noting(self, what: str, parsed: Parsed[T]) -> Parsed[T]:
        """Warn about each unreadable object once, not at every look."""
        self._unreadable[what] = parsed.bad
        for entry in parsed.bad:
            if entry not in self._noted:
                name, why = shown(entry[0]) or "?", entry[1]
                log.warning("%s: %s %r cannot be read and is left out: %s", self.name, what, name, why)
        self._noted = frozenset(parsed.bad) | (self._noted if len(self._noted) < MOST_NOTED else frozenset())
        return parsed


def _still(known: Mapping[str, T], parsed: Parsed[T]) -> dict[str, T]:
    """What stands in for the unreadable; an object without an id may be any, so that nothing is missing beside it."""
    lost = {name for name, _ in parsed.bad}
    return {name: each for name, each in known.items() if name in lost or "" in lost}
