"""Hints by webhook (OpenADR 3, subscriptions): our receiver on a port of its own, and the subscription that names it."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import quote

from adapters.openadr.account import Account
from adapters.openadr.dialect import Body, Dialect
from adapters.openadr.enrolment import Enrolment
from adapters.openadr.listing import Listings
from adapters.openadr.settings import OpenAdrSettings
from adapters.openadr.versions import Versions
from gateway.model.errors import ServerError

if TYPE_CHECKING:
    import uvicorn
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

log = logging.getLogger(__name__)

RENEW_S = 3600.0
RETRY_S = 60.0
GOODBYE_S = 3.0
LARGEST_BODY = 65_536
LONGEST_ECHO = 1024


class Webhook:
    """Receives the calls of one VTN while `run` runs, and keeps the subscription to them."""

    def __init__(
        self, account: Account, listings: Listings, versions: Versions, enrolment: Enrolment, hinted: Callable[[], None]
    ) -> None:
        self.state = ""
        """How it stands, in words."""
        self._account = account
        self._listings = listings
        self._versions = versions
        self._enrolment = enrolment
        self._token = secrets.token_urlsafe(32)
        self._app = receiver(self._token, hinted)
        self._programs: tuple[str, ...] = ()
        self._looked = asyncio.Event()
        self._due = asyncio.Event()
        self._made: dict[str, str] = {}
        """Ids of our subscriptions, by what they are for."""

    def follow(self, programs: tuple[str, ...]) -> None:
        """The programs of the last look: 3.0.1 wants a subscription for each."""
        if programs != self._programs:
            self._due.set()
        self._programs = programs
        self._looked.set()

    async def run(self) -> None:
        """Receive until cancelled; the subscription is made after the first look and looked after every hour."""
        settings = self._account.settings
        try:
            listening = socket.create_server((settings.callback_bind, settings.callback_port))
            server = _server(self._app, settings)
        except (OSError, ValueError) as error:
            self._note(f"webhook: cannot listen on {settings.callback_bind}:{settings.callback_port}: {error}")
            return
        serving = asyncio.create_task(server.serve(sockets=[listening]), name=f"{self._account.name} receiver")
        try:
            await self._looked.wait()
            while True:
                self._due.clear()
                await self._pause(RENEW_S if await self._subscribed() else RETRY_S)
        finally:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
            listening.close()

    async def close(self) -> None:
        """Take our subscriptions back, as far as the server answers in time."""
        try:
            async with asyncio.timeout(GOODBYE_S):
                for name in self._made.values():
                    await self._account.request("DELETE", f"/subscriptions/{quote(name, safe='')}")
        except (ServerError, TimeoutError) as error:
            log.info("%s: the subscription stays at the server: %s", self._account.name, error or "no answer")

    async def _pause(self, seconds: float) -> None:
        due = asyncio.ensure_future(self._due.wait())
        pause = asyncio.ensure_future(self._account.clock.sleep(0, real_floor=seconds))
        try:
            await asyncio.wait({due, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            due.cancel()
            pause.cancel()

    async def _subscribed(self) -> bool:
        """Make sure that each subscription stands; whether it does."""
        try:
            dialect = await self._versions.dialect()
            there = await self._ours()
            for key, body in self._wanted(dialect).items():
                await self._ensure(key, body, there.get(key))
        except ServerError as error:
            self._note(f"webhook: not subscribed: {error.reason}")
            return False
        self._note(f"webhook: subscribed for {self._account.settings.callback_url}")
        return True

    def _wanted(self, dialect: Dialect) -> dict[str, Body]:
        """Request bodies by what they are for: all of it; for 3.0.1 by program; and one for each group we are in.

        Targets filter as in a query, where every term must match (Definition, Response Filtering): so one each, and one
        without for what is for everybody.
        """
        settings, groups = self._account.settings, list(self._enrolment.groups)
        programs = self._programs if dialect.subscribes_by_program else ("",)
        bodies = [
            dialect.subscription(settings.ven_name, settings.callback_url, self._token, each) for each in programs
        ]
        if groups and dialect.asks_by_target:
            bodies += [{**body, "targets": [group]} for body in bodies for group in groups]
        return {_key(body): body for body in bodies}

    async def _ours(self) -> dict[str, str]:
        """Ids of the subscriptions that call our address, by what they are for; those of others are left alone."""
        settings = self._account.settings
        listed = await self._listings.complete("/subscriptions", {"clientName": settings.ven_name})
        return {_key(item): str(item["id"]) for item in listed if _calls(item, settings.callback_url)}

    async def _ensure(self, key: str, body: Body, there: str | None) -> None:
        """One subscription: made if absent, given this run's token if it was there before us."""
        if there is not None and self._made.get(key) == there:
            return
        method, path = (
            ("POST", "/subscriptions") if there is None else ("PUT", f"/subscriptions/{quote(there, safe='')}")
        )
        answer = await self._account.request(method, path, json=body)
        made = self._account.check(answer, "the subscription")
        name = there or (str(made.get("id") or "") if isinstance(made, dict) else "")
        if name:
            self._made[key] = name

    def _note(self, state: str) -> None:
        if state != self.state:
            log.info("%s: %s", self._account.name, state)
        self.state = state


def receiver(token: str, hinted: Callable[[], None]) -> ASGIApp:
    """The application behind the callback URL, whatever path a proxy makes of it.

    GET ?echo=x answers x (Definition, webhook verification; some servers add /echo to the path); POST with our bearer
    token is a hint. Its body is bounded and not read: it would not be believed.
    """
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    async def call(request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            echo = request.query_params.get("echo", "")
            headers = {"X-Content-Type-Options": "nosniff"}
            return PlainTextResponse(echo[:LONGEST_ECHO], 200 if echo else 404, headers)
        shown = request.headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(shown, f"Bearer {token}".encode()):
            return Response(status_code=401)
        if not await _small(request):
            return Response(status_code=413)
        hinted()
        return Response(status_code=200)

    return Starlette(routes=[Route("/{path:path}", call, methods=["GET", "POST"])])


async def _small(request: Request) -> bool:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            return False
    return True


def _server(app: ASGIApp, settings: OpenAdrSettings) -> uvicorn.Server:
    """uvicorn without its signal handlers, bounded in connections and patience; raises OSError for a bad certificate."""
    import uvicorn

    class Receiver(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="none", limit_concurrency=16, timeout_keep_alive=5,
        timeout_graceful_shutdown=1, server_header=False, proxy_headers=False,
        ssl_certfile=settings.callback_cert_file or None, ssl_keyfile=settings.callback_key_file or None,
    )  # fmt: skip
    config.load()
    return Receiver(config)


def _key(subscription: Body) -> str:
    aimed = subscription.get("targets")
    groups = sorted(str(each) for each in aimed) if isinstance(aimed, list) else []
    return "|".join((str(subscription.get("programID") or ""), *groups))


def _calls(item: object, url: str) -> TypeGuard[Body]:
    operations = item.get("objectOperations") if isinstance(item, dict) and item.get("id") else None
    several = operations if isinstance(operations, list) else []
    return any(isinstance(each, dict) and each.get("callbackUrl") == url for each in several)
