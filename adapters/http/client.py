"""One HTTP client for one server: every answer bounded in size and time, every library exception one of ours."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from adapters.http.manners import ClockDifference, distrust_of, leave_out_command_line, whole_body
from gateway.model.errors import ServerError, ServerRefused, ServerUnreachable
from gateway.ports import Clock

if TYPE_CHECKING:
    import httpx


class HttpClient:
    """Opened at its first request; no redirects, no proxies of the environment, and the server's clock noted.

    `tls` makes what is trusted and shown (False: plain http); `blamed` says what a connection that broke means.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        headers: Mapping[str, str],
        tls: Callable[[], ssl.SSLContext | bool],
        blamed: Callable[[str, Exception], ServerError],
    ) -> None:
        leave_out_command_line()
        self._name, self._clock, self._headers, self._tls, self._blamed = name, clock, headers, tls, blamed
        self._client: httpx.AsyncClient | None = None
        self._difference = ClockDifference()

    @property
    def clock_skew_s(self) -> float | None:
        """The server's clock minus ours, s, from its Date headers, good to half a second; None before the first."""
        return self._difference.seconds

    async def exchange(
        self,
        method: str,
        url: str,
        timeout_s: float,
        most_bytes: int,
        met: Callable[[httpx.Response], None] = lambda response: None,
        **request: Any,
    ) -> tuple[httpx.Response, bytes]:
        """One request: the answer, whatever its status, and its body; `met` looks at the server before the body is read.

        Raises ServerUnreachable, ServerRefused (TLS, no address) or ServerAnswerWrong (size).
        """
        import httpx

        try:
            async with asyncio.timeout(timeout_s):
                async with self._opened().stream(method, url, timeout=timeout_s, **request) as response:
                    met(response)
                    raw = await whole_body(self._name, response, most_bytes)
        except (TimeoutError, httpx.TimeoutException):
            raise ServerUnreachable(self._name, f"no answer from {url} within {timeout_s:g} s") from None
        except (httpx.HTTPError, OSError) as error:  # an alert of TLS 1.3 comes late, past the library
            raise self._failure(url, error) from None
        except httpx.InvalidURL:
            raise ServerRefused(self._name, f"{url} is not a web address", "Mend the url in the site file") from None
        if self._clock.speed == 1:  # the sped up clock of a simulated home goes with nobody's
            self._difference.note(response.headers, self._clock.now())
        return response, raw

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient(
                headers=self._headers, verify=self._tls(), follow_redirects=False, trust_env=False
            )
        return self._client

    def _failure(self, url: str, error: Exception) -> ServerError:
        distrust = distrust_of(error)
        if distrust is None:
            return self._blamed(url, error)
        words = f"its certificate cannot be trusted ({distrust})"
        return ServerRefused(self._name, words, "Set ca_file for a private authority, or ask the utility")
