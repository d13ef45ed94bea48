"""Tokens and scopes of the VTN: OAuth 2.0 client credentials, securitySchemes of openadr3.yaml."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from dataclasses import dataclass, field

from firmware_sim.vtn_odd import Oddities
from firmware_sim.vtn_store import Client, Problem
from firmware_sim.vtn_versions import V310, Version


@dataclass
class Access:
    """Known clients and the tokens they hold; a token's life is real time."""

    clients: dict[str, tuple[str, str]]
    """Client id -> (secret, role)."""
    life_s: float = 3600.0
    odd: Oddities = field(default_factory=Oddities)
    version: Version = V310
    _tokens: dict[str, tuple[Client, float]] = field(default_factory=dict)

    def issue(self, form: dict[str, str], life_s: float | None = None, basic: str = "") -> dict[str, object]:
        """The token response for a client credentials form, or HTTP Basic (RFC 6749, 2.3.1); Problem 400 or 401."""
        if form.get("grant_type") != "client_credentials":
            raise Problem(400, "grant_type must be client_credentials")
        if basic.startswith("Basic ") and not self.odd.has("basic-refused"):
            form = {**form, **_basic(basic)}
        if "client_id" not in form or "client_secret" not in form:
            raise Problem(400, "client_id and client_secret belong in the form body")
        secret, role = self.clients.get(form["client_id"], ("", ""))
        if not role or not hmac.compare_digest(secret.encode(), form["client_secret"].encode()):
            raise Problem(self.version.bad_token, "unknown client or wrong secret")
        life = self.life_s if life_s is None else life_s
        token = secrets.token_urlsafe(24)
        self._tokens[token] = (Client(form["client_id"], role), time.monotonic() + life)
        answer: dict[str, object] = {"access_token": token, "token_type": "Bearer"}
        if self.odd.has("scope-list"):
            return {**answer, "scope": list(self.version.roles[role])}
        return {**answer, "expires_in": max(1, round(life)), "scope": " ".join(self.version.roles[role])}

    def client(self, authorization: str, scope: str) -> Client:
        """Who holds this Authorization header; Problem 401 (3.0.1: 403) without a live token, 403 without the scope."""
        token = authorization.removeprefix("Bearer ").strip()
        client, expires = self._tokens.get(token, (None, 0.0))
        if client is None or time.monotonic() >= expires:
            status = 403 if authorization and self.odd.has("forbidden-tokens") else self.version.bad_token
            raise Problem(status, "the token is missing, unknown or expired")
        if scope not in self.version.roles[client.role]:
            raise Problem(403, f"the scope {scope} is not granted to a {client.role}")
        return client

    def role_of(self, client_id: str) -> str:
        """ven or bl; ven for somebody unknown."""
        return self.clients.get(client_id, ("", "ven"))[1]

    def revoke_all(self) -> None:
        """Every token handed out so far is void."""
        self._tokens.clear()


def _basic(header: str) -> dict[str, str]:
    try:
        name, _, secret = base64.b64decode(header.removeprefix("Basic "), validate=True).decode().partition(":")
    except ValueError as error:
        raise Problem(400, "the Authorization header is no HTTP Basic") from error
    return {"client_id": name, "client_secret": secret}


def parse_clients(specs: list[str]) -> dict[str, tuple[str, str]]:
    """`id:secret:role` as given on the command line; ValueError when malformed."""
    clients = {}
    for spec in specs:
        parts = spec.split(":")
        if len(parts) != 3 or parts[2] not in V310.roles:
            raise ValueError(f"{spec!r} is not id:secret:ven or id:secret:bl")
        clients[parts[0]] = (parts[1], parts[2])
    return clients
