"""The VTN's HTTP paths: OpenADR 3.1.0 openadr3.yaml, written from that file; plus /sim for whoever drives it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from firmware_sim import vtn_faults
from firmware_sim.vtn_access import Access
from firmware_sim.vtn_notify import Notifier
from firmware_sim.vtn_page import page
from firmware_sim.vtn_script import Script
from firmware_sim.vtn_store import KINDS, Client, Kind, Object, Problem, Store

PAGE_LIMIT = 50
OPERATOR = Client("vtn-operator", "bl")
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
FILTERS = ("programID", "eventID", "clientName", "venName", "venID", "resourceName")

Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """The application over one store."""

    def __init__(self, store: Store, access: Access, script: Script, notifier: Notifier) -> None:
        self.store, self.access, self.script, self.notifier = store, access, script, notifier
        self.faults = vtn_faults.Faults()
        self.requests = 0

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/auth/server", self.auth_server),
            Route("/auth/token", self.token, methods=["POST"]),
            Route("/notifiers", self.notifiers),
            *(route for kind in KINDS.values() for route in self._collection(kind)),
            Route("/", self.human),
            Route("/sim/state", self.state),
            Route("/sim/reports", self.reports),
            Route("/sim/fault", self.fault, methods=["POST"]),
            Route("/sim/script", self.run_script, methods=["POST"]),
            Route("/sim/clear", self.clear, methods=["POST"]),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(vtn_faults.FaultLayer, faults=self.faults)],
            exception_handlers={Problem: _problem_answer},
        )

    def _collection(self, kind: Kind) -> list[Route]:
        async def many(request: Request) -> Response:
            return await (self._create if request.method == "POST" else self._list)(kind, request)

        async def one(request: Request) -> Response:
            return await self._one(kind, request)

        return [
            Route(f"/{kind.path}", many, methods=["GET", "POST"]),
            Route(f"/{kind.path}/{{id}}", one, methods=["GET", "PUT", "DELETE"]),
        ]

    def _client(self, request: Request, kind: Kind) -> Client:
        self.requests += 1
        reading = "read_ven_objects" if kind.owned else "read_targets"
        scope = reading if request.method == "GET" else kind.write_scope
        return self.access.client(request.headers.get("authorization", ""), scope)

    async def _list(self, kind: Kind, request: Request) -> Response:
        client = self._client(request, kind)
        query = request.query_params
        skip, limit = _whole(query.get("skip"), 0), _whole(query.get("limit"), PAGE_LIMIT)
        if limit > PAGE_LIMIT:
            raise Problem(400, f"limit is at most {PAGE_LIMIT}")
        found = self.store.visible(kind, client, query.getlist("targets"))
        for name in FILTERS:
            if name in query:
                found = [item for item in found if item.get(name) == query[name]]
        return JSONResponse(found[skip : skip + limit])

    async def _create(self, kind: Kind, request: Request) -> Response:
        client = self._client(request, kind)
        return JSONResponse(self.store.create(kind, await _json(request), client), 201)

    async def _one(self, kind: Kind, request: Request) -> Response:
        client, object_id = self._client(request, kind), request.path_params["id"]
        if request.method == "PUT":
            return JSONResponse(self.store.update(kind, object_id, await _json(request), client))
        act = self.store.delete if request.method == "DELETE" else self.store.get
        return JSONResponse(act(kind, object_id, client))

    async def auth_server(self, request: Request) -> Response:
        """Where tokens come from: here."""
        return JSONResponse({"tokenURL": str(request.base_url) + "auth/token"})

    async def token(self, request: Request) -> Response:
        """POST /auth/token with a form body."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        life_s = vtn_faults.SHORT_LIFE_S if self.faults.active("expired-tokens") else None
        return JSONResponse(self.access.issue(form, life_s), headers={"Cache-Control": "no-store"})

    async def notifiers(self, request: Request) -> Response:
        """Webhooks only: there is no broker here."""
        self.access.client(request.headers.get("authorization", ""), "read_all")
        return JSONResponse({"WEBHOOK": True})

    async def human(self, request: Request) -> Response:
        """The page for people."""
        return HTMLResponse(page(self.store, self.script, self.faults.listed()))

    async def state(self, request: Request) -> Response:
        """Everything at a glance, for tests and drivers."""
        counts = {path: len(items) for path, items in self.store.items.items()}
        return JSONResponse(
            {
                "now": self.store.now().isoformat(),
                "counts": counts,
                "requests": self.requests,
                "faults": self.faults.listed(),
                "notifications": {"sent": self.notifier.sent, "failed": self.notifier.failed},
                "script_waiting": len(self.script.waiting),
                "events": list(self.store.items["events"].values()),
                "vens": list(self.store.items["vens"].values()),
                "resources": list(self.store.items["resources"].values()),
            }
        )

    async def reports(self, request: Request) -> Response:
        """All reports received."""
        return JSONResponse(list(self.store.items["reports"].values()))

    async def fault(self, request: Request) -> Response:
        """POST {"kind", "for_s"}: real seconds."""
        body = await _json(request)
        kind, for_s = body.get("kind"), body.get("for_s", 60)
        if kind not in vtn_faults.KINDS or not isinstance(for_s, (int, float)):
            raise Problem(400, f"kind must be one of {', '.join(vtn_faults.KINDS)}, for_s a number")
        self.faults.start(kind, for_s)
        if kind == "expired-tokens":
            self.access.revoke_all()
        return JSONResponse({"faults": self.faults.listed()})

    async def run_script(self, request: Request) -> Response:
        """POST a list of script entries: run at their announce time, or now without one."""
        entries = await _json(request)
        try:
            self.script.add(entries if isinstance(entries, list) else [entries])
        except (ValueError, TypeError, AttributeError) as error:
            raise Problem(400, f"not a script: {error}") from error
        return JSONResponse({"script_waiting": len(self.script.waiting)})

    async def clear(self, request: Request) -> Response:
        """POST: no events, reports, programs or faults any more; VENs stay."""
        self.faults.until.clear()
        self.script.waiting.clear()
        for path in ("events", "reports", "programs"):
            for object_id in list(self.store.items[path]):
                self.store.delete(KINDS[path], object_id, OPERATOR)
        return JSONResponse({"counts": {path: len(items) for path, items in self.store.items.items()}})


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise Problem(400, f"the body is not JSON: {error}") from error


def _whole(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdigit():
        raise Problem(400, f"skip and limit are whole numbers from 0, not {text!r}")
    return int(text)


async def _problem_answer(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    body: Object = {
        "type": "about:blank",
        "title": TITLES.get(error.status, "Error"),
        "status": error.status,
        "detail": error.detail,
    }
    if request.url.path == "/auth/token":
        # RFC 6749 section 5.2 wants these beside the problem the YAML declares.
        body |= {"error": "invalid_client" if error.status == 401 else "invalid_request"}
    return JSONResponse(body, error.status, media_type="application/json")
