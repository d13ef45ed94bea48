"""The simulated 2.0b VTN over HTTP: the five services of simple HTTP, and /sim for tests and people."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from firmware_sim.vtn2b_events import event_from
from firmware_sim.vtn2b_utility import VTN_ID, Utility, Ven
from firmware_sim.vtn2b_xml import Element, make, message, opened, response, seconds, text

PREFIX = "/OpenADR2/Simple/2.0b"
SERVICES = {
    "EiRegisterParty": (
        "oadrQueryRegistration", "oadrCreatePartyRegistration", "oadrCancelPartyRegistration",
        "oadrCanceledPartyRegistration", "oadrResponse",
    ),
    "EiEvent": ("oadrRequestEvent", "oadrCreatedEvent"),
    "EiReport": (
        "oadrRegisterReport", "oadrCreatedReport", "oadrUpdateReport", "oadrCanceledReport", "oadrRegisteredReport",
        "oadrUpdatedReport",
    ),
    "EiOpt": ("oadrCreateOpt", "oadrCancelOpt"),
    "OadrPoll": ("oadrPoll",),
}  # fmt: skip
FAULTS = ("500", "slow", "nonsense", "html", "bomb", "huge", "lost-answer", "unknown-ven", "no-reports", "no-answers")
SLOW_S = 20.0
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha"><!ENTITY c "&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><b>&d;</b>'
)


class Api:
    """The VTN's doors; `until` holds the faults in force with their ends in real (monotonic) seconds."""

    def __init__(self, utility: Utility) -> None:
        self.utility = utility
        self.until: dict[str, float] = {}

    def fault(self, kind: str, for_s: float) -> None:
        """Show a fault for `for_s` real seconds; 0 ends it."""
        self.until[kind] = time.monotonic() + for_s

    def app(self) -> Starlette:
        """All routes."""
        return Starlette(
            routes=[
                *(Route(f"{PREFIX}/{service}", self._service(service), methods=["POST"]) for service in SERVICES),
                Route("/sim/state", self._state, methods=["GET"]),
                Route("/sim/events", self._change, methods=["POST"]),
                Route("/sim/events/{event}", self._drop, methods=["DELETE"]),
                Route("/sim/events/{event}/cancel", self._cancel, methods=["POST"]),
                Route("/sim/reports", self._ask_report, methods=["POST"]),
                Route("/sim/reports/{request}", self._end_report, methods=["DELETE"]),
                Route("/sim/{what}", self._do, methods=["POST"]),
            ]
        )

    def _active(self, kind: str) -> bool:
        return time.monotonic() < self.until.get(kind, 0.0)

    def _service(self, service: str) -> Any:
        async def serve(request: Request) -> Response:
            raw = await request.body()
            spoiled = await self._spoiled()
            if spoiled is not None:
                return spoiled
            try:
                kind, payload = opened(raw)
            except ValueError as error:
                return PlainTextResponse(str(error), 400)
            self.utility.received.append(kind)
            answer = self._answer(service, kind, payload)
            if self._active("lost-answer"):
                return PlainTextResponse("", 502)
            body = b"" if answer is None else message(answer)
            return Response(body, media_type="application/xml")

        return serve

    async def _spoiled(self) -> Response | None:
        if self._active("slow"):
            await asyncio.sleep(SLOW_S)
        bodies = {"nonsense": b"<half an answer", "html": b"<html><body>Sign in</body></html>", "bomb": BOMB}
        for kind, body in bodies.items():
            if self._active(kind):
                return Response(body, media_type="application/xml")
        if self._active("huge"):
            return Response(b"<a>" + b"x" * 5_000_000 + b"</a>", media_type="application/xml")
        return PlainTextResponse("simulated", 500) if self._active("500") else None

    def _answer(self, service: str, kind: str, payload: Element) -> Element | None:
        request = text(payload, ".//pyld:requestID")
        if kind not in SERVICES[service]:
            self.utility.complaints.append(f"{kind} sent to {service}")
            return _plain(request, 459, f"{kind} does not belong to {service}")
        if kind == "oadrQueryRegistration":
            return self._registration(request, None)
        if kind == "oadrCreatePartyRegistration":
            return self._register(request, payload)
        ven = self.utility.vens.get(text(payload, ".//ei:venID"))
        if ven is None or self._active("unknown-ven"):
            return _plain(request, 463, "not registered")
        return self._of_a_ven(kind, payload, ven, request)

    def _of_a_ven(self, kind: str, payload: Element, ven: Ven, request: str) -> Element | None:
        utility = self.utility
        deaf = {"oadrRegisterReport": "no-reports", "oadrCreatedEvent": "no-answers"}.get(kind)
        if deaf and self._active(deaf):
            return _plain(request, 452 if deaf == "no-reports" else 459, "simulated")
        match kind:
            case "oadrPoll":
                utility.polled(ven)
                return ven.queue.pop(0) if ven.queue else _plain(request)
            case "oadrRequestEvent":
                ven.queue = [waiting for waiting in ven.queue if not waiting.tag.endswith("oadrDistributeEvent")]
                return utility.distribution(request)
            case "oadrCreatedEvent":
                return _plain(request, utility.answered(payload))
            case "oadrRegisterReport":
                utility.offered(ven, payload)
                return make("oadr:oadrRegisteredReport", response(request), make("ei:venID", ven.id))
            case "oadrUpdateReport":
                return make("oadr:oadrUpdatedReport", response(request, utility.updated(payload)))
            case "oadrCreateOpt" | "oadrCancelOpt":
                return self._opt(kind, payload, request)
            case "oadrCanceledPartyRegistration" | "oadrCancelPartyRegistration":
                del utility.vens[ven.id]
                return _plain(request)
            case _:
                return None if kind == "oadrResponse" else _plain(request)

    def _opt(self, kind: str, payload: Element, request: str) -> Element:
        made = kind == "oadrCreateOpt"
        self.utility.opts.append(
            {
                "event": text(payload, "ei:qualifiedEventID/ei:eventID"),
                "opt": text(payload, "ei:optType") if made else "cancelled",
                "opt_id": text(payload, "ei:optID"),
            }
        )
        answer = "oadr:oadrCreatedOpt" if made else "oadr:oadrCanceledOpt"
        return make(answer, response(request), make("ei:optID", text(payload, "ei:optID")))

    def _register(self, request: str, payload: Element) -> Element:
        utility = self.utility
        named, registration = text(payload, "ei:venID"), text(payload, "ei:registrationID")
        known = utility.vens.get(named)
        if registration and (known is None or known.registration != registration):
            return _plain(request, 452, "unknown registrationID")
        number = len(utility.received)
        fresh = Ven(
            named or f"ven-{number}", text(payload, "oadr:oadrVenName"), registration or f"registration-{number}"
        )
        ven = known if registration and known is not None else fresh
        utility.vens[ven.id] = ven
        return self._registration(request, ven)

    def _registration(self, request: str, ven: Ven | None) -> Element:
        profile = make(
            "oadr:oadrProfile",
            make("oadr:oadrProfileName", "2.0b"),
            make("oadr:oadrTransports", make("oadr:oadrTransport", make("oadr:oadrTransportName", "simpleHttp"))),
        )
        pace = make("xcal:duration", seconds(self.utility.poll_s))
        return make(
            "oadr:oadrCreatedPartyRegistration",
            response(request),
            make("ei:registrationID", ven.registration) if ven else None,
            make("ei:venID", ven.id) if ven else None,
            make("ei:vtnID", VTN_ID),
            make("oadr:oadrProfiles", profile),
            make("oadr:oadrRequestedOadrPollFreq", pace),
        )

    async def _state(self, request: Request) -> Response:
        utility = self.utility
        vens = [
            {"id": v.id, "name": v.name, "waiting": len(v.queue), "offers": v.offered} for v in utility.vens.values()
        ]
        now = utility.now()
        events = [{"id": e.id, "number": e.number, "status": e.status(now)} for e in utility.events.values()]
        return JSONResponse(
            {"vens": vens, "events": events, "opts": utility.opts, "reports": utility.reports,
             "received": utility.received[-200:], "complaints": utility.complaints}
        )  # fmt: skip

    async def _change(self, request: Request) -> Response:
        try:
            event = self.utility.change(event_from(await request.json()))
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"error": repr(error)}, 400)
        return JSONResponse({"id": event.id, "number": event.number})

    async def _drop(self, request: Request) -> Response:
        return self._on_event(self.utility.drop, request.path_params["event"])

    async def _cancel(self, request: Request) -> Response:
        return self._on_event(self.utility.cancel, request.path_params["event"])

    def _on_event(self, act: Any, event: str) -> Response:
        try:
            act(event)
        except KeyError:
            return JSONResponse({"error": f"no event {event}"}, 404)
        return JSONResponse({"id": event})

    async def _ask_report(self, request: Request) -> Response:
        try:
            made = self.utility.ask_report(**await request.json())
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": repr(error)}, 400)
        return JSONResponse({"request": made})

    async def _end_report(self, request: Request) -> Response:
        one_more = request.query_params.get("one_more") == "true"
        self.utility.end_report(request.path_params["request"], one_more=one_more)
        return JSONResponse({})

    async def _do(self, request: Request) -> Response:
        """forget, reregister, end-registrations, or a fault with ?for_s=."""
        what = request.path_params["what"]
        acts = {
            "forget": self.utility.forget,
            "reregister": self.utility.ask_reregistration,
            "end-registrations": self.utility.end_registrations,
        }
        if what in FAULTS:
            self.fault(what, float(request.query_params.get("for_s", "60")))
        elif what in acts:
            acts[what]()
        else:
            return JSONResponse({"error": f"one of {', '.join((*acts, *FAULTS))}"}, 404)
        return JSONResponse({"done": what})


def _plain(request: str, code: int = 200, words: str = "OK") -> Element:
    return make("oadr:oadrResponse", response(request, code, words))
