"""A log of the station, sent by HTTP PUT or POST to where the central system asked for it."""

from __future__ import annotations

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
NAME = "diagnostics.log"


def log_text(heard: Iterable[tuple[str, dict[str, object]]]) -> bytes:
    """What the station remembers of the calls it heard, a line each."""
    return "".join(f"{action} {payload}\n" for action, payload in heard).encode() or b"nothing heard\n"


async def upload(location: str, body: bytes, tls: ssl.SSLContext | None, methods: tuple[str, ...]) -> bool:
    """Try each method in turn, first at the place itself; False where none is taken or it is not http(s)."""
    if urlsplit(location).scheme not in ("http", "https"):
        return False
    for method in methods:
        if await asyncio.to_thread(_send, method, location, body, tls):
            return True
    return False


def _send(method: str, location: str, body: bytes, tls: ssl.SSLContext | None) -> bool:
    request = urllib.request.Request(location, data=body, method=method)
    request.add_header("Content-Type", "text/plain")
    request.add_header("Content-Disposition", f'attachment; filename="{NAME}"')
    context = tls if location.startswith("https:") else None
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        *([urllib.request.HTTPSHandler(context=context)] if context else []),
    )
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return bool(200 <= answer.status < 300)
    except (OSError, urllib.error.URLError):
        return False
