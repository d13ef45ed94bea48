"""The page Chargers and its API, for the installer: who waits, what each charger is, what may be asked of it.

Everything here needs a login, reading too: frames and logs tell who is at home.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from gateway.model.charging import ChargerAbout, Operation, WaitingCharger
from gateway.model.errors import WishRefused
from gateway.model.site import Device, Role
from gateway.runtime.installer import PLACES, suggested_id
from gateway.runtime.words import local_time
from gateway.web.api_chargers import adopt_by, charger_api
from gateway.web.pages import Pages
from gateway.web.state import charger_status
from gateway.web.view import HomeView
from gateway.web.wire_chargers import AdoptIn, OperateIn

SHOWN_LINES = 60
NEW_NAME = "CHARGER-1"
"""What a new charger is called until somebody knows better."""
SECURITY_WORDS = {
    0: "no password (home network only)",
    1: "password, not encrypted",
    2: "encrypted, with password",
    3: "encrypted, with its own certificate",
}
OPERATIONS: dict[Operation, tuple[str, str]] = {
    Operation.COMPOSITE_SCHEDULE: ("Ask for its limits", ""),
    Operation.CONFIGURATION: ("Read its settings", ""),
    Operation.UPLOAD_LOG: ("Fetch its log", ""),
    Operation.RESET_SOFT: ("Restart", "It ends what it is doing and starts again. A running session may end."),
    Operation.RESET_HARD: ("Restart at once", "It starts again without waiting. A running session may end."),
    Operation.UNLOCK: ("Unlock the plug", "The plug is released; a running session ends."),
    Operation.AVAILABLE: ("Put in service", ""),
    Operation.UNAVAILABLE: ("Take out of service", "Nobody can charge there until it is put in service again."),
    Operation.ROTATE_PASSWORD: ("New password", "It gets a new random password and dials again with it."),
    Operation.ROTATE_CERTIFICATE: ("New certificate", "It asks this home for a new certificate of its own."),
}
"""The words on the button, and what must be confirmed; "" needs no second look."""


@dataclass(frozen=True, slots=True)
class ChargerPanel:
    """One configured charger on the page; `about` is None for one that does not speak OCPP."""

    id: str
    name: str
    connected: bool
    about: ChargerAbout | None
    security: str
    rung: str
    events: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WaitingPanel:
    """One waiting charger with what the form proposes."""

    charger: WaitingCharger
    seen: str
    suggestion: str
    security: str


def charger_routes(home: HomeView, pages: Pages) -> APIRouter:
    """The page, its forms and its API."""
    router = APIRouter()
    _add_pages(router, home, pages)
    _add_forms(router, home, pages)
    router.include_router(charger_api(home))
    return router


# ---- pages


def _add_pages(router: APIRouter, home: HomeView, pages: Pages) -> None:
    @router.get("/chargers", include_in_schema=False)
    async def chargers(request: Request, confirm: str = "", charger: str = "", name: str = NEW_NAME) -> Response:
        if not request.state.who:
            return RedirectResponse("/login", 303)
        panels, waiting = charger_panels(home), waiting_panels(home)
        return pages.page(
            request,
            "chargers.html",
            headline=chargers_sentence(panels, waiting),
            chargers=panels,
            waiting=waiting,
            name=_fit(name),
            dial=_addresses(home, _fit(name)),
            certificate=bool(home.installer.root_certificate()),
            adopting=home.installer.adoption is not None,
            places=list(PLACES),
            operations=OPERATIONS,
            confirm=_confirmation(panels, confirm, charger),
        )

    @router.get("/chargers/trace", include_in_schema=False)
    async def trace(request: Request, identity: str = "") -> Response:
        if not request.state.who:
            return RedirectResponse("/login", 303)
        lines = home.installer.trace(identity)[-SHOWN_LINES:]
        now, zone = home.clock.now(), home.site.timezone
        rows = [(local_time(line.time, now, zone), f"{line.time:%S}", line) for line in reversed(lines)]
        name = identity[:100] or "nobody"
        return pages.page(request, "charger_trace.html", headline=f"What {name} says.", identity=identity, rows=rows)


def charger_panels(home: HomeView) -> list[ChargerPanel]:
    """Every configured charger, in the order of the site file."""
    return [_panel(home, device) for device in home.site.of_role(Role.EV_CHARGER)]


def _panel(home: HomeView, device: Device) -> ChargerPanel:
    about, status = home.installer.about(device.id), charger_status(home.snapshot(), device.id)
    now, zone = home.clock.now(), home.site.timezone
    events = (
        tuple((local_time(line.time, now, zone), line.text) for line in reversed(about.security_events))
        if about
        else ()
    )
    seen = "seen working" if about and about.rung_seen_working else "not seen working now"
    return ChargerPanel(
        device.id,
        device.name,
        bool(status and status.connected),
        about,
        SECURITY_WORDS.get(about.security_profile, "") if about else "",
        f"{about.rung}, {seen}" if about and about.rung else "",
        events,
    )


def waiting_panels(home: HomeView) -> list[WaitingPanel]:
    """Every waiting charger, newest first."""
    taken = [device.id for device in home.site.devices]
    now, zone = home.clock.now(), home.site.timezone
    return [
        WaitingPanel(
            charger,
            local_time(charger.last_seen, now, zone),
            suggested_id(charger.id, taken),
            SECURITY_WORDS.get(charger.security_profile, ""),
        )
        for charger in home.installer.waiting()
    ]


def chargers_sentence(panels: Sequence[ChargerPanel], waiting: Sequence[WaitingPanel]) -> str:
    """How many chargers wait, and which are away."""
    away = [panel.name for panel in panels if not panel.connected]
    told = (
        f"{', '.join(away)} {'is' if len(away) == 1 else 'are'} not connected" if away else "All chargers are connected"
    )
    if not panels:
        told = "No charger is set up"
    count = sum(bool(panel.charger.id) for panel in waiting)
    if not count:
        return f"{told}."
    return f"{told}; {'one charger waits' if count == 1 else f'{count} chargers wait'} to be adopted."


def _addresses(home: HomeView, identity: str) -> tuple[tuple[str, str], ...]:
    """URLs to type into a charger, each with its QR code as a picture."""
    return tuple((url, _picture(url)) for url in home.installer.urls(identity))


def _fit(name: str) -> str:
    """A name that every charger can hold as its identity."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[:36] or NEW_NAME


@lru_cache(maxsize=200)
def _picture(url: str) -> str:
    """The QR code of a URL as a data URI; "" for an address that is only an example."""
    if "<" in url:
        return ""
    import segno  # drawn rarely: it need not be loaded at the start

    return str(segno.make_qr(url, error="m").svg_data_uri(scale=4, border=3, dark="#000", light="#fff"))


def _confirmation(panels: Sequence[ChargerPanel], confirm: str, charger: str) -> dict[str, str] | None:
    """What a person is asked before an operation that hurts; None when nothing is to be asked."""
    panel = next((panel for panel in panels if panel.id == charger), None)
    asked = next((operation for operation in OPERATIONS if operation.value == confirm), None)
    if panel is None or asked is None:
        return None
    words, warning = OPERATIONS[asked]
    return {"charger": panel.id, "name": panel.name, "operation": asked.value, "words": words, "warning": warning}


# ---- forms


def _add_forms(router: APIRouter, home: HomeView, pages: Pages) -> None:
    @router.post("/do/operate", include_in_schema=False)
    async def operate(request: Request) -> Response:
        fields = await _fields(request)
        charger, wish = fields.get("charger", ""), fields.get("operation", "")
        try:
            operation = OperateIn.model_validate({"operation": wish}).operation
            if OPERATIONS[operation][1] and fields.get("sure") != "yes":
                asked = urlencode({"confirm": operation.value, "charger": charger})
                return RedirectResponse(f"/chargers?{asked}#confirm", 303)
            pages.say(request, await home.installer.operate(charger, operation, request.state.who))
        except (WishRefused, ValidationError) as refused:
            pages.say(request, _words(refused), refused=True)
        return RedirectResponse("/chargers", 303)

    @router.post("/do/adopt", include_in_schema=False)
    async def adopt(request: Request) -> Response:
        fields = await _fields(request)
        try:
            wish = AdoptIn.model_validate(fields | {"max_current_a": fields.get("max_current_a", "").replace(",", ".")})
            pages.say(request, await adopt_by(home, wish, request.state.who))
        except (WishRefused, ValidationError) as refused:
            pages.say(request, _words(refused), refused=True)
        return RedirectResponse("/chargers", 303)


async def _fields(request: Request) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=20) as form:
        return {key: value.strip() for key, value in form.items() if isinstance(value, str)}


def _words(error: WishRefused | ValidationError) -> str:
    if isinstance(error, WishRefused):
        return str(error)
    first = error.errors()[0]
    where = " ".join(str(part) for part in first["loc"]).replace("_", " ")
    return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}. Mend it and send again."
