"""Limits of the whole connection: each is told once when it begins to hold, and once when the main meter shows it kept.

    limit       |======== 4 kW ========|
    meter     ~~~~~\\_____~~____~~_____~~~~
    audit       ^commanded ^confirmed

What single devices are told because of such a limit has rows of its own; where the plan makes room in time nothing has to
be told to any of them, and the meter is the only witness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.model.audit import AuditRow
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.snapshot import Snapshot
from gateway.ports import Clock

KEPT_S, KEPT_REAL_S = 5.0, 1.0
"""The meter must show a limit kept for so long, s of home time, and of the world's."""
SUBJECT = "grid connection"
SITE_LIMITS = {LimitKind.SITE_IMPORT: "drawn", LimitKind.SITE_EXPORT: "fed in"}


@dataclass(slots=True)
class _Held:
    limit: Limit
    kept_since: float | None = None
    """Monotonic home s since which the meter shows it kept."""
    confirmed: bool = False


@dataclass(slots=True)
class SiteVerification:
    """Looks once a tick at the limits of events, envelopes and safe values on the connection; `row` keeps a row."""

    clock: Clock
    row: Callable[[AuditRow], None]
    _held: dict[tuple[str, LimitKind], _Held] = field(default_factory=dict)

    def look(self, snapshot: Snapshot, now: float) -> None:
        """Judge by this tick's snapshot; `now` in monotonic home s."""
        in_force = {
            (limit.source, limit.kind): limit
            for limit in snapshot.limits
            if limit.kind in SITE_LIMITS and limit.source and limit.holds(snapshot.now)
        }
        self._held = {key: held for key, held in self._held.items() if key in in_force}
        for key, limit in in_force.items():
            held = self._held.get(key)
            if held is None or _is_another(limit, held.limit):
                held = self._held[key] = _Held(limit)
                self._tell("commanded", limit, f"at most {limit.value:.0f} W {SITE_LIMITS[limit.kind]}: {limit.reason}")
            held.limit = limit
            self._judge(held, snapshot.grid_w(), now)

    def _judge(self, held: _Held, grid_w: float | None, now: float) -> None:
        limit = held.limit
        if held.confirmed:
            return
        flow_w = None if grid_w is None else max(0.0, grid_w if limit.kind is LimitKind.SITE_IMPORT else -grid_w)
        if flow_w is None or flow_w > limit.value:
            held.kept_since = None
            return
        held.kept_since = now if held.kept_since is None else held.kept_since
        if now - held.kept_since >= max(KEPT_S, KEPT_REAL_S * self.clock.speed):
            held.confirmed = True
            words = f"{flow_w:.0f} W {SITE_LIMITS[limit.kind]} at the meter under the limit of {limit.value:.0f} W"
            self._tell("confirmed", limit, words)

    def _tell(self, step: str, limit: Limit, words: str) -> None:
        self.row(AuditRow(self.clock.now(), step, SUBJECT, words, limit.authority, limit.source))


def _is_another(limit: Limit, before: Limit) -> bool:
    """A new interval with another value; a limit that is stated anew, or that follows the household's use, is the same."""
    return limit.start != before.start and limit.value != before.value
