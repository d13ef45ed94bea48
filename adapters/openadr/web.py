"""One bounded HTTP exchange with a VTN; every library exception ends here and becomes one of ours."""

from __future__ import annotations

import json
import logging
import math
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapters.http.client import HttpClient
from adapters.http.manners import RETRY_LATER, retry_after_s, show_certificate, shown, tls_context
from adapters.openadr.settings import OpenAdrSettings
from gateway.model.errors import ServerAnswerWrong, ServerRefused, ServerUnreachable
from gateway.ports import Clock

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 4_000_000
REQUEST_TIMEOUT_S = 10.0
MOST_DIGITS = 400
SAME_METHOD = frozenset({307, 308})
MOVED = SAME_METHOD | {301, 302}
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
HEADERS = {"User-Agent": "hearth", "Accept": "application/json", "Accept-Encoding": "identity"}
"""Nothing of this home or machine."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, decoded JSON (None when there was none), the wish to be left alone and the size of one answer."""

    status: int
    body: Any
    retry_after_s: float | None
    size: int
    """Bytes of the body."""


class Web:
    """An HTTP client for one VTN: verified TLS, every answer bounded in size and time; redirects within its own server only."""

    def __init__(self, name: str, settings: OpenAdrSettings, clock: Clock) -> None:
        self._name = name
        self._settings = settings
        self._http = HttpClient(name, clock, HEADERS, lambda: tls_of(name, settings), self._failure)

    @property
    def clock_skew_s(self) -> float | None:
        """The server's clock minus ours, s, good to half a second; None before the first answer."""
        return self._http.clock_skew_s

    async def exchange(self, method: str, url: str, **request: Any) -> Answer:
        """One request; raises ServerUnreachable, ServerRefused (TLS) or ServerAnswerWrong (size, not JSON)."""
        response, raw = await self._http.exchange(method, url, REQUEST_TIMEOUT_S, MAX_ANSWER_BYTES, **request)
        moved = moved_to(response) if response.status_code in SAME_METHOD or method == "GET" else None
        if moved is not None:
            # A new address that has no query of its own stands for the same question.
            more = {name: value for name, value in request.items() if name != "params" or "?" not in moved}
            response, raw = await self._http.exchange(method, moved, REQUEST_TIMEOUT_S, MAX_ANSWER_BYTES, **more)
        return self._answer(response, raw)

    def check(self, answer: Answer, what: str) -> Any:
        """The body of a good answer; raises by the status otherwise."""
        if 200 <= answer.status < 300:
            return answer.body
        reason = f"{what} was answered with {answer.status}{_detail(answer.body)}"
        if answer.status in RETRY_LATER or answer.status >= 500:
            raise ServerUnreachable(self._name, reason, retry_after_s=answer.retry_after_s)
        if 300 <= answer.status < 400:
            raise ServerRefused(self._name, reason, "The address has moved: mend the url in the site file")
        if answer.status in (401, 403):
            raise ServerRefused(self._name, reason, "Check client_id and client_secret with the utility")
        raise ServerRefused(self._name, reason, "Check the url and the account with the utility")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _answer(self, response: httpx.Response, raw: bytes) -> Answer:
        body: Any = None
        try:
            body = _decoded(raw) if raw.strip() else None
        except (ValueError, RecursionError):
            if response.status_code < 300:
                raise ServerAnswerWrong(self._name, f"the answer from {response.url.path} is not JSON") from None
        return Answer(response.status_code, body, retry_after_s(response.headers), len(raw))

    def _failure(self, url: str, error: Exception) -> ServerUnreachable | ServerRefused:
        if wants_certificate(error):
            words = "it does not let us in without a client certificate that it knows"
            return ServerRefused(self._name, words, "Set cert_file and key_file to the ones from the utility")
        words, remedy = f"{url} cannot be reached ({type(error).__name__})", ""
        if type(error).__name__ in ("ReadError", "RemoteProtocolError") and not self._settings.cert_file:
            words = f"{url} ended the connection without an answer"
            remedy = "If the utility gave you a client certificate, set cert_file and key_file"
        return ServerUnreachable(self._name, words, remedy)


def tls_of(name: str, settings: OpenAdrSettings) -> ssl.SSLContext:
    """How we meet a VTN: its certificate checked, ours at hand; raises ServerRefused for files that cannot be read."""
    context = tls_context(name, settings.ca_file)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    show_certificate(context, name, settings.cert_file, settings.key_file)
    return context


def moved_to(response: httpx.Response) -> str | None:
    """Where an answer says its object is, on the very same server: the token and the request go to no other."""
    if response.status_code not in MOVED or "Location" not in response.headers:
        return None
    import httpx

    try:
        there = response.url.join(response.headers["Location"])
    except (httpx.InvalidURL, ValueError) as error:
        log.info("an address that an answer names cannot be read: %s", error)
        return None
    here = response.url
    return str(there) if (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port) else None


def wants_certificate(error: BaseException) -> bool:
    """Whether a server ended the handshake over our certificate: alerts 42 to 48, 116 (RFC 8446, 6.2)."""
    cause: BaseException | None = error
    while cause is not None:
        reason = getattr(cause, "reason", None) or ""
        if isinstance(cause, ssl.SSLError) and "ALERT" in reason and ("CERT" in reason or "UNKNOWN_CA" in reason):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _decoded(raw: bytes) -> Any:
    """JSON whose texts are Unicode whatever was sent: halves of characters count as U+FFFD. Raises ValueError."""
    text = raw.decode(json.detect_encoding(raw), "replace")
    body = json.loads(text, parse_constant=_not_a_number, parse_int=_whole)
    return _unicode(body) if _HALF_CHARACTER.search(text) else body


def _unicode(found: Any) -> Any:
    if isinstance(found, str):
        return found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(found, dict):
        return {_unicode(key): _unicode(value) for key, value in found.items()}
    return [_unicode(item) for item in found] if isinstance(found, list) else found


def _whole(digits: str) -> int | float:
    """A number of thousands of digits, which Python refuses, would else hide the objects beside it."""
    return int(digits) if len(digits) <= MOST_DIGITS else math.inf


def _not_a_number(text: str) -> None:
    """NaN and Infinity are no JSON: they count as absent."""


def _detail(body: Any) -> str:
    """The server's own words from a problem body, whose fields may have any type."""
    if not isinstance(body, dict):
        return ""
    words = body.get("detail") or body.get("title") or body.get("error_description") or body.get("error")
    return f": {shown(str(words))}" if words else ""
