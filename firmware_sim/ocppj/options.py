"""How a simulated station was built and set up."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.ocppj.line import Address


@dataclass(frozen=True)
class Options:
    """How this station was built and set up."""

    address: Address
    id: str = "CP_1"
    meter_interval_s: float = 10.0
    max_current_a: float = 32.0
    tag: str = "HEARTH01"
    wait_for_remote_start: bool = False
    stop_on_reboot: bool = False
    quirks: frozenset[str] = frozenset()
    switches_phases: bool = False
    vendor: str = "Hearth Simulations"
    model: str = "Wallbox 22"
    firmware: str = "1.0.0"
