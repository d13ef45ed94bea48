"""The door: which Host, which Origin, how large, who; and the security headers on every answer."""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web.login import Login
from gateway.web.problems import problem, refusal
from gateway.web.settings import WebSettings

log = logging.getLogger(__name__)

COOKIE = "hearth_session"
LARGEST_BODY = 64 * 1024
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OPEN_PATHS = ("/login", "/healthz")
TOKEN_PATHS = ("/api/v1/envelopes/",)
"""Where machines come that have a token of their own."""
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    # "no-referrer" would make browsers send "Origin: null" with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "geolocation=(), camera=(), microphone=()",
}


@dataclass(slots=True)
class Guard:
    """ASGI middleware; refuses before any route is reached, default deny.

    scope["state"]["who"] is "owner", "demo", or "" for a visitor of this machine who may only read.
    """

    app: ASGIApp
    login: Login
    settings: WebSettings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through with who asks, or answer with a problem."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        refused = self._refuse_form(request) or await self._refuse_visitor(request)
        app: ASGIApp = refused or self.app
        await _answer(app, request, receive, send)

    def _refuse_form(self, request: Request) -> Response | None:
        """What is wrong with the request itself, whoever sends it."""
        headers = request.headers
        host = headers.get("host", "")
        if not self._known_host(host, request):
            name = host[:100]
            detail = f"This home does not answer to the name '{name}'. Add it to web.allowed_hosts in the site file."
            return refusal(request, 421, detail)
        if request.method not in SAFE_METHODS and not _same_origin(headers, host):
            detail = "The request comes from another site's page. Open this home's own page and try there."
            return refusal(request, 403, detail)
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdigit():
            return refusal(request, 411, "State the length of the body (Content-Length).")
        if int(length) > LARGEST_BODY:
            return refusal(request, 413, f"The body has {length} bytes. Send at most {LARGEST_BODY}.")
        return None

    async def _refuse_visitor(self, request: Request) -> Response | None:
        """Whether this visitor may do this; default deny."""
        path = request.url.path
        who = await self.login.who(request.cookies.get(COOKIE, ""))
        local = is_local(request)
        if not who and local and self.settings.demo_login and _is_loopback(_name(request.headers.get("host", ""))):
            who = "demo"
        request.scope.setdefault("state", {})["who"] = who
        if who or path in OPEN_PATHS or path.startswith("/static/"):
            return None
        if local and request.method in SAFE_METHODS:
            return None
        if path.startswith(TOKEN_PATHS) and request.headers.get("authorization", "").startswith("Bearer "):
            return None  # the route itself looks at the token
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/login", 303)
        return problem(401, f"{request.method} {path} needs a login. Log in at /login.", path)

    def _known_host(self, host: str, request: Request) -> bool:
        name = _name(host)
        if name in {allowed.lower() for allowed in self.settings.allowed_hosts} or _is_loopback(name):
            return True
        server = request.scope.get("server")
        # An address is no name that an attacker could point at us; still, only the one we were asked at.
        return server is not None and _is_address(name) and name == server[0]


async def _answer(app: ASGIApp, request: Request, receive: Receive, send: Send) -> None:
    """Run the application; what it did not expect is logged and answered with 500, with our headers."""
    begun = False

    async def watched(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    guarded = _with_headers(watched)
    try:
        await app(request.scope, receive, guarded)
    except Exception:
        log.exception("%s %s failed", request.method, request.url.path)
        if begun:
            raise
        failed = refusal(request, 500, "Hearth failed to answer; the log has the cause. Try again.")
        await failed(request.scope, receive, guarded)


def is_local(request: Request) -> bool:
    """Whether the peer is this machine, and not a proxy on it that forwards for somebody else."""
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    return request.client is not None and _is_loopback(request.client.host) and not forwarded


def _same_origin(headers: Headers, host: str) -> bool:
    """Neither Origin nor Sec-Fetch-Site means no browser, so no page of another site can be behind it."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or (urlsplit(origin).netloc.lower() == host.lower() and origin.startswith("http"))


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return send_with_headers
