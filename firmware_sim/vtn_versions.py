"""How OpenADR 3.1.0 and 3.0.1 differ on a VTN's side, from both openadr3.yaml files.

                  3.1.0                                  3.0.1
scopes to read    read_targets, read_ven_objects, ...    read_all for everything
a VEN sees        its own objects and granted targets    everything
resources         /resources                             /vens/{venID}/resources
targets           ["zone 1"], ?targets=                  [{"type", "values"}], ?targetType= &targetValues=
bad token         401                                    403
also              /auth/server, /notifiers               neither
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from firmware_sim.vtn_store import KINDS, Kind

ROLES_310 = {
    "bl": ("read_all", "read_bl", "read_targets", "read_ven_objects",
           "write_programs", "write_events", "write_subscriptions", "write_vens"),
    "ven": ("read_all", "read_targets", "read_ven_objects", "write_reports", "write_subscriptions", "write_vens"),
}  # fmt: skip
"""Interpretation: read_all guards only /notifiers, which a VEN must be able to read."""
ROLES_301 = {
    "bl": ("read_all", "write_programs", "write_events", "write_subscriptions", "write_vens"),
    "ven": ("read_all", "write_reports", "write_subscriptions", "write_vens"),
}
REQUIRED_301 = {
    "events": ("programID", "intervals"),
    "reports": ("programID", "eventID", "clientName", "resources"),
    "subscriptions": ("clientName", "programID", "objectOperations"),
    "vens": ("venName",),
    "resources": ("resourceName",),
}


@dataclass(frozen=True)
class Version:
    """One version's rules."""

    name: str
    kinds: Mapping[str, Kind]
    roles: Mapping[str, tuple[str, ...]]
    private: bool
    """A VEN sees only what is its own, or is for everybody, or for a target granted to it."""
    bad_token: int
    """HTTP status for a request without a live token."""

    def read_scope(self, kind: Kind) -> str:
        """The scope that reading a collection takes."""
        if not self.private:
            return "read_all"
        return "read_ven_objects" if kind.owned else "read_targets"

    @property
    def roots(self) -> dict[str, str]:
        """Where each collection stands, by its name."""
        inner = {} if self.private else {"resources": "vens/{venID}/resources"}
        return {path: inner.get(path, path) for path in self.kinds}


V310 = Version("3.1.0", KINDS, ROLES_310, private=True, bad_token=401)
V301 = Version(
    "3.0.1",
    {path: replace(kind, required=REQUIRED_301.get(path, kind.required)) for path, kind in KINDS.items()},
    ROLES_301,
    private=False,
    bad_token=403,
)
VERSIONS = {version.name: version for version in (V310, V301)}
