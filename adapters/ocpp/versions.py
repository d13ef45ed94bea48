"""The OCPP versions spoken, and which one a charger gets."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.ocpp.dialect import Dialect, Host
from adapters.ocpp.v2.dialect import Dialect2
from adapters.ocpp.v16.dialect import Dialect16

SUBPROTOCOLS = ("ocpp2.1", "ocpp2.0.1", "ocpp1.6")
"""WebSocket subprotocols offered, the richest first."""


def choose(offered: Sequence[str], pin: str | None) -> str | None:
    """The subprotocol for a charger that offers these, or None; a pin ("1.6", "2.0.1", "2.1") allows just its own."""
    wanted = SUBPROTOCOLS if pin is None else (f"ocpp{pin}",)
    return next((name for name in wanted if name in offered), None)


def dialect(version: str, host: Host) -> Dialect:
    """The dialect of a version, "1.6", "2.0.1" or "2.1", for one connection."""
    return Dialect16(host) if version == "1.6" else Dialect2(host)
