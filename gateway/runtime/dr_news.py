"""What the owner hears of an event: that it wants an answer, that it comes, that it is on, what it brought; one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.core.demand_response.opt import asks_action
from gateway.core.demand_response.schedule import event_span
from gateway.model.dr import EventPhase, EventRecord, OptState
from gateway.ports import Clock
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.dr_words import TAKING_PART, announced, is_news, until
from gateway.runtime.notices import Notices
from gateway.runtime.words import kwh, local_time

LOOK_S = 20.0
SOON = timedelta(minutes=15)
KEPT = timedelta(hours=12)
"""What an event brought is shown for so long."""


@dataclass(slots=True)
class DrNews:
    """Looks at every event now and then; one notification an event, whose words follow its life."""

    clock: Clock
    dr: DemandResponse
    notices: Notices

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self.once()
            await self.clock.sleep(LOOK_S, real_floor=1.0)

    async def once(self) -> None:
        """Bring every event's notification up to now."""
        for record in list(self.dr.records.values()):
            await self._tell(record)
        await self._agreements()

    async def _tell(self, record: EventRecord) -> None:
        cause = f"event {record.key}"
        words = self._words(record)
        if words is None:
            await self.notices.end(cause)
        elif words:
            waits = asks_action(record.event) and record.opt is OptState.UNDECIDED
            await self.notices.raise_(cause, "warning" if waits else "info", words)
        if self.dr.over(record):
            await self.notices.end(f"{cause} changed")

    def _words(self, record: EventRecord) -> str | None:
        """The words for now; "" where those that stand are right, None where nothing is to be said any more."""
        span, phase = event_span(record, self.dr.site.timezone), self.dr.phase(record.key)
        if not asks_action(record.event) or span is None:
            return None if self.dr.over(record) or not is_news(record.event) else announced(record)
        if phase is EventPhase.CANCELLED:
            return "" if record.opt in TAKING_PART and not self._cancelled_long(record) else None
        if record.opt is OptState.SKIPPED:
            return None if record.chosen or phase is EventPhase.ENDED else announced(record)
        return self._words_in_time(record, phase, span[0], span[1])

    def _words_in_time(
        self, record: EventRecord, phase: EventPhase, start: datetime, end: datetime | None
    ) -> str | None:
        now, waits = self.clock.now(), record.opt is OptState.UNDECIDED
        name = f"{'Test: ' if record.event.test else ''}'{record.event.name or record.event.id}'"
        begins, over = local_time(start, now, self.dr.site.timezone), until(end, self.dr)
        if phase is EventPhase.ENDED:
            return self._brought(record, name) if now - (end or now) < KEPT and not waits else None
        if waits:
            when = f"starts {begins}" if phase is EventPhase.UPCOMING else f"is on{over}"
            return f"{name} {when} and waits for your answer: join or skip it on the Events page."
        if phase is EventPhase.UPCOMING:
            return f"{name} starts {begins}{over}. {record.opt_reason}" if start - now <= SOON else announced(record)
        aside = f" Set aside for {len(record.overridden_devices)} device(s)." if record.overridden_devices else ""
        return f"{name} is on{over}.{aside}"

    def _brought(self, record: EventRecord, name: str) -> str:
        if record.delivered_wh is None:
            return f"{name} is over. What was delivered is known once its last quarter hour is measured."
        low, high = record.delivered_low_wh, record.delivered_high_wh
        between = f" ({_kwh(low)} to {_kwh(high)})" if low is not None and high is not None else ""
        earned = ""
        if record.earned_micro is not None:
            earned = f", earned {record.earned_micro / 1e6:.2f} {self.dr.site.currency}"
        return f"{name} is over: {_kwh(record.delivered_wh)} kWh delivered{between}{earned}."

    def _cancelled_long(self, record: EventRecord) -> bool:
        return record.cancelled_at is not None and self.clock.now() - record.cancelled_at > KEPT

    async def _agreements(self) -> None:
        """An agreement that ends within a day, or ended within the last, is told."""
        now = self.clock.now()
        for key, program in self.dr.programs.items():
            ends = self.dr.preferences().agreement(key, program.id, program.name).until
            cause = f"agreement {key}"
            if ends is None or not ends - timedelta(days=1) <= now < ends + timedelta(days=1):
                await self.notices.end(cause)
                continue
            when = local_time(ends, now, self.dr.site.timezone)
            words = f"Your agreement with {program.name} {'ends' if now < ends else 'ended'} {when}; "
            words += "after it this home takes no part and shares nothing. Renew it under Programs."
            await self.notices.raise_(cause, "info", words)


def _kwh(energy_wh: float) -> str:
    """To a tenth, a small one to a hundredth."""
    return kwh(energy_wh, 1 if abs(energy_wh) >= 1_000 else 2)
