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
from gateway.model.alert import Alert, AlertKind, Answer
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences
from gateway.model.series import SeriesKind
from gateway.model.site import Site
from gateway.model.tariff import Rate, Tariff
from gateway.ports import Clock, FactStore, IntervalStore
from gateway.runtime.alert_documents import alert_from, document_of
from gateway.runtime.alert_facts import made_alert, updated
from gateway.runtime.alert_sight import PAST_DAYS, Facts, Sight, look
from gateway.runtime.alert_slow import BILL_DAYS, Past, Sign
from gateway.runtime.alert_slow_facts import made_slow, updated_slow
from gateway.runtime.bills import Spot, no_spot
from gateway.runtime.notices import Notices
from gateway.runtime.words import local_time

KEY = "alerts"
EVERY_S = 900.0
KEPT = 20
METER_CAUSES = ("wiring ", "silent ")
"""Notifications that already tell of a meter: what follows from the same cause is not told again."""
MUTED = timedelta(days=7)
LESSON_SHARE = 0.5
"""A dismissed alert raises its kind's threshold by so much of its own power, ..."""
MOST_MORE_W = 3000.0
"""... but never by more than this, so that no kind falls silent for ever."""
ACCEPTED_SHARE = 0.5
"""An accepted one leaves so much of what dismissals had added, ..."""
LEAST_MORE_W = 25.0
"""... and nothing of less than this; the threshold never goes below the one it began with."""


class AlertStore(IntervalStore, FactStore, Protocol):
    """Interval data and small documents."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a dismissal taught of one kind: W more before it is told, and silence until then."""

    more_w: float = 0.0
    muted_until: datetime | None = None


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
    _episodes: dict[AlertKind, Episode] = field(default_factory=dict)
    _lessons: dict[AlertKind, Lesson] = field(default_factory=dict)
    _slow: dict[AlertKind, Sign] = field(default_factory=dict)
    _looked_back: date | None = None
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def resume(self) -> None:
        """Take up what was told and taught before."""
        document = await self.store.get(KEY) or {}
        self.found = [alert for entry in document.get("alerts", []) if (alert := alert_from(entry)) is not None]
        for entry in document.get("episodes", []):
            kind, begun, last = AlertKind(entry["kind"]), entry["begun"], entry["last"]
            self._episodes[kind] = Episode(kind, datetime.fromisoformat(begun), datetime.fromisoformat(last))
        for name, entry in document.get("lessons", {}).items():
            muted = entry["muted_until"]
            self._lessons[AlertKind(name)] = Lesson(entry["more_w"], datetime.fromisoformat(muted) if muted else None)

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
        sun = await self.store.intervals("solar", since, now)
        air, light = [
            Told.from_document(await self.store.get(f"told {kind.value}"))
            for kind in (SeriesKind.TEMPERATURE, SeriesKind.IRRADIANCE)
        ]
        facts = await asyncio.to_thread(look, house, sun, air, light, self.site, now)
        self.week, self.learned_days = facts.week, facts.days
        await self._look_back(air, light, now)
        changed = False
        for kind in AlertKind:
            changed |= self._follow(kind, facts.sights.get(kind), facts, now)
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
        self._slow = {sign.kind: sign for sign in await past.signs(air, light, meter_told=told)}
        if self.tariff is not None:
            spot = await self.spot(now - timedelta(days=BILL_DAYS), now) if self.tariff.needs_spot else None
            bill = await past.bill_sign(self.tariff, spot)
            self._slow |= {bill.kind: bill} if bill is not None else {}
        self._looked_back = today

    async def answer(self, alert_id: str, answer: Answer) -> str:
        """Take the owner's word, committed before this returns; what it means, in words; raises WishRefused."""
        known = next((alert for alert in self.found if alert.id == alert_id), None)
        if known is None:
            raise WishRefused(f"There is no alert '{alert_id[:60]}'. GET /api/v1/alerts lists them.")
        now = self.clock.now()
        self._put(replace(known, answer=answer, answered=now))
        said = self._taught(known, answer, now)
        await self._keep()
        self.notices.later_end(_cause(known.kind))
        return said

    def _taught(self, known: Alert, answer: Answer, now: datetime) -> str:
        """What an answer changes for its kind, in words."""
        before = self._lessons.get(known.kind, Lesson())
        if answer is Answer.DISMISSED:
            more = min(MOST_MORE_W, max(before.more_w, LESSON_SHARE * known.power_w))
            self._lessons[known.kind] = Lesson(more, now + MUTED)
            until = local_time(now + MUTED, now, self.site.timezone)
            return f"Dismissed. Nothing of this kind is told until {until}, and after that only from {more:.0f} W more."
        more = ACCEPTED_SHARE * before.more_w
        more = more if more >= LEAST_MORE_W else 0.0
        self._lessons[known.kind] = Lesson(more)
        if before == self._lessons[known.kind]:
            return "Kept. You will be told again when it happens again."
        left = f"from {more:.0f} W more than at first, not {before.more_w:.0f} W" if more else "as early as at first"
        return f"Kept. You will be told again sooner next time: {left}, and without a pause."

    def _follow(self, kind: AlertKind, sight: Sight | None, facts: Facts, now: datetime) -> bool:
        """One look at one kind; whether something is to be kept."""
        slow = self._slow.get(kind) if sight is None else None
        sight = slow.sight if slow is not None else sight
        before = self._episodes.get(kind, Episode(kind))
        lesson = self._lessons.get(kind, Lesson())
        muted = lesson.muted_until is not None and now < lesson.muted_until and before.begun is None
        seen = sight is not None and sight.beyond_w > lesson.more_w and not muted
        after = self._episodes[kind] = before.step(seen, now)
        known = next((alert for alert in self.found if alert.kind is kind and alert.ended is None), None)
        if sight is not None and seen and before.begun is None:
            slow_made = slow and made_slow(slow, self.site, now, self.rate_at)
            self._put(slow_made or made_alert(kind, sight, facts, self.site, now, self.rate_at))
            return True
        if known is not None and sight is not None and seen:
            slow_known = slow and updated_slow(known, slow, now, self.rate_at)
            self._put(slow_known or updated(known, sight, facts, now, self.rate_at))
            return now - (before.last or now) >= timedelta(hours=1) or now.minute < 15
        if known is not None and after.begun is None:
            self._put(replace(known, ended=before.last))
            self.notices.later_end(_cause(kind))
            return True
        return False

    def _put(self, alert: Alert) -> None:
        others = [other for other in self.found if other.id != alert.id]
        self.found = sorted([*others, alert], key=lambda a: a.told, reverse=True)[:KEPT]

    def _tell(self, now: datetime) -> None:
        """Notifications of what is open and not answered; in the owner's quiet hours they wait, for none is a danger."""
        if self.preferences().quiet_at(now.astimezone(self.site.timezone).time()):
            return
        for alert in self.found:
            if alert.ended is None and alert.answer is Answer.NONE:
                self.notices.later_raise(_cause(alert.kind), "warning", f"{alert.what} {alert.advice}")

    async def _keep(self) -> None:
        async with self._writing:
            await self.store.put(KEY, self._document())

    def _document(self) -> dict[str, object]:
        return {
            "alerts": [document_of(alert) for alert in self.found],
            "episodes": [
                {"kind": e.kind.value, "begun": e.begun.isoformat(), "last": e.last.isoformat()}
                for e in self._episodes.values()
                if e.begun is not None and e.last is not None
            ],
            "lessons": {
                kind.value: {
                    "more_w": lesson.more_w,
                    "muted_until": lesson.muted_until.isoformat() if lesson.muted_until else None,
                }
                for kind, lesson in self._lessons.items()
            },
        }


def _cause(kind: AlertKind) -> str:
    return f"alert {kind.value}"
