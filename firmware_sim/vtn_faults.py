"""What goes wrong at a utility's server, for a while: an ASGI layer in front of the API."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

KINDS = ("500", "slow", "nonsense", "expired-tokens")
SLOW_S = 20.0
SHORT_LIFE_S = 1.0
FREE = ("/sim", "/desk", "/favicon.ico")


@dataclass
class Faults:
    """The faults in force, each with its end in real (monotonic) seconds."""

    until: dict[str, float] = field(default_factory=dict)
    nonsense: itertools.count[int] = field(default_factory=itertools.count)

    def start(self, kind: str, for_s: float) -> None:
        """Show `kind` for `for_s` real seconds."""
        self.until[kind] = time.monotonic() + for_s

    def active(self, kind: str) -> bool:
        """True while `kind` is in force."""
        return time.monotonic() < self.until.get(kind, 0.0)

    def listed(self) -> list[str]:
        """The kinds in force."""
        return [kind for kind in KINDS if self.active(kind)]


class FaultLayer:
    """Spoils API answers; the simulator's own pages stay sane."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app, self._faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or spoil it."""
        spoiled = None
        if scope["type"] == "http" and scope["path"] != "/" and not scope["path"].startswith(FREE):
            spoiled = await self._spoil()
        await (spoiled or self._app)(scope, receive, send)

    async def _spoil(self) -> Response | None:
        if self._faults.active("slow"):
            await asyncio.sleep(SLOW_S)
        if self._faults.active("500"):
            body = {"type": "about:blank", "title": "Internal Server Error", "status": 500, "detail": "simulated"}
            return JSONResponse(body, 500, media_type="application/problem+json")
        if self._faults.active("nonsense"):
            if next(self._faults.nonsense) % 2:
                return JSONResponse("do some magic!")
            return PlainTextResponse('[{"id": "half an answer", "programID', media_type="application/json")
        return None
