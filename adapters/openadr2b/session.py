"""Being registered at a VTN (EiRegisterParty), and what its answers mean for that.

unregistered -- oadrQueryRegistration --> offered -- oadrCreatePartyRegistration --> registered
     ^                                                                                   |
     |-- 450, 452, 463, oadrRequestReregistration, another vtnID -- forgotten -----------|
     |-- oadrCancelPartyRegistration -- ended; asked anew after an hour -----------------|
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from adapters.openadr2b.markup import Tag, text
from adapters.openadr2b.messages import create_registration, query_registration
from adapters.openadr2b.settings import OpenAdr2bSettings
from adapters.openadr2b.times import parse_seconds
from adapters.openadr2b.web import Web
from gateway.model.errors import ServerAnswerWrong, ServerRefused, ServerUnreachable

log = logging.getLogger(__name__)

FORGOTTEN = frozenset({"450", "452", "463"})
"""Out of sequence, an invalid id, not registered or authorized: what a VTN says that does not know us (any more)."""
LONGEST_POLL_S = 86_400.0


class Forgotten(Exception):
    """The VTN does not know our registration: register anew. Never leaves this adapter; `code` is the VTN's."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.code = code


@dataclass(slots=True)
class Session:
    """Our registration: the ids, and the pace the VTN asks for."""

    name: str
    settings: OpenAdr2bSettings
    web: Web
    ven: str = ""
    registration: str = ""
    vtn: str = ""
    poll_s: float = 0.0
    """Least time between two polls, s."""
    registered: bool = False

    def __post_init__(self) -> None:
        self.ven = self.ven or self.settings.ven_id
        self.poll_s = self.settings.poll_s

    async def register(self) -> None:
        """Query and register: under the ids known first, else as somebody new. Raises ServerError."""
        self.registered = False
        await self._query()
        if self.registration:
            try:
                await self._create()
            except (Forgotten, ServerRefused):
                log.info("%s: the VTN does not know our registration; registering anew", self.name)
                self.registration, self.ven = "", self.settings.ven_id
        if not self.registered:
            try:
                await self._create()
            except Forgotten as error:
                raise self._refused(str(error)) from None

    async def ask(self, service: str, payload: Tag) -> tuple[str, Element]:
        """Send one payload; the answer's payload with a good response code. Raises ServerError or Forgotten."""
        answer = await self.web.post(service, payload)
        if answer is None:
            raise ServerAnswerWrong(self.name, f"{service} was answered with nothing")
        self._check(service, answer[0], answer[1])
        return answer

    async def tell(self, service: str, payload: Tag) -> tuple[str, Element] | None:
        """The same where an empty answer is good too: we answered the VTN. Raises ServerError or Forgotten."""
        answer = await self.web.post(service, payload)
        if answer is not None:
            self._check(service, answer[0], answer[1])
        return answer

    def end(self) -> None:
        """The registration is over: its ids mean nothing any more."""
        self.registered, self.registration, self.ven = False, "", self.settings.ven_id

    def check_vtn(self, vtn: str) -> None:
        """Whether a message comes from the VTN we registered at (rule 21); raises Forgotten."""
        if vtn and self.vtn and vtn != self.vtn:
            raise Forgotten(f"the VTN calls itself {vtn!r}, not {self.vtn!r}")

    async def _query(self) -> None:
        try:
            kind, found = await self.ask("EiRegisterParty", query_registration())
        except Forgotten:
            return  # a VTN that answers no queries of strangers may still register them
        if kind != "oadrCreatedPartyRegistration":
            return
        profiles = [text(profile) for profile in found.findall("oadrProfiles/oadrProfile/oadrProfileName")]
        if profiles and "2.0b" not in profiles:
            words = f"the VTN speaks OpenADR {', '.join(profiles)}, not 2.0b"
            raise ServerRefused(self.name, words, "Ask the utility for the address of its 2.0b server")
        self._note(found)
        if not self.registration and text(found, "registrationID") and text(found, "venID"):
            self.registration, self.ven = text(found, "registrationID"), text(found, "venID")

    async def _create(self) -> None:
        request = create_registration(self.settings.ven_name, self.ven, self.registration)
        kind, found = await self.ask("EiRegisterParty", request)
        ven, registration = text(found, "venID"), text(found, "registrationID")
        if kind != "oadrCreatedPartyRegistration" or not registration or not (ven or self.ven):
            raise self._refused("no registrationID was given")
        self.ven, self.registration = ven or self.ven, registration
        self._note(found)
        self.registered = True
        log.info("%s: registered as %s, polling every %g s", self.name, self.ven, self.poll_s)

    def _note(self, found: Element) -> None:
        self.vtn = text(found, "vtnID") or self.vtn
        wished = text(found, "oadrRequestedOadrPollFreq/duration")
        try:
            wished_s = parse_seconds(wished, datetime.fromtimestamp(0, UTC)) if wished else 0.0
        except ValueError:
            wished_s = 0.0
        self.poll_s = min(max(wished_s, self.settings.poll_s), LONGEST_POLL_S)

    def _check(self, service: str, kind: str, found: Element) -> None:
        if kind == "oadrRequestReregistration" and service != "OadrPoll":
            raise Forgotten("the VTN asks to register again")
        code = text(found, "eiResponse/responseCode") or text(found, "eiCreatedEvent/eiResponse/responseCode")
        if not code or code.startswith("2"):
            return
        words = " ".join(text(found, "eiResponse/responseDescription").split())[:200]
        reason = f"{service} was answered with {code}{': ' + words if words else ''}"
        if code in FORGOTTEN:
            raise Forgotten(reason, code)
        if code.startswith("5"):
            raise ServerUnreachable(self.name, reason)
        raise ServerRefused(self.name, reason, "Check the account with the utility")

    def _refused(self, why: str) -> ServerRefused:
        shown = self.web.own_fingerprint()
        known = f" and this certificate's fingerprint, {shown}" if shown else ""
        remedy = f"Give the utility the name {self.settings.ven_name!r}{known}"
        return ServerRefused(self.name, f"the VTN does not register this home ({why})", remedy)
