"""The needs of a car over a restart: acknowledged is kept, with the transaction they were told in; forgotten with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.wire import to_number, to_time
from gateway.model.charging import ChargingNeeds

_NUMBERS = ("energy_wh", "min_current_a", "max_current_a", "max_power_w")


class NeedsKept:
    """The needs of the car at one connector, in the store; transaction 0: told before one was open."""

    def __init__(self, device: str) -> None:
        self._key = f"ocpp/needs/{device}"
        self._stored: dict[str, Any] | None = None
        """What the store holds; None before it was read."""

    async def recall(self, facts: ChargerFacts, transaction: int) -> ChargingNeeds | None:
        """What was told in this transaction, once, at the first call; None ever after; raises StoreError."""
        if self._stored is not None:
            return None
        self._stored = await facts.promised(self._key)
        # 0 is a car that was plugged in and had not begun.
        mine = self._stored.get("transaction") in (transaction, 0)
        return from_document(self._stored) if mine else None

    async def keep(self, facts: ChargerFacts, needs: ChargingNeeds | None, transaction: int) -> None:
        """Hold what is known now: committed when it returns, nothing written when it is held; raises StoreError."""
        document = {} if needs is None else {"transaction": transaction, **to_document(needs)}
        if document != self._stored:
            await facts.keep_promise(self._key, document)
            self._stored = document


def to_document(needs: ChargingNeeds) -> dict[str, Any]:
    """Needs as kept in the store."""
    departure = needs.departure.isoformat() if needs.departure else None
    return {**asdict(needs), "received": needs.received.isoformat(), "departure": departure}


def from_document(document: Mapping[str, Any]) -> ChargingNeeds | None:
    """Needs out of the store; None where there are none."""
    received, phases = to_time(document.get("received")), to_number(document.get("phases"))
    if received is None:
        return None
    return ChargingNeeds(
        received,
        to_time(document.get("departure")),
        phases=int(phases) if phases else None,
        session_wh=to_number(document.get("session_wh")) or 0.0,
        **{name: to_number(document.get(name)) for name in _NUMBERS},
    )
