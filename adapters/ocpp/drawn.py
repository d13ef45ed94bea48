"""What a session can have drawn while its register stood still: by its sampled power, else by the charger's rating."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.ocpp.rise import ABOVE_RATING
from adapters.ocpp.runs import still_since
from gateway.model.session import EvSession

RESTS_W = 1.0
"""Less is none; a power told in kW without its unit is more."""
GAP = timedelta(minutes=20)
"""Between samples further apart than this the power is not known: there may be a whole charge between two of 0 W."""


@dataclass(frozen=True, slots=True)
class Told:
    """A power that was told, W; `is_whole`: of all the charger's phases, else reckoned for all of them."""

    power_w: float
    is_whole: bool

    @property
    def rests(self) -> bool:
        """Whether surely nothing is drawn."""
        return self.is_whole and abs(self.power_w) < RESTS_W


def told(power_w: float, of: int, wired: int) -> Told:
    """A power of so many phases (0: of the whole), W, of a charger that is `wired` to so many."""
    is_whole = of == 0 or of >= wired
    return Told(power_w if is_whole else power_w * wired / of, is_whole)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Until `at` at most `whole_wh`, of it `still_wh` since the register rose last; `power` then, None: not told.

    `most_still_wh` is what the rating allows since then: nothing only while all phases told that they rest.
    """

    at: datetime
    whole_wh: float
    still_wh: float
    most_still_wh: float
    power: Told | None


class Draws:
    """The sessions of one charger that gives `rated_w` watts at most; powers in W, charging positive; energies in Wh."""

    def __init__(self, rated_w: float) -> None:
        self._rated_w = rated_w
        self._held: dict[int, Drawn] = {}

    def sampled(self, session: EvSession, power: Told | None, at: datetime) -> None:
        """A sample taken at `at` told this power, or none; one that comes late tells nothing here."""
        held = self._held.get(session.transaction)
        if held is None or at >= held.at:
            self._held[session.transaction] = self._until(session, at, power)

    def rose(self, session: EvSession) -> None:
        """The register is elsewhere than before: what is drawn from now on may be hidden anew."""
        held = self._held.get(session.transaction)
        if held is not None:
            self._held[session.transaction] = Drawn(held.at, held.whole_wh, 0.0, 0.0, held.power)

    def forget(self, session: EvSession) -> None:
        """The session's times were set right: the rating bounds it."""
        self._held.pop(session.transaction, None)

    def keep(self, transactions: Container[int]) -> None:
        """Only these are still spoken of."""
        self._held = {key: drawn for key, drawn in self._held.items() if key in transactions}

    def since_still(self, session: EvSession, at: datetime) -> float:
        """What it can have drawn from when its register rose last until `at`."""
        return self._until(session, at, None).still_wh

    def most_since_still(self, session: EvSession, at: datetime) -> float:
        """What the rating allows since then, whatever power was told, but while it surely rested."""
        return self._until(session, at, None).most_still_wh

    def since_start(self, session: EvSession, at: datetime) -> float:
        """What it can have drawn in all until `at`."""
        return self._until(session, at, None).whole_wh

    def _until(self, session: EvSession, at: datetime, power: Told | None) -> Drawn:
        held = self._held.get(session.transaction)
        if held is None:  # of the time before us nothing is known but the rating
            whole_wh = self._energy_wh(self._rated_w, at - session.start)
            still_wh = self._energy_wh(self._rated_w, at - still_since(session))
            return Drawn(at, whole_wh, still_wh, still_wh, power)
        told_w = most_w = self._rated_w
        if held.power is not None and at - held.at <= GAP:
            ends = [end for end in (held.power, power) if end is not None]
            told_w = min(told_w, ABOVE_RATING * max(0.0, *(end.power_w for end in ends)))
            most_w = 0.0 if all(end.rests for end in ends) else most_w
        more_wh, most_wh = self._energy_wh(told_w, at - held.at), self._energy_wh(most_w, at - held.at)
        return Drawn(at, held.whole_wh + more_wh, held.still_wh + more_wh, held.most_still_wh + most_wh, power)

    @staticmethod
    def _energy_wh(power_w: float, span: timedelta) -> float:
        return power_w * max(0.0, span.total_seconds()) / 3600
