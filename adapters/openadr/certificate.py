"""What certificate a server shows, for a person who sets the connection up."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from adapters.http.manners import distrust_of
from adapters.openadr.settings import OpenAdrSettings
from adapters.openadr.web import REQUEST_TIMEOUT_S, tls_of
from gateway.model.errors import ServerRefused, ServerUnreachable


@dataclass(frozen=True, slots=True)
class Certificate:
    """Who is named, who vouches for it, and until when (aware UTC)."""

    subject: str
    issuer: str
    ends: datetime
    tls: str
    """Version of TLS that was agreed on."""


async def certificate_of(name: str, settings: OpenAdrSettings) -> Certificate | None:
    """The certificate behind the URL, None for plain http; raises ServerUnreachable or ServerRefused (not trusted)."""
    parts = urlsplit(settings.base)
    if parts.scheme != "https":
        return None
    where = f"{parts.hostname}:{parts.port or 443}"
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=tls_of(name, settings))
    except (OSError, TimeoutError) as error:
        distrust = distrust_of(error)
        if distrust is not None:
            remedy = "Name its authority with --ca-file (ca_file), or ask the utility"
            raise ServerRefused(name, f"the certificate of {where} cannot be trusted ({distrust})", remedy) from None
        words = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise ServerUnreachable(name, f"{where} cannot be reached ({words})") from None
    try:
        return _told(writer.get_extra_info("ssl_object"))
    finally:
        writer.transport.abort()


def _told(connection: ssl.SSLObject) -> Certificate | None:
    from cryptography import x509

    raw = connection.getpeercert(binary_form=True)
    if raw is None:
        return None
    shown = x509.load_der_x509_certificate(raw)
    subject, issuer = shown.subject.rfc4514_string(), shown.issuer.rfc4514_string()
    return Certificate(subject, issuer, shown.not_valid_after_utc, connection.version() or "?")
