"""What the world tells of prices, carbon and weather: asked in turns, kept on disk, and what stands in while it is silent.

    told ----------------------> | yesterday's same hours (carbon, temperature) --> 48 h
    told ----------------------> | nothing: the tariff's typical price (spot), clear sky (irradiance, clouds)

A source that fails is asked again after a minute, two, four, up to an hour, or when it says itself; its last good answer
counts as long as it tells of the hours to come.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Protocol

from gateway.model.errors import ServerError, ServerRefused, ServerUnreachable, StoreError
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.site import Site
from gateway.ports import Clock, FactStore, SeriesSource
from gateway.runtime.notices import Notices
from gateway.runtime.series import clipped, overlay, told_without_gap, with_yesterday
from gateway.runtime.series_archive import SeriesArchive
from gateway.runtime.source_documents import from_document, to_document
from gateway.runtime.source_words import NAMES, REPEATED, SourceState, missing_words, past_words

log = logging.getLogger(__name__)

AHEAD = timedelta(days=4)
"""How far ahead sources are asked."""
KEPT_AHEAD, MOST_POINTS = timedelta(days=10), 3000
STAND_IN = timedelta(hours=48)
"""How far yesterday's values stand in for what nobody tells: the plan's horizon."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 3600.0
LATE_PAUSE_S = 900.0
"""Between questions for what should have been published already."""
AFTER_NEWS_S = 120.0
"""After the hour of publication, and up to twice that: not all homes at once."""
REAL_FLOOR_S = 2.0
WATCH_S = 60.0
BRIEF = timedelta(minutes=30)
"""Yesterday stands in so long before somebody is told: a server that tells by the day is asked again at its midnight."""


class Source(SeriesSource, Protocol):
    """A source that knows what it brings and when."""

    title: str
    """What people call it."""
    kinds: tuple[SeriesKind, ...]
    identity: str
    """What a kept answer belongs to; with another one it is not taken up."""
    dropped: int
    """How many rows of its last answer could not be read."""
    dropped_why: str
    """The first of them in words; empty where all were read."""
    longest_pause_s: float
    """It is asked at least so often, whatever went wrong before (home s)."""

    def expected(self, now: datetime) -> datetime:
        """Up to when it should have told by now, else somebody should know."""
        ...

    def next_news(self, now: datetime, until: datetime | None) -> datetime | None:
        """When it tells more than up to `until`, in the past where that is late; None where nobody knows."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


@dataclass(slots=True)
class _Kept:
    """What one source told last, by kind."""

    series: dict[SeriesKind, Series] = field(default_factory=dict)
    error: str = ""
    failures: int = 0
    asked: bool = False
    past: dict[SeriesKind, tuple[datetime, datetime]] = field(default_factory=dict)
    """Kinds of which the last answer told nothing of these days: when its first value begins and its last one ends."""


class Sources:
    """All sources of one home, in the order of the site file: the first that tells of an hour counts."""

    def __init__(
        self,
        site: Site,
        clock: Clock,
        store: FactStore,
        notices: Notices,
        sources: Sequence[Source],
        on_change: Callable[[SeriesKind], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._site, self._clock, self._store, self._notices = site, clock, store, notices
        self.sources = tuple(sources)
        self._on_change, self._chance = on_change, chance
        self.archive = SeriesArchive(clock, store)
        self._kept = {source.name: _Kept() for source in sources}

    async def resume(self) -> None:
        """Take up the last good answers; what cannot be read or belongs to another service or place is left."""
        for source in self.sources:
            document = await self._store.get(_key(source.name))
            if document is not None:
                found = from_document(document, source.name, source.identity)
                kept = {kind: series for kind, series in found.items() if kind in source.kinds}
                self._kept[source.name].series = kept

    async def follow(self, source: Source) -> None:
        """Ask one source again and again until cancelled."""
        try:
            while True:
                pause_s = await self.ask(source)
                await self._clock.sleep(pause_s, real_floor=REAL_FLOOR_S)
        finally:
            await source.close()

    async def ask(self, source: Source) -> float:
        """Ask once; returns the home seconds until the next question."""
        kept, now = self._kept[source.name], self._clock.now()
        try:
            told = await source.fetch(self._since(kept, now), _midnight(now, self._site) + AHEAD)
        except ServerError as error:
            return self._failed(source, error)
        except Exception as error:  # a mistake of ours in one adapter must cost neither its source nor its pace
            return self._broken(source, error)
        finally:
            kept.asked = True
        if kept.error:
            log.info("%s answers again", source.name)
        kept.error, kept.failures = "", 0
        await self._take(source, told)
        return self._pause(source)

    async def watch(self) -> None:
        """Tell when what sources should have told is missing, and when it is there again, until cancelled."""
        while True:
            self.tell()
            await self._clock.sleep(WATCH_S, real_floor=REAL_FLOOR_S)

    def spot(self) -> Series | None:
        """Prices as told, micro-units per kWh; where they say nothing the tariff's typical price holds."""
        return self._told(SeriesKind.SPOT)

    def carbon(self) -> Series | None:
        """Carbon intensity, g/kWh; where nobody tells it, yesterday's same hours."""
        return self._told(SeriesKind.CARBON)

    def temperature(self) -> Series | None:
        """Outdoor air, degC; where nobody tells it, yesterday's same hours."""
        return self._told(SeriesKind.TEMPERATURE)

    def irradiance(self) -> Series | None:
        """Global horizontal irradiance, W/m2; where it says nothing the sun forecast's own clear sky holds."""
        return self._told(SeriesKind.IRRADIANCE)

    def cloud(self) -> Series | None:
        """Cloud cover, percent."""
        return self._told(SeriesKind.CLOUD)

    def state(self) -> list[SourceState]:
        """Every source, in the order of the site file."""
        return [self._state(source) for source in self.sources]

    def tell(self) -> None:
        """Raise and end the notifications about what is missing, one a kind."""
        now = self._clock.now()
        for kind in self._kinds():
            words, cause = self._worth_telling(kind, now), f"series {kind.value}"
            known = self._notices.open.get(cause)
            if known is not None and known.text != words:
                self._notices.later_end(cause)
                if not words:
                    log.info("%s: told again", NAMES[kind])
            if words and (known is None or known.text != words):
                log.warning("%s", words)
                self._notices.later_raise(cause, "warning", words)

    def _kinds(self) -> list[SeriesKind]:
        told = {kind for source in self.sources for kind in source.kinds}
        # Clouds only help where irradiance is told; their absence is nobody's worry.
        return [kind for kind in SeriesKind if kind in told and kind is not SeriesKind.CLOUD]

    def _since(self, kept: _Kept, now: datetime) -> datetime:
        """From yesterday on, which stands in for tomorrow; from today where yesterday is known."""
        today = _midnight(now, self._site)
        told = [series.points[0].start for series in kept.series.values() if series.points]
        known = bool(told) and all(start < today for start in told)
        return today if known else _midnight(now, self._site, days=-1)

    async def _take(self, source: Source, told: Sequence[Series]) -> None:
        kept, now = self._kept[source.name], self._clock.now()
        changed = []
        for series in told:
            if series.kind not in source.kinds:
                continue
            before = kept.series.get(series.kind)
            fresh = self._joined(series, before, now)
            kept.past.pop(series.kind, None)
            if series.points and not fresh.points:
                kept.past[series.kind] = series.points[0].start, series.points[-1].end
            if before is None or fresh.points != before.points:
                changed.append(series.kind)
            kept.series[series.kind] = fresh
        document = to_document(kept.series, source.identity)
        # Prices are told once a day and worth a write of their own; the weather comes again within the hour.
        await self._write(source, document, later=SeriesKind.SPOT not in changed)
        self.tell()
        for kind in changed:
            # What counts is kept for the bill: the first source of the site file before the others.
            fresh = kept.series[kind]
            await self.archive.keep(Series(kind, self._as_told(kind), fresh.source, fresh.fetched_at, fresh.currency))
            self._on_change(kind)

    async def _write(self, source: Source, document: dict[str, object], *, later: bool) -> None:
        try:
            await self._store.put(_key(source.name), document, later=later)
        except StoreError as error:
            log.error("what %s told is not kept on disk: %s", source.name, error)

    def _joined(self, told: Series, before: Series | None, now: datetime) -> Series:
        """What is told now over what was told before, from yesterday to a bounded end."""
        points = overlay(told.points, before.points if before is not None else ())
        points = clipped(points, _midnight(now, self._site, days=-1), now + KEPT_AHEAD)
        return Series(told.kind, points[:MOST_POINTS], told.source, told.fetched_at, told.currency)

    def _failed(self, source: Source, error: ServerError) -> float:
        kept = self._kept[source.name]
        kept.failures += 1
        if not kept.error:
            log.warning("%s", error)
        kept.error = error.reason + (f". {error.remedy}" if error.remedy else "")
        longest = min(LONGEST_PAUSE_S, source.longest_pause_s)
        if isinstance(error, ServerRefused):
            return longest
        wished = error.retry_after_s if isinstance(error, ServerUnreachable) else None
        return min(max(self._growing(kept), wished or 0.0), longest)

    def _broken(self, source: Source, error: Exception) -> float:
        kept = self._kept[source.name]
        kept.failures += 1
        words = f"its answer could not be worked with ({type(error).__name__}); the log says where"
        if kept.error != words:
            log.error("%s: %s", source.name, words, exc_info=error)
        kept.error = words
        return min(self._growing(kept), LONGEST_PAUSE_S, source.longest_pause_s)

    def _growing(self, kept: _Kept) -> float:
        """A minute, two, four, up to an hour; not all homes at once."""
        pause: float = min(FIRST_PAUSE_S * 2 ** min(kept.failures - 1, 10), LONGEST_PAUSE_S)
        return pause * (0.75 + self._chance() / 2)

    def _pause(self, source: Source) -> float:
        """Until the next question: the source's own pace, sooner where news is due or late."""
        now, pause = self._clock.now(), source.every_s * (0.95 + self._chance() / 10)
        until = told_without_gap(self._points_of(source, source.kinds[0]), now)
        news = source.next_news(now, until)
        if news is None:
            # Nobody knows when it tells more, but past the end of what it told there is nothing: asked right behind it.
            ends_s = (until - now).total_seconds() if until is not None else 0.0
            return min(pause, max(ends_s + AFTER_NEWS_S * (1 + self._chance()), LATE_PAUSE_S))
        if news <= now:
            return min(pause, LATE_PAUSE_S * (0.75 + self._chance() / 2))
        return min(pause, (news - now).total_seconds() + AFTER_NEWS_S * (1 + self._chance()))

    def _points_of(self, source: Source, kind: SeriesKind) -> tuple[Point, ...]:
        series = self._kept[source.name].series.get(kind)
        return series.points if series is not None else ()

    def _told(self, kind: SeriesKind) -> Series | None:
        """What all sources tell of one kind, the first of the site file before the others."""
        told = [
            s for source in self.sources if (s := self._kept[source.name].series.get(kind)) is not None and s.points
        ]
        if not told:
            return None
        points = told[0].points
        for more in told[1:]:
            points = overlay(points, more.points)
        now = self._clock.now()
        if kind in REPEATED:
            points = with_yesterday(points, now, now + STAND_IN)
        if not points:
            return None
        names = ", ".join(series.source for series in told)
        return Series(kind, points, names, max(series.fetched_at for series in told), told[0].currency)

    def _as_told(self, kind: SeriesKind) -> tuple[Point, ...]:
        """The points of all sources without anything standing in."""
        points: tuple[Point, ...] = ()
        for source in self.sources:
            points = overlay(points, self._points_of(source, kind))
        return points

    def _missing(self, kind: SeriesKind, now: datetime) -> str:
        """What is missing and what counts instead, in words; empty while enough is told."""
        tellers = [source for source in self.sources if kind in source.kinds]
        points = self._as_told(kind)
        if not points and not any(self._kept[source.name].asked for source in tellers):
            return ""
        wanted = max(source.expected(now) for source in tellers)
        return missing_words(self._site, kind, points, wanted, now)

    def _worth_telling(self, kind: SeriesKind, now: datetime) -> str:
        if kind in REPEATED:
            ended = max((point.end for point in self._as_told(kind) if point.end <= now), default=None)
            if ended is not None and now - ended < BRIEF:
                return ""
        return self._missing(kind, now)

    def _state(self, source: Source) -> SourceState:
        kept, now = self._kept[source.name], self._clock.now()
        fetched = max((series.fetched_at for series in kept.series.values()), default=None)
        ends = [told_without_gap(self._points_of(source, kind), now) for kind in source.kinds]
        known = [end for end in ends if end is not None]
        missing = [words for kind in source.kinds if kind in self._kinds() and (words := self._missing(kind, now))]
        return SourceState(
            source.name,
            source.title,
            source.kinds,
            fetched,
            max((now - fetched).total_seconds(), 0.0) if fetched is not None else None,
            min(known) if len(known) == len(ends) else None,
            kept.error or past_words(self._site, kept.past, now),
            source.dropped,
            " ".join(missing),
            source.dropped_why,
        )


def _key(name: str) -> str:
    return f"series {name}"


def _midnight(now: datetime, site: Site, days: int = 0) -> datetime:
    day = now.astimezone(site.timezone).date() + timedelta(days=days)
    return datetime.combine(day, time(), site.timezone).astimezone(now.tzinfo)
