"""What every HTTP client of ours does alike: TLS that is checked, a server's wish to be left alone, who is near."""

from __future__ import annotations

import ipaddress
import ssl
import sys
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path

from gateway.model.errors import ServerRefused

RETRY_LATER = frozenset({408, 425, 429})
"""Statuses below 500 that are worth another try."""
LONGEST_WAIT_S = 3600.0


def tls_context(name: str, ca_file: str, *, shared: bool = False) -> ssl.SSLContext:
    """TLS from 1.2 on, the certificate checked against the system's authorities or `ca_file`; raises ServerRefused.

    `shared`: one context for all who trust the same file and never change it; the system's authorities take 1 MB each.
    """
    trusted = Path(ca_file or ssl.get_default_verify_paths().cafile or "")
    try:
        return _shared(ca_file, trusted.stat().st_mtime_ns if trusted.is_file() else 0) if shared else _fresh(ca_file)
    except (OSError, ssl.SSLError):
        words = f"{ca_file} is not a readable PEM file"
        raise ServerRefused(name, words, "Mend ca_file in the site file") from None


@lru_cache(maxsize=4)
def _shared(ca_file: str, changed_ns: int) -> ssl.SSLContext:
    """The context for a file as it was written at `changed_ns`."""
    return _fresh(ca_file)


def _fresh(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def leave_out_command_line() -> None:
    """To be called before httpx is imported: its own command line would bring rich and pygments, 4 MB, for nothing.

    None in sys.modules makes an import fail (Python reference, 5.3.1), and httpx does well without that module.
    """
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]


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
