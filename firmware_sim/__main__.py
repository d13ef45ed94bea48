"""`python -m firmware_sim NAME ...`: one simulated device, the house, or its history."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "house",
    "meter",
    "inverter",
    "relay",
    "thermostat",
    "chargepoint",
    "chargers",
    "vtn",
    "vtn-ctl",
    "vtn2b",
    "history",
    "sources",
)


def main(argv: list[str]) -> None:
    if not argv or argv[0] not in NAMES:
        sys.exit(f"usage: python -m firmware_sim {{{'|'.join(NAMES)}}} ...")
    importlib.import_module(f"firmware_sim.{argv[0].replace('-', '_')}").main(argv[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
