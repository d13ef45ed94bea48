"""The bearer token: fetched once for all who wait, kept, renewed early; never shown and never sent elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urljoin, urlsplit

from adapters.openadr.settings import OpenAdrSettings
from adapters.openadr.web import Answer, Web
from gateway.model.errors import ServerAnswerWrong, ServerRefused
from gateway.ports import Clock

UNSTATED_LIFE_S = 3600.0
"""Used when the answer has no expires_in: the reference VTN leaves it out."""


class Token:
    """OAuth 2 client credentials at one VTN: form body first, HTTP Basic when that is refused (RFC 6749 2.3.1)."""

    def __init__(self, name: str, settings: OpenAdrSettings, clock: Clock, web: Web) -> None:
        self._name = name
        self._settings = settings
        self._clock = clock
        self._web = web
        self._one_at_a_time = asyncio.Lock()
        self._value = ""
        self._renew_at = 0.0
        self._basic = False

    @property
    def wanted(self) -> bool:
        """Whether there are credentials; without them requests go without a token."""
        return bool(self._settings.client_id)

    async def header(self) -> dict[str, str]:
        """The Authorization header, with a token that is still good; raises ServerError."""
        if not self.wanted:
            return {}
        async with self._one_at_a_time:
            if not self._value or self._clock.monotonic() >= self._renew_at:
                await self._fetch()
            return {"Authorization": f"Bearer {self._value}"}

    def reject(self, header: dict[str, str]) -> bool:
        """The server refused this header: forget its token; whether another try with a fresh one makes sense."""
        if header.get("Authorization") == f"Bearer {self._value}":
            self._value = ""
        return self.wanted

    async def _fetch(self) -> None:
        url = await self._endpoint()
        answer = await self._ask(url, self._basic)
        if answer.status in (400, 401):
            answer = await self._ask(url, not self._basic)
            if 200 <= answer.status < 300:
                self._basic = not self._basic
        if answer.status in (400, 401, 403):
            remedy = "Check client_id and client_secret in the site file with the utility"
            raise ServerRefused(self._name, "the client id or secret was not accepted", remedy)
        body = self._web.check(answer, "the token request")
        self._keep(body)

    def _keep(self, body: Any) -> None:
        token = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise ServerAnswerWrong(self._name, "the token endpoint gave no token")
        stated = body.get("expires_in")
        number = isinstance(stated, int | float) and not isinstance(stated, bool) and stated > 0
        life = float(stated) if number else UNSTATED_LIFE_S
        self._value = token
        self._renew_at = self._clock.monotonic() + min(life / 2, max(life - 60.0, 1.0))

    async def _ask(self, url: str, basic: bool) -> Answer:
        identity, secret = self._settings.client_id, self._settings.client_secret.get_secret_value()
        form = {"grant_type": "client_credentials"}
        if basic:
            return await self._web.exchange("POST", url, data=form, auth=(identity, secret))
        return await self._web.exchange("POST", url, data={**form, "client_id": identity, "client_secret": secret})

    async def _endpoint(self) -> str:
        """The configured endpoint, else the one the VTN names if it is on the VTN's own host, else its /auth/token."""
        if self._settings.token_url:
            return self._settings.token_url
        answer = await self._web.exchange("GET", f"{self._settings.base}/auth/server")
        if answer.status >= 500:
            self._web.check(answer, "the question for the token endpoint")
        named = answer.body.get("tokenURL") if answer.status == 200 and isinstance(answer.body, dict) else None
        if not isinstance(named, str) or not named:
            return f"{self._settings.base}/auth/token"
        named = urljoin(f"{self._settings.base}/", named)
        if _origin(named) != _origin(self._settings.base):
            words = f"it wants the credentials sent to another server, {urlsplit(named).hostname}"
            raise ServerRefused(self._name, words, f"If that is right, set token_url: {named} in the site file")
        return named


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port; the names of this machine count as one."""
    parts = urlsplit(url)
    host = "localhost" if parts.hostname in ("127.0.0.1", "::1") else parts.hostname
    return parts.scheme, host, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
