"""The alert loop: looks at each closed quarter hour, tells one notification per cause, and learns from the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from gateway.core.learning.alerts.episode import Episode
from gateway.core.learning.alerts.week import WeekAgainstPast
from gateway.core.learning.told import Told
from gateway.model.alert import Alert, AlertKind, Answer, Cause
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences
from gateway.model.series import SeriesKind
from gateway.model.site import Site
from gateway.model.tariff import Rate, Tariff
from gateway.ports import AuditStore, Clock, FactStore, IntervalStore
from gateway.runtime.alert_documents import (
    alerts_from,
    document_of,
    episode_documents,
    episodes_from,
    lesson_documents,
    lessons_from,
)
from gateway.runtime.alert_facts import made_alert, updated
from gateway.runtime.alert_lessons import Lesson, taught
from gateway.runtime.alert_past import Past, Sign
from gateway.runtime.alert_sight import PAST_DAYS, Facts, look
from gateway.runtime.alert_slow import BILL_DAYS, bill_sign, guarded, listed, slow_signs
from gateway.runtime.alert_slow_facts import made_slow, updated_slow
from gateway.runtime.bills import Spot, no_spot
from gateway.runtime.notices import Notices

KEY = "alerts"
NOTICE = "alert "
EVERY_S = 900.0
KEPT = 20
METER_CAUSES = ("wiring ", "silent ")
"""Notifications that already tell of a meter: what follows from the same cause is not told again."""


class AlertStore(IntervalStore, AuditStore, FactStore, Protocol):
    """Interval data, what devices were told, and small documents."""


@dataclass(slots=True)
class Alerts:
    """Alerts of one home, newest first; `rate_at` tells the prices of an instant."""

    site: Site
    clock: Clock
    store: AlertStore
    notices: Notices
    rate_at: Callable[[datetime], Rate]
    preferences: Callable[[], Preferences] = Preferences
    tariff: Tariff | None = None
    spot: Spot = no_spot
    found: list[Alert] = field(default_factory=list)
    week: WeekAgainstPast | None = None
    learned_days: int = 0
    _episodes: dict[Cause, Episode] = field(default_factory=dict)
    _lessons: dict[Cause, Lesson] = field(default_factory=dict)
    _slow: dict[Cause, Sign] = field(default_factory=dict)
    _looked_back: date | None = None
    _failing: set[str] = field(default_factory=set)
    """The looks at weeks that raised when they were tried last."""
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def resume(self) -> None:
        """Take up what was told and taught before; a notification whose alert is over, answered or gone is ended."""
        document = await self.store.get(KEY) or {}
        self.found = alerts_from(document, self.site.devices)
        self._episodes = episodes_from(document, self.found)
        self._lessons = lessons_from(document, self.found)
        asked = {_notice(alert.cause) for alert in self._unanswered()}
        for notice in [name for name in self.notices.open if name.startswith(NOTICE) and name not in asked]:
            self.notices.later_end(notice)

    async def run(self) -> None:
        """Look now and at every quarter hour until cancelled."""
        await self.resume()
        while True:
            await self.once()
            await self.clock.sleep(EVERY_S, real_floor=3.0)

    async def once(self) -> None:
        """Look at the newest closed quarter hour once."""
        now = self.clock.now()
        since = now - timedelta(days=PAST_DAYS + 1)
        house = await self.store.intervals("house", since, now)
        air, light = [
            Told.from_document(await self.store.get(f"told {kind.value}"))
            for kind in (SeriesKind.TEMPERATURE, SeriesKind.IRRADIANCE)
        ]
        facts = await asyncio.to_thread(look, house, air, self.site, now)
        self.week, self.learned_days = facts.week, facts.days
        await self._look_back(air, light, now)
        changed = False
        for cause in dict.fromkeys((*map(Cause, facts.sights), *self._slow, *self._episodes)):
            changed |= self._follow(cause, facts, now)
        if changed:
            await self._keep()
        self._tell(now)

    async def _look_back(self, air: Told, light: Told, now: datetime) -> None:
        """Once a local day: the signs that need weeks."""
        today = now.astimezone(self.site.timezone).date()
        if self._looked_back == today:
            return
        told = any(cause.startswith(METER_CAUSES) for cause in self.notices.open)
        past = Past(self.site, self.store, now)
        # What the owner dismissed is as it should be, and needs no mending.
        open_ones = (each for each in self.found if each.ended is None and each.answer is not Answer.DISMISSED)
        weak = next((each for each in open_ones if each.kind is AlertKind.PV_LOW), None)
        signs = await slow_signs(past, air, light, meter_told=told, weak=weak, failing=self._failing)
        signs += await guarded("the bill", listed(self._bill(past, now)), self._failing)
        self._slow = {sign.cause: sign for sign in signs}
        self._looked_back = today

    async def _bill(self, past: Past, now: datetime) -> Sign | None:
        if self.tariff is None:
            return None
        spot = await self.spot(now - timedelta(days=BILL_DAYS), now) if self.tariff.needs_spot else None
        return await bill_sign(past, self.tariff, spot)

    async def answer(self, alert_id: str, answer: Answer) -> str:
        """Take the owner's word, committed before this returns; what it means, in words; raises WishRefused."""
        known = next((alert for alert in self.found if alert.id == alert_id), None)
        if known is None:
            raise WishRefused(f"There is no alert '{alert_id[:60]}'. GET /api/v1/alerts lists them.")
        if known.answer is answer:
            return "You said so already; nothing changes."
        now = self.clock.now()
        self._put(replace(known, answer=answer, answered=now))
        before = self._lessons.get(known.cause, Lesson())
        self._lessons[known.cause], said = taught(before, known, answer, now, self.site.timezone)
        await self._keep()
        if known.ended is None:
            self.notices.later_end(_notice(known.cause))
        return said

    def _follow(self, cause: Cause, facts: Facts, now: datetime) -> bool:
        """One look at one cause; whether something is to be kept."""
        sight = facts.sights.get(cause.kind) if cause.device is None else None
        slow = self._slow.get(cause) if sight is None else None
        sight = slow.sight if slow is not None else sight
        before = self._episodes.get(cause, Episode(cause.kind))
        lesson = self._lessons.get(cause, Lesson())
        muted = lesson.muted_until is not None and now < lesson.muted_until and before.begun is None
        seen = sight is not None and sight.beyond_w > lesson.more_w and not muted
        after = self._episodes[cause] = before.step(seen, now)
        known = next((alert for alert in self.found if alert.cause == cause and alert.ended is None), None)
        if sight is not None and seen and before.begun is None:
            slow_made = slow and made_slow(slow, self.site, now, self.rate_at)
            self._put(slow_made or made_alert(cause.kind, sight, facts, self.site, now, self.rate_at))
            return True
        if known is not None and sight is not None and seen:
            slow_known = slow and updated_slow(known, slow, now, self.rate_at)
            self._put(slow_known or updated(known, sight, facts, now, self.rate_at))
            return now - (before.last or now) >= timedelta(hours=1) or now.minute < 15
        if after.begun is None:
            del self._episodes[cause]
        if known is not None and after.begun is None:
            self._put(replace(known, ended=before.last))
            self.notices.later_end(_notice(cause))
            return True
        return False

    def _put(self, alert: Alert) -> None:
        """KEPT of them, the newest first; those that are over make room, never an open one."""
        known = [other for other in self.found if other.id != alert.id] + [alert]
        open_ones = [each for each in known if each.ended is None]
        over = sorted((each for each in known if each.ended is not None), key=_newest, reverse=True)
        kept = open_ones + over[: max(0, KEPT - len(open_ones))]
        self.found = sorted(kept, key=_newest, reverse=True)

    def _unanswered(self) -> list[Alert]:
        """What is open and waits for the owner's word."""
        return [alert for alert in self.found if alert.ended is None and alert.answer is Answer.NONE]

    def _tell(self, now: datetime) -> None:
        """Notifications of what is open and not answered; in the owner's quiet hours they wait, for none is a danger."""
        if self.preferences().quiet_at(now.astimezone(self.site.timezone).time()):
            return
        for alert in self._unanswered():
            self.notices.later_raise(_notice(alert.cause), "warning", f"{alert.what} {alert.advice}")

    async def _keep(self) -> None:
        async with self._writing:
            await self.store.put(KEY, self._document())

    def _document(self) -> dict[str, object]:
        return {
            "alerts": [document_of(alert) for alert in self.found],
            "episodes": episode_documents(self._episodes),
            "lessons": lesson_documents(self._lessons),
        }


def _notice(cause: Cause) -> str:
    """The cause by which its notification is raised and ended."""
    return f"{NOTICE}{cause.name}"


def _newest(alert: Alert) -> tuple[datetime, str]:
    """By when it was told; of one look always in the same order."""
    return alert.told, alert.id
