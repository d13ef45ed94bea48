"""Whether an account at a VTN works, told step by step in words; nothing is changed there unless a report is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from adapters.http.manners import shown
from adapters.openadr.account import Account
from adapters.openadr.certificate import certificate_of
from adapters.openadr.enrolment import Enrolment
from adapters.openadr.listing import Listings, MayBeEmpty
from adapters.openadr.notifiers import bindings, objection
from adapters.openadr.reports import send, withdraw
from adapters.openadr.settings import OpenAdrSettings
from adapters.openadr.v301 import V301
from adapters.openadr.versions import Versions
from adapters.openadr.wire import parse_events, parse_programs
from gateway.model.dr import DrEvent, DrReport, ReportRow
from gateway.model.errors import ServerError
from gateway.ports import Clock

CLOCK_WARNS_S = 5.0
CLOCK_FAILS_S = 30.0
CERTIFICATE_WARNS_DAYS = 30
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Told:
    """One thing found out: "good", "note", "warning" (works, but look at it) or "error" (does not work)."""

    level: Literal["good", "note", "warning", "error"]
    what: str
    words: str


class Probe:
    """Looks at one account; what needs the token is left out when there is none."""

    def __init__(self, settings: OpenAdrSettings, clock: Clock, *, find_ven: bool, send_report: bool) -> None:
        self._account = Account("probe", settings, clock)
        self._listings = Listings(self._account)
        self._versions = Versions(self._account)
        self._enrolment = Enrolment(self._account, self._listings, self._versions)
        self._find_ven = find_ven
        self._send_report = send_report
        self._events: Sequence[DrEvent] = ()

    async def tell(self) -> AsyncIterator[Told]:
        """Every step, in order; ends at the first that makes the rest impossible. Raises nothing of ours."""
        steps = (
            ("server", self._server), ("token", self._token), ("version", self._version), ("VEN", self._ven),
            ("programs", self._programs), ("events", self._listed), ("push", self._push), ("report", self._report),
        )  # fmt: skip
        try:
            for what, step in steps:
                try:
                    async for told in step():
                        yield told
                except ServerError as error:
                    yield Told("error", what, f"{error.reason}. {error.remedy}".rstrip(". ") + ".")
                    if what in ("server", "token"):
                        return
        finally:
            await self._account.close()

    async def _server(self) -> AsyncIterator[Told]:
        settings = self._account.settings
        shown = await certificate_of("probe", settings)
        await self._account.web.exchange("GET", f"{settings.base}/programs", params={"limit": "1"})
        yield Told("good", "server", f"{settings.base} answers")
        if shown is None:
            yield Told("warning", "certificate", "none: plain http, fit for a server in this house only")
        else:
            days = (shown.ends - self._account.clock.now()).days
            words = f"of {shown.subject}, issued by {shown.issuer}, ends {shown.ends:%Y-%m-%d}, {shown.tls}"
            unchecked = "" if settings.verify else " (not checked: --insecure)"
            soon = days < CERTIFICATE_WARNS_DAYS or bool(unchecked)
            yield Told("warning" if soon else "good", "certificate", words + unchecked)
        yield self._clock()

    def _clock(self) -> Told:
        skew = self._account.web.clock_skew_s
        if skew is None:
            return Told("note", "clock", "the server does not tell its time")
        words = f"the server's is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours"
        if abs(skew) > CLOCK_FAILS_S:
            return Told("error", "clock", f"{words}: events would come at the wrong time. Set the clock (NTP).")
        return Told("warning" if abs(skew) > CLOCK_WARNS_S else "good", "clock", words)

    async def _token(self) -> AsyncIterator[Told]:
        if not self._account.token.wanted:
            yield Told("note", "token", "none asked for: no client id was given (public server)")
            return
        await self._account.token.header()
        yield Told("good", "token", "the client id and secret are accepted")

    async def _version(self) -> AsyncIterator[Told]:
        dialect = await self._versions.dialect()
        open_ = "" if self._versions.found else " (a guess: the server leaves it open; --version states it)"
        yield Told("note" if open_ else "good", "version", f"OpenADR {dialect.version}{open_}")

    async def _ven(self) -> AsyncIterator[Told]:
        name = self._account.settings.ven_name
        if not self._find_ven or not self._account.token.wanted:
            yield Told("note", "VEN", "not looked for: it takes a client id and --ven-name")
            return
        if not await self._enrolment.find():
            why = self._enrolment.trouble or f"{name} is not there yet: Hearth makes it at its first start"
            yield Told("note", "VEN", why)
            return
        groups = ", ".join(self._enrolment.granted) or "none"
        yield Told("good", "VEN", f"{name} is there as {self._enrolment.ven_id}; groups: {groups}")

    async def _programs(self) -> AsyncIterator[Told]:
        parsed = parse_programs(await self._shown("/programs"), "probe")
        names = [each.name for each in parsed.good]
        more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
        yield Told("good", "programs", f"{len(names)}: {', '.join(names[:MOST_SHOWN])}{more}" if names else "none seen")
        missing = [
            each for each in self._account.settings.programs if each not in {*names, *(p.id for p in parsed.good)}
        ]
        if missing:
            yield Told("warning", "programs", f"not among them: {', '.join(missing)}")
        for told in _unreadable("programs", parsed.bad):
            yield told

    async def _listed(self) -> AsyncIterator[Told]:
        parsed = parse_events(await self._shown("/events"), "probe")
        self._events = parsed.good
        aimed = sum(1 for each in parsed.good if each.targets)
        yield Told("good", "events", f"{len(parsed.good)} readable, {aimed} of them for certain groups or homes")
        for told in _unreadable("events", parsed.bad):
            yield told

    async def _shown(self, path: str) -> list[object]:
        groups = self._enrolment.groups
        asked = groups if groups and (await self._versions.dialect()).asks_by_target else ()
        try:
            return await self._listings.shown_to(asked, path)
        except MayBeEmpty:  # how some servers write none: the second look tells, and there is no later one here
            return await self._listings.shown_to(asked, path)

    async def _push(self) -> AsyncIterator[Told]:
        if await self._versions.dialect() is V301:
            yield Told("note", "push", "webhooks only (OpenADR 3.0.1); polling needs none")
            return
        answer = await self._account.request("GET", "/notifiers")
        offered = bindings(answer.body) if answer.status == 200 else []
        if not offered:
            yield Told("note", "push", "no MQTT broker is offered; Hearth looks at the set pace")
        for binding in offered:
            why = objection(binding, self._account.settings)
            words = why or f"MQTT broker {binding.host}:{binding.port}, {binding.method}"
            yield Told("warning" if why else "good", "push", words)

    async def _report(self) -> AsyncIterator[Told]:
        if not self._send_report:
            yield Told("note", "report", "not tried: --send-report sends one and removes it again")
            return
        if not self._events:
            yield Told("note", "report", "not tried: a report needs an event, and there is none")
            return
        report = _test_report(self._events[0], self._account.clock)
        dialect = await self._versions.dialect()
        await send(self._account, self._listings, dialect, report)
        yield Told("good", "report", f"one for event {report.event} was accepted")
        try:
            await withdraw(self._account, self._listings, report)
        except ServerError as error:
            yield Told("warning", "report", f"it could not be removed again: {error.reason}")
        else:
            yield Told("good", "report", "and removed again")


def _test_report(event: DrEvent, clock: Clock) -> DrReport:
    """A report that says there is nothing to say: one second with the quality MISSING."""
    row = ReportRow(
        event.intervals[0].id if event.intervals else 0, clock.now().replace(microsecond=0), 1.0, None, "MISSING"
    )
    name = "hearth probe"
    return DrReport(name, "probe", event.program, event.id, name, "USAGE", "DIRECT_READ", "KWH", "hearth-probe", (row,))


def _unreadable(what: str, bad: Sequence[tuple[str, str]]) -> list[Told]:
    told = [Told("warning", what, f"{shown(name) or '?'} cannot be read: {why}") for name, why in bad[:MOST_SHOWN]]
    more = len(bad) - MOST_SHOWN
    return [*told, Told("warning", what, f"nor can {more} others")] if more > 0 else told
