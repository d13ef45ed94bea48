"""What may stand above a limit of ours: what another way of ours left behind, and the profiles of other systems."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace

from adapters.ocpp.dispatch import CallFailed
from adapters.ocpp.rungs import Rung
from adapters.ocpp.target import Target

log = logging.getLogger(__name__)


class Above:
    """Takes back, on one connector, what hides or undercuts the limit in use."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._cleared = False
        """Whether other systems' profiles were cleared in this session already."""
        self._placed: dict[str, Rung] = {}
        """By purpose, the transaction and station profiles of ours that the charger holds."""

    def forget_transaction(self) -> None:
        """The charger has lost its transaction profiles."""
        self._placed.pop("TxProfile", None)

    def new_session(self) -> None:
        """A new transaction: profiles of the last one are gone, and others' may be cleared once more."""
        self.forget_transaction()
        self._cleared = False

    async def give_way(self, rung: Rung) -> None:
        """What another way left stands above this one (1.6 section 3.13.1): it goes, if it can.

        A transaction profile hides every default, and the station's maximum is a ceiling over all.
        """
        if rung.is_transactional or rung.is_for_station:
            self._placed[rung.purpose] = rung
        for left in [left for left in self._placed.values() if left.purpose != rung.purpose]:
            if left.is_for_station or not rung.is_transactional:
                del self._placed[left.purpose]
                with suppress(CallFailed):
                    await self._target.accepted(self._target.profiles.clear(left, self._target.occasion(None)))

    async def clear_others(self) -> bool:
        """Take back every transaction and default profile, whoever set it, once a session; whether there was any.

        Our own are gone with them. Raises CallFailed.
        """
        if self._cleared:
            return False
        self._cleared = True
        target, at = self._target, self._target.occasion(None)
        cleared = False
        for purpose, place in (("TxProfile", at.slot), ("TxDefaultProfile", at.slot), ("TxDefaultProfile", 0)):
            cleared |= await target.accepted(target.profiles.clear_all(purpose, replace(at, connector=place)))
        if cleared:
            log.info("%s: cleared the charging profiles of other systems", target.device)
        return cleared
