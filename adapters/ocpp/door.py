"""Who may come in: identity, subprotocol, password and certificate of a request, judged without a socket."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from adapters.ocpp.versions import SUBPROTOCOLS, choose, meant

IDENTITY_LENGTH = 48
"""OCPP-J 2.0.1, section 3.1.1; 1.6 names no limit."""
HOME_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Loopback, private and link-local addresses (RFC 1918, 3927, 4193, 4291)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What one request shows of who sent it."""

    identity: str
    address: str
    offered: tuple[str, ...] = ()
    """WebSocket subprotocols, as spelled."""
    tls: bool = False
    user: str | None = None
    password: bytes = b""
    """Of Basic authentication; `user` is None without it."""
    web_page: bool = False
    """A browser sent it."""
    names: frozenset[str] = frozenset()
    """In its certificate, which our authority signed; empty without one."""
    serial: int | None = None
    """Of that certificate."""
    why_no_certificate: str = ""
    """Why it was not asked for one, or why the one it showed counts for nothing, in words."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is turned away: HTTP status and a sentence."""

    status: int
    why: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """The OCPP version to speak, and the subprotocol to answer with (None: the charger offered none)."""

    version: str
    subprotocol: str | None


BY_WEB_PAGE = Refused(403, "a web page is no charger")
"""Any page that somebody of the home opens could dial the hub from within: that proves nothing."""


def identity_in(target: str, base: str) -> str:
    """The last segment of the path, URL-decoded; "" when there is none, or it is not fit to be an identity.

    Whatever stands before it is let pass: people mistype it, and it tells nothing.
    """
    path = target.partition("?")[0].partition("#")[0].rstrip("/")
    identity = unquote(path.rpartition("/")[2])
    return identity if path != base.rstrip("/") and not _unfit(identity) else ""


def why_nameless(target: str, base: str) -> str:
    """Why a request's path names no charge point, in words."""
    path = target.partition("?")[0].partition("#")[0].rstrip("/")
    identity = unquote(path.rpartition("/")[2])
    what = "it asked for " + _shown(path, 60)
    if not identity or path == base.rstrip("/"):
        return f"{what}, which names no charge point"
    return f"{what}, and {_unfit(identity)}"


def _unfit(identity: str) -> str:
    """Why a text is no identity, or ""."""
    if len(identity) > IDENTITY_LENGTH:
        return f"an identity of {len(identity)} characters is too long: at most {IDENTITY_LENGTH}"
    if "\ufffd" in identity or any("\ud800" <= character <= "\udfff" for character in identity):
        return "its identity is not UTF-8"
    if not identity.isprintable():
        return "its identity has characters that cannot be printed"
    return "" if identity else "its identity is empty"


def basic(header: str) -> tuple[str | None, bytes]:
    """User and password of a Basic Authorization header (RFC 7617); (None, b"") when it is none."""
    kind, _, credentials = header.partition(" ")
    try:
        given = base64.b64decode(credentials.strip(), validate=True) if kind.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    user, colon, password = given.partition(b":")
    return (user.decode("utf-8", "replace"), password) if colon else (None, b"")


def at_home(address: str) -> bool:
    """Whether an address can only be one of the home's own network."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in HOME_NETWORKS)


def proved_profile(caller: Caller, password_holds: bool) -> int:
    """The security profile that a request fulfils (OCPP security whitepaper, section 2)."""
    if caller.tls and caller.identity in caller.names:
        return 3
    if password_holds and caller.user == caller.identity:
        return 2 if caller.tls else 1
    return 0


def why_below(caller: Caller, least: int, proved: int) -> Refused | None:
    """Why this request must not be served as a charger of profile `least`; None when it may."""
    if caller.web_page:
        return BY_WEB_PAGE
    if least == 0:
        return None if proved or at_home(caller.address) else Refused(403, "it is not of the home's own network")
    if proved >= least:
        return None
    if least >= 2 and not caller.tls:
        return Refused(403, f"security profile {least} needs TLS: dial wss:// instead of ws://")
    if least == 3:
        if not caller.names:
            why = caller.why_no_certificate or "it showed none"
            return Refused(403, f"security profile 3 needs the charger's own certificate, and {why}"[:300])
        return Refused(
            403, f"its certificate is for {', '.join(sorted(caller.names))[:100]}, not for {caller.identity}"
        )
    if caller.user is None:
        return Refused(401, "it sent no password")
    if caller.user != caller.identity:
        return Refused(401, f"the user name it sent, '{_shown(caller.user)}', is not its identity")
    return Refused(401, "wrong password")


def agree(offered: Sequence[str], pin: str | None, known: str) -> Agreed | Refused:
    """The version to speak: a pin's, else the richest offered; without an offer that of last time, if `known`.

    Interpretation: case and the usual misspellings of 1.6 are forgiven, and the charger's own spelling is answered,
    for it compares the text (RFC 6455, section 4.1).
    """
    spelled = {meant(name): name for name in reversed(offered)}
    chosen = choose(tuple(spelled), pin)
    if chosen is not None:
        return Agreed(chosen.removeprefix("ocpp"), spelled[chosen])
    if pin is not None:  # the site file knows this firmware better than it does
        return Agreed(pin, offered[0] if offered else None)
    if not offered and known:
        return Agreed(known, None)
    wanted = f"offer one of the WebSocket subprotocols {', '.join(SUBPROTOCOLS)}"
    what = f"it offers {', '.join(map(_shown, offered))[:100]}" if offered else "it offers no subprotocol"
    return Refused(400, f"{what}; {wanted}, or pin its version in the site file")


def of_web_page(origin: str, user_agent: str) -> bool:
    """Whether a browser sent the request: it always names both, and no script can change them (Fetch, forbidden headers).

    Embedded clients may name an origin, but not that they are a browser.
    """
    return bool(origin) and user_agent.startswith("Mozilla/")


def offered_in(headers: Iterable[str]) -> tuple[str, ...]:
    """The subprotocols of the Sec-WebSocket-Protocol headers, as spelled."""
    return tuple(word.strip() for line in headers for word in line.split(",") if word.strip())


def _shown(text: str, most: int = 40) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:most]
