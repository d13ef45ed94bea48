"""What the owner hears of an event: that it wants an answer, that it comes, that it is on, what it brought; one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.core.demand_response.opt import asks_action
from gateway.core.demand_response.schedule import event_span
from gateway.model.dr import EventPhase, EventRecord, OptState
from gateway.ports import Clock
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.notices import Notices
from gateway.runtime.words import local_time

LOOK_S = 20.0
SOON = timedelta(minutes=15)
KEPT = timedelta(hours=12)
"""What an event brought is shown for so long."""
TAKING_PART = (OptState.JOINED, OptState.BINDING)


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
        cause, span = f"event {record.key}", event_span(record, self.dr.site.timezone)
        if not asks_action(record.event) or span is None:
            if cause in self.notices.open and self.dr.over(record):
                await self.notices.end(cause)
            return
        words = self._words(record, span[0], span[1])
        if words is None:
            await self.notices.end(cause)
        elif words:
            await self.notices.raise_(cause, "warning" if record.opt is OptState.UNDECIDED else "info", words)

    def _words(self, record: EventRecord, start: datetime, end: datetime | None) -> str | None:
        """The words for now; "" where those that stand are right, None where nothing is to be said any more."""
        now, phase = self.clock.now(), self.dr.phase(record.key)
        name = f"{'Test: ' if record.event.test else ''}'{record.event.name or record.event.id}'"
        begins, over = local_time(start, now, self.dr.site.timezone), _until(end, now, self.dr)
        if phase is EventPhase.UPCOMING and record.opt is OptState.UNDECIDED:
            return f"{name} starts {begins} and waits for your answer: join or skip it on the Events page."
        if phase is EventPhase.UPCOMING and record.opt in TAKING_PART and start - now <= SOON:
            return f"{name} starts {begins}{over}. {record.opt_reason}"
        if phase is EventPhase.ACTIVE and record.opt in TAKING_PART:
            aside = f" Set aside for {len(record.overridden_devices)} device(s)." if record.overridden_devices else ""
            return f"{name} is on{over}.{aside}"
        if phase is EventPhase.ENDED:
            ended = end or now
            return self._brought(record, name) if now - ended < KEPT and record.opt in TAKING_PART else None
        return None if phase is EventPhase.CANCELLED and self._cancelled_long(record) else ""

    def _brought(self, record: EventRecord, name: str) -> str:
        if record.delivered_wh is None:
            return f"{name} is over. What was delivered is known once its last quarter hour is measured."
        low, high = record.delivered_low_wh, record.delivered_high_wh
        between = f" ({low / 1000:.1f} to {high / 1000:.1f})" if low is not None and high is not None else ""
        earned = ""
        if record.earned_micro is not None:
            earned = f", earned {record.earned_micro / 1e6:.2f} {self.dr.site.currency}"
        return f"{name} is over: {record.delivered_wh / 1000:.1f} kWh delivered{between}{earned}."

    def _cancelled_long(self, record: EventRecord) -> bool:
        return record.cancelled_at is not None and self.clock.now() - record.cancelled_at > KEPT

    async def _agreements(self) -> None:
        """An agreement that ends within a day, or ended within the last, is told."""
        now = self.clock.now()
        for key, program in self.dr.programs.items():
            until = self.dr.preferences().agreement(key, program.id, program.name).until
            cause = f"agreement {key}"
            if until is None or not until - timedelta(days=1) <= now < until + timedelta(days=1):
                await self.notices.end(cause)
                continue
            when = local_time(until, now, self.dr.site.timezone)
            words = f"Your agreement with {program.name} {'ends' if now < until else 'ended'} {when}; "
            words += "after it this home takes no part and shares nothing. Renew it under Programs."
            await self.notices.raise_(cause, "info", words)


def _until(end: datetime | None, now: datetime, dr: DemandResponse) -> str:
    return f" until {local_time(end, now, dr.site.timezone)}" if end is not None else " until further notice"
