"""What a server says about its MQTT broker: GET /notifiers and the topics below it (OpenADR 3.1.0), leniently read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from adapters.http.manners import is_local
from adapters.openadr.settings import OpenAdrSettings

ANONYMOUS, BEARER, CERTIFICATE = "ANONYMOUS", "OAUTH2_BEARER_TOKEN", "CERTIFICATE"
SCHEMES = {"mqtts": True, "ssl": True, "tls": True, "mqtt": False, "tcp": False}
"""Whether a scheme means TLS."""
MOST_TOPICS = 64
LONGEST_TOPIC = 1024
OPERATIONS = ("CREATE", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Binding:
    """One way to a broker: where it is and how it wants to be met. PEM texts are kept out of the repr."""

    host: str
    port: int
    tls: bool
    method: str
    username: str = ""
    ca_cert: str = field(default="", repr=False)
    client_cert: str = field(default="", repr=False)
    client_key: str = field(default="", repr=False)


def bindings(found: object) -> list[Binding]:
    """The brokers of an answer of /notifiers; none for an odd answer, such as a text or a list."""
    offer = found.get("MQTT") if isinstance(found, dict) else None
    if not isinstance(offer, dict):
        return []
    stated = offer.get("authentication")
    manner = stated if isinstance(stated, dict) else {}
    uris = offer.get("URIS")
    several = uris if isinstance(uris, list) else [uris]
    return [binding for uri in several if isinstance(uri, str) for binding in _binding(uri, manner)]


def topics(found: object) -> tuple[str, ...]:
    """The topics of one answer, the one for all operations alone where there is one; none for an odd answer."""
    named = found.get("topics") if isinstance(found, dict) else None
    if not isinstance(named, dict):
        return ()
    every = _usable(named.get("ALL"))
    return every or tuple(topic for name in OPERATIONS for topic in _usable(named.get(name)))


def objection(binding: Binding, settings: OpenAdrSettings) -> str:
    """Why a broker may not be used, in words; empty when it may.

    The token is shown only to the VTN's own host (or a name below it), or to the host the site file names; and plain
    MQTT only at home: OpenADR 3.1 demands TLS.
    """
    if is_local(binding.host) and not settings.local:
        return f"its broker {binding.host} would stand in this house: not used without 'local: true'"
    if not binding.tls and not settings.local:
        return f"its broker {binding.host} offers no TLS"
    if binding.method != BEARER:
        return ""
    if not settings.client_id:
        return f"its broker {binding.host} wants a token, and there are no credentials"
    own = urlsplit(settings.base).hostname or ""
    if binding.host in (own, settings.broker) or binding.host.endswith(f".{own}"):
        return ""
    return f"its broker {binding.host} wants our token: allow it with 'broker: {binding.host}'"


def _binding(uri: str, manner: dict[str, Any]) -> Iterator[Binding]:
    try:
        parts = urlsplit(uri if "://" in uri else f"mqtts://{uri}")
        port = parts.port
    except ValueError:
        return
    tls = SCHEMES.get(parts.scheme)
    method = manner.get("method") or ANONYMOUS
    if tls is None or not parts.hostname or method not in (ANONYMOUS, BEARER, CERTIFICATE):
        return
    texts = [_text(manner.get(name)) for name in ("username", "caCert", "clientCert", "clientKey")]
    yield Binding(parts.hostname, port or (8883 if tls else 1883), tls, method, *texts)


def _usable(topic: object) -> tuple[str, ...]:
    return (topic,) if isinstance(topic, str) and 0 < len(topic) <= LONGEST_TOPIC and "\0" not in topic else ()


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""
