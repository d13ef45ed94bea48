"""Starts that are those of stopped sessions to the second and to the Wh: said once more, or of others?

Start 12:00:00, 0 Wh --- Stop 5000 Wh    Start 12:00:00, 0 Wh --- Stop 5000 Wh   -> one session, all said again
Start 12:00:00, 0 Wh --- Stop 5000 Wh    Start 12:00:00, 0 Wh --- Stop 7000 Wh   -> two: its clock was set back
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from adapters.ocpp import rise
from gateway.model.session import EvSession


@dataclass(frozen=True, slots=True)
class Echo:
    """A start (1.6) with the key of a session that was stopped; its register in Wh."""

    connector: int
    tag: str
    key: str
    at: datetime
    meter_wh: float | None

    def session(self, number: int, charger: str) -> EvSession:
        """The session it began after all."""
        first_wh = self.meter_wh or 0.0
        return EvSession(
            number, f"{self.key}|{number}", charger, self.connector, self.tag, self.at, first_wh, first_wh,
            meter_told=self.meter_wh is not None,
        )  # fmt: skip


class Echoes:
    """Those of one charger, in memory, until a stop decides."""

    def __init__(self) -> None:
        self._held: dict[int, Echo] = {}

    def note(self, session: EvSession, echo: Echo) -> None:
        """The start of a stopped session came again."""
        self._held[session.transaction] = echo

    def of_another(self, session: EvSession, meter_wh: float | None) -> Echo | None:
        """The start that a further stop of this session tells to be another's: its register, Wh, is not the one known."""
        echo = self._held.pop(session.transaction, None)
        left_wh = session.meter_last_wh if session.meter_stop_wh is None else session.meter_stop_wh
        is_same = meter_wh is None or abs(meter_wh - left_wh) <= rise.JITTER_WH
        return None if is_same else echo
