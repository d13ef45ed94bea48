"""What a poll may bring, and what each payload is answered with (the VTN's requests, carried by oadrPoll)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element

from adapters.openadr2b import messages
from adapters.openadr2b.book import EventBook
from adapters.openadr2b.events import read_distribution
from adapters.openadr2b.markup import Tag, text
from adapters.openadr2b.offers import metadata
from adapters.openadr2b.opts import Opts
from adapters.openadr2b.reports import ReportBook, cancelled_by, requests_of
from adapters.openadr2b.session import Forgotten, Session
from gateway.model.errors import ServerRefused

log = logging.getLogger(__name__)

NOT_SUPPORTED = "461"


@dataclass(slots=True)
class Inbox:
    """Follows the VTN's payloads."""

    session: Session
    book: EventBook
    opts: Opts
    reports: ReportBook

    async def take(self, kind: str, payload: Element, now: datetime) -> None:
        """Follow one answer of a poll. Raises ServerError or Forgotten."""
        match kind:
            case "oadrResponse":
                pass
            case "oadrDistributeEvent":
                self.distribution(payload, now)
            case "oadrCreateReport":
                await self._create_report(payload, now)
            case "oadrCancelReport":
                await self._cancel_report(payload, now)
            case "oadrRegisterReport":
                await self._reply("EiReport", messages.registered_report(self.session.ven, text(payload, "requestID")))
            case "oadrUpdateReport":
                await self._reply("EiReport", messages.updated_report(self.session.ven, text(payload, "requestID")))
            case "oadrRequestReregistration":
                await self._reply("EiRegisterParty", messages.plain_response(self.session.ven, ""))
                raise Forgotten("the VTN asks to register again")
            case "oadrCancelPartyRegistration":
                await self._end(payload, now)
            case _:
                log.warning("%s: %s is not understood", self.session.name, kind)

    def distribution(self, payload: Element, now: datetime) -> None:
        """All events that count for us (oadrDistributeEvent). Raises Forgotten when another VTN speaks."""
        found = read_distribution(payload, self.session.name, self.session.ven, self.reports.resources)
        self.session.check_vtn(found.vtn)
        self.opts.received(found.request, self.book.take(found, now), now)

    async def offer_reports(self, now: datetime, answered: str = "") -> None:
        """Register our METADATA reports and take what is asked of them; a VTN that wants none is fine."""
        voltage_v, frequency_hz = self.session.settings.nominal_voltage_v, self.session.settings.frequency_hz
        offered = metadata(self.session.ven, now, voltage_v, frequency_hz, self.reports.resources)
        try:
            request = messages.register_report(self.session.ven, offered, answered)
            _, answer = await self.session.ask("EiReport", request)
        except ServerRefused as error:
            log.warning("%s: our reports are not wanted: %s", self.session.name, error.reason)
            return
        except Forgotten as error:
            if error.code not in ("450", "452"):
                raise
            log.warning("%s: our reports are not wanted: %s", self.session.name, error)
            return
        asked = requests_of(answer)
        if asked:
            self.reports.take(asked, now, anew=True)
            created = messages.created_report(self.session.ven, messages.fresh_id(), self.reports.pending())
            await self._reply("EiReport", created)

    async def _create_report(self, payload: Element, now: datetime) -> None:
        request = text(payload, "requestID")
        taken, refused, wanted = self.reports.take(requests_of(payload), now)
        code, words = (messages.OK, "OK") if taken or not refused else (NOT_SUPPORTED, "; ".join(refused)[:200])
        pending = self.reports.pending()
        await self._reply("EiReport", messages.created_report(self.session.ven, request, pending, code, words))
        if wanted:
            await self.offer_reports(now, taken[0])

    async def _cancel_report(self, payload: Element, now: datetime) -> None:
        names, one_more = cancelled_by(payload)
        self.reports.cancel(names, now, one_more=one_more)
        pending = self.reports.pending()
        await self._reply("EiReport", messages.canceled_report(self.session.ven, text(payload, "requestID"), pending))

    async def _end(self, payload: Element, now: datetime) -> None:
        request = text(payload, "requestID")
        session = self.session
        await self._reply("EiRegisterParty", messages.canceled_registration(request, session.registration, session.ven))
        log.warning("%s: the utility ended the registration of this home", session.name)
        session.end()
        self.book.forget(now)
        self.reports.requests.clear()

    async def _reply(self, service: str, payload: Tag) -> None:
        await self.session.tell(service, payload)
