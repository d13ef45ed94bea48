"""What a session can have drawn while its register stood still: by its sampled power, else by the charger's rating."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.ocpp.rise import ABOVE_RATING
from adapters.ocpp.runs import still_since
from gateway.model.session import EvSession

GAP = timedelta(minutes=20)
"""Between samples further apart than this the power is not known: there may be a whole charge between two of 0 W."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Until `at` at most `whole_wh`, of it `still_wh` since the register rose last; `power_w` then, None: not told."""

    at: datetime
    whole_wh: float
    still_wh: float
    power_w: float | None


class Draws:
    """The sessions of one charger that gives `rated_w` watts at most; powers in W, charging positive; energies in Wh."""

    def __init__(self, rated_w: float) -> None:
        self._rated_w = rated_w
        self._held: dict[int, Drawn] = {}

    def sampled(self, session: EvSession, power_w: float | None, at: datetime) -> None:
        """A sample taken at `at` told this power, or none; one that comes late tells nothing here."""
        held = self._held.get(session.transaction)
        if held is None or at >= held.at:
            self._held[session.transaction] = self._until(session, at, power_w)

    def rose(self, session: EvSession) -> None:
        """The register is elsewhere than before: what is drawn from now on may be hidden anew."""
        held = self._held.get(session.transaction)
        if held is not None:
            self._held[session.transaction] = Drawn(held.at, held.whole_wh, 0.0, held.power_w)

    def forget(self, session: EvSession) -> None:
        """The session's times were set right: the rating bounds it."""
        self._held.pop(session.transaction, None)

    def keep(self, transactions: Container[int]) -> None:
        """Only these are still spoken of."""
        self._held = {key: drawn for key, drawn in self._held.items() if key in transactions}

    def since_still(self, session: EvSession, at: datetime) -> float:
        """What it can have drawn from when its register rose last until `at`."""
        return self._until(session, at, None).still_wh

    def since_start(self, session: EvSession, at: datetime) -> float:
        """What it can have drawn in all until `at`."""
        return self._until(session, at, None).whole_wh

    def _until(self, session: EvSession, at: datetime, power_w: float | None) -> Drawn:
        held = self._held.get(session.transaction)
        if held is None:  # of the time before us nothing is known but the rating
            whole_wh = self._energy_wh(self._rated_w, at - session.start)
            return Drawn(at, whole_wh, self._energy_wh(self._rated_w, at - still_since(session)), power_w)
        is_known = held.power_w is not None and at - held.at <= GAP
        told_w = ABOVE_RATING * max(held.power_w or 0.0, power_w or 0.0) if is_known else self._rated_w
        more_wh = self._energy_wh(min(told_w, self._rated_w), at - held.at)
        return Drawn(at, held.whole_wh + more_wh, held.still_wh + more_wh, power_w)

    @staticmethod
    def _energy_wh(power_w: float, span: timedelta) -> float:
        return power_w * max(0.0, span.total_seconds()) / 3600
