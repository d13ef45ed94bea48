"""What every HTTP client of ours does alike: TLS that is checked, bodies bounded, the clocks compared, who is near."""

from __future__ import annotations

import ipaddress
import ssl
import sys
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from statistics import median_high
from typing import TYPE_CHECKING

from gateway.model.errors import ServerAnswerWrong, ServerRefused, ServerUnreachable

if TYPE_CHECKING:
    import httpx

RETRY_LATER = frozenset({408, 425, 429})
"""Statuses below 500 that are worth another try."""
LONGEST_WAIT_S = 3600.0
LONGEST_WORDS = 200
ANSWERS_JUDGED = 3
"""How many answers tell of a server's clock: one odd one among them does not count."""


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


def show_certificate(context: ssl.SSLContext, name: str, cert_file: str, key_file: str) -> None:
    """Have a client certificate at hand for mutual TLS, where one is set; raises ServerRefused."""
    if not cert_file:
        return
    try:
        context.load_cert_chain(cert_file, key_file, password="")
    except (OSError, ssl.SSLError, ValueError):
        words = f"{cert_file} and {key_file} are not a readable certificate with its key"
        raise ServerRefused(name, words, "Mend cert_file and key_file in the site file") from None


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


async def whole_body(name: str, response: httpx.Response, most_bytes: int) -> bytes:
    """The body as it was meant, of at most `most_bytes` both packed and unpacked.

    Unpacked by ourselves: an answer packed twice would unfold without end inside the library. Raises ServerAnswerWrong
    (too long, packed in another way than once by gzip), ServerUnreachable (cut short).
    """
    raw = bytearray()
    async for chunk in response.aiter_raw():
        raw += chunk
        if len(raw) > most_bytes:
            raise _too_long(name, most_bytes)
    packed = response.headers.get("content-encoding", "").strip().lower()
    return bytes(raw) if packed in ("", "identity") or not raw else _unpacked(name, bytes(raw), packed, most_bytes)


def _unpacked(name: str, raw: bytes, packed: str, most_bytes: int) -> bytes:
    if packed not in ("gzip", "x-gzip"):
        raise ServerAnswerWrong(name, "an answer packed in an unknown way, which we did not ask for")
    opened = zlib.decompressobj(wbits=31)
    try:
        plain = opened.decompress(raw, most_bytes + 1)
    except zlib.error:
        raise ServerAnswerWrong(name, "an answer that cannot be unpacked") from None
    if len(plain) > most_bytes:
        raise _too_long(name, most_bytes)
    if not opened.eof:
        raise ServerUnreachable(name, "an answer that was cut short")
    return plain


def _too_long(name: str, most_bytes: int) -> ServerAnswerWrong:
    return ServerAnswerWrong(name, f"an answer of more than {most_bytes // 1_000_000} MB")


def shown(text: str, most: int = LONGEST_WORDS) -> str:
    """Somebody else's words as they may stand in a line of ours: bounded, each letter printable."""
    letters = (x if x.isprintable() else " " if x.isspace() else "?" for x in text[:most])
    return "".join(letters) if len(text) <= most else "".join(letters)[: most - 3] + "..."


class ClockDifference:
    """A server's clock against ours, out of the Date headers of its last answers."""

    def __init__(self) -> None:
        self._last: tuple[float, ...] = ()

    @property
    def seconds(self) -> float | None:
        """Theirs minus ours, s, good to half a second; None before the first answer.

        Of two answers the later one counts: what stood in a cache is never ahead.
        """
        return median_high(self._last) if self._last else None

    def note(self, headers: Mapping[str, str], now: datetime) -> None:
        """Take up one answer that came at `now`; its Age is how long it stood in a cache (RFC 9111, 5.1)."""
        try:
            theirs = parsedate_to_datetime(headers["date"])
            age = headers.get("age", "").strip()
            theirs += timedelta(seconds=int(age) if age.isdecimal() and len(age) < 10 else 0)
        except (KeyError, ValueError, TypeError, OverflowError):
            return
        if theirs.tzinfo is not None:
            # The header leaves out the fraction: half a second is what it means on average.
            difference = (theirs - now).total_seconds() + 0.5
            self._last = (*self._last, difference)[-ANSWERS_JUDGED:]


def is_local(host: str) -> bool:
    """Whether a host stands in this house: this machine, a private address, or a name of the local network."""
    if host == "localhost" or host.endswith((".local", ".localhost")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_link_local
