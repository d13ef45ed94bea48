"""The API of who looks after chargers; everything needs a login, reading too: frames and logs tell who is at home."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from gateway.model.charging import ChargerAbout, TraceLine
from gateway.model.site import Role
from gateway.web.problems import Problem
from gateway.web.view import HomeView
from gateway.web.wire import SaidOut
from gateway.web.wire_chargers import AboutOut, AdoptIn, OperateIn, TraceOut, WaitingOut

LINES = "application/x-ndjson"


def charger_api(home: HomeView) -> APIRouter:
    """Every path below /api/v1/chargers/ that the installer needs."""
    router = APIRouter()
    _add_reading(router, home)
    _add_downloads(router, home)
    _add_asking(router, home)
    return router


def _add_reading(router: APIRouter, home: HomeView) -> None:
    @router.get("/api/v1/chargers/waiting")
    async def waiting(request: Request) -> list[WaitingOut]:
        """The charge points that dialled and are not configured, newest first."""
        _login(request)
        return [WaitingOut.model_validate(charger) for charger in home.installer.waiting()]

    @router.get("/api/v1/chargers/trace")
    async def trace(request: Request, identity: str) -> list[TraceOut]:
        """The last steps and messages of one charge point (its OCPP identity), oldest first, secrets blanked."""
        _login(request)
        return [TraceOut.model_validate(line) for line in home.installer.trace(identity)]

    @router.get("/api/v1/chargers/{charger}/about")
    async def about(request: Request, charger: str) -> AboutOut:
        """What is known of one configured charger."""
        _login(request)
        return AboutOut.model_validate(_about(home, charger))


def _add_downloads(router: APIRouter, home: HomeView) -> None:
    @router.get("/api/v1/chargers/{charger}/frames", response_class=StreamingResponse)
    async def frames(request: Request, charger: str) -> Response:
        """Its last messages as JSON lines, secrets blanked; they can be replayed."""
        _login(request)
        lines = home.installer.trace(_about(home, charger).identity)
        headers = {"content-disposition": f"attachment; filename={charger}-frames.jsonl"}
        return StreamingResponse(_json_lines(lines), media_type=LINES, headers=headers)

    @router.get("/api/v1/chargers/{charger}/uploads/{name}", response_class=FileResponse)
    async def upload(request: Request, charger: str, name: str) -> Response:
        """One log that it uploaded."""
        _login(request)
        path = home.installer.upload(charger, name)
        if path is None:
            raise Problem(
                404, f"There is no log '{name[:100]}'. GET /api/v1/chargers/{charger[:100]}/about lists them."
            )
        return FileResponse(path, media_type="application/octet-stream", filename=name)

    @router.get("/api/v1/chargers/root.pem", response_class=Response)
    async def root() -> Response:
        """The certificate that chargers must trust to dial wss; it is no secret."""
        text = home.installer.root_certificate()
        if not text:
            raise Problem(404, "This home has no certificate authority. Chargers dial ws.")
        headers = {"content-disposition": "attachment; filename=hearth-root.pem"}
        return Response(text, media_type="application/x-pem-file", headers=headers)


def _add_asking(router: APIRouter, home: HomeView) -> None:
    @router.post("/api/v1/chargers/{charger}/operations")
    async def operate(charger: str, wish: OperateIn, request: Request) -> SaidOut:
        """Ask one operation of a charger; what came of it."""
        _about(home, charger)
        return SaidOut(text=await home.installer.operate(charger, wish.operation, request.state.who))

    @router.post("/api/v1/chargers/adopt")
    async def adopt(wish: AdoptIn, request: Request) -> SaidOut:
        """Take a waiting charge point into the site file."""
        return SaidOut(text=await adopt_by(home, wish, request.state.who))


def _about(home: HomeView, charger: str) -> ChargerAbout:
    found = home.installer.about(charger)
    if found is None:
        known = ", ".join(device.id for device in home.site.of_role(Role.EV_CHARGER)) or "none"
        raise Problem(404, f"There is no charger '{charger[:100]}' that speaks OCPP. Known: {known}.")
    return found


def _login(request: Request) -> None:
    """Raises Problem (401) for a visitor who may only look."""
    if not request.state.who:
        raise Problem(401, f"GET {request.url.path} needs a login. Log in at /login.")


def _json_lines(lines: Sequence[TraceLine]) -> Iterator[str]:
    for line in lines:
        document = {"time": line.time.isoformat(), "direction": line.direction, "text": line.text}
        yield json.dumps(document, ensure_ascii=False) + "\n"


async def adopt_by(home: HomeView, wish: AdoptIn, who: str) -> str:
    return await home.installer.adopt(
        wish.identity, wish.device, wish.name, wish.phases, wish.max_current_a, wish.connector, who
    )
