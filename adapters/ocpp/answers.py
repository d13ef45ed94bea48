"""Which answers a charger is known to have: a start that was answered is not said again with another stamp.

StartTransaction ->  <- answer   StatusNotification ->            it waited for the answer (OCPP-J 1.6, section 4.1.1)
StartTransaction ->  <- answer   <- SetChargingProfile   result -> it read the answer before that, on the same stream
StartTransaction ->  <- answer   (the connection ends)            it may have the answer or not
"""

from __future__ import annotations


class Answers:
    """Answers to the starts of one charger on its present connection."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def new_line(self) -> None:
        """Another connection: of what was answered on the last one no more will be known."""
        self._given.clear()

    def give(self, transaction: int) -> None:
        """The answer with this id goes out now."""
        self._given.add(transaction)

    def given(self) -> frozenset[int]:
        """The ids that went out, of which it is not yet known whether they arrived."""
        return frozenset(self._given)

    def arrived(self, given: frozenset[int] | None = None) -> list[int]:
        """Those of `given` (all, if None) that are known to have arrived from now on, each told once."""
        arrived = sorted(self._given if given is None else self._given & given)
        self._given.difference_update(arrived)
        return arrived
