"""The utility's desk: the page for people and its forms, and /sim for whoever drives the simulation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from firmware_sim import vtn_compose, vtn_faults
from firmware_sim.vtn_page import page
from firmware_sim.vtn_store import Client, Object, Problem

if TYPE_CHECKING:
    from firmware_sim.vtn_api import Api

OPERATOR = Client("vtn-operator", "bl")


class Desk:
    """What a person or a test does here, past the wire and its rights."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._said = ""
        """What was wrong with the last form, in words."""

    def routes(self) -> list[Route]:
        """The page, its forms and /sim."""
        return [
            Route("/", self.human),
            Route("/desk/{act}", self.form, methods=["POST"]),
            Route("/sim/state", self.state),
            Route("/sim/reports", self.reports),
            Route("/sim/fault", self.fault, methods=["POST"]),
            Route("/sim/odd", self.odd, methods=["POST"]),
            Route("/sim/certificate", self.certificate, methods=["POST"]),
            Route("/sim/script", self.run_script, methods=["POST"]),
            Route("/sim/clear", self.clear, methods=["POST"]),
        ]

    async def human(self, request: Request) -> Response:
        """The page for people."""
        said, self._said = self._said, ""
        shown = [*self._api.faults.listed(), *sorted(self._api.odd.on)]
        return HTMLResponse(page(self._api.store, self._api.script, shown, said))

    async def form(self, request: Request) -> Response:
        """POST /desk/{program,event,change,cancel}: do it, then show the page again with what was wrong."""
        words = dict(parse_qsl((await request.body()).decode(errors="replace")))
        acts: dict[str, Callable[[dict[str, str]], None]] = {
            "program": self._program, "event": self._event, "change": self._change, "cancel": self._cancel,
        }  # fmt: skip
        if not _same_origin(request):
            raise Problem(403, "the form came from another page")
        try:
            acts[request.path_params["act"]](words)
        except KeyError as error:
            raise Problem(404, f"the desk does not {error.args[0]}") from error
        except (ValueError, Problem) as error:
            self._said = str(error)
        return RedirectResponse("/", 303)

    def _program(self, words: dict[str, str]) -> None:
        self._api.store.create(self._api.version.kinds["programs"], vtn_compose.program(words), OPERATOR)

    def _event(self, words: dict[str, str]) -> None:
        api = self._api
        program = words.get("program") or next(reversed(api.store.items["programs"]), "")
        if not program:
            raise ValueError("program: create one first")
        body = vtn_compose.event(words, program, api.store.now(), api.script.zone, grouped=not api.version.private)
        api.store.create(api.version.kinds["events"], body, OPERATOR)

    def _change(self, words: dict[str, str]) -> None:
        api, kind = self._api, self._api.version.kinds["events"]
        held = api.store.get(kind, words.pop("id", ""), OPERATOR)
        body = vtn_compose.moved(held, words, api.store.now(), api.script.zone, grouped=not api.version.private)
        api.store.update(kind, held["id"], body, OPERATOR)

    def _cancel(self, words: dict[str, str]) -> None:
        api, kind = self._api, self._api.version.kinds["events"]
        held = api.store.get(kind, words.get("id", ""), OPERATOR)
        if words.get("how") == "zero":
            api.store.update(kind, held["id"], vtn_compose.cancelled(held), OPERATOR)
        else:
            api.store.delete(kind, held["id"], OPERATOR)

    async def state(self, request: Request) -> Response:
        """Everything at a glance, for tests and drivers."""
        api = self._api
        counts = {path: len(items) for path, items in api.store.items.items()}
        return JSONResponse(
            {
                "now": api.store.now().isoformat(),
                "version": api.version.name,
                "counts": counts,
                "requests": api.requests,
                "faults": api.faults.listed(),
                "odd": sorted(api.odd.on),
                "notifications": {"sent": api.notifier.sent, "failed": api.notifier.failed},
                "script_waiting": len(api.script.waiting),
                "events": list(api.store.items["events"].values()),
                "vens": list(api.store.items["vens"].values()),
                "resources": list(api.store.items["resources"].values()),
            }
        )

    async def reports(self, request: Request) -> Response:
        """All reports received."""
        return JSONResponse(list(self._api.store.items["reports"].values()))

    async def fault(self, request: Request) -> Response:
        """POST {"kind", "for_s"}: real seconds."""
        body = await _json(request)
        kind, for_s = body.get("kind"), body.get("for_s", 60)
        if kind not in vtn_faults.KINDS or not isinstance(for_s, (int, float)):
            raise Problem(400, f"kind must be one of {', '.join(vtn_faults.KINDS)}, for_s a number")
        self._api.faults.start(kind, for_s)
        if kind == "expired-tokens":
            self._api.access.revoke_all()
        return JSONResponse({"faults": self._api.faults.listed()})

    async def odd(self, request: Request) -> Response:
        """POST a list of names: exactly these oddities from now."""
        body = await _json(request)
        self._api.odd.set(body if isinstance(body, list) else [])
        return JSONResponse({"odd": sorted(self._api.odd.on)})

    async def certificate(self, request: Request) -> Response:
        """POST {"expired": bool}: what is shown from the next handshake on."""
        if self._api.tls is None:
            raise Problem(400, "this VTN serves plain http; start it with --tls FOLDER")
        self._api.tls.show(expired=bool((await _json(request)).get("expired")))
        return JSONResponse({"expired": self._api.tls.expired})

    async def run_script(self, request: Request) -> Response:
        """POST a list of script entries: run at their announce time, or now without one."""
        entries = await _json(request)
        try:
            self._api.script.add(entries if isinstance(entries, list) else [entries])
        except (ValueError, TypeError, AttributeError) as error:
            raise Problem(400, f"not a script: {error}") from error
        return JSONResponse({"script_waiting": len(self._api.script.waiting)})

    async def clear(self, request: Request) -> Response:
        """POST: no events, reports, programs or faults any more; VENs stay."""
        api = self._api
        api.faults.until.clear()
        api.script.waiting.clear()
        for path in ("events", "reports", "programs"):
            for object_id in list(api.store.items[path]):
                api.store.delete(api.version.kinds[path], object_id, OPERATOR)
        return JSONResponse({"counts": {path: len(items) for path, items in api.store.items.items()}})


def _same_origin(request: Request) -> bool:
    """A browser names the page a form came from; another page may not act here."""
    origin = request.headers.get("origin")
    return origin is None or origin == f"{request.url.scheme}://{request.headers.get('host')}"


async def _json(request: Request) -> Any:
    try:
        found: Object = json.loads(await request.body())
    except ValueError as error:
        raise Problem(400, f"the body is not JSON: {error}") from error
    return found
