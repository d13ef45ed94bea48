"""What every HTTP client of ours does alike: TLS that is checked, a server's wish to be left alone, who is near."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from gateway.model.errors import ServerRefused

RETRY_LATER = frozenset({408, 425, 429})
"""Statuses below 500 that are worth another try."""
LONGEST_WAIT_S = 3600.0


def tls_context(name: str, ca_file: str) -> ssl.SSLContext:
    """TLS from 1.2 on, the certificate checked against the system's authorities or `ca_file`; raises ServerRefused."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError):
        words = f"{ca_file} is not a readable PEM file"
        raise ServerRefused(name, words, "Mend ca_file in the site file") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def distrust_of(error: BaseException) -> str | None:
    """Why a certificate could not be trusted, where that is what a library's error comes from; else None."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return str(cause.verify_message)
        cause = cause.__cause__ or cause.__context__
    return None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds, or as a date against the server's own clock; never more than an hour (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - parsedate_to_datetime(headers["date"])).total_seconds()
        except (KeyError, ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S) if seconds == seconds else None


def is_local(host: str) -> bool:
    """Whether a host stands in this house: this machine, a private address, or a name of the local network."""
    if host == "localhost" or host.endswith((".local", ".localhost")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_link_local
