"""What the witnesses told of each charger: the main meter, its own samples, its energy register."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.core.control.registers import Trail
from gateway.core.control.timing import ControlTiming
from gateway.core.control.verification import (
    FALL_A,
    TOLERANCE_A,
    Lowered,
    Sight,
    defies,
    fell_a,
    verify_after_s,
)
from gateway.model.snapshot import ChargePhase, ChargerStatus, Snapshot
from gateway.runtime.sent import Sent

SAMPLES = 4
"""How many of a charger's own samples are remembered."""
STRIKES = 2
"""So many falls that its own samples tell of and the main meter did not see make them worth nothing."""
GAP_INTERVALS = 1.5
OTHERS_S = 10.0
"""Another car raised this close to the command may have taken what this one gave up, s."""
SLACK = timedelta(seconds=2)


@dataclass(slots=True)
class Seen:
    """What was seen of one charger; all times in monotonic home s, currents in A per phase."""

    samples: deque[tuple[float, tuple[float | None, ...]]] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    limit: float | None = None
    raised_at: float = -math.inf
    lowered: list[Lowered] = field(default_factory=list)
    """The falls that should come, newest last; a raise takes them back."""
    trail: Trail = field(default_factory=Trail)
    lies: bool = False
    """Whether its own samples were disproved."""
    limited_at: float = -math.inf
    """Since when a limit of this transaction holds: nothing before is judged."""
    _struck: set[float] = field(default_factory=set)
    _gap: bool = False
    _transaction: str | None = None
    _began: datetime | None = None

    def remember(self, status: ChargerStatus, sent: Sent, held_a: float | None, at: datetime, now: float, timing: ControlTiming) -> None:  # fmt: skip
        """One look: a new transaction, its limits, its samples, its register."""
        self._take_transaction(status, at, now, verify_after_s(status, timing))
        age_s = status.meter_age_s
        silent = age_s is None or age_s > GAP_INTERVALS * status.sample_interval_s
        # Before its first word of this transaction nothing waits in its memory.
        self._gap = not status.connected or (silent and (self._gap or self.trail.is_begun))
        if self._gap:
            # What waits in its memory comes in a burst later.
            self.trail.begin_anew(now + 2 * status.sample_interval_s)
        elif held_a is None:
            self.trail.begin_anew(now)
        else:
            self._take_limit(held_a, sent)
        if not self._gap and not silent and age_s is not None:
            self.trail.read(now - age_s, status.session_wh)
        if age_s is not None and (not self.samples or now - age_s > self.samples[-1][0] + 0.1):
            self.samples.append((now - age_s, status.current_a))

    def climbs(self, sent_at: float, now: float) -> None:
        """Another way of limiting: it is judged by what comes now, and by the fall that is still due."""
        self.trail.begin_anew(now)
        due = self.lowered[-1:]
        self.lowered = [replace(each, sent_at=sent_at, drawn_at=sent_at) for each in due]

    def by_meter(self, status: ChargerStatus, sights: Sequence[Sight], timing: ControlTiming, now: float, others: Iterable[Seen], in_danger: bool) -> bool:  # fmt: skip
        """Whether the main meter proves that it did not follow, whatever it tells itself."""
        raised_at = max((each.raised_at for each in others if each is not self), default=-math.inf)
        self.lowered = [each for each in self.lowered if now - each.sent_at <= 2 * verify_after_s(status, timing)]
        for each in self.lowered:
            if raised_at >= each.sent_at - OTHERS_S or not defies(each, sights, timing):
                continue
            if not self._tells_of(each) or self.lies:
                return True
            self._struck.add(each.sent_at)
            on_many = sum((amps or 0.0) >= TOLERANCE_A for amps in each.drawn_a) > 1
            if len(self._struck) >= STRIKES or (in_danger and on_many):
                self.lies = True
                return True
        return False

    def stands_down(self, status: ChargerStatus, sights: Sequence[Sight], since: float) -> bool:
        """Whether anything shows that it came down since: its own word, the end of its session, the meter's fall."""
        if not status.transaction and status.phase is not ChargePhase.CHARGING:
            return True
        limit_a = self.limit or 0.0
        own = [amps for at, amps in self.samples if at > since]
        if not self.lies and any(_worst(amps) <= limit_a + TOLERANCE_A for amps in own):
            return True
        later = [sight for sight in sights if sight.taken >= since - 1.0]
        return any(fell_a(later, index) >= FALL_A for index in range(3)) if later else False

    def _tells_of(self, lowered: Lowered) -> bool:
        """Whether its own samples since say that the car came down."""
        since = [amps for at, amps in self.samples if at > lowered.sent_at]
        return any(_worst(amps) <= lowered.limit_a + TOLERANCE_A for amps in since)

    def _take_transaction(self, status: ChargerStatus, at: datetime, now: float, wait_s: float) -> None:
        if status.transaction != self._transaction:
            first, self._transaction = self._transaction is None, status.transaction
            self.limited_at, self._began = (-math.inf if first else now), (None if first else at)
            self.lowered, self.limit, self._gap = [], None, False
            # What is told of a session begins with its own first register.
            fresh = bool(status.transaction) and not first and status.session_wh == 0
            self.trail.begin_anew(now, 0.0 if fresh else None)
        if self._began is None or status.accepted_at is None:
            return
        if status.accepted_at >= self._began - SLACK or now - self.limited_at > wait_s:
            self.limited_at = now if now - self.limited_at <= wait_s else self.limited_at
            self._began = None

    def _take_limit(self, held_a: float, sent: Sent) -> None:
        # A raise that was not answered may hold all the same.
        wanted_a = sent.wanted.value if sent.wanted is not None and (sent.failing or sent.task) else held_a
        limit_a = max(held_a, wanted_a)
        self.trail.limited(max(sent.accepted_at, self.limited_at), limit_a)
        if self.limit is not None and held_a > self.limit:
            self.lowered, self.raised_at = [], sent.sent_at
        elif self.limit is not None and held_a < self.limit:
            before = [sample for sample in self.samples if sample[0] <= sent.sent_at]
            if before:
                at, amps = before[-1]
                self.lowered.append(Lowered(held_a, sent.sent_at, amps, at))
        self.limit = held_a


def battery_w(snapshot: Snapshot) -> float:
    """What the home's batteries do, W, charging positive; 0 where there is none."""
    return snapshot.battery_w() or 0.0


def _worst(amps: tuple[float | None, ...]) -> float:
    return max((a for a in amps if a is not None), default=0.0)
