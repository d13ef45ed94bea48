"""Where a charger reaches the CSMS: the addresses an installer types into it."""

from __future__ import annotations

from adapters.ocpp.settings import OcppSettings
from adapters.ocpp.tls import Names

EVERY_INTERFACE = ("0.0.0.0", "::")


def urls(settings: OcppSettings, port: int, names: Names | None, identity: str = "") -> list[str]:
    """By address, then by name: ws first, for a new charger trusts no root yet; `names` is None without an authority."""
    path = f"{settings.path.rstrip('/')}/{identity}"
    if names is None:
        return [f"ws://<address of this hub>:{port}{path}"]
    hosts = _hosts(settings.host, names)
    return [f"{scheme}://{host}:{port}{path}" for scheme in ("ws", "wss") for host in hosts]


def _hosts(listens_on: str, names: Names) -> list[str]:
    """Where it can be reached: the one address it listens on, or all of this hub and its name."""
    if listens_on not in EVERY_INTERFACE:
        return [listens_on]
    return [*(each for each in names.addresses if not each.startswith("127.")), names.hosts[0]]
