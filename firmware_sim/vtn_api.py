"""The VTN's HTTP paths: OpenADR 3.1.0 and 3.0.1, written from the two openadr3.yaml files."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from firmware_sim import vtn_faults, vtn_mqtt
from firmware_sim.vtn_access import Access
from firmware_sim.vtn_desk import Desk
from firmware_sim.vtn_notify import Notifier
from firmware_sim.vtn_odd import Oddities
from firmware_sim.vtn_script import Script
from firmware_sim.vtn_store import Client, Kind, Object, Problem, Store
from firmware_sim.vtn_tls import Tls
from firmware_sim.vtn_versions import V310, Version

PAGE_LIMIT = 50
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
FILTERS = ("programID", "eventID", "clientName", "venName", "venID", "resourceName")

Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class Api:
    """What the paths need: the store, who may, what is odd or broken, whom to tell."""

    store: Store
    access: Access
    script: Script
    notifier: Notifier
    mqtt_port: int | None = None
    version: Version = V310
    odd: Oddities = field(default_factory=Oddities)
    tls: Tls | None = None
    faults: vtn_faults.Faults = field(default_factory=vtn_faults.Faults)
    requests: int = 0

    def app(self) -> Starlette:
        """The ASGI application: the wire, and the desk beside it."""
        return Starlette(
            routes=[*self._routes(), *Desk(self).routes()],
            middleware=[Middleware(vtn_faults.FaultLayer, faults=self.faults)],
            exception_handlers={Problem: self._problem_answer},
        )

    def _routes(self) -> list[Route]:
        found = [Route("/auth/token", self.token, methods=["POST"])]
        if self.version is V310:
            found += [
                Route("/auth/server", self.auth_server),
                Route("/notifiers", self.notifiers),
                Route("/notifiers/mqtt/topics/{path:path}", self.topics),
            ]
        return found + [
            route for path, root in self.version.roots.items() for route in self._collection(root, self._kind(path))
        ]

    def _kind(self, path: str) -> Kind:
        return self.version.kinds[path]

    def _collection(self, root: str, kind: Kind) -> list[Route]:
        async def many(request: Request) -> Response:
            return await (self._create if request.method == "POST" else self._list)(kind, request)

        async def one(request: Request) -> Response:
            return await self._one(kind, request)

        return [
            Route(f"/{root}", many, methods=["GET", "POST"]),
            Route(f"/{root}/{{id}}", one, methods=["GET", "PUT", "DELETE"]),
        ]

    def _client(self, request: Request, kind: Kind) -> Client:
        self.requests += 1
        scope = self.version.read_scope(kind) if request.method == "GET" else kind.write_scope
        return self.access.client(request.headers.get("authorization", ""), scope)

    async def _list(self, kind: Kind, request: Request) -> Response:
        client, query = self._client(request, kind), request.query_params
        skip, limit = _whole(query.get("skip"), 0), _whole(query.get("limit"), PAGE_LIMIT)
        if limit > PAGE_LIMIT:
            raise Problem(400, f"limit is at most {PAGE_LIMIT}")
        found = self._found(kind, client, request)
        if not self.odd.has("no-paging"):
            found = found[skip : skip + limit]
        return JSONResponse([self._shown(kind, item) for item in found])

    def _found(self, kind: Kind, client: Client, request: Request) -> list[Object]:
        query = request.query_params
        targets = query.getlist("targets") if self.version.private else []
        if targets and self.odd.has("targets-500") and not set(targets) <= self.store.granted(client):
            raise Problem(500, "simulated: a target that was not granted")
        found = self.store.visible(kind, client, targets)
        if self.odd.has("leaks-targets") and not kind.owned:
            found = list(self.store.items[kind.path].values())
        found = [item for item in found if _under(item, request.path_params)]
        if self.odd.has("ignores-filters"):
            return found
        if not self.version.private:
            found = [item for item in found if _aimed(item, query.get("targetType"), query.getlist("targetValues"))]
        wanted = {name: query[name] for name in FILTERS if name in query}
        return [item for item in found if all(item.get(name) == value for name, value in wanted.items())]

    async def _create(self, kind: Kind, request: Request) -> Response:
        client, body = self._client(request, kind), self._placed(await _json(request), request)
        if kind.path == "subscriptions" and isinstance(body, dict):
            await self.notifier.check_callbacks(body)
        return JSONResponse(self._shown(kind, self.store.create(kind, body, client)), 201)

    async def _one(self, kind: Kind, request: Request) -> Response:
        client, object_id = self._client(request, kind), request.path_params["id"]
        if not _under(self.store.get(kind, object_id, client), request.path_params):
            raise Problem(404, f"no {kind.type.lower()} has the id {object_id}")
        if request.method == "PUT":
            body = self._placed(await _json(request), request)
            return JSONResponse(self._shown(kind, self.store.update(kind, object_id, body, client)))
        act = self.store.delete if request.method == "DELETE" else self.store.get
        return JSONResponse(self._shown(kind, act(kind, object_id, client)))

    def _placed(self, body: Any, request: Request) -> Any:
        """A resource of 3.0.1 belongs to the VEN of its path."""
        ven = request.path_params.get("venID")
        return {**body, "venID": ven} if ven and isinstance(body, dict) else body

    def _shown(self, kind: Kind, item: Object) -> Object:
        hidden = () if self.version.private else ("clientID",)
        return self.odd.answered(kind.path, {key: value for key, value in item.items() if key not in hidden})

    async def auth_server(self, request: Request) -> Response:
        """Where tokens come from: here."""
        return JSONResponse({"tokenURL": str(request.base_url) + "auth/token"})

    async def token(self, request: Request) -> Response:
        """POST /auth/token with a form body."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        life_s = vtn_faults.SHORT_LIFE_S if self.faults.active("expired-tokens") else None
        answer = self.access.issue(form, life_s, request.headers.get("authorization", ""))
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    async def notifiers(self, request: Request) -> Response:
        """Webhooks always; MQTT where there is a broker."""
        self.access.client(request.headers.get("authorization", ""), "read_all")
        if self.odd.has("magic-notifiers"):
            return JSONResponse("do some magic!")
        offer = {} if self.mqtt_port is None else {"MQTT": vtn_mqtt.binding(self.mqtt_port)}
        return JSONResponse({"WEBHOOK": True, **offer})

    async def topics(self, request: Request) -> Response:
        """GET /notifiers/mqtt/topics/...: a VEN asks for its own topics only."""
        path = request.path_params["path"]
        scope, single = vtn_mqtt.asked(path)
        client = self.access.client(request.headers.get("authorization", ""), scope)
        if self.mqtt_port is None:
            raise Problem(404, "this server has no MQTT notifier")
        kind, *rest = path.split("/")
        if rest:
            self.store.get(self._kind(kind), rest[0], client)
        return JSONResponse(vtn_mqtt.topics(path, existing=single))

    async def _problem_answer(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        body: Object = {
            "type": "about:blank",
            "title": TITLES.get(error.status, "Error"),
            "status": str(error.status) if self.odd.has("string-status") else error.status,
            "detail": error.detail,
        }
        if request.url.path == "/auth/token":
            # RFC 6749 section 5.2 wants these beside the problem the YAML declares.
            body |= {"error": "invalid_client" if error.status in (401, 403) else "invalid_request"}
        plain = "application/json" if self.odd.has("string-status") else "application/problem+json"
        return JSONResponse(body, error.status, media_type=plain)


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


def _under(item: Object, path: dict[str, Any]) -> bool:
    """Whether an object stands under the VEN that the path names, if it names one."""
    return "venID" not in path or item.get("venID") == path["venID"]


def _aimed(item: Object, kind: str | None, values: list[str]) -> bool:
    """3.0.1: targetType and targetValues; Interpretation: any of the values, and what has no targets is for everybody."""
    if not kind or not item.get("targets"):
        return True
    named = [target for target in item["targets"] if isinstance(target, dict) and target.get("type") == kind]
    return any(str(value) in values for target in named for value in target.get("values") or [])
