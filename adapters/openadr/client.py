"""The VEN's side of one VTN (OpenADR 3.1.0): enrol, list programs and events completely, deliver reports.

A listing is complete or an error: the caller takes absence for cancellation. An event that became unreadable is not
absent: its last readable version stands in for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from adapters.openadr.bodies import report_body, ven_body
from adapters.openadr.settings import OpenAdrSettings
from adapters.openadr.token import Token
from adapters.openadr.web import Answer, Web
from adapters.openadr.wire import identities, parse_events, parse_programs
from gateway.model.dr import DrEvent, DrProgram, DrReport
from gateway.model.errors import ServerAnswerWrong, ServerRefused
from gateway.ports import Clock

log = logging.getLogger(__name__)

PAGE = 50
"""The greatest `limit` the specification allows."""
MAX_PAGES = 100
NOT_OFFERED = frozenset({403, 404, 405, 501})
"""Answers of a server that keeps no VEN objects for us: we go on without."""


class Vtn:
    """One VTN as a DrServer; all requests carry a bearer token when there are credentials."""

    def __init__(self, name: str, settings: OpenAdrSettings, clock: Clock) -> None:
        self.name = name
        self._settings = settings
        self._web = Web(name, settings, clock)
        self._token = Token(name, settings, clock, self._web)
        self._enrolling = asyncio.Lock()
        self._keeps_no_vens = False
        self._ven_id = ""
        self._granted: tuple[str, ...] = ()
        self._last_good: dict[str, DrEvent] = {}
        self._program_names: dict[str, str] = {}
        self._bad: frozenset[tuple[str, str]] = frozenset()
        self.skipped = 0
        """How many objects of the last listings could not be read."""

    @property
    def clock_skew_s(self) -> float | None:
        """The server's clock minus ours, s, resolution 1 s; None before the first answer."""
        return self._web.clock_skew_s

    @property
    def ven_id(self) -> str:
        """Our id at the VTN; empty before enrolment, or where it keeps none."""
        return self._ven_id

    async def programs(self) -> list[DrProgram]:
        """The programs we follow; raises ServerError."""
        parsed = parse_programs(await self._listing("/programs"), self.name)
        self._note_bad("program", parsed.bad)
        followed = [program for program in parsed.good if self._follows(program.id, program.name)]
        self._program_names = {program.id: program.name for program in followed}
        return followed

    async def events(self) -> list[DrEvent]:
        """The complete listing of the events meant for us; raises ServerError, never a partial list."""
        await self.enrol()
        found = {name: item for item in await self._listing("/events") if (name := identities([item])[0])}
        for target in self._granted:
            more = await self._listing("/events", {"targets": target})
            found |= {name: item for item in more if (name := identities([item])[0])}
        parsed = parse_events(list(found.values()), self.name)
        self._note_bad("event", parsed.bad)
        readable = {event.id: event for event in parsed.good}
        kept = {name: self._last_good[name] for name, _ in parsed.bad if name in self._last_good}
        self._last_good = {**readable, **kept}
        return [event for event in self._last_good.values() if self._is_ours(event)]

    async def send(self, report: DrReport) -> None:
        """Deliver one report; one that the server has already (409) is replaced. Raises ServerError."""
        body = report_body(report, self._settings.ven_name)
        answer = await self._request("POST", "/reports", json=body)
        if answer.status == 409:
            there = await self._report_id(report.event, body["reportName"])
            answer = await self._request("PUT", f"/reports/{quote(there, safe='')}", json=body)
        self._web.check(answer, "the report")

    async def enrol(self) -> None:
        """Find or make our VEN object, once; a server that keeps none for us is fine. Raises ServerError.

        The grants (targets) are the utility's to change, so they are read again at every call.
        """
        if not self._token.wanted or self._keeps_no_vens:
            return
        async with self._enrolling:
            ven = await self._own_ven()
            if ven is None and not self._keeps_no_vens:
                ven = await self._new_ven()
            if ven is not None:
                self._ven_id = str(ven.get("id") or "")
                targets = ven.get("targets")
                self._granted = tuple(x for x in targets if isinstance(x, str)) if isinstance(targets, list) else ()

    async def close(self) -> None:
        """Close the connections."""
        await self._web.close()

    async def _own_ven(self) -> dict[str, Any] | None:
        answer = await self._request("GET", "/vens", params={"venName": self._settings.ven_name, "limit": PAGE})
        if answer.status in NOT_OFFERED:
            self._none_kept(answer)
            return None
        vens = self._web.check(answer, "the list of VENs")
        found = vens if isinstance(vens, list) else []
        return next((x for x in found if isinstance(x, dict) and x.get("venName") == self._settings.ven_name), None)

    async def _new_ven(self) -> dict[str, Any] | None:
        answer = await self._request("POST", "/vens", json=ven_body(self._settings.ven_name))
        if answer.status == 409:
            return await self._own_ven()
        if answer.status in NOT_OFFERED:
            self._none_kept(answer)
            return None
        made = self._web.check(answer, "the enrolment")
        return made if isinstance(made, dict) else None

    def _none_kept(self, answer: Answer) -> None:
        self._keeps_no_vens = True
        log.info("%s: the server keeps no VEN object for us (%d); going on without", self.name, answer.status)

    async def _report_id(self, event: str, report_name: str) -> str:
        listed = await self._listing("/reports", {"eventID": event, "clientName": self._settings.ven_name})
        for item in listed:
            if isinstance(item, dict) and item.get("reportName") == report_name and item.get("eventID") == event:
                return str(item.get("id"))
        raise ServerRefused(self.name, "the report is refused as a duplicate, but no such report can be found")

    async def _listing(self, path: str, query: Mapping[str, str] | None = None) -> list[object]:
        """All pages of a listing, each object once; raises ServerError for any page that fails.

        The end is a short page, or one that brings nothing new (a server that does not know `skip`).
        """
        objects: list[object] = []
        seen: set[str] = set()
        for page in range(MAX_PAGES):
            params = {**(query or {}), "skip": str(page * PAGE), "limit": str(PAGE)}
            found = self._web.check(await self._request("GET", path, params=params), f"GET {path}")
            if not isinstance(found, list):
                raise ServerAnswerWrong(self.name, f"GET {path} did not give a list")
            names = identities(found)
            fresh = [item for item, name in zip(found, names, strict=True) if not name or name not in seen]
            objects += fresh
            if len(found) < PAGE or not set(names) - seen:
                return objects
            seen |= set(names)
        raise ServerAnswerWrong(self.name, f"GET {path} has no end: more than {MAX_PAGES} pages")

    async def _request(self, method: str, path: str, **request: Any) -> Answer:
        """One request; a refused token (401, or 403 as some servers say) is renewed once."""
        url = self._settings.base + path
        header = await self._token.header()
        answer = await self._web.exchange(method, url, headers=header, **request)
        if answer.status in (401, 403) and self._token.reject(header):
            answer = await self._web.exchange(method, url, headers=await self._token.header(), **request)
        return answer

    def _follows(self, program: str, name: str) -> bool:
        wanted = self._settings.programs
        return not wanted or program in wanted or name in wanted

    def _is_ours(self, event: DrEvent) -> bool:
        """The server's filters are not relied on: some ignore programID, some show events targeted at others.

        Interpretation: without a VEN object we cannot know our grants, and trust the server's choice of targets.
        """
        if not self._follows(event.program, self._program_names.get(event.program, "")):
            return False
        if not event.targets or not self._ven_id:
            return True
        ours = {*self._granted, self._ven_id, self._settings.ven_name}
        return not ours.isdisjoint(event.targets)

    def _note_bad(self, what: str, bad: tuple[tuple[str, str], ...]) -> None:
        """Warn about each unreadable object once, not at every look."""
        self.skipped = len(bad)
        for entry in bad:
            if entry not in self._bad:
                log.warning("%s: %s %r cannot be read and is left out: %s", self.name, what, entry[0] or "?", entry[1])
        self._bad = self._bad | frozenset(bad) if len(self._bad) < 1000 else frozenset(bad)
