"""A service on the web as a source of series: asked by its table, read by its table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from adapters.sources.answer import Told, Unusable, decode
from adapters.sources.settings import SourceSettings
from adapters.sources.template import Value, fill, fill_all
from adapters.sources.web import Web
from adapters.sources.wire import SourceProfile
from gateway.model.errors import ServerAnswerWrong
from gateway.model.series import Series, SeriesKind
from gateway.ports import Clock

LONGEST_PAUSE_S = 3600.0


class HttpSource:
    """One service; `kinds` is what it tells us of."""

    def __init__(
        self,
        name: str,
        settings: SourceSettings,
        profile: SourceProfile,
        options: Mapping[str, str],
        place: tuple[float, float],
        clock: Clock,
    ) -> None:
        """`options` are checked and complete; `place` is latitude and longitude, told to the service at 0.01 degrees."""
        self.name = name
        self.every_s = settings.every_s or profile.every_s
        self.kinds = tuple(series.kind for series in profile.series if series.kind in settings.kinds)
        said = [*options.items(), ("place", f"{place[0]:.2f},{place[1]:.2f}")]
        self.identity = " ".join([settings.profile, settings.url, *(f"{k}={v}" for k, v in sorted(said))])
        """What the kept answers belong to: with another area they are somebody else's."""
        self.dropped = 0
        """How many rows of the last answer could not be read."""
        self.dropped_why = ""
        self.longest_pause_s = LONGEST_PAUSE_S
        self.title = profile.service
        self._settings, self._profile, self._clock = settings, profile, clock
        self._values: dict[str, Value] = {
            **options, "latitude": f"{place[0]:.2f}", "longitude": f"{place[1]:.2f}"
        }  # fmt: skip
        self._token = settings.token.get_secret_value()
        self._web = Web(name, ca_file=settings.ca_file, secret=self._token)
        self._zone = ZoneInfo(profile.zone)

    async def fetch(self, start: datetime, end: datetime) -> list[Series]:
        """What it tells of [start, end), one series a kind; raises ServerError."""
        spans = self._days(start, end) if self._profile.per_day else [self._span(start, end)]
        answers = [answer for span in spans if (answer := await self._asked(span)) is not None]
        try:
            told = decode(answers, self._profile, self._values)
        except Unusable as error:
            raise ServerAnswerWrong(self.name, self._web.quoted(str(error))) from None
        if not any(told.points.get(kind) for kind in self.kinds):
            raise ServerAnswerWrong(self.name, f"{self.title} told nothing of the time that was asked for")
        self.dropped, self.dropped_why = told.dropped.count, self._web.quoted(told.dropped.first)
        return self._series(told)

    def expected(self, now: datetime) -> datetime:
        """Up to when it should have told by now: to the end of tomorrow once that is published, else for this moment."""
        published = self._profile.published
        if published is None:
            return now
        day = now.astimezone(self._zone).date()
        out = now >= self._local(day, published.at) + timedelta(seconds=published.grace_s)
        return self._local(day + timedelta(days=2 if out else 1), time())

    def next_news(self, now: datetime, until: datetime | None) -> datetime | None:
        """When it will tell more than up to `until`, in the past where that is late; None where only the pace is known."""
        published = self._profile.published
        if published is None:
            return None
        day = now.astimezone(self._zone).date()
        at = self._local(day, published.at)
        told_tomorrow = until is not None and until >= self._local(day + timedelta(days=2), time())
        return self._local(day + timedelta(days=1), published.at) if told_tomorrow else at

    async def close(self) -> None:
        """Close the connections."""
        await self._web.close()

    async def _asked(self, span: Mapping[str, Value]) -> Any:
        """One answer's document; None where the service says that it does not know yet."""
        request, values = self._profile.request, {**self._values, **span, "token": self._token}
        url = self._at_server(fill(request.url, values, in_address=True))
        headers = {name: fill(text, values) for name, text in request.headers.items()}
        body = fill_all(request.body, values) if request.body is not None else None
        return (await self._web.exchange(url, headers, body, absent=tuple(request.absent))).body

    def _at_server(self, url: str) -> str:
        """The address at the server of the site file, where it names another one."""
        if not self._settings.url:
            return url
        there, asked = urlsplit(self._settings.url), urlsplit(url)
        path = there.path.rstrip("/") + asked.path
        return urlunsplit((there.scheme, there.netloc, path, asked.query, ""))

    def _span(self, start: datetime, end: datetime) -> dict[str, Value]:
        first, last = int(start.timestamp()), int(end.timestamp())
        exact: dict[str, Value] = {"start": start.astimezone(UTC), "end": end.astimezone(UTC)}
        return exact | {"start_s": first, "end_s": last, "start_ms": first * 1000, "end_ms": last * 1000}

    def _days(self, start: datetime, end: datetime) -> list[dict[str, Value]]:
        """The local days to ask for: none that cannot be known yet."""
        now = self._clock.now()
        today = now.astimezone(self._zone).date()
        published = self._profile.published
        out = published is None or now >= self._local(today, published.at)
        last = min(today + timedelta(days=1 if out else 0), end.astimezone(self._zone).date())
        day, spans = start.astimezone(self._zone).date(), []
        while day <= last:
            spans.append(self._span(self._local(day, time()), self._local(day + timedelta(days=1), time())))
            spans[-1]["day"] = day
            day += timedelta(days=1)
        return spans

    def _local(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self._zone).astimezone(UTC)

    def _series(self, told: Told) -> list[Series]:
        now = self._clock.now()
        return [
            Series(kind, points, self.name, now, told.currency if kind is SeriesKind.SPOT else "")
            for kind in self.kinds
            if (points := told.points[kind])
        ]
