"""Tokens and scopes of the VTN: OAuth 2.0 client credentials, OpenADR 3.1.0 securitySchemes."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass, field

from firmware_sim.vtn_store import Client, Problem

SCOPES = {
    "bl": ("read_all", "read_bl", "read_targets", "read_ven_objects",
           "write_programs", "write_events", "write_subscriptions", "write_vens"),
    "ven": ("read_all", "read_targets", "read_ven_objects", "write_reports", "write_subscriptions", "write_vens"),
}  # fmt: skip
"""Interpretation: read_all guards only /notifiers, which a VEN must be able to read."""


@dataclass
class Access:
    """Known clients and the tokens they hold; a token's life is real time."""

    clients: dict[str, tuple[str, str]]
    """Client id -> (secret, role)."""
    life_s: float = 3600.0
    _tokens: dict[str, tuple[Client, float]] = field(default_factory=dict)

    def issue(self, form: dict[str, str], life_s: float | None = None) -> dict[str, object]:
        """The token response for a client credentials form; Problem 400 or 401."""
        if form.get("grant_type") != "client_credentials":
            raise Problem(400, "grant_type must be client_credentials")
        if "client_id" not in form or "client_secret" not in form:
            raise Problem(400, "client_id and client_secret belong in the form body")
        secret, role = self.clients.get(form["client_id"], ("", ""))
        if not role or not hmac.compare_digest(secret.encode(), form["client_secret"].encode()):
            raise Problem(401, "unknown client or wrong secret")
        life = self.life_s if life_s is None else life_s
        token = secrets.token_urlsafe(24)
        self._tokens[token] = (Client(form["client_id"], role), time.monotonic() + life)
        scope = " ".join(SCOPES[role])
        return {"access_token": token, "token_type": "Bearer", "expires_in": max(1, round(life)), "scope": scope}

    def client(self, authorization: str, scope: str) -> Client:
        """Who holds this Authorization header; Problem 401 without a live token, 403 without the scope."""
        token = authorization.removeprefix("Bearer ").strip()
        client, expires = self._tokens.get(token, (None, 0.0))
        if client is None or time.monotonic() >= expires:
            raise Problem(401, "the token is missing, unknown or expired")
        if scope not in SCOPES[client.role]:
            raise Problem(403, f"the scope {scope} is not granted to a {client.role}")
        return client

    def revoke_all(self) -> None:
        """Every token handed out so far is void."""
        self._tokens.clear()


def parse_clients(specs: list[str]) -> dict[str, tuple[str, str]]:
    """`id:secret:role` as given on the command line; ValueError when malformed."""
    clients = {}
    for spec in specs:
        parts = spec.split(":")
        if len(parts) != 3 or parts[2] not in SCOPES:
            raise ValueError(f"{spec!r} is not id:secret:ven or id:secret:bl")
        clients[parts[0]] = (parts[1], parts[2])
    return clients
