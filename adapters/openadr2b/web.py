"""One bounded exchange of messages with a 2.0b VTN; every library exception ends here and becomes one of ours."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from adapters.http.client import HttpClient
from adapters.http.manners import RETRY_LATER, retry_after_s, show_certificate, shown, tls_context
from adapters.openadr2b.markup import Tag, document, read
from adapters.openadr2b.settings import OpenAdr2bSettings
from gateway.model.errors import ServerAnswerWrong, ServerRefused, ServerUnreachable
from gateway.ports import Clock

if TYPE_CHECKING:
    import httpx

MAX_ANSWER_BYTES = 4_000_000
REQUEST_TIMEOUT_S = 10.0
HEADERS = {"Content-Type": "application/xml", "Accept-Encoding": "identity"}


def fingerprint(certificate_der: bytes) -> str:
    """A certificate's fingerprint as OpenADR 2.0b has it: the last ten bytes of its SHA-256, in pairs."""
    digest = hashlib.sha256(certificate_der).digest()
    return ":".join(f"{byte:02X}" for byte in digest[-10:])


class Web:
    """An HTTP client for one VTN: our certificate shown, its own checked, no redirects, answers bounded."""

    def __init__(self, name: str, settings: OpenAdr2bSettings, clock: Clock) -> None:
        self._name = name
        self._settings = settings
        self._clock = clock
        self._http = HttpClient(name, clock, HEADERS, self._tls, self._failure)

    @property
    def clock_skew_s(self) -> float | None:
        """The server's clock minus ours, s, good to half a second; None before the first answer."""
        return self._http.clock_skew_s

    async def post(self, service: str, payload: Tag) -> tuple[str, Element] | None:
        """Send one payload to a service ("EiEvent"); the answer's payload, or None for an empty answer.

        Raises ServerUnreachable, ServerRefused (TLS, 4xx) or ServerAnswerWrong (size, not an OpenADR message).
        """
        url = f"{self._settings.base}/{service}"
        response, raw = await self._http.exchange(
            "POST", url, REQUEST_TIMEOUT_S, MAX_ANSWER_BYTES, self._check_peer, content=document(payload)
        )
        self._check(service, response)
        return self._payload(service, raw)

    def own_fingerprint(self) -> str:
        """The fingerprint of our certificate, which some utilities want to know; "" without one."""
        try:
            pem = Path(self._settings.cert_file).read_text(encoding="ascii") if self._settings.cert_file else ""
            begin, end = pem.index("-----BEGIN CERT"), pem.index("-----END CERTIFICATE-----") + 25
            return fingerprint(ssl.PEM_cert_to_DER_cert(pem[begin:end]))
        except (OSError, ValueError):
            return ""

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _tls(self) -> ssl.SSLContext | bool:
        if not self._settings.base.startswith("https:"):
            return False
        context = tls_context(self._name, self._settings.ca_file)
        show_certificate(context, self._name, self._settings.cert_file, self._settings.key_file)
        return context

    def _check_peer(self, response: httpx.Response) -> None:
        wanted = self._settings.vtn_fingerprint.upper()
        if not wanted:
            return
        stream = response.extensions.get("network_stream")
        peer = stream.get_extra_info("ssl_object") if stream is not None else None
        shown = peer.getpeercert(binary_form=True) if peer is not None else None
        if shown is None or fingerprint(shown) != wanted:
            words = f"the VTN's certificate has another fingerprint than {wanted}"
            raise ServerRefused(self._name, words, "Ask the utility for the fingerprint of its certificate")

    def _check(self, service: str, response: httpx.Response) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        reason = f"{service} was answered with {status}"
        if status in RETRY_LATER or status >= 500:
            raise ServerUnreachable(self._name, reason, retry_after_s=retry_after_s(response.headers))
        if status in (401, 403):
            shown = self.own_fingerprint() or "none"
            raise ServerRefused(self._name, reason, f"Give the utility this certificate's fingerprint: {shown}")
        raise ServerRefused(self._name, reason, "Check the url and the account with the utility")

    def _payload(self, service: str, raw: bytes) -> tuple[str, Element] | None:
        if not raw.strip():
            return None
        try:
            return read(raw)
        except ValueError as error:
            raise ServerAnswerWrong(
                self._name, f"the answer of {service} cannot be read: {shown(str(error))}"
            ) from None

    def _failure(self, url: str, error: Exception) -> ServerUnreachable | ServerRefused:
        if url.startswith("https:") and (_is_alert(error) or _is_broken_off(error)):
            return self._turned_away(url, certain=_is_alert(error))
        return ServerUnreachable(self._name, f"{url} cannot be reached ({type(error).__name__})")

    def _turned_away(self, url: str, *, certain: bool) -> ServerUnreachable | ServerRefused:
        """The VTN broke off: with an alert, or, as some do, without a word. Our own certificate may tell why."""
        over = self._expired()
        if over:
            words = f"this home's certificate expired on {over}"
            return ServerRefused(self._name, words, "Ask the utility for a new one and set cert_file and key_file")
        shown = self.own_fingerprint() or "none"
        if certain:
            words = f"the VTN refuses this home's certificate (fingerprint {shown})"
            return ServerRefused(self._name, words, "Ask the utility to accept it, or for another one")
        words = f"{url} broke off the connection before it answered"
        remedy = f"If it stays so, ask whether the utility accepts this home's certificate (fingerprint {shown})"
        return ServerUnreachable(self._name, words, remedy)

    def _expired(self) -> str:
        """The day our certificate expired on; "" while it is valid, or where there is none to read."""
        from cryptography import x509

        try:
            pem = Path(self._settings.cert_file).read_bytes() if self._settings.cert_file else b""
            end = x509.load_pem_x509_certificate(pem).not_valid_after_utc
        except (OSError, ValueError):
            return ""
        return f"{end:%Y-%m-%d}" if end < self._clock.now() else ""


def _is_broken_off(error: BaseException) -> bool:
    """Whether a connection that stood was ended before an answer."""
    return type(error).__name__ in ("ReadError", "RemoteProtocolError", "WriteError")


def _is_alert(error: BaseException) -> bool:
    """Whether the peer ended TLS with an alert about our certificate (RFC 8446, 6.2)."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and "ALERT" in f"{cause.reason} {cause}".upper():
            return True
        cause = cause.__cause__ or cause.__context__
    return False
