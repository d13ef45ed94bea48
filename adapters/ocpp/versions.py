"""The OCPP versions spoken, and which one a charger gets."""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapters.ocpp.dialect import Dialect, Host
from adapters.ocpp.v2.dialect import Dialect2, OlderInside
from adapters.ocpp.v16.dialect import Dialect16

SUBPROTOCOLS = ("ocpp2.1", "ocpp2.0.1", "ocpp1.6")
"""WebSocket subprotocols offered, the richest first."""
SPELLINGS_OF_16 = re.compile(r"ocpp[-_]?j?[-_]?v?1[._-]?6(\.0)?[-_]?(j|json)?")


def meant(offered: str) -> str:
    """The subprotocol meant by what a charger offers: some firmware writes 1.6 as `ocpp1.6j` or `ocpp16`.

    2.0 is no misspelling of 2.0.1: it was another protocol, and was withdrawn.
    """
    plain = offered.strip().lower()
    return "ocpp1.6" if SPELLINGS_OF_16.fullmatch(plain) else plain


def choose(offered: Sequence[str], pin: str | None) -> str | None:
    """The subprotocol for a charger that offers these, or None; a pin ("1.6", "2.0.1", "2.1") allows just its own."""
    wanted = SUBPROTOCOLS if pin is None else (f"ocpp{pin}",)
    return next((name for name in wanted if name in offered), None)


def dialect(version: str, host: Host, dialled: str = "") -> Dialect:
    """The dialect of a version, "1.6", "2.0.1" or "2.1", for one connection; `dialled`: as which the charger came."""
    if version != "1.6":
        return Dialect2(host)
    return Dialect16(host) if dialled in ("", "1.6") else OlderInside(host)
