"""One bounded HTTP exchange with a service; every library exception ends here and becomes one of ours.

What is asked with may hold a key or the home's place: words name the server and its path, never a query, and a key
that stands elsewhere is blanked.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from adapters.http.manners import (
    RETRY_LATER,
    distrust_of,
    leave_out_command_line,
    retry_after_s,
    tls_context,
    whole_body,
)
from gateway.model.errors import ServerAnswerWrong, ServerError, ServerRefused, ServerUnreachable

if TYPE_CHECKING:
    import httpx

MAX_ANSWER_BYTES = 2_000_000
TIMEOUT_S = 20.0
MAX_REDIRECTS = 3
WORDS, TELLING = 200, 8
"""Longest quotation of an answer; so many characters of a key in a row are not told."""
USER_AGENT = "Hearth home energy gateway"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and decoded JSON (None where there was none) of one answer."""

    status: int
    body: Any


class Web:
    """A client for one service: verified TLS, redirects on its own host only, every answer bounded in size and time."""

    def __init__(self, name: str, *, ca_file: str = "", secret: str = "") -> None:
        leave_out_command_line()
        self._name, self._ca_file = name, ca_file
        self._secrets = {secret, quote(secret, safe="")} - {""}
        self._client: httpx.AsyncClient | None = None

    async def exchange(
        self, url: str, headers: Mapping[str, str], body: Any = None, *, absent: tuple[int, ...] = ()
    ) -> Answer:
        """GET, or POST where there is a body; raises ServerError for all but 2xx and the statuses in `absent`."""
        import httpx

        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._followed(url, headers, body, absent)
        except (TimeoutError, httpx.TimeoutException):
            raise ServerUnreachable(self._name, f"no answer from {self.shown(url)} within {TIMEOUT_S:g} s") from None
        except (httpx.HTTPError, OSError) as error:
            raise self._failure(url, error) from None
        except (httpx.InvalidURL, UnicodeError):
            raise ServerRefused(self._name, f"{self.shown(url)} is not a web address") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def shown(self, url: str) -> str:
        """Server with its port and path of an address, without its query and anything secret."""
        parts = urlsplit(url)
        return self.blanked(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")

    def blanked(self, text: str) -> str:
        """The text without the account's key, nor parts of it that say something."""
        for secret in self._secrets:
            text = _without(text.replace(secret, "***"), secret)
        return text

    def quoted(self, text: str) -> str:
        """Of a text that holds somebody else's words so much as fits in a line: first blanked, then cut."""
        words = self.blanked(text[: 20 * WORDS])
        words = "".join(letter if letter.isprintable() else "?" for letter in words)
        return words if len(words) <= WORDS else words[: WORDS - 3] + "..."

    async def _followed(self, url: str, headers: Mapping[str, str], body: Any, absent: tuple[int, ...]) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            status, told, raw = await self._once(url, headers, body)
            if status not in (301, 302, 303, 307, 308):
                return self._answer(url, status, told, raw, absent)
            there = urljoin(url, told.get("location", ""))
            if _origin(there) != _origin(url):
                remedy = "Mend the source's profile or url"
                raise ServerRefused(self._name, f"{self.shown(url)} sends us to another server", remedy)
            url = there
        raise ServerRefused(self._name, f"{self.shown(url)} sends us in a circle")

    async def _once(self, url: str, headers: Mapping[str, str], body: Any) -> tuple[int, Mapping[str, str], bytes]:
        sent = {"User-Agent": USER_AGENT, "Accept": "application/json", **headers, "Accept-Encoding": "gzip"}
        client, method = self._opened(), "GET" if body is None else "POST"
        async with client.stream(method, url, headers=sent, json=body) as response:
            return response.status_code, response.headers, await whole_body(self._name, response, MAX_ANSWER_BYTES)

    def _answer(self, url: str, status: int, headers: Mapping[str, str], raw: bytes, absent: tuple[int, ...]) -> Answer:
        if status in absent or status == 204:
            return Answer(status, None)
        if not 200 <= status < 300:
            raise self._refusal(url, status, headers)
        try:
            return Answer(status, json.loads(raw))
        except (ValueError, RecursionError):
            raise ServerAnswerWrong(self._name, f"the answer from {self.shown(url)} is not JSON") from None

    def _refusal(self, url: str, status: int, headers: Mapping[str, str]) -> ServerError:
        reason = f"{self.shown(url)} was answered with {status}"
        if status in RETRY_LATER or status >= 500:
            return ServerUnreachable(self._name, reason, retry_after_s=retry_after_s(headers))
        if status in (401, 403):
            return ServerRefused(self._name, reason, "Check the token, and what the service asks of its users")
        return ServerRefused(self._name, reason, "Check area and options in the site file")

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            # httpx logs whole addresses, and with them the home's place and perhaps a key.
            for noisy in (logging.getLogger("httpx"), logging.getLogger("httpcore")):
                noisy.setLevel(max(noisy.level, logging.WARNING))
            self._client = httpx.AsyncClient(
                timeout=TIMEOUT_S,
                verify=tls_context(self._name, self._ca_file, shared=True),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    def _failure(self, url: str, error: Exception) -> ServerError:
        distrust = distrust_of(error)
        if distrust is not None:
            words = f"the certificate of {self.shown(url)} cannot be trusted ({distrust})"
            return ServerRefused(self._name, words, "Set ca_file for a private authority")
        return ServerUnreachable(self._name, f"{self.shown(url)} cannot be reached ({type(error).__name__})")


def _without(text: str, secret: str) -> str:
    """The text without runs of at least `TELLING` characters of the secret, as a server may tell that cuts it itself."""
    kept, at = [], 0
    while at < len(text):
        end = at + TELLING
        if len(text) < end or text[at:end] not in secret:
            kept.append(text[at])
            at += 1
            continue
        while end < len(text) and text[at : end + 1] in secret:
            end += 1
        kept.append("***")
        at = end
    return "".join(kept)


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return "", "", None
