"""What goes wrong at a service on the web, for a while: an ASGI layer in front of the answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KINDS = ("429", "500", "slow", "nonsense", "short", "empty", "lies")
SLOW_S = 60.0
RETRY_AFTER_S = 1800


@dataclass
class Faults:
    """The faults in force, each with its end in real (monotonic) seconds; "lies" is for the answers themselves."""

    until: dict[str, float] = field(default_factory=dict)

    def start(self, kind: str, for_s: float) -> None:
        """Show `kind` for `for_s` real seconds; 0 ends it."""
        self.until[kind] = time.monotonic() + for_s

    def active(self, kind: str) -> bool:
        """True while `kind` is in force."""
        return time.monotonic() < self.until.get(kind, 0.0)


class FaultLayer:
    """Spoils answers; the simulator's own paths stay sane."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app, self._faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or spoil it."""
        app: ASGIApp = self._app
        if scope["type"] == "http" and not scope["path"].startswith("/sim"):
            if self._faults.active("slow"):
                await asyncio.sleep(SLOW_S)
            app = self._spoiled() or app
            send = _shortened(send) if self._faults.active("short") else send
        await app(scope, receive, send)

    def _spoiled(self) -> Response | None:
        if self._faults.active("429"):
            return PlainTextResponse("too many", 429, headers={"Retry-After": str(RETRY_AFTER_S)})
        if self._faults.active("500"):
            return PlainTextResponse("simulated", 500)
        if self._faults.active("nonsense"):
            return PlainTextResponse("<html>maintenance</html>")
        return JSONResponse({}) if self._faults.active("empty") else None


def _shortened(send: Send) -> Send:
    """Half of each body, though its whole length was promised: the line breaks off."""

    async def half(message: Message) -> None:
        body = message.get("body", b"")
        if message["type"] == "http.response.body" and body:
            message = {**message, "body": body[: len(body) // 2], "more_body": False}
        await send(message)

    return half
