"""What an OCPP version must be able to do for a charge point; 1.6 is v16, 2.0.1 and 2.1 are v2."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from adapters.ocpp.connector import Connector
from adapters.ocpp.dispatch import Payload
from adapters.ocpp.facts import ChargerFacts
from gateway.ports import Clock

log = logging.getLogger(__name__)

Sign = Callable[[str, str], Awaitable[bool]]
"""sign(csr, kind): take a SignCertificate request in; whether it will be signed."""
Noted = Callable[[str, Payload], None]
"""noted(action, payload): a message that changes nothing here, for whoever keeps events and uploads."""


STRANGERS = "Connectors that are no device"
"""Under this name they stand among the features."""
MOST_STRANGERS = 16


class Host(Protocol):
    """The charge point as its version sees it."""

    identity: str
    version: str
    facts: ChargerFacts
    clock: Clock
    ping_interval_s: float
    features: dict[str, str]
    """Configuration keys or device-model variables as text."""
    switches_phases: bool
    sign: Sign | None
    noted: Noted

    @property
    def connectors(self) -> Mapping[int, Connector]:
        """Its configured connectors by number."""
        ...

    async def ask(self, action: str, payload: Payload) -> Payload:
        """One call to the charger; raises CallFailed."""
        ...

    async def older_inside(self, older: bool) -> bool:
        """It dials as OCPP 2.x and turns out to know 1.6 only (or, not `older`, does not): whether it is taken so."""
        ...


class Dialect(Protocol):
    """One OCPP version on one connection."""

    async def handle(self, action: str, payload: Payload) -> Payload:
        """The answer to one call; raises Refusal, StoreError (then nothing was acknowledged)."""
        ...

    async def ask_boot(self) -> bool:
        """Ask for a BootNotification; whether it comes; raises LinkLost."""
        ...

    async def set_up(self) -> None:
        """Discover, leave the safe default, ask for samples; each step may fail alone; raises LinkLost."""
        ...

    async def poll(self, connector: Connector) -> bool:
        """Ask for meter values now; whether they come; raises LinkLost."""
        ...


def located(connectors: Mapping[int, Connector], number: int | None) -> Connector | None:
    """The connector of this number; the only one when the message names none (or the station); None is a stranger."""
    if number is not None and number in connectors:
        return connectors[number]
    only = next(iter(connectors.values())) if len(connectors) == 1 else None
    return only if not number else None


def note_stranger(host: Host, number: int) -> None:
    """A connector that is no device of the site spoke; 0 is the station itself."""
    if number <= 0 or number in host.connectors:
        return
    known = [text for text in host.features.get(STRANGERS, "").split(", ") if text]
    if str(number) not in known and len(known) < MOST_STRANGERS:
        log.info("%s: its connector %d is no device of the site; what it says is not counted", host.identity, number)
        host.features[STRANGERS] = ", ".join([*known, str(number)])
