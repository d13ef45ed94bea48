"""The VEN's side of one VTN of OpenADR 2.0b, pull: register, poll, follow events, answer them, report.

    not registered --> query, create, METADATA --> all events --> poll, then answers --> wait poll_s --> poll ...
                                                       ^               |
                                                       |-- failed -----|     a lost answer may have been a change

The VTN's oadrRequestedOadrPollFreq is kept whatever the caller's pace: between two polls the last state stands in, or
the last failure is told again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

from adapters.openadr2b import messages
from adapters.openadr2b.book import EventBook
from adapters.openadr2b.inbox import Inbox
from adapters.openadr2b.markup import Tag
from adapters.openadr2b.memory import Memory
from adapters.openadr2b.opts import OPT_IN, OPT_OUT, Opts
from adapters.openadr2b.reports import ReportBook, cancelled_by
from adapters.openadr2b.requests import PROGRAM
from adapters.openadr2b.session import Forgotten, Session
from adapters.openadr2b.settings import OpenAdr2bSettings
from adapters.openadr2b.web import Web
from gateway.model.dr import DrEvent, DrProgram, DrReport, DrResource, OptState, ServerFacts
from gateway.model.errors import ServerAnswerWrong, ServerError, ServerRefused, ServerUnreachable
from gateway.ports import Clock, FactStore

log = logging.getLogger(__name__)

RESYNC_S = 3600.0
"""How often all events are asked for even so, s."""
ENDED_S = 3600.0
"""How long after the utility ended the registration it is asked anew, s."""
_OPTS = {OptState.JOINED: OPT_IN, OptState.BINDING: OPT_IN, OptState.SKIPPED: OPT_OUT}


class Vtn2b:
    """One VTN as DrServer, DrAnswering, DrEnrolling, DrPaced, DrWakeUp and DrFacts.

    `store` keeps registration, report requests and answers over restarts; None: nothing is kept.
    """

    def __init__(self, name: str, settings: OpenAdr2bSettings, clock: Clock, store: FactStore | None = None) -> None:
        self.name = name
        self._clock = clock
        self._web = Web(name, settings, clock)
        self._session = Session(name, settings, self._web)
        self._book = EventBook(name, f"{settings.ven_name}\x1f{name}")
        self._opts = Opts()
        self._reports = ReportBook(name)
        self._inbox = Inbox(self._session, self._book, self._opts, self._reports)
        self._memory = Memory(self._session, self._opts, self._reports, store)
        self._turns = asyncio.Lock()
        self._offered: tuple[str, ...] | None = None
        self._next_offer = 0.0
        self._fresh = False
        self._looked_at: datetime | None = None
        self._failure: ServerError | None = None
        self._next_poll = 0.0
        self._next_listing = 0.0
        self._ended_until: float | None = None

    @property
    def poll_s(self) -> float:
        """Least time between two polls, s: ours, or the VTN's longer wish."""
        return self._session.poll_s

    @property
    def facts(self) -> ServerFacts:
        """What is known of the VTN and of our standing there, as of the last look."""
        return ServerFacts(
            version="2.0b",
            ven=self._session.ven if self._session.registered else "",
            clock_skew_s=self._web.clock_skew_s,
            events=len(self._book.known) if self._looked_at is not None else None,
            looked_at=self._looked_at,
            resources=self._offered or (),
            unreadable=self._book.unreadable,
            push=f"none: the VTN is polled every {self._session.poll_s:g} s",
        )

    def own_fingerprint(self) -> str:
        """The fingerprint of our certificate, for the utility; "" without one."""
        return self._web.own_fingerprint()

    async def programs(self) -> list[DrProgram]:
        """The market contexts of the events known, and our reports; raises ServerError."""
        await self._turn()
        self._fresh = True
        markets = dict.fromkeys(event.program for event in self._book.listed(self._clock.now()))
        found = [DrProgram(market, self.name, _market_name(market)) for market in markets]
        return [*found, DrProgram(PROGRAM, self.name, f"Reports to {self.name}")]

    async def events(self) -> list[DrEvent]:
        """All events in force or to come, and one without payloads for each report asked for; raises ServerError.

        Right after `programs` it is the same look; it never asks the VTN twice.
        """
        if not self._fresh:
            await self._turn()
        self._fresh = False
        now = self._clock.now()
        return [*self._book.listed(now), *self._reports.events(now)]

    async def answer(self, event: DrEvent, opt: OptState) -> None:
        """Tell where the home stands; undecided waits. Untold for now, it follows with a poll. Raises ServerError."""
        word = _OPTS.get(opt)
        if word is None or event.id not in self._book.known:
            return
        self._opts.wanted[event.id] = word
        async with self._turns:
            if not self._session.registered:
                raise ServerUnreachable(self.name, "not registered yet; the answer follows")
            await self._told_through(self._answer_events())

    async def enrol_resources(self, resources: Sequence[DrResource], gone: Sequence[DrResource] = ()) -> None:
        """The devices the VTN may target and be told of, by name: offered with the next turn, and no others."""
        self._reports.resources = tuple(resource.name for resource in resources)

    async def send(self, report: DrReport) -> None:
        """Deliver one report; one nobody asks for any more is let go. Raises ServerError."""
        async with self._turns:
            await self._memory.resume()
            made = self._reports.update(report, self._clock.now())
            if made is None:
                log.info("%s: %s is not sent: no value, or no request for it any more", self.name, report.key)
                return
            if not self._session.registered:
                raise ServerUnreachable(self.name, "not registered yet; the report follows")
            await self._told_through(self._update(*made))

    async def wait(self) -> None:
        """Return when the VTN's pace allows the next poll, so that none is lost to the caller's jitter."""
        left_s = self._next_poll - self._clock.monotonic()
        if not self._session.registered or left_s <= 0:
            left_s = self._session.poll_s
        await self._clock.sleep(left_s, real_floor=0.1)

    async def close(self) -> None:
        """Close the connections."""
        await self._web.close()

    async def _turn(self) -> None:
        """Register, ask and poll as far as it is time; raises ServerError."""
        async with self._turns:
            await self._memory.resume()
            now_s = self._clock.monotonic()
            if self._ended_until is not None and now_s < self._ended_until:
                words = "the utility ended the registration of this home"
                raise ServerRefused(self.name, words, "Ask the utility, or remove this connection")
            if self._session.registered and now_s < self._next_poll:
                if self._failure is not None:
                    raise self._failure
                return
            try:
                await self._round()
            except ServerError as error:
                self._failure, self._next_listing = error, 0.0
                raise
            self._failure, self._looked_at = None, self._clock.now()
            await self._memory.keep()

    async def _round(self) -> None:
        try:
            if not self._session.registered:
                await self._enrol()
            await self._poll()
        except Forgotten as first:
            log.info("%s: %s", self.name, first)
            try:
                await self._enrol()
                await self._list()
            except Forgotten as again:
                words = f"the VTN registers this home and then does not know it ({again})"
                raise ServerRefused(self.name, words, "Ask the utility") from None
        if self._session.registered:
            try:
                await self._told_through(self._answer_events())
            except ServerError as error:  # it costs nobody the events; the answers wait for the next turn
                log.warning("%s", error)

    async def _enrol(self) -> None:
        await self._session.register()
        self._ended_until = None
        self._book.forget_numbers()
        await self._offer()
        self._next_listing = 0.0
        await self._memory.keep()

    async def _offer(self) -> None:
        """Offer our reports; a VTN whose EiReport is out of order gets its polls all the same."""
        offered = self._reports.resources
        try:
            await self._inbox.offer_reports(self._clock.now())
        except ServerError as error:
            log.warning("%s; our reports are offered again later", error)
            self._offered, self._next_offer = None, self._clock.monotonic() + RESYNC_S
        else:
            self._offered = offered

    async def _poll(self) -> None:
        now_s = self._clock.monotonic()
        if self._reports.resources != self._offered and now_s >= self._next_offer:
            await self._offer()
        if now_s >= self._next_listing:
            await self._list()
        self._next_poll = now_s + self._session.poll_s
        kind, payload = await self._session.ask("OadrPoll", messages.poll(self._session.ven))
        await self._inbox.take(kind, payload, self._clock.now())
        if kind == "oadrCancelPartyRegistration":
            self._ended_until = now_s + ENDED_S

    async def _list(self) -> None:
        """Ask for all events. Interpretation: a plain oadrResponse says that there are none, as some servers do."""
        kind, payload = await self._session.ask("EiEvent", messages.request_event(self._session.ven))
        if kind not in ("oadrDistributeEvent", "oadrResponse"):
            raise ServerAnswerWrong(self.name, f"all events were asked for, and answered with {kind}")
        self._inbox.distribution(payload, self._clock.now())
        self._next_listing = self._clock.monotonic() + RESYNC_S

    async def _answer_events(self) -> None:
        known, ven, now = self._book.known, self._session.ven, self._clock.now()
        answers = self._opts.due(known, now)
        if answers:
            await self._tolerant("EiEvent", messages.created_event(ven, self._opts.request, answers))
            self._opts.said(answers)
        out, back = self._opts.opt_outs(known)
        for stated in out:
            opt = messages.fresh_id()
            made = messages.create_opt(ven, opt, stated.id, stated.number, OPT_OUT, now)
            await self._tolerant("EiOpt", made)
            self._opts.schedules[stated.id] = opt
        for name in back:
            await self._tolerant("EiOpt", messages.cancel_opt(ven, self._opts.schedules.pop(name)))
        await self._memory.keep()

    async def _update(self, request: str, report: Tag) -> None:
        answer = await self._tolerant("EiReport", messages.update_report(self._session.ven, report), request)
        inline = answer.find("oadrCancelReport") if answer is not None else None
        if inline is not None:
            names, one_more = cancelled_by(inline)
            self._reports.cancel(names, self._clock.now(), one_more=one_more)
        await self._memory.keep()

    async def _tolerant(self, service: str, payload: Tag, request: str = "") -> Element | None:
        """Tell something; a VTN that knows us but not what it is about (452) has no use for it any more."""
        try:
            answer = await self._session.tell(service, payload)
        except Forgotten as error:
            if error.code != "452":
                raise
            log.info("%s: %s", self.name, error)
            self._reports.drop(request)
            return None
        except ServerRefused as error:
            if request:
                raise
            log.warning("%s: our answer is not accepted: %s", self.name, error.reason)
            return None
        return answer[1] if answer is not None else None

    async def _told_through(self, telling: Awaitable[None]) -> None:
        """Say something between polls; when the VTN forgot us, the next turn registers anew."""
        try:
            await telling
        except Forgotten as error:
            self._session.registered = False
            raise ServerUnreachable(self.name, f"{error}; registering again") from None


def _market_name(market: str) -> str:
    """A market context is a URI; its last part is what a person reads."""
    return market.rstrip("/").rpartition("/")[2] or market
